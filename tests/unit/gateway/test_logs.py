"""Log lines: one JSON object each, whatever the message holds, and no text of an exception."""

from __future__ import annotations

import io
import json
import logging

from curtilage.gateway.logs import JsonLines


def test_a_line_is_one_object_and_an_exceptions_text_stays_out() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("curtilage.test-of-lines")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        raise ValueError("zebra")
    except ValueError:
        logger.exception("call %s:\n%s", "ctc_1", '"quoted"')
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    found = json.loads(lines[0])
    assert (found["level"], found["message"], found["exception"]) == ("error", 'call ctc_1:\n"quoted"', "ValueError")
    assert "zebra" not in lines[0]
