"""If this fails, one caller's text that is slow to clean holds up the streams of everybody else on the worker."""

from __future__ import annotations

import threading

NESTED = "&#65;%41\\u0041=41 QUJDREVGR0hJSktMTU5PUA== "  # encodings inside encodings: each is read in every order


def test_other_calls_are_answered_while_a_text_is_cleaned_that_takes_seconds(gateway) -> None:
    gateway.chat()
    asking = threading.Thread(target=gateway.chat, args=(NESTED * 150,))
    asking.start()
    answered = 0
    while asking.is_alive():
        assert gateway.chat().status == 200
        answered += 1
    asking.join()
    assert answered > 3
