"""How a connection may begin, and what is never let pass before it has."""

from __future__ import annotations

import pytest

from kit.wire_transcript import BACKEND_KEY, Transcript, error, query, ready, said
from kit.wire_world import TOKEN, ScriptedGate, refused
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.secret import Secret
from tollhouse_proxy.exchange import (
    BackendOpened,
    Borrow,
    ClientSecured,
    CredentialLent,
    Dial,
    EndReason,
    NotProved,
    Prove,
    Proven,
    SecureClient,
)
from tollhouse_proxy.protocols.postgres.wire.backend import (
    Authentication,
    NegotiateProtocolVersion,
    ParameterStatus,
)
from tollhouse_proxy.protocols.postgres.wire.frontend import PasswordMessage
from tollhouse_proxy.protocols.postgres.wire.startup import (
    GSSENCRequest,
    SSLRequest,
    StartupMessage,
    parse_startup,
)

ANN = Identity("ann", "corp", Proof.OIDC)
HELLO = StartupMessage(3, 0, (("user", "ann"), ("database", "orders"))).encode()
TOKEN_MESSAGE = PasswordMessage(TOKEN.encode()).encode()
SSL, GSS = SSLRequest.encode(), GSSENCRequest.encode()


def raw(talk: Transcript) -> bytes:
    found = b"".join(talk.machine.outbox.client)
    talk.machine.outbox.client.clear()
    return found


@pytest.mark.parametrize("chunk", [0, 1, 5])
def test_the_way_in_asks_for_each_thing_once_and_in_order(chunk: int) -> None:
    talk = Transcript(chunk=chunk)
    talk.client(HELLO)
    assert raw(talk) == Authentication(3).encode()
    talk.client(TOKEN_MESSAGE)
    [prove] = talk.did()
    assert isinstance(prove, Prove)
    assert prove.token.reveal() == TOKEN
    talk.machine.receive(Proven(ANN))
    assert [type(effect) for effect in talk.did()][-1] is Borrow
    talk.machine.receive(CredentialLent("app", Secret("pw")))
    assert [type(effect) for effect in talk.did()] == [Dial]
    talk.machine.receive(BackendOpened())
    startup = parse_startup(b"".join(talk.machine.outbox.backend))
    assert isinstance(startup, StartupMessage)
    assert dict(startup.settings) == {
        "user": "app",
        "database": "orders",
        "client_encoding": "UTF8",
        "standard_conforming_strings": "on",
    }


def test_nothing_is_said_to_the_client_before_the_backend_let_us_in() -> None:
    talk = Transcript()
    talk.client(HELLO, TOKEN_MESSAGE)
    raw(talk)
    talk.machine.receive(Proven(ANN))
    talk.machine.receive(CredentialLent("app", Secret("pw")))
    talk.machine.receive(BackendOpened())
    talk.backend(Authentication(0).encode(), BACKEND_KEY.encode())
    assert raw(talk) == b""


def test_tls_is_offered_refused_and_offered_once_only() -> None:
    talk = Transcript(can_secure=True)
    talk.client(GSS)
    assert raw(talk) == b"N"
    talk.client(SSL)
    assert raw(talk) == b"S"
    assert isinstance(talk.did()[0], SecureClient)
    talk.machine.receive(ClientSecured())
    talk.client(SSL)
    assert talk.closed is not None
    plain = Transcript()
    plain.client(SSL)
    assert raw(plain) == b"N"


@pytest.mark.parametrize("first", [SSL, GSS])
def test_bytes_behind_a_request_for_encryption_end_the_connection(first: bytes) -> None:
    talk = Transcript(can_secure=True)
    talk.client(first + HELLO)
    assert talk.closed is not None
    assert talk.closed.reason is EndReason.PROTOCOL
    assert raw(talk)[:1] != b"S"


def test_plain_bytes_while_the_handshake_runs_end_the_connection() -> None:
    talk = Transcript(can_secure=True)
    talk.client(SSL)
    talk.client(HELLO)
    assert talk.closed is not None


def test_no_token_is_asked_for_in_the_clear() -> None:
    talk = Transcript(requires_tls=True, can_secure=True)
    talk.client(HELLO)
    [refusal] = talk.to_client()
    assert said(refusal)["C"] == "28000"
    assert "TLS" in said(refusal)["M"]
    assert talk.gate.turned_away


@pytest.mark.parametrize(("major", "minor"), [(2, 0), (4, 0), (1234, 9999)])
def test_other_protocols_are_refused_as_the_server_does(major: int, minor: int) -> None:
    talk = Transcript()
    talk.client((8).to_bytes(4, "big") + (major << 16 | minor).to_bytes(4, "big"))
    assert said(talk.to_client()[0])["C"] == "0A000"


