"""Logging in: SCRAM against the RFC's own example, methods that are refused, startup settings."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollhouse_core.secret import Secret
from tollhouse_proxy.protocols.postgres.auth import BackendLogin, LoginFailed
from tollhouse_proxy.protocols.postgres.scram import ScramClient, ScramFailed, ScramKeys, derived
from tollhouse_proxy.protocols.postgres.sql.session_settings import may_set
from tollhouse_proxy.protocols.postgres.startup_settings import StartupRefused, read_wishes
from tollhouse_proxy.protocols.postgres.wire.backend import Authentication

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"


def test_the_example_of_rfc_7677() -> None:
    scram = ScramClient("pencil", NONCE, None, plus=False)
    assert scram.first() == b"n,,n=,r=" + NONCE.encode()
    scram._bare = f"n=user,r={NONCE}"  # the RFC names the user; PostgreSQL ignores it
    final = scram.final(SERVER_FIRST)
    assert final.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    scram.finish(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    with pytest.raises(ScramFailed):
        scram.finish(b"v=" + b"A" * 43 + b"=")


@pytest.mark.parametrize(
    "words",
    [
        b"r=somebody-elses,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0000000000014096",
        b"r=rOprNGfwEbeRWgbNEkqOx,s=***,i=4096",
        b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"\xff",
    ],
)
def test_a_server_that_does_not_play_by_the_rules_is_left(words: bytes) -> None:
    with pytest.raises(ScramFailed):
        ScramClient("pencil", NONCE, None, plus=False).final(words)


def test_channel_binding_says_what_it_could_do() -> None:
    assert ScramClient("x", NONCE, None, plus=False).first().startswith(b"n,,")
    assert ScramClient("x", NONCE, b"hash", plus=False).first().startswith(b"y,,")
    assert ScramClient("x", NONCE, b"hash", plus=True).first().startswith(b"p=tls-server-end-point,,")


SALTS = st.binary(min_size=1, max_size=16)


@given(st.text(max_size=20), SALTS, st.integers(1, 3))
def test_keys_that_are_remembered_are_those_that_would_be_made(
    password: str, salt: bytes, rounds: int
) -> None:
    keys, said = ScramKeys(), password.encode()
    for _ in range(2):
        for one, other in ((salt, rounds), (salt + b"1", rounds), (salt, rounds + 1)):
            found, made = keys.get(said, one, other), derived(said, one, other)
            assert (found.client, found.server) == (made.client, made.server)
    assert len(keys) == 3


def test_of_keys_only_those_used_last_are_kept_and_no_password() -> None:
    keys = ScramKeys()
    first = keys.get(b"pencil", b"salt", 1)
    for number in range(100):
        keys.get(b"pencil", b"%d" % number, 1)
        assert keys.get(b"pencil", b"salt", 1) is first
    assert len(keys) < 100
    assert b"pencil" not in pickle.dumps([vars(keys)["_key"], *vars(keys)["_found"]])
    assert "pencil" not in repr(first)


def test_a_second_log_in_takes_the_keys_of_the_first() -> None:
    keys = ScramKeys()
    finals = [ScramClient("pencil", NONCE, None, plus=False, keys=keys).final(SERVER_FIRST) for _ in range(2)]
    assert finals == [ScramClient("pencil", NONCE, None, plus=False).final(SERVER_FIRST)] * 2
    assert len(keys) == 1
    other = ScramClient("pencils", NONCE, None, plus=False, keys=keys).final(SERVER_FIRST)
    assert other not in finals
    assert len(keys) == 2


def login(**more: object) -> BackendLogin:
    options = {"binding": None, "guarded": False, "nonce": lambda: NONCE, "keys": ScramKeys()} | more
    return BackendLogin("app", Secret("pencil"), **options)  # type: ignore[arg-type]


def test_a_server_may_not_let_us_in_before_it_proved_itself() -> None:
    one = login()
    one.step(Authentication(10, b"SCRAM-SHA-256\0\0"))
    with pytest.raises(LoginFailed):
        one.step(Authentication(0))


@pytest.mark.parametrize(
    "request_",
    [
        Authentication(7),
        Authentication(3),
        Authentication(5, b"x"),
        Authentication(11, b"r=x"),
        Authentication(10, b"OAUTHBEARER\0\0"),
        Authentication(10, b"SCRAM-SHA-256-PLUS\0\0"),
    ],
)
def test_methods_that_are_not_safe_or_not_spoken_are_refused(request_: Authentication) -> None:
    with pytest.raises(LoginFailed):
        login().step(request_)


def test_no_failure_shows_the_password() -> None:
    with pytest.raises(LoginFailed) as found:
        login().step(Authentication(3))
    assert "pencil" not in str(found.value)
    assert "pencil" not in repr(login())


# ---------------------------------------------------------------- startup settings


def wishes(*pairs: tuple[str, str]) -> dict[str, str]:
    return read_wishes((("user", "ann"), *pairs), may_set).settings


def test_harmless_settings_go_on_and_pinned_ones_are_ours() -> None:
    assert wishes(("extra_float_digits", "2"), ("client_encoding", "'utf-8'"), ("DateStyle", "ISO")) == {
        "extra_float_digits": "2",
        "datestyle": "ISO",
    }


def test_options_are_read_as_the_server_reads_them() -> None:
    text = r"-c search_path=a\ b,public --statement-timeout=5s -cgeqo=off"
    assert wishes(("options", text)) == {
        "search_path": "a b,public",
        "statement_timeout": "5s",
        "geqo": "off",
    }


@pytest.mark.parametrize(
    "pairs",
    [
        [("user", "bob")],
        [("search_path", "a"), ("Search_Path", "b")],
        [("replication", "database")],
        [("replication", "true")],
        [("client_encoding", "SJIS")],
        [("standard_conforming_strings", "off")],
        [("role", "postgres")],
        [("options", "-c role=postgres")],
        [("options", "-c session_replication_role=replica")],
        [("options", "-P 1")],
        [("no_such_setting", "1")],
        [("session_preload_libraries", "x")],
    ],
)
def test_what_may_not_be_said_at_startup(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(StartupRefused):
        wishes(*pairs)


def test_a_startup_packet_without_user_is_refused() -> None:
    with pytest.raises(StartupRefused):
        read_wishes((), may_set)
