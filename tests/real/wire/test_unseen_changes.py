"""What a function's body makes, which no statement of the client's says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from kit.postgres import Postgres
from kit.wire_world import RULE, WireWorld
from tollhouse_core.decision import ColumnMask, Obligations
from tollhouse_core.masks import Nullify

pytestmark = pytest.mark.postgres

MAKING = """
CREATE FUNCTION make(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('CREATE TABLE %I AS SELECT 7 AS n', name); RETURN name; END $$
"""


@pytest.fixture
def client(postgres: Postgres, serve: Callable[[WireWorld], WireWorld]) -> Iterator[psycopg.Connection]:
    world = serve(WireWorld(postgres, postgres.create_database(sql=MAKING)))
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        client.execute("SELECT 1")
        yield client


def test_a_table_that_a_function_made_is_known_to_the_next_query(client: psycopg.Connection) -> None:
    for name in ("one", "two"):
        client.execute(f"SELECT make('{name}')", prepare=False)
        with psycopg.ClientCursor(client) as simple:
            simple.execute(f"SELECT n FROM {name}")
            assert simple.fetchone() == (7,)


def test_and_to_the_next_prepared_statement(client: psycopg.Connection) -> None:
    client.execute("SELECT make(%s)", ("three",))
    assert client.execute("SELECT n FROM three WHERE n = %s", (7,)).fetchone() == (7,)


def test_and_within_the_transaction_that_made_it_only(client: psycopg.Connection) -> None:
    with client.transaction(force_rollback=True):
        client.execute("SELECT make('four')")
        assert client.execute("SELECT n FROM four").fetchone() == (7,)
    with pytest.raises(psycopg.errors.UndefinedTable):
        client.execute("SELECT n FROM four")


def test_and_to_the_rest_of_its_own_text(client: psycopg.Connection) -> None:
    with psycopg.ClientCursor(client) as simple:
        simple.execute("SELECT make('five'); SELECT n FROM five")
        assert simple.nextset()
        assert simple.fetchone() == (7,)


def test_what_is_not_there_is_said_not_to_be_there(client: psycopg.Connection) -> None:
    for _ in range(2):
        with pytest.raises(psycopg.errors.UndefinedTable):
            client.execute("SELECT n FROM never")
    with psycopg.ClientCursor(client) as simple, pytest.raises(psycopg.errors.UndefinedTable):
        simple.execute("SELECT n FROM never")
    assert client.execute("SELECT 1").fetchone() == (1,)


OPENING = """
CREATE TABLE people (name text, born int);
INSERT INTO people VALUES ('ann', 1990), ('bob', 1985);
CREATE FUNCTION open_people(refcursor) RETURNS refcursor LANGUAGE plpgsql AS $$
BEGIN OPEN $1 FOR SELECT name, born FROM people ORDER BY name; RETURN $1; END $$
"""
PEOPLE = ("public", "people")
HIDDEN_BIRTH = Obligations(columns=(ColumnMask(PEOPLE, "born", Nullify(), RULE),))


@pytest.fixture
def people(postgres: Postgres, serve: Callable[[WireWorld], WireWorld]) -> WireWorld:
    return serve(WireWorld(postgres, postgres.create_database(sql=OPENING)))


def test_a_cursor_that_a_function_opened_is_read_with_the_rights_of_what_may_read_anything(
    people: WireWorld,
) -> None:
    with psycopg.connect(people.dsn()) as client:
        client.execute("SELECT open_people('them')")
        assert client.execute("FETCH ALL IN them").fetchall() == [("ann", 1990), ("bob", 1985)]
    fetched = [one for one in people.gate.sessions[-1].judged if one.action == "FETCH"]
    found = {(one.action, one.path, one.needs_rule) for one in fetched[0].accesses}
    assert {("FETCH", (), True), ("Select", PEOPLE, False)} <= found


def test_it_is_not_read_where_any_table_is_masked(people: WireWorld) -> None:
    with psycopg.connect(people.dsn()) as client:
        client.execute("SELECT open_people('them')")
        people.gate.obligations = HIDDEN_BIRTH
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="could read any table"):
            client.execute("FETCH ALL IN them")


@pytest.mark.parametrize("cursor", ["_tollhouse", "_tollhouse_refused"])
def test_what_the_proxy_runs_for_itself_is_nobodys_cursor(people: WireWorld, cursor: str) -> None:
    with psycopg.connect(people.dsn()) as client, pytest.raises(psycopg.errors.InvalidCursorName):
        client.execute(f"FETCH ALL IN {cursor}")
