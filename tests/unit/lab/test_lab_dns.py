"""The canary's name server must answer every question, or a resolver leak would look like a seal."""

from __future__ import annotations

import struct

import pytest

from lab.dns import answer


def query(name: str, kind: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", 0xBEEF, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


@pytest.mark.parametrize(("kind", "data"), [(1, bytes([198, 51, 100, 1])), (16, b"\x06canary"), (10, b"canary")])
def test_any_name_exists(kind: int, data: bytes) -> None:
    response = answer(query("anything.at.all.example", kind))
    assert response[:2] == b"\xbe\xef"
    assert struct.unpack("!H", response[6:8])[0] == 1
    assert response.endswith(data)


def test_an_ipv6_address_is_given_too() -> None:
    assert len(answer(query("anything.example", 28))) == len(query("anything.example", 28)) + 12 + 16


def test_a_type_it_does_not_know_gets_an_empty_answer_of_the_same_name() -> None:
    response = answer(query("anything.example", 33))
    assert struct.unpack("!H", response[6:8])[0] == 0
    assert response[3] & 0xF == 0


@pytest.mark.parametrize("cut", [0, 5, 12, 16, 20])
def test_a_message_that_is_cut_off_is_refused_not_looped_over(cut: int) -> None:
    with pytest.raises(ValueError, match=r"shorter than a query|cut off"):
        answer(query("anything.example", 1)[:cut])
