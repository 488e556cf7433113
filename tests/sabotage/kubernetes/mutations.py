"""The corpus: each function breaks, or harmlessly changes, one thing of the sealed region's manifests.

``SABOTAGE`` maps a name to the change and the ids of which at least one must be among the findings; ``BENIGN`` maps a name to a change
after which nothing can leave either.
"""

from __future__ import annotations

from collections.abc import Callable

from curtilage.proof.aws.plan import UNKNOWN
from tests.sabotage.kubernetes.cluster import CNP, DIGEST, NAME, NET, SEGMENT, Document, Region, block, pods, tcp

Change = Callable[[Region], object]
SABOTAGE: dict[str, tuple[Change, frozenset[str]]] = {}
BENIGN: dict[str, Change] = {}
OPEN, UNSEALED, NOT_KNOWN, KIND = "EG-23", "K8S-UNSEALED", "K8S-UNKNOWN", "K8S-TYPE"
DENY = "NetworkPolicy legal-models/default-deny"
VLLM = "NetworkPolicy legal-models/vllm"
SEAL = "ClusterNetworkPolicy legal-seal"
MODEL = "Deployment legal-models/vllm"


def breaks(*ids: str) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        SABOTAGE[change.__name__.replace("_", " ")] = (change, frozenset(ids))
        return change

    return register


def harmless(change: Change) -> Change:
    BENIGN[change.__name__.replace("_", " ")] = change
    return change


def container(r: Region, key: str = MODEL) -> Document:
    found: Document = r.pod(key)["containers"][0]
    return found


# The default deny, taken away or made to mean something else.


@breaks(UNSEALED)
def default_deny_removed(r: Region) -> None:
    r.remove(DENY)


@breaks(UNSEALED)
def all_policies_of_a_namespace_removed(r: Region) -> None:
    r.remove(DENY, VLLM)


@breaks(UNSEALED)
def default_deny_for_ingress_only(r: Region) -> None:
    r.spec(DENY)["policyTypes"] = ["Ingress"]


@breaks(UNSEALED)
def default_deny_without_policy_types(r: Region) -> None:
    del r.spec(DENY)["policyTypes"]


@breaks(UNSEALED)
def default_deny_with_empty_egress_and_no_types(r: Region) -> None:
    del r.spec(DENY)["policyTypes"]
    r.spec(DENY)["egress"] = []


@breaks(UNSEALED)
def default_deny_selects_listed_workloads_alone(r: Region) -> None:
    r.spec(DENY)["podSelector"] = {"matchLabels": {"app.kubernetes.io/name": "vllm"}}


@breaks(UNSEALED)
def default_deny_spares_a_label(r: Region) -> None:
    r.spec(DENY)["podSelector"] = {"matchExpressions": [{"key": "debug", "operator": "DoesNotExist"}]}


@breaks(UNSEALED)
def default_deny_spares_a_value(r: Region) -> None:
    r.spec(DENY)["podSelector"] = {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["trusted"]}]}


@breaks(UNSEALED)
def default_deny_by_label_that_any_pod_may_lack(r: Region) -> None:
    r.spec(DENY)["podSelector"] = {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "Exists"}]}


@breaks(UNSEALED)
def default_deny_in_another_namespace(r: Region) -> None:
    r[DENY]["metadata"]["namespace"] = "legal-evidence"
    r[DENY]["metadata"]["name"] = "default-deny-2"


@breaks(UNSEALED)
def default_deny_without_a_namespace(r: Region) -> None:
    del r[DENY]["metadata"]["namespace"]


@breaks(NOT_KNOWN)
def policy_types_misspelt(r: Region) -> None:
    r.spec(DENY)["polcyTypes"] = r.spec(DENY).pop("policyTypes")


@breaks(NOT_KNOWN)
def policy_type_in_lower_case(r: Region) -> None:
    r.spec(DENY)["policyTypes"] = ["Ingress", "egress"]


@breaks(NOT_KNOWN)
def selector_key_misspelt(r: Region) -> None:
    r.spec(DENY)["podSelector"] = {"matchLabel": {"app": "vllm"}}


