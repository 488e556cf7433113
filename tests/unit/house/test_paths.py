"""If this fails, a user who may not write somewhere sees a traceback instead of what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from curtilage import paths
from curtilage.errors import MachineError


@pytest.mark.parametrize(("variable", "directory"), [("CURTILAGE_STATE", paths.state_dir), ("CURTILAGE_OUT", paths.out_dir)])
def test_a_place_that_cannot_be_made_is_said_with_its_variable(
    variable: str, directory: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(variable, str(tmp_path / "file" / "below"))
    with pytest.raises(MachineError, match=f"export {variable}="):
        directory()
    monkeypatch.setenv(variable, str(tmp_path / "new" / "below"))
    assert directory().is_dir()
