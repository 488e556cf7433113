"""What the whole project says about names: where credentials point, what labels and metadata records hold, which fields are sensitive.

Everything is kept as short strings, so memory grows with what is declared, not with the size of the files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from curtilage.sanitize.fields import FieldRules
from curtilage.scan.model import Place

# Words that name personal or privileged data, as whole words of a field name in any of the usual spellings.
_NAMED = re.compile(
    r"(?:^|_)(?:ssn|social_?security(?:_?(?:number|no))?|sin|nino|national_?id(?:entity)?|passport(?:_?(?:number|no))?|tax_?(?:id|number|payer_?id)|tin|iban|bic|"
    r"bank_?account(?:_?(?:number|no))?|account_?number|routing_?number|credit_?card(?:_?(?:number|no))?|card_?number|cvv|date_?of_?birth|birth_?date|dob|"
    r"driver_?s?_?licen[cs]e(?:_?(?:number|no))?|salary|diagnosis|medical\w*|health\w*|ethnicity|religion|sexual\w*|biometric\w*|"
    r"privileged\w*|attorney\w*|legal_?advice|legal_?hold|settlement\w*|secret|password|api_?key|confidential\w*|sensitive)(?:_|$)"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CLASSIFIED = frozenset({"confidential", "restricted", "missioncritical"})
_STANDARD_SENSITIVE = frozenset({"contact.birthdate", "lead.birthdate", "account.personbirthdate"})


@dataclass(slots=True)
class Named:
    """A named credential, or an external one."""

    name: str
    url: str
    place: Place
    external: tuple[str, ...] = ()


@dataclass(slots=True)
class Index:
    """The project's names, all keys in lower case."""

    named: dict[str, Named] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)  # type without __mdt -> record -> field -> value
    settings: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # object -> field -> known values
    objects: set[str] = field(default_factory=set)
    fields: dict[str, set[str]] = field(default_factory=dict)  # object -> every declared field
    sensitive: dict[str, dict[str, str]] = field(default_factory=dict)  # object -> field -> why
    namespaces: dict[str, Place] = field(default_factory=dict)  # installed packages
    services: dict[str, str] = field(default_factory=dict)  # external service -> named credential
    relations: dict[str, str] = field(default_factory=dict)  # child relationship and lookup names -> object
    rules: FieldRules = field(default_factory=FieldRules)
    display: dict[str, str] = field(default_factory=dict)  # lower-case field -> as written

    def why_sensitive(self, object_name: str, field_name: str) -> str | None:
        """Why a field is sensitive: its declaration, the sanitizer's rules, or its name."""
        last = field_name.rpartition(".")[2].lower()
        owner = object_name.lower()
        if "." in field_name:
            parent = field_name.split(".")[-2].lower()
            owner = self.relations.get(parent, parent.removesuffix("__r") + "__c" if parent.endswith("__r") else parent)
        if found := self.sensitive.get(owner, {}).get(last):
            return found
        if self.rules.matches(last):
            return "a field rule of the gateway"
        if f"{owner}.{last}" in _STANDARD_SENSITIVE:
            return "a standard field that holds personal data"
        if f"{owner}.{last}" == "account.accountnumber":
            return None  # a customer's number, not a bank's
        words = _CAMEL.sub("_", field_name.rpartition(".")[2].removesuffix("__c").removesuffix("__C")).lower()
        return "its name" if _NAMED.search(words) else None

    def sensitive_of(self, object_name: str) -> list[str]:
        """Every sensitive field declared for an object."""
        owner = object_name.lower()
        declared = set(self.sensitive.get(owner, {})) | {name for name in self.fields.get(owner, ()) if self.why_sensitive(owner, name)}
        return sorted(self.display.get(name, name) for name in declared)

    def declare_field(
        self, object_name: str, name: str, *, kind: str, classification: str, groups: str, reference: str, relation: str
    ) -> None:
        """Take in one field of an object."""
        owner, lower = object_name.lower(), name.lower()
        self.fields.setdefault(owner, set()).add(lower)
        self.display.setdefault(lower, name)
        if reference and lower.endswith("__c"):
            self.relations[lower[:-1] + "r"] = reference.lower()
            if relation:
                self.relations[relation.lower() + "__r"] = owner
        why = None
        if classification.lower() in _CLASSIFIED:
            why = f"classified {classification}"
        elif groups:
            why = f"compliance group {groups}"
        elif kind == "EncryptedText":
            why = "an encrypted field"
        if why:
            self.sensitive.setdefault(owner, {})[lower] = why
