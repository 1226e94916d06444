"""Backend sessions that are made before their clients come."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

import psycopg
import pytest

from kit import wait
from kit.postgres import Postgres
from kit.wire_world import WireWorld
from tollhouse_core.decision import ColumnMask, Obligations, RuleRef
from tollhouse_core.masks import Redact
from tollhouse_proxy.exchange import TlsMode
from tollhouse_proxy.runtime.warm import WarmSettings

pytestmark = pytest.mark.postgres
Serve = Callable[[WireWorld], WireWorld]


def connect(world: WireWorld, **options: object) -> psycopg.Connection:
    return psycopg.connect(world.dsn(**options), autocommit=True)


def waiting(world: WireWorld) -> int:
    assert world.pool is not None
    return world.pool.waiting


def taken(world: WireWorld) -> int:
    assert world.pool is not None
    return world.pool.taken


def warmed(world: WireWorld, count: int = 1, **options: object) -> None:
    """One client comes and goes; its like may come now."""
    with connect(world, **options):
        pass
    wait.until(lambda: waiting(world) == count, what="a backend session waits")


@pytest.fixture
def world(postgres: Postgres, shop: str, serve: Serve) -> WireWorld:
    return serve(WireWorld(postgres, shop, warm=WarmSettings(sessions=1)))


def test_a_client_gets_a_session_that_waits_and_nobody_gets_it_after_them(world: WireWorld) -> None:
    warmed(world)
    pids = set()
    for number in range(1, 4):
        wait.until(lambda: waiting(world) == 1, what="a backend session waits")
        with connect(world) as client:
            assert taken(world) == number
            row = client.execute("SELECT pg_backend_pid(), name FROM customers WHERE id = 1").fetchone()
            assert row is not None
            assert row[1] == "ann"
            assert row[0] == client.info.backend_pid
            pids.add(row[0])
    assert len(pids) == 3
    alive = f"SELECT count(*) FROM pg_stat_activity WHERE pid IN ({', '.join(map(str, pids))})"
    wait.until(lambda: world.server.value(alive) == "0", what="the sessions are closed with their clients")


def test_it_was_made_with_the_clients_own_settings_and_serves_no_others(world: WireWorld) -> None:
    mine = {"application_name": "reports", "options": "'-c TimeZone=Asia/Tokyo -c search_path=pg_catalog'"}
    warmed(world, **mine)
    with connect(world, **mine) as client:
        assert taken(world) == 1
        assert client.info.parameter_status("TimeZone") == "Asia/Tokyo"
        client.execute("SET TimeZone = 'UTC'")
        client.execute("RESET ALL")
        assert client.execute("SHOW TimeZone").fetchone() == ("Asia/Tokyo",)
        assert client.execute("SHOW application_name").fetchone() == ("reports",)
        with pytest.raises(psycopg.errors.UndefinedTable):
            client.execute("SELECT * FROM customers")
    with connect(world, application_name="reports") as client:
        assert taken(world) == 1
        assert client.execute("SHOW TimeZone").fetchone() != ("Asia/Tokyo",)


def test_what_changed_in_the_catalog_while_it_waited_is_known(world: WireWorld) -> None:
    warmed(world)
    table = f"secrets_{secrets.token_hex(4)}"
    world.server.psql(
        f"CREATE TABLE {table} (word text); INSERT INTO {table} VALUES ('open sesame')",
        database=world.database,
    )
    rule = RuleRef("support", "hide")
    world.gate.obligations = Obligations(columns=(ColumnMask(("public", table), "word", Redact(), rule),))
    with connect(world) as client:
        assert taken(world) == 1
        row = client.execute(f"SELECT word FROM {table}").fetchone()
        assert row is not None
        assert row[0] != "open sesame"


def test_a_cancel_reaches_it_with_our_own_key(world: WireWorld) -> None:
    warmed(world)
    with connect(world) as client:
        assert taken(world) == 1
        timer = threading.Timer(0.2, client.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled, match="user request"):
            client.execute("SELECT pg_sleep(10)")
        timer.join()


def test_one_that_the_server_ends_is_replaced_and_missed_by_nobody(world: WireWorld) -> None:
    warmed(world)
    world.server.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{world.database}' AND pid <> pg_backend_pid()"
    )
    wait.until(lambda: waiting(world) == 0, what="its end is noticed")
    for _ in range(2):
        with connect(world) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
    wait.until(lambda: waiting(world) == 1, what="another waits")


def test_credentials_of_those_that_wait_are_given_back(postgres: Postgres, shop: str, serve: Serve) -> None:
    world = serve(WireWorld(postgres, shop, warm=WarmSettings(sessions=2, max_age_seconds=1.0)))
    with connect(world):
        wait.until(lambda: waiting(world) == 2, what="two wait")
        assert world.credentials.lent == 3
    # Nobody comes any more: the kind is forgotten, and nothing is held for it.
    wait.until(lambda: world.credentials.lent == 0, within=10, what="all credentials are given back")
    assert waiting(world) == 0


def test_all_kinds_together_hold_no_more_than_the_bound(postgres: Postgres, shop: str, serve: Serve) -> None:
    world = serve(WireWorld(postgres, shop, warm=WarmSettings(sessions=3)))
    for number in range(8):
        with connect(world, application_name=f"agent-{number}") as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
    wait.until(lambda: waiting(world) == 3 == world.credentials.lent, what="three wait, and no more")
    with connect(world, application_name="agent-7"):
        assert taken(world) == 1


def test_without_the_setting_nothing_waits(postgres: Postgres, shop: str, serve: Serve) -> None:
    world = serve(WireWorld(postgres, shop))
    for _ in range(3):
        with connect(world) as client:
            assert client.execute("SELECT 1").fetchone() == (1,)
    wait.until(lambda: world.credentials.lent == 0, what="all credentials are given back")
    assert (waiting(world), taken(world)) == (0, 0)


def test_a_server_under_tls_and_scram_is_logged_in_to_ahead(tls_postgres: Postgres, serve: Serve) -> None:
    world = serve(
        WireWorld(
            tls_postgres,
            tls_postgres.create_database(),
            backend_tls=TlsMode.VERIFY_FULL,
            warm=WarmSettings(sessions=1),
        )
    )
    warmed(world)
    with connect(world) as client:
        assert taken(world) == 1
        found = client.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
        assert found == (True,)


def test_a_wrong_credential_is_found_out_by_clients_and_not_tried_on_and_on(
    postgres: Postgres, shop: str, serve: Serve
) -> None:
    world = serve(WireWorld(postgres, shop, warm=WarmSettings(sessions=2)))
    warmed(world, 2)
    world.credentials.password = "wrong"
    with connect(world), connect(world):
        with pytest.raises(psycopg.OperationalError, match="did not accept the credential"):
            connect(world)
        assert waiting(world) == 0
    wait.until(lambda: world.credentials.lent == 0, what="all credentials are given back")
