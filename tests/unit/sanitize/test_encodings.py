"""Whatever it is written in: no encoding, border, key or table is a way around the rules."""

# ruff: noqa: E501 - one case a line

from __future__ import annotations

import base64
import contextlib
import html
import json
import quopri
import re
import textwrap
import time
import unicodedata
import urllib.parse

import pytest

from curtilage.errors import ConfigError
from curtilage.sanitize.classification import build, load
from curtilage.sanitize.fields import FieldRules
from curtilage.sanitize.placeholders import Vault
from curtilage.sanitize.sanitizer import Findings, Sanitizer, SanitizerRefusal
from curtilage.sanitize.terms import Terms

SANITIZER = Sanitizer()
SECRETS = ("settle", "quietly", "quirrel", "schmidt", "3704", "0532", "jane", "ple.com", "c01x", "1975-03", "markt 5", "5551234")
MESSAGE = "IBAN: DE89370400440532013000 for Anna Schmidt, legal_case_strategy__c: settle quietly"


def clean(node, **more):
    return SANITIZER.clean(node, Findings(Vault(b"k" * 32), **more))


def user(*texts):
    return {"messages": [{"role": "user", "content": text} for text in texts]}


WAYS = {
    "base64": base64.b64encode(MESSAGE.encode()).decode(),
    "base64 in lines": base64.encodebytes((MESSAGE * 4).encode()).decode(),
    "base64 of UTF-16": base64.b64encode(MESSAGE.encode("utf-16-le")).decode(),
    "quoted-printable": quopri.encodestring(("Größe " + MESSAGE).encode()).decode(),
    "percent": urllib.parse.quote(MESSAGE),
    "percent twice": urllib.parse.quote(urllib.parse.quote(MESSAGE)),
    "a form": urllib.parse.urlencode({"q": MESSAGE}),
    "entities": "".join(f"&#{ord(char)};" for char in MESSAGE),
    "entities by name": html.escape(f"<legal_case_strategy__c>{MESSAGE}</legal_case_strategy__c>"),
    "hexadecimal": MESSAGE.encode().hex(),
    "JSON in JSON in JSON": json.dumps(json.dumps({"a": MESSAGE, "legal_case_strategy__c": "settle quietly"})),
    "look-alikes and nothing between": MESSAGE.replace("e", "\u0435").replace("DE", "D\u200bE"),
    "full width": "".join(chr(ord(char) + 0xFEE0) if 33 <= ord(char) <= 126 else char for char in MESSAGE),
    "escapes": "".join(f"\\u{ord(char):04x}" for char in MESSAGE),
    "short escapes": "".join(f"\\x{ord(char):02x}" for char in MESSAGE),
    "escapes twice": "".join(f"\\\\u{ord(char):04x}" for char in MESSAGE),
    "octal escapes": "".join(f"\\{ord(char):03o}" for char in MESSAGE),
    "code points": " ".join(f"U+{ord(char):04X}" for char in MESSAGE),
    "base64 of UTF-16 with its mark": base64.b64encode(MESSAGE.encode("utf-16")).decode(),
    "base64 of an 8-bit code": base64.b64encode((MESSAGE + " für Sie").encode("latin-1")).decode(),
    "base32": base64.b32encode(MESSAGE.encode()).decode(),
    "hexadecimal with blanks": MESSAGE.encode().hex(" ").upper(),
    "encoded words": "Subject: =?utf-8?B?" + base64.b64encode(MESSAGE.encode()).decode() + "?=",
    "encoded words, quoted": "Subject: =?utf-8?Q?" + MESSAGE.replace("_", "=5F").replace(" ", "_") + "?=",
    "a query's blanks": "https://crm.example/x?q=" + MESSAGE.replace(" ", "+") + "&z=1",
    "a data address": "data:text/plain;base64," + base64.b64encode(MESSAGE.encode()).decode(),
    "tag characters": "hello" + "".join(chr(0xE0000 + ord(char)) for char in MESSAGE),
    "variation selectors": "hello" + "".join(chr(0xE0100 + byte - 16) for byte in MESSAGE.encode()),
    "enclosing marks": "\u20dd".join(MESSAGE),
    "written backwards": "\u202e" + MESSAGE[::-1] + "\u202c",
    "spaced out": " ".join(MESSAGE),
    "for a file's name": "Notes_Anna_Schmidt_DE89370400440532013000.pdf",
    "emphasis inside": "DE89**370400440532013000** for Ann<b>a</b> Sch<!-- x -->midt, legal_case_<i>strategy</i>__c: settle quietly",
    "emphasis in a key": json.dumps({"legal_<b>case</b>_strategy__c": "settle quietly"}),
    "one below the other": "DE89\n3704\n0044\n0532\n0130\n00",
    "combining marks": "L\u0336egal_case_strategy__c: settle quietly",
    "a table": "first_name,last_name,iban,legal_case_strategy__c\nXanthippe,Quirrel,DE89370400440532013000,settle quietly\n",
    "YAML": "legal_case_strategy__c: settle quietly\nname: Anna Schmidt\niban: DE89370400440532013000\n",
    "XML": "<r><legal_case_strategy__c>settle quietly</legal_case_strategy__c><name>Anna Schmidt</name></r>",
    "capitals": "CLIENT: ANNA SCHMIDT, IBAN DE89370400440532013000",
    "keys": {"FirstName": "Xanthi", "LastName": "Quirrelwood", "PassportNumber": "C01X00T47", "Birthdate": "1975-03-12", "MailingStreet": "Am Markt 5", "phone": "5551234567"},
    "parts": [{"role": "user", "content": [{"type": "text", "text": text} for text in ("My IBAN is DE89 3704 0044", " 0532 0130 00 ok")]}],
    "three parts": [{"role": "user", "content": [{"type": "text", "text": text} for text in ("DE89 37", "04 0044 05", "32 0130 00")]}],
    "an address in two messages": user("send it to jane.roe@exam", "ple.com please"),
    "a name in two messages": user("the witness Anna", "Schmidt said so"),
    "a value in the next message": user("legal_case_strategy__c:", "settle quietly for 5m"),
    "a field's name in two messages": user("legal_case_stra", "tegy__c: settle quietly for 5m"),
    "a quoted value in two messages": user('{"legal_case_strategy__c": "settle qui', 'etly for 5m"} and more'),
    "base64 in short lines": "\n".join(textwrap.wrap(base64.b64encode(MESSAGE.encode()).decode(), 20)),
    "base64 in indented lines": "\n    ".join(textwrap.wrap(base64.b64encode(MESSAGE.encode()).decode(), 64)),
    "base64 in lines of a string": "\\n".join(textwrap.wrap(base64.b64encode(MESSAGE.encode()).decode(), 64)),
    "base64 in a path": "https://crm.example/d/" + base64.urlsafe_b64encode(MESSAGE.encode()).decode(),
    "base64 behind a prefix": "blob_" + base64.b64encode(MESSAGE.encode()).decode(),
    "entities without an end": "".join(f"&#{ord(char)}" for char in MESSAGE),
    "entities with zeros": "".join(f"&#{ord(char):09d};" for char in MESSAGE),
    "percent of units": "".join(f"%u{ord(char):04x}" for char in MESSAGE),
    "escapes of a style sheet": "".join(f"\\{ord(char):06x}" for char in MESSAGE),
    "bytes in hexadecimal": ", ".join(f"0x{byte:02x}" for byte in MESSAGE.encode()),
    "bytes in decimal": ",".join(str(byte) for byte in MESSAGE.encode()),
    "bits": " ".join(f"{byte:08b}" for byte in MESSAGE.encode()),
    "small capitals": MESSAGE.translate(str.maketrans("abcdefghijklmnopqrstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ")),
    "white on black": "".join(chr(0x1F150 + ord(char.upper()) - 65) if char.isalpha() else char for char in MESSAGE),
    "flags": "".join(chr(0x1F1E6 + ord(char.upper()) - 65) if char.isalpha() else char for char in MESSAGE),
    "spelled": "-".join("jane@example.com"),
    "spelled in lines": "\n".join("DE89370400440532013000"),
    "slashes between groups": "DE89/3704/0044/0532/0130/00 and 4111/1111/1111/1111",
    "a list of groups": {"iban": ["DE89", "3704", "0044", "0532", "0130", "00"]},
    "a list of letters": {"to": list("jane@example.com")},
    "a field's name in three messages": user("legal", "_case_strat", "egy__c", ": settle quietly for 5m"),
    "an insert": "INSERT INTO c (Id, legal_case_strategy__c) VALUES ('1', 'settle quietly (for 5m)');\nSELECT 1",
    "tool arguments": {"tool_calls": [{"function": {"name": "lookup", "arguments": json.dumps({"client_name": "Xanthi Quirrelwood", "note": "legal_case_strategy__c=settle quietly"})}}]},
}  # fmt: skip


