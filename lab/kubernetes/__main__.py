"""``make up-k8s``: start the cluster and bring region lab-k8s up in it; ``build`` makes its programs alone, which is what takes long."""

from __future__ import annotations

import os
import subprocess
import sys

from curtilage.errors import CurtilageError
from curtilage.output import stderr
from curtilage.region import load_region
from curtilage.verdict import Verdict
from lab.kubernetes.build import node_programs, programs
from lab.kubernetes.cluster import LabCluster
from lab.kubernetes.node import lacking


def main() -> int:
    """0 when everything that can be shown here was, and the cluster's node drops what a policy forbids; or no node can be run here."""
    cluster = LabCluster()
    try:
        if sys.argv[1:] == ["build"]:
            programs()
            if lacking() is None:
                node_programs()
            return 0
        cluster.start(load_region("lab-k8s"))
    except CurtilageError as error:
        stderr.print(f"error: {error}", markup=False)
        return error.exit_code
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig)}
    code = subprocess.run([sys.executable, "-m", "curtilage", "up", "lab-k8s"], env=environment, check=False).returncode
    enforced, reason = cluster.enforcement()
    stderr.print(f"packets   {enforced}: {reason}", markup=False)
    if enforced in (Verdict.FAIL, Verdict.INVALID):
        stderr.print("not sealed: the region's policies are objects that nobody was seen to enforce", markup=False)
        return enforced.exit_code
    # NOT_RUN is what `up` says of a cluster at best; here it is expected, and only packets are behind it.
    return 0 if code == Verdict.NOT_RUN.exit_code else code


if __name__ == "__main__":
    raise SystemExit(main())
