"""The words beside names: titles, roles, labels, companies' suffixes; English, German, French, Italian, Spanish, Dutch."""

# ruff: noqa: E501, SIM905 - word lists

from __future__ import annotations

_TITLES = (
    "Mr Mrs Ms Miss Mx Messrs Sir Dame Lord Lady Dr Prof Professor Professors Doctor Herr Herrn Herren Frau Fräulein Frl Hr Monsieur Madame Mademoiselle Messieurs Mesdames "
    "MM Mme Mmes Mlle Maître Maitre Mtre Dott Dott.ssa Dottor Dottore Dottoressa Avv Avvocato Avvocata Avvocatessa Ing Ingegner Geom Rag Sig Sig.ra Sigg Sig.na Signor Signore Signora Signorina Sr Sra Srta "
    "Señor Señora Señorita Don Doña Lic Licenciado Abogado Abogada Letrado Letrada Procurador Procuradora Rechtsanwalt Rechtsanwältin Anwalt Anwältin RA RAin Notar Notarin Notaire Notaio "
    "Richter Richterin Staatsanwalt Staatsanwältin Justice Judge Juge Giudice Juez Jueza Magistrado Magistrada Attorney Solicitor Barrister Inspector Officer Detective "
    "Sergeant Captain Colonel Major General Rev Reverend Father Pastor Rabbi Imam Graf Gräfin Baron Baronin Freiherr Freifrau Prinz Prinzessin Mevrouw mevrouw Meneer meneer heer dhr mevr mw Dhr Mevr Mw Drs drs Senhor Senhora Pani Mecenas Dipl.-Ing Dr.-Ing Mag "
    "Docteur Dra Dres med jur rer iur Hon Senator Ambassador Chancellor Sgt Cpl Capt Cpt Lt Col Maj Supt Insp Cllr Magistrate Constable Commissaire Capitaine Lieutenant Brigadier Maresciallo Ispettore "
    "Ispettrice Comandante Capitano Tenente Teniente Capitán Inspectora Comisario Comisaria Kommissar Kommissarin Kriminalkommissar Kriminalkommissarin Kriminalhauptkommissar Kriminalhauptkommissarin "
    "Polizeimeister Polizeihauptmeister Hauptmann Oberstaatsanwalt Oberstaatsanwältin Bâtonnier Préfet Prof.ssa Univ.-Prof Patentanwalt Patentanwältin Steuerberater Steuerberaterin"
)
TITLE_WORDS = frozenset(word for word in _TITLES.split() if word[0].isupper()) | {"Me", "PhD", "LLM", "Esq", "QC", "KC", "Jr", "Sr"}
_LOWER = "dott dott.ssa dottor dottoressa avv avvocato avvocata sig sig.ra signor signora signorina ing geom rag docteur maître monsieur madame señor señora señorita doña don abogado abogada letrado letrada dr dra prof mr mrs ms herr frau"
_SECOND = r"(?:(?:Dr|Prof|med|jur|iur|rer|nat|pol|h\.c|hc|Dipl\.-Ing|Ing|Avv|Justice|Rechtsanwalt|Rechtsanwältin|Maître|Doktor|Richter|Richterin|Notar|Avvocato|Doña|Don|Lord)\.?[ \t]+){0,3}"


def _either(words: str) -> str:
    return "|".join(sorted((word.replace(".", r"\.") for word in words.split()), key=len, reverse=True))


