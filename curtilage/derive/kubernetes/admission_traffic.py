"""What admission asks of objects that steer traffic: services, endpoints, policies, routes, and the labels they select by."""

from __future__ import annotations

from typing import Any

from curtilage.derive.kubernetes.names import ADMISSION, GATEWAY, HTTPS, NODE_PORT, SEALED, SEGMENT_LABEL, settings_of
from curtilage.derive.kubernetes.network import allowances_of
from curtilage.region import Region

Policy = tuple[str, list[dict[str, Any]], list[tuple[str, str]], dict[str, str], bool]
WRITE, EVERY = ["CREATE", "UPDATE"], ["CREATE", "UPDATE", "DELETE"]
_CONTROLLERS = ("endpointslice-controller", "endpoint-controller", "endpointslicemirroring-controller", "generic-garbage-collector")


def _on(groups: list[str], resources: list[str], operations: list[str], versions: list[str] | None = None) -> dict[str, Any]:
    return {"apiGroups": groups, "apiVersions": versions or ["*"], "operations": operations, "resources": resources}


def policies(region: Region) -> list[Policy]:
    """Every policy about traffic."""
    return [_services(region), _endpoints(), _network_policies(region), _nothing_else(), _no_relay(), _namespaces()]


def _services(region: Region) -> Policy:
    checks = [
        (
            "(has(object.spec.type) ? object.spec.type : 'ClusterIP') in ['ClusterIP', 'NodePort']",
            "EG-29: a service of the segment is a ClusterIP; a load balancer faces outward and an external name leaves by DNS.",
        ),
        (
            "!has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0",
            "EG-29: a service of the segment has no externalIPs: they take packets for any address (CVE-2020-8554).",
        ),
        (
            "has(object.spec.selector) && size(object.spec.selector) > 0",
            "EG-29: a service of the segment selects pods; without a selector its endpoints are whatever someone writes.",
        ),
        (
            "!has(object.spec.externalName) && !has(object.spec.loadBalancerIP) && !has(object.spec.loadBalancerClass)",
            "EG-29: a service of the segment names nothing outside of it.",
        ),
    ]
    node_port = "!has(object.spec.type) || object.spec.type != 'NodePort'"
    if region.aws is not None:
        node_port = (
            f"({node_port}) || (object.metadata.namespace == '{GATEWAY}' && object.metadata.name == 'gateway' && object.spec.ports.all(p,"
            f" p.port == {HTTPS} && p.nodePort == {NODE_PORT}) && object.spec.externalTrafficPolicy == 'Local')"
        )
    checks.append((node_port, "EG-29: no NodePort; on AWS the gateway's one, where the PrivateLink load balancer meets it."))
    return "legal-services-inside", [_on([""], ["services", "services/status"], WRITE, ["v1"])], checks, {}, False


def _endpoints() -> Policy:
    users = ", ".join(f"'system:serviceaccount:kube-system:{name}'" for name in _CONTROLLERS)
    checks = [
        (
            f"request.userInfo.username in [{users}, 'system:kube-controller-manager']",
            "EG-29: endpoints are written by the cluster's own controllers: a hand-made one points a service anywhere.",
        )
    ]
    resources = [_on([""], ["endpoints"], WRITE), _on(["discovery.k8s.io"], ["endpointslices"], WRITE)]
    return "legal-endpoints-by-controllers", resources, checks, {}, False


