"""What a key says about its value: {"passportNumber": "C01X00T47"} is a label and an identifier, as much as the same in prose."""

# ruff: noqa: E501, SIM905 - word lists

from __future__ import annotations

import re
from functools import lru_cache

_PERSON = re.compile(
    r"(?:first|last|full|given|family|middle|maiden|birth|legal|contact|client|customer|owner|patient|employee|holder|accountholder|cardholder|beneficiary|signatory|witness|spouse|recipient|sender|applicant|heir"
    r"|mothersmaiden|preferred|nick|debtor|creditor|tenant|claimant|plaintiff|defendant|vor|nach|familien|geburts|ruf|mandanten)names?|surname|forename|vornamen?|nachname|prenoms?|nomdefamille|nomcomplet|nomprenom|cognome|nomecognome|nomecompleto"
    r"|nombrecompleto|apellidos?|primerapellido|segundoapellido|achternaam|voornaam|kontoinhaber|karteninhaber|accountholder|cardholder|intestatario|ansprechpartner(?:in)?|sachbearbeiter(?:in)?"
)
_ADDRESS = re.compile(
    r".*(?:street|postalcode|zipcode|postcode|streetaddress|addressline\d?|homeaddress|mailingaddress|billingaddress|hausnummer|strasse|anschrift|postleitzahl|indirizzo|direccion|codepostal)|address|adresse|plz|zip|cap"
)
# A lower-case letter by itself begins no new word behind it: "KvK", but "taxId".
_BORDERS = re.compile(r"(?<=[a-zà-ÿ]{2})(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-zà-ÿ]{2})|(?<=[^\W\d_])(?=\d)|[_\W]+")
# Keys under which prose or the dialect's own words stand: they say nothing about the value.
_PLAIN = frozenset(
    "content text role type id model input prompt arguments output parts messages system description title format query documents thinking reasoning refusal delta object status reason finish_reason stop language source summary "
    "subject body comment comments note notes value instructions details message question answer data properties enum default pattern".split()
)


@lru_cache(maxsize=8192)
def label_of(key: str) -> str:
    """A key as a label written in words, or nothing when it says nothing."""
    if key.lower() in _PLAIN or len(key) > 80:
        return ""
    base = re.sub(r"__(?:c|r|pc|pr|x)$", "", key)
    return _BORDERS.sub(" ", base.rpartition(".")[2]).strip()


@lru_cache(maxsize=8192)
def type_of(key: str) -> str:
    """PERSON or ADDRESS where the whole value is one; nothing otherwise."""
    letters = re.sub(r"__(?:c|r|pc|pr|x)$", "", key).rpartition(".")[2]
    compact = re.sub(r"[^a-z0-9]", "", letters.lower().replace("é", "e").replace("ß", "ss"))
    if _PERSON.fullmatch(compact):
        return "PERSON"
    return "ADDRESS" if _ADDRESS.fullmatch(compact) else ""