def readings(text: str, depth: int = 3) -> set[str]:
    """The text in every way that this test hides one, undone by other means than the product's."""
    found = {text}
    for _ in range(depth):
        for shown in list(found):
            found |= {
                html.unescape(shown),
                urllib.parse.unquote_plus(shown),
                shown[::-1],
                shown.replace(" ", ""),
                unicodedata.normalize("NFKC", shown),
            }
            found.add(shown.translate({0xE0000 + code: code for code in range(128)}))
            found.add(bytes(ord(char) - 0xE0100 + 16 for char in shown if 0xE0100 <= ord(char) <= 0xE01EF).decode("utf-8", "replace"))
            found.add("".join(char for char in shown if unicodedata.category(char) not in ("Cf", "Mn", "Me")).replace("\u0435", "e"))
            found.add(re.sub(r"<[^<>]*>|\*\*", "", shown))
            found.add(re.sub(r"\\+u([0-9a-f]{4})|\\+x([0-9a-f]{2})", lambda match: chr(int(match[1] or match[2], 16)), shown))
            found.add(re.sub(r"\\+([0-3][0-7]{2})", lambda match: chr(int(match[1], 8)), shown))
            found.add(re.sub(r"(?:%u|\\0*)([0-9a-f]{2,4})", lambda match: chr(int(match[1], 16)), shown))
            found.add("".join(_drawn(char) for char in shown))
            found |= {re.sub(r"[\-/\n]", "", shown), re.sub(r"\\n|\s", "", shown)}
            for run in re.findall(r"(?:0x[0-9a-f]{2}, ){8,}|(?:[01]{8} ){8,}|(?:\d{2,3},){8,}", shown):
                base = 16 if "x" in run else 2 if " " in run else 10
                found.add("".join(chr(int(code, base)) for code in re.findall(r"\w+", run)))
            found.add(re.sub(r"U\+([0-9A-F]{4}) ?", lambda match: chr(int(match[1], 16)), shown))
            with contextlib.suppress(ValueError):
                found.add(quopri.decodestring(shown.encode()).decode())
            for token in re.findall(r"[A-Za-z0-9+/=\n]{16,}|[A-Za-z0-9+=]{16,}|(?:[0-9A-F]{2} ){8,}", shown):
                for decode in (base64.b64decode, base64.b32decode, lambda text: bytes.fromhex(text)):
                    with contextlib.suppress(ValueError):
                        raw = decode(token)
                        found |= {raw.decode(code, "ignore") for code in ("utf-8", "utf-16-le", "latin-1")}
        found = {shown for shown in found if shown}
    return {shown.lower() for shown in found}


