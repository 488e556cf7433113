"""If this fails, a cluster is given something else than the region says: another way to talk, a card it lacks, a false configuration."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from curtilage.derive.aws.guardrails import resource_control_policy, service_control_policy
from curtilage.derive.aws.names import bucket, endpoints, log_days, subnets
from curtilage.derive.aws.policies import endpoint_policy
from curtilage.derive.kubernetes.admission_pods import FLAGS
from curtilage.derive.kubernetes.gateway import gateway_config
from curtilage.derive.kubernetes.manifests import logical_name, manifests, rendered
from curtilage.derive.kubernetes.names import SEALED
from curtilage.derive.serving import serving
from curtilage.errors import ConfigError
from curtilage.models.manifest import Quantization
from curtilage.paths import cache_dir
from curtilage.region import Region, load_region
from curtilage.region_parts import CARDS
from lab.providers.schema import Schema, problems

CLUSTERS = ["fr-paris", "nl-amsterdam", "de-frankfurt"]
SCHEMA = Schema("pulumi_kubernetes")
VLLM_METRICS = {
    "vllm:generation_tokens",
    "vllm:inter_token_latency_seconds",
    "vllm:kv_cache_usage_perc",
    "vllm:num_preemptions",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:prompt_tokens",
    "vllm:request_queue_time_seconds",
    "vllm:request_success",
    "vllm:time_to_first_token_seconds",
}
"""What vLLM 0.32 declares (vllm/v1/metrics/loggers.py) of what the region's dashboards and alerts ask for."""


