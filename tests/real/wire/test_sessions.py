"""How sessions begin, wait and end."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from kit import wait
from kit.postgres import Postgres
from kit.wire_world import TOKEN, ScriptedJudge, WireWorld, refused
from tollhouse_core.decision import SessionTerms, Verdict
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.operation import Operation
from tollhouse_proxy.exchange import TlsMode
from tollhouse_proxy.ports.judging import Outcome
from tollhouse_proxy.protocols.postgres.wire.backend import Authentication
from tollhouse_proxy.protocols.postgres.wire.startup import StartupMessage
from tollhouse_proxy.runtime.session import TimeLimits

pytestmark = pytest.mark.postgres
Serve = Callable[[WireWorld], WireWorld]
REQUEST = "orders-db-x7k2p"
RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '{}' AND state = 'active'"


def connect(world: WireWorld, **options: object) -> psycopg.Connection:
    return psycopg.connect(world.dsn(**options), autocommit=True)


class People:
    """Decide on what the judge holds for them."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.withdrawn = threading.Event()
        self.verdict: asyncio.Future[Verdict] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.said: Callable[[], Verdict] | None = None

    def deciding(self, judge: ScriptedJudge, operation: Operation) -> Awaitable[Verdict] | None:
        if operation.action != "DELETE":
            return None
        self.loop = asyncio.get_running_loop()
        self.judge, self.operation = judge, operation
        return self._wait(judge)

    async def _wait(self, judge: ScriptedJudge) -> Verdict:
        self.verdict = asyncio.get_running_loop().create_future()
        assert judge.waiting is not None
        judge.waiting(REQUEST, f"waiting for approval: kubectl patch approvalrequest {REQUEST}")
        self.asked.set()
        try:
            return await self.verdict
        except asyncio.CancelledError:
            self.withdrawn.set()
            raise

    def answer(self, verdict: Verdict) -> None:
        assert self.loop is not None
        assert self.verdict is not None
        self.loop.call_soon_threadsafe(self.verdict.set_result, verdict)


@pytest.fixture
def people(world: WireWorld) -> People:
    made = People()
    world.gate.deciding = made.deciding
    return made


@pytest.mark.parametrize("parameters", [None, (1,)])
def test_a_statement_waits_with_a_notice_and_runs_once_approved(
    world: WireWorld, people: People, parameters: tuple[int] | None
) -> None:
    heard: list[str] = []
    with connect(world) as client, ThreadPoolExecutor() as pool:
        client.add_notice_handler(lambda said: heard.append(said.message_primary or ""))
        text = "DELETE FROM customers WHERE id = -%s" if parameters else "DELETE FROM customers WHERE id = -1"
        running = pool.submit(client.execute, text, parameters)
        assert people.asked.wait(5)
        assert not running.done()
        people.answer(people.judge.permit(people.operation))
        assert running.result(5).rowcount == 0
        assert any(REQUEST in words for words in heard)
        assert client.execute("SELECT count(*) FROM customers").fetchone() == (3,)


def test_a_refused_approval_is_an_error_and_the_session_goes_on(world: WireWorld, people: People) -> None:
    with connect(world) as client, ThreadPoolExecutor() as pool:
        running = pool.submit(client.execute, "DELETE FROM customers")
        assert people.asked.wait(5)
        people.answer(refused("approval was denied"))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            running.result(5)
        assert client.execute("SELECT count(*) FROM customers").fetchone() == (3,)


def test_a_cancel_releases_a_statement_that_waits(world: WireWorld, people: People) -> None:
    with connect(world) as client, ThreadPoolExecutor() as pool:
        running = pool.submit(client.execute, "DELETE FROM customers")
        assert people.asked.wait(5)
        client.cancel_safe(timeout=5)
        with pytest.raises(psycopg.errors.QueryCanceled):
            running.result(5)
        assert people.withdrawn.wait(5)
        assert client.execute("SELECT count(*) FROM customers").fetchone() == (3,)


def test_a_client_that_leaves_withdraws_its_request(world: WireWorld, people: People) -> None:
    client = connect(world)
    client.pgconn.send_query(b"DELETE FROM customers")
    assert people.asked.wait(5)
    client.close()
    assert people.withdrawn.wait(5)
    wait.until(lambda: world.gate.sessions[0].closed, what="the session's end is recorded")


