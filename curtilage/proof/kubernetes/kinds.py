"""Which kinds the proof models, which cannot let a packet out, and which it can only name.

Keys are (API group, kind); a group is without its version. A kind in none of the tables is not modelled: NOT_PROVEN, by name.
"""

from __future__ import annotations

Kind = tuple[str, str]
RBAC, ADMISSION, APPS, BATCH = "rbac.authorization.k8s.io", "admissionregistration.k8s.io", "apps", "batch"
NET, CLUSTER_NET = "networking.k8s.io", "policy.networking.k8s.io"

POD_KINDS: frozenset[Kind] = frozenset(
    {
        ("", "Pod"),
        ("", "ReplicationController"),
        (APPS, "Deployment"),
        (APPS, "StatefulSet"),
        (APPS, "DaemonSet"),
        (APPS, "ReplicaSet"),
        (BATCH, "Job"),
        (BATCH, "CronJob"),
    }
)
POLICY_KINDS: frozenset[Kind] = frozenset(
    {
        (NET, "NetworkPolicy"),
        (CLUSTER_NET, "ClusterNetworkPolicy"),
        (CLUSTER_NET, "AdminNetworkPolicy"),
        (CLUSTER_NET, "BaselineAdminNetworkPolicy"),
    }
)
TRAFFIC_KINDS: frozenset[Kind] = frozenset({("", "Service"), ("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice")})
RELAYS: dict[Kind, str] = {
    (NET, "Ingress"): "a controller outside the segment connects in for callers that the manifests do not name",
    ("gateway.networking.k8s.io", "Gateway"): "a listener for callers that the manifests do not name",
    **{
        ("gateway.networking.k8s.io", kind): "a gateway forwards to and from callers that the manifests do not name"
        for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
    },
}
FOREIGN_POLICIES: dict[Kind, str] = {
    **{
        ("cilium.io", kind): "Cilium adds its allows to those of network policies"
        for kind in (
            "CiliumNetworkPolicy",
            "CiliumClusterwideNetworkPolicy",
            "CiliumEgressGatewayPolicy",
            "CiliumLocalRedirectPolicy",
            "CiliumEnvoyConfig",
            "CiliumClusterwideEnvoyConfig",
            "CiliumCIDRGroup",
        )
    },
    **{
        (group, kind): "Calico decides by order, before or after network policies"
        for group in ("crd.projectcalico.org", "projectcalico.org")
        for kind in ("NetworkPolicy", "GlobalNetworkPolicy", "StagedNetworkPolicy", "GlobalNetworkSet", "NetworkSet", "Tier", "Profile")
    },
    **{
        ("crd.antrea.io", kind): "Antrea decides by tier, before or after network policies"
        for kind in ("NetworkPolicy", "ClusterNetworkPolicy", "Egress", "Tier", "ClusterGroup", "Group")
    },
    **{
        ("networking.istio.io", kind): "a mesh routes by it"
        for kind in ("ServiceEntry", "VirtualService", "DestinationRule", "Gateway", "Sidecar", "EnvoyFilter", "WorkloadEntry")
    },
    ("k8s.ovn.org", "EgressFirewall"): "OVN-Kubernetes decides by it",
    ("k8s.ovn.org", "EgressIP"): "OVN-Kubernetes sends by it",
    ("k8s.cni.cncf.io", "NetworkAttachmentDefinition"): "it is a second network, which no network policy covers",
    ("networking.k8s.aws", "PolicyEndpoint"): "the VPC CNI programs it as it stands",
    ("networking.k8s.aws", "ClusterNetworkPolicy"): "the VPC CNI decides by it",
    ("networking.k8s.aws", "ApplicationNetworkPolicy"): "the VPC CNI decides by it",
}
"""Policies and routes of single implementations: named, not decided."""

