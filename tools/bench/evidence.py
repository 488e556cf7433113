"""Evidence figures on this machine: ``python tools/bench/evidence.py`` prints one JSON document; 1 when a promised figure is missed.

A run of the lab region is made up for the purpose (every cell, host test and product test PASS, signed with a key that is thrown away): the
figures depend on how much there is, not on whether it is true. Nothing of it is kept.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from curtilage.audit.note import Signer
from curtilage.derive.firewall import render_ruleset
from curtilage.evidence.commands import standalone_verifier
from curtilage.evidence.dossier import Observed, dossier_of
from curtilage.evidence.inputs import BundleInputs
from curtilage.evidence.junit import TestOutcome
from curtilage.evidence.site import write_report
from curtilage.evidence.universe import universe
from curtilage.evidence.verify import verify_bundle
from curtilage.output import print_json
from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from curtilage.verdict import Verdict

PROMISED = {"build_seconds": 30.0, "verify_seconds": 5.0, "report_bytes": 2 * 1024 * 1024}


def made_up() -> BundleInputs:
    """A whole green run."""
    region, now = load_region("lab"), datetime.now(UTC)
    known = universe(region, CHECKOUT / "tests")
    cells = [
        {"id": result.id, "verdict": "PASS", "host": result.id.split("/")[0], "control": result.control, "catalogue": result.catalogue}
        for result in known
        if not result.id.startswith("tests/")
    ]
    dossier = dossier_of(
        region,
        observed=Observed(at=now),
        tests=[TestOutcome(id=result.id, verdict=Verdict.PASS, time=now) for result in known if result.id.startswith("tests/")],
        lock=CHECKOUT / "requirements.lock",
    )
    return BundleInputs(
        region="lab", plan_digest="sha256:" + "0" * 64, collected=now, required=[str(cell["id"]) for cell in cells], probe_results=cells,
        rulesets={host.name: render_ruleset(region, host) for host in region.hosts}, dossier=dossier,
    )  # fmt: skip


def timed(work: Callable[[], object]) -> float:
    """The best of three, in seconds."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return round(best, 3)


def main() -> int:
    """Measure."""
    inputs, key = made_up(), Signer.generate("curtilage/bench")
    with tempfile.TemporaryDirectory() as folder:
        bundle, page, script, public = (Path(folder) / name for name in ("b.tar", "r.html", "verify_evidence.py", "k.pub"))
        script.write_bytes(standalone_verifier())
        public.write_text(str(key.verifier), encoding="utf-8")
        alone = [sys.executable, "-I", "-S", str(script), str(bundle), "--key", str(public)]
        figures: dict[str, float] = {"build_seconds": timed(lambda: inputs.build(key, bundle))}
        figures["verify_seconds"] = timed(lambda: verify_bundle(bundle, key=key.verifier))
        figures["one_file_verify_seconds"] = timed(lambda: subprocess.run(alone, check=True, capture_output=True))
        result = verify_bundle(bundle, key=key.verifier)
        figures["report_seconds"] = timed(lambda: write_report(bundle, result, page))
        figures |= {"bundle_bytes": bundle.stat().st_size, "report_bytes": page.stat().st_size, "tests": len(inputs.required)}
    held = {name: figures[name] <= limit for name, limit in PROMISED.items()}
    print_json({"figures": figures, "held": held, "promised": PROMISED, "verdict": str(result.verdict)})
    return 0 if all(held.values()) and result.verdict is Verdict.PASS else 1


if __name__ == "__main__":
    sys.exit(main())