@breaks(NOT_KNOWN)
def default_deny_of_an_unread_version(r: Region) -> None:
    r[DENY]["apiVersion"] = "networking.k8s.io/v2"


@breaks(KIND, UNSEALED)
def default_deny_of_a_retired_group(r: Region) -> None:
    r[DENY]["apiVersion"] = "extensions/v1beta1"


@breaks(NOT_KNOWN)
def default_deny_with_a_selector_not_known(r: Region) -> None:
    r.spec(DENY)["podSelector"] = UNKNOWN


@breaks(UNSEALED)
def a_new_namespace_without_policies(r: Region) -> None:
    r["Namespace legal-admission"]["metadata"]["labels"]["team"] = "x"
    r.spec("ResourceQuota legal-admission/ceiling")["hard"]["pods"] = "10"


@breaks(UNSEALED)
def a_pod_in_the_namespace_without_pods(r: Region) -> None:
    r.add("v1", "Pod", "helper", "legal-admission", spec={"containers": [{"name": "c", "image": DIGEST}]})


@breaks(UNSEALED)
def the_quota_of_no_pods_removed(r: Region) -> None:
    r.remove("ResourceQuota legal-admission/ceiling")


@breaks(UNSEALED)
def the_quota_of_no_pods_counts_some_pods_alone(r: Region) -> None:
    r.spec("ResourceQuota legal-admission/ceiling")["scopes"] = ["BestEffort"]


# One more policy that opens.


@breaks(OPEN)
def allow_everything(r: Region) -> None:
    r.opens({})


@breaks(OPEN)
def allow_every_peer_by_an_empty_list(r: Region) -> None:
    r.opens({"to": [], "ports": [tcp(443)]})


@breaks(OPEN)
def allow_ports_alone(r: Region) -> None:
    r.opens({"ports": [tcp(443)]})


@breaks("EG-28")
def allow_dns_to_anyone(r: Region) -> None:
    r.opens({"ports": [{"protocol": "UDP", "port": 53}]})


@breaks(OPEN)
def allow_the_ipv4_internet(r: Region) -> None:
    r.opens(block("0.0.0.0/0"))


@breaks(OPEN)
def allow_the_ipv6_internet(r: Region) -> None:
    r.opens(block("::/0"))


@breaks(OPEN)
def allow_the_internet_in_two_halves(r: Region) -> None:
    r.opens(block("0.0.0.0/1", "128.0.0.0/1"))


@breaks(OPEN)
def allow_the_internet_but_private_networks(r: Region) -> None:
    r.opens(block("0.0.0.0/0", without=["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"]))


@breaks(OPEN)
def allow_one_address_outside(r: Region) -> None:
    r.opens({**block("203.0.113.7/32"), "ports": [tcp(443)]})


@breaks(OPEN)
def allow_a_network_wider_than_the_segment(r: Region) -> None:
    r.opens(block("10.0.0.0/8"))


@breaks(OPEN)
def allow_an_exception_that_leaves_a_gap(r: Region) -> None:
    r.opens(block("10.244.0.0/15", without=["10.245.0.0/17"]))


@breaks("EG-16")
def allow_the_metadata_address(r: Region) -> None:
    r.opens({**block("169.254.169.254/32"), "ports": [tcp(80)]})


@breaks(OPEN)
def allow_sctp_alone(r: Region) -> None:
    r.opens({"ports": [{"protocol": "SCTP"}]})


@breaks(OPEN)
def allow_a_high_range_of_udp(r: Region) -> None:
    r.opens({"ports": [{"protocol": "UDP", "port": 50000, "endPort": 60000}]})


@breaks(OPEN)
def allow_a_named_port_of_anyone(r: Region) -> None:
    r.opens({"ports": [tcp("https")]})


@breaks(OPEN)
def allow_every_namespace(r: Region) -> None:
    r.opens({"to": [{"namespaceSelector": {}}]})


@breaks(OPEN)
def allow_every_namespace_but_some(r: Region) -> None:
    r.opens({"to": [{"namespaceSelector": {"matchExpressions": [{"key": NAME, "operator": "NotIn", "values": ["default"]}]}}]})