def objects(name: str) -> list[dict[str, Any]]:
    return [item for items in manifests(load_region(name)).values() for item in items]


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_object_is_what_the_sdk_knows_and_has_a_name_of_its_own(name: str) -> None:
    named = [logical_name(item) for item in objects(name)]
    assert len(named) == len(set(named))
    for item in objects(name):
        version = item["apiVersion"]
        kind = f"kubernetes:{version if '/' in version else f'core/{version}'}:{item['kind']}"
        if SCHEMA.knows(kind):
            assert problems(SCHEMA.type(kind), item) == [], kind
        else:
            assert item["kind"] in ("ClusterNetworkPolicy", "PodMonitor", "PrometheusRule"), kind


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_sealed_namespace_denies_both_ways_and_no_pod_has_a_resolver(name: str) -> None:
    found = objects(name)
    denied = {
        item["metadata"]["namespace"] for item in found if item["kind"] == "NetworkPolicy" and item["metadata"]["name"] == "default-deny"
    }
    assert denied == set(SEALED)
    for item in found:
        if item["kind"] in ("Deployment", "StatefulSet"):
            assert item["spec"]["template"]["spec"]["dnsPolicy"] == "None"
            assert item["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_container_whose_root_is_read_only_has_a_place_for_temporary_files(name: str) -> None:
    found = 0
    for item in (item for item in objects(name) if item["kind"] in ("Deployment", "StatefulSet")):
        pod = item["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, container["name"]
            found += 1
    assert found >= 3


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_gateway_accepts_its_configuration_and_sends_only_to_services_of_the_region(name: str) -> None:
    from curtilage.gateway.config import GatewayConfig  # the gateway's own code loads in a second; one test needs it

    region = load_region(name)
    config = GatewayConfig.model_validate(gateway_config(region))
    services = {item["spec"]["clusterIP"] for item in objects(name) if item["kind"] == "Service"}
    assert config.upstreams
    assert {url.removeprefix("http://").rsplit(":", 1)[0] for url in config.upstreams} <= services


@pytest.mark.parametrize("name", CLUSTERS)
def test_no_allowance_no_destination_outside(name: str) -> None:
    text = rendered(tuple(item for item in objects(name) if item["kind"] == "NetworkPolicy"))
    egress = [rule for item in yaml.safe_load_all(text) for rule in item["spec"].get("egress", [])]
    assert not [peer for rule in egress for peer in rule["to"] if "ipBlock" in peer]


def allowing() -> Region:
    item = {
        "id": "time-authority", "destination": "198.51.100.7/32", "protocol": "udp", "ports": [123], "from_role": "gateway",
        "owner": "Security", "reason": "signed time for checkpoints", "expires": "2999-01-31",
    }  # fmt: skip
    return Region.model_validate(load_region("fr-paris").document() | {"allowances": [item]})


def test_an_allowance_is_one_policy_one_pass_and_one_destination_of_admission() -> None:
    found = [item for items in manifests(allowing()).values() for item in items]
    policy = next(item for item in found if item["metadata"]["name"] == "allowance-time-authority")
    assert policy["metadata"]["namespace"] == "legal-gateway"
    assert policy["spec"]["egress"] == [{"to": [{"ipBlock": {"cidr": "198.51.100.7/32"}}], "ports": [{"protocol": "UDP", "port": 123}]}]
    assert policy["metadata"]["annotations"]["curtilage.dev/expires"] == "2999-01-31"
    seal = next(item for item in found if item["kind"] == "ClusterNetworkPolicy")
    passes = [rule for rule in seal["spec"]["egress"] if rule["action"] == "Pass" and "networks" in rule["to"][0]]
    assert passes == [
        {
            "name": "allowance-time-authority",
            "action": "Pass",
            "to": [{"networks": ["198.51.100.7/32"]}],
            "protocols": [{"udp": {"destinationPort": {"number": 123}}}],
        }
    ]
    assert [rule["action"] for rule in seal["spec"]["egress"]][-2:] == ["Deny", "Deny"]
    admission = next(item for item in found if item["metadata"]["name"] == "legal-policies-stay-shut" and "validations" in item["spec"])
    assert "'198.51.100.7/32'" in json.dumps(admission)


@pytest.mark.parametrize(
    ("card", "model", "variant", "cards"),
    [
        ("L4", "mistral-7b-instruct", Quantization.AWQ_INT4, 1),
        ("A10G", "mistral-7b-instruct", Quantization.AWQ_INT4, 1),
        ("L40S", "mistral-7b-instruct", Quantization.FP8, 1),
        ("A100-80", "qwen3-14b", Quantization.BF16, 1),
        ("H100", "qwen3-14b", Quantization.FP8, 1),
    ],
)
def test_the_card_decides_the_variant(card: str, model: str, variant: Quantization, cards: int) -> None:
    document = load_region("fr-paris").document()
    document["models"] = [{"name": model, "manifest": f"model_images/{model}/manifest.yaml", "image": None, "weights": None}]
    document["kubernetes"]["gpu"] = {"card": card, "nodes": 2, "per_node": 1}
    found = serving(Region.model_validate(document))[0]
    assert (found.variant, found.cards, found.replicas) == (variant, cards, 2)
    assert card in found.why
    assert CARDS[card].memory_gib


def test_an_embedding_model_is_pooled_on_a_service_of_its_own_and_the_gateway_is_told_its_task() -> None:
    document = load_region("fr-paris").document()
    document["models"] += [document["models"][0] | {"name": "embedder", "task": "embed"}]
    region = Region.model_validate(document)
    found = [item for items in manifests(region).values() for item in items]
    models = {item["metadata"]["name"]: item for item in found if item["kind"] == "Deployment"}
    args = {name: item["spec"]["template"]["spec"]["containers"][0]["args"] for name, item in models.items()}
    pooling = {"--runner=pooling", "--convert=embed"}
    assert {name for name, given in args.items() if pooling <= set(given)} == {"vllm-embedder"}
    assert {flag.partition("=")[0] for given in args.values() for flag in given} <= set(FLAGS), "admission lets every flag pass"
    config = gateway_config(region)
    assert config["tasks"] == {"embedder": "embed"}
    assert {config["models"][name] for name in ("text-embedding-3-small", "rerank-v3.5", "embedder")} == {"embedder"}
    assert {config["models"][name] for name in ("gpt-4o", "default")} == {document["models"][0]["name"]}
    services = {
        item["spec"]["clusterIP"] for item in found if item["kind"] == "Service" and item["metadata"]["namespace"] == "legal-models"
    }
    assert {f"http://{address}:8000" for address in services} == set(config["upstreams"])
    assert len(services) == 2


def test_models_without_cards_of_their_own_are_refused() -> None:
    document = load_region("fr-paris").document()
    names = ["mistral-7b-instruct", "qwen3-8b", "qwen3-14b"]
    document["models"] = [{"name": name, "manifest": f"model_images/{name}", "image": None, "weights": None} for name in names]
    document["kubernetes"]["gpu"] = {"card": "L40S", "nodes": 2, "per_node": 1}
    with pytest.raises(ConfigError, match="models need 3 cards, the region has 2"):
        serving(Region.model_validate(document))


def test_subnets_lie_in_the_vpc_one_a_zone_and_do_not_overlap() -> None:
    region = load_region("de-frankfurt")
    found = list(subnets(region).values())
    assert len(found) == 3
    assert all(network.subnet_of(region.segment.ipv4) for network in found)
    assert not any(one.overlaps(other) for index, one in enumerate(found) for other in found[index + 1 :])


def test_retention_follows_the_law_on_record() -> None:
    assert log_days(load_region("de-frankfurt")) == 2192, "six years: § 50(1) BRAO"
    assert log_days(load_region("us-virginia")) == 365, "undecided: a year"
    assert bucket(load_region("de-frankfurt"), "logs") == "curtilage-111122223333-de-frankfurt-logs"


def test_every_endpoint_asks_whose_principal_and_whose_resource_it_is() -> None:
    region = load_region("de-frankfurt")
    assert not {"ssm", "ssmmessages", "ec2messages", "sns", "sqs"} & set(endpoints(region))
    for service in ("s3", *endpoints(region)):
        statements = json.loads(endpoint_policy(region, service))["Statement"]
        assert statements[0]["Condition"]["StringEquals"] == {"aws:PrincipalOrgID": "o-curtilage01", "aws:ResourceOrgID": "o-curtilage01"}
        assert all(item["Resource"] != "*" for item in statements[1:])


def test_guardrails_fit_into_what_the_organisation_takes() -> None:
    region = load_region("de-frankfurt")
    for document in (service_control_policy(region), resource_control_policy(region)):
        assert len(json.dumps(document, separators=(",", ":"))) <= 5120, "AWS Organizations takes 5120 characters"


def test_the_mounted_paths_of_the_gateway_are_those_of_its_configuration() -> None:
    pods = next(item for item in objects("fr-paris") if item["kind"] == "StatefulSet" and item["metadata"]["name"] == "gateway")
    mounts = [mount["mountPath"] for mount in pods["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]]
    config = gateway_config(load_region("fr-paris"))
    paths = [*config["tls"].values(), config["ledger"]["signing_key"], config["ledger"]["directory"], config["matters"]]
    for path in paths:
        assert any(Path(path).is_relative_to(mount) for mount in mounts), path


@pytest.mark.parametrize("name", CLUSTERS)
def test_alerts_and_panels_name_metrics_that_the_pinned_vllm_has(name: str) -> None:
    found = objects(name)
    texts = [item["data"]["curtilage.json"] for item in found if "curtilage.json" in item.get("data", {})]
    texts += [json.dumps(item["spec"]) for item in found if item["kind"] == "PrometheusRule"]
    named = set(re.findall(r"vllm:[a-z_]+", " ".join(texts)))
    assert len(named) >= 8
    assert {bare(item) for item in named} <= VLLM_METRICS


def bare(metric: str) -> str:
    """A metric as vLLM's source declares it: the client library adds these endings."""
    return re.sub(r"_(total|bucket|sum|count)$", "", metric)


def test_the_recorded_metrics_are_declared_in_vllms_own_source() -> None:
    sources = [path for tree in (cache_dir() / "trees").glob("vllm-*") for path in tree.rglob("vllm/v1/metrics/loggers.py")]
    if not sources:
        pytest.skip("no tree with vLLM in the cache: `make up` makes one")
    for source in sources:
        declared = {bare(item) for item in re.findall(r'name="(vllm:[a-z_]+)"', source.read_text(encoding="utf-8"))}
        assert declared >= VLLM_METRICS, source
