"""How to reach a person: e-mail, telephone, address, network address; and when one was born."""

# ruff: noqa: E501 - one expression a line reads better than one broken by width

from __future__ import annotations

from curtilage.sanitize import checks
from curtilage.sanitize.checks import whole
from curtilage.sanitize.patterns import LETTER, Row, context

_MONTH = (
    r"(?:jan(?:uar[yi]?|uary|v(?:ier)?|ner)?|jän(?:ner)?|f[eé]b(?:ruar[yi]?|r(?:uary|ero)?|braio|b)?|févr?(?:ier)?|m[aäà]r(?:ch|z|s|zo)?|a[pbv]r(?:il(?:e)?)?|mai|may|maggio|mayo|mag|june?|juni|juin|giu(?:gno)?|jun(?:io)?"
    r"|july?|juli|juil(?:let)?|lug(?:lio)?|julio|aug(?:ust)?|août|ago(?:sto)?|sept?(?:ember|embre|tembre|tiembre)?|set(?:tembre)?|o[ck]t(?:ober|obre|ubre)?|ott(?:obre)?|nov(?:ember|embre|iembre)?|d[eéi][czs](?:ember|embre|iembre)?|dic(?:embre|iembre)?|gen(?:naio)?|ene(?:ro)?"
    r"|maart|mrt|mei|augustus|janeiro|fevereiro|março|maio|junho|julho|setembro|outubro|novembro|dezembro"
    r"|stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia)\.?"
)
DATE = (
    r"\d{1,2} ?[./\-] ?\d{1,2} ?[./\-] ?(?:\d{4}|\d{2})|\d{4}[./\-]\d{1,2}[./\-]\d{1,2}"
    rf"|(?i:\d{{1,2}}(?:st|nd|rd|th|er|\.|º|°)? ?(?:of |de |di |d')?{_MONTH},?(?: de| del| di)? \d{{4}}|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}"
    rf"|\d{{1,2}}-{_MONTH}-\d{{2,4}})"
)
_BORN = (
    r"born(?: on| in [A-Z][\w\-]+(?: on)?)?|d\.?o\.?b\.?|(?:date of )?birth(?: ?date|day)?(?: is| was)?|b\.|geboren(?: wurde)?(?: am| in [\w\-]+(?: am)?)?|geb\.(?: am)?|Geburts(?:datum|tag)"
    r"|Geb\.-?Dat(?:um)?\.?|née?(?:\(e\))?(?: à [\w\-]+)?(?: le)?|naissance(?: le)?|date de naissance(?: du \w+)?|DDN|nat[oaie](?:/a)?(?: a [\w\-]+(?: \([A-Z]{2}\))?)?,? il|data di nascita"
    r"|nacid[oa](?:/a)?(?: en [\w\-]+)?,? el|fecha de nacimiento|F\. ?nac\.?|geboortedatum|(?:geboren|geb\.) op|urodzon[aey](?: dnia)?|ur\.|data urodzenia|nascid[oa](?: em [\w\-]+)?,?(?: a| em)?|data de nascimento|compleanno|cumpleaños|anniversaire"
)
_CAP = rf"[{LETTER}][{LETTER}'.\-]*"
_NAME = rf"[A-ZÀ-Þ][{LETTER}'.\-]*"
_HOUSE = r"\d{1,4}(?: ?[a-zA-Z]\b)?(?: ?[\-–/] ?\d{1,4}(?: ?[a-z]\b)?)?"
_TOWN = rf"(?:,?\s+(?:[A-Z]{{1,3}}[\- ])?(?:\d{{4,5}}|\d{{4}} ?[A-Z]{{2}})\s+{_NAME}(?:[ \-](?:am|an der|im|in|sur|de|di|la|le|les|los|las|el|del|bei|upon|{_NAME})){{0,3}}(?: \([A-Z]{{2}}\))?(?: (?:CEDEX|Cedex)(?: \d{{1,2}})?)?)?"
_UK_POSTCODE = r"(?:GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d|[A-HK-Y]\d\d|\d[A-HJKPS-UW]|[A-HK-Y]\d[ABEHMNPRV-Y]) ?\d[ABD-HJLNP-UW-Z]{2})"
_EN_STREET = r"Street|St\.?|Road|Rd\.?|Avenue|Ave\.?|Lane|Ln\.?|Drive|Dr\.?|Court|Ct\.?|Square|Sq\.?|Place|Pl\.?|Boulevard|Blvd\.?|Way|Terrace|Close|Crescent|Gardens?|Row|Mews|Hill|Parade|Grove|Highway|Hwy\.?|Parkway|Pkwy\.?|Walk|Quay|Rise|Circle|Cir\.?|Trail|Loop|Alley|Plaza|Broadway|Turnpike"
_STATE = "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR"
_DE_STREET = r"[sS]tra(?:ß|ss)e|[sS]tr\.|[wW]eg|[pP]latz|[aA]llee|[gG]asse|[rR]ing|[dD]amm|[uU]fer|[cC]haussee|steig|pfad|markt|graben|straat|laan|gracht|kade|plein|singel|dijk|dreef|steeg"

