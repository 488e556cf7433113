"""If this fails, one of the two ways to run the pack serves other rules than the repository has, or none.

An official CLI runs the pack's directory through its language host, the engine built here runs the executable beside it. Both start the
same server, which is asked over its own protocol for what it judges by. No official CLI was here to start it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from curtilage.paths import CHECKOUT
from policies.rules import RULES

PACK = CHECKOUT / "policies"
FORMS = {"directory": [sys.executable, "-u", "."], "executable": ["./pulumi-analyzer-policy-python"]}


@contextmanager
def served(argv: list[str]) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """The pack as the engine starts it: with the engine's address and its own directory, the port on its first line."""
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    running = subprocess.Popen(
        [*argv, "127.0.0.1:1", str(PACK)], cwd=PACK, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        assert running.stdout is not None
        port = running.stdout.readline().strip()
        assert port.isdigit(), "the pack did not start"
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
    finally:
        running.terminate()
        running.wait(timeout=10)


@pytest.mark.parametrize("form", FORMS)
def test_either_form_serves_every_rule_as_mandatory_with_severity_requirements_and_fix(form: str) -> None:
    with served(FORMS[form]) as pack:
        info = pack.GetAnalyzerInfo(empty_pb2.Empty(), timeout=30)
    assert info.name == "curtilage"
    assert [item.name for item in info.policies] == [rule.name for rule in RULES]
    for item, rule in zip(info.policies, RULES, strict=True):
        assert item.enforcementLevel == analyzer_pb2.MANDATORY
        assert analyzer_pb2.PolicySeverity.Name(item.severity) == f"POLICY_SEVERITY_{rule.standing.severity.name}"
        assert item.framework.reference == ", ".join(rule.standing.frameworks)
        assert item.remediation_steps == rule.standing.fix


def test_the_directory_says_what_runs_it() -> None:
    assert yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text(encoding="utf-8"))["runtime"] == "python"
    assert os.access(PACK / "pulumi-analyzer-policy-python", os.X_OK)