def _drawn(char: str) -> str:
    name = unicodedata.name(char, "")
    return name[-1].lower() if name.startswith(("REGIONAL", "NEGATIVE", "LATIN LETTER SMALL CAPITAL")) else char


def leaks(node) -> list[str]:
    seen = readings(json.dumps(node, ensure_ascii=False), 2) | {shown for leaf in _leaves(node) for shown in readings(leaf, 2)}
    return [secret for secret in SECRETS if any(secret in shown for shown in seen)]


def _leaves(node) -> list[str]:
    if isinstance(node, dict | list):
        items = [*node, *node.values()] if isinstance(node, dict) else node
        return [leaf for item in items for leaf in _leaves(item)]
    return [node] if isinstance(node, str) else []


@pytest.mark.parametrize("way", WAYS)
def test_nothing_gets_through_in_any_dress(way) -> None:
    assert leaks(clean(WAYS[way])) == []


@pytest.mark.parametrize(
    "way",
    [way for way in WAYS if "two" not in way and "three" not in way and "a list" not in way and "parts" not in way and "next" not in way],
)
def test_what_looks_for_leaks_sees_them(way) -> None:
    """The positive control: the same search finds something in what was not cleaned."""
    assert leaks(WAYS[way]) != []


def test_what_is_emphasised_and_harmless_keeps_its_marks_and_a_flag_its_tags() -> None:
    text = "See **clause 4** and <b>Annex 2</b>, \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f, a b c, MAX_VALUE, x = y + z."
    assert clean(text) == text