def test_newer_protocols_and_unknown_options_are_negotiated() -> None:
    talk = Transcript()
    talk.client(StartupMessage(3, 9999, (("user", "ann"), ("_pq_.x", "1"))).encode())
    [negotiate, ask] = talk.to_client()
    assert NegotiateProtocolVersion.parse(negotiate[5:]) == NegotiateProtocolVersion(3 << 16 | 2, ("_pq_.x",))
    assert ask == Authentication(3).encode()


def test_clients_of_protocol_3_2_get_a_long_key() -> None:
    for minor, size in ((0, 4), (2, 32)):
        talk = Transcript().log_in(minor)
        assert talk.cancels.find(4711, b"k" * size, "10.0.0.1:5000", 0.0) is talk.machine


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\n",
        b"\0\0\0\0",
        b"\0\0\0\x07",
        b"\x16\x03\x01\x02\0",
        b"\0\0\x27\x11",
        HELLO[:-1] + b"x",
        b"\0\0\0\x09\0\x03\0\0x",
    ],
)
def test_what_is_no_startup_packet_ends_the_connection(first: bytes) -> None:
    talk = Transcript()
    talk.client(first)
    assert talk.closed is not None
    assert talk.did() == []


@pytest.mark.parametrize("behind", [query("SELECT 1"), TOKEN_MESSAGE])
def test_messages_before_the_session_begins_end_the_connection(behind: bytes) -> None:
    talk = Transcript()
    talk.client(HELLO)
    talk.client(TOKEN_MESSAGE + behind)
    assert talk.closed is not None
    later = Transcript()
    later.client(HELLO, TOKEN_MESSAGE)
    later.client(behind)
    assert later.closed is not None


def test_a_token_that_proves_nothing_is_28P01() -> None:
    talk = Transcript()
    talk.client(HELLO, TOKEN_MESSAGE)
    talk.machine.receive(NotProved("it has expired"))
    refusal = said(talk.to_client()[-1])
    assert (refusal["C"], refusal["M"]) == ("28P01", "identity not proved: it has expired")
    assert talk.gate.turned_away == ["identity not proved: it has expired"]


def test_an_identity_no_policy_speaks_of_is_turned_away() -> None:
    talk = Transcript(gate=ScriptedGate(shut=refused("no policy speaks of ann")))
    talk.client(HELLO, TOKEN_MESSAGE)
    talk.machine.receive(Proven(ANN))
    assert "no policy speaks of ann" in said(talk.to_client()[-1])["M"]
    assert talk.closed is not None


def test_a_backend_that_does_not_keep_the_pinned_settings_is_left() -> None:
    talk = Transcript()
    talk.client(HELLO, TOKEN_MESSAGE)
    talk.machine.receive(Proven(ANN))
    talk.machine.receive(CredentialLent("app", Secret("pw")))
    talk.machine.receive(BackendOpened())
    talk.backend(
        Authentication(0).encode(), ParameterStatus("client_encoding", "SQL_ASCII").encode(), ready()
    )
    assert said(talk.to_client()[-1])["C"] == "08006"


@pytest.mark.parametrize(
    ("code", "seen"), [("28P01", "08006"), ("28000", "08006"), ("3D000", "3D000"), ("53300", "53300")]
)
def test_the_backends_refusals_name_no_credential(code: str, seen: str) -> None:
    talk = Transcript()
    talk.client(HELLO, TOKEN_MESSAGE)
    talk.machine.receive(Proven(ANN))
    talk.machine.receive(CredentialLent("vault-user-7", Secret("pw")))
    talk.machine.receive(BackendOpened())
    words = 'password authentication failed for user "vault-user-7"' if code.startswith("28") else "no"
    talk.backend(error(code, words, severity="FATAL"))
    if code.startswith("28"):  # it may have been rotated: another one is tried
        assert [effect for effect in talk.did() if isinstance(effect, Borrow)][-1].anew
        talk.machine.receive(CredentialLent("vault-user-7", Secret("pw")))
        talk.machine.receive(BackendOpened())
        talk.backend(error(code, words, severity="FATAL"))
    refusal = said(talk.to_client()[-1])
    assert refusal["C"] == seen
    assert "vault-user-7" not in str(refusal)


@pytest.mark.parametrize("first", [b"X\0\0\0\4", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\4", b"\xff\xff\xff\xff"])
def test_what_is_no_startup_packet_is_left_without_a_word(first: bytes) -> None:
    """A client that quits before it began (node-postgres does) takes an answer for trouble; a scanner learns
    nothing. The server is silent too."""
    talk = Transcript()
    talk.client(first)
    assert talk.kinds() == ""
    assert talk.closed is not None
