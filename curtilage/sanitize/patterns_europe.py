"""Numbers of the smaller states of Europe. Where the digits alone say little, the number counts as the next one behind its label."""

# ruff: noqa: E501 - one expression a line reads better than one broken by width

from __future__ import annotations

from curtilage.sanitize import checks, checks_europe, checks_national
from curtilage.sanitize.checks import whole
from curtilage.sanitize.patterns import Row, behind, context

ROWS: tuple[Row, ...] = (
    ("EE_LT_PERSONAL", r"\b[1-8]\d{10}\b", whole(checks_europe.baltic)),
    ("EE_LT_PERSONAL", context(r"isikukood|asmens kodas|a\. ?k\.|personal (?:id )?code", r"[1-8]\d{10}", near=True), None),
    ("LV_PERSONAL", r"\b(?:[0-3]\d[01]\d{3}|32\d{4})-\d{5}\b", whole(checks_europe.lv_personal)),
    ("LV_PERSONAL", context(r"personas kods|p\. ?k\.", r"\d{6}-?\d{5}", near=True), None),
    ("BG_EGN", r"\b\d{10}\b", whole(checks_europe.bg_egn)),
    ("BG_EGN", context(r"EGN|ЕГН", r"\d{10}", near=True), None),
    ("BG_EIK", context(r"EIK|ЕИК|Bulstat|БУЛСТАТ", r"\d{9}(?:\d{4})?", near=True), None),
    ("CZ_RODNE", r"\b\d{10}\b", whole(checks_national.cz_rodne)),
    ("CZ_RODNE", context(r"rodné číslo|r\. ?č\.|birth number", r"\d{6}/?\d{3,4}", near=True), None),
    ("CZ_COMPANY", context(r"IČO?|IČ DPH|DIČ", r"(?:CZ|SK)?\d{8,10}", near=True), None),
    ("HR_OIB", behind(r"OIB|osobni identifikacijski broj", r"\d{11}"), whole(checks_europe.mod_11_10)),
    ("SI_EMSO", r"\b[0-3]\d[01]\d[089]\d{8}\b", whole(checks_europe.si_emso)),
    ("SI_EMSO", context(r"EM[SŠ]O|JMBG|ЈМБГ", r"\d{13}", near=True), None),
    ("SI_TAX", behind(r"davčna(?: številka)?|ID za DDV|tax (?:id|number)", r"\d{8}"), whole(checks_europe.si_tax)),
    ("GR_AFM", behind(r"A\.?F\.?M\.?|Α\.?Φ\.?Μ\.?|tax (?:id|number)|VAT", r"\d{9}"), whole(checks_europe.gr_afm)),
    ("GR_AMKA", r"\b[0-3]\d[01]\d{8}\b", whole(checks_europe.gr_amka)),
    ("GR_AMKA", context(r"AMKA|ΑΜΚΑ", r"\d{11}", near=True), None),
    ("LU_MATRICULE", r"\b(?:19|20)\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{2}\b", whole(checks_europe.lu_matricule)),
    ("AT_TAX", r"\b\d{2}[ \-]\d{3}/\d{4}\b", None),
    ("AT_TAX", behind(r"Abgabenkonto(?:nummer)?|Steuer-?(?:nummer|Nr)\.?|St\.?-?Nr\.?|tax number", r"\d{2}[ \-]?\d{3}[ /]?\d{4}"), whole(checks_europe.at_tax)),
    ("AT_SVNR", behind(r"SVNR|SV-Nr\.?|Sozialversicherung(?:snummer)?|Versicherungsnummer|e-card", r"[1-9]\d{3}[ /\-]?\d{6}"), whole(checks_national.at_svnr)),
    ("DK_CPR", behind(r"CPR(?:-n(?:umme)?r\.?)?|personnummer", r"[0-3]\d[01]\d{3}[\- ]?\d{4}"), whole(checks_national.dk_cpr)),
    ("DK_CVR", behind(r"CVR(?:-n(?:umme)?r\.?)?|SE-n(?:umme)?r\.?|VAT", r"\d{2} ?\d{2} ?\d{2} ?\d{2}"), whole(checks_europe.dk_cvr)),
    ("FI_BUSINESS", r"\b\d{7}-\d\b", whole(checks_europe.fi_business)),
    ("HU_TAX", r"\b\d{8}-[1-5]-\d{2}\b", whole(checks_europe.hu_tax)),
    ("HU_TAX", behind(r"adószám|VAT", r"\d{8}(?:-?[1-5]-?\d{2})?"), whole(checks_europe.hu_tax)),
    ("HU_TAX", behind(r"adóazonosító(?: jel)?|tax id(?:entification)?(?: number)?", r"8\d{9}"), whole(checks_europe.hu_personal_tax)),
    ("HU_TAJ", behind(r"TAJ(?:-?szám)?", r"\d{3}[ \-]?\d{3}[ \-]?\d{3}"), whole(checks_europe.hu_taj)),
    ("PL_NIP", r"\b\d{3}-(?:\d{3}-\d{2}-\d{2}|\d{2}-\d{2}-\d{3})\b", whole(checks_europe.pl_nip)),
    ("PL_NIP", behind(r"NIP|VAT|tax (?:id|number)", r"\d{3}[ \-]?\d{3}[ \-]?\d{2}[ \-]?\d{2}"), whole(checks_europe.pl_nip)),
    ("PL_REGON", behind(r"REGON", r"\d{9}(?:\d{5})?"), whole(checks_europe.pl_regon)),
    ("PL_CARD", r"\b[A-Z]{3} ?\d{6}\b", whole(checks_europe.pl_card)),
    ("PL_KRS", context(r"KRS", r"\d{10}", near=True), None),
    ("PT_NIF", behind(r"NIF|N\.I\.F\.|NIPC|contribuinte|tax number", r"\d{3} ?\d{3} ?\d{3}"), whole(checks_europe.pt_nif)),
    ("PT_CARD", r"\b\d{8} ?\d ?[A-Z]{2}\d\b", whole(checks_europe.pt_card)),
    ("PT_CARD", context(r"Cartão de Cidadão|C\.?C\.?|NISS|segurança social", r"\d{8} ?\d ?[A-Z]{2}\d|\d{11}", near=True), None),
    ("SE_COMPANY", r"\b\d{6}-\d{4}\b", whole(checks_europe.se_company)),
    ("SE_COMPANY", behind(r"org(?:anisations)?\.?-?(?:nummer|nr)\.?", r"\d{6}-?\d{4}"), whole(checks_europe.se_company)),
    ("NO_BIRTH", r"\b[0-7]\d[0-5]\d{3} ?\d{5}\b", whole(checks_europe.no_birth)),
    ("IS_KENNITALA", r"\b[0-7]\d[01]\d{3}-?\d{4}\b", whole(checks_europe.is_kennitala)),
    ("RO_CUI", behind(r"C\.?U\.?I\.?|C\.?I\.?F\.?|cod(?:ul)? (?:unic|fiscal)|VAT", r"(?:RO ?)?\d{6,10}"), whole(checks_europe.ro_cui)),
    ("CY_TIC", behind(r"TIC|VAT|tax (?:id|number)", r"\d{8} ?[A-Za-z]"), whole(checks_europe.cy_tic)),
    ("MT_CARD", context(r"(?:Maltese )?(?:ID|identity) card(?: no\.?| number)?|karta tal-identit[aà]", r"\d{3,7} ?[MGAPLHBZ]", near=True), None),
    ("NL_BSN", behind(r"BSN|burgerservicenummer|sofi-?nummer", r"\d{3}[. ]?\d{3}[. ]?\d{3}|\d{4}[. ]?\d{2}[. ]?\d{3}"), whole(checks.nl_bsn)),
    ("NL_COMPANY", context(r"KvK(?:-?n(?:umme)?r\.?|-nummer)?|Kamer van Koophandel|RSIN", r"\d{8,9}", near=True), None),
    ("BE_COMPANY", r"\b[01]\d{3}\.\d{3}\.\d{3}\b", None),
    ("BE_COMPANY", context(r"ondernemingsnummer|numéro d'entreprise|KBO|BCE|BTW|TVA", r"[01]\d{3}[. ]?\d{3}[. ]?\d{3}", near=True), None),
    ("IT_VAT", behind(r"P(?:artita|\.)? ?IVA|C\.?F\.?|codice fiscale|VAT", r"\d{11}"), whole(checks.luhn_whole)),
    ("FR_SIREN", behind(r"SIREN|SIRET|R\.?C\.?S\.?|Kbis", r"\d{3}[ .]?\d{3}[ .]?\d{3}(?:[ .]?\d{5})?"), whole(checks.luhn_whole)),
    ("UK_NHS", behind(r"NHS", r"\d{3}[ \-]?\d{3}[ \-]?\d{4}"), whole(checks.uk_nhs)),
    ("US_ROUTING", behind(r"ABA|routing|RTN", r"\d{9}"), whole(checks.us_routing)),
    ("US_SSN", behind(r"SSN|social security|ITIN", r"\d{3}[ .\-]?\d{2}[ .\-]?\d{4}"), whole(checks.us_ssn)),
)  # fmt: skip