TITLES = rf"(?:^|(?<![\w.]))(?:(?:{_either(_TITLES + ' ' + _LOWER)})\.?|M\.|Me\.?|D\.[aª]?|Fr\.)[ \t]{{1,2}}{_SECOND}"
# Behind these stands a name or a function, and nothing else.
SURE = (
    "Mr Mrs Ms Miss Herr Herrn Frau Fräulein Monsieur Madame Mademoiselle Mme Mlle Maître Signor Signora Signorina Sig Sig.ra Señor Señora Sra Dr Dra Prof Dott Dott.ssa Avv Hr M Senhor Senhora Pani mevrouw meneer dhr mevr mw heer "
    + _LOWER
)
SURE_TITLES = rf"(?:^|(?<![\w.]))(?:(?:{_either(SURE)})\.?)[ \t]{{1,2}}{_SECOND}"
SURE_ANYWHERE = rf"\b(?:{_either(SURE)})\b"
PLAIN_TITLES = (
    "Mr Mrs Ms Miss Mx Herr Herrn Frau Fräulein M MM Me Monsieur Madame Mademoiselle Mme Mlle Maître Sig Sig.ra Signor Signora Signorina Sr Sra Srta Señor Señora Señorita Don Doña "
    "Mevrouw Meneer heer dhr mevr mw Dr Prof Lord Lady Sir Dott Dott.ssa Avv Senhor Senhora Dra"
)
# Every word that can stand last before the name.
ALL_TITLES = f"{_TITLES} {_LOWER} M Me D D.ª Fr med jur iur rer nat pol h.c hc Doktor l'avv l’avv dell'avv"

