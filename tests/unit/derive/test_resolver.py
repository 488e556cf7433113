"""If these fail, the resolver may ask someone outside, or answer more than the segment needs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from curtilage.derive.resolver import render_unbound
from curtilage.region import Region


@pytest.fixture
def text(lab: Region) -> str:
    """The gateway's configuration."""
    return render_unbound(lab, lab.host("gw-1"))


def test_everything_is_refused_that_no_zone_answers(text: str) -> None:
    assert '    local-zone: "." always_refuse\n' in text
    for word in ("forward-zone", "stub-zone", "forward-addr", "root-hints", "auto-trust-anchor", "trust-anchor", "tls-upstream"):
        assert word not in text
    assert "do-not-query-address: 0.0.0.0/0" in text
    assert "do-not-query-address: ::0/0" in text


def test_only_the_segment_is_answered(text: str) -> None:
    rules = [line.strip() for line in text.splitlines() if "access-control:" in line]
    assert rules == [
        "access-control: 0.0.0.0/0 refuse",
        "access-control: ::0/0 refuse",
        "access-control: 192.0.2.0/24 allow",
        "access-control: 2001:db8:1::/64 allow",
    ]


def test_intercepted_names_and_all_below_them_are_the_gateway(text: str) -> None:
    for name in ("api.openai.com", "api.anthropic.com"):
        assert f'local-zone: "{name}." redirect' in text
        assert f'local-data: "{name}. 60 IN A 192.0.2.21"' in text
        assert f'local-data: "{name}. 60 IN AAAA 2001:db8:1::21"' in text
    assert 'local-zone: "use-application-dns.net." always_nxdomain' in text


def test_every_query_reply_and_local_answer_is_logged(text: str) -> None:
    for option in ("log-queries", "log-replies", "log-local-actions"):
        assert f"    {option}: yes\n" in text


def test_it_is_controlled_by_a_socket_file_alone(text: str) -> None:
    assert "control-interface: /run/unbound.ctl" in text


def test_a_host_that_is_no_gateway_has_no_resolver(lab: Region) -> None:
    with pytest.raises(ValueError, match="only a gateway"):
        render_unbound(lab, lab.host("gpu-1"))


@pytest.mark.skipif(shutil.which("unbound-checkconf") is None, reason="NOT-RUN: unbound-checkconf is not installed")
def test_unbound_accepts_it(text: str, tmp_path: Path) -> None:
    file = tmp_path / "unbound.conf"
    file.write_text(text)
    done = subprocess.run(["unbound-checkconf", str(file)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