_DATA = "holds data; what reads it is judged itself"
_RIGHTS = "says who may do what; the API is reached by packets, which are judged"
INERT: dict[Kind, str] = {
    ("", "Namespace"): "labels are read; it sends nothing",
    **{
        ("", kind): _DATA
        for kind in ("ConfigMap", "Secret", "PersistentVolumeClaim", "PersistentVolume", "Event", "ServiceAccount", "Node", "PodTemplate")
    },
    **{("", kind): "limits what may run" for kind in ("ResourceQuota", "LimitRange")},
    **{(RBAC, kind): _RIGHTS for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")},
    **{
        (ADMISSION, kind): "refuses objects; it never counts as a lock here"
        for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    },
    (APPS, "ControllerRevision"): _DATA,
    ("autoscaling", "HorizontalPodAutoscaler"): "changes how many pods, not what they are",
    ("policy", "PodDisruptionBudget"): "changes when pods end",
    ("scheduling.k8s.io", "PriorityClass"): "changes where pods run",
    ("node.k8s.io", "RuntimeClass"): "changes what runs containers",
    ("storage.k8s.io", "StorageClass"): _DATA,
    ("storage.k8s.io", "VolumeAttachment"): _DATA,
    ("storage.k8s.io", "CSIDriver"): _DATA,
    ("storage.k8s.io", "CSINode"): _DATA,
    ("storage.k8s.io", "CSIStorageCapacity"): _DATA,
    ("coordination.k8s.io", "Lease"): _DATA,
    ("events.k8s.io", "Event"): _DATA,
    (NET, "IngressClass"): "names a controller",
    ("gateway.networking.k8s.io", "GatewayClass"): "names a controller",
    ("gateway.networking.k8s.io", "ReferenceGrant"): "lets names be used across namespaces",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "declares a kind; its objects are judged",
    ("certificates.k8s.io", "CertificateSigningRequest"): _DATA,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): "shares the API server's time",
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): "shares the API server's time",
    **{
        ("monitoring.coreos.com", kind): "tells Prometheus what to read; Prometheus is a pod, judged where it stands"
        for kind in ("PrometheusRule", "ServiceMonitor", "PodMonitor")
    },
    ("metrics.k8s.io", "PodMetrics"): _DATA,
    ("metrics.k8s.io", "NodeMetrics"): _DATA,
    ("cilium.io", "CiliumEndpoint"): "what Cilium reports",
    ("cilium.io", "CiliumIdentity"): "what Cilium reports",
    ("cilium.io", "CiliumNode"): "what Cilium reports",
}

CLUSTER_KINDS: frozenset[Kind] = frozenset(
    {
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        (RBAC, "ClusterRole"),
        (RBAC, "ClusterRoleBinding"),
        (ADMISSION, "ValidatingAdmissionPolicy"),
        (ADMISSION, "ValidatingAdmissionPolicyBinding"),
        (ADMISSION, "MutatingAdmissionPolicy"),
        (ADMISSION, "MutatingAdmissionPolicyBinding"),
        (ADMISSION, "ValidatingWebhookConfiguration"),
        (ADMISSION, "MutatingWebhookConfiguration"),
        ("apiregistration.k8s.io", "APIService"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        (NET, "IngressClass"),
        ("gateway.networking.k8s.io", "GatewayClass"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        (CLUSTER_NET, "ClusterNetworkPolicy"),
        (CLUSTER_NET, "AdminNetworkPolicy"),
        (CLUSTER_NET, "BaselineAdminNetworkPolicy"),
        ("cilium.io", "CiliumClusterwideNetworkPolicy"),
        ("cilium.io", "CiliumClusterwideEnvoyConfig"),
        ("cilium.io", "CiliumEgressGatewayPolicy"),
        ("cilium.io", "CiliumCIDRGroup"),
        ("cilium.io", "CiliumIdentity"),
        ("cilium.io", "CiliumNode"),
        ("crd.projectcalico.org", "GlobalNetworkPolicy"),
        ("projectcalico.org", "GlobalNetworkPolicy"),
        ("crd.antrea.io", "ClusterNetworkPolicy"),
        ("networking.k8s.aws", "ClusterNetworkPolicy"),
    }
)

VERSIONS: dict[Kind, frozenset[str]] = {
    (NET, "NetworkPolicy"): frozenset({"v1"}),
    (CLUSTER_NET, "ClusterNetworkPolicy"): frozenset({"v1alpha2", "v1beta1"}),
    (CLUSTER_NET, "AdminNetworkPolicy"): frozenset({"v1alpha1"}),
    (CLUSTER_NET, "BaselineAdminNetworkPolicy"): frozenset({"v1alpha1"}),
}
"""Versions whose schema was read; another may mean something else by the same words."""
