"""If these fail, a manifest is taken for less than it says, or a reader is told something unclear, or too much."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from curtilage.errors import ConfigError
from curtilage.proof.commands import app
from curtilage.proof.kubernetes import prove_manifests, read_manifests
from curtilage.verdict import Verdict

DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: legal}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
"""
SECRET = "hunter2-of-the-partner"


def written(folder: Path, text: str | bytes, name: str = "a.yaml") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yaml", "a: [1\n", "not YAML"),
        ("a.yaml", f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\nstringData:\n  k: {SECRET}\n  k: 1\n", "appears twice at line 6"),
        ("a.json", '{"apiVersion": "v1", "kind": "Pod", "kind": "Job", "metadata": {"name": "x"}}', "a key appears twice"),
        ("a.json", f'{{"apiVersion": "{SECRET}', "not JSON at line 1"),
        ("a.yaml", "{{ if .Values.x }}\nkind: Pod\n", "not YAML"),
        ("a.yaml", "x: 1\n", "without apiVersion and kind"),
        ("a.yaml", "just text\n", "without apiVersion and kind"),
        ("a.yaml", "apiVersion: v1\nkind: Pod\n", "without metadata"),
        ("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {}\n", "without a name"),
        ("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: [a]}\n", "its namespace is no text"),
        ("a.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n", "a kustomization"),
        ("a.yaml", "", "no document"),
        ("a.yaml", b"\xff\xfe\x00\xd8", "not "),
        ("a.yaml", "a: &a [*a]\n", "not YAML"),
        ("a.yaml", "[" * 5000 + "]" * 5000, "nested too deep"),
        ("a.json", '{"a":' * 5000 + "1" + "}" * 5000, "nested too deep"),
        ("a.yaml", "a: !!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused_with_a_place_and_no_content(tmp_path: Path, name: str, text: str | bytes, says: str) -> None:
    file = written(tmp_path, text, name)
    with pytest.raises(ConfigError) as caught:
        read_manifests(file)
    assert says in str(caught.value) or (says == "nested too deep" and "not YAML" in str(caught.value))
    assert name in str(caught.value)
    assert SECRET not in str(caught.value)


def test_aliases_that_unfold_without_end_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(ConfigError, match="not YAML"):
        read_manifests(written(tmp_path, "\n".join(lines)))


def test_honest_aliases_are_read(tmp_path: Path) -> None:
    text = DENY.replace("spec:", "spec: &s").replace("}\nspec", "}\nspec") + "---\n" + DENY.replace("name: deny", "name: deny-2")
    assert len(read_manifests(written(tmp_path, text)).objects) == 2


@pytest.mark.parametrize(("name", "most"), [("a.json", 96), ("a.yaml", 16)])
def test_a_huge_file_is_refused_without_being_held(tmp_path: Path, name: str, most: int) -> None:
    file = tmp_path / name
    with file.open("wb") as stream:
        stream.write(b"{" if name.endswith("json") else b"#")
        stream.truncate(200 << 20)
    with pytest.raises(ConfigError, match=f"more than {most} MiB"):
        read_manifests(file)


def test_lists_directories_and_typed_lists_are_read_alike(tmp_path: Path) -> None:
    one = {"metadata": {"name": "deny", "namespace": "legal"}, "spec": {"podSelector": {}, "policyTypes": ["Egress"]}}
    api = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    as_list = {"apiVersion": "v1", "kind": "List", "items": [{**api, **one}]}
    typed = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicyList", "items": [one]}
    for number, document in enumerate((as_list, typed)):
        folder = tmp_path / str(number) / "deep" / "er"
        folder.mkdir(parents=True)
        written(folder, orjson.dumps(document), "x.json")
        written(folder, "not a manifest", "README.md")
        proof = prove_manifests(read_manifests(tmp_path / str(number)))
        assert proof.verdict is Verdict.PASS, proof.findings


def test_a_directory_without_manifests_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.yaml"):
        read_manifests(tmp_path)


def test_values_that_yaml_reads_oddly_do_not_become_something_else(tmp_path: Path) -> None:
    odd = DENY.replace("podSelector: {}", "podSelector: {matchLabels: {a: yes}}")
    proof = prove_manifests(read_manifests(written(tmp_path, odd)))
    assert "K8S-UNKNOWN" in {item.id for item in proof.findings}
    ports = DENY.replace("Egress]", "Egress], egress: [{ports: [{port: 22:22}]}]")
    proof = prove_manifests(read_manifests(written(tmp_path, ports)))
    assert proof.verdict is Verdict.NOT_PROVEN


def test_an_object_defined_twice_differently_is_undecided_and_twice_alike_is_one(tmp_path: Path) -> None:
    assert prove_manifests(read_manifests(written(tmp_path, DENY + "---" + DENY))).verdict is Verdict.PASS
    other = DENY.replace("Ingress, Egress", "Egress")
    assert prove_manifests(read_manifests(written(tmp_path, DENY + "---" + other))).verdict is Verdict.NOT_PROVEN


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(item) for item in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_verb_ends_with_the_verdicts_code_and_one_document(tmp_path: Path) -> None:
    good = written(tmp_path, DENY)
    code, out = run("--manifests", good, "--json")
    assert code == 0
    assert orjson.loads(out)["verdict"] == "PASS"
    bad = written(tmp_path, DENY.replace("Egress]", "Egress], egress: [{}]"), "bad.yaml")
    code, out = run("--manifests", bad, "--json")
    document = orjson.loads(out)
    assert code == 1
    (finding,) = [item for item in document["findings"] if item["verdict"] == "FAIL"]
    assert finding["counterexample"]["destination"] == "198.51.100.10"
    assert any("bad.yaml" in step for step in finding["path"])
    unknown = written(tmp_path, DENY + "---\napiVersion: example.com/v1\nkind: Odd\nmetadata: {name: x, namespace: legal}\n", "odd.yaml")
    assert run("--manifests", unknown)[0] == 3


def test_the_verb_reads_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["--manifests", "-"], input=DENY)
    assert result.exit_code == 0, result.stdout
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(DENY.encode())))
    assert len(read_manifests(Path("-")).objects) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--manifests", "x.yaml", "--nft", "y"),
        ("--namespace", "legal"),
        ("--manifests", "x.yaml", "--plan", "y"),
        ("--manifests", "no-such-file"),
    ],
)
def test_subjects_that_do_not_go_together_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        run(*arguments)


