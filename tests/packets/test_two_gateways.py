"""If this fails, a region with two gateways stops answering with one of them, or opens something so that the other can answer.

Three hosts of ch-zurich as namespaces on one bridge, each under its own derived ruleset, with the derived resolver and the very checker
that the role ``gateway`` installs. What answers on 443 is a TLS server with the region's certificate that says who it is; no packet leaves.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from curtilage.configure import pki_names
from curtilage.derive.firewall import UPLINK, render_ruleset
from curtilage.derive.pki import ensure_pki
from curtilage.derive.resolver import ANSWERS, ANSWERS_OTHERS, ANSWERS_OWN, FAILOVER_CONTROL_SOCKET, render_answers, render_unbound
from curtilage.paths import CHECKOUT
from curtilage.proof.wire import inside
from curtilage.region import Host, load_region

REGION = load_region("ch-zurich")
NAME = "api.openai.com"
CHECKER = CHECKOUT / "ansible" / "roles" / "gateway" / "files" / "answer-by-health"
USER = "unbound"
EVERY_SECONDS = 0.2
SERVER = """
import socket, ssl, sys
name, certificate, key, *addresses = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
listener = socket.create_server(("::", 443), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    raw, _ = listener.accept()
    raw.settimeout(2)
    try:
        with context.wrap_socket(raw, server_side=True) as tls:
            tls.sendall(name.encode())
    except OSError:
        raw.close()
"""
_count = itertools.count()

pytestmark = pytest.mark.skipif(
    shutil.which("unbound") is None or shutil.which("unbound-control") is None,
    reason="NOT-RUN: unbound is not installed",
)


def sh(*argv: str, text: str | None = None) -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout


class Segment:
    """Hosts on a bridge."""

    def __init__(self, directory: Path, stack: contextlib.ExitStack) -> None:
        self.directory, self.stack = directory, stack
        self.prefix = f"ct-two-{os.getpid()}-{next(_count)}-"
        self.services: dict[str, subprocess.Popen[bytes]] = {}
        self.bridge = self._namespace("bridge")
        sh("ip", "-n", self.bridge, "link", "add", "br0", "type", "bridge")
        sh("ip", "-n", self.bridge, "link", "set", "br0", "up")
        for host in map(REGION.host, ("gw-1", "gw-2", "crm-1")):
            self._host(host)

    def of(self, name: str) -> str:
        return self.prefix + name

    def _namespace(self, name: str) -> str:
        sh("ip", "netns", "add", self.of(name))
        self.stack.callback(sh, "ip", "netns", "delete", self.of(name))
        sh("ip", "netns", "exec", self.of(name), "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
        sh("ip", "-n", self.of(name), "link", "set", "lo", "up")
        return self.of(name)

    def _host(self, host: Host) -> None:
        space = self._namespace(host.name)
        sh("ip", "-n", space, "link", "add", UPLINK, "type", "veth", "peer", "name", host.name, "netns", self.bridge)
        sh("ip", "-n", self.bridge, "link", "set", host.name, "master", "br0", "up")
        sh("ip", "-n", space, "addr", "add", f"{host.ipv4}/24", "dev", UPLINK)
        sh("ip", "-n", space, "addr", "add", f"{host.ipv6}/64", "dev", UPLINK, "nodad")
        sh("ip", "-n", space, "link", "set", UPLINK, "up")
        sh("ip", "netns", "exec", space, "nft", "-f", "-", text=render_ruleset(REGION, host))

    def run(self, host: str, what: str, *argv: str) -> None:
        log = (self.directory / f"{host}-{what}.log").open("ab")
        running = subprocess.Popen(["ip", "netns", "exec", self.of(host), *argv], stdout=log, stderr=log)
        self.services[f"{host} {what}"] = running
        self.stack.callback(self.stop, host, what)

    def stop(self, host: str, what: str) -> None:
        running = self.services.pop(f"{host} {what}", None)
        if running is not None:
            running.kill()
            running.wait(timeout=10)

    def gateway(self, host: str, certificate: str | None = None) -> None:
        pair = self.directory / "pki" / f"{certificate or host}.pem"
        self.run(host, "gateway", sys.executable, "-c", SERVER, host, str(pair), str(pair.with_suffix(".key")))

    def resolver(self, host: str) -> None:
        """The derived texts, with the paths of a test machine for those of a host."""
        own = self.directory / host
        own.mkdir()
        shutil.chown(own, USER)
        texts = render_answers(REGION, REGION.host(host))
        assert texts is not None
        paths = {
            ANSWERS: own / "answers.conf",
            ANSWERS_OWN: own / "own.conf",
            ANSWERS_OTHERS: own / "others.conf",
            FAILOVER_CONTROL_SOCKET: own / "ctl",
        }
        paths[ANSWERS_OWN].write_text(texts["own"])
        paths[ANSWERS_OTHERS].write_text(texts["others"])
        paths[ANSWERS].symlink_to(paths[ANSWERS_OWN])
        text = render_unbound(REGION, REGION.host(host))
        for path, here in paths.items():
            text = text.replace(path, str(here))
        conf = own / "unbound.conf"
        conf.write_text(text)
        self.run(host, "resolver", "unbound", "-dd", "-p", "-c", str(conf))
        look = ["--own", paths[ANSWERS_OWN], "--others", paths[ANSWERS_OTHERS], "--link", paths[ANSWERS]]
        look += ["--address", REGION.host(host).ipv4, "--name", NAME, "--ca", self.directory / "ca.pem", "--every", EVERY_SECONDS]
        look += ["--metrics", own / "metrics.prom", "--", "unbound-control", "-c", conf, "reload"]
        # As on a host: the resolver starts as root and gives that up, the checker never has it.
        self.run(
            host,
            "checker",
            "setpriv",
            f"--reuid={USER}",
            f"--regid={USER}",
            "--clear-groups",
            "--",
            str(self.directory / CHECKER.name),
            *map(str, look),
        )

    def asked(self, host: str, kind: str = "A", seconds: float = 1.0) -> list[str]:
        """What a resolver tells the CRM's host; nothing where it does not answer at all."""
        query = dns.message.make_query(NAME, kind)

        def ask() -> list[str]:
            try:
                answer = dns.query.udp(query, str(REGION.host(host).ipv4), timeout=seconds)
            except (OSError, dns.exception.Timeout):
                return []
            assert answer.rcode() == dns.rcode.NOERROR
            return [item.to_text() for found in answer.answer for item in found if found.rdtype == dns.rdatatype.from_text(kind)]

        return inside(self.of("crm-1"), ask)

    def listens(self, host: str) -> bool:
        """Whether the CRM's host can connect to a gateway."""

        def connect() -> bool:
            try:
                socket.create_connection((str(REGION.host(host).ipv4), 443), timeout=1).close()
            except OSError:
                return False
            return True

        return inside(self.of("crm-1"), connect)

    def called(self, kind: str = "A") -> str:
        """Who answers the CRM's host, looking up as libc does: the first resolver, then the second."""
        found = next((addresses for addresses in (self.asked("gw-1", kind), self.asked("gw-2", kind)) if addresses), [])
        assert found, "no resolver answered"
        context = ssl.create_default_context(cafile=self.directory / "pki" / "ca.pem")

        def call() -> str:
            with socket.create_connection((found[0], 443), timeout=2) as raw, context.wrap_socket(raw, server_hostname=NAME) as tls:
                return tls.recv(100).decode()

        return inside(self.of("crm-1"), call)


def until(what: Callable[[], bool], seconds: float = 15) -> float:
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "it did not happen"
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.fixture
def segment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Segment]:
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ct-two-")))
        monkeypatch.setenv("CURTILAGE_STATE", str(directory / "state"))
        directory.chmod(0o755)
        made = ensure_pki(pki_names(REGION))
        (directory / "pki").symlink_to(made.directory)
        (directory / "ca.pem").write_bytes(made.ca.read_bytes())
        shutil.copy(CHECKER, directory)
        found = Segment(directory, stack)
        for name in ("gw-1", "gw-2"):
            found.gateway(name)
            found.resolver(name)
        until(lambda: all(found.asked(name) and found.listens(name) for name in ("gw-1", "gw-2")))
        yield found