def test_a_cancel_stops_a_running_statement_with_our_own_key(world: WireWorld) -> None:
    with connect(world) as client, ThreadPoolExecutor() as pool:
        running = pool.submit(client.execute, "SELECT pg_sleep(30)")
        wait.until(lambda: world.server.value(RUNNING.format("%pg_sleep(30)")) != "0")
        client.cancel_safe(timeout=5)
        with pytest.raises(psycopg.errors.QueryCanceled):
            running.result(5)
        assert client.execute("SELECT 1").fetchone() == (1,)
    assert world.gate.sessions[0].done[0].outcome is Outcome.CANCELLED


def test_a_cancel_with_a_wrong_key_does_nothing(world: WireWorld) -> None:
    with connect(world) as client:
        pid = client.info.backend_pid
        with socket.create_connection((world.host, world.port), timeout=5) as other:
            other.sendall(
                (16).to_bytes(4, "big") + (80877102).to_bytes(4, "big") + pid.to_bytes(4, "big") + b"nope"
            )
            assert other.recv(10) == b""
        assert client.execute("SELECT 1").fetchone() == (1,)


# ---------------------------------------------------------------- ends


def ended(client: psycopg.Connection, within: float = 5.0) -> tuple[str | None, str]:
    """The code and the words a client reads when its session is ended under it. Between two statements
    libpq hands an error to its notice handler."""
    heard: list[tuple[str | None, str]] = []
    client.add_notice_handler(lambda said: heard.append((said.sqlstate, said.message_primary or "")))
    end = monotonic() + within
    while monotonic() < end:
        try:
            client.execute("SELECT pg_sleep(0.05)")
        except psycopg.Error as error:
            return heard[0] if heard else (error.sqlstate, str(error))
    raise AssertionError("the session did not end")


def test_a_session_ends_when_its_token_does(postgres: Postgres, shop: str, serve: Serve) -> None:
    world = serve(WireWorld(postgres, shop, expires_at=datetime.now(UTC) + timedelta(seconds=3)))
    with connect(world) as client:
        assert ended(client)[0] == "57P01"
    assert world.gate.sessions[0].closed == ["expired: the token has expired"]


def test_a_session_ends_when_its_token_is_shown_again_and_counts_no_more(
    postgres: Postgres, shop: str, serve: Serve
) -> None:
    agent = Identity("triage", "kubernetes", Proof.SERVICE_ACCOUNT, prove_again_seconds=0.2)
    world = serve(WireWorld(postgres, shop, known={TOKEN: agent}))
    with connect(world) as client:
        client.execute("SELECT pg_sleep(0.5)")
        assert world.gate.sessions[0].closed == []
        world.known.clear()
        assert ended(client) == ("57P01", "the token is not one of ours")


def test_a_session_goes_on_while_nobody_can_say_whether_its_token_counts(
    postgres: Postgres, shop: str, serve: Serve
) -> None:
    agent = Identity("triage", "kubernetes", Proof.SERVICE_ACCOUNT, prove_again_seconds=0.05)
    world = serve(WireWorld(postgres, shop, known={TOKEN: agent}))
    with connect(world) as client:
        world.book.away = "the API server cannot be asked now"
        asked = world.book.asked
        wait.until(lambda: world.book.asked >= asked + 3, what="the token was shown again")
        assert client.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="cannot be asked now"):
            connect(world)
        world.book.away = ""
        world.known.clear()
        assert ended(client)[0] == "57P01"


def test_a_busy_session_ends_at_its_maximum(postgres: Postgres, shop: str, serve: Serve) -> None:
    world = WireWorld(postgres, shop)
    world.gate.terms = SessionTerms(max_duration_seconds=1)
    serve(world)
    with connect(world) as client:
        begun = monotonic()
        with pytest.raises(psycopg.OperationalError) as found:
            client.execute("SELECT pg_sleep(20)")
        assert monotonic() - begun < 2.5
        assert found.value.sqlstate == "57P01"
    wait.until(
        lambda: world.server.value(RUNNING.format("%pg_sleep(20)")) == "0",
        what="the backend was told to stop",
    )


def test_an_idle_session_ends_in_a_transaction_too(postgres: Postgres, shop: str, serve: Serve) -> None:
    world = WireWorld(postgres, shop)
    world.gate.terms = SessionTerms(idle_timeout_seconds=0.6)
    serve(world)
    with connect(world) as client:
        client.execute("BEGIN")
        client.execute("SELECT pg_sleep(1)")
        wait.until(lambda: world.gate.sessions[0].closed, what="the idle session ended")
        with pytest.raises(psycopg.OperationalError) as found:
            client.execute("SELECT 1")
        assert found.value.sqlstate in {"57P05", None}