@breaks(OPEN)
def allow_one_namespace_outside(r: Region) -> None:
    r.opens({"to": [{"namespaceSelector": {"matchLabels": {NAME: "internet-proxy"}}}]})


@breaks(OPEN)
def allow_a_namespace_by_a_label_none_here_has(r: Region) -> None:
    r.opens({"to": [{"namespaceSelector": {"matchLabels": {"role": "egress"}}}]})


@breaks(OPEN)
def allow_a_proxy_pod_in_any_namespace(r: Region) -> None:
    r.opens({"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "squid"}}}], "ports": [tcp(3128)]})


@breaks(OPEN)
def allow_for_pods_with_a_label_nobody_has_yet(r: Region) -> None:
    r.policy("later", "legal-models", {"matchLabels": {"debug": "yes"}}, policyTypes=["Egress"], egress=[{}])


@breaks(OPEN)
def allow_hidden_in_the_gateway_policy(r: Region) -> None:
    r.spec("NetworkPolicy legal-gateway/gateway")["egress"].append({"ports": [tcp(443)]})


@breaks(OPEN)
def allow_by_a_second_peer(r: Region) -> None:
    r.spec("NetworkPolicy legal-gateway/gateway")["egress"][0]["to"].append({"ipBlock": {"cidr": "198.51.100.0/24"}})


@breaks(OPEN)
def a_dash_that_splits_a_peer_in_two(r: Region) -> None:
    peer = pods("legal-models", "vllm")
    r.spec("NetworkPolicy legal-gateway/gateway")["egress"][0]["to"] = [
        {"namespaceSelector": {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}},
        {"podSelector": peer["podSelector"]},
    ]


@breaks("EG-28")
def allow_the_clusters_resolver(r: Region) -> None:
    peer = {"namespaceSelector": {"matchLabels": {NAME: "kube-system"}}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    r.opens({"to": [peer], "ports": [{"protocol": "UDP", "port": 53}]})


@breaks("EG-28")
def allow_a_resolver_that_forwards(r: Region) -> None:
    allow_the_clusters_resolver(r)
    r.add(
        "v1",
        "ConfigMap",
        "coredns",
        "kube-system",
        data={"Corefile": ".:53 {\n  kubernetes cluster.local\n  forward . /etc/resolv.conf\n}"},
    )


@breaks("EG-28")
def allow_a_resolver_that_forwards_on_one_line(r: Region) -> None:
    allow_the_clusters_resolver(r)
    r.add("v1", "ConfigMap", "coredns", "kube-system", data={"Corefile": ". { forward . 203.0.113.53 }"})


@breaks("EG-28")
def allow_a_resolver_with_an_import(r: Region) -> None:
    allow_the_clusters_resolver(r)
    r.add("v1", "ConfigMap", "coredns", "kube-system", data={"Corefile": ".:53 {\n  errors\n  import custom/*.override\n}"})


@breaks(NOT_KNOWN, OPEN)
def allow_a_namespace_whose_labels_are_nowhere(r: Region) -> None:
    r.remove("Namespace legal-models")
    r.opens({"to": [{"namespaceSelector": {"matchLabels": {"role": "egress"}}}]})


@breaks("EG-20")
def a_claim_on_a_network_file_system(r: Region) -> None:
    r.add("v1", "PersistentVolume", "out", spec={"nfs": {"server": "203.0.113.9", "path": "/"}})


@breaks("EG-20")
def a_claim_on_a_drivers_network_file_system(r: Region) -> None:
    r.add("v1", "PersistentVolume", "out", spec={"csi": {"driver": "nfs.csi.k8s.io", "volumeAttributes": {"server": "203.0.113.9"}}})


@breaks("EG-20")
def a_claim_on_a_share_of_a_cloud(r: Region) -> None:
    r.add("v1", "PersistentVolume", "out", spec={"azureFile": {"shareName": "x", "secretName": "y"}})


@breaks(OPEN)
def allow_the_system_namespace_on_every_port(r: Region) -> None:
    r.opens({"to": [{"namespaceSelector": {"matchLabels": {NAME: "kube-system"}}}]})


@breaks(NOT_KNOWN)
def allow_an_address_not_known(r: Region) -> None:
    r.opens({"to": [{"ipBlock": {"cidr": UNKNOWN}}]})


@breaks(NOT_KNOWN)
def allow_an_ipv4_mapped_network(r: Region) -> None:
    r.opens(block("::ffff:0:0/96"))


@breaks(NOT_KNOWN)
def allow_a_peer_of_an_unknown_sort(r: Region) -> None:
    r.opens({"to": [{"fqdn": "example.com"}]})


@breaks(NOT_KNOWN)
def rules_not_known(r: Region) -> None:
    r.opens()["spec"]["egress"] = UNKNOWN


# The admin tier.


@breaks(OPEN)
def an_accept_before_the_deny(r: Region) -> None:
    r.spec(SEAL)["egress"].insert(0, {"action": "Accept", "to": [{"networks": ["203.0.113.0/24"]}]})


@breaks(OPEN)
def another_policy_accepts_first(r: Region) -> None:
    r.spec(SEAL)["priority"] = 10
    spec = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "egress": [{"action": "Accept", "to": [{"networks": ["::/0"]}]}]}
    r.add(CNP, "ClusterNetworkPolicy", "first", spec=spec)


@breaks(OPEN, "K8S-UNKNOWN")
def another_policy_accepts_at_the_same_priority(r: Region) -> None:
    spec = {"tier": "Admin", "priority": 0, "subject": {"namespaces": {}}, "egress": [{"action": "Accept", "to": [{"networks": ["::/0"]}]}]}
    r.add(CNP, "ClusterNetworkPolicy", "tied", spec=spec)


@breaks(OPEN)
def an_accept_for_a_name(r: Region) -> None:
    r.spec(SEAL)["egress"].insert(0, {"action": "Accept", "to": [{"domainNames": ["*.example.com"]}]})


@breaks(OPEN)
def an_accept_for_nodes(r: Region) -> None:
    r.spec(SEAL)["egress"].insert(0, {"action": "Accept", "to": [{"nodes": {}}]})


@breaks(NOT_KNOWN)
def an_accept_for_an_unknown_sort_of_peer(r: Region) -> None:
    r.spec(SEAL)["egress"].insert(0, {"action": "Accept", "to": [{"services": {"name": "x"}}]})


@breaks(NOT_KNOWN)
def a_tier_that_is_none(r: Region) -> None:
    r.spec(SEAL)["tier"] = "Administrator"


@breaks(OPEN)
def an_elder_policy_allows(r: Region) -> None:
    if SEAL in r.items:
        r.remove(SEAL)
    spec = {"priority": 3, "subject": {"namespaces": {}}, "egress": [{"action": "Allow", "to": [{"networks": ["0.0.0.0/0"]}]}]}
    r.add("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "elder", spec=spec)


# Pods that no policy binds.


@breaks("EG-20")
def host_network(r: Region) -> None:
    r.pod(MODEL)["hostNetwork"] = True


@breaks("EG-20")
def host_network_in_a_cron_job(r: Region) -> None:
    pod = {"hostNetwork": True, "containers": [{"name": "c", "image": DIGEST}]}
    r.add("batch/v1", "CronJob", "nightly", "legal-models", spec={"jobTemplate": {"spec": {"template": {"spec": pod}}}})


@breaks("EG-20")
def host_network_not_known(r: Region) -> None:
    r.pod(MODEL)["hostNetwork"] = UNKNOWN


@breaks("EG-20")
def host_network_of_a_bare_pod(r: Region) -> None:
    r.add("v1", "Pod", "debug", "legal-models", spec={"hostNetwork": True, "containers": [{"name": "c", "image": DIGEST}]})


@breaks("EG-20")
def privileged_container(r: Region) -> None:
    container(r)["securityContext"]["privileged"] = True


@breaks("EG-20")
def privileged_init_container(r: Region) -> None:
    r.pod(MODEL)["initContainers"] = [{"name": "i", "image": DIGEST, "securityContext": {"privileged": True}}]


@breaks("EG-20")
def the_nodes_processes(r: Region) -> None:
    r.pod(MODEL)["hostPID"] = True


@breaks("EG-20")
def a_path_of_the_node(r: Region) -> None:
    r.pod(MODEL)["volumes"].append({"name": "socket", "hostPath": {"path": "/run/containerd"}})


@breaks("EG-20")
def a_network_file_system_outside(r: Region) -> None:
    r.pod(MODEL)["volumes"].append({"name": "out", "nfs": {"server": "203.0.113.9", "path": "/"}})


@breaks("EG-37")
def raw_sockets(r: Region) -> None:
    container(r)["securityContext"]["capabilities"]["add"] = ["NET_RAW"]


@breaks("EG-26")
def a_second_network(r: Region) -> None:
    r[MODEL]["spec"]["template"]["metadata"]["annotations"] = {"k8s.v1.cni.cncf.io/networks": "macvlan"}


@breaks("EG-26")
def an_rdma_card(r: Region) -> None:
    container(r)["resources"]["limits"]["rdma/hca_shared_devices_a"] = "1"


@breaks("EG-29")
def a_port_of_the_host(r: Region) -> None:
    container(r)["ports"][0]["hostPort"] = 8000


# Services.


@breaks("EG-29")
def an_external_name(r: Region) -> None:
    r.add("v1", "Service", "api", "legal-models", spec={"type": "ExternalName", "externalName": "api.example.com"})


@breaks("EG-29")
def external_addresses(r: Region) -> None:
    r.spec("Service legal-models/vllm")["externalIPs"] = ["203.0.113.4"]


@breaks("EG-29")
def a_load_balancer(r: Region) -> None:
    r.spec("Service legal-gateway/gateway")["type"] = "LoadBalancer"


@breaks("EG-29")
def a_port_of_every_node(r: Region) -> None:
    r.spec("Service legal-gateway/gateway")["type"] = "NodePort"


@breaks("EG-29")
def a_service_with_endpoints_outside(r: Region) -> None:
    del r.spec("Service legal-models/vllm")["selector"]
    labels = {"kubernetes.io/service-name": "vllm"}
    slices = [{"addresses": ["203.0.113.4"]}]
    r.add("discovery.k8s.io/v1", "EndpointSlice", "vllm-x", "legal-models", labels, addressType="IPv4", endpoints=slices)


@breaks("EG-29")
def a_service_that_selects_nothing(r: Region) -> None:
    del r.spec("Service legal-models/vllm")["selector"]


@breaks("EG-29")
def an_ingress(r: Region) -> None:
    r.add(NET, "Ingress", "front", "legal-gateway", spec={})


# What the model does not follow.


@breaks(KIND)
def a_cilium_policy(r: Region) -> None:
    r.add(
        "cilium.io/v2", "CiliumNetworkPolicy", "out", "legal-models", spec={"endpointSelector": {}, "egress": [{"toEntities": ["world"]}]}
    )


@breaks(KIND)
def a_calico_policy(r: Region) -> None:
    r.add("projectcalico.org/v3", "GlobalNetworkPolicy", "out", spec={"egress": [{"action": "Allow"}]})


@breaks(KIND)
def an_unknown_kind(r: Region) -> None:
    r.add("ray.io/v1", "RayCluster", "ray", "legal-models", spec={})


@breaks(KIND)
def a_mutating_webhook(r: Region) -> None:
    r.add("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "inject", webhooks=[])


@breaks(KIND)
def a_second_network_declared(r: Region) -> None:
    r.add("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "fast", "legal-models", spec={"config": "{}"})


@breaks(NOT_KNOWN)
def a_pod_whose_labels_are_not_known(r: Region) -> None:
    r[MODEL]["spec"]["template"]["metadata"]["labels"] = UNKNOWN


# Harmless changes.


@harmless
def nothing(r: Region) -> None:
    pass


@harmless
def more_replicas(r: Region) -> None:
    r.spec(MODEL)["replicas"] = 4


@harmless
def another_image(r: Region) -> None:
    container(r)["image"] = DIGEST.replace("a", "b")


@harmless
def a_new_workload(r: Region) -> None:
    r.workload("Deployment", "embedder", "legal-models", 8001)


@harmless
def a_job(r: Region) -> None:
    pod = {"containers": [{"name": "c", "image": DIGEST}], "restartPolicy": "Never"}
    r.add("batch/v1", "Job", "import", "legal-models", spec={"template": {"spec": pod}})


@harmless
def a_new_namespace_with_a_default_deny(r: Region) -> None:
    r.remove("ResourceQuota legal-admission/ceiling")
    r.policy("default-deny", "legal-admission", policyTypes=["Egress"])


@harmless
def default_deny_by_two_complementary_policies(r: Region) -> None:
    r.remove(DENY)
    for name, operator in (("with", "Exists"), ("without", "DoesNotExist")):
        r.policy(name, "legal-models", {"matchExpressions": [{"key": "app", "operator": operator}]}, policyTypes=["Egress"])


@harmless
def an_ingress_rule_for_monitoring(r: Region) -> None:
    peer = {"namespaceSelector": {"matchLabels": {NAME: "monitoring"}}}
    r.spec(VLLM)["ingress"].append({"from": [peer], "ports": [tcp(8000)]})


@harmless
def a_flow_inside_the_segment(r: Region) -> None:
    r.opens({"to": [pods("legal-evidence", "evidence-store")], "ports": [tcp(8443)]})


@harmless
def pods_of_one_namespace_may_talk(r: Region) -> None:
    r.opens({"to": [{"podSelector": {}}]})


@harmless
def the_segment_by_its_label(r: Region) -> None:
    r.opens({"to": [{"namespaceSelector": {"matchLabels": SEGMENT}}]})


@harmless
def the_segments_addresses(r: Region) -> None:
    r.opens(block("10.244.0.0/16", "fd00:244::/56"))


@harmless
def a_wider_network_without_what_is_outside(r: Region) -> None:
    r.opens(block("10.244.0.0/15", without=["10.245.0.0/16"]))


@harmless
def egress_rules_that_a_policy_does_not_turn_on(r: Region) -> None:
    r.policy("stale", "legal-models", policyTypes=["Ingress"], egress=[{}])


@harmless
def a_rule_that_no_pod_can_meet(r: Region) -> None:
    never = {"matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "a", "operator": "DoesNotExist"}]}
    r.policy("never", "legal-models", never, policyTypes=["Egress"], egress=[{}])


@harmless
def a_resolver_that_asks_nobody(r: Region) -> None:
    allow_the_clusters_resolver(r)
    r.add(
        "v1",
        "ConfigMap",
        "coredns",
        "kube-system",
        data={"Corefile": ".:53 {\n  errors\n  kubernetes cluster.local {\n    pods insecure\n  }\n  cache 30\n}"},
    )


@harmless
def a_headless_service(r: Region) -> None:
    r.spec("Service legal-evidence/evidence-store")["clusterIP"] = "None"


@harmless
def endpoints_inside_the_segment(r: Region) -> None:
    del r.spec("Service legal-models/vllm")["selector"]
    labels = {"kubernetes.io/service-name": "vllm"}
    r.add(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "vllm-x",
        "legal-models",
        labels,
        addressType="IPv4",
        endpoints=[{"addresses": ["10.244.3.4"]}],
    )


@harmless
def a_workload_of_another_team(r: Region) -> None:
    r.add("v1", "Namespace", "web")
    r.workload("Deployment", "shop", "web", 80)


@harmless
def one_more_deny_in_the_admin_tier(r: Region) -> None:
    spec = {
        "tier": "Admin",
        "priority": 5,
        "subject": {"namespaces": {}},
        "egress": [{"action": "Deny", "to": [{"networks": ["203.0.113.0/24"]}]}],
    }
    r.add(CNP, "ClusterNetworkPolicy", "more", spec=spec)


@harmless
def an_explicit_false(r: Region) -> None:
    r.pod(MODEL)["hostNetwork"] = False
    container(r)["securityContext"]["privileged"] = False


@harmless
def prometheus_rules(r: Region) -> None:
    r.add("monitoring.coreos.com/v1", "PrometheusRule", "alerts", "legal-gateway", spec={"groups": []})