def test_two_messages_that_have_nothing_to_do_with_each_other_stay() -> None:
    node = user("legal_case_strategy__c is a field.", "What is the weather in May?", "Explain clause 4.", "12 units, please.")
    assert clean(node)["messages"][1:] == node["messages"][1:]


def test_what_was_cut_over_a_border_comes_back_for_the_caller() -> None:
    vault = Vault(b"k" * 32)
    node = user("send it to jane.roe@exam", "ple.com please")
    cleaned = SANITIZER.clean(node, Findings(vault))
    assert [vault.restore(message["content"]) for message in cleaned["messages"]] == [message["content"] for message in node["messages"]]


def test_cleaning_that_takes_too_long_is_refused() -> None:
    with pytest.raises(SanitizerRefusal):
        clean({"content": "Some text to look at."}, deadline=time.monotonic() - 1)


def test_a_matters_dictionary_is_taken_out_everywhere() -> None:
    terms = Terms(["Project Falcon"])
    assert "alcon" not in json.dumps(
        clean({"project falcon": [base64.b64encode(b"notes on project falcon").decode(), "PROJECT FALCON"]}, terms=terms)
    )


ROWS = [
    {"field": "Account.Budget__c", "level": "Internal"},
    {"field": "Risk__c", "level": "Restricted"},
    {"field": "Twice__c", "level": "Public"},
    {"field": "X.Twice__c", "level": "Confidential"},
]


def test_with_a_classification_an_unclassified_custom_field_is_privileged() -> None:
    sanitizer = Sanitizer(FieldRules(classification=build(ROWS)))
    node = {
        "Name": "1",
        "Budget__c": "2",
        "ns__Budget__c": "3",
        "Budget__r": {"Name": "4"},
        "Risk__c": "5",
        "Twice__c": "6",
        "Unknown__c": "7",
        "Unknown__r": {"a": 1},
    }
    assert set(sanitizer.clean(node, Findings(Vault(b"k" * 32)))) == {"Name", "Budget__c", "ns__Budget__c", "Budget__r"}
    assert "zebra" not in sanitizer.clean("note: Unknown__c: zebra plan", Findings(Vault(b"k" * 32)))


def test_an_open_field_of_a_compliance_group_is_replaced_whole_and_comes_back() -> None:
    rows = [
        {"field": "Contact.Nickname__c", "level": "Internal", "groups": "PII;GDPR"},
        {"field": "Stage__c", "level": "Internal", "groups": None},
    ]
    vault = Vault(b"k" * 32)
    node = {"Nickname__c": "the old fox", "Stage__c": "open", "ns__Nickname__c": ["the vixen"]}
    cleaned = Sanitizer(FieldRules(classification=build(rows))).clean(node, Findings(vault))
    assert cleaned["Stage__c"] == "open"
    assert "fox" not in str(cleaned)
    assert "vixen" not in str(cleaned)
    assert vault.restore(cleaned["Nickname__c"]) == "the old fox"


def test_field_metadata_is_read_as_the_platform_exports_it(tmp_path) -> None:
    xml = '<CustomField xmlns="http://soap.sforce.com/2006/04/metadata"><fullName>Budget__c</fullName><securityClassification>Public</securityClassification></CustomField>'
    (tmp_path / "Budget__c.field-meta.xml").write_text(xml)
    (tmp_path / "rows.json").write_text(
        json.dumps(
            {
                "records": [
                    {"QualifiedApiName": "Risk__c", "SecurityClassification": "Restricted"},
                    {"QualifiedApiName": "Age__c", "SecurityClassification": "Internal", "ComplianceGroup": "PII"},
                ]
            }
        )
    )
    found = load(tmp_path)
    assert (found.allowed, found.denied, found.personal) == (frozenset({"budget", "age"}), frozenset({"risk"}), frozenset({"age"}))
    (tmp_path / "bad.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]><x/>')
    with pytest.raises(ConfigError):
        load(tmp_path)


def test_a_long_path_is_read_in_linear_time() -> None:
    started = time.process_time()
    clean({"content": "a/" * 100_000 + " " + "abcdefghijklmnop/" * 10_000})
    assert time.process_time() - started < 5.0