def test_flows_answer_one_verdict_a_line(tmp_path: Path) -> None:
    pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: legal}\nspec: {containers: []}\n"
    file = written(tmp_path, DENY + pod)
    flows = written(
        tmp_path,
        '{"source": "legal/a", "destination": "203.0.113.9", "port": 443}\n\n'
        '{"source": "203.0.113.9", "destination": "198.51.100.1", "protocol": "udp", "port": 53}\n'
        '{"from": {"namespace": "legal", "labels": {}}, "to": {"ip": "2001:db8::1"}, "protocol": "ICMPv6"}\n',
        "flows.jsonl",
    )
    code, out = run("flows", "--manifests", file, "--flows", flows)
    assert (code, out.split()) == (0, ["deny", "allow", "not_proven"])
    code, out = run("flows", "--manifests", file, "--flows", flows, "--json")
    assert [item["verdict"] for item in orjson.loads(out)["verdicts"]] == ["deny", "allow", "not_proven"]
    code, out = run("flows", "--manifests", file)
    assert code == 0
    assert "not_proven\tPod legal/a" in out


@pytest.mark.parametrize(
    "line", ["{", '{"source": "a"}', "[]",
             '{"source": "x/a", "destination": "x/b", "port": 0}',
             '{"source": "x/a", "destination": "x/b", "tcp": 1}',
             '{"source": "x/a", "destination": {"pod": "b"}}', '{"source": "x/a", "destination": "x/b", "protocol": "quic"}'],
)  # fmt: skip
def test_a_flow_that_cannot_be_read_names_its_line(tmp_path: Path, line: str) -> None:
    flows = written(tmp_path, line, "flows.jsonl")
    with pytest.raises(ConfigError, match=r"flows\.jsonl:1"):
        run("flows", "--manifests", written(tmp_path, DENY), "--flows", flows)


def test_a_service_answers_for_the_pods_behind_it_and_a_named_port_for_its_number(tmp_path: Path) -> None:
    text = """
apiVersion: v1
kind: Namespace
metadata: {name: legal}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: legal}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: legal}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: legal}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: http}]}]}
"""
    lines = [
        {"source": {"namespace": "legal", "labels": {}}, "destination": {"namespace": "legal", "service": "web"}, "port": 80},
        {"source": {"namespace": "legal", "labels": {}}, "destination": {"namespace": "legal", "service": "web"}, "port": 81},
        {"source": {"namespace": "legal", "labels": {}}, "destination": "legal/web", "port": 8080},
        {"source": {"namespace": "legal", "labels": {}}, "destination": "legal/web", "port": 80},
        {"source": {"namespace": "legal", "labels": {}}, "destination": "legal/web", "port": "http"},
        {"source": {"namespace": "legal", "labels": {}}, "destination": "legal/web-7d4b9-x2x", "port": 8080},
        {"source": {"namespace": "legal", "labels": {}}, "destination": "legal/unheard-of", "port": 8080},
    ]
    flows = written(tmp_path, b"\n".join(map(orjson.dumps, lines)), "f.jsonl")
    _, out = run("flows", "--manifests", written(tmp_path, text), "--flows", flows)
    assert out.split() == ["allow", "deny", "allow", "deny", "allow", "allow", "not_proven"]