FIRST: tuple[Row, ...] = (
    (
        "EMAIL",
        rf"(?:mailto:)?([{LETTER}0-9.!#$&*/=?^_`{{|}}~%+'\-]*[{LETTER}0-9_%+\-]@(?:[{LETTER}0-9\-]+\.)+[{LETTER}][{LETTER}0-9\-]*[{LETTER}])",
        None,
    ),
    ("EMAIL", r"\"[^\"\s]{1,64}\"@(?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,}", None),
    (
        "EMAIL",
        r"(?i)\b[\w.+\-]+\s?[\[({<]\s?(?:at|arobase|chiocciola|arroba)\s?[\])}>]\s?[\w\-]+(?:\s?(?:[\[({<]\s?(?:dot|punkt|point|punto)\s?[\])}>]|\.)\s?[\w\-]+)+",
        None,
    ),
    ("EMAIL", r"(?i)\b[\w.+\-]+(?: dot [\w+\-]+)* (?:at|@) [\w\-]+(?: (?:dot|punkt|\.) [\w\-]+)+\b", None),
    ("EMAIL", r"\b[\w.+\-]+(?: @ ?|@ )(?:[\w\-]+\.)+[A-Za-z]{2,}\b|\b[\w.+\-]+@(?:[\w\-]+\.)*[\w\-]+ \.[a-z]{2,}\b", None),
    ("PROFILE", r"(?i)\b(?:linkedin\.com/(?:in|pub)|xing\.com/profile)/([\w.%\-]{3,100})", None),
)

