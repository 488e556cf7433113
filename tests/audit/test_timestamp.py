"""Time stamps by an RFC 3161 authority of our own: believed under its certificates alone, over the very manifest, and not before it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curtilage.audit.note import Signer
from curtilage.errors import StepError
from curtilage.evidence import timestamp
from curtilage.evidence.bundle import build_bundle
from curtilage.evidence.commands import app, standalone_verifier
from curtilage.evidence.timestamp import TimestampError
from curtilage.evidence.verify import verify_bundle
from curtilage.verdict import Verdict

KEY = Signer.generate("curtilage/evidence")
PLAN = "sha256:" + "1" * 64
CONFIG = """[tsa]
default_tsa = one
[one]
serial = {0}/serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
"""
USAGE = "[v3]\nextendedKeyUsage=critical,timeStamping\nbasicConstraints=critical,CA:FALSE\n[req]\ndistinguished_name=n\n[n]\n"


class Authority:
    """OpenSSL as a time stamping authority."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ca = folder, folder / "ca.pem"
        folder.mkdir()
        (folder / "tsa.cnf").write_text(CONFIG.format(folder))
        (folder / "x.cnf").write_text(USAGE)
        (folder / "serial").write_text("01\n")
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=ca")
        self._run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=tsa")
        self._run("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem",
                  "-days", "30", "-extfile", "x.cnf", "-extensions", "v3")  # fmt: skip

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def reply(self, query: bytes) -> bytes:
        (self.folder / "q").write_bytes(query)
        self._run("ts", "-reply", "-config", "tsa.cnf", "-section", "one", "-queryfile", "q", "-signer", "tsa.pem", "-inkey", "tsa.key",
                  "-out", "r")  # fmt: skip
        return (self.folder / "r").read_bytes()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "one")


@pytest.fixture
def served(authority: Authority) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = authority.reply(body) if self.headers["Content-Type"] == "application/timestamp-query" else b""
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def bundle(path: Path, collected: datetime | None = None) -> Path:
    return build_bundle(
        "lab", plan_digest=PLAN, rulesets={}, images={}, models={}, probe_results=[{"id": "a", "verdict": "PASS"}], required=["a"], key=KEY,
        collected=collected, out=path,
    )  # fmt: skip


def test_a_stamp_asked_over_http_is_believed_under_its_authority_alone(authority: Authority, served: str, tmp_path: Path) -> None:
    path = bundle(tmp_path / "lab.tar")
    assert CliRunner().invoke(app, ["stamp", str(path), "--tsa", served]).exit_code == 0
    result = verify_bundle(path, key=KEY.verifier, tsa_ca=authority.ca)
    assert result.verdict is Verdict.PASS
    assert result.timestamp is not None
    stranger = Authority(tmp_path / "stranger")
    assert verify_bundle(path, key=KEY.verifier, tsa_ca=stranger.ca).verdict is Verdict.FAIL
    assert verify_bundle(path, key=KEY.verifier, tsa_ca=tmp_path / "missing.pem").verdict is Verdict.FAIL
    assert verify_bundle(path, key=KEY.verifier).verdict is Verdict.PASS


def test_a_stamp_is_carried_across_a_gap_as_files(authority: Authority, tmp_path: Path) -> None:
    path, query, reply = bundle(tmp_path / "lab.tar"), tmp_path / "lab.tsq", tmp_path / "lab.tsr"
    assert CliRunner().invoke(app, ["stamp", str(path), "--query-out", str(query)]).exit_code == 0
    reply.write_bytes(authority.reply(query.read_bytes()))
    assert CliRunner().invoke(app, ["stamp", str(path), "--reply", str(reply)]).exit_code == 0
    assert verify_bundle(path, key=KEY.verifier, tsa_ca=authority.ca).verdict is Verdict.PASS


def test_a_bundle_without_a_stamp_is_not_run_where_one_is_wanted(authority: Authority, tmp_path: Path) -> None:
    result = verify_bundle(bundle(tmp_path / "lab.tar"), key=KEY.verifier, tsa_ca=authority.ca)
    assert result.verdict is Verdict.NOT_RUN


def test_a_stamp_of_another_bundle_is_refused(authority: Authority, tmp_path: Path) -> None:
    one, two = bundle(tmp_path / "one.tar"), bundle(tmp_path / "two.tar", datetime.now(UTC) - timedelta(hours=1))
    reply = authority.reply(timestamp.request_for(one))
    with pytest.raises(TimestampError, match="other bytes"):
        timestamp.attach(two, reply)
    with pytest.raises(TimestampError):
        timestamp.attach(two, b"nonsense")
    timestamp.attach(one, reply)
    from curtilage.evidence.archive import pack, unpack

    moved = tmp_path / "moved.tar"
    moved.write_bytes(pack(unpack(two.read_bytes()) | {"timestamp/manifest.tsr": reply}))
    assert verify_bundle(moved, key=KEY.verifier, tsa_ca=authority.ca).verdict is Verdict.FAIL


def test_a_run_dated_after_its_stamp_has_a_wrong_clock_and_a_small_skew_is_borne(authority: Authority, tmp_path: Path) -> None:
    for ahead, expected in ((timedelta(minutes=4), Verdict.PASS), (timedelta(hours=2), Verdict.INVALID)):
        when = datetime.now(UTC) + ahead
        path = bundle(tmp_path / "lab.tar", when)
        timestamp.attach(path, authority.reply(timestamp.request_for(path)))
        result = verify_bundle(path, key=KEY.verifier, tsa_ca=authority.ca, now=when)
        assert result.verdict is expected


def test_the_one_file_verifier_checks_stamps_too(authority: Authority, tmp_path: Path) -> None:
    path, script = bundle(tmp_path / "lab.tar"), tmp_path / "verify_evidence.py"
    script.write_bytes(standalone_verifier())
    (tmp_path / "evidence.pub").write_text(str(KEY.verifier))

    def code(ca: Path) -> int:
        command = ["python3", "-I", "-S", str(script), str(path), "--key", str(tmp_path / "evidence.pub"), "--tsa-ca", str(ca)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert code(authority.ca) == 3
    timestamp.attach(path, authority.reply(timestamp.request_for(path)))
    assert code(authority.ca) == 0
    assert code(Authority(tmp_path / "stranger").ca) == 1


def test_an_authority_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="time stamp"):
        timestamp.ask("http://127.0.0.1:9/", b"x")
