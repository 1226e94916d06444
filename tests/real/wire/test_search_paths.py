"""Names are judged as the server reads them, however a client changes what is searched."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from kit.wire_world import WireWorld

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
    read = [one for one in world.gate.sessions[-1].judged if one.action == "SELECT"][-1].accesses[0].path
    assert row is not None
    assert read == (("aside", "numbers") if row[0] == -1 else ("public", "numbers"))