LAST: tuple[Row, ...] = (
    ("DATE_OF_BIRTH", rf"(?i:(?:\b|[(])(?:{_BORN})(?:\s*\((?:DD|MM|TT|JJ|GG)[^)]{{2,12}}\))?[\s\"'*:=(>,\-]{{0,4}}(?:(?:is|was|ist|war|lautet|est|è|es|on|of|am|le|il|el|the)\s+){{0,2}})({DATE})", None),
    ("DATE_OF_BIRTH", r"(?i:\b(?:BDAY|DOB|birth ?date|date of birth|Geburtsdatum)[\s\"':=]{1,4})((?:19|20)\d{2}[01]\d[0-3]\d)\b", None),
    ("DATE_OF_BIRTH", rf"({DATE})(?i: in [\w\-]+)? (?:geboren|born|née?)\b", None),
    ("DATE_OF_BIRTH", rf"[(,] ?\* ?({DATE})", None),
    ("IP_ADDRESS", r"(?:^|[^\w.])((?:\d{1,3}\.){3}\d{1,3})(?:\b|/\d{1,2})", whole(checks.address)),
    ("IP_ADDRESS", r"(?i)(?:^|[^\w:.])((?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}){1,7}|(?:[0-9a-f]{1,4}:){1,7}:(?:[0-9a-f]{1,4})?|::(?:ffff:)?(?:\d{1,3}\.){3}\d{1,3})", whole(checks.address)),
    ("MAC_ADDRESS", r"(?i)\b(?:[0-9a-f]{2}[:\-]){5}[0-9a-f]{2}\b", None),
    # Streets with a number, and what belongs to them
    ("ADDRESS", rf"\b(?:(?:{_NAME}-){{0,3}}{_NAME}(?:{_DE_STREET})|(?:{_NAME}[ \-]){{1,2}}(?:Stra(?:ß|ss)e|Str\.|Weg|Platz|Allee|Gasse|Ring|Damm|Ufer|Chaussee)|(?:Stra(?:ß|ss)e|Platz|Allee) de[sr] {_CAP}(?: {_NAME})?) {_HOUSE}{_TOWN}", checks.street),
    ("ADDRESS", rf"(?i:\b(?:wohnt(?: in(?: der)?)?|wohnhaft(?: in)?(?: der)?|Anschrift|Adresse|address(?: is)?|lives at|living at|resides? at|Zustellung(?: bitte)? an|Grundstück|premises at|property at|réside|demeure|habite|sis|situé|residente in|risiede in|abita in|immobile di|sito in|reside en|vive en|domicilio en|sita en|inmueble de|domicilio|dirección|indirizzo)[ :]{{1,3}})((?:\d{{1,4}},? )?(?i:an der |am |im |in der |auf der |zum |zur |unter den |calle |via |rue )?{_NAME}(?:[ \-](?:de|del|della|la|du|des|der|den|dem|am|{_NAME})){{0,5}},? \d{{1,4}} ?[a-zA-Z]?\b{_TOWN})", checks.trimmed),
    ("ADDRESS", rf"\b(?:Am|An der|An den|Im|In der|In den|Auf der|Auf dem|Zum|Zur|Unter den|Unter der|Hinter der|Vor dem|Alte[rn]?|Neue[rn]?) {_NAME}(?: {_NAME})? {_HOUSE},?\s+(?:D-|A-|CH-)?\d{{4,5}}\s+{_NAME}(?:[ \-]{_NAME}){{0,2}}", None),
    ("ADDRESS", rf"\b{_HOUSE}(?: ?(?:bis|ter|quater))?,? (?i:rue|avenue|av\.|boulevard|bd\.?|place|quai|chemin|impasse|allées?|cours|route|square|passage|sentier|villa|cité|faubourg|rond-point|esplanade|promenade) (?:(?:de la |de l'|de |du |des |d'|l'|la |le |les |aux? ))?(?:\d{{1,2}} )?{_NAME}(?:[ \-'](?:de|du|des|la|le|les|et|{_NAME})){{0,5}}(?:,?\s+\d{{5}}\s+{_NAME}(?:[ \-](?:sur|sous|en|de|la|le|les|{_NAME})){{0,3}}(?: (?:CEDEX|Cedex)(?: \d{{1,2}})?)?)?", checks.trimmed),
    ("ADDRESS", rf"\b(?i:rue|avenue|boulevard|chemin|route|quai|ruelle)(?: (?:de la|de l'|de|du|des|d'|l'))?[ ']{_NAME}(?:[ \-]{_NAME}){{0,3}} \d{{1,3}}{_TOWN}", None),
    ("ADDRESS", rf"\b(?:[Vv]ia|[Vv]iale|[Pp]iazza(?:le)?|[Cc]orso|[Ll]argo|[Vv]icolo|[Ss]trada|[Cc]ontrada|[Ll]ungotevere|[Ll]ungarno)(?: (?:de[il]|dell[aeo]|degli|di|d'))?[ ']{_NAME}(?:[ \-'](?:de[il]|dell[aeo]|degli|di|e|{_NAME})){{0,4}}(?:, ?| )(?:n\.? ?)?{_HOUSE}{_TOWN}", None),
    ("ADDRESS", rf"\b(?:[Cc]alle|C/|C\.|[Aa]venida|[Aa]vda\.?|[Aa]v\.|[Pp]laza|[Pp]za\.?|[Pp]aseo|P\.º|[Cc]arrer|[Rr]onda|[Cc]amino|[Tt]ravesía|[Cc]arretera|[Gg]ran [Vv]ía|[Rr]ambla) ?(?:(?:de (?:la|los|las)|del|de|d')[ ']?)?{_NAME}(?: (?:de|la|del|los|las|y|d[ao]s?|{_NAME})){{0,5}},? ?(?:n\.?[ºo°]\.? ?|núm\.? ?)?{_HOUSE}(?:,? ?\d{{1,2}}\.?[ºª°](?: ?[A-Z]\b| (?:izq|dcha|izda)\.?)?)?{_TOWN}", None),
    ("ADDRESS", rf"\b(?:(?:Flat|Apt\.?|Apartment|Suite|Unit|Room|Floor) [\w\-]{{1,6}},? )?\d{{1,6}}[A-Za-z]?(?:-\d{{1,5}})? (?:(?:North|South|East|West|N\.?|S\.?|E\.?|W\.?|NW|NE|SW|SE) )?(?:(?:{_NAME}|\d{{1,3}}(?:st|nd|rd|th)|of|the) ){{1,4}}(?:{_EN_STREET})(?:\b|[.,\s]|$)(?:[ ,]+(?:Apt\.?|Suite|Unit|Ste\.?|Floor|Fl\.?|#) ?[\w\-]{{1,6}})?(?:,? ?(?:{_NAME}[ ,\-]*){{1,4}}?(?:(?:{_STATE}) \d{{5}}(?:-\d{{4}})?|{_UK_POSTCODE}))?", checks.trimmed),
    ("ADDRESS", rf"\b\d{{1,6}} {_NAME}(?: {_NAME}){{1,3}}(?:,? (?:Apt\.?|Apartment|Suite|Ste\.?|Unit|Floor|#) ?[\w\-]{{1,6}})?,? {_NAME}(?: {_NAME}){{0,3}},? [A-Z]{{2}},? \d{{5}}(?:-\d{{4}})?\b", None),
    ("ADDRESS", r"\b(?:PSC|CMR|Unit|USS|USNS|USCGC) ?[\w ]{1,20},? (?:Box \d{1,5},? )?(?:APO|DPO|FPO) A[AEP] \d{5}\b", None),
    ("ADDRESS", rf"(?i:\b(?:address|addresses|adresse|anschrift|adres|dirección|indirizzo|domicilio|domicile|residence|wohnsitz|wohnort|lives? (?:at|in)|living (?:at|in)|resid(?:es|ing|ent) (?:at|in|of)|located at|wohnt(?: in)?|wohnhaft(?: in)?|demeurant(?: à)?|demeure|domiciliée?(?: à| au)?|habite|residente in|risiede (?:in|a)|domiciliat[oa] in|reside en|domiciliad[oa] en|vive en|woont (?:aan|in|te))(?: is| ist| lautet| est| è| es)?[ :]{{1,3}})([^;|\n]{{3,110}}?(?:\b\d{{4,5}}(?:-\d{{3,4}})?(?: ?[A-Z]{{2}}\b)?(?:,? {_NAME}(?:[ \-'](?:am|an der|im|in|sur|de|di|del|la|le|les|{_NAME})){{0,3}})?|{_UK_POSTCODE}))", checks.trimmed),
    ("ADDRESS", r"(?i)\b(?:P\.? ?O\.? ?Box|Postfach|Boîte postale|B\.?P\.|Casella postale|Apartado(?: de correos)?) \d{2,6}(?: \d{2})?\b", None),
    ("ADDRESS", rf"(?i:\b(?:wohnhaft (?:in|:)|Wohnort|Anschrift|Adresse|address|residing (?:at|in)|resident (?:at|in)|domicili[ée]e?s? (?:à|au)?|demeurant(?: à| au)?|residente (?:in|a|en)|domiciliat[oa] (?:in|a)|indirizzo|domicilio|dirección|domiciliad[oa] en)[\s:]*)([^\n;|]{{4,60}}?\d{{4,5}}\s+{_NAME}(?:[ \-]{_NAME}){{0,2}})", None),
    ("ADDRESS", rf"\b(?:[Uu]l\.|[Aa]l\.|[Pp]l\.|[Oo]s\.|ulic[ay]|alej[ay]) (?:{_NAME} ){{1,4}}{_HOUSE}(?: ?m\. ?\d{{1,4}})?(?:,? \d{{2}}-\d{{3}} {_NAME}(?:[ \-]{_NAME}){{0,2}})?", checks.trimmed),
    ("ADDRESS", rf"\b(?:Rua|Avenida|Av\.|Travessa|Largo|Praça|Estrada|Alameda|Calçada) (?:d[aeo]s? )?{_NAME}(?: (?:d[aeo]s? |e )?{_NAME}){{0,4}},? (?:n\.?[ºo°] ?)?{_HOUSE}(?:[,.]? ?\d{{1,2}}\.?[ºª°](?: ?(?:[A-Z]\b|[Ee]sq|[Dd]to)\.?)?)?(?:,? \d{{4}}-\d{{3}} {_NAME}(?: (?:d[aeo]s? )?{_NAME}){{0,2}})?", checks.trimmed),
    ("POSTCODE", rf"\b{_UK_POSTCODE}\b", checks.uk_postcode),
    ("POSTCODE", r"\b[AC-FHKNPRTV-Y]\d[\dW] [\dAC-FHKNPRTV-Y]{4}\b", checks.eircode),
    ("POSTCODE", rf"\b(?:{_STATE}),? (\d{{5}}(?:-\d{{4}})?)\b", None),
    ("POSTCODE", r"\b(?:D|A|CH|F|I|E|B|L|NL)-\d{4,5} [A-ZÀ-Þ][A-Za-zÀ-ɏ\-]+", None),
    ("POSTCODE", context(r"PLZ|Postleitzahl|post ?code|zip(?: ?code)?|code postal|CAP|C\.A\.P\.|código postal|C\.P\.", r"\d{4,5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z0-9]? ?\d[A-Z]{2}|\d{4} ?[A-Z]{2}"), None),
    # Telephone numbers
    ("PHONE", r"(?:^|[^\w+])(\+\d{1,3}[ \t.\-/]{0,2}(?:\(0?\d{0,5}\)[ \t.\-/]{0,2})?\d(?:[ \t.\-/]{0,3}\d){5,13}(?: ?(?:x|ext\.?|Durchwahl|DW|poste) ?\d{1,5})?)\b", checks.phone_prefix),
    ("PHONE", r"(?:^|[^\w.,/\-])(00[1-9]\d{0,2}[ .\-/]{0,2}(?:\(0\)[ .\-/]?)?\d(?:[ .\-/]{0,2}\d){6,12}(?: ?(?:x|ext\.?) ?\d{1,5})?)\b", checks.phone_prefix),
    ("PHONE", r"(?:^|[^\w.,/\-])((?:\(0\d{1,5}\)[ /\-.]{0,3}|0[1-9]\d{0,4}[ /\-.]{1,3})\d(?:[ /.\-]{0,3}\d){4,9})\b", whole(checks.phone_national)),
    ("PHONE", r"(?:^|[^\w.\-])((?:\+?1[ .\-])?\(?[2-9]\d{2}\)?[ .\-]{0,2}[2-9]\d{2}[ .\-]\d{4}(?: ?(?:x|ext\.?) ?\d{1,5})?)\b", whole(checks.phone)),
    ("PHONE", r"(?:^|[^\w.,/\-])(0[1-9]\d{8,10})\b", whole(checks.phone)),
    ("PHONE", r"(?:^|[^\w.,/\-$€£] ?)(3[2-9]\d[ .\-]\d{3}[ .\-]?\d{3,4}|3[2-9]\d[ .\-]\d{6,7}|[67]\d{2}[ .\-]\d{3}[ .\-]\d{3}|[67]\d{2}[ .\-]\d{2}[ .\-]\d{2}[ .\-]\d{2}|9[1-8]\d?[ .\-]\d{3}[ .\-]\d{2}[ .\-]\d{2})\b", whole(checks.phone)),
    (
        "PHONE",
        context(
            r"tel|tél|telephone|phone|ph|mobile|mob|cell(?:ulare|phone)?|fax|telefon(?:isch)?|telefax|mobil(?:telefon|funk)?|handy|téléphone|portable|telefono|teléfono|móvil"
            r"|(?:call|text|reach|ring) (?:me|us|him|her|them)?(?: back)?(?: (?:at|on))?|WhatsApp|Signal|Durchwahl|appelez(?:-moi)?(?: au)?|reach(?:ed|able) (?:at|on|under)|erreichbar(?: unter)?|unter|joignable au|raggiungibile al|localizable en(?: el)?|au numéro|al numero|al número|bereikbaar op|telefoon|rufen Sie (?:mich )?(?:unter )?(?:an unter)?|chiamare (?:il|al)|llamar al",
            r"\(?\+?\d(?:[ /.\-()]{0,3}\d){5,14}",
        ),
        whole(checks.phone_labelled),
    ),
)  # fmt: skip