def address(name: str, kind: str = "A") -> list[str]:
    host = REGION.host(name)
    return [str(host.ipv4 if kind == "A" else host.ipv6)]


def test_names_follow_the_gateway_that_answers_and_no_question_is_lost(segment: Segment) -> None:
    until(lambda: segment.called() == "gw-1")
    assert segment.called("AAAA") == "gw-1"
    assert segment.asked("gw-2") == address("gw-2")

    # Someone asks all the time; the change of answers costs nobody a reply.
    lost, over = [], threading.Event()

    def ask_all_the_time() -> None:
        while not over.is_set():
            if not segment.asked("gw-1"):
                lost.append(time.monotonic())

    asking = threading.Thread(target=ask_all_the_time)
    asking.start()
    try:
        segment.stop("gw-1", "gateway")
        until(lambda: segment.asked("gw-1") == address("gw-2"))
        assert segment.asked("gw-1", "AAAA") == address("gw-2", "AAAA")
        assert segment.called() == segment.called("AAAA") == "gw-2"
        assert (segment.directory / "gw-1" / "metrics.prom").read_text().endswith("curtilage_gateway_answers_itself 0\n")
        segment.gateway("gw-1")
        until(lambda: segment.asked("gw-1") == address("gw-1"))
        assert segment.called() == "gw-1"
    finally:
        over.set()
        asking.join()
    assert lost == []


def test_a_gateway_that_is_not_itself_is_passed_over(segment: Segment) -> None:
    until(lambda: segment.called() == "gw-1")
    segment.stop("gw-1", "gateway")
    segment.gateway("gw-1", certificate="evidence-1")
    until(lambda: segment.asked("gw-1") == address("gw-2"))
    assert segment.called() == "gw-2"


def test_without_its_checker_a_resolver_goes_on_naming_a_gateway_that_is_dead(segment: Segment) -> None:
    segment.stop("gw-1", "checker")
    segment.stop("gw-1", "gateway")
    time.sleep(10 * EVERY_SECONDS)
    assert segment.asked("gw-1") == address("gw-1")
    with pytest.raises(OSError, match="refused"):
        segment.called()


def test_a_host_that_is_gone_is_passed_over_by_the_second_resolver(segment: Segment) -> None:
    until(lambda: segment.called() == "gw-1")
    sh("ip", "-n", segment.bridge, "link", "set", "gw-1", "down")
    assert segment.asked("gw-1") == []
    assert segment.called() == "gw-2"


def test_one_gateway_still_cannot_call_the_other(segment: Segment) -> None:
    """The positive control is the CRM's host, which reaches both; the drop is counted where it happens."""
    until(lambda: segment.called() == "gw-1")

    def call() -> str:
        try:
            socket.create_connection((address("gw-2")[0], 443), timeout=1).close()
        except OSError as error:
            return type(error).__name__
        return "connected"

    def dropped() -> int:
        listed = sh("ip", "netns", "exec", segment.of("gw-1"), "nft", "list", "counter", "inet", "curtilage", "output_drop_ip4")
        return int(listed.split("packets ")[1].split()[0])

    assert inside(segment.of("crm-1"), call) == "connected"
    before = dropped()
    assert inside(segment.of("gw-1"), call) != "connected"
    assert dropped() > before
