"""Objects of a cluster: policies that stay shut, admission that denies, pods without privileges, services that face inward."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from curtilage.allowance import WIDEST_PREFIX
from curtilage.derive.kubernetes.names import ADMISSION, GATEWAY, NODE_PORT, NOT_IMPORTED, SEALED, SEGMENT_LABEL
from curtilage.region_parts import IMAGE
from policies.rules._rule import Resource, Rule, known

POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
CLUSTER_POLICY = "kubernetes:policy.networking.k8s.io/v1alpha2:ClusterNetworkPolicy"
NAMESPACE, QUOTA = "kubernetes:core/v1:Namespace", "kubernetes:core/v1:ResourceQuota"
ADMISSION_POLICY = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
WORKLOADS = ("kubernetes:apps/v1:Deployment", "kubernetes:apps/v1:StatefulSet", "kubernetes:apps/v1:DaemonSet")
_RBAC = "kubernetes:rbac.authorization.k8s.io/v1"
BINDINGS = (f"{_RBAC}:ClusterRoleBinding", f"{_RBAC}:RoleBinding")
ROLES = (f"{_RBAC}:ClusterRole", f"{_RBAC}:Role", *BINDINGS)
DEVICE_PLUGIN = ("kube-system", "nvidia-device-plugin")
_VOLUMES = {"configMap", "downwardAPI", "emptyDir", "hostPath", "persistentVolumeClaim", "projected", "secret"}
_NETWORK_ANNOTATION = re.compile(r"(^|\.)cni\.cncf\.io/|networks?$", re.IGNORECASE)
_RESOURCES = {"cpu", "memory", "ephemeral-storage", "nvidia.com/gpu"}
_READ = {"get", "list", "watch"}
_NOBODY = {
    "networkpolicies", "clusternetworkpolicies", "validatingadmissionpolicies", "validatingadmissionpolicybindings", "namespaces",
    "roles", "rolebindings", "clusterroles", "clusterrolebindings", "endpoints", "endpointslices", "services", "nodes",
    "adminnetworkpolicies", "baselineadminnetworkpolicies", "ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies",
    "mutatingwebhookconfigurations", "validatingwebhookconfigurations", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
    "apiservices", "customresourcedefinitions", "certificatesigningrequests/approval", "persistentvolumes",
}  # fmt: skip
_RELAYS = {
    "pods/exec",
    "pods/attach",
    "pods/ephemeralcontainers",
    "pods/portforward",
    "pods/proxy",
    "services/proxy",
    "nodes/proxy",
    "serviceaccounts/token",
    "secrets",
}


def _policy(props: Mapping[str, Any]) -> Iterator[str]:
    spec = props["spec"]
    if set(spec.get("policyTypes") or []) != {"Ingress", "Egress"}:
        yield "The network policy must state both directions; one that is left out is open."
    peers = [peer for way, side in (("egress", "to"), ("ingress", "from")) for rule in spec.get(way) or [] for peer in rule.get(side) or []]
    selectors = [spec.get("podSelector"), *(peer.get(key) for peer in peers for key in ("podSelector", "namespaceSelector"))]
    for key in sorted({key for selector in selectors for key in selector or {}} - {"matchLabels", "matchExpressions"}):
        yield f"A selector must have matchLabels or matchExpressions, not {key}: a server that drops it selects everything."
    for rule in spec.get("egress") or []:
        peers, ports = rule.get("to") or [], rule.get("ports") or []
        if not peers or not ports or any("port" not in port for port in ports):
            yield "An egress rule must name whom it is for and which ports; an empty one is everyone and everything."
        for peer in peers:
            yield from _egress_peer(peer)
    for rule in spec.get("ingress") or []:
        if not rule.get("from") or not rule.get("ports"):
            yield "An ingress rule must name who may come in and by which port."
        for peer in rule.get("from") or []:
            cidr = (peer.get("ipBlock") or {}).get("cidr")
            if cidr is not None and not ip_network(cidr).is_private:
                yield f"Ingress from {cidr} must be from a private network."


def _egress_peer(peer: Mapping[str, Any]) -> Iterator[str]:
    block = peer.get("ipBlock")
    if block is not None:
        network = ip_network(block["cidr"])
        if network.prefixlen < WIDEST_PREFIX[network.version]:
            yield f"Egress to {network} must be to one destination, not to a part of the internet."
        return
    space = peer.get("namespaceSelector")
    if space is not None and (space.get("matchLabels") or {}).get(SEGMENT_LABEL) != "legal":
        yield "Egress must be to pods of the segment."


def _cluster_policy(props: Mapping[str, Any]) -> Iterator[str]:
    spec = props["spec"]
    if spec.get("tier") != "Admin":
        yield "The cluster's policy must be in tier Admin; a network policy overrides the others."
    rules = spec.get("egress") or []
    for rule in [*rules, *(spec.get("ingress") or [])]:
        if rule.get("action") not in ("Pass", "Deny"):
            yield f"Rule {rule.get('name')} must be Pass or Deny; Accept ends the question before network policies are asked."
    denied = {network for rule in rules if rule.get("action") == "Deny" for peer in rule["to"] for network in peer.get("networks") or []}
    for family in ("0.0.0.0/0", "::/0"):
        if family not in denied:
            yield f"The cluster's policy must deny egress to {family}; the families are separate."


def _admission(props: Mapping[str, Any]) -> Iterator[str]:
    spec = props["spec"]
    if props["type"] == ADMISSION_POLICY:
        if spec.get("failurePolicy", "Fail") != "Fail":
            yield "An admission policy must have failurePolicy Fail."
        if not spec.get("validations"):
            yield "An admission policy must validate something."
        if spec.get("matchConditions") or _excepts(spec.get("matchConstraints")):
            yield "An admission policy must hold for every object of its kinds; an exception is a way in."
        return
    if _excepts(spec.get("matchResources")):
        yield "An admission binding must hold for every object of its namespaces; an exception is a way in."
    if spec.get("validationActions") != ["Deny"]:
        yield "An admission binding must have validationActions [Deny]; Warn and Audit let the object in."
    reference = spec.get("paramRef")
    if reference is not None and reference.get("parameterNotFoundAction") != "Deny":
        yield "An admission binding whose parameters are missing must deny."


def _excepts(match: Mapping[str, Any] | None) -> bool:
    """Some objects pass by: whoever writes an object chooses its labels and name."""
    return bool(match and (match.get("excludeResourceRules") or match.get("objectSelector")))


def _namespace(props: Mapping[str, Any]) -> Iterator[str]:
    meta = props["metadata"]
    labels = meta.get("labels") or {}
    if meta["name"] in (*SEALED, ADMISSION) and labels.get(SEGMENT_LABEL) != "legal":
        yield f"Namespace {meta['name']} must carry {SEGMENT_LABEL}=legal; the admin-tier deny selects by it."
    if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
        yield f"Namespace {meta['name']} must enforce Pod Security restricted."


def _namespaces_shut(resources: list[Resource]) -> Iterator[str]:
    judged = [item for item in resources if item.type in (POLICY, QUOTA, NAMESPACE)]
    if not any(set(item.raw.keys()) for item in judged):
        # The cluster is made by this same plan: the engine asks no provider about its objects yet, and gives their inputs to rules about
        # one resource alone. The proof reads the inputs.
        return
    shut: set[str] = set()
    for item in judged:
        if item.type in (POLICY, QUOTA):
            meta, spec = known(item.raw["metadata"]), known(item.raw["spec"])
            if (_denies_all(spec) if item.type == POLICY else _admits_no_pod(spec)) and meta.get("namespace"):
                shut.add(meta["namespace"])
    for item in judged:
        if item.type == NAMESPACE:
            meta = known(item.raw["metadata"])
            if (meta.get("labels") or {}).get(SEGMENT_LABEL) == "legal" and meta["name"] not in shut:
                yield f"Namespace {meta['name']} must have a policy that denies all pods both directions, or a quota of no pods."


def _denies_all(spec: Mapping[str, Any]) -> bool:
    return (
        not spec.get("podSelector")
        and set(spec["policyTypes"]) == {"Ingress", "Egress"}
        and not (spec.get("ingress") or spec.get("egress"))
    )


def _admits_no_pod(spec: Mapping[str, Any]) -> bool:
    return str((spec.get("hard") or {}).get("pods")) == "0" and not (spec.get("scopes") or spec.get("scopeSelector"))


def _workload(props: Mapping[str, Any]) -> Iterator[str]:
    spec = props["spec"]["template"]["spec"]
    meta = props["metadata"]
    own = (meta.get("namespace"), meta["name"]) == DEVICE_PLUGIN
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{meta['name']} must not set {field}."
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{meta['name']} must not mount a token; set automountServiceAccountToken false."
    for volume in spec.get("volumes") or []:
        host = volume.get("hostPath")
        if host is not None and not (own and host["path"] == "/var/lib/kubelet/device-plugins"):
            yield f"{meta['name']} must not mount the host's {host['path']}."
        if any("serviceAccountToken" in source for source in (volume.get("projected") or {}).get("sources") or []):
            yield f"{meta['name']} must not mount a token; a projected one is one too."
        if not _VOLUMES & set(volume):
            yield f"{meta['name']} must mount no {', '.join(sorted(set(volume) - {'name'}))}; it may be across the network."
    for key in (props["spec"]["template"].get("metadata") or {}).get("annotations") or {}:
        if _NETWORK_ANNOTATION.search(key):
            yield f"{meta['name']} must not ask for a network by annotation {key}; no policy covers a second one."
    for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
        yield from _container(meta["name"], container)
    if meta.get("namespace") in SEALED and spec.get("dnsPolicy") != "None":
        yield f"{meta['name']} must have dnsPolicy None; names are a way out."
    if spec.get("resourceClaims"):
        yield f"{meta['name']} must have no resourceClaims; a device that is not known may be a network card."
    strategy = props["spec"].get("strategy") or {}
    if any("nvidia.com/gpu" in ((item.get("resources") or {}).get("limits") or {}) for item in spec["containers"]) and (
        (strategy.get("rollingUpdate") or {}).get("maxSurge") != 0
    ):
        yield f"{meta['name']} must roll with maxSurge 0; there is no card to spare."


def _container(owner: str, container: Mapping[str, Any]) -> Iterator[str]:
    box = container.get("securityContext") or {}
    name = f"{owner}/{container['name']}"
    if box.get("privileged") or box.get("allowPrivilegeEscalation") is not False:
        yield f"{name} must be unprivileged."
    capabilities = box.get("capabilities") or {}
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield f"{name} must drop ALL capabilities and add none."
    if box.get("readOnlyRootFilesystem") is not True:
        yield f"{name} must have a read-only root."
    if container["image"] != NOT_IMPORTED and not IMAGE.match(container["image"]):
        yield f"{name}: the image {container['image']!r} must be named by digest."
    resources = container.get("resources") or {}
    for resource in sorted({*(resources.get("limits") or {}), *(resources.get("requests") or {})} - _RESOURCES):
        yield f"{name} must not ask for {resource}; a device that is not known may be a network card."
    calls = [container.get(key) for key in ("livenessProbe", "readinessProbe", "startupProbe")]
    calls += (container.get("lifecycle") or {}).values()
    if any((call.get(key) or {}).get("host") for call in calls if call for key in ("httpGet", "tcpSocket")):
        yield f"{name} must name no host in a probe or hook; the node calls it, past every policy."
    for port in container.get("ports") or []:
        if port.get("hostPort"):
            yield f"{name} must not use a host port."


def _service(props: Mapping[str, Any]) -> Iterator[str]:
    spec, meta = props["spec"], props["metadata"]
    kind = spec.get("type", "ClusterIP")
    gate = kind == "NodePort" and (meta.get("namespace"), meta["name"]) == (GATEWAY, "gateway")
    gate = gate and [port.get("nodePort") for port in spec["ports"]] == [NODE_PORT]
    if kind != "ClusterIP" and not gate:
        yield f"Service {meta['name']} must be a ClusterIP, not {kind}."
    if spec.get("externalIPs") or spec.get("externalName"):
        yield f"Service {meta['name']} must name nothing outside."
    if not spec.get("selector"):
        yield f"Service {meta['name']} must select pods; without a selector its endpoints are whatever someone writes."


def _role(props: Mapping[str, Any]) -> Iterator[str]:
    if props["type"] in BINDINGS:
        if not str((props.get("roleRef") or {}).get("name", "")).startswith("legal-"):
            yield "A binding must give a role of the region; another says what it likes, or is cluster-admin."
        return
    if props["?aggregationRule"]:
        yield "A role must state its rules; an aggregated one gets whatever others label for it."
    for rule in props.get("rules") or []:
        groups, resources, verbs = rule.get("apiGroups") or [], set(rule.get("resources") or []), set(rule.get("verbs") or [])
        if any("*" in item for item in (*groups, *resources, *verbs)):
            yield "A role must name groups, resources and verbs; an asterisk is everything that is added later too."
        if resources & _RELAYS:
            yield f"A role must not grant {', '.join(sorted(resources & _RELAYS))}: it enters a pod, or reads keys."
        if resources & _NOBODY and verbs - _READ:
            yield f"A role must not write {', '.join(sorted(resources & _NOBODY))}: the seal changes by a reviewed plan alone."
        if verbs & {"bind", "escalate", "impersonate", "approve", "sign"}:
            yield "A role must not bind, escalate, impersonate, approve or sign."


def _provider(props: Mapping[str, Any]) -> Iterator[str]:
    if not props.get("context") and not props.get("?kubeconfig"):
        yield "The cluster's provider must name its context; the default one is whatever kubectl last used."
    if str(props.get("deleteUnreachable", "false")).lower() == "true":
        yield "The provider must not take an unreachable cluster for an empty one."


RULES = (
    Rule(
        name="kubernetes-policy-shut", description="A network policy states both directions and opens nothing outside.",
        resource_type=POLICY, fields=("spec",), check=_policy,
    ),
    Rule(
        name="kubernetes-cluster-policy", description="The admin-tier policy denies both address families.",
        resource_type=CLUSTER_POLICY, fields=("spec",), check=_cluster_policy,
    ),
    Rule(
        name="kubernetes-admission-denies", description="Admission fails closed and denies.",
        resource_type=(ADMISSION_POLICY, f"{ADMISSION_POLICY}Binding"), fields=("spec",), check=_admission,
    ),
    Rule(
        name="kubernetes-namespace-restricted", description="A namespace enforces Pod Security restricted and keeps its segment's label.",
        resource_type=NAMESPACE, fields=("metadata",), check=_namespace,
    ),
    Rule(
        name="every-namespace-shut", description="A namespace of the segment denies everything by default.", stack_check=_namespaces_shut,
    ),
    Rule(
        name="kubernetes-workload-sealed", description="Pods have nothing of the host, no token, no privilege, no resolver.",
        resource_type=WORKLOADS, fields=("metadata", "spec"), check=_workload,
    ),
    Rule(
        name="kubernetes-service-inside", description="A service faces inward.",
        resource_type="kubernetes:core/v1:Service", fields=("metadata", "spec"), check=_service,
    ),
    Rule(
        name="kubernetes-role-opens-nothing", description="No role may open egress, enter a pod or change who may.",
        resource_type=ROLES, fields=("rules", "roleRef", "?aggregationRule"), check=_role,
    ),
    Rule(
        name="kubernetes-context-named", description="The provider of a cluster names its context, or is given the cluster made here.",
        resource_type="pulumi:providers:kubernetes", fields=("context", "deleteUnreachable", "?kubeconfig"), check=_provider,
    ),
)  # fmt: skip
