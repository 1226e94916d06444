"""The backend ends while it answers an exchange of our own."""

from __future__ import annotations

import struct

import pytest

from tollhouse_proxy.exchange import Close, EndReason, Outbox
from tollhouse_proxy.protocols.postgres.hidden import Question, ask
from tollhouse_proxy.protocols.postgres.server_side import ServerSide
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.warmed import _Nobody


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!I", 4 + len(body)) + body


CLOSED, SELECTED = message(b"3"), message(b"C", b"SELECT 0\0")
ANSWERS = [CLOSED, CLOSED, message(b"1"), message(b"2"), SELECTED, CLOSED, CLOSED]
FATAL = message(b"E", b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0")


@pytest.mark.parametrize("answered", range(len(ANSWERS) + 1))
def test_it_is_the_backends_end_before_there_is_a_client_too(answered: int) -> None:
    state = SessionState(Outbox(), _Nobody())
    side = ServerSide(state, lambda: None, lambda: None)
    ask(state, [Question("SELECT 1")], lambda _: None)
    side.feed(b"".join([*ANSWERS[:answered], FATAL]))
    assert Close(EndReason.BACKEND, "the backend ended the session (57P01)") in state.outbox.effects