def test_lost_access_ends_the_session(world: WireWorld) -> None:
    with connect(world) as client:
        client.execute("SELECT 1")
        world.gate.lost = "no policy speaks of you any more"
        code, words = ended(client)
        assert code == "57P01"
        assert "no policy" in words


def test_a_drain_lets_running_statements_end(world: WireWorld) -> None:
    assert world.serving is not None
    with connect(world) as idle, connect(world) as busy, ThreadPoolExecutor() as pool:
        loop = wait.until(lambda: world.loop)
        running = pool.submit(busy.execute, "SELECT pg_sleep(1), 7")
        wait.until(lambda: world.server.value(RUNNING.format("SELECT pg_sleep(1)%")) != "0")
        draining = asyncio.run_coroutine_threadsafe(world.serving.drain(10), loop)
        assert ended(idle)[0] == "57P01"
        assert running.result(5).fetchone() == ("", 7)
        draining.result(5)
        with pytest.raises(psycopg.OperationalError):
            connect(world)


def test_the_credential_is_given_back(world: WireWorld) -> None:
    with connect(world):
        assert world.credentials.lent == 1
    wait.until(lambda: world.credentials.lent == 0, what="the credential was given back")


def test_an_error_of_ours_ends_one_session_and_no_other(
    world: WireWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tollhouse_proxy.protocols.postgres.desk import Desk

    def broken(self: Desk, text: str) -> object:
        if "boom" in text:
            raise RuntimeError("secret payload")
        return honest(self, text)

    honest = Desk.understood
    monkeypatch.setattr(Desk, "understood", broken)
    with connect(world) as one, connect(world) as other:
        with pytest.raises(psycopg.OperationalError) as found:
            one.execute("SELECT 'boom'")
        assert found.value.sqlstate == "58000"
        assert "secret" not in str(found.value)
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert world.gate.sessions[0].closed[0].startswith("failure")


# ---------------------------------------------------------------- beginnings


def test_a_bad_token_is_28P01_and_recorded(world: WireWorld) -> None:
    with pytest.raises(psycopg.OperationalError) as found:
        psycopg.connect(world.dsn().replace(TOKEN, "forged"))
    assert "28P01" in repr(found.value.sqlstate) or "identity not proved" in str(found.value)
    assert world.gate.turned_away
    assert "forged" not in world.gate.turned_away[0]


def test_an_unknown_database_is_named_and_so_are_those_served(world: WireWorld) -> None:
    with pytest.raises(psycopg.OperationalError, match="is not served by connection orders-db"):
        psycopg.connect(world.dsn().replace(f"dbname={world.database}", "dbname=payroll"))


def test_a_client_that_names_no_database_gets_the_default(world: WireWorld) -> None:
    with psycopg.connect(world.dsn().replace(f"dbname={world.database}", "")) as client:
        assert client.execute("SELECT current_database()").fetchone() == (world.database,)


def test_replication_and_foreign_encodings_are_refused_in_words(world: WireWorld) -> None:
    with pytest.raises(psycopg.OperationalError, match="replication connections are not served"):
        psycopg.connect(world.dsn(replication="database"))
    with pytest.raises(psycopg.OperationalError, match="LATIN1"):
        psycopg.connect(world.dsn(client_encoding="LATIN1"))


def test_harmless_startup_settings_arrive_and_survive_reset(world: WireWorld) -> None:
    with connect(
        world, options="'-c extra_float_digits=2 -c TimeZone=Asia/Tokyo'", application_name="probe"
    ) as client:
        client.execute("SET TimeZone = 'UTC'")
        client.execute("RESET ALL")
        assert client.execute("SHOW timezone").fetchone() == ("Asia/Tokyo",)
        assert client.execute("SHOW application_name").fetchone() == ("probe",)
        assert world.gate.sessions[0].session.application_name == "probe"


def test_a_backend_that_is_down_is_08006(
    postgres: Postgres, shop: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = WireWorld(postgres, shop)
    from tollhouse_proxy.exchange import Target
    from tollhouse_proxy.protocols.postgres.served import Served

    monkeypatch.setattr(
        WireWorld,
        "served",
        lambda self: Served(
            "shop", "orders-db", Target("127.0.0.1", 1, TlsMode.DISABLE), shop, requires_tls=False
        ),
    )
    serve(world)
    with pytest.raises(psycopg.OperationalError, match="the backend cannot be reached"):
        connect(world)


def test_a_wrong_credential_does_not_tell_the_client_about_it(
    postgres: Postgres, shop: str, serve: Serve
) -> None:
    world = serve(WireWorld(postgres, shop, username="vault-generated", password="wrong"))
    with pytest.raises(psycopg.OperationalError, match="did not accept the credential") as found:
        connect(world)
    assert "vault-generated" not in str(found.value)


# ---------------------------------------------------------------- TLS and log-in methods


def test_a_token_is_asked_for_under_tls_only(
    postgres: Postgres, shop: str, serve: Serve, tls_dir: Path
) -> None:
    world = serve(WireWorld(postgres, shop, tls_dir=tls_dir, requires_tls=True))
    with pytest.raises(psycopg.OperationalError, match="served under TLS only"):
        connect(world, sslmode="disable")
    for _ in range(5):
        with connect(world, sslmode="verify-full", sslrootcert=tls_dir / "ca.crt") as client:
            assert client.execute("SELECT 1").fetchone() == (1,)


def test_tls_may_begin_without_being_asked_for(
    postgres: Postgres, shop: str, serve: Serve, tls_dir: Path
) -> None:
    world = serve(WireWorld(postgres, shop, tls_dir=tls_dir, requires_tls=True))
    trusted = {"sslmode": "verify-full", "sslrootcert": tls_dir / "ca.crt", "sslnegotiation": "direct"}
    for _ in range(5):
        with connect(world, **trusted) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)


def test_direct_tls_needs_its_protocol_named_and_may_come_in_pieces(
    postgres: Postgres, shop: str, serve: Serve, tls_dir: Path
) -> None:
    world = serve(WireWorld(postgres, shop, tls_dir=tls_dir, requires_tls=True))
    for name in (None, "postgresql"):
        context = ssl.create_default_context(cafile=tls_dir / "ca.crt")
        if name is not None:
            context.set_alpn_protocols([name])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection((world.host, world.port), timeout=5) as plain:
            with pytest.raises(ssl.SSLWantReadError):
                client.do_handshake()
            hello = outgoing.read()
            for start in range(0, len(hello), 100):
                plain.sendall(hello[start : start + 100])
            _finish(client, plain, incoming, outgoing)
            assert client.selected_alpn_protocol() == name
            client.write(StartupMessage(3, 0, (("user", "ann"),)).encode())
            plain.sendall(outgoing.read())
            answer = _heard(client, plain, incoming)
        assert answer == (Authentication(3).encode() if name else b"")


def _finish(client: ssl.SSLObject, plain: socket.socket, incoming: ssl.MemoryBIO, out: ssl.MemoryBIO) -> None:
    while True:
        incoming.write(plain.recv(65536))
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            continue
        finally:
            plain.sendall(out.read())
        return


def _heard(client: ssl.SSLObject, plain: socket.socket, incoming: ssl.MemoryBIO) -> bytes:
    """What the proxy says next; b"" when it closes the connection."""
    while True:
        try:
            return client.read()
        except ssl.SSLWantReadError:
            try:
                data = plain.recv(65536)
            except ConnectionResetError:
                return b""
            if not data:
                return b""
            incoming.write(data)
        except ssl.SSLZeroReturnError:
            return b""


def test_the_kinds_of_login_a_backend_may_ask_for(tls_postgres: Postgres, serve: Serve) -> None:
    database = tls_postgres.create_database(sql="CREATE TABLE t (id int)")
    for name in ("kit_md5", "kit_cleartext", "kit_trust"):
        _, password = tls_postgres.create_role(name)
        world = serve(
            WireWorld(
                tls_postgres, database, backend_tls=TlsMode.VERIFY_FULL, username=name, password=password
            )
        )
        with connect(world) as client:
            assert client.execute("SELECT current_user").fetchone() == (name,)


@pytest.mark.parametrize("mode", list(TlsMode))
def test_scram_with_and_without_channel_binding(tls_postgres: Postgres, serve: Serve, mode: TlsMode) -> None:
    database = tls_postgres.create_database()
    world = serve(WireWorld(tls_postgres, database, backend_tls=mode))
    with connect(world) as client:
        found = client.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert found == (mode is not TlsMode.DISABLE,)


def test_a_clear_password_is_not_given_away_without_verified_tls(
    tls_postgres: Postgres, serve: Serve
) -> None:
    database = tls_postgres.create_database()
    _, password = tls_postgres.create_role("kit_cleartext")
    for mode in (TlsMode.DISABLE, TlsMode.REQUIRE):
        world = serve(
            WireWorld(tls_postgres, database, backend_tls=mode, username="kit_cleartext", password=password)
        )
        with pytest.raises(psycopg.OperationalError, match="clear text"):
            connect(world)


def test_a_backend_with_a_certificate_of_somebody_else_is_not_spoken_to(
    tls_postgres: Postgres, serve: Serve, tls_dir: Path
) -> None:
    world = WireWorld(tls_postgres, tls_postgres.create_database(), backend_tls=TlsMode.VERIFY_FULL)
    world.server = replace(tls_postgres, ca_file=tls_dir / "ca.crt")
    serve(world)
    with pytest.raises(psycopg.OperationalError, match="certificate is not accepted"):
        connect(world)


def test_the_backend_may_be_reached_by_a_unix_socket(postgres: Postgres, shop: str, serve: Serve) -> None:
    world = serve(WireWorld(postgres, shop, over_socket=True))
    with connect(world) as client:
        assert client.execute("SELECT inet_server_port()").fetchone() == (None,)


def test_a_client_that_keeps_a_message_open_is_let_go_and_a_slow_one_is_not(
    postgres: Postgres, shop: str, serve: Serve
) -> None:
    world = serve(WireWorld(postgres, shop, limits=TimeLimits(message=1.5)))
    with connect(world) as slow, connect(world) as dawdling:
        big = b"Q" + (200_000 + 5).to_bytes(4, "big") + b"SELECT 1 --" + b"x" * (200_000 - 11) + b"\0"
        with socket.socket(fileno=os.dup(dawdling.pgconn.socket)) as plain:
            plain.setblocking(True)
            plain.sendall(b"Q\0\0\0\x20SELECT")
            with socket.socket(fileno=os.dup(slow.pgconn.socket)) as other:
                other.setblocking(True)
                began = monotonic()
                for start in range(0, len(big), 20_000):
                    other.sendall(big[start : start + 20_000])
                    wait.until(partial(_passed, began, start / 50_000), within=10, what="a while")
                assert other.recv(1) == b"T"
            plain.settimeout(10)
            assert b"begun and not ended" in plain.recv(1000)


def test_a_client_whose_bytes_are_not_taken_has_not_kept_a_message_open(
    postgres: Postgres, serve: Serve
) -> None:
    database = postgres.create_database(sql="CREATE TABLE loads (id int PRIMARY KEY, body text)")
    world = serve(WireWorld(postgres, database, limits=TimeLimits(message=0.5)))
    body = "x" * 300_000

    def load() -> None:
        with connect(world) as client, client.cursor().copy("COPY loads FROM STDIN") as copy:
            for number in range(150):
                copy.write_row((number, body))

    with psycopg.connect(postgres.dsn(database)) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("INSERT INTO loads VALUES (0, 'not committed')")
        running = pool.submit(load)
        try:
            wait.until(lambda: _waits_for(postgres, database), within=30, what="the COPY waits")
            wait.until(partial(_passed, monotonic(), 2.0), within=10, what="several times the limit")
        finally:
            holder.rollback()
        running.result(60)
    assert postgres.value("SELECT count(*) FROM loads", database=database) == "150"


def _waits_for(server: Postgres, database: str) -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
    return server.value(waiting, database=database) == "1"


def _passed(began: float, seconds: float) -> bool:
    return monotonic() - began > seconds


def test_a_transaction_prepared_under_an_empty_name_is_the_servers_to_refuse(
    postgres: Postgres, shop: str, serve: Serve
) -> None:
    with connect(serve(WireWorld(postgres, shop))) as client:
        for text in ("BEGIN; PREPARE TRANSACTION ''", "ROLLBACK", "COMMIT PREPARED ''"):
            with suppress(psycopg.Error):
                client.execute(text.encode())
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_a_parameter_bound_as_void_stands_for_what_a_function_gives(postgres: Postgres, serve: Serve) -> None:
    """As JDBC calls a function with OUT parameters."""
    made = "CREATE FUNCTION twice(IN n int, OUT m int) LANGUAGE sql AS 'SELECT n * 2'"
    world = serve(WireWorld(postgres, postgres.create_database(sql=made)))
    with connect(world) as client:
        int4, void = 23, 2278
        found = client.pgconn.exec_params(b"SELECT * FROM twice($1, $2)", [b"21", None], [int4, void])
        assert found.get_value(0, 0) == b"42", found.error_message


def test_a_silent_client_is_let_go(postgres: Postgres, shop: str, serve: Serve) -> None:
    world = serve(WireWorld(postgres, shop, limits=TimeLimits(login=0.5)))
    with socket.create_connection((world.host, world.port), timeout=5) as silent:
        assert b"took too long" in silent.recv(1000)
