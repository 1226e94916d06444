"""Names are judged as the server reads them, however a client changes what is searched."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from kit.raw_client import RawClient
from kit.wire_world import TOKEN, WireWorld
from tollhouse_proxy.protocols.postgres.wire.frontend import SYNC_MESSAGE, Bind, Execute, Parse

pytestmark = pytest.mark.postgres

CALL = "SELECT set_config('search_path', 'aside', false)"


@pytest.fixture
def client(world: WireWorld) -> Iterator[psycopg.Connection]:
    with psycopg.connect(world.dsn(), autocommit=True) as made:
        made.execute("CREATE SCHEMA aside; CREATE TABLE aside.numbers AS SELECT -1 AS n")
        yield made
        made.execute("ROLLBACK")
        made.execute("DROP SCHEMA aside CASCADE")


@pytest.mark.parametrize(
    "ways",
    [
        (CALL,),
        ("BEGIN", f"{CALL} WHERE false"),
        ("BEGIN", f"{CALL} FROM generate_series(1, 0)"),
        ("PREPARE p AS " + CALL, "EXECUTE p"),
        ("EXPLAIN ANALYZE " + CALL,),
        ("BEGIN", "DECLARE c CURSOR FOR " + CALL, "FETCH c"),
        (f"COPY ({CALL}) TO STDOUT",),
        ("CREATE TEMP TABLE made AS " + CALL,),
        ("INSERT INTO notes (body) " + CALL,),
        ("SELECT 1 FROM customers WHERE set_config('search_path', 'aside', false) IS NULL",),
        (f"{CALL}; SELECT 1 FROM numbers",),
        ("SELECT set_config('search_path', 'as' || 'ide', false)",),
        ("SELECT set_config('search_path', v, false) FROM (VALUES ('public'), ('aside')) AS v(v)",),
        ("SELECT set_config('search_path', 'aside', false), set_config('search_path', NULL, false)",),
        ("BEGIN", "SELECT set_config('search_path', (SELECT 'aside'), true)", "ROLLBACK"),
    ],
)
def test_a_table_is_judged_as_the_one_that_is_read(
    client: psycopg.Connection, world: WireWorld, ways: tuple[str, ...]
) -> None:
    for text in ways:
        try:
            client.execute(text.encode())
        except psycopg.ProgrammingError:  # refused, or what was to be made by a refused one is not there
            client.execute("ROLLBACK")
    row = client.execute("SELECT min(n) FROM numbers").fetchone()
    assert row is not None
    assert _last_read(world) == (("aside", "numbers") if row[0] == -1 else ("public", "numbers"))


def _last_read(world: WireWorld) -> tuple[str, ...]:
    return [one for one in world.gate.sessions[-1].judged if one.action == "SELECT"][-1].accesses[0].path


SETTING = "SELECT set_config('search_path', $1, true), set_config('application_name', $2, true)"


def test_a_search_path_comes_as_a_parameter(client: psycopg.Connection, world: WireWorld) -> None:
    for path, first in (('"aside"', -1), ("public, aside", 1), ('"aside", "public"', -1)):
        with client.transaction():
            raw = psycopg.RawCursor(client)
            assert raw.execute(SETTING.encode(), [path, "rest"]).fetchone() == (path, "rest")
            assert raw.execute(b"SELECT min(n) FROM numbers").fetchone() == (first,)
            assert _last_read(world) == (("aside" if first < 0 else "public"), "numbers")
        assert client.execute("SELECT min(n) FROM numbers").fetchone() == (1,)
        assert _last_read(world) == ("public", "numbers")


def test_a_search_path_set_in_a_pipeline_counts_for_what_stands_behind_it(
    client: psycopg.Connection, world: WireWorld
) -> None:
    with client.pipeline(), client.transaction():
        raw = psycopg.RawCursor(client)
        raw.execute(SETTING.encode(), ["aside", "rest"])
        found = psycopg.RawCursor(client).execute(b"SELECT min(n) FROM numbers WHERE n < $1", [9])
        assert found.fetchone() == (-1,)
    assert _last_read(world) == ("aside", "numbers")


@pytest.mark.usefixtures("client")
def test_a_portal_that_goes_on_may_set_another_search_path(world: WireWorld) -> None:
    same, other = b'"$user", public', b"aside"
    text = b"SELECT set_config('search_path', v, false) FROM (VALUES ($1), ($2)) AS v(v)"
    raw = RawClient(world.host, world.port, user="x", database=world.database, password=TOKEN)
    try:
        raw.query("BEGIN")
        one = Execute("p", 1).encode() + SYNC_MESSAGE
        bind = Bind("p", "", values=(same, other)).encode()
        assert raw.pipeline(Parse("", text).encode() + bind + one)[0].rows[0].endswith(same)
        assert raw.query("SELECT min(n) FROM numbers").rows[0].endswith(b"\x011")
        assert raw.pipeline(one)[0].rows[0].endswith(other)
        assert raw.query("SELECT min(n) FROM numbers").rows[0].endswith(b"-1")
        assert _last_read(world) == ("aside", "numbers")
    finally:
        raw.close()
