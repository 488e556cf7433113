"""The command: formats, exit codes, mistakes told, and the live mode with a stand-in for the platform's CLI."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curtilage.errors import ConfigError, MachineError, StepError
from curtilage.scan import commands

CALL = "public class A { void f() { HttpRequest r = new HttpRequest(); r.setEndpoint('https://api.openai.com/v1/x'); } }"
# Stands in for the `sf` command: writes what a retrieve would, and what it was asked.
SF = """#!/bin/sh
# stand-in for the Salesforce CLI
echo "$@" > "{log}"
test "$4" = --target-org || exit 9
test "$5" = broken && {{ echo '{{"message":"no such org"}}'; exit 1; }}
mkdir -p force-app/main/default/classes
printf '%s' "{source}" > force-app/main/default/classes/A.cls
"""


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands.app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "A.cls").write_text(CALL)
    return tmp_path / "project"


def test_findings_fail_and_lines_can_be_clicked(project: Path) -> None:
    code, said = invoke(str(project))
    assert code == 1
    assert said.startswith("A.cls:1:64: high SF011 [AI] calls OpenAI")


def test_json_is_one_document(project: Path) -> None:
    code, said = invoke(str(project), "--json")
    document = json.loads(said)
    assert (code, document["verdict"], [item["rule"] for item in document["findings"]]) == (1, "FAIL", ["SF011"])


def test_the_severity_that_fails_can_be_chosen(project: Path) -> None:
    assert invoke(str(project), "--fail-on", "critical")[0] == 0
    assert invoke(str(project), "--fail-on", "never")[0] == 0


def test_what_cannot_be_told_has_an_exit_code_of_its_own(project: Path) -> None:
    (project / "A.cls").write_text("public class A { void f(String u) { HttpRequest r = new HttpRequest(); r.setEndpoint(u); } }")
    assert invoke(str(project))[0] == 3


def test_reports_are_written_to_files(project: Path, tmp_path: Path) -> None:
    for form, begins in (("sarif", "{"), ("html", "<!doctype html>"), ("json", "{"), ("table", "A.cls:1")):
        target = tmp_path / form
        assert invoke(str(project), "--format", form, "--output", str(target)) == (1, "")
        assert target.read_text().startswith(begins)


def test_the_gateway_mitigates_only_by_its_host(tmp_path: Path) -> None:
    credential = '<NamedCredential xmlns="http://soap.sforce.com/2006/04/metadata"><endpoint>{}</endpoint></NamedCredential>'
    (tmp_path / "A.cls").write_text(CALL.replace("https://api.openai.com/v1/x", "callout:Curtilage_Gateway/v1/x"))
    for address, code in (
        ("https://gateway.legal.example", 0),
        ("https://api.openai.com", 1),
        ("https://gateway.legal.example.evil.example", 1),
        ("https://evil.example/gateway.legal.example", 1),
        ("https://gateway.legal.example@evil.example", 1),
    ):
        (tmp_path / "Curtilage_Gateway.namedCredential-meta.xml").write_text(credential.format(address))
        assert invoke(str(tmp_path), "--gateway", "gateway.legal.example")[0] == code, address
    assert invoke(str(tmp_path))[0] == 1


def test_a_name_that_code_goes_on_writing_is_not_the_gateways(tmp_path: Path) -> None:
    address = '<NamedCredential xmlns="http://soap.sforce.com/2006/04/metadata"><endpoint>https://gateway.legal.example</endpoint></NamedCredential>'
    (tmp_path / "Gw.namedCredential-meta.xml").write_text(address)
    for expression, code in (("'callout:Gw/' + p", 0), ("'callout:Gw' + p", 3), ("'callout:G' + p", 3)):
        (tmp_path / "A.cls").write_text(
            f"public class A {{ void f(String p) {{ HttpRequest r = new HttpRequest(); r.setEndpoint({expression}); }} }}"
        )
        assert invoke(str(tmp_path), "--gateway", "gateway.legal.example")[0] == code, expression


def test_mistakes_are_told(project: Path, tmp_path: Path) -> None:
    no_baseline = [str(project), "--baseline", str(project / "A.cls")]
    for arguments in ([], [str(project), "--org", "x"], [str(tmp_path / "none")], [str(project), "--gateway", "https://x"], no_baseline):
        with pytest.raises(ConfigError):
            invoke(*arguments, "--fail-on", "high")


@pytest.fixture
def sf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sf").write_text(SF.format(log=tmp_path / "asked", source=CALL))
    (tools / "sf").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return tmp_path / "asked"


def test_an_org_is_retrieved_by_its_own_cli_scanned_and_removed(sf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, said = invoke("--org", "legal")
    assert code == 1
    assert "force-app/main/default/classes/A.cls:1:64" in said
    assert "project retrieve start --target-org legal" in sf.read_text()
    assert not list(tmp_path.glob("curtilage-scan-*"))


def test_a_failed_retrieve_is_no_clean_scan(sf: Path) -> None:
    with pytest.raises(StepError, match="no such org"):
        invoke("--org", "broken")


def test_without_the_cli_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MachineError, match="npm install"):
        invoke("--org", "legal")
