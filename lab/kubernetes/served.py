"""A gateway and a model of the region that run: the region's own templates with our own images, on the node that runs pods.

The region's own pods stand on nodes that kwok plays. These are derived by the same functions from the same region, with a model that a
processor can serve; what is changed is where they stand, how many they are and what they are called. The operator's part (keys, signed
weights, the gateway's matter directory) is made here as docs/regions.md asks for it.
"""

from __future__ import annotations

import base64
import copy
import json
import shutil
from collections.abc import Mapping
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

from curtilage.audit.note import Signer, VerifierKey
from curtilage.bundle import images, oci
from curtilage.derive.kubernetes.gateway import gateway
from curtilage.derive.kubernetes.models import workloads
from curtilage.derive.kubernetes.names import (
    GATEWAY,
    GATEWAY_PORT,
    HTTPS,
    MODELS,
    POOL_LABEL,
    UNPRIVILEGED,
    gateway_address,
    metadata,
    settings_of,
)
from curtilage.gateway.setup import IdentitySpec, provision, write_authority
from curtilage.models.build import LAB_MODEL, BuiltModel, KeyPair, build_lab_model, sign_to
from curtilage.models.signing import create_keys
from curtilage.paths import CHECKOUT
from curtilage.region import CPU_CARD, Region
from lab.base import ensure_base
from lab.cache import remove_tree
from lab.kubernetes import approval, names
from lab.kubernetes.attackers import TOLERATED, Pod, runs_whole
from lab.kubernetes.node import POOL, Node
from lab.kubernetes.waiting import await_
from lab.providers.kube_api import ApiError, Cluster
from lab.shell import run
from lab.trees import ensure_tree, python_3_11

Item = dict[str, Any]
LABEL, HERE = "curtilage.dev/served", "here"
NAME = "gateway-served"
SERVICES = "10.96.1.0/24"
"""A part of the cluster's service network that the region's own services have no address in."""
IDENTITY, MATTER = "crm-1", "lab-k8s-matter-1"
LOADS_SECONDS, STARTS_SECONDS, ENDS_SECONDS = 420.0, 120.0, 180.0
TO_THE_GATEWAY = """\
table ip served {{
    chain prerouting {{
        type nat hook prerouting priority dstnat; policy accept;
        ip daddr {service} tcp dport {https} dnat to {pod}:{port}
    }}
}}
"""
"""What the CRM's side of a real cluster has of its load balancer: the gateway's service address leads to its pod."""
WITH_NAMES = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
CONNECT = """\
import socket, sys
try:
    socket.create_connection((sys.argv[2], int(sys.argv[3])), 2, (sys.argv[1], 0)).close()
except TimeoutError:
    print("timeout")
else:
    print("connected")
"""


