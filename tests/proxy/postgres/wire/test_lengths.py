"""How long a message of each kind may be, and what the shortest and longest of its parts are."""

from __future__ import annotations

import pytest

from tollhouse_proxy.protocols.postgres.wire import backend, frontend, startup
from tollhouse_proxy.protocols.postgres.wire.body import MAX_MESSAGE, Body, message
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.framing import Caps, Framer

KIB, MIB, GIB = 2**10, 2**20, 2**30
CLIENT = {
    "Q": 64 * MIB, "P": 64 * MIB + 512 * KIB, "B": 256 * MIB, "D": 4 * KIB, "E": 4 * KIB, "C": 4 * KIB,
    "S": 4, "H": 4, "X": 4, "d": GIB, "c": 4, "f": 64 * KIB, "F": 256 * MIB,
}  # fmt: skip
SERVER = {
    "R": 64 * KIB, "K": 4 + 4 + 256, "S": GIB, "Z": 5, "v": 64 * KIB, "1": 4, "2": 4, "3": 4, "n": 4, "s": 4,
    "t": 320 * KIB, "T": 16 * MIB, "D": GIB, "C": 64 * KIB, "I": 4, "E": GIB, "N": GIB, "A": 64 * KIB,
    "G": 64 * KIB, "H": 64 * KIB, "W": 64 * KIB, "d": GIB, "c": 4, "V": GIB,
}  # fmt: skip
SIDES = [
    *((frontend.CAPS, kind, longest) for kind, longest in CLIENT.items()),
    *((frontend.LOGIN_CAPS, kind, longest) for kind, longest in {"p": 128 * KIB, "X": 4}.items()),
    *((backend.CAPS, kind, longest) for kind, longest in SERVER.items()),
]


def announced(caps: Caps, kind: str, length: int) -> bytes | None:
    framer = Framer("this side", caps)
    framer.feed(kind.encode() + length.to_bytes(4, "big"))
    return framer.next()


@pytest.mark.parametrize(("caps", "kind", "longest"), SIDES)
def test_a_message_longer_than_its_kind_may_be_is_refused_from_its_header(
    caps: Caps, kind: str, longest: int
) -> None:
    assert announced(caps, kind, longest) in (None, kind.encode() + b"\0\0\0\4")
    for length in (0, 3, longest + 1):
        with pytest.raises(ProtocolError, match=f"allowed are 4 to {longest}"):
            announced(caps, kind, length)


def test_what_waits_is_what_came_and_was_not_taken() -> None:
    framer = Framer("this side", frontend.CAPS)
    assert framer.waiting == 0
    framer.feed(b"S\0\0\0\4S\0")
    assert framer.waiting == 7
    assert framer.next() == b"S\0\0\0\4"
    assert framer.waiting == 2
    assert framer.next() is None
    framer.feed(b"\0\0\4")
    assert (framer.waiting, framer.next(), framer.waiting) == (5, b"S\0\0\0\4", 0)


@pytest.mark.parametrize("caps", [frontend.CAPS, frontend.LOGIN_CAPS, backend.CAPS])
def test_no_other_kind_of_message_is_taken(caps: Caps) -> None:
    listed = {kind for table, kind, _ in SIDES if table is caps}
    for other in {chr(code) for code in range(128)} - listed:
        with pytest.raises(ProtocolError, match="is not one that this side may send"):
            announced(caps, other, 4)


def test_a_cancel_key_has_4_to_256_bytes() -> None:
    for size in range(260):
        data = b"\0\0\0\7" + b"k" * size
        packet = startup.CancelRequest(7, b"k" * size).encode()
        if 4 <= size <= 256:
            assert backend.BackendKeyData.parse(data).key == b"k" * size
            assert startup.parse_startup(packet) == startup.CancelRequest(7, b"k" * size)
            continue
        with pytest.raises(ProtocolError):
            backend.BackendKeyData.parse(data)
        with pytest.raises(ProtocolError):
            startup.parse_startup(packet)


def test_a_startup_packet_has_8_to_10000_bytes() -> None:
    for length, taken in ((7, False), (8, True), (10_000, True), (10_001, False)):
        reader = startup.StartupReader()
        reader.feed(length.to_bytes(4, "big"))
        if taken:
            assert reader.next() is None
        else:
            with pytest.raises(startup.NoStartup):
                reader.next()


def test_what_is_sent_before_any_answer_is_bounded() -> None:
    reader = startup.StartupReader()
    reader.feed(b"\0" * 20_000)
    with pytest.raises(ProtocolError, match="before any answer"):
        reader.feed(b"\0")


def test_three_bytes_are_no_length_yet_and_the_last_byte_completes_a_packet() -> None:
    reader = startup.StartupReader()
    whole = startup.SSLRequest().encode()
    for end in range(8):
        reader.feed(whole[end : end + 1])
        found = reader.next()
        assert (found is None) is (end < 7)
    assert reader.rest == b""


def test_requests_for_encryption_have_no_body() -> None:
    for packet in (startup.SSLRequest(), startup.GSSENCRequest()):
        with pytest.raises(ProtocolError, match="too many"):
            startup.parse_startup(packet.encode() + b"\0")


def test_settings_of_another_major_version_are_not_read() -> None:
    packet = startup.StartupMessage(2, 1, ()).encode() + b"anything"
    assert startup.parse_startup(packet) == startup.StartupMessage(2, 1, ())


