"""The patterns: RE2, so no text can make one slow; a checksum wherever the identifier has one.

A pattern's group 1, where it has one, is the identifier and the rest is the context that makes it one. Order is precedence between
overlapping finds of the same length. Types are stable names: they appear in placeholders, ledger counts and reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from curtilage.sanitize import checks
from curtilage.sanitize.checks import Check, whole

SECRET = "SECRET"  # noqa: S105 - a type's name


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of thing that is found by its shape."""

    type: str
    regex: Any
    check: Check | None = None


_LETTER = "A-Za-zÀ-ɏ"  # \\pL would compile to a program RE2 runs out of memory on; folded text has Latin look-alikes as Latin
_DATE = (
    r"\d{1,2}[./\- ](?:\d{1,2}|[A-Za-zÀ-ÿ]{3,9}\.?)[./\- ]\d{2,4}"
    r"|\d{4}-\d{2}-\d{2}|\d{1,2}\.? [A-Za-zÀ-ÿ]{3,9} \d{4}|[A-Z][a-z]{2,8} \d{1,2}, \d{4}"
)
_NUMBER_WORD = r"(?:\s*(?:no\.?|nos\.?|number|num\.?|nr\.?|nummer|numéro|numero|número|n°|nº|id|#)){0,2}\s*(?:is|ist|est|:|=)?\s*"


def _context(words: str, value: str) -> str:
    return rf"(?i:\b(?:{words}){_NUMBER_WORD})({value})\b"


