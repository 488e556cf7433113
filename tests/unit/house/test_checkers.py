"""The programs of others that tests are held against come as they were packed."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from tools.checkers import unpack_zip


def test_a_script_in_an_archive_can_be_started_after_unpacking_and_a_file_beside_it_cannot(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for name, mode in (("tree/bin/start.sh", 0o755), ("tree/readme", 0o644)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, "#!/bin/sh\n")
    unpack_zip(tmp_path / "packed.zip", tmp_path / "out")
    assert os.access(tmp_path / "out/tree/bin/start.sh", os.X_OK)
    assert (tmp_path / "out/tree/readme").stat().st_mode & 0o777 == 0o644
