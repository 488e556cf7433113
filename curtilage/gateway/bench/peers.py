"""What the gateway is measured beside: nginx with TLS before the model host, and LiteLLM's proxy, both in the same run.

Both are given an easier task: nginx looks at nothing, LiteLLM has no key, no TLS, no database and no guardrail. What cannot be had here is
NOT-RUN with its reason, never left out.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curtilage.paths import CHECKOUT, cache_dir

LITELLM_LOCK = CHECKOUT / "tools" / "bench" / "litellm.lock"
_INSTALL_SECONDS = 900
_START_SECONDS = 180


class NotRunHere(Exception):
    """A peer cannot be measured on this machine; the message says why."""


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens on a port; ended afterwards. Raises :class:`NotRunHere` when it never does."""
    # Compiled once and kept: where Python may not keep what it compiled, a start is mostly that.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**inherited, **environment}, start_new_session=True)
    try:
        wait_for(port, process, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the port answers."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    said = log.read_text(encoding="utf-8", errors="replace").strip()[-300:]
    raise NotRunHere(f"{Path(str(process.args[0])).name} does not listen: {said}")  # type: ignore[index]


@contextmanager
def nginx(folder: Path, model_port: int, workers: int) -> Iterator[int]:
    """nginx: TLS in front, the model host behind over kept connections; yields its port."""
    program = shutil.which("nginx") or ("/usr/sbin/nginx" if Path("/usr/sbin/nginx").is_file() else None)
    if program is None:
        raise NotRunHere("no nginx on this machine; Debian's package nginx-light has it")
    port = free_port()
    place = folder / "nginx"
    place.mkdir()
    config = place / "nginx.conf"
    config.write_text(
        f"""daemon off; worker_processes {workers}; pid {place}/pid; error_log {place}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {place}/a; proxy_temp_path {place}/b; fastcgi_temp_path {place}/c; uwsgi_temp_path {place}/d;
  scgi_temp_path {place}/e;
  upstream model {{ server 127.0.0.1:{model_port}; keepalive 512; }}
  server {{
    listen 127.0.0.1:{port} ssl backlog=2048;
    ssl_certificate {folder}/gateway/gateway.pem; ssl_certificate_key {folder}/gateway/gateway.key;
    keepalive_requests 1000000;
    location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
""",
        encoding="utf-8",
    )
    with running([program, "-p", str(place), "-c", str(config)], port, place / "log"):
        yield port


def litellm_tree() -> Path:
    """LiteLLM in an environment of its own, from its lock of hashes; made once."""
    target = cache_dir() / "tools" / "litellm"
    if (target / "bin" / "litellm").is_file():
        return target
    if not LITELLM_LOCK.is_file():
        raise NotRunHere(f"no {LITELLM_LOCK.name} beside the package: LiteLLM is measured from a checkout")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)  # without its program it was cut off
    python = str(target / "bin" / "python")
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    for command in ([sys.executable, "-m", "venv", str(target)], [*install, "--quiet", "--require-hashes", "-r", str(LITELLM_LOCK)]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise NotRunHere(f"LiteLLM was not installed within {_INSTALL_SECONDS} s") from None
        if done.returncode != 0:
            shutil.rmtree(target, ignore_errors=True)
            raise NotRunHere(f"LiteLLM cannot be installed: {done.stderr.strip()[-300:]}")
    return target


@contextmanager
def litellm(folder: Path, model_port: int, workers: int) -> Iterator[int]:
    """LiteLLM's proxy before the model host, with as many workers as the gateway; yields its port."""
    tree = litellm_tree()
    place = folder / "litellm"
    place.mkdir()
    config = place / "config.yaml"
    config.write_text(
        "model_list:\n"
        "  - model_name: gpt-4o\n"
        f"    litellm_params: {{model: openai/lab-mistral, api_base: 'http://127.0.0.1:{model_port}/v1', api_key: none}}\n"
        "litellm_settings: {telemetry: false}\n",
        encoding="utf-8",
    )
    port = free_port()
    command = [str(tree / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    # It would ask the internet for prices and report its use; here it may not, and a dead proxy sees to it.
    shut = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    shut["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"  # it is spared checking keys
    shut |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
    with running([*command, "--num_workers", str(workers)], port, place / "log", **shut):
        time.sleep(3)  # it listens before its workers have imported everything
        yield port


@contextmanager
def temporary() -> Iterator[Path]:
    """A directory for one run."""
    with tempfile.TemporaryDirectory(prefix="curtilage-bench-") as made:
        yield Path(made)
