"""The CRM package by the scanner that shall find such code: it parses, and the only way out is the gateway's named credential."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curtilage.scan.apex_model import parse, text_of
from curtilage.scan.apex_program import Program
from curtilage.scan.apex_values import Values
from curtilage.scan.engine import scan
from curtilage.scan.index import Index
from curtilage.scan.texts import only_literal
from curtilage.scan.xmlread import read_xml

PACKAGE = Path(__file__).resolve().parents[3] / "salesforce"
CLASSES = sorted((PACKAGE / "force-app").rglob("*.cls"))
GATEWAY = frozenset({"gateway.legal.example"})


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_a_class_parses_declares_sharing_and_has_its_metadata(path: Path) -> None:
    found = parse(path.name, path.read_bytes())
    assert found.broken is None
    assert "with sharing class" in path.read_text()
    assert read_xml(path.with_name(f"{path.name}-meta.xml").read_bytes()).root.tag == "ApexClass"


def test_every_metadata_file_is_well_formed() -> None:
    paths = sorted((PACKAGE / "force-app").rglob("*-meta.xml"))
    assert len(paths) > 30
    for path in paths:
        assert read_xml(path.read_bytes()).root.children, path


def test_the_scanner_finds_the_named_credential_of_the_gateway_and_nothing_else() -> None:
    result = scan(PACKAGE, gateways=GATEWAY)
    assert [(item.finding.rule, item.finding.severity.label) for item in result.reported] == [("SF003", "note")]
    assert any("LocalModel.cls" in line for line in result.counts.mitigated)


def test_without_a_named_gateway_the_same_package_is_a_way_out() -> None:
    found = {item.finding.rule for item in scan(PACKAGE).reported}
    assert {"SF003", "SF010"} <= found or {"SF003", "SF011"} <= found


def test_the_apex_test_asserts_the_very_body_that_is_played_against_the_gateway() -> None:
    recorded = json.loads((PACKAGE / "contract" / "requests.json").read_bytes())[0]
    path = next(path for path in CLASSES if path.stem == "LocalModelTest")
    item = parse(path.name, path.read_bytes()).classes["localmodeltest"]
    field = item.fields["recorded_body"]
    from curtilage.scan.apex_model import Method

    text = only_literal(Values(Program(Index())).text(field.values[0], Method(item, "<field>", "f", [], field.values[0])))
    assert text is not None, text_of(field.values[0])
    assert json.loads(text) == recorded["body"]