_TABLE: tuple[tuple[str, str, Check | None], ...] = (
    (SECRET, r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[A-Za-z0-9+/=\s\\n]*-----END [A-Z ]*PRIVATE KEY-----)?", None),
    (
        SECRET,
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bxox[abprs]-[A-Za-z0-9\-]{10,}|\bsk-[A-Za-z0-9_\-]{20,}",
        None,
    ),
    (SECRET, r"\bct-[0-9a-f]{12}-[A-Za-z0-9_\-]{43}", None),
    (SECRET, r"\beyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}", None),
    ("EMAIL", rf"[{_LETTER}0-9._%+'\-]*[{_LETTER}0-9_%+\-]@(?:[{_LETTER}0-9\-]+\.)+[{_LETTER}][{_LETTER}]+", None),
    ("EMAIL", r"(?i)\b[\w.+\-]+\s?[\[({]\s?at\s?[\])}]\s?[\w\-]+(?:\s?(?:[\[({]\s?dot\s?[\])}]|\.)\s?[\w\-]+)+", None),
    ("IBAN", r"(?i)\b[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]){11,36}", checks.iban),
    ("CREDIT_CARD", r"\b\d(?:[ \-]?\d){12,18}\b", whole(checks.card)),
    ("CH_AHV", r"\b756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}\b", whole(checks.ch_ahv)),
    ("FR_NIR", r"\b[1-478] ?\d{2} ?\d{2} ?(?:\d{2}|2[ABab]) ?\d{3} ?\d{3} ?\d{2}\b", whole(checks.fr_nir)),
    ("DE_TAX_ID", r"\b[1-9]\d(?:[ /]?\d){9}\b", whole(checks.de_tax_id)),
    ("DE_PENSION_ID", r"\b\d{2} ?\d{6} ?[A-Z] ?\d{3}\b", whole(checks.de_pension)),
    ("FR_TAX_ID", r"\b[0-3]\d(?: ?\d){11}\b", whole(checks.fr_tax_id)),
    ("IT_FISCAL_CODE", r"(?i)\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b", whole(checks.it_fiscal)),
    ("ES_ID", r"(?i)\b(?:[XYZ][\- ]?\d{7}|\d{2}\.?\d{3}\.?\d{3})[\- ]?[A-Z]\b", whole(checks.es_id)),
    ("UK_NINO", r"(?i)\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b", whole(checks.uk_nino)),
    ("UK_NHS", r"\b\d{3}[ \-]\d{3}[ \-]\d{4}\b", whole(checks.uk_nhs)),
    ("UK_NHS", _context(r"NHS", r"\d{10}"), whole(checks.uk_nhs)),
    ("IE_PPS", r"\b\d{7}[A-W][A-IW]?\b", whole(checks.ie_pps)),
    ("US_SSN", r"\b\d{3}-\d{2}-\d{4}\b", whole(checks.us_ssn)),
    ("US_SSN", _context(r"SSN|social security|ITIN|taxpayer", r"\d{3}[ .\-]?\d{2}[ .\-]?\d{4}"), whole(checks.us_ssn)),
    ("US_EIN", _context(r"EIN|employer identification|FEIN", r"\d{2}-?\d{7}"), None),
    ("US_ROUTING", _context(r"ABA|routing|RTN", r"\d{9}"), whole(checks.us_routing)),
    ("NL_BSN", _context(r"BSN|burgerservicenummer|sofinummer", r"\d{4}[. ]?\d{2}[. ]?\d{3}|\d{9}"), whole(checks.nl_bsn)),
    ("CH_UID", r"\bCHE[\- ]?\d{3}[. ]?\d{3}[. ]?\d{3}\b", whole(checks.ch_uid)),
    ("VAT_ID", r"\bDE ?\d{3} ?\d{3} ?\d{3}\b", whole(checks.de_vat)),
    ("VAT_ID", _context(r"VAT|USt-?IdNr\.?|TVA|P\. ?IVA|BTW|VAT reg(?:istration)?", r"[A-Z]{2} ?[0-9A-Z](?:[ .]?[0-9A-Z]){6,12}"), None),
    ("FR_SIREN", _context(r"SIREN|SIRET|RCS [A-Za-z]+", r"\d{3} ?\d{3} ?\d{3}(?: ?\d{5})?"), whole(checks.luhn_whole)),
    ("UK_UTR", _context(r"UTR|unique taxpayer reference", r"\d{5} ?\d{5}"), None),
    ("UK_SORT_CODE", _context(r"sort[ \-]?code", r"\d{2}[ \-]?\d{2}[ \-]?\d{2}"), None),
    ("BANK_ACCOUNT", _context(r"account|acct\.?|Konto|Kontonummer|compte|a/c", r"\d(?:[ \-]?\d){5,16}"), None),
    (
        "PASSPORT",
        _context(
            r"passport|Reisepass(?:nummer)?|Passnummer|passeport|pasaporte|passaporto|Personalausweis(?:nummer)?|Ausweisnummer"
            r"|carte d'identité|CNI|ID card|identity card",
            r"[A-Z0-9]{1,3} ?\d[A-Z0-9]{5,9}",
        ),
        None,
    ),
    (
        "DRIVING_LICENCE",
        _context(
            r"driving licen[cs]e|driver'?s licen[cs]e|Führerschein(?:nummer)?|permis de conduire", r"[A-Z0-9][A-Z0-9\- ]{4,18}\d[A-Z0-9]*"
        ),
        None,
    ),
    (
        "DATE_OF_BIRTH",
        rf"(?i:\b(?:born(?: on)?|d\.?o\.?b\.?|date of birth|birth ?date|geboren(?: am)?|geb\.|Geburtsdatum|née? le|date de naissance"
        rf"|nat[oa] il|data di nascita|nacid[oa] el|fecha de nacimiento|geboortedatum)\s*(?:is|ist|est|:|=|\()?\s*)({_DATE})",
        None,
    ),
    ("IP_ADDRESS", r"(?:^|[^\w.])((?:\d{1,3}\.){3}\d{1,3})\b", whole(checks.address)),
    ("IP_ADDRESS", r"(?i)(?:^|[^\w:])((?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}){1,7})\b", whole(checks.address)),
    ("CASE_NUMBER", r"\b\d:\d{2}-(?:cv|cr|md|bk|mc|mj|ap|po)-\d{3,6}(?:-[A-Z]{2,4}){0,3}\b", None),
    ("CASE_NUMBER", r"\b(?:[IVX]{1,4}|\d{1,3}[a-z]?) (?:[A-Z][A-Za-z]{0,4}(?: \([A-Za-z]+\))?) \d{1,6}/\d{2}(?:\d{2})?\b", None),
    ("CASE_NUMBER", r"\b[1-9][A-Z]_\d{1,5}/(?:19|20)\d{2}\b", None),
    ("CASE_NUMBER", r"\b[CTF]-\d{1,4}/\d{2}(?: P{1,2}U?)?\b", None),
    ("CASE_NUMBER", r"\b(?:HC|CL|HP|IL|BL|CR|PT|FL|LM|CO|QB|KB|HT|AD|TCC|TLC|CF)-(?:19|20)\d{2}-\d{6}\b", None),
    ("CASE_NUMBER", r"(?i:\bR\.?G\.?\s*(?:n[°ºo]\.?|:)?\s*)(\d{2}/\d{4,6})\b", None),
    (
        "CASE_NUMBER",
        _context(
            r"case|docket|claim|Aktenzeichen|Az\.?|Gesch(?:äfts)?-?(?:Nr|zeichen)\.?|pourvoi|cause",
            r"[A-Z0-9]{1,8}(?:[ ./_\-][A-Z0-9]{1,8}){0,4}[./_\-]\d{2,8}",
        ),
        None,
    ),
    (
        "MATTER_NUMBER",
        _context(
            r"matter|mandate|Mandat|client[ \-/]matter|our ref(?:erence)?\.?|your ref(?:erence)?\.?|our file"
            r"|Unser Zeichen|Ihr Zeichen|dossier|Akte",
            r"(?:[A-Z]{1,6}[ ./_\-]?)?\d{2,8}(?:[./_\-][A-Z0-9]{1,8}){0,4}",
        ),
        None,
    ),
    ("PHONE", r"(?:^|[^\w+])(\+\d{1,3}[ .\-/]?(?:\(0?\d{0,4}\)[ .\-/]?)?\d(?:[ .\-/]{0,2}\d){5,13})\b", whole(checks.phone)),
    ("PHONE", r"(?:^|[^\w])(00[1-9]\d{0,2}[ .\-/]?(?:\(0\)[ .\-/]?)?\d(?:[ .\-/]?\d){6,12})\b", whole(checks.phone)),
    ("PHONE", r"(?:^|[^\w.,/\-])(\(?0[1-9]\d{0,4}\)?[ /\-.]{1,3}\d(?:[ /.\-]?\d){4,9})\b", whole(checks.phone)),
    ("PHONE", r"(?:^|[^\w.\-])((?:\+?1[ .\-])?\(?[2-9]\d{2}\)?[ .\-]{1,2}[2-9]\d{2}[ .\-]\d{4})\b", whole(checks.phone)),
    ("PHONE", r"(?:^|[^\w.,/\-])(01[567]\d{8,10}|0[67]\d{8}|07\d{9}|07[5-9]\d{7})\b", whole(checks.phone)),
    (
        "PHONE",
        _context(
            r"tel\.?|telephone|phone|mobile|cell|fax|telefon|mobil|handy|tél\.?|téléphone|portable|telefono|teléfono|móvil"
            r"|call me (?:at|on)",
            r"\(?\d(?:[ /.\-()]{0,2}\d){6,13}",
        ),
        None,
    ),
)


@lru_cache(maxsize=1)
def default_patterns() -> tuple[Pattern, ...]:
    """The shipped patterns, compiled once."""
    return tuple(Pattern(type_, re2.compile(regex), check) for type_, regex, check in _TABLE)
