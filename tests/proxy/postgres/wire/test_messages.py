"""Every message survives encode and parse, and no body may be short, long or malformed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollhouse_proxy.protocols.postgres.wire import backend, frontend, startup
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

names = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)
octets = st.binary(max_size=40)
plain = octets.map(lambda data: data.replace(b"\0", b"."))
values = st.lists(st.none() | octets, max_size=5).map(tuple)
oids = st.integers(0, 2**32 - 1)
shorts = st.integers(-(2**15), 2**15 - 1)
ints = st.integers(-(2**31), 2**31 - 1)
formats = st.lists(st.integers(0, 1), max_size=1).map(tuple)
field = st.builds(backend.Field, plain, oids, shorts, oids, shorts, ints, shorts)
bits = st.integers(0, 1)
codes = st.text("SVCMDHPpqWstcdnFLR", min_size=1, max_size=1)


def several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(one, max_size=4).map(tuple)


MESSAGES: dict[str, tuple[st.SearchStrategy[Any], Callable[[bytes], Any]]] = {
    "Query": (st.builds(frontend.Query, plain), frontend.Query.parse),
    "Parse": (st.builds(frontend.Parse, names, plain, several(oids)), frontend.Parse.parse),
    "Bind": (st.builds(frontend.Bind, names, names, formats, values, formats), frontend.Bind.parse),
    "Describe": (st.builds(frontend.Describe, st.sampled_from("SP"), names), frontend.Describe.parse),
    "Close": (st.builds(frontend.Close, st.sampled_from("SP"), names), frontend.Close.parse),
    "Execute": (st.builds(frontend.Execute, names, ints), frontend.Execute.parse),
    "PasswordMessage": (st.builds(frontend.PasswordMessage, plain), frontend.PasswordMessage.parse),
    "SASLInitialResponse": (
        st.builds(frontend.SASLInitialResponse, names, st.none() | octets), frontend.SASLInitialResponse.parse
    ),
    "SASLResponse": (st.builds(frontend.SASLResponse, octets), frontend.SASLResponse.parse),
    "CopyData": (st.builds(frontend.CopyData, octets), frontend.CopyData.parse),
    "CopyFail": (st.builds(frontend.CopyFail, names), frontend.CopyFail.parse),
    "FunctionCall": (
        st.builds(frontend.FunctionCall, oids, formats, values, bits), frontend.FunctionCall.parse
    ),
    "Authentication": (st.builds(backend.Authentication, ints, octets), backend.Authentication.parse),
    "BackendKeyData": (
        st.builds(backend.BackendKeyData, oids, st.binary(min_size=4, max_size=256)),
        backend.BackendKeyData.parse,
    ),
    "ParameterStatus": (st.builds(backend.ParameterStatus, names, names), backend.ParameterStatus.parse),
    "ReadyForQuery": (st.builds(backend.ReadyForQuery, st.sampled_from("ITE")), backend.ReadyForQuery.parse),
    "NegotiateProtocolVersion": (
        st.builds(backend.NegotiateProtocolVersion, oids, st.lists(names, max_size=3).map(tuple)),
        backend.NegotiateProtocolVersion.parse,
    ),
    "RowDescription": (
        st.builds(backend.RowDescription, several(field)), backend.RowDescription.parse
    ),
    "ParameterDescription": (
        st.builds(backend.ParameterDescription, st.lists(oids, max_size=4).map(tuple)),
        backend.ParameterDescription.parse,
    ),
    "DataRow": (st.builds(backend.DataRow, values), backend.DataRow.parse),
    "CommandComplete": (st.builds(backend.CommandComplete, names), backend.CommandComplete.parse),
    "ErrorResponse": (
        st.builds(backend.Report, st.just("E"), st.dictionaries(codes, names, max_size=5)),
        lambda body: backend.Report.parse("E", body),
    ),
    "NotificationResponse": (
        st.builds(backend.NotificationResponse, oids, names, names), backend.NotificationResponse.parse
    ),
    "CopyResponse": (
        st.builds(backend.CopyResponse, st.just("H"), bits, several(shorts)),
        lambda body: backend.CopyResponse.parse("H", body),
    ),
}  # fmt: skip
OPEN_ENDED = {"SASLResponse", "CopyData", "Authentication"}


@pytest.mark.parametrize("name", MESSAGES)
@settings(max_examples=30)
@given(data=st.data())
def test_what_was_encoded_is_parsed_again(name: str, data: st.DataObject) -> None:
    strategy, parse = MESSAGES[name]
    message = data.draw(strategy)
    encoded = message.encode()
    assert int.from_bytes(encoded[1:5], "big") == len(encoded) - 1
    assert parse(encoded[5:]) == message


@pytest.mark.parametrize("name", sorted(MESSAGES.keys() - OPEN_ENDED - {"BackendKeyData"}))
@settings(max_examples=30)
@given(data=st.data())
def test_a_body_that_is_too_long_or_too_short_is_refused(name: str, data: st.DataObject) -> None:
    strategy, parse = MESSAGES[name]
    body = data.draw(strategy).encode()[5:]
    for wrong in (body + b"\0", body[:-1]) if body else (b"\0",):
        with pytest.raises(ProtocolError):
            parse(wrong)


@pytest.mark.parametrize("name", MESSAGES)
@settings(max_examples=30)
@given(body=st.binary(max_size=60))
def test_no_body_makes_a_parser_do_anything_but_parse_or_refuse(name: str, body: bytes) -> None:
    try:
        MESSAGES[name][1](body)
    except ProtocolError:
        return


def test_a_query_holds_exactly_one_nul_at_its_end() -> None:
    for body in (b"", b"SELECT 1", b"SELECT 1\0; DROP\0", b"\0\0"):
        with pytest.raises(ProtocolError):
            frontend.Query.parse(body)


def test_lengths_and_counts_are_never_believed() -> None:
    for body in (
        b"p\0s\0\0\0\0\x01\x7f\xff\xff\xff",
        b"p\0s\0\0\0\xff\xff",
        b"p\0s\0\0\0\0\x01\xff\xff\xff\xfe",
    ):
        with pytest.raises(ProtocolError):
            frontend.Bind.parse(body)


@given(
    major=st.just(3),
    minor=st.integers(0, 9999),
    pairs=st.lists(st.tuples(names.filter(bool), names), max_size=5),
)
def test_startup_messages_survive(major: int, minor: int, pairs: list[tuple[str, str]]) -> None:
    message = startup.StartupMessage(major, minor, tuple(pairs))
    assert startup.parse_startup(message.encode()) == message


@given(chunks=st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_startup_packets_may_come_in_any_chunks(chunks: list[int]) -> None:
    wanted = [
        startup.SSLRequest(),
        startup.GSSENCRequest(),
        startup.CancelRequest(7, b"12345678"),
        startup.StartupMessage(3, 2, (("user", "ann"), ("database", "shop"))),
    ]
    stream = b"".join(packet.encode() for packet in wanted)
    reader, found, at = startup.StartupReader(), [], 0
    for size in [*chunks, len(stream)]:
        reader.feed(stream[at : at + size])
        at += size
        while (packet := reader.next()) is not None:
            found.append(packet)
    assert found == wanted
    assert reader.rest == b""


@pytest.mark.parametrize("length", [0, 4, 7, 10_001, 2**31, 2**32 - 1])
def test_startup_lengths_are_bounded(length: int) -> None:
    reader = startup.StartupReader()
    reader.feed(length.to_bytes(4, "big"))
    with pytest.raises(ProtocolError):
        reader.next()
