"""The chain and its verifier, honest and hostile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tollhouse_core.audit.chain import LINES_BETWEEN_SIGNATURES, Chain, Signer, session_start, trail_start
from tollhouse_core.audit.event import Event, EventKind
from tollhouse_core.audit.line import parse_line
from tollhouse_core.audit.verify import Fault, Report, State, verify

KEY = Ed25519PrivateKey.generate()
OTHER_KEY = Ed25519PrivateKey.generate()
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def check(key_id: str, message: bytes, signature: bytes) -> bool | None:
    if key_id != "key-1":
        return None
    try:
        KEY.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return True


def session_events(session: str, statements: Sequence[str], *, closed: bool = True) -> list[Event]:
    kinds: list[tuple[EventKind, dict[str, object]]] = [
        (EventKind.SESSION_OPENED, {"identity": {"name": "alice", "provider": "corp"}})
    ]
    for number, text in enumerate(statements):
        kinds.append((EventKind.OPERATION_DECIDED, {"operation": number, "text": text, "decision": "allow"}))
    if closed:
        kinds.append((EventKind.SESSION_CLOSED, {"reason": "client left"}))
    return [
        Event(kind, session, sequence, START + timedelta(seconds=sequence), data)
        for sequence, (kind, data) in enumerate(kinds)
    ]


def interleave(first: list[Event], second: list[Event]) -> list[Event]:
    mixed: list[Event] = []
    for index in range(max(len(first), len(second))):
        mixed += first[index : index + 1] + second[index : index + 1]
    return mixed


def seal(events: Sequence[Event], *, signer: Signer | None = None, writer: str = "proxy-1") -> list[bytes]:
    chain = Chain(writer, signer=signer or Signer("key-1", KEY.sign))
    return [chain.seal(event) for event in events]


def honest() -> list[bytes]:
    one = session_events("s-1", ["SELECT 1", "SELECT 'ünïcode \ud800 \x00'"])
    two = session_events("s-2", ["DELETE FROM orders WHERE id = 7"])
    return seal(interleave(one, two))


def faults(report: Report) -> set[Fault]:
    return {found.fault for found in report.breaks}


def test_an_honest_trail_is_sound() -> None:
    report = verify(honest(), check)
    assert report.state is State.SOUND
    assert report.breaks == []
    assert {name: s.state for name, s in report.sessions.items()} == {"s-1": State.SOUND, "s-2": State.SOUND}
    assert all(session.signed for session in report.sessions.values())


def test_a_line_is_json_and_its_hash_can_be_made_by_anyone_with_two_cuts() -> None:
    line = honest()[0]
    assert json.loads(line)["session"] == "s-1"
    body = line[: line.rindex(b',"hash"')] + b"}"
    assert hashlib.sha256(body).hexdigest() == json.loads(line)["hash"]


def test_a_chain_begins_bound_to_its_session_and_its_writer() -> None:
    first = parse_line(honest()[0].rstrip(b"\n"))
    assert first.previous == session_start("s-1") != session_start("s-2")
    assert first.trail_previous == trail_start("proxy-1") != trail_start("proxy-2")


def test_a_session_without_an_end_is_open_not_sound() -> None:
    report = verify(seal(session_events("s-1", ["SELECT 1"], closed=False)), check)
    assert report.state is State.OPEN
    assert report.sessions["s-1"].state is State.OPEN


def test_a_changed_statement_is_named_with_its_line() -> None:
    lines = honest()
    lines[3] = lines[3].replace(b"orders", b"ordres")
    report = verify(lines, check)
    assert report.state is State.BROKEN
    assert (report.breaks[0].line, report.breaks[0].fault, report.breaks[0].session) == (
        4,
        Fault.CHANGED,
        "s-2",
    )
    assert report.sessions["s-1"].state is State.SOUND


def test_a_line_made_anew_with_a_fitting_hash_breaks_the_links_after_it() -> None:
    lines = honest()
    body = lines[2][: lines[2].rindex(b',"hash"')].replace(b"SELECT 1", b"SELECT 2")
    lines[2] = b'%b,"hash":"%b"}\n' % (body, hashlib.sha256(body + b"}").hexdigest().encode())
    assert Fault.FOREIGN in faults(verify(lines, check))


def test_a_whole_trail_made_anew_without_the_key_is_refused() -> None:
    events = session_events("s-1", ["SELECT 2"])
    assert faults(verify(seal(events, signer=Signer("key-1", OTHER_KEY.sign)), check)) == {
        Fault.BAD_SIGNATURE
    }
    assert faults(verify(seal(events, signer=Signer("key-2", OTHER_KEY.sign)), check)) == {Fault.UNKNOWN_KEY}
    unsigned = Chain("proxy-1")
    assert faults(verify([unsigned.seal(event) for event in events], check)) == {Fault.UNSIGNED}


def test_a_session_taken_out_whole_leaves_a_hole_in_the_trail() -> None:
    refused = Event(EventKind.SESSION_REFUSED, "s-9", 0, START, {"reason": "no token"})
    events = session_events("s-1", ["SELECT 1"])
    lines = seal([events[0], refused, *events[1:]])
    del lines[1]
    report = verify(lines, check)
    assert faults(report) == {Fault.GAP}
    assert report.breaks[0].line == 2


def test_a_session_that_goes_on_after_its_end_is_broken() -> None:
    events = session_events("s-1", ["SELECT 1"])
    more = Event(EventKind.OPERATION_DECIDED, "s-1", len(events), START, {})
    assert Fault.AFTER_END in faults(verify(seal([*events, more]), check))


def test_an_event_lent_to_another_session_is_foreign() -> None:
    one = seal(session_events("s-1", ["SELECT 1"]))
    body = one[1][: one[1].rindex(b',"hash"')].replace(b'"session":"s-1"', b'"session":"s-2"')
    one[1] = b'%b,"hash":"%b"}\n' % (body, hashlib.sha256(body + b"}").hexdigest().encode())
    assert verify(one, check).sessions["s-2"].state is State.BROKEN


def test_two_runs_of_a_proxy_in_one_file_are_two_trails() -> None:
    lines = seal(session_events("s-1", [])) + seal(session_events("s-2", []), writer="proxy-2")
    assert verify(lines, check).state is State.SOUND


def test_a_long_session_is_signed_on_its_way() -> None:
    lines = seal(session_events("s-1", ["SELECT 1"] * (LINES_BETWEEN_SIGNATURES + 5), closed=False))
    assert verify(lines, check).unsigned_lines == len(lines) - LINES_BETWEEN_SIGNATURES


def test_lines_that_no_signature_covers_yet_are_counted() -> None:
    ended = seal(session_events("s-1", ["SELECT 1"]))
    assert verify(ended, check).unsigned_lines == 0
    other = Chain("proxy-2")
    forged = [other.seal(event) for event in session_events("s-2", ["SELECT 2"], closed=False)]
    report = verify(ended + forged, check)
    assert (report.state, report.unsigned_lines) == (State.OPEN, 2)


def test_a_cut_off_last_line_is_torn() -> None:
    lines = honest()
    lines[-1] = lines[-1][:40]
    assert {Fault.TORN, Fault.UNREADABLE} <= faults(verify(lines, check))


def test_a_file_of_something_else_is_told_without_filling_the_memory() -> None:
    report = verify([b"hello\n"] * 5000, check)
    assert report.state is State.BROKEN
    assert (report.breaks_in_all, len(report.breaks)) == (5000, 1000)


def test_lines_of_a_log_between_are_passed_over_if_one_says_so() -> None:
    lines = honest()
    mixed = [b"12:00 INFO serving\n", *lines[:3], b"\n", *lines[3:], b"{torn"]
    report = verify(mixed, check, mixed=True)
    assert (report.state, report.other_lines) == (State.SOUND, 3)
    assert verify(mixed, check).state is State.BROKEN


@pytest.mark.parametrize("index", range(len(honest())))
def test_an_audit_line_dressed_as_another_leaves_its_hole(index: int) -> None:
    lines = honest()
    lines[index] = b" " + lines[index]
    assert verify(lines, check, mixed=True).state is not State.SOUND


lines_and_index = st.integers(0, len(honest()) - 1)
hostile = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@hostile
@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    text = bytearray(b"".join(honest()))
    at = data.draw(st.integers(0, len(text) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[at]))
    text[at] = value
    assert verify(BytesIO(bytes(text)), check).state is State.BROKEN


@hostile
@given(st.data())
def test_any_byte_put_in_or_taken_out_is_found(data: st.DataObject) -> None:
    text = bytearray(b"".join(honest()))
    at = data.draw(st.integers(0, len(text) - 1))
    if data.draw(st.booleans()):
        del text[at]
    else:
        text.insert(at, data.draw(st.integers(0, 255)))
    assert verify(BytesIO(bytes(text)), check).state is State.BROKEN


@pytest.mark.parametrize("index", range(len(honest())))
def test_any_dropped_line_is_found(index: int) -> None:
    lines = honest()
    del lines[index]
    assert verify(lines, check).state is not State.SOUND
    if index < len(lines):
        assert verify(lines, check).state is State.BROKEN


@hostile
@given(lines_and_index, lines_and_index)
def test_any_two_swapped_lines_are_found(first: int, second: int) -> None:
    lines = honest()
    if first == second:
        return
    lines[first], lines[second] = lines[second], lines[first]
    report = verify(lines, check)
    assert report.state is State.BROKEN
    assert Fault.REORDERED in faults(report)


@hostile
@given(lines_and_index, lines_and_index)
def test_any_repeated_line_is_found(source: int, target: int) -> None:
    lines = honest()
    lines.insert(target, lines[source])
    assert verify(lines, check).state is State.BROKEN


@hostile
@given(st.binary(max_size=300))
def test_no_bytes_make_the_verifier_fail(noise: bytes) -> None:
    verify([*noise.splitlines(keepends=True), *honest()[:2], noise], check)
