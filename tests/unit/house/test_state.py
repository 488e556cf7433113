"""docs/state.md claims no more than there are tests for, and is current."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest
from pydantic import ValidationError

from curtilage.evidence.universe import universe
from curtilage.paths import CHECKOUT
from curtilage.region import load_region


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("state_tool", CHECKOUT / "tools" / "state.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["state_tool"] = module
    spec.loader.exec_module(module)
    return module


STATE = tool()


def test_the_page_is_current() -> None:
    assert STATE.PAGE.read_text(encoding="utf-8") == STATE.render(STATE.load()), "python tools/state.py"


def test_every_entry_rests_on_tests_that_exist() -> None:
    known = universe(load_region("lab"), CHECKOUT / "tests")
    assert STATE.dangling(STATE.load(), known) == []
    fewer = [result for result in known if "test_sdks.py" not in result.id]
    assert any("no such test: pytest:tests/gateway/test_sdks.py" in line for line in STATE.dangling(STATE.load(), fewer))


def test_what_was_not_run_here_is_never_called_shipped() -> None:
    entry = {"what": "something that needs an account", "tests": ("cells:all",), "command": "make up"}
    assert STATE.Entry(**entry).state == "shipped"
    assert STATE.Entry(**entry, elsewhere="needs an account").state == "not run here"
    with pytest.raises(ValidationError):
        STATE.Entry(**entry, elsewhere="needs an account", partly="and more")
    with pytest.raises(ValidationError):
        STATE.Entry(**{**entry, "tests": ()})


def test_a_red_test_makes_the_check_fail() -> None:
    known = universe(load_region("lab"), CHECKOUT / "tests")
    red = [type(result)(**{**vars(result), "verdict": "FAIL"}) if "test_sdks.py" in result.id else result for result in known]
    told = {entry.what: verdict for entry, verdict in STATE.last_results(STATE.load(), red)}
    assert told["Unmodified vendor SDKs are answered by the local model"] == "FAIL"
    assert list(told.values()).count("FAIL") == 1
