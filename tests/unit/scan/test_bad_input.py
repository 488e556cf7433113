# ruff: noqa: E501 -- hostile sources are clearer on one line
"""Broken, hostile and oversized files: told as findings, escaped in every report, and never the end of the scan."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import jsonschema
import pytest

from curtilage.scan import commands, files, report_html, report_sarif, report_table
from curtilage.scan.engine import Result, scan
from curtilage.scan.model import Severity
from curtilage.verdict import Verdict

SCHEMA = json.loads((Path(__file__).parent / "sarif-schema-2.1.0.json").read_bytes())
CALL = "public class {name} {{ void f() {{ HttpRequest r = new HttpRequest(); r.setEndpoint('{url}'); }} }}"


def write(root: Path, **contents: str) -> Result:
    for name, content in contents.items():
        (root / name.replace("__dot__", ".")).write_text(content)
    return scan(root)


def rules(result: Result) -> list[str]:
    return [item.finding.rule for item in result.reported]


def test_broken_apex_is_told_and_still_read(tmp_path: Path) -> None:
    result = write(
        tmp_path, A__dot__cls="public class A { void f( { HttpRequest r = new HttpRequest(); r.setEndpoint('https://api.openai.com/v1'); } "
    )
    assert rules(result) == ["SF090", "SF011"]


@pytest.mark.parametrize(
    "text",
    [
        "<RemoteSiteSetting><url>",
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><RemoteSiteSetting><url>&x;</url></RemoteSiteSetting>',
        '<!DOCTYPE r [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><Flow><label>&b;</label></Flow>',
        "<Flow>" + "<a>" * 100_000,
        '<?xml version="1.0" encoding="x-unheard-of"?><Flow/>',
        "",
        "no markup at all",
    ],
    ids=["cut", "outside-entity", "growing-entity", "deep", "encoding", "empty", "text"],
)
def test_broken_or_hostile_metadata_is_told_and_the_rest_is_read(text: str, tmp_path: Path) -> None:
    result = write(tmp_path, a__dot__cls=CALL.format(name="A", url="https://x.example/"), **{"s__dot__remoteSite-meta__dot__xml": text})
    assert rules(result) == ["SF010", "SF090"]
    assert "root:" not in str(report_table.document(result, "FAIL"))


def test_metadata_in_utf_16_is_read(tmp_path: Path) -> None:
    text = '<?xml version="1.0" encoding="UTF-16"?><RemoteSiteSetting><url>https://api.openai.com</url></RemoteSiteSetting>'
    (tmp_path / "s.remoteSite-meta.xml").write_bytes(text.encode("utf-16"))
    assert rules(scan(tmp_path)) == ["SF001"]


def test_binary_and_oversized_files_are_told_apart_from_clean_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    (tmp_path / "Bin.cls").write_bytes(b"public class A {\0}")
    (tmp_path / "Big.cls").write_text("public class B { /* " + "x" * 2000 + " */ }")
    (tmp_path / "image.png").write_bytes(b"\x89PNG\0\0")
    assert rules(scan(tmp_path)) == ["SF090", "SF090"]


def test_links_out_of_the_tree_are_not_followed_and_circles_end(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "A.cls").write_text(CALL.format(name="A", url="https://x.example/"))
    (inside / "out").symlink_to(outside)
    (inside / "A.cls").symlink_to(outside / "A.cls")
    (inside / "again").symlink_to(inside)
    result = scan(inside)
    assert rules(result) == ["SF090", "SF090"]
    assert {item.finding.place.path for item in result.reported} == {"A.cls", "out"}


def test_a_pipe_does_not_hold_the_scan_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "A.cls")
    assert rules(scan(tmp_path)) == []


def test_deep_and_circular_code_ends(tmp_path: Path) -> None:
    result = write(
        tmp_path,
        Deep__dot__cls="public class Deep { void f() { HttpRequest r; r.setEndpoint(" + "(" * 3000 + "'https://x.example'" + ")" * 3000 + "); } }",
        Long__dot__cls="public class Chain { void f() { HttpRequest r; r.setEndpoint('https://x.example/' + " + " + ".join(["'a'"] * 5000) + "); } }",
        Round__dot__cls="public class Round { String f(String a) { return g(a); } String g(String a) { return f(a); } void h() { HttpRequest r; r.setEndpoint(f('x')); } }",
        Nested__dot__cls="class A {" * 3000 + "}" * 3000,
        js__dot__js="fetch(" + "(" * 20000 + "'https://x.example'" + ")" * 20000 + ")",
    )  # fmt: skip
    by_path = {item.finding.place.path: item.finding for item in result.reported}
    assert by_path["Long.cls"].rule == "SF010"
    assert {by_path[path].cannot_tell for path in ("Deep.cls", "Round.cls", "Nested.cls", "js.js")} == {True}


def test_archives_are_read_with_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "lib.resource", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../chat.js", "fetch('https://api.openai.com/v1/responses')")
    assert rules(scan(tmp_path)) == ["SF051"]
    monkeypatch.setattr(files, "MAX_ZIP_BYTES", 10)
    assert rules(scan(tmp_path)) == ["SF090"]


def hostile(root: Path) -> Result:
    (root / "<img src=x onerror=alert(1)>\x1b[31m.cls").write_text(
        CALL.format(name="A", url="https://x.example/\u202e</td><script>alert(1)</script>\x1b]0;t\x07")
    )
    with open(os.fsencode(root) + b"/\xff\xfe.cls", "w") as stream:  # noqa: PTH123 -- a name that is no text
        stream.write(CALL.format(name="B", url="https://y.example/"))
    result = scan(root)
    assert len(result.reported) == 2
    return result


def test_hostile_names_are_escaped_in_the_table(tmp_path: Path) -> None:
    lines = report_table.table(hostile(tmp_path))
    assert all(line.isprintable() and "\u202e" not in line for line in lines)


def test_hostile_names_are_escaped_in_the_page(tmp_path: Path) -> None:
    page = report_html.html(hostile(tmp_path), "FAIL")
    assert "<script" not in page
    assert "<img" not in page
    assert "\x1b" not in page


def test_the_page_needs_nothing_from_outside(tmp_path: Path) -> None:
    page = report_html.html(hostile(tmp_path), "FAIL")
    assert "default-src 'none'" in page
    assert " src=" not in page.replace("&lt;img src=x", "")
    assert 'href="http' not in page


def test_sarif_is_valid_against_the_standards_schema(tmp_path: Path) -> None:
    document = report_sarif.sarif(hostile(tmp_path))
    jsonschema.Draft4Validator(SCHEMA).validate(json.loads(json.dumps(document)))
    assert all(":" not in item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for item in document["runs"][0]["results"])


def test_two_scans_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "CAB":
        (tmp_path / f"{name}.cls").write_text(CALL.format(name=name, url=f"https://{name}.example/"))
    first, second = (json.dumps(report_table.document(scan(tmp_path), "FAIL")) for _ in range(2))
    assert first == second
    assert [item.finding.place.path for item in scan(tmp_path).reported] == ["A.cls", "B.cls", "C.cls"]


def test_a_suppression_needs_a_rule_and_a_reason_and_stands_in_a_comment(tmp_path: Path) -> None:
    source = "public class A {{ void f() {{ HttpRequest r;\n {} \n r.setEndpoint('https://x.example'); }} }}"
    for comment, expected in (
        ("// curtilage:ignore SF010 because the host is ours", "the host is ours"),
        ("/* curtilage:ignore SF011, SF010 because the host is ours */", "the host is ours"),
        ("// curtilage:ignore SF010", None),
        ("// curtilage:ignore because it is fine", None),
        ("// curtilage:ignore SF011 because it is fine", None),
        ("String s = 'curtilage:ignore SF010 because it is fine';", None),
    ):
        result = write(tmp_path, A__dot__cls=source.format(comment))
        assert [item.suppressed for item in result.reported if item.finding.rule == "SF010"] == [expected], comment


def test_a_suppression_in_metadata_covers_its_element(tmp_path: Path) -> None:
    text = (
        "<Workflow>\n<!-- curtilage:ignore SF040 because it goes to our own archive -->\n<outboundMessages>\n<fullName>A</fullName>\n"
        "<endpointUrl>https://a.example</endpointUrl>\n</outboundMessages>\n<outboundMessages>\n<fullName>B</fullName>\n"
        "<endpointUrl>https://b.example</endpointUrl>\n</outboundMessages>\n</Workflow>"
    )
    result = write(tmp_path, **{"Case__dot__workflow-meta__dot__xml": text.replace("<Workflow>", "<Workflow>\n<rules/>")})
    assert [item.suppressed for item in result.reported] == ["it goes to our own archive", None]


def test_a_baseline_survives_edits_elsewhere_in_the_file_and_covers_nothing_new(tmp_path: Path) -> None:
    from curtilage.scan.suppress import read_baseline, write_baseline

    project, baseline = tmp_path / "p", tmp_path / "baseline.json"
    project.mkdir()
    write_baseline(baseline, write(project, A__dot__cls=CALL.format(name="A", url="https://x.example/")).reported)
    (project / "A.cls").write_text("// a new first line\n" + CALL.format(name="A", url="https://x.example/"))
    (project / "B.cls").write_text(CALL.format(name="B", url="https://y.example/"))
    result = scan(project, baseline=read_baseline(baseline))
    assert [(item.finding.place.path, item.counts) for item in result.reported] == [("A.cls", False), ("B.cls", True)]


def test_what_could_not_be_told_is_not_proven_and_never_passes(tmp_path: Path) -> None:
    result = write(tmp_path, A__dot__cls="public class A { void f(String u) { HttpRequest r; r.setEndpoint(u); } }")
    assert commands.judge(result.reported, commands.FailOn.MEDIUM) is Verdict.NOT_PROVEN
    assert commands.judge(result.reported, commands.FailOn.HIGH) is Verdict.PASS
    assert result.reported[0].finding.severity is Severity.MEDIUM
