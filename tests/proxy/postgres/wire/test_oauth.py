"""A token by OAUTHBEARER (RFC 7628): the exchange, byte by byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.wire_transcript import Transcript, said
from kit.wire_world import TOKEN
from tollhouse_proxy.exchange import NotProved, Prove
from tollhouse_proxy.protocols.postgres.oauth import bearer_token
from tollhouse_proxy.protocols.postgres.served import Asks
from tollhouse_proxy.protocols.postgres.wire import frontend
from tollhouse_proxy.protocols.postgres.wire.backend import Authentication
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.startup import StartupMessage

DISCOVERY = "https://corp.example/.well-known/openid-configuration"
BEARER = Asks(password=False, bearer=True, discovery=DISCOVERY)
BOTH = Asks(bearer=True, discovery=DISCOVERY)


def started(asks: Asks, *settings: tuple[str, str], chunk: int = 0) -> tuple[Transcript, list[bytes]]:
    talk = Transcript(asks=asks, chunk=chunk)
    talk.client(StartupMessage(3, 2, (("user", "ann"), ("database", "orders"), *settings)).encode())
    return talk, talk.to_client()


def bearer(words: bytes, mechanism: str = "OAUTHBEARER") -> bytes:
    return frontend.SASLInitialResponse(mechanism, words).encode()


def honest(token: str = TOKEN) -> bytes:
    return bearer(b"n,,\x01auth=Bearer " + token.encode() + b"\x01\x01")


def proofs(talk: Transcript) -> list[str]:
    talk.effects += talk.did()
    return [effect.token.reveal() for effect in talk.effects if isinstance(effect, Prove)]


@pytest.mark.parametrize("chunk", [0, 1, 7])
def test_a_bearers_token_is_proved_like_a_password(chunk: int) -> None:
    talk, [asked] = started(BEARER, chunk=chunk)
    request = Authentication.parse(asked[5:])
    assert (request.code, request.mechanisms) == (10, ("OAUTHBEARER",))
    talk.client(honest())
    assert proofs(talk) == [TOKEN]
    assert talk.to_client() == []


@pytest.mark.parametrize(
    ("asks", "settings", "code"),
    [
        (Asks(), (), 3),
        (BOTH, (), 3),
        (BOTH, (("tollhouse.auth", "oauth"),), 10),
        (BOTH, (("options", "-c tollhouse.auth=oauth"),), 10),
        (BOTH, (("tollhouse.auth", "password"),), 3),
        (BEARER, (), 10),
    ],
)
def test_what_is_asked_for_is_the_connections_to_say_and_then_the_clients(
    asks: Asks, settings: tuple[tuple[str, str], ...], code: int
) -> None:
    _, [asked] = started(asks, *settings)
    assert Authentication.parse(asked[5:]).code == code


@pytest.mark.parametrize("value", ["oauth", "kerberos"])
def test_a_way_that_is_not_offered_is_refused_in_words(value: str) -> None:
    talk, [refusal] = started(Asks(), ("tollhouse.auth", value))
    assert said(refusal)["C"] in {"28000", "22023"}
    assert talk.closed is not None


def test_a_client_without_a_token_learns_where_one_is_had() -> None:
    talk, _ = started(BEARER)
    talk.client(bearer(b"n,,\x01auth=\x01\x01"))
    [told] = talk.to_client()
    request = Authentication.parse(told[5:])
    assert request.code == 11
    assert json.loads(request.data) == {
        "status": "invalid_token",
        "openid-configuration": DISCOVERY,
        "scope": "openid",
    }
    assert talk.closed is None
    assert proofs(talk) == []
    talk.client(frontend.SASLResponse(b"\x01").encode())
    [refusal] = talk.to_client()
    assert said(refusal)["C"] == "28P01"
    assert talk.closed is not None
    assert len(talk.gate.turned_away) == 1


def test_a_token_that_proves_nothing_is_told_by_the_mechanism_and_then_in_words() -> None:
    talk, _ = started(Asks(password=False, bearer=True))
    talk.client(honest())
    talk.machine.receive(NotProved("it has expired"))
    [told] = talk.to_client()
    assert json.loads(Authentication.parse(told[5:]).data) == {"status": "invalid_token"}
    assert talk.gate.turned_away == ["identity not proved: it has expired"]
    talk.client(frontend.SASLResponse(b"\x01").encode())
    [refusal] = talk.to_client()
    assert (said(refusal)["C"], "it has expired" in said(refusal)["M"]) == ("28P01", True)
    assert talk.closed is not None
    assert len(talk.gate.turned_away) == 1


def test_a_failed_exchange_cannot_be_gone_on_with() -> None:
    talk, _ = started(BEARER)
    talk.client(honest("wrong"))
    talk.machine.receive(NotProved("no"))
    talk.client(honest())
    assert proofs(talk) == ["wrong"]
    assert said(talk.to_client()[-1])["C"] == "08P01"


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"n,,",
        b"n,,\x01\x01",
        b"n,,\x01auth=Bearer t\x01",
        b"n,,\x01auth=Bearer t\x01\x01\x01",
        b"p=tls-server-end-point,,\x01auth=Bearer t\x01\x01",
        b"n,a=bob,\x01auth=Bearer t\x01\x01",
        b"n,,\x01auth=Basic dDp0\x01\x01",
        b"n,,\x01auth=Bearer \x01\x01",
        b"n,,\x01auth=Bearer a b\x01\x01",
        b"n,,\x01host=h\x01\x01",
        b"n,,\x01auth\x01\x01",
        b"n,,\x01auth=Bearer \xc3\xa4\x01\x01",
        b"n,,\x01auth=Bearer t\0\x01\x01",
    ],
)
def test_what_is_no_bearers_message_ends_the_session(words: bytes) -> None:
    talk, _ = started(BEARER)
    talk.client(bearer(words))
    [refusal] = talk.to_client()
    assert said(refusal)["C"] == "08P01"
    assert proofs(talk) == []
    assert talk.closed is not None


def test_another_mechanism_or_a_password_is_not_taken_instead() -> None:
    for message in (bearer(b"n,,n=,r=x", "SCRAM-SHA-256"), frontend.PasswordMessage(TOKEN.encode()).encode()):
        talk, _ = started(BEARER)
        talk.client(message)
        assert said(talk.to_client()[0])["C"] == "08P01"
        assert proofs(talk) == []


@given(st.binary(max_size=60))
def test_any_bytes_give_a_token_or_a_protocol_error(body: bytes) -> None:
    try:
        token = bearer_token(body)
    except ProtocolError:
        return
    assert token == "" or token.isascii()
