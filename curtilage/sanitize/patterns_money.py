"""Banking: accounts, cards, and the numbers of banks and companies that stand beside them."""

# ruff: noqa: E501 - one expression a line reads better than one broken by width

from __future__ import annotations

from curtilage.sanitize import checks
from curtilage.sanitize.checks import whole
from curtilage.sanitize.patterns import Row, context

_VAT = (
    r"ATU\d{8}|BE ?[01]\d{3}\.?\d{3}\.?\d{3}|BG\d{9,10}|CY\d{8}[A-Z]|CZ\d{8,10}|DE ?\d{3} ?\d{3} ?\d{3}|DK ?\d{2} ?\d{2} ?\d{2} ?\d{2}"
    r"|EE\d{9}|EL ?\d{9}|GR ?\d{9}|ES ?[A-Z0-9]\d{7}[A-Z0-9]|FI ?\d{7}-?\d|FR ?[0-9A-HJ-NP-Z]{2} ?\d{3} ?\d{3} ?\d{3}|HR ?\d{11}"
    r"|HU ?\d{8}|IE ?\d[0-9A-Z+*]\d{5}[A-Z]{1,2}|IT ?\d{11}|LT\d{9}(?:\d{3})?|LU ?\d{8}|LV ?\d{11}|MT ?\d{8}|NL ?\d{9}B\d{2}"
    r"|PL ?\d{10}|PT ?\d{9}|RO ?\d{2,10}|SE ?\d{12}|SI ?\d{8}|SK ?\d{10}|XI ?\d{9}(?:\d{3})?|GB ?\d{3} ?\d{4} ?\d{2}(?: ?\d{3})?"
    r"|GB(?:GD|HA)\d{3}"
)
ROWS: tuple[Row, ...] = (
    ("IBAN", r"(?i)\b[A-Z]{2}\d{2}(?:[\s\-._/|,()\[\]]{0,2}[A-Z0-9]){11,36}", checks.iban),
    ("IBAN", r"(?i)\b[A-Z]{2} ?\d ?\d(?:[ ]?[A-Z0-9]){11,33}", checks.iban),
    ("IBAN", r"(?:[a-z0-9_]|IBAN)([A-Z]{2}\d{2}[A-Z0-9]{11,30})", checks.iban),
    # In fours, so that a number in front of it or behind it does not hide it.
    ("IBAN", r"\b[A-Z]{2}\d{2}(?:[\s\-.]?[A-Z0-9]{4}){2,7}(?:[\s\-.]?[A-Z0-9]{1,3})?\b", checks.iban),
    ("CREDIT_CARD", r"\b(?:2[2-7]|[3-6]\d)\d{2}[\s\-._/|]{0,3}\d{4}[\s\-._/|]{0,3}\d{4}[\s\-._/|]{0,3}\d{4}\b", whole(checks.card)),
    ("CREDIT_CARD", r"\b3[47]\d{2}[\s\-._]{0,3}\d{6}[\s\-._]{0,3}\d{5}\b", whole(checks.card)),
    ("CREDIT_CARD", r"\b3[0-9]\d{2}[\s\-._]{0,3}\d{4}[\s\-._]{0,3}\d{4}[\s\-._]{0,3}\d{2,3}\b", whole(checks.card)),
    ("CREDIT_CARD", r"\b\d(?:[\s\-._]?\d){12,18}\b", whole(checks.card)),
    ("LEI", r"\b[A-Z0-9]{18}\d{2}\b", whole(checks.lei)),
    ("VAT_ID", rf"\b(?:{_VAT})\b", whole(checks.vat_shape)),
    ("VAT_ID", r"\bCHE[\- ]?\d{3}[. ]?\d{3}[. ]?\d{3} ?(?:MWST|TVA|IVA)\b", None),
    (
        "VAT_ID",
        context(
            r"VAT(?: reg(?:istration|\.)?)?|USt-?Id(?:Nr)?\.?|Umsatzsteuer-?(?:ID|Identifikationsnummer)|UID|TVA(?: intracommunautaire)?"
            r"|P(?:artita|\.)? ?IVA|N?IVA|BTW|NIF-IVA",
            r"[A-Z]{2} ?[0-9A-Z](?:[ .]?[0-9A-Z]){6,12}|\d{9}|\d{11}",
            near=True,
        ),
        None,
    ),
    ("CH_UID", r"\bCHE[\- ]?\d{3}[. ]?\d{3}[. ]?\d{3}\b", whole(checks.ch_uid)),
    (
        "FR_SIREN",
        context(r"SIREN|SIRET|RCS(?: [A-ZÉ][A-Za-zé\-]+){1,3}|Kbis", r"\d{3}[ .]?\d{3}[ .]?\d{3}(?:[ .]?\d{5})?", near=True),
        None,
    ),
    ("FR_SIREN", r"\b\d{3} \d{3} \d{3} \d{5}\b", whole(checks.luhn_whole)),
    ("FR_SIREN", r"(?:^|[^\d.,\- ] ?)(\d{3} \d{3} \d{3})\b", whole(checks.luhn_whole)),
    ("FR_SIREN", r"\b\d{14}\b", whole(checks.siret)),
    ("IT_VAT", context(r"P(?:artita|\.)? ?IVA|VAT|IVA|C\.?F\.?|codice fiscale", r"\d{11}", near=True), None),
    ("ES_CIF", r"\b[ABCDEFGHJNPQRSUVW][\- ]?\d{2}\.?\d{3}\.?\d{2}[\- ]?[0-9A-J]\b", whole(checks.es_cif)),
    ("BIC", r"\b[A-Z]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b", whole(checks.bic)),
    ("BIC", context(r"BIC|SWIFT(?:[ \-]?BIC|[ \-]?code)?|BIC/SWIFT|SWIFT/BIC", r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", near=True), None),
    ("US_ROUTING", context(r"ABA(?: routing)?|routing(?: transit)?|RTN|transit", r"\d{9}", near=True), None),
    ("UK_SORT_CODE", context(r"sort[ \-]?code", r"\d{2}[ \-]?\d{2}[ \-]?\d{2}", near=True), None),
    (
        "BANK_ACCOUNT",
        context(
            r"(?:bank |current |savings |checking |client |escrow )?account(?: no)?|acct\.?|(?:Bank)?Konto(?:nummer|nr\.?)?|Kto\.?(?:-Nr\.?)?|compte"
            r"(?: bancaire)?|a/c|conto(?: corrente)?|c/c|cuenta(?: bancaria| corriente)?|rekening(?:nummer)?|Depot(?:nummer)?",
            r"\d(?:[ \-]?\d){5,19}|[A-Z]{2,4}-?\d{6,14}",
            near=True,
        ),
        None,
    ),
    (
        "BANK_CODE",
        context(r"BLZ|Bankleitzahl|ABI|CAB|code banque|code guichet|Clearing(?:-?Nr\.?)?", r"\d{3} ?\d{3} ?\d{2}|\d{4,5}", near=True),
        None,
    ),
    ("US_EIN", context(r"F?EIN|employer identification|federal tax|tax id(?:entification)?", r"\d{2}-\d{7}|\d{9}", near=True), None),
    ("US_EIN", r"\b(?:0[1-6]|1[0-6]|2[0-7]|[345]\d|6[0-8]|7[1-7]|8[0-8]|9[0-589])-\d{7}\b", None),
    (
        "COMPANY_NUMBER",
        context(
            r"company(?: registration| reg\.?)?(?: number| no\.?)|registered (?:in England(?: and Wales)? )?(?:under|with) (?:company )?number"
            r"|Handelsregister(?:nummer)?|Companies House|KvK(?:-nummer)?|Firmenbuch(?:nummer)?|REA",
            r"[A-Z]{0,3} ?\d{5,10}[a-z]?",
            near=True,
        ),
        None,
    ),
    ("VAT_ID", context(r"EORI", r"[A-Z]{2}[A-Z0-9]{5,15}"), checks.has_digits),
    ("CRYPTO_WALLET", r"\b(?:bc1[02-9ac-hj-np-z]{25,87}|0x[0-9a-fA-F]{40})\b", None),
    (
        "CRYPTO_WALLET",
        context(r"wallet|bitcoin|BTC|address|adresse|indirizzo|dirección", r"[13][1-9A-HJ-NP-Za-km-z]{25,34}"),
        checks.has_digits,
    ),
    ("COMPANY_NUMBER", r"\b(HR[AB] \d{2,6}(?: [A-Z])?)\b", None),
    ("COMPANY_NUMBER", r"\b(FN \d{5,6} ?[a-z])\b", None),
)