def test_mechanisms_are_a_list_that_ends() -> None:
    def mechanisms(data: bytes) -> tuple[str, ...]:
        return backend.Authentication(10, data).mechanisms

    assert mechanisms(b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0") == ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")
    for wrong in (b"", b"SCRAM-SHA-256\0", b"SCRAM-SHA-256\0\0x", b"\xff\0\0"):
        with pytest.raises(ProtocolError):
            mechanisms(wrong)


def test_a_version_offer_names_as_many_options_as_it_says() -> None:
    def offer(count: int, names: bytes) -> backend.NegotiateProtocolVersion:
        head = (3 << 16 | 2).to_bytes(4, "big") + count.to_bytes(4, "big", signed=True)
        return backend.NegotiateProtocolVersion.parse(head + names)

    assert offer(0, b"") == backend.NegotiateProtocolVersion(3 << 16 | 2)
    assert offer(2, b"_pq_.a\0\0").unknown == ("_pq_.a", "")
    for count, names in ((-1, b""), (1, b""), (9, b"a\0"), (1, b"a\0b\0")):
        with pytest.raises(ProtocolError):
            offer(count, names)


def test_a_body_is_read_to_its_end_and_no_further() -> None:
    body = Body("X", b"\0\1" + b"\xff\xff\xff\xff" + b"a\0")
    assert (body.left, body.int16(), body.value(), body.left) == (8, 1, None, 2)
    with pytest.raises(ProtocolError, match="X: 2 bytes too many"):
        body.end()
    assert (body.text(), body.left, body.rest()) == ("a", 0, b"")
    body.end()
    with pytest.raises(ProtocolError, match="a length of -2 is negative"):
        Body("X", b"\xff\xff\xff\xfe").value()
    for reading in (body.byte, body.int16, body.count16, body.int32, body.oid):
        with pytest.raises(ProtocolError, match="ends too early"):
            reading()
    with pytest.raises(ProtocolError, match="no terminator"):
        body.cstring()


class Long(bytes):
    """Says that it is as long as the longest message's body."""

    def __len__(self) -> int:
        return MAX_MESSAGE - 4


def test_a_message_of_ours_is_bounded_too() -> None:
    assert MAX_MESSAGE == 2**31 - 1
    assert message(b"d", Long()) == b"d\x7f\xff\xff\xff"
    with pytest.raises(ProtocolError, match="a message of 2147483648 bytes is too long"):
        message(b"d", Long(), b"x")


def test_a_string_with_a_nul_is_never_sent() -> None:
    with pytest.raises(ProtocolError, match="NUL"):
        frontend.Query(b"SELECT 1\0; DROP").encode()


@pytest.mark.parametrize("count", range(4))
def test_a_bind_has_formats_for_none_all_or_each_of_its_parameters(count: int) -> None:
    for given in range(5):
        bind = frontend.Bind("p", "s", (1,) * given, (b"x",) * count)
        if given in (0, 1, count):
            assert frontend.Bind.parse(bind.encode()[5:]) == bind
        else:
            with pytest.raises(ProtocolError, match=f"{given} formats for {count} parameters"):
                frontend.Bind.parse(bind.encode()[5:])


@pytest.mark.parametrize("code", [-1, 2, 256])
def test_a_format_is_text_or_binary(code: int) -> None:
    for wrong in (frontend.Bind("", "", (code,), (b"x",)), frontend.Bind("", "", (), (), (0, code))):
        with pytest.raises(ProtocolError, match="must be 0 or 1"):
            frontend.Bind.parse(wrong.encode()[5:])


def test_a_statement_to_prepare_ends_with_its_last_type() -> None:
    with pytest.raises(ProtocolError, match="too many"):
        frontend.Parse.parse(frontend.Parse("s", b"SELECT $1", (23,)).encode()[5:] + b"\0\0\0\x17")


PARSERS = {
    "Parse": frontend.Parse.parse,
    "Bind": frontend.Bind.parse,
    "Describe": frontend.Describe.parse,
    "Close": frontend.Close.parse,
    "Execute": frontend.Execute.parse,
    "PasswordMessage": frontend.PasswordMessage.parse,
    "SASLInitialResponse": frontend.SASLInitialResponse.parse,
    "CopyFail": frontend.CopyFail.parse,
    "FunctionCall": frontend.FunctionCall.parse,
    "Authentication": backend.Authentication.parse,
    "BackendKeyData": backend.BackendKeyData.parse,
    "ParameterStatus": backend.ParameterStatus.parse,
    "NegotiateProtocolVersion": backend.NegotiateProtocolVersion.parse,
    "RowDescription": backend.RowDescription.parse,
    "ParameterDescription": backend.ParameterDescription.parse,
    "DataRow": backend.DataRow.parse,
    "CommandComplete": backend.CommandComplete.parse,
    "ErrorResponse": lambda data: backend.Report.parse("E", data),
    "NoticeResponse": lambda data: backend.Report.parse("N", data),
    "NotificationResponse": backend.NotificationResponse.parse,
    "CopyResponse": lambda data: backend.CopyResponse.parse("G", data),
    "startup packet": startup.parse_startup,
}


@pytest.mark.parametrize("name", PARSERS)
def test_what_is_wrong_is_said_with_the_name_of_the_message(name: str) -> None:
    with pytest.raises(ProtocolError, match=f"^{name}: "):
        PARSERS[name](b"")