class Served:
    """One gateway and one model of a region on one cluster.

    Attributes:
        region: the region they are derived from.
        key: what the ledger is verified with.
    """

    def __init__(self, region: Region, api: Cluster, node: Node) -> None:
        self.region, self.api, self.node = region, api, node
        self._directory = node.directory / "served"
        self._made: list[Item] = []
        self._listed: str | None = None
        self._crm_key = ""

    def start(self) -> None:
        """Bring both up, and lead the CRM's side to the gateway.

        Raises:
            StepError: one of them did not become ready.
        """
        self._directory.mkdir()
        built = build_lab_model()
        loaded = {name: self._load(name, image) for name, image in (("gateway", "curtilage"), ("vllm-cpu", "vllm"))}
        self._listed = approval.approve(self.api, loaded.values())
        weights = self._weights(built)
        self.region = derived(self.region, curtilage=loaded["gateway"], vllm=loaded["vllm-cpu"], weights=weights)
        deployment, service = islice(workloads(self.region), 2)
        self._make(service)
        self._make(_standing_here(deployment))
        self._await_ready(deployment, LOADS_SECONDS)
        config, stateful = islice(gateway(self.region), 2)
        stateful = _standing_here(stateful)
        stateful["metadata"]["name"] = config["metadata"]["name"] = NAME
        stateful["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] = NAME
        self._make(config)
        self._keys()
        self._state(stateful["spec"]["volumeClaimTemplates"][0])
        self._make(stateful)
        self._await_ready(stateful, STARTS_SECONDS)
        self._open_the_way()

    def stop(self) -> None:
        """Take everything away again, the list of approved images as it was found."""
        for item in reversed(self._made):
            self._delete(self.api.path(item, named=True))
        await_(self.api, lambda: not self._pods(MODELS), "the model's end", MODELS, patience_seconds=ENDS_SECONDS)
        await_(self.api, lambda: not self._pods(GATEWAY), "the gateway's end", GATEWAY, patience_seconds=ENDS_SECONDS)
        if self._listed is not None:
            approval.restore(self.api, self._listed)
        run(["ip", "netns", "exec", names.ROUTER, "nft", "-f", "-"], step="served", stdin="table ip served\ndelete table ip served\n")
        for directory in (self._volume(MODELS, "models"), self._directory):
            remove_tree(directory)

    def ask(self) -> list[Item]:
        """Every call of :mod:`curtilage.probes.sdk_client`, made on the CRM's side."""
        order = json.dumps({"key": self._crm_key, "model_openai": "gpt-4o", "model_anthropic": "claude-sonnet-4-5"})
        hosts = self._directory / "hosts"
        address = gateway_address(self.region)
        hosts.write_text("".join(f"{address} {name}\n" for name in self.region.gateway.intercept), encoding="ascii")
        environment = [f"PYTHONPATH={ensure_tree('crm')}", f"SSL_CERT_FILE={self._directory / 'ca.pem'}"]
        source = files("curtilage.probes").joinpath("sdk_client.py").read_text()
        client = ["env", "-i", *environment, python_3_11(), "-W", "ignore", "-c", source, order]
        said = self._on_crm(["unshare", "--mount", "sh", "-c", WITH_NAMES, "crm", str(hosts), *client], timeout_seconds=300)
        calls: list[Item] = json.loads(said)["calls"]
        return calls

    def connects(self, source: str) -> bool:
        """Whether an address of the CRM's side gets a connection to the gateway's pod."""
        answer = self._on_crm([python_3_11(), "-c", CONNECT, source, self.gateway().address(4), str(GATEWAY_PORT)])
        return answer.strip() == "connected"

    def gateway(self) -> Pod:
        """The gateway's pod."""
        return Pod.of(self._pods(GATEWAY)[0], "gateway")

    def models(self) -> list[Item]:
        """The model's pods as the API has them now: two, while one gives way to the next."""
        return self._pods(MODELS)

    @property
    def ledger(self) -> Path:
        """The gateway's ledger, on its volume."""
        return self._volume(GATEWAY, f"state-{NAME}-0") / "ledger"

    @property
    def key(self) -> VerifierKey:
        """What the ledger is verified with."""
        return VerifierKey.load(self._directory / "ledger.pub")

    @property
    def weights(self) -> Path:
        """The signed weights, on their volume."""
        model = self.region.models[0]
        return self._volume(MODELS, "models") / model.name / str(model.weights).removeprefix("sha256:")

    # How.

    def _load(self, name: str, image: str) -> str:
        """Write one of our images, give it to the node, and return its reference."""
        spec = images.SPECS[name]
        trees = {tree: ensure_tree(tree) for tree in spec.trees}
        layout = self._directory / name
        oci.write(spec.image, images.layers(spec, base=ensure_base(), trees=trees, package=CHECKOUT / "curtilage"), layout)
        reference = f"{settings_of(self.region).registry}/{image}"
        digest = self.node.load(layout, reference)
        # Gigabytes, which the node has its own copy of.
        shutil.rmtree(layout)
        return f"{reference}@{digest}"

    def _weights(self, built: BuiltModel) -> str:
        pair = KeyPair(private=self._directory / "model-signing.key", public=self._directory / "model-signing.pub")
        create_keys(pair.private, pair.public)
        volume = self._volume(MODELS, "models")
        volume.mkdir(parents=True, exist_ok=True)
        signed = sign_to(built, pair, volume)
        _give(volume)
        text = pair.public.read_text(encoding="ascii")
        self._make(self._document("ConfigMap", "model-signers", MODELS, {"model-signing.pub": text}))
        return f"sha256:{signed.name}"

    def _keys(self) -> None:
        """The Secrets that a person makes outside of the plan."""
        write_authority(self._directory, self.region.gateway.intercept, [gateway_address(self.region)])
        Signer.generate(f"{NAME}-0.{self.region.name}/ledger").save(self._directory / "ledger.key")
        read = {
            name: (self._directory / name).read_bytes() for name in ("ca.pem", "gateway.pem", "gateway.key", "ledger.key", "ledger.pub")
        }
        pair = {"tls.crt": read["gateway.pem"], "tls.key": read["gateway.key"]}
        self._secret("gateway-tls", pair)
        self._secret("gateway-client", {"ca.crt": read["ca.pem"], **pair})
        self._secret("gateway-ledger-keys", {f"{NAME}-0.key": read["ledger.key"], f"{NAME}-0.pub": read["ledger.pub"]})

    def _state(self, claim: Item) -> None:
        """The gateway's volume before the gateway: its matter directory, and where it writes its metrics."""
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **copy.deepcopy(claim)}
        claim["metadata"] = metadata(self.region, f"state-{NAME}-0", GATEWAY)
        self._make(claim)
        await_(self.api, lambda: "volumeName" in self._claim(GATEWAY, f"state-{NAME}-0")["spec"], "the gateway's volume", GATEWAY)
        volume = self._volume(GATEWAY, f"state-{NAME}-0")
        (volume / "metrics").mkdir(parents=True)
        spec = IdentitySpec(identity=IDENTITY, matter=MATTER, jurisdiction=self.region.jurisdiction)
        self._crm_key = provision(volume / "matters.db", [spec])[IDENTITY]
        _give(volume)

    def _open_the_way(self) -> None:
        rules = TO_THE_GATEWAY.format(service=gateway_address(self.region), https=HTTPS, pod=self.gateway().address(4), port=GATEWAY_PORT)
        run(["ip", "netns", "exec", names.ROUTER, "nft", "-f", "-"], step="served", stdin=rules)

    def _on_crm(self, argv: list[str], *, timeout_seconds: float = 30) -> str:
        return run(["ip", "netns", "exec", names.CRM, *argv], step="served: CRM", timeout_seconds=timeout_seconds)

    def _make(self, item: Item) -> None:
        self.api.call("POST", self.api.path(item, named=False), item)
        self._made.append(item)

    def _secret(self, name: str, data: Mapping[str, bytes]) -> None:
        self._make(self._document("Secret", name, GATEWAY, {key: base64.b64encode(value).decode() for key, value in data.items()}))

    def _document(self, kind: str, name: str, namespace: str, data: Mapping[str, str]) -> Item:
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata(self.region, name, namespace), "data": dict(data)}

    def _delete(self, path: str) -> None:
        try:
            self.api.call("DELETE", path, {"propagationPolicy": "Foreground"})
        except ApiError as error:
            if error.code != 404:
                raise

    def _await_ready(self, item: Item, seconds: float) -> None:
        meta = item["metadata"]
        path = self.api.path(item, named=True)

        def ready() -> bool:
            return bool(self.api.call("GET", path)["status"].get("readyReplicas")) and all(map(runs_whole, self._pods(meta["namespace"])))

        await_(self.api, ready, f"{item['kind']} {meta['name']}", meta["namespace"], patience_seconds=seconds)

    def _pods(self, namespace: str) -> list[Item]:
        found: list[Item] = self.api.call("GET", f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"{LABEL}={HERE}")["items"]
        return found

    def _claim(self, namespace: str, name: str) -> Item:
        found: Item = self.api.call("GET", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")
        return found

    def _volume(self, namespace: str, claim: str) -> Path:
        return self.node.volumes / str(self._claim(namespace, claim)["spec"]["volumeName"])


def derived(region: Region, *, curtilage: str, vllm: str, weights: str) -> Region:
    """The region with our images by digest and the lab's own model, which a processor serves."""
    document = region.document()
    document["models"] = [{"name": LAB_MODEL, "manifest": f"model_images/{LAB_MODEL}/manifest.yaml", "image": vllm, "weights": weights}]
    document["kubernetes"] |= {
        "curtilage_image": curtilage,
        "gpu": {"card": CPU_CARD, "nodes": 2, "per_node": 1},
        "services": [SERVICES],
    }
    return Region.model_validate(document)


def _standing_here(workload: Item) -> Item:
    """One replica of a workload on the node that runs pods, under a label of its own."""
    found = copy.deepcopy(workload)
    template = found["spec"]["template"]
    template["metadata"]["labels"][LABEL] = HERE
    found["spec"]["selector"]["matchLabels"] = {**found["spec"]["selector"]["matchLabels"], LABEL: HERE}
    found["spec"]["replicas"] = 1
    template["spec"] |= {"nodeSelector": {POOL_LABEL: POOL}, "tolerations": TOLERATED}
    return found


def _give(volume: Path) -> None:
    """A volume's files to the user that pods run as."""
    run(["chown", "-R", f"{UNPRIVILEGED}:{UNPRIVILEGED}", str(volume)], step="served: volume")
