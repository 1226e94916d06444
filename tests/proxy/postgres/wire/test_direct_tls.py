"""TLS that a client begins with, without asking first."""

from __future__ import annotations

import pytest

from kit.wire_transcript import Transcript, said
from tollhouse_proxy.exchange import ClientSecured, EndReason, SecureClient
from tollhouse_proxy.protocols.postgres.wire.backend import Authentication
from tollhouse_proxy.protocols.postgres.wire.startup import GSSENCRequest, SSLRequest, StartupMessage

HANDSHAKE = b"\x16\x03\x01\x02\0" + b"h" * 512
HELLO = StartupMessage(3, 0, (("user", "ann"), ("database", "orders"))).encode()


@pytest.mark.parametrize("size", [1, 5, len(HANDSHAKE)])
def test_what_came_of_the_handshake_goes_to_tls_and_nowhere_else(size: int) -> None:
    talk = Transcript(can_secure=True)
    talk.client(HANDSHAKE[:size])
    assert talk.did() == [SecureClient(HANDSHAKE[:size])]
    talk.machine.receive(ClientSecured("postgresql"))
    talk.client(HELLO)
    assert talk.to_client() == [Authentication(3).encode()]


@pytest.mark.parametrize("protocol", [None, "h2"])
def test_a_client_that_begins_with_tls_must_name_the_protocol(protocol: str | None) -> None:
    talk = Transcript(can_secure=True)
    talk.client(HANDSHAKE)
    talk.did()
    talk.machine.receive(ClientSecured(protocol))
    assert talk.closed is not None
    assert talk.closed.reason is EndReason.PROTOCOL
    assert "ALPN" in talk.closed.detail
    assert talk.to_client() == []


def test_one_that_asks_first_need_not_name_it() -> None:
    talk = Transcript(can_secure=True)
    talk.client(SSLRequest.encode())
    talk.machine.receive(ClientSecured(None))
    talk.client(HELLO)
    assert talk.closed is None


def test_tls_inside_tls_is_no_beginning() -> None:
    talk = Transcript(can_secure=True)
    talk.client(HANDSHAKE)
    talk.machine.receive(ClientSecured("postgresql"))
    talk.client(HANDSHAKE)
    assert talk.closed is not None


@pytest.mark.parametrize("asked", [GSSENCRequest.encode(), HELLO[:3]])
def test_it_is_only_known_as_the_very_first_bytes(asked: bytes) -> None:
    talk = Transcript(can_secure=True)
    talk.client(asked)
    talk.client(HANDSHAKE)
    assert not any(isinstance(effect, SecureClient) for effect in talk.did())


def test_it_may_not_be_asked_for_again_inside() -> None:
    talk = Transcript(can_secure=True)
    talk.client(HANDSHAKE)
    talk.machine.receive(ClientSecured("postgresql"))
    talk.client(SSLRequest.encode())
    assert talk.closed is not None


def test_without_a_certificate_the_reason_is_recorded() -> None:
    talk = Transcript()
    talk.client(HANDSHAKE)
    assert talk.closed is not None
    assert "no certificate" in talk.closed.detail
    assert said(talk.to_client()[0])["C"] == "08P01"
