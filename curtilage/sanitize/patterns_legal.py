"""Court, case and matter numbers by jurisdiction, and record ids of the CRM.

Citations of statutes (§ 823 BGB, Regulation (EU) 2016/679, 42 U.S.C. § 1983) and of legislation in CELEX (sector 3) say nothing about a
client and stay; a court's own number for a case does, also where its decision is published.
"""

# ruff: noqa: E501 - one expression a line reads better than one broken by width

from __future__ import annotations

from curtilage.sanitize import checks
from curtilage.sanitize.checks import whole
from curtilage.sanitize.patterns import Row, context

# Register signs (Registerzeichen) of German courts and prosecutors: AktO annexes, federal courts, labour, social, administrative, finance.
_DE_REGISTER = (
    r"AR|ARP|ARs|AS|AV|AZR|AZB|AZN|ABR|ABN|B|BGs|Bs|BsG|BV|BVG|BVGa|BvR|BvL|BvF|BvE|BvB|BvQ|BvG|C|Ca|CN|Cs|D|Ds|DRs|E|EK|Erb|ER|F|FH|Fam|G|GA|GE"
    r"|Ga|GR|GS|GSR|Gs|H|HK|HKO|HKT|HL|I|IE|IK|IN|J|Js|K|KA|KLs|KN|KR|KS|Kap|Kart|L|LA|Lw|LwU|LwZB|LwZR|M|N|NE|NZB|NZS|NotZ|Ns|O|OA|OE|OH|OJs|OLG|OVG|OWi"
    r"|P|PA|PKH|Ps|R|RA|RH|RBs|Rs|RVs|S|SA|SB|SF|SH|SO|Ss|StB|StE|StR|StVK|StVollz|T|Ta|TaBV|U|UF|UFH|UH|UKl|V|VA|VAs|VI|VII|VK|Vollz|VR|Verg|W|WF|WLw|Ws|Wx"
    r"|X|XARZ|XII|XIII|XIV|XVII|Z|ZA|ZB|ZR|ZZ|Zs|ARZ|AnwZ|AL|AS|AY|BA|BL|BK|EG|KG|LW|RS|SE|SV|U|VG|VE|VJ|VH|VM|VS|AK|Sa|SaGa|Qs|QsWi|Ks|LRs|Hs|Kg|AR-SO"
)
# A small letter sticks to the number: with a blank before it, the next word's first ("345/20 für") would be one.
_DE_SUFFIX = r"(?: ?\(?(?:Brfg|PKH|B|R|ER|E|EU|Kart|EnWG|Verg|PVB|WEG|A|S|KR|GF|VZ|Hz)\)?|[a-z])?"
_STATES = "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC"
_FILE = r"[A-Z0-9]{1,10}(?:[ ]?[./_\-][ ]?[A-Z0-9]{1,10}){1,5}|[A-Z]{1,6}[ ]?\d{3,12}|\d{4,14}"
ROWS: tuple[Row, ...] = (
    # Germany, Austria
    ("CASE_NUMBER", rf"\b(?:(?:OVG|VGH|VG|FG|LSG|SG|LAG|ArbG|AG|LG|OLG|KG|BVerwG|BFH) )?(?:(?:\d{{1,2}}|[IVX]{{1,4}})-)?(?:[IVX]{{1,5}}|\d{{1,4}}[a-z]?)(?: \([IVX0-9]+\))? (?:{_DE_REGISTER})(?: \([A-Za-z.]{{2,8}}\))? \d{{1,6}}(?:/|\.)\d{{2}}(?:\d{{2}})?(?:\.[A-Z]{{1,3}})?{_DE_SUFFIX}\b", None),
    ("CASE_NUMBER", r"\b(?:[IVX]{1,4}|\d{1,4}[a-z]?) [A-Z][A-Za-z]{0,5} \d{1,6}/\d{2}(?:\d{2})?\b", None),
    ("CASE_NUMBER", r"\b(?:GSSt|GSZ|GrS|GmS-OGB|VGS) \d{1,2}/\d{2}\b", None),
    ("CASE_NUMBER", r"\b[LSB] \d{1,3} [A-Z]{1,3} \d{1,5}/\d{2}(?: [A-Z]{1,2})*\b", None),  # social courts
    ("CASE_NUMBER", r"\b\d{1,3} (?:Ob|ObA|ObS|Os|Nc|Nd|Fss|R|Bs|Cg|Cgs|Ra|Hv|St|Ps|Pu|Nsw|Bkd|Ds) \d{1,5}/\d{2}(?:\d{2})?[a-z]\b", None),
    ("CASE_NUMBER", r"\b(?:Ra|Ro|Fr|Ko) \d{4}/\d{2}/\d{4}\b|\b[GVEBUW] \d{1,5}/(?:19|20)\d{2}(?:-\d{1,3})?\b", None),
    ("CASE_NUMBER", r"\b[GILWS]\d{3} \d{7}-\d(?:/\d{1,3}[EZ])?\b", None),  # Austrian Federal Administrative Court
    # Switzerland
    ("CASE_NUMBER", r"\b[A-Z]{2}\d{6}-[A-Z](?:/[A-Z0-9]{1,3})?\b|\b(?:LB|LF|LE|LC|NP|PS|RT|RA|RU|HG|HE|SB|UE|UH|CG|FE|EE|ZK|BES|BEZ|ZB|SK|BK)\d{6}\b", None),
    ("CASE_NUMBER", r"\b[1-9][A-Z](?:_|\.)\d{1,5}/(?:19|20)\d{2}\b", None),
    ("CASE_NUMBER", r"\b[A-F]-\d{1,5}/(?:19|20)\d{2}\b|\b(?:BGE|ATF|DTF) \d{2,3} (?:I[ab]?|II|III|IV|V) \d{1,4}\b", None),
    ("CASE_NUMBER", r"\b(?:LB|LF|LE|LC|NP|PS|RT|RA|RU|HG|HE|SB|UE|UH|CG|FE|EE|ZK|BES|BEZ|ZB|ZKBER|SK|BK|ABS)[ .]?\d{2,4}[ .]\d{1,6}(?:-[A-Z]{1,2}(?:/\w{1,3})?)?\b", None),
    # European Union, Council of Europe
    ("CASE_NUMBER", r"\b[CTF] ?- ?\d{1,4}/\d{2}(?: (?:P{1,2}U?|R|RENV|DEP|SA|AJ)(?:-[A-Z]+)?)?\b", None),
    ("CASE_NUMBER", r"\bECLI:[A-Z]{2}:[A-Za-z0-9]{1,7}:\d{4}:[A-Za-z0-9.]{1,25}", None),
    ("CASE_NUMBER", r"\b6\d{4}(?:CJ|CO|CC|TJ|TO|FJ|CN|TN|CA|TA|CV)\d{4}(?:\(\d{2}\))?\b", None),  # CELEX, sector 6: case law
    ("CASE_NUMBER", context(r"application|requête|Beschwerde", r"\d{3,5}/\d{2}"), None),
    # France, Belgium, Luxembourg
    ("CASE_NUMBER", r"(?i:\bR\.?G\.?\s*(?:n[°ºo]\.?|numéro|:|F)?\s*:?\s*)((?:[A-Z] ?)?\d{2}/\d{4,6})\b", None),
    ("CASE_NUMBER", context(r"pourvoi|arrêt|Cass\.(?: [a-z]{2,4}\.)?|minute|rôle|Portalis|parquet|requête", r"[A-Z]{0,3} ?\d{2}[\-/.]\d{2}[.\-]?\d{3}|\d{2}/\d{4,6}|\d{5,8}|[A-Z]{4} ?\d{4,12}[\w\-]*"), None),
    ("CASE_NUMBER", r"\b\d{2}-\d{2}\.\d{3}\b", None),
    ("CASE_NUMBER", r"\bN° ?(?:Portalis )?[A-Z0-9]{4} ?[A-Z]?-[A-Z]-[A-Z0-9]{3}-[A-Z0-9]{4,8}\b|\b[A-Z]\.\d{2}\.\d{4}\.[FN]\b", None),
    ("CASE_NUMBER", r"\b\d{2}(?:PA|LY|MA|NC|NT|BX|VE|DA|TL)\d{5}\b|\b(?:19|20)\d{2}-\d{1,4} (?:QPC|DC)\b", None),
    ("CASE_NUMBER", r"\b(?:CE|TA|CAA|Conseil d'État|[Tt]ribunal administratif|[Cc]our administrative d'appel)(?:,? [^\d\n;]{0,40}?)(?:\d{1,2} \w{3,9}\.? \d{4},? ?)?n(?:°|º|o\.?|os)s? ?(\d{5,7})\b", None),
    # Italy, Spain, Netherlands, Poland
    ("CASE_NUMBER", r"\b[CFK]/\d{2}/\d{6}(?: ?/ ?(?:HA|KG|FA|JE|FT|EX|BP|RK|ES) ?[A-Z]{2} \d{2}[\-/]\d{1,5})?\b|\b200\.\d{3}\.\d{3}(?:/\d{2})?\b", None),
    ("CASE_NUMBER", r"\b(?:AMS|HAA|ROT|SGR|UTR|ARN|AWB|BRE|DHA|LEE|GRO|ZWO|MAA|ROE|SHE|OBR|ALK|NHO|MNE|GEL|OVE|ZWB|LIM|NNE) \d{2}/\d{1,5}\b|\b20\d{7}/\d{1,2}(?:/[A-Z]\d{1,2})?\b", None),
    ("CASE_NUMBER", r"\b\d{2}[\-/]\d{6}[\-/]\d{2}\b|\b\d{6,8}(?: ?[\\/])? ?(?:CV|UE|EJ|AO|HA|OV|VZ|AC|EA|VV) (?:EXPL|VERZ) \d{2}[\-/]\d{1,6}\b", None),
    ("CASE_NUMBER", r"\b(?:R\.?G\.?(?:N\.?R\.?|E\.?|A\.?C\.?|L\.?|T\.?)?|RGAC|RGNR) ?\d{1,6}/(?:(?:19|20)\d{2}|\d{4,6})\b", None),
    ("CASE_NUMBER", r"\b(?:STS|ATS|STSJ|SAP|SAN|STC|ATC|SJPI)(?: \d{1,2}ª)?,? (?:núm\. |n\.º )?\d{1,6}/(?:19|20)\d{2}\b", None),
    ("CASE_NUMBER", context(r"R\.?G\.?(?:N\.?R\.?|E\.?|A\.?C\.?|L\.?|T\.?)?|procedimento|ruolo generale|sentenza|Cass\.|proc\. ?pen\.|N\. ?Reg", r"\d{1,6} ?/ ?(?:19|20)?\d{2}"), None),
    ("CASE_NUMBER", context(r"autos|procedimiento(?: ordinario| abreviado| verbal)?|rollo(?: de apelación)?|recurso(?: de casación| de apelación)?|expediente|diligencias(?: previas)?|juicio(?: verbal| ordinario)?|ejecución|NIG|N\.I\.G\.", r"\d{1,6}/(?:19|20)\d{2}|\d{5} ?\d{2} ?\d ?(?:19|20)\d{2} ?\d{7}|\d{19}"), None),
    ("CASE_NUMBER", context(r"zaaknummer|zaak-?nr\.?|rolnummer|parketnummer|rekestnummer|sygn(?:atura)?\.?(?: akt)?|zaak", r"[A-Z]?/?\d{1,3}/\d{4,8}(?: ?/ ?[A-Z]{2,3} ?[A-Z]{0,3} ?\d{2}[\-/]\d{1,5})?|\d{2}[/.\-]\d{3,6}(?:[/.\-]\d{2})?|[IVX]+ [A-Z][A-Za-z]{0,3} \d{1,5}/\d{2}"), None),
    # United Kingdom, Ireland
    ("CASE_NUMBER", r"\[(?:19|20)\d{2}\] (?:UKSC|UKPC|UKHL|EWCA (?:Civ|Crim)|EWHC|EWFC|EWCOP|UKUT|UKFTT|UKEAT|EAT|CSIH|CSOH|HCJAC|NICA|NIQB|NIKB|NICh|IEHC|IESC|IECA|CAT|UKIPTrib) ?\d{1,5}(?: ?\([A-Za-z ]{2,12}\))?", None),
    ("CASE_NUMBER", r"\b(?:HC|CL|HP|IL|BL|CR|PT|FL|LM|CO|QB|KB|HT|AD|TCC|TLC|CF|CA|AC|FD|ZC|BR|IP|PE|FS)-(?:19|20)\d{2}-(?:[A-Z]{3}-)?\d{6}\b", None),
    ("CASE_NUMBER", r"\b(?:[A-Z]\d{2}[A-Z]{2}\d{3}|[A-HJ-NP-Z]\d[A-Z]{2}\d{4}|\d{3}MC\d{3,4}|\d{7}/(?:19|20)\d{2}|(?:A|B|C)\d/(?:19|20)\d{2}/\d{4})\b", None),
    ("CASE_NUMBER", r"\b(?:19|20)\d{2}[ /]\d{1,5} ?(?:P|S|JR|MCA|COS|CA|EXT)\b|\bT\d{8}\b", None),
    ("CASE_NUMBER", r"\b[A-Z]{2}\d{2}[A-Z]\d{5}\b|\b(?:UKEAT|EAT|EA|UT|TC|PA|HU|IA|DA|DC|JR|UI|LC|LON|MAN|BIR|CAM|CHI)[/\-]\d{2,5}[/\-]\d{2,6}(?:[/\-][A-Z]{2,4})?\b", None),
    # United States
    ("CASE_NUMBER", r"\b\d{1,2}:\d{2}-(?:cv|cr|md|bk|mc|mj|ap|po|misc|gj|sw|crim|civ|mdl)-0*\d{2,6}(?:-[A-Za-z]{1,4}){0,4}(?:-\d{1,2})?\b", None),
    ("CASE_NUMBER", r"(?i)\b(?:No\. ?)?\d{2,4}[ \-](?:civ|cv|cr|crim|bk|md|mc|ap|mj|cf|ca|cp|sc|dr|l|ch|p|d)\.?[ \-]\d{2,7}(?: ?\([A-Z]{2,4}\))*(?:-[A-Z]{1,3}){0,3}\b", None),
    ("CASE_NUMBER", rf"\b\d{{2}}[A-Z]{{4}}\d{{5}}\b|\b(?:CGC|CPF|CUD|CNC|PES)-\d{{2}}-\d{{6}}\b|\b[A-Z]-\d{{2}}-\d{{6}}-[A-Z]{{1,2}}\b|\b[1-6]D(?:CA)?\d{{2}}-\d{{1,5}}\b|\b\d{{2}}-\d{{5}}(?:-[A-Z]{{2,4}}\b| \([A-Z]{{2,4}}\))|\b(?:19|20)\d{{2}}-[01]\d{{3}}-[A-Z]{{3,4}}\b|\b(?:{_STATES})-(?:19|20)?\d{{2}}-[A-Z]{{0,3}}-?\d{{3,8}}\b|\bCV-?(?:19|20)?\d{{2}}-\d{{4,8}}\b|\bD-\d-[A-Z]{{2}}-\d{{2}}-\d{{6}}\b", None),
    ("CASE_NUMBER", r"\bMDL (?:No\. ?)?(\d{3,4})\b", None),
    ("CASE_NUMBER", r"(?:^|[(,;] ?|\b(?i:in|see|under|docket|docketed|appeal|case|court|cir\.|circuit|petition|v\.|also) )Nos?\. ?(\d{2}-\d{3,5}(?:-[a-z]{2})?)\b", None),
    ("CASE_NUMBER", r"(?i:\b(?:nos?\.|n°|nº|nr\.|ric\.) ?)(\d{5}/\d{2})\b", None),  # European Court of Human Rights; a regulation's has four digits
    ("CASE_NUMBER", r"\b(?:Index|Docket|Case|Civil Action|Cause|Cr\.?|Crim\.?) No\. ?([A-Z0-9]{1,10}(?:[:/.\-][A-Za-z0-9]{1,8}){0,5})\b", checks.has_digits),
    (
        "CASE_NUMBER",
        context(
            r"(?:court |civil |criminal )?case(?: file| ref(?:erence)?\.?)?|docket|claim|civil action|cause|appeal|court file|index|indictment"
            r"|Aktenzeichen|Az\.?|Gesch(?:äfts)?-?(?:Nr|Zahl|zeichen)\.?|GZ|Geschäftsnummer|Verfahren(?:snummer)?|Verfahrens-?Nr\.?|Rechtssache|Rs\."
            r"|affaire|dossier|procédure|causa|caso|procedimiento|asunto|proceso",
            r"[A-Z0-9]{1,10}(?:(?: ?[./_:\-] ?| )[A-Z0-9][A-Za-z0-9]{0,9}){0,4} ?[./_:\-] ?\d{1,8}(?:[\-/][A-Za-z]{1,4}\b){0,3}|[A-Z]{1,4}\d{4,12}|\d{2,4} \d{2} \d{2,5}",
        ),
        checks.file_number,
    ),
    # Matters, files and the CRM
    ("CASE_NUMBER", r"(?i:\bcase (?:number|no\.?|nr\.?)[\s:=#\"']{1,4}(?:is )?)(\d{5,12})\b", None),
    (
        "MATTER_NUMBER",
        context(
            r"matter|mandate|Mandat(?:snummer|s-?Nr\.?)?|client[ \-/]matter|(?:our|your|my) ref(?:erence)?s?\.?|our file|file|ref\.?|reference|unser zeichen|ihr zeichen"
            r"|u\. ?Z\.|dossier|(?:Hand)?Akte|Aktennummer|Az\. ?intern|V/?Réf\.?|N/?Réf\.?|notre référence|vos références|nos références|référence|pratica|fascicolo|rif\.?|nostro riferimento"
            r"|expediente|nuestra referencia|ref\.ª|engagement|(?:ons|uw) kenmerk|dossiernummer|(?:nossa|vossa) referência|processo|nasz znak",
            _FILE,
        ),
        checks.file_number,
    ),
    ("MATTER_NUMBER", r"\b(?:MAT|MTR|MATTER|CM|M|LM|CLM|LIT|MND)-(?:\d{2,4}-)?\d{3,8}\b", None),
    ("SALESFORCE_ID", r"\b(?:001|003|005|006|00D|00G|00Q|00T|00U|00X|015|01I|01p|0[0-9A-Z]{2}|500|701|800|801|810|[a-z][0-9A-Z][0-9A-Za-z])[A-Za-z0-9]{2}0[A-Za-z0-9]{6,9}[A-Za-z0-9]{3}\b", whole(checks.salesforce_id)),
)  # fmt: skip
