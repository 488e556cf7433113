"""If these fail, a document that nobody would write ends in a traceback, or is taken for a sealed region."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from curtilage.errors import ConfigError
from curtilage.proof.aws.plan import UNKNOWN
from curtilage.proof.kubernetes import prove_manifests
from curtilage.proof.kubernetes.build import build
from curtilage.proof.kubernetes.flows import Flow, Flows
from curtilage.proof.kubernetes.objects import Manifests, make_object
from curtilage.verdict import Verdict
from tests.sabotage.kubernetes.cluster import SCOPE, sealed_region
from tests.sabotage.kubernetes.mutations import BENIGN, SABOTAGE

JUNK: tuple[Any, ...] = (
    None,
    [],
    {},
    "x",
    "",
    0,
    -1,
    1.5,
    True,
    False,
    [None],
    [[]],
    {"x": None},
    UNKNOWN,
    [UNKNOWN],
    {"matchLabels": UNKNOWN},
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from places(inner)


def wide_region() -> list[dict[str, Any]]:
    """The sealed region with every kind of object the corpus knows."""
    region = sealed_region()
    for name in ("a port of the host", "a network file system outside", "an external name", "a service with endpoints outside"):
        SABOTAGE[name][0](region)
    for name in ("a job", "a resolver that asks nobody", "one more deny in the admin tier", "an ingress rule for monitoring"):
        BENIGN[name](region)
    return list(region.documents())


@pytest.mark.parametrize("seed", range(int(os.environ.get("CURTILAGE_EXAMPLES", "60")) // 6))
def test_junk_anywhere_is_judged_or_refused_and_never_a_traceback(seed: int) -> None:
    chosen = random.Random(seed)
    for _ in range(4):
        documents = copy.deepcopy(wide_region())
        for _ in range(chosen.randint(1, 3)):
            holder, key = chosen.choice([place for document in documents for place in places(document)])
            holder[key] = chosen.choice(JUNK)
        try:
            manifests = Manifests(
                tuple(make_object(item, f"{number}.yaml") for number, item in enumerate(documents) if item.get("kind")), ""
            )
        except (ConfigError, TypeError):
            continue
        prove_manifests(manifests, SCOPE)
        flow = Flow.model_validate({"source": "legal-models/vllm", "destination": "legal-evidence/evidence-store", "port": 8443})
        Flows(build(manifests)).answer(flow)


@pytest.mark.parametrize("junk", range(len(JUNK)))
def test_no_junk_in_a_lone_default_deny_proves_anything_that_it_does_not_say(junk: int) -> None:
    """Whatever stands in place of a part of the only lock, it passes just where the policy still selects every pod and isolates egress."""
    meta = {"name": "deny", "namespace": "legal"}
    spec = {"podSelector": {"matchLabels": {}}, "policyTypes": ["Egress"], "egress": [], "ingress": []}
    base = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
    for number in range(len(list(places(base["spec"])))):
        document = copy.deepcopy(base)
        holder, key = list(places(document["spec"]))[number]
        holder[key] = JUNK[junk]
        proof = prove_manifests(Manifests((make_object(document, "a.yaml"),), ""))
        spec = document["spec"]
        sound = (
            (spec["podSelector"] is None or spec["podSelector"] in ({}, {"matchLabels": {}}, {"matchLabels": None}))
            and spec["policyTypes"] == ["Egress"]
            and (spec["egress"] is None or spec["egress"] == [])
            and (spec["ingress"] is None or spec["ingress"] == [] or spec["ingress"] == [None])
        )
        assert (proof.verdict is Verdict.PASS) == sound, (spec, proof.findings)


def test_reading_what_we_write_gives_the_same_verdict_in_either_notation(tmp_path: Any) -> None:
    from curtilage.proof.kubernetes import read_manifests

    documents = list(sealed_region().documents())
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all(documents))
    (tmp_path / "b.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
    verdicts = {name: prove_manifests(read_manifests(tmp_path / name), SCOPE) for name in ("a.yaml", "b.json")}
    assert {proof.verdict for proof in verdicts.values()} == {Verdict.PASS}
