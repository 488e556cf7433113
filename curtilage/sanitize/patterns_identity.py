"""Numbers by which states know people: tax, social security, health, identity documents."""

# ruff: noqa: E501 - one expression a line reads better than one broken by width

from __future__ import annotations

from curtilage.sanitize import checks, checks_national
from curtilage.sanitize.checks import whole
from curtilage.sanitize.patterns import Row, behind, context

_DOCUMENT = r"[A-Z0-9]{6,12}|[A-Z]{1,3}[ \-]?\d{2,3}[ \-]?\d{3,5}[A-Z]{0,2}|\d{2,3} \d{3} \d{3,4}"
ROWS: tuple[Row, ...] = (
    ("CH_AHV", r"\b756[. \-]?\d{4}[. \-]?\d{4}[. \-]?\d{2}\b", whole(checks.ch_ahv)),
    (
        "CH_AHV",
        context(r"AHV(?:-?(?:Nr|Nummer))?\.?|AVS|OASI|Sozialversicherung(?:snummer)?", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}", near=True),
        None,
    ),
    (
        "FR_NIR",
        r"\b[1-478][ .\-]?\d{2}[ .\-]?\d{2}[ .\-]?(?:\d{2}|2[ABab])[ .\-]?\d{3}[ .\-]?\d{3} ?(?:[.\-/|]|clé:?)? ?\d{2}\b",
        whole(checks.fr_nir),
    ),
    (
        "FR_NIR",
        context(
            r"NIR|sécurité sociale|sécu|INSEE|N\.?I\.?R\.?",
            r"[1-478][ .\-]?\d{2}[ .\-]?\d{2}[ .\-]?(?:\d{2}|2[ABab])[ .\-]?\d{3}[ .\-]?\d{3}(?: ?(?:[.\-/|]|clé:?)? ?\d{2})?",
            near=True,
        ),
        None,
    ),
    ("DE_TAX_ID", r"\b[1-9]\d(?:[ /\-.]?\d){9}\b", whole(checks.de_tax_id)),
    (
        "DE_TAX_ID",
        context(
            r"Steuer-?ID(?:Nr)?\.?|Steuer-?IdNr\.?|IdNr\.?|Steueridentifikationsnummer|Steuerliche Identifikationsnummer|Identifikationsnummer"
            r"|tax id(?:entification)?|TIN",
            r"[1-9]\d(?:[ /\-.]?\d){9}",
            near=True,
        ),
        None,
    ),
    (
        "DE_TAX_NUMBER",
        context(
            r"Steuer-?(?:nummer|Nr)\.?|St\.?-?Nr\.?",
            r"\d{2,3} ?/ ?\d{3,4} ?/ ?\d{4,5}|\d{2,3} \d{3,4} \d{4,5}|\d{5} ?/ ?\d{5}|\d{13}|\d{10,11}",
            near=True,
        ),
        None,
    ),
    ("DE_TAX_NUMBER", r"\b\d{2,3}/\d{3}/\d{5}\b", None),
    ("DE_PENSION_ID", r"\b\d{2} ?\d{6} ?[A-Z] ?\d{3}\b", whole(checks.de_pension)),
    (
        "DE_PENSION_ID",
        context(
            r"RV-?N(?:umme)?r\.?|Rentenversicherung(?:snummer)?|Sozialversicherung(?:snummer|s-?Nr\.?)?|SV-?N(?:umme)?r\.?|Versicherungsnummer",
            r"\d{2} ?\d{6} ?[A-Z] ?\d{3}|\d{4} ?\d{6}",
            near=True,
        ),
        None,
    ),
    (
        "HEALTH_INSURANCE",
        context(
            r"KVNR|Krankenversicherten?(?:nummer|-?Nr\.?)|Versichertennummer|Versicherten-?Nr\.?|health insurance|EHIC|mutuelle|tessera sanitaria|policy"
            r"|Police(?:nnummer)?|Versicherungsschein(?:nummer)?",
            r"[A-Z]\d{9}|(?:[A-Z]{1,4}[\-/ ]?)?\d[\d\-/. ]{5,22}\d",
            near=True,
        ),
        None,
    ),
    ("FR_TAX_ID", r"\b[0-3]\d(?: ?\d){11}\b", whole(checks.fr_tax_id)),
    ("FR_TAX_ID", context(r"numéro fiscal|SPI|n° fiscal|référence fiscale", r"[0-3]\d(?: ?\d){11}", near=True), None),
    (
        "IT_FISCAL_CODE",
        r"(?i)\b[A-Z]{3} ?[A-Z]{3} ?[0-9LMNPQRSTUV]{2} ?[A-EHLMPRST][0-9LMNPQRSTUV]{2} ?[A-Z][0-9LMNPQRSTUV]{3} ?[A-Z]\b",
        whole(checks.it_fiscal),
    ),
    (
        "IT_FISCAL_CODE",
        context(
            r"codice fiscale|C\.?F\.?|cod\. ?fisc\.?", r"[A-Za-z]{3} ?[A-Za-z]{3} ?\w{2} ?[A-Za-z]\w{2} ?[A-Za-z]\w{3} ?[A-Za-z]", near=True
        ),
        None,
    ),
    ("ES_ID", r"(?i)\b(?:[XYZ][\- ]?\d{7}|\d{1,2}\.?\d{3}\.?\d{3}|[KLM]\d{7})[\- ]?[A-Z]\b", whole(checks.es_id)),
    (
        "ES_ID",
        context(
            r"DNI|NIE|NIF|D\.N\.I\.|N\.I\.E\.|N\.I\.F\.", r"(?:[XYZKLMxyz][\- ]?\d{7}|\d{1,2}\.?\d{3}\.?\d{3})[\- ]?[A-Za-z]", near=True
        ),
        None,
    ),
    (
        "ES_SOCIAL",
        context(
            r"seguridad social|NAF|NUSS|n\.?º? de afiliación", r"\d{2}[ /\-]?\d{8}[ /\-]?\d{2}|\d{2}[ /\-]?\d{7}[ /\-]?\d{2}", near=True
        ),
        None,
    ),
    ("UK_NINO", r"(?i)\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ \-]?\d{2}[ \-]?\d{2}[ \-]?\d{2}[ \-]?[A-D]\b", whole(checks.uk_nino)),
    (
        "UK_NINO",
        context(r"NINO|NI number|National Insurance|N\.I\.", r"[A-Za-z]{2} ?\d{2} ?\d{2} ?\d{2}(?: ?[A-Za-z]\b)?", near=True),
        None,
    ),
    ("UK_NHS", r"\b\d{3}[ \-]\d{3}[ \-]\d{4}\b", whole(checks.uk_nhs)),
    ("UK_NHS", context(r"NHS", r"\d{3}[ \-]?\d{3}[ \-]?\d{4}", near=True), None),
    ("UK_UTR", context(r"UTR|unique taxpayer reference", r"\d{5} ?\d{5}K?|\d{13}", near=True), None),
    ("UK_DRIVING", r"\b[A-Z9]{5}\d[0156]\d[0-3]\d\d[A-Z9]{2}[A-Z0-9]{3}\b", None),
    ("IE_PPS", r"(?i)\b\d{7} ?[A-W][A-IW]?\b", whole(checks.ie_pps)),
    ("IE_PPS", context(r"PPSN?|personal public service", r"\d{7} ?[A-Wa-w][A-Ia-iWw]?", near=True), None),
    ("US_SSN", r"\b\d{3}[\- .]\d{2}[\- .]\d{4}\b", whole(checks.us_ssn)),
    (
        "US_SSN",
        context(r"SSN|social(?: security)?|ITIN|taxpayer|SS#", r"\d{3}[ .\-]?\d{2}[ .\-]?\d{4}|[Xx*]{3}-[Xx*]{2}-\d{4}", near=True),
        None,
    ),
    (
        "NL_BSN",
        context(
            r"BSN|burgerservicenummer|sofi-?nummer|citizen service", r"\d{4}[. ]?\d{2}[. ]?\d{3}|\d{3}[. ]?\d{3}[. ]?\d{3}|\d{8}", near=True
        ),
        None,
    ),
    ("NL_BSN", r"\b\d{4}\.\d{2}\.\d{3}\b", whole(checks.nl_bsn)),
    ("BE_NRN", r"\b\d{2}[. ]?\d{2}[. ]?\d{2}[\- ]?\d{3}[. \-]?\d{2}\b", whole(checks_national.be_nrn)),
    (
        "BE_NRN",
        context(
            r"NRN|rijksregister(?:nummer)?|registre national|INSZ|NISS|national register",
            r"\d{2}[. ]?\d{2}[. ]?\d{2}[\- .]?\d{3}[. \-]?\d{2}",
            near=True,
        ),
        None,
    ),
    ("AT_SVNR", context(r"SVNR|SV-Nr\.?|Sozialversicherungsnummer|Versicherungsnummer", r"\d{4}[ /\-]?\d{6}", near=True), None),
    ("AT_SVNR", r"\b[1-9]\d{3} [0-3]\d[01]\d\d{2}\b", whole(checks_national.at_svnr)),
    ("PL_PESEL", r"\b\d{11}\b", whole(checks_national.pl_pesel)),
    ("PL_PESEL", context(r"PESEL", r"\d{11}", near=True), None),
    ("SE_PERSONNUMMER", r"\b(?:19|20)?\d{6}[\-+]\d{4}\b", whole(checks_national.se_personnummer)),
    ("DK_CPR", context(r"CPR(?:-nummer)?|personnummer", r"\d{6}[\- ]?\d{4}", near=True), None),
    ("DK_CPR", r"\b[0-3]\d[01]\d{3}-\d{4}\b", whole(checks_national.dk_cpr)),
    ("FI_HETU", r"\b[0-3]\d[01]\d{3}[\-+A-FU-Y]\d{3}[0-9A-Y]\b", whole(checks_national.fi_hetu)),
    ("PT_NIF", context(r"NIF|contribuinte|N\.º de contribuinte", r"\d{3} ?\d{3} ?\d{3}", near=True), None),
    ("CZ_RODNE", r"\b\d{6}/\d{3,4}\b", whole(checks_national.cz_rodne)),
    ("RO_CNP", r"\b[1-8]\d{12}\b", whole(checks_national.ro_cnp)),
    ("LU_MATRICULE", context(r"matricule(?: nationale?)?", r"(?:19|20)\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{2}", near=True), None),
    ("PASSPORT", r"\b[PIACV][A-Z<][A-Z]{3}[A-Z]+(?:<[A-Z]+)*<<[A-Z<]{4,}(?:\s{1,4}[A-Z0-9<]{28,44})?", None),
    ("PASSPORT", r"\b[A-Z0-9<]{9}\d(?:[A-Z]{3}|D<<)\d{7}[MFX<]\d{7}[A-Z0-9<]{2,16}", whole(checks.mrz)),
    ("PASSPORT", r"\bI[D<A-Z][A-Z<]{3}[A-Z0-9<]{25}\b", None),
    (
        "PASSPORT",
        context(
            r"passports?|Reisepass(?:nummer|es|-Nr\.?)?|Pass(?:nummer|-Nr\.?)|passeport|pasaporte|passaporto|paspoort(?:nummer)?|Personalausweis(?:nummer|es|-Nr\.?)?"
            r"|Ausweis(?:nummer|-Nr\.?)?|carte (?:nationale )?d'identité|CNI|ID[ -]card|identity (?:card|document)|carta d'identità|C\.?I\.?E\.?"
            r"|documento de identidad|travel document|residence permit|Aufenthaltstitel|titre de séjour|permesso di soggiorno",
            _DOCUMENT,
            near=True,
        ),
        checks.has_digits,
    ),
    (
        "PASSPORT",
        behind(
            r"passports?|Reisepass\w*|passeport|pasaporte|passaporto|paspoort\w*|Personalausweis\w*|carte (?:nationale )?d'identité|carta d'identità|identity card",
            r"[A-Z0-9]{8,9}",
        ),
        checks.has_digits,
    ),
    ("PASSPORT", r"\b[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}\d(?:D|D?<<)?\b", whole(checks.de_document)),
    (
        "DRIVING_LICENCE",
        context(
            r"driving licen[cs]e|driver'?s? licen[cs]e|Führerschein(?:nummer|-Nr\.?)?|permis de conduire|patente(?: di guida)?|permiso de conducir|rijbewijs",
            r"[A-Z0-9][A-Z0-9\-]{4,18}\d[A-Z0-9]*|\d[A-Z0-9 ]{6,16}\d",
            near=True,
        ),
        checks.has_digits,
    ),
    (
        "LICENCE_PLATE",
        context(
            r"licen[cs]e plate|number plate|registration(?: plate| mark)|(?:amtliches )?Kennzeichen|plaque(?: d'immatriculation)?|immatriculation|targa|matrícula|kenteken",
            r"[A-Z]{2}[\- ]?\d{3}[\- ]?[A-Z]{2}|[A-Z]{2}\d{2} ?[A-Z]{3}|\d{4} ?[A-Z]{3}|[A-ZÄÖÜ]{1,3}[\- ][A-Z]{1,2}[\- ]?\d{1,4}(?: ?[EH]\b)?|[A-ZÄÖÜ]{1,3}[A-Z]{1,2}[\- ]?\d{1,4}[EH]?|[A-Z0-9]{1,4}[\- ][A-Z0-9]{2,4}(?:[\- ][A-Z0-9]{1,3})?",
            near=True,
        ),
        checks.has_digits,
    ),
    (
        "VEHICLE_ID",
        context(
            r"VIN|FIN|chassis(?: number| no\.?)?|Fahrgestell(?:nummer|-Nr\.?)|Fahrzeug-?Ident(?:ifizierungs|ifikations)?(?:nummer|-?Nr\.?)|numéro de (?:châssis|série)|numero di telaio|telaio|bastidor|chassisnummer",
            r"[A-HJ-NPR-Z0-9]{17}",
        ),
        checks.has_digits,
    ),
    ("DEVICE_ID", context(r"IMEI", r"\d{2}[ \-]?\d{6}[ \-]?\d{6}[ \-]?\d{1,2}"), None),
    (
        "EMPLOYEE_NUMBER",
        context(
            r"employee(?: id| number| no\.?)|staff (?:id|number|no\.?)|Personal(?:nummer|-Nr\.?)|Mitarbeiter(?:nummer|-Nr\.?)|matricola|numéro de salarié"
            r"|patient(?: id| number| no\.?)|medical record(?: number)?|MRN|customer (?:id|number|no\.?)|Kunden(?:nummer|-Nr\.?)|numéro client|client (?:id|number)"
            r"|codice cliente|número de cliente|member(?:ship)? (?:id|number|no\.?)|student (?:id|number)",
            r"[A-Z]{0,4}[\-/]?\d[A-Z0-9\-/]{2,14}",
            near=True,
        ),
        checks.has_digits,
    ),
    (
        "TAX_ID",
        context(
            r"tax(?:payer)? (?:id|identification|reference|number)|tax (?:ref|no)\.?|TIN|NIF|identifiant fiscal",
            r"[A-Z]{0,3}\d(?:[ /\-.]?[0-9A-Z]){6,13}",
            near=True,
        ),
        checks.has_digits,
    ),
)
