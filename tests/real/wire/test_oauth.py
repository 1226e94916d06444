"""libpq 18 gives its token by OAUTHBEARER: discovery, a second connection, the token."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import psycopg_binary
import pytest

from kit.postgres import Postgres
from kit.wire_world import TOKEN, WireWorld
from tollhouse_proxy.protocols.postgres.served import Asks

pytestmark = pytest.mark.postgres

Connecting = Callable[..., psycopg.Connection]
ISSUER = "https://corp.example"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
BEARER_TOKEN = 1
"""PQAUTHDATA_OAUTH_BEARER_TOKEN of libpq-fe.h."""


class Request(ctypes.Structure):
    """PGoauthBearerRequest of libpq-fe.h (release 18)."""

    _fields_ = [
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("start", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    ]


HOOK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Request))


@contextmanager
def application(token: str) -> Iterator[list[tuple[str, str]]]:
    """An application that has a token by itself; yields what libpq told it of the issuer."""
    [file] = Path(psycopg_binary.__file__ or "").parents[1].glob("psycopg_binary.libs/libpq-*")
    libpq = ctypes.CDLL(str(file))
    asked: list[tuple[str, str]] = []
    words = token.encode()

    def give(kind: int, _: int, request: ctypes._Pointer[Request]) -> int:
        if kind != BEARER_TOKEN:
            return 0
        told = request.contents
        asked.append((told.openid_configuration.decode(), (told.scope or b"").decode()))
        told.token = words
        return 1

    hook = HOOK(give)
    libpq.PQsetAuthDataHook(hook)
    try:
        yield asked
    finally:
        libpq.PQsetAuthDataHook(None)


@pytest.fixture
def bearer(
    postgres: Postgres, shop: str, serve: Callable[[WireWorld], WireWorld], tls_dir: Path
) -> Connecting:
    asks = Asks(bearer=True, discovery=DISCOVERY)
    world = serve(WireWorld(postgres, shop, tls_dir=tls_dir, requires_tls=True, asks=asks))

    def connect(**options: str) -> psycopg.Connection:
        return psycopg.connect(
            host="localhost",
            port=world.port,
            dbname=shop,
            user="triage",
            sslmode="verify-full",
            sslrootcert=str(tls_dir / "ca.crt"),
            **{
                "options": "-c tollhouse.auth=oauth",
                "oauth_client_id": "agent",
                "oauth_issuer": ISSUER,
                "require_auth": "oauth",
                **options,
            },
        )

    return connect


def test_libpq_learns_of_the_issuer_and_comes_back_with_a_token(
    bearer: Connecting,
) -> None:
    with application(TOKEN) as asked, bearer() as client:
        assert client.execute("SELECT count(*) FROM customers").fetchone() == (3,)
    assert asked == [(DISCOVERY, "openid")]


def test_a_wrong_token_is_a_wrong_password(bearer: Connecting) -> None:
    with application("eyJ.wrong.one"), pytest.raises(psycopg.OperationalError, match="identity not proved"):
        bearer()


def test_libpq_does_not_take_a_token_to_another_issuer(bearer: Connecting) -> None:
    with (
        application(TOKEN) as asked,
        pytest.raises(psycopg.OperationalError, match="is incompatible with oauth_issuer"),
    ):
        bearer(oauth_issuer="https://other.example")
    assert not asked


def test_the_password_is_still_a_way_where_both_are(bearer: Connecting) -> None:
    with bearer(options="", require_auth="password", password=TOKEN) as client:
        assert client.execute("SELECT 1").fetchone() == (1,)
