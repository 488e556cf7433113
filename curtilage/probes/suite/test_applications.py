"""What runs on a host has no way out of its own (breaks: a model server that phones home, fetches or listens where nobody looks)."""

from __future__ import annotations

import json
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
FETCH = """
import json, sys, urllib.error, urllib.request
url, model, picture = sys.argv[1:]
content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": picture}}]
body = json.dumps({"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 1}).encode()
try:
    print(urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=20).status)
except urllib.error.HTTPError as refused:
    print(refused.code)
"""


def processes(machine: Any, service: str) -> list[str]:
    """The process ids of a service, all of them."""
    group = machine.check_output(f"systemctl show --property=ControlGroup --value {service}.service")
    return str(machine.check_output(f"find /sys/fs/cgroup{group} -name cgroup.procs -exec cat {{}} +")).split()


def test_the_model_server_runs_offline_and_tells_nobody(machines: dict[str, Any], model_host: str) -> None:
    """EG-47, EG-48, EG-50, EG-52, EG-55: what counts is the environment of the processes that run, not of the unit's file."""
    machine = machines[model_host]
    found = processes(machine, "curtilage-vllm")
    assert len(found) >= 2, "a server and its engine are expected"
    for process in found:
        entries = machine.check_output(f"tr '\\0' '\\n' < /proc/{process}/environ").splitlines()
        environment = dict(entry.split("=", 1) for entry in entries if "=" in entry)
        assert {name: environment.get(name) for name in OFFLINE} == OFFLINE, f"process {process}"


def test_no_service_is_told_of_an_address_outside_the_region(machines: dict[str, Any], region: Any, region_host: str) -> None:
    """EG-51, EG-57: exporters, tool servers, remote writes and error reporters are all told where to send to."""
    host = region.host(region_host)
    if host.role not in SERVICES:
        pytest.skip(f"NOT-RUN: a {host.role} host runs no service of ours")
    own = {str(address) for one in region.hosts for address in (one.ipv4, one.ipv6)}
    for process in processes(machines[region_host], SERVICES[host.role]):
        text = machines[region_host].check_output(f"tr '\\0' '\\n' < /proc/{process}/environ; tr '\\0' '\\n' < /proc/{process}/cmdline")
        foreign = {name for name in ADDRESS_IN_TEXT.findall(text) if not _inside(name.strip("[]"), own)}
        assert not foreign, f"process {process} is told of {foreign}"
        assert not [argument for argument in FORBIDDEN_ARGUMENTS if argument in text]


def _inside(name: str, own: set[str]) -> bool:
    try:
        return ip_address(name).is_loopback or str(ip_address(name)) in own
    except ValueError:
        return name in ("localhost", "0.0.0.0", "") or name.endswith((".internal", ".internal."))


def test_no_service_may_make_packets_of_its_own(machines: dict[str, Any], region: Any, region_host: str) -> None:
    """EG-37, EG-59: without capabilities there is no AF_PACKET, no AF_XDP and no BPF, so the hooks see every packet."""
    role = region.host(region_host).role
    if role not in SERVICES:
        pytest.skip(f"NOT-RUN: a {role} host runs no service of ours")
    for process in processes(machines[region_host], SERVICES[role]):
        status = machines[region_host].check_output(f"cat /proc/{process}/status")
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
    url = f"http://{region.host(model_host).ipv4}:{VLLM_PORT}/v1/chat/completions"
    names = json.loads(gateway.check_output(f"curl --silent --max-time 10 {url.replace('chat/completions', 'models')}"))
    words = ["python3", "-c", FETCH, url, names["data"][0]["id"], f"https://{CANARY_IPV4}/{mark}.png"]
    assert int(gateway.check_output(shlex.join(words))) >= 400
    heard = CanaryDirectory(Path(request.config.getoption("--canary"))).records()
    assert heard, "the canary writes down what it hears"
    assert not [record for record in heard if mark in record.get("uuids", ())]


def test_the_model_servers_user_installs_nothing(machines: dict[str, Any], model_host: str) -> None:
    """EG-55: no installer, no compiler, and no writable place but the service's own."""
    machine = machines[model_host]
    assert machine.run("PYTHONPATH=/opt/vllm python3 -m pip download --no-deps wheel").rc != 0
    assert machine.check_output("command -v cc gcc clang || true") == ""
    writable = machine.check_output(
        "setpriv --reuid curtilage-vllm --regid curtilage-vllm --clear-groups find / -xdev -type d -writable -print 2>/dev/null || true"
    )
    strange = [
        path for path in writable.splitlines() if not path.startswith(("/var/cache/curtilage-vllm", "/tmp", "/var/tmp", "/run/lock", "/dev"))
    ]  # fmt: skip
    assert not strange, f"the service could write to {strange[:5]}"


def test_the_clock_has_no_source_outside_the_region(machines: dict[str, Any], region: Any, region_host: str) -> None:
    """EG-45: pool names and vendor defaults would be asked at every start."""
    own = {str(address) for one in region.hosts for address in (one.ipv4, one.ipv6)} | {one.name for one in region.hosts}
    text = machines[region_host].check_output(
        "cat /etc/chrony/chrony.conf /etc/chrony/conf.d/* /etc/chrony/sources.d/* 2>/dev/null || true"
    )
    named = {line.split()[1] for line in text.splitlines() if line.split()[:1] and line.split()[0] in ("server", "pool", "peer")}
    assert named <= own, f"clock sources outside the region: {named - own}"