def _network_policies(region: Region) -> Policy:
    own = [f"'{item.destination}'" for _, item in allowances_of(region)]
    callers = [f"'{network}'" for network in settings_of(region).crm_networks]
    terminating = "has(namespaceObject.metadata.deletionTimestamp)"
    checks = [
        (
            f"request.operation != 'DELETE' || oldObject.metadata.name != 'default-deny' || {terminating}",
            "EG-23: default-deny is not deleted while its namespace stands.",
        ),
        (
            "request.operation == 'DELETE' || object.metadata.name != 'default-deny' || (size(variables.egress) == 0"
            " && size(variables.ingress) == 0"
            " && (!has(object.spec.podSelector.matchLabels) || size(object.spec.podSelector.matchLabels) == 0)"
            " && (!has(object.spec.podSelector.matchExpressions) || size(object.spec.podSelector.matchExpressions) == 0))",
            "EG-23: default-deny selects every pod and allows nothing.",
        ),
        (
            "request.operation == 'DELETE' || (has(object.spec.policyTypes) && object.spec.policyTypes.exists(t, t == 'Egress')"
            " && object.spec.policyTypes.exists(t, t == 'Ingress'))",
            "EG-23: a policy of the segment states both directions.",
        ),
        (
            "request.operation == 'DELETE' || variables.egress.all(r, has(r.to) && size(r.to) > 0 && has(r.ports) && size(r.ports) > 0"
            " && r.ports.all(p, has(p.port)))",
            "EG-23: an egress rule names whom it is for and which ports; an empty one is everyone and everything.",
        ),
        (
            "request.operation == 'DELETE' || variables.egress.all(r, !has(r.to) || r.to.all(t, has(t.ipBlock)"
            f" ? t.ipBlock.cidr in [{', '.join(own)}] : ("
            f"!has(t.namespaceSelector) || (has(t.namespaceSelector.matchLabels) && '{SEGMENT_LABEL}' in t.namespaceSelector.matchLabels"
            f" && t.namespaceSelector.matchLabels['{SEGMENT_LABEL}'] == 'legal'))))",
            "EG-23: egress goes to pods of the segment, or to a destination of the stack file's allowances; nowhere else.",
        ),
        (
            "request.operation == 'DELETE' || variables.ingress.all(r, has(r.from) && size(r.from) > 0 && has(r.ports) && size(r.ports) > 0"
            f" && r.from.all(f, !has(f.ipBlock) || f.ipBlock.cidr in [{', '.join(callers)}]))",
            "An ingress rule names who may come in, pods or the stack file's CRM networks, and by which port.",
        ),
    ]
    variables = {
        "egress": "request.operation != 'DELETE' && has(object.spec.egress) ? object.spec.egress : []",
        "ingress": "request.operation != 'DELETE' && has(object.spec.ingress) ? object.spec.ingress : []",
    }
    return "legal-policies-stay-shut", [_on(["networking.k8s.io"], ["networkpolicies"], EVERY, ["v1"])], checks, variables, False


CNI_BOOKS = (
    "ciliumendpoints", "ciliumendpointslices", "ciliumidentities", "ciliumnodes",
    "blockaffinities", "caliconodestatuses", "clusterinformations", "ipamblocks", "ipamhandles", "workloadendpoints",
    "policyendpoints",
)  # fmt: skip
"""What a CNI writes for each pod it connects, of Cilium, Calico and the VPC CNI; without them no pod of the cluster starts any more."""
CNI_WRITERS = ("system:serviceaccount:kube-system:", "system:serviceaccount:calico-system:", "eks:")
"""How the names of those who keep these books begin; who runs pods there administers the cluster (docs/live-audit.md)."""


def _nothing_else() -> Policy:
    kept = ", ".join(f"'{name}'" for name in CNI_BOOKS)
    writers = " || ".join(f"request.userInfo.username.startsWith('{name}')" for name in CNI_WRITERS)
    resources = [
        _on(["networking.k8s.io"], ["ingresses"], WRITE),
        _on(["gateway.networking.k8s.io"], ["*"], WRITE),
        _on(["k8s.cni.cncf.io"], ["*"], WRITE),
        _on(["cilium.io", "crd.projectcalico.org", "projectcalico.org", "networking.k8s.aws"], ["*"], WRITE),
        _on(["batch"], ["cronjobs"], WRITE),
        _on(["apps"], ["daemonsets"], WRITE),
        _on([""], ["replicationcontrollers"], WRITE),
    ]
    checks = [
        (
            f"request.resource.resource in [{kept}] && ({writers})",
            "EG-26, EG-29: the segment has no ingresses, gateways, further networks, vendor policies or kinds nobody has judged.",
        )
    ]
    return "legal-no-other-kinds", resources, checks, {}, False


def _no_relay() -> Policy:
    resources = [
        _on([""], ["pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy"], ["CONNECT"]),
        _on([""], ["serviceaccounts/token"], ["CREATE"]),
    ]
    checks = [("false", "EG-31: nobody enters a pod of the segment, forwards a port or takes a token; the API server is no relay.")]
    return "legal-no-relay", resources, checks, {}, False


def _namespaces() -> Policy:
    sealed = ", ".join(f"'{name}'" for name in (*SEALED, ADMISSION))
    ours = f"!(object.metadata.name in [{sealed}])"
    checks = [
        (
            f"{ours} || (has(object.metadata.labels) && '{SEGMENT_LABEL}' in object.metadata.labels"
            f" && object.metadata.labels['{SEGMENT_LABEL}'] == 'legal')",
            "EG-23: a namespace of the segment keeps its segment label: the admin-tier deny selects by it.",
        ),
        (
            f"{ours} || (has(object.metadata.labels) && 'pod-security.kubernetes.io/enforce' in object.metadata.labels"
            " && object.metadata.labels['pod-security.kubernetes.io/enforce'] == 'restricted')",
            "A namespace of the segment enforces Pod Security 'restricted'.",
        ),
        (
            f"object.metadata.name in [{sealed}] || !has(object.metadata.labels) || !('{SEGMENT_LABEL}' in object.metadata.labels)",
            "No other namespace takes the segment's label: pods of the segment may talk to those that have it.",
        ),
    ]
    return "legal-namespaces-stay-labelled", [_on([""], ["namespaces"], WRITE, ["v1"])], checks, {}, True
