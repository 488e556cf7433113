"""What runs on a host has no way out of its own (breaks: a model server that phones home, fetches or listens where nobody looks)."""

from __future__ import annotations

import re
import shlex
import uuid
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from curtilage.probes.canary import CanaryDirectory
from curtilage.probes.cells import CANARY_IPV4, VLLM_PORT

OFFLINE = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1",
    "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "VLLM_SERVER_DEV_MODE": "0", "VLLM_MEDIA_URL_ALLOW_REDIRECTS": "0",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "0", "OTEL_SDK_DISABLED": "true", "PIP_NO_INDEX": "1",
}  # fmt: skip
FORBIDDEN_ARGUMENTS = ("--tool-server", "--trust-remote-code", "--otlp-traces-endpoint", "--enable-server-load-tracking")
ADDRESS_IN_TEXT = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:]+\]|[^/:\s\"']+)", re.IGNORECASE)
SERVICES = {"gpu": "curtilage-vllm", "gateway": "curtilage-gateway", "evidence": "curtilage-evidence"}
LISTENS = {"gpu": {22, VLLM_PORT, 9100}, "gateway": {22, 53, 443, 9100}, "crm": {22, 9100}, "evidence": {22, 8443, 9100}}
# The service's own cache, and what every user may write to; its unit gives it a /tmp of its own.
WRITABLE = ("/var/cache/curtilage-vllm", "/tmp", "/var/tmp", "/run/lock", "/dev")  # noqa: S108 - places looked at, not used
FETCH = """
import json, sys, urllib.error, urllib.request
url, picture = sys.argv[1:]
model = json.load(urllib.request.urlopen(url + "/models", timeout=10))["data"][0]["id"]
content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": picture}}]
body = json.dumps({"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 1}).encode()
call = urllib.request.Request(url + "/chat/completions", body, {"Content-Type": "application/json"})
try:
    print(urllib.request.urlopen(call, timeout=20).status)
except urllib.error.HTTPError as refused:
    print(refused.code)
"""


def processes(machine: Any, service: str) -> list[str]:
    """The process ids of a service: all that run as its user, who has no other."""
    user = machine.check_output(f"systemctl show --property=User --value {service}.service").strip()
    assert user not in ("", "root"), f"{service} has no user of its own"
    return str(machine.check_output(f"pgrep --uid {user}")).split()


def environment(machine: Any, process: str) -> dict[str, str]:
    """The environment a process was started with."""
    entries = machine.check_output(f"tr '\\0' '\\n' < /proc/{process}/environ").splitlines()
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def test_the_model_server_runs_offline_and_tells_nobody(machines: dict[str, Any], model_host: str) -> None:
    """EG-47, EG-48, EG-50, EG-52, EG-55: what counts is the environment of the processes that run, not of the unit's file."""
    machine = machines[model_host]
    told = {process: environment(machine, process) for process in processes(machine, "curtilage-vllm")}
    # A process that gave itself a title overwrote what the kernel shows of its environment; it inherited that of its parent.
    readable = {process: found for process, found in told.items() if "PATH" in found}
    assert machine.check_output("systemctl show --property=MainPID --value curtilage-vllm.service").strip() in readable
    for process, found in readable.items():
        assert {name: found.get(name) for name in OFFLINE} == OFFLINE, f"process {process}"


def test_no_service_is_told_of_an_address_outside_the_region(machines: dict[str, Any], region: Any, service_host: str) -> None:
    """EG-51, EG-57: exporters, tool servers, remote writes and error reporters are all told where to send to."""
    own = {str(address) for one in region.hosts for address in (one.ipv4, one.ipv6)}
    for process in processes(machines[service_host], SERVICES[region.host(service_host).role]):
        text = machines[service_host].check_output(f"tr '\\0' '\\n' < /proc/{process}/environ; tr '\\0' '\\n' < /proc/{process}/cmdline")
        foreign = {name for name in ADDRESS_IN_TEXT.findall(text) if not _inside(name.strip("[]"), own)}
        assert not foreign, f"process {process} is told of {foreign}"
        assert not [argument for argument in FORBIDDEN_ARGUMENTS if argument in text]


