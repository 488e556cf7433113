"""What admission asks of a pod: nothing of the host, no privilege, no address of its own, approved images, an offline runtime."""

from __future__ import annotations

from curtilage.derive.kubernetes.names import MODELS

VARIABLES = {
    "main": "object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])",
    "debug": "has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers : []",
    "volumes": "has(object.spec.volumes) ? object.spec.volumes : []",
    "notes": "has(object.metadata.annotations) ? object.metadata.annotations : {}",
    "pod": "has(object.spec.securityContext) ? object.spec.securityContext : {}",
}

OFFLINE_ENV = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_SERVER_DEV_MODE": "0",
    "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "OTEL_SDK_DISABLED": "true",
    "PIP_NO_INDEX": "1",
}
"""What keeps a model's runtime from calling anyone (EG-47 to EG-57); each has to be there, with this value."""

FLAGS = (
    "--model", "--served-model-name", "--host", "--port", "--load-format", "--max-model-len", "--tensor-parallel-size", "--quantization",
    "--disable-uvicorn-access-log", "--enforce-eager", "--max-num-seqs", "--max-num-batched-tokens", "--gpu-memory-utilization", "--dtype",
    "--kv-cache-dtype", "--enable-prefix-caching", "--enable-auto-tool-choice", "--tool-call-parser", "--reasoning-parser", "--seed",
    "--runner", "--convert",
)  # fmt: skip
"""What a model may be started with. A list of what is forbidden would not hold: the parser takes abbreviations, underscores and a file of
options, so that ``--trust-remote`` and ``--config`` say the same in other words."""

_ALL = "variables.main.all(c, {})"


def _each(test: str) -> str:
    return _ALL.format(test)


SEALED: list[tuple[str, str]] = [
    (
        "!(has(object.spec.hostNetwork) && object.spec.hostNetwork) && !(has(object.spec.hostPID) && object.spec.hostPID)"
        " && !(has(object.spec.hostIPC) && object.spec.hostIPC)",
        "EG-20: a pod of the segment must not share the host's network, processes or IPC.",
    ),
    (
        _each("!has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort == 0)"),
        "EG-20: a pod of the segment must not use a host port.",
    ),
    (
        "variables.volumes.all(v, has(v.configMap) || has(v.secret) || has(v.emptyDir) || has(v.persistentVolumeClaim)"
        " || has(v.downwardAPI))",
        "EG-20: volumes are configMap, secret, emptyDir, persistentVolumeClaim or downwardAPI; no host path, token or network file system.",
    ),
    (
        _each(
            "has(c.securityContext) && has(c.securityContext.capabilities) && has(c.securityContext.capabilities.drop)"
            " && c.securityContext.capabilities.drop.exists(d, d == 'ALL') && !has(c.securityContext.capabilities.add)"
        ),
        "EG-37: every container must drop ALL capabilities and add none: NET_RAW sends frames past every policy.",
    ),
    (
        _each(
            "!(has(c.securityContext.privileged) && c.securityContext.privileged)"
            " && has(c.securityContext.allowPrivilegeEscalation) && !c.securityContext.allowPrivilegeEscalation"
            " && has(c.securityContext.readOnlyRootFilesystem) && c.securityContext.readOnlyRootFilesystem"
        ),
        "EG-55: every container must be unprivileged, must not gain privileges and must have a read-only root.",
    ),
    (
        "has(variables.pod.runAsNonRoot) && variables.pod.runAsNonRoot && has(variables.pod.seccompProfile)"
        " && variables.pod.seccompProfile.type == 'RuntimeDefault' && !has(variables.pod.sysctls)"
        " && variables.main.all(c, !(has(c.securityContext.runAsNonRoot) && !c.securityContext.runAsNonRoot)"
        " && !(has(c.securityContext.runAsUser) && c.securityContext.runAsUser == 0) && !has(c.securityContext.seccompProfile)"
        " && !has(c.securityContext.procMount)) && !(has(variables.pod.runAsUser) && variables.pod.runAsUser == 0)",
        "A pod of the segment must run as another user than root, with the runtime's seccomp profile, which no container changes.",
    ),
    (
        "has(object.spec.automountServiceAccountToken) && !object.spec.automountServiceAccountToken",
        "EG-31: a pod of the segment must not mount a service account's token.",
    ),
    (
        "variables.notes.all(k, !k.contains('cni.cncf.io') && !k.contains('multus') && !k.startsWith('cni.projectcalico.org/')"
        " && !k.startsWith('ipam.cilium.io/') && !k.startsWith('container.apparmor.security.beta.kubernetes.io/'))",
        "EG-26: a pod of the segment must not ask for another network interface or address by annotation.",
    ),
    (
        "(variables.main).all(c, !has(c.resources) || ("
        "(!has(c.resources.limits) || c.resources.limits.all(r, r in ['cpu', 'memory', 'ephemeral-storage', 'nvidia.com/gpu']))"
        " && (!has(c.resources.requests) || c.resources.requests.all(r, r in ['cpu', 'memory', 'ephemeral-storage', 'nvidia.com/gpu']))"
        " && !has(c.resources.claims))) && !has(object.spec.resourceClaims)",
        "EG-26: resources are cpu, memory, ephemeral-storage and nvidia.com/gpu; RDMA and secondary interfaces leave past every policy.",
    ),
    (
        "!has(object.spec.runtimeClassName) && (!has(object.spec.schedulerName) || object.spec.schedulerName == 'default-scheduler')"
        " && !has(object.spec.hostAliases) && !(has(object.spec.shareProcessNamespace) && object.spec.shareProcessNamespace)",
        "A pod of the segment has no runtime class, scheduler, host names or shared processes of its own.",
    ),
    (
        "request.operation != 'CREATE' || !has(object.spec.nodeName) || object.spec.nodeName == ''",
        "The scheduler chooses the node: a pod that names one passes taints and quotas by.",
    ),
    (
        "has(object.spec.dnsPolicy) && object.spec.dnsPolicy == 'None' && has(object.spec.dnsConfig)"
        " && has(object.spec.dnsConfig.nameservers) && object.spec.dnsConfig.nameservers.all(n, n == '127.0.0.1' || n == '::1')",
        "EG-28: a pod of the segment has no resolver: dnsPolicy None with nameserver 127.0.0.1.",
    ),
    (
        "has(object.metadata.ownerReferences) && object.metadata.ownerReferences.exists(o, has(o.controller) && o.controller"
        " && o.kind in ['ReplicaSet', 'StatefulSet', 'Job'])",
        "EG-27: a pod of the segment belongs to a Deployment, StatefulSet or Job; some CNIs do not cover bare pods.",
    ),
    ("size(variables.debug) == 0", "EG-31: the segment has no ephemeral containers; look at logs, metrics and a copy outside."),
    (
        _each("!has(c.command)"),
        "A container of the segment runs its image's own entry point: the image was approved for what it does.",
    ),
    (
        "variables.main.all(c, !has(c.lifecycle)) && variables.main.all(c, !has(c.volumeDevices))",
        "A container of the segment has no lifecycle hooks, which may call HTTP addresses, and no raw block devices.",
    ),
    (
        "variables.main.all(c, [has(c.livenessProbe) ? c.livenessProbe : {}, has(c.readinessProbe) ? c.readinessProbe : {},"
        " has(c.startupProbe) ? c.startupProbe : {}].all(p, (!has(p.httpGet) || !has(p.httpGet.host))"
        " && (!has(p.tcpSocket) || !has(p.tcpSocket.host))))",
        "A probe asks its own pod; one that names a host makes the node call it.",
    ),
]
"""Asked of every pod of the segment."""

