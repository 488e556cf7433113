"""Field classification in, rules out: the gateway's own sanitizer and the package's records agree, and nothing unclassified is open."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curtilage.crm import commands, fields, outputs
from curtilage.errors import ConfigError
from curtilage.sanitize.classification import load
from curtilage.scan.xmlread import read_xml

HEADER = "EntityDefinition.QualifiedApiName,QualifiedApiName,DataType,SecurityClassification,ComplianceGroup,BusinessStatus\n"
ROWS = [
    ("Case", "Subject", "Internal", ""),
    ("Case", "Budget__c", "Public", ""),
    ("Case", "Strategy_Sensitive__c", "Public", ""),
    ("Case", "Health__c", "Internal", "HIPAA;PII"),
    ("Case", "Deal__c", "Restricted", ""),
    ("Case", "New__c", "", ""),
]


def as_json(path: Path, rows: list[tuple[str, str, str, str]] = ROWS, **more: object) -> Path:
    records = [
        {
            "EntityDefinition": {"QualifiedApiName": owner},
            "QualifiedApiName": name,
            "SecurityClassification": level or None,
            "ComplianceGroup": groups or None,
        }
        for owner, name, level, groups in rows
    ]
    path.write_text(json.dumps({"status": 0, "result": {"records": records, "totalSize": len(records), "done": True, **more}}))
    return path


def as_csv(path: Path) -> Path:
    path.write_text("\ufeff" + HEADER + "".join(f'{owner},{name},Text,{level},"{groups}",\n' for owner, name, level, groups in ROWS))
    return path


def test_json_and_csv_of_one_query_say_the_same(tmp_path: Path) -> None:
    assert fields.read([as_json(tmp_path / "a.json")]) == fields.read([as_csv(tmp_path / "a.csv")])


def test_only_open_fields_outside_every_compliance_group_are_allowed(tmp_path: Path) -> None:
    found = fields.read([as_json(tmp_path / "a.json")])
    assert [item.name for item in found if item.closed_because is None] == ["Case.Budget__c", "Case.Subject"]


def test_the_gateways_own_reader_closes_what_the_import_closed(tmp_path: Path) -> None:
    found = fields.read([as_json(tmp_path / "a.json")])
    path = tmp_path / "out.json"
    path.write_text(outputs.classification(found))
    rules = load(path)
    assert {item.field for item in found if item.custom and rules.refuses(item.field)} == {
        "Strategy_Sensitive__c",
        "Health__c",
        "Deal__c",
        "New__c",
    }
    assert rules.refuses("Never_Seen__c")


def test_the_stricter_of_two_classifications_holds(tmp_path: Path) -> None:
    first = as_json(tmp_path / "a.json", [("Case", "X__c", "Public", "")])
    for level, kept in (("Restricted", "restricted"), ("", "")):
        second = as_json(tmp_path / "b.json", [("case", "x__C", level, "")])
        assert fields.read([first, second])[0].level == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"status":1,"message":"no such column"}',
        '{"result":{"records":[1]}}',
        HEADER + "Case,X__c\n",
        HEADER + "Case,X__c,Text,Secret,,\n",
        HEADER + "Case,../../X,Text,Public,,\n",
        "QualifiedApiName,SecurityClassification\nX__c,Public\n",
        HEADER,
        "\x00\xff",
    ],
)
def test_what_is_no_whole_query_result_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(text)
    with pytest.raises(ConfigError):
        fields.read([path])


def test_a_result_cut_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only 6 of 2001 rows"):
        fields.read([as_json(tmp_path / "a.json", totalSize=2001)])


def test_records_are_well_formed_and_their_names_are_developer_names(tmp_path: Path) -> None:
    long = "A_very_long_field_name_that_goes_on_and_on__c"
    found = fields.read(
        [as_json(tmp_path / "a.json", [*ROWS, ("Case", long, "Public", "A & B <c>"), ("Case", long[:-3] + "x__c", "Public", "")])]
    )
    names = [outputs.record_name(item) for item in found]
    assert len({name.lower() for name in names}) == len(names)
    assert all(len(name) <= 40 and "__" not in name and name.isidentifier() and not name.endswith("_") for name in names)
    for item in found:
        root = read_xml(outputs.record(item).encode()).root
        values = {value.get("field"): value.get("value") for value in root.all("values")}
        assert values["Field__c"] == item.field
        assert values["Allowed__c"] == ("true" if item.closed_because is None else "false")


def test_the_diff_comes_first_and_writing_needs_a_word(tmp_path: Path) -> None:
    package, source, target = tmp_path / "package", as_json(tmp_path / "a.json"), tmp_path / "gateway.json"
    (package / outputs.RECORDS).mkdir(parents=True)
    (package / "sfdx-project.json").write_text("{}")
    stale = package / outputs.RECORDS / "Curtilage_Field.Case_Gone_c.md-meta.xml"
    stale.write_text(outputs.record(fields.CrmField("Case", "Gone__c", "public")))
    arguments = ["import", str(source), "--classification", str(target), "--package", str(package)]
    shown = CliRunner().invoke(commands.app, [*arguments, "--json"])
    document = json.loads(shown.stdout)
    assert (shown.exit_code, document["written"], document["unclassified"]) == (0, False, ["Case.New__c"])
    assert not target.exists()
    assert "Case.Budget__c" in document["diff"]
    assert CliRunner().invoke(commands.app, [*arguments, "--write"]).exit_code == 0
    assert not stale.exists()
    again = json.loads(CliRunner().invoke(commands.app, [*arguments, "--json"]).stdout)
    assert again["diff"] == ""
