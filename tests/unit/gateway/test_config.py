"""gateway.yaml: what it may say, and that no configuration makes an upstream outside."""

from __future__ import annotations

import pytest
import yaml

from curtilage.errors import ConfigError
from curtilage.gateway.config import Limits, load_config, upstream_url
from curtilage.gateway.upstream import Upstreams

GOOD = {
    "listen": [{"address": "127.0.0.1", "port": 8443}, {"address": "::1", "port": 8443}],
    "tls": {"certificate": "gateway.pem", "key": "gateway.key"},
    "names": {"api.openai.com": "openai", "127.0.0.1": "any"},
    "upstreams": ["http://192.0.2.11:8000", "http://[2001:db8:1::12]:8000"],
    "models": {"gpt-4o": "lab-mistral"},
    "ledger": {"directory": "ledger", "signing_key": "ledger.key"},
    "matters": "matters.db",
    "region": {"name": "lab", "jurisdiction": "DE"},
}


def write(tmp_path, **changes):
    path = tmp_path / "gateway.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return path


def test_a_good_file_loads_and_its_paths_are_beside_it(tmp_path) -> None:
    config = load_config(write(tmp_path))
    assert config.matters == tmp_path / "matters.db"
    assert config.ledger.directory == tmp_path / "ledger"


OUTSIDE = [
    "http://8.8.8.8:8000", "http://api.openai.com", "http://169.254.169.254", "http://0.0.0.0:8000", "http://[::]:8000",
    "http://[::ffff:8.8.8.8]:80",
    "http://[fe80::1]:8000", "http://100.64.0.1:8000", "http://user@127.0.0.1:8000", "http://127.0.0.1:8000/path",
    "http://127.0.0.1:8000?x=1",
    "http://127.0.0.1:8000#@8.8.8.8", "ftp://127.0.0.1", "http://127.1:8000", "http://2130706433:8000", "http://0x7f.0.0.1",
    "http://localhost.evil.example",
    "http://127.0.0.1.nip.io", "http://",
    "http://[::1", "http://127.0.0.1:99999", "http://224.0.0.1:80", "http://[ff02::1]:80", "http://[2606:4700::1]:80",
]  # fmt: skip


@pytest.mark.parametrize("url", OUTSIDE)
def test_an_upstream_that_could_be_outside_is_refused_at_start(tmp_path, url) -> None:
    with pytest.raises(ConfigError):
        load_config(write(tmp_path, upstreams=[url]))
    with pytest.raises(ValueError, match=r"."):
        Upstreams([url], Limits())


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost:8000", "https://10.1.2.3", "http://[fd00::1]:8000", "http://198.51.100.7:8000/"]
)
def test_an_upstream_inside_is_taken(url) -> None:
    assert upstream_url(url).startswith(("http://", "https://"))


@pytest.mark.parametrize(
    "changes",
    [
        {"surprise": 1}, {"names": {"*.openai.com": "openai"}}, {"names": {"API.openai.com": "openai"}},
        {"names": {"api.openai.com": "telex"}},
        {"models": {}}, {"listen": []}, {"fields": ["other__c"]}, {"metrics": {"listen": {"address": "192.0.2.1", "port": 9109}}},
        {"evidence": {"url": "http://192.0.2.41:8443", "ca": "a", "certificate": "b", "key": "c"}}, {"limits": {"body_bytes": 17 << 20}},
        {"region": {"name": "lab", "jurisdiction": "Germany"}}, {"upstreams": ["http://127.0.0.1:1", "http://127.0.0.1:1"]},
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_refused_with_the_key_and_a_fix(tmp_path, changes) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(write(tmp_path, **changes))
    assert next(iter(changes)) in str(refused.value)
    assert "fix:" in str(refused.value)