_ROLES = (
    r"clients?|plaintiffs?|claimants?|defendants?|respondents?|appellants?|petitioners?|witness(?:es)?|employees?|director|manager|shareholder|tenant|landlord|lessee|lessor|buyer|seller|purchaser|vendor|patient|heirs?"
    r"|testator|debtor|creditor|guarantor|beneficiary|trustee|executor|spouse|wife|husband|son|daughter|brother|sister|father|mother|child|children|colleague|partner|associate|secretary|assistant|paralegal|trainee|accountant"
    r"|auditor|expert|victim|suspect|accused|applicant|candidate|chairman|chairwoman|chair|ceo|cfo|coo|cto|counsel|lawyer|attorney|officer|custodian|signatory|inventor|author|arbitrator|mediator|neighbour|driver"
    r"|judge|magistrate|notary|inspector|sergeant|detective|constable|surgeon|physician|nurse|teacher|solicitor|barrister"
    r"|richter(?:in|s)?(?: am \w*gericht(?:shof)?)?|notar(?:in|s)?|ärzt(?:in)|arzt|gutachter(?:in|s)?|anwalt|anwältin|betreuer(?:in|s)?|vormund|makler(?:in|s)?|nachbar(?:in|n)?"
    r"|juge|magistrate?|greffi(?:er|ère)|huissier|notaire|médecin|docteur|experte?|gendarme|voisine?"
    r"|giudice|cancellier[ea]|medico|notaio|perito|vicin[oa]|pubblico ministero"
    r"|juez|jueza|magistrad[oa]|notari[oa]|fiscal|médic[oa]|procurador[a]?|vecin[oa]"
    r"|Mandant(?:in|en)?|Klient(?:in|en)?|Kläger(?:in|s)?|Beklagte[rn]?|Zeug(?:e|in|en)|Geschäftsführer(?:in|s)?|Prokurist(?:in|en)?|Mitarbeiter(?:in|s)?|Arbeitnehmer(?:in|s)?|Vermieter(?:in|s)?|Mieter(?:in|s)?|Käufer(?:in|s)?"
    r"|Verkäufer(?:in|s)?|Erblasser(?:in|s)?|Erb(?:e|in|en)|Gläubiger(?:in|s)?|Schuldner(?:in|s)?|Antragsteller(?:in|s)?|Antragsgegner(?:in|s)?|Angeklagte[rn]?|Beschuldigte[rn]?|Ehefrau|Ehemann|Sohn|Tochter|Gesellschafter(?:in|s)?"
    r"|Vorstand|Kolleg(?:e|in|en)|Sachverständige[rn]?|Betroffene[rn]?|Patient(?:in|en)?|Bevollmächtigte[rn]?|Bruder|Schwester|Vater|Mutter|Witwer?"
    r"|client(?:e|es)?|demande(?:ur|resse)|défende(?:ur|resse)|témoins?|salariée?|gérante?|direct(?:eur|rice)|bailleur|bailleresse|locataire|époux|épouse|fils|fille|héritière?|requérante?|intimée?|appelante?|prévenue?|victime|avocate?|associée?"
    r"|clienti|attore|attrice|convenut[oa]|testimone|teste|ricorrente|resistente|imputat[oa]|dipendente|amministrator[ei]|amministratrice|figli[oa]|marito|moglie|conduttore|locatore|erede|socio|socia|difensore|signor[ae]?"
    r"|demandantes?|demandad[oa]s?|testigos?|trabajador[a]?|administrador[a]?|hij[oa]|espos[oa]|marido|mujer|hereder[oa]s?|arrendatari[oa]|arrendador[a]?|acusad[oa]|denunciante|perit[oa]|soci[oa]|empleadoa?|cliente"
)
_PHRASES = (
    r"signed by|represented by|on behalf of|acting for|instructed by|prepared by|drafted by|reviewed by|written by|spoke (?:to|with)|met(?: with)?|email(?:ed)? from|letter from|message from|call(?:ed)? (?:from|with)|behalf of|between|against|named"
    r"|my name is|i am|i'm|this is|vertreten durch|unterzeichnet von|vertreten von|bevollmächtigt|ich heiße|mein name ist|ich bin|im auftrag von|gegen|namens|erstellt von|verfasst von|gespräch mit|telefonat mit"
    r"|représentée? par|signée? par|au nom de|pour le compte de|je m'appelle|je soussignée?|je suis|contre|nommée?|assistée? (?:de|par)|entretien avec"
    r"|rappresentat[oa] da|firmat[oa] da|per conto di|mi chiamo|(?:il|la) sottoscritt[oa]|contro|assistit[oa] da|difes[oa] da"
    r"|lettre à|lettera a|carta a|schreiben an|brief an|letter to|email to|e-?mail (?:von|di|de|from)|courriel de|correo de|deposition of|testimony of|according to|laut|selon|secondo|según|zwischen|tra|fra|entre"
    r"|representad[oa] por|firmad[oa] por|en nombre de|me llamo|(?:el|la) abajo firmante|contra|asistid[oa] por|defendid[oa] por"
)
_GREETINGS = (
    r"dear|sehr geehrte[rs]?|liebe[rs]?|hallo|hi|hello|hey|guten tag|cher|chère|bonjour|gentile|gentilissim[oa]|egregio|spettabile|caro|cara|ciao|buongiorno|estimad[oa]|querid[oa]|hola|beste|geachte|regards,|sincerely,|grüßen,|grüße,|cordialement,"
    r"|saluti,|saludos,|saluto,|abrazo,|thanks,|thank you,|best,|wishes,|cheers,|gruß,|vous,|amicalement,|bises,|atentamente,|atte\.,|lg,?|vg,?|c/o|z\. ?hd\.(?: v\.)?|attn:?|attention:?|cc:?"
)
_CAPTIONS = r"in sachen|in der sache|rechtsstreit|nachlass|affaire|causa|asunto|(?:estate|matter) of"
CUES = rf"(?:(?:^|(?<![\w-]))(?:{_ROLES}|{_PHRASES}|{_GREETINGS}|{_CAPTIONS}),?\s{{1,3}}(?:(?:von|of|de|the|der|die|den|le|la|il|el)\s)?|(?<=\s)/s/\s?)"
ROLES = rf"(?:^|(?<![\w-]))(?:{_ROLES}|{_GREETINGS}|{_CAPTIONS}),?\s{{1,3}}"
LABELS = (
    r"(?:^|(?<![\w]))(?:(?:full |first |last |middle |given |family |legal |maiden |client |contact |account |holder |employee |patient |customer |owner |display |user )?names?|vor- und nachname|(?:vor|nach|familien|geburts|mandanten|ruf)names?|nom(?: complet| de famille| et prénom)?|prénoms?"
    r"|nome(?: e cognome| completo)?|cognome|nombre(?: completo| y apellidos)?|apellidos?|surname|forename|naam|achternaam|voornaam|contact(?: person)?|ansprechpartner(?:in)?|kontoinhaber(?:in)?|account ?holder|card ?holder|karteninhaber|titulaire|intestatario|titular|beneficiary|begünstigter"
    r"|signatory|signature|signed|unterschrift|gezeichnet|gez\.|firma|attendees?|participants?|teilnehmer|author|verfasser|sender|recipient|absender|empfänger|from|to|von|an|mandant(?:in)?|client|cliente|patient|employee|geboren als|née|geb\.)"
    r"[\"'*]{0,3}\s{0,2}[:=][ \t\"'*]{0,4}"
)
LAST_WORDS = (
    rf"(?:\w+[\"'(])?(?:\w*gericht(?:shof)?|ministero|sachen?|rechtsstreit|nachlass|affaire|causa|asunto|{_ROLES}|{_GREETINGS.replace('guten tag', 'tag')}|by|for|to|with|from|of|the|against|between|named|is|am|i'm|durch|von|mit|heiße|namens|gegen|bin|par|de|avec|contre|m'appelle|soussignée?|suis|nommée?|da|di|conto"
    r"|chiamo|sottoscritt[oa]|contro|por|llamo|firmante|contra|der|die|den|le|la|il|el|/s/|name|à|a|an|laut|selon|secondo|según|zwischen|tra|fra|entre|con|mit|grüßen|grüße|gruß)[,:]?"
)
ORGANISATIONS = (
    r"(?:[ \t]+(?:&|und|et|and|e|y|\+)[ \t]+(?:Co\b|Cie\b|Partners?\b|Partner\b|Sons?\b|Söhne\b|Fils\b|Figli\b|Hijos\b|Associates\b|Associés\b|Company\b|Kollegen\b|Brothers\b))"
    r"|[ \t,]+(?:GmbH|AG|SE|KG|KGaA|OHG|oHG|GbR|UG|e\.V\.|eG|mbB|PartG|S\.?A\.?S?\.?U?\b|SARL|S\.à|SNC|SCI|SCP|SELARL|S\.?p\.?A\.?\b|S\.?r\.?l\.?\b|S\.?n\.?c\.?\b|S\.?L\.?U?\.?\b|B\.?V\.?\b|N\.?V\.?\b|Ltd|Limited|LLP|LLC|L\.L\.C|Inc|Incorporated|Corp|Corporation"
    r"|PLC|plc|Plc|LP\b|Co\.|Company|Group|Gruppe|Groupe|Gruppo|Grupo|Holdings?|Capital|Partners|Ventures|Industries|Industrie|Technologies|Technology|Systems|Solutions|Services|Logistics|Pharma|Motors?|Airlines|Energy|Insurance|Versicherung|Verlag|Bank|Banque|Banca|Banco"
    r"|Foundation|Stiftung|Fondation|Fondazione|Institute?|Institut|Istituto|Instituto|University|Universität|Université|Università|Universidad|College|School|Schule|Hospital|Klinik|Museum|Hotel|Airport|Flughafen|Bahnhof|Station|Stadium|Stadion|Theatre|Theater|Park|Prize|Preis|Award"
    r"|Act\b|Acts\b|Rule|Doctrine|Test\b|Standard|Principle|Convention|Treaty|Directive|Report|Commission|Committee|Amendment|Protocol|Agreement|Accord|Process|Formula|Warning|Hearing|Order|Motion|Chair\b|Letter\b|Clause|Code\b"
    r"|Street|Road|Avenue|Lane|Square|Boulevard|Drive|Straße|Strasse|Platz|Allee|Weg\b|County|City|Island|River|Lake|Bay|Beach|Valley|Hills?\b|Heights|Bridge|Tower|House|Building|Center|Centre|Gesetz|Urteil|Formel|Verfahren|-?Kanzlei|Rechtsanwälte|Avocats|Abogados|Avvocati)"
    r"(?![\w])|\.(?:com|de|org|net|eu|fr|it|es|uk|io)\b|[’']?-(?:Gesetz|Urteil|Verfahren|Rechtsprechung|Formel|Stiftung|Gruppe|Konzern|Kanzlei|Act)"
)
PLACES_BEFORE = (
    r"(?:(?<![\w])(?:Bank of|University of|City of|Port of|Bay of|County of|Republic of|State of|Kingdom of|Isle of|Rue|rue|Avenue|avenue|Boulevard|boulevard|Place|place|Quai|quai|Via|via|Viale|Piazza|piazza|Corso|Calle|calle|Plaza|plaza|Paseo|Avenida|Saint|Sainte|San|Santa|Santo|Sankt|St\.|Mount|Mt\."
    r"|Lake|Port|Fort|Cape|New|North|South|East|West|Bad|Schloss|Hotel|Hôtel|Café|Stadt|Universität|Lycée|Collège|Teatro|Villa|Palazzo|Museo|Musée)[ \t]|[@#/_.][\w.]*|[\w]+-)"
)
PERSON_AFTER = (
    r"(?:,? \(?(?:born|b\.|geb\.|geboren|née?\b|nat[oa] |nacid[oa] |aged \d|age \d|resident|residing|wohnhaft|demeurant|domicili|\d{1,2} years old|Esq|Jr\b|Sr\b|LL\.?M|Ph\.?D|QC\b|KC\b))"
    r"|[ \t](?:said|says|stated|testified|claims|claimed|alleges|alleged|wrote|writes|told|asked|replied|signed|called|emailed|phoned|died|resigned|married|divorced|erklärte|sagte|schrieb|bestätigte|unterschrieb|kündigte|behauptet|bat|teilte|hat uns|wohnt"
    r"|a déclaré|a signé|déclare|affirme|soutient|a indiqué|habite|ha dichiarato|ha firmato|dichiara|sostiene|afferma|abita|declaró|firmó|declara|afirma|sostiene|manifestó|vive)\b"
)
NEVER = frozenset(
    "the this that these those please dear hello regards sincerely monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december "
    "montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar marz mai juni juli oktober dezember lundi mardi mercredi jeudi vendredi samedi dimanche janvier fevrier mars avril juin juillet aout septembre octobre novembre decembre "
    "lunedi martedi mercoledi giovedi venerdi sabato gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre lunes martes miercoles jueves viernes sabado domingo enero febrero abril mayo junio julio septiembre octubre noviembre diciembre "
    "agreement contract clause section article court tribunal supreme high district county federal state states united kingdom europe european union commission parliament council directive regulation act law code bank company "
    "vertrag vereinbarung klausel abschnitt artikel gericht landgericht amtsgericht oberlandesgericht bundesgerichtshof arbeitsgericht verwaltungsgericht bundesrepublik deutschland gesetz klage kanzlei anlage absatz urteil beschluss "
    "contrat accord article clause cour tribunal loi societe annexe jugement republique france contratto accordo articolo corte legge societa allegato sentenza repubblica italia contrato acuerdo articulo juzgado audiencia ley sociedad anexo espana "
    "google microsoft amazon apple facebook meta salesforce siemens daimler porsche versace prada armani gucci chanel hermes renault peugeot citroen michelin cartier vuitton dior boeing lufthansa allianz moody nestle novartis roche "
    "internet excel word outlook windows linux java python docker teams slack zoom english french german italian spanish dutch british american swiss austrian belgian client counsel plaintiff defendant party parties exhibit schedule appendix annex "
    "e-mail email mail nr no reisepass personalausweis passport passeport passaporto pasaporte irish turkish polish portuguese hungarian czech greek swedish norwegian danish finnish japanese chinese russian indian african asian franzosisch deutsche deutscher espanol italiano cher chere dear gentile estimado estimada egregio liebe lieber hallo zara ikea aldi lidl "
    "according did does has have had are were can could should would may might must let find draft write summarise summarize review explain translate selon laut secondo segun hat ist war sind wird kann bitte gemass gegen nach vor seit unser unsere notre nos votre vos merci est-ce "
    "presents presenti asistentes attendees teilnehmer si come dopo prima ieri oggi domani hier aujourd'hui demain ayer hoy manana gestern heute morgen we they our aprobo redacte resuma creemos nuestro nuestra nuestros pensiamo riteniamo riassumere nostro nostra ainsi donc car apres avant depuis "
    "prasident prasidentin prasidenten kanzler ministerin staatsanwalt rechtsanwalt doktor professor kollege kollegin justice secretary speaker chair ambassador mayor commissioner prime vice ministre juge procureur batonnier giudice ministro ministra juez fiscal alcalde general attorney solicitor officer "
    "president chairman minister chancellor bundeskanzler bundeskanzlerin vorsitzende vorsitzender presidente sindaco maire "
    "his her its their our your my we you they she he and but for with from into upon under if when where who what how why yes no not all any each some many most ob und oder aber wenn weil dass wie was wer wo der die das ein eine les des une dans pour avec sur gli una per con los las por para "
    "pourquoi comment quand combien quel quelle quels quelles lequel laquelle etaient etait avait ont aux parmi lors selon suite "
    "perche come quando quanto quale quali chi cosa dove erano era hanno tra dopo tras segun quien quienes cual cuales cuando cuanto donde porque fueron fue eran hay "
    "dalla dallo dai dalle nella nello nei nelle alla allo agli alle sulla sullo sui sulle della dello degli delle cui nel del sul dal durante stesso stessa quella quello questa questo "
    "sie ihr ihre ihren ihrem ihres ihnen mein meine sein seine ich du es wir uns euch elle elles ils nous vous je tu lui leur egli ella essi loro noi voi usted ustedes ellos nosotros "
    "beste besten herzliche herzlichen viele freundliche freundlichen schone liebste mille bien distinti cordiali migliori atentos cordiales mejores kind best warm many yours "
    "see also note voir siehe vedi vease "
    "warum weshalb wieso wann wohin woher welche welcher welches hatte hatten waren wurden sind nachdem ferner zudem jedoch "
    "gdpr dsgvo bgb stgb zpo hgb nda sla llm "
    # Dutch, Polish, Portuguese: courts, offices, parties; the table has none of their words
    "rechtbank gerechtshof kamer raad hoge artikel overeenkomst bijlage wetboek kantonrechter ondernemingskamer gemeente staat ministerie koper verkoper huurder verhuurder werknemer werkgever partij partijen volgens ingevolge "
    "sad trybunal kodeks ustawa umowa urzad rada komisja zarzad rejestr krajowy prezes rzecznik ministerstwo zamawiajacy wykonawca sprzedajacy kupujacy strony strona zalacznik zgodnie wedlug "
    "caixa codigo lei decreto acordao comissao autoridade conselho assembleia ministerio comprador vendedor senhorio inquilino segundo conforme".split()
)
NOT_PEOPLE = frozenset(
    {
        "goldman sachs", "christian dior", "morgan stanley", "baker mckenzie", "clifford chance", "hogan lovells", "arthur andersen", "lehman brothers", "merrill lynch", "wells fargo", "louis vuitton", "hugo boss", "max mara", "tommy hilfiger",
        "ralph lauren", "calvin klein", "yves saint", "mercedes benz", "rolls royce", "harley davidson", "eli lilly", "philip morris", "john deere", "charles schwab", "dow jones", "jp morgan", "max planck", "johnson controls",
        "marks spencer", "ernst young", "santa clara", "santa monica", "san jose", "san francisco", "los angeles", "las vegas", "buenos aires", "rio grande", "mont blanc", "monte carlo", "costa rica", "saudi arabia", "tel aviv",
        "hong kong", "new york", "el salvador", "sri lanka", "cape town", "salt lake", "palo alto", "sierra leone", "white house", "wall street", "sarbanes oxley", "dodd frank", "christmas eve", "mother nature", "uncle sam",
        "john doe" + " clause", "black scholes", "monte rosa", "baden wurttemberg", "bill gates" + " foundation", "kuehne nagel", "price waterhouse", "pricewaterhouse coopers", "roland berger", "mckinsey company", "boston consulting",
        "andreessen horowitz", "freshfields bruckhaus", "allen overy", "norton rose", "taylor wessing", "gleiss lutz", "hengeler mueller", "noerr partnerschaftsgesellschaft", "latham watkins", "kirkland ellis", "jones day",
        "grant thornton", "baker tilly", "herbert smith", "travers smith", "ropes gray", "sullivan cromwell", "davis polk", "simpson thacher", "paul hastings", "morgan lewis",
        "reed smith", "squire patton", "gibson dunn", "weil gotshal", "skadden arps", "debevoise plimpton", "cleary gottlieb", "willkie farr", "osborne clarke", "pinsent masons", "addleshaw goddard", "burges salmon",
        "monte paschi", "santa sede", "simmons simmons", "bird bird", "eversheds sutherland", "dla piper", "carl zeiss", "robert bosch", "henkel ag", "johnson johnson", "levi strauss", "estee lauder", "jack daniels", "kraft heinz", "marie curie" + " action",
    }
)  # fmt: skip
