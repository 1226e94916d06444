"""When a session ends: to the second, on a clock that is set by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest

from kit.clock import SetClock
from tollhouse_core.decision import SessionTerms
from tollhouse_proxy.exchange import EndNow, EndReason, Input, Opened, Outbox, Ready
from tollhouse_proxy.runtime.session import ClientSession, Parts, TimeLimits


@dataclass
class Judge:
    """Says what it is told to say."""

    terms: SessionTerms = field(default_factory=SessionTerms)
    lost: str = ""

    def close(self, reason: str) -> None: ...


class Machine:
    """Is open at once; remembers why it was ended."""

    def __init__(self, judge: Judge, clock: SetClock, life: float | None) -> None:
        ends = None if life is None else clock.now() + timedelta(seconds=life)
        self.outbox = Outbox()
        self._first: list[Any] = [Opened(cast(Any, judge), ends), Ready()]
        self.busy = False
        self.unfinished = 0
        self.ended: list[EndNow] = []

    def reach(self, first: list[type] | None) -> None:
        if first is not None:
            self._first = [effect for effect in self._first if type(effect) in first]

    @property
    def idle(self) -> bool:
        return not self.busy

    def client_data(self, data: bytes) -> None:
        self.outbox.effects += self._first
        self._first = []

    def backend_data(self, data: bytes) -> None: ...

    def receive(self, happening: Input) -> None:
        if isinstance(happening, EndNow):
            self.ended.append(happening)


class Wire(asyncio.Transport):
    """Goes nowhere."""

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@dataclass
class Open:
    """An open session and what it stands on."""

    clock: SetClock
    judge: Judge
    machine: Machine
    session: ClientSession

    def at(self, seconds: float) -> EndNow | None:
        """What has ended it after so many more seconds."""
        self.clock.advance(seconds)
        self.session.check_time()
        return self.machine.ended[-1] if self.machine.ended else None


def opened(life: float | None = None, first: list[type] | None = None, **terms: Any) -> Open:
    """`first`: how far it has come; None: the client is in."""
    clock, judge = SetClock(), Judge(SessionTerms(**terms))
    machine = Machine(judge, clock, life)
    machine.reach(first)
    parts = Parts(
        factory=lambda *_, **__: machine,
        prover=cast(Any, None),
        credentials=cast(Any, None),
        clock=clock,
        certificate=lambda: None,
    )
    session = ClientSession(parts, TimeLimits(), lambda _: None)
    session.connection_made(Wire())
    session.data_received(b"hello")
    return Open(clock, judge, machine, session)


async def test_the_client_is_waited_for_ten_seconds_and_the_backend_longer_than_a_credential_may_take() -> (
    None
):
    silent = opened(first=[])
    assert silent.at(9.9) is None
    ended = silent.at(0.1)
    assert ended is not None
    assert (ended.reason, ended.words) == (EndReason.TIMEOUT, "the log-in took too long")
    proven = opened(first=[Opened])
    assert proven.at(44.9) is None
    ended = proven.at(0.1)
    assert ended is not None
    assert (ended.reason, "did not let the session in" in ended.words) == (EndReason.BACKEND, True)


async def test_five_minutes_are_five_minutes() -> None:
    one = opened(max_duration_seconds=300.0)
    assert one.at(299.999) is None
    ended = one.at(0.001)
    assert ended is not None
    assert (ended.reason, "300 seconds" in ended.words) == (EndReason.MAXIMUM, True)


@pytest.mark.parametrize("busy", [True, False])
async def test_a_maximum_and_a_tokens_end_ask_not_whether_a_statement_runs(busy: bool) -> None:
    for one in (opened(max_duration_seconds=300.0), opened(life=300.0)):
        one.machine.busy = busy
        assert one.at(299.9) is None
        assert one.at(0.1) is not None


async def test_a_session_ends_with_its_token() -> None:
    one = opened(life=60.0)
    assert one.at(59.999) is None
    ended = one.at(0.001)
    assert ended is not None
    assert (ended.reason, ended.words) == (EndReason.EXPIRED, "the token has expired")


async def test_silence_counts_from_the_clients_last_word_or_the_end_of_a_statement() -> None:
    one = opened(idle_timeout_seconds=30.0)
    assert one.at(29.9) is None
    one.session.data_received(b"more")
    assert one.at(29.9) is None
    one.machine.busy = True
    assert one.at(60.0) is None
    one.machine.busy = False
    assert one.at(29.9) is None
    ended = one.at(0.1)
    assert ended is not None
    assert ended.reason is EndReason.IDLE


async def test_lost_access_ends_it_at_the_next_look_in_its_own_words() -> None:
    one = opened()
    assert one.at(0.0) is None
    one.judge.lost = "access was revoked by Revocation shop/out: laptop stolen"
    ended = one.at(0.0)
    assert ended is not None
    assert (ended.reason, ended.words) == (EndReason.REVOKED, one.judge.lost)


async def test_terms_that_become_shorter_hold_for_sessions_that_are_open() -> None:
    one = opened(max_duration_seconds=3600.0)
    assert one.at(400.0) is None
    one.judge.terms = SessionTerms(max_duration_seconds=300.0)
    assert one.at(0.0) is not None