_MODELS = f"object.metadata.namespace != '{MODELS}' || "
_OFFLINE = ", ".join(f"'{name}': '{value}'" for name, value in OFFLINE_ENV.items())
_FLAGS = ", ".join(f"'{flag}'" for flag in FLAGS)

OFFLINE: list[tuple[str, str]] = [
    (
        _MODELS
        + f"object.spec.containers.all(c, has(c.env) && {{{_OFFLINE}}}.all(k, c.env.exists_one(e, e.name == k)"
        + f" && c.env.exists(e, e.name == k && has(e.value) && e.value == {{{_OFFLINE}}}[k])))",
        "EG-47: a model's container must state the whole offline environment (curtilage/derive/kubernetes/admission_pods.py lists it).",
    ),
    (
        "variables.main.all(c, !has(c.envFrom)) && variables.main.all(c, !has(c.env) || c.env.all(e, !e.name.startsWith('LD_')"
        " && !e.name.lowerAscii().endsWith('_proxy') && !(e.name in ['HF_ENDPOINT', 'HF_TOKEN', 'VLLM_USAGE_STATS_SERVER', 'VLLM_PLUGINS',"
        " 'VLLM_USE_MODELSCOPE', 'PYTHONPATH', 'PYTHONHOME',"
        " 'OTEL_EXPORTER_OTLP_ENDPOINT', 'PYTHONSTARTUP', 'PIP_INDEX_URL', 'SENTRY_DSN'])))",
        "EG-57: no proxy, hub, exporter or loader setting by environment, and no environment from elsewhere.",
    ),
    (
        _MODELS
        + f"object.spec.containers.all(c, has(c.args) && c.args.all(a, a.split('=')[0] in [{_FLAGS}]"
        + " && c.args.exists_one(b, b.split('=')[0] == a.split('=')[0]) && !a.contains('://')))",
        "EG-48, EG-51: a model is started with flags of the approved list alone, each once, as --flag=value, and without any address.",
    ),
    (
        _MODELS
        + "object.spec.containers.all(c, c.args.exists(a, a.startsWith('--model=/srv/models/')"
        + " && !a.contains('..')) && c.args.exists(a, a == '--load-format=safetensors'))",
        "EG-48: a model is a directory of the verified store, --model=/srv/models/<name>/<digest>; a name would be fetched.",
    ),
    (
        _MODELS
        + "has(object.spec.initContainers) && object.spec.initContainers.exists(c, c.name == 'verify-weights' && has(c.args)"
        + " && c.args.exists(a, a == 'verify') && object.spec.containers.all(m, m.args.exists(a, a.startsWith('--model=')"
        + " && c.args.exists(v, '--model=' + v == a))))",
        "Nothing unsigned loads: the init container verify-weights checks the very directory that the model is loaded from.",
    ),
    (
        _MODELS
        + "variables.volumes.all(v, !has(v.persistentVolumeClaim) || (v.persistentVolumeClaim.claimName == 'models'"
        + " && has(v.persistentVolumeClaim.readOnly) && v.persistentVolumeClaim.readOnly))",
        "Weights come from the claim 'models', read-only, and from nowhere else.",
    ),
]
"""Asked of model pods; the parts about environment and loader of all."""


IMAGES: list[tuple[str, str]] = [
    (
        "variables.main.all(c, c.image.contains('@sha256:') && c.image in variables.approved)",
        "An image of the segment is named by digest and stands in legal-admission/approved-images.",
    ),
    (
        "variables.debug.all(c, c.image.contains('@sha256:') && c.image in variables.approved)",
        "An ephemeral container's image stands in legal-admission/approved-images too.",
    ),
]