def _inside(name: str, own: set[str]) -> bool:
    try:
        return ip_address(name).is_loopback or str(ip_address(name)) in own
    except ValueError:
        return name == "localhost" or name.endswith((".internal", ".internal."))


def test_no_service_may_make_packets_of_its_own(machines: dict[str, Any], region: Any, service_host: str) -> None:
    """EG-37, EG-59: without capabilities there is no AF_PACKET, no AF_XDP and no BPF, so the hooks see every packet."""
    for process in processes(machines[service_host], SERVICES[region.host(service_host).role]):
        status = machines[service_host].check_output(f"cat /proc/{process}/status")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        bind_low_ports = 1 << 10
        assert int(fields["CapEff"], 16) & ~bind_low_ports == 0, f"process {process} has capabilities {fields['CapEff']}"
        assert fields["NoNewPrivs"].strip() == "1"
        assert fields["Seccomp"].strip() == "2"
        assert fields["Uid"].split()[0] != "0"


def test_nothing_listens_but_what_the_region_declares(machines: dict[str, Any], region: Any, region_host: str) -> None:
    """EG-53, EG-54: collective stores, Ray's dashboard and debug ports would show here."""
    listed = machines[region_host].check_output("ss --no-header --listening --tcp --numeric")
    local = [line.split()[3].rsplit(":", 1) for line in listed.splitlines()]
    opened = {int(port) for address, port in local if not _loopback(address)}
    role = region.host(region_host).role
    assert opened <= LISTENS[role], f"{region_host} listens on {sorted(opened - LISTENS[role])}"


def _loopback(address: str) -> bool:
    plain = address.strip("[]").split("%", 1)[0]
    return plain != "*" and ip_address(plain).is_loopback


def test_a_picture_named_by_address_is_not_fetched(
    machines: dict[str, Any], region: Any, model_host: str, request: pytest.FixtureRequest
) -> None:
    """EG-50, asked as only the gateway can, and past it: the gateway refuses such a part before any model sees it."""
    mark = str(uuid.uuid4())
    gateway = machines[region.hosts_by_role("gateway")[0].name]
    words = ["python3", "-c", FETCH, f"http://{region.host(model_host).ipv4}:{VLLM_PORT}/v1", f"https://{CANARY_IPV4}/{mark}.png"]
    assert int(gateway.check_output(shlex.join(words))) >= 400
    heard = CanaryDirectory(Path(request.config.getoption("--canary"))).records()
    assert heard, "the canary writes down what it hears"
    # On the bridge the canary reads the question itself; only what came to the internet was fetched.
    assert not [record for record in heard if mark in record.get("uuids", ()) and record["where"] == "internet"]


def test_the_model_servers_user_installs_nothing(machines: dict[str, Any], model_host: str) -> None:
    """EG-55: no installer, no compiler, and no writable place but the service's own."""
    machine = machines[model_host]
    assert machine.run("PYTHONPATH=/opt/vllm python3 -m pip download --no-deps wheel").rc != 0
    assert machine.check_output("command -v cc gcc clang || true") == ""
    writable = machine.check_output(
        "setpriv --reuid curtilage-vllm --regid curtilage-vllm --clear-groups find / -xdev -type d -writable -print 2>/dev/null || true"
    )
    strange = [path for path in writable.splitlines() if not path.startswith(WRITABLE)]
    assert not strange, f"the service could write to {strange[:5]}"


def test_the_clock_has_no_source_outside_the_region(machines: dict[str, Any], region: Any, region_host: str) -> None:
    """EG-45: pool names and vendor defaults would be asked at every start."""
    own = {str(address) for one in region.hosts for address in (one.ipv4, one.ipv6)} | {one.name for one in region.hosts}
    text = machines[region_host].check_output(
        "cat /etc/chrony/chrony.conf /etc/chrony/conf.d/* /etc/chrony/sources.d/* 2>/dev/null || true"
    )
    named = {line.split()[1] for line in text.splitlines() if line.split()[:1] and line.split()[0] in ("server", "pool", "peer")}
    assert named <= own, f"clock sources outside the region: {named - own}"
