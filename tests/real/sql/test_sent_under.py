"""What is sent under masks and filters is SQL that the server takes where it took the statement itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from kit.postgres import Postgres
from kit.sent_under import made_under, rows, under
from kit.sql_odd import ODD
from kit.sql_shop import SHOP
from tollhouse_proxy.protocols.postgres.sql import CATALOG_QUERIES, Catalog

pytestmark = pytest.mark.postgres

TABLE = Path(__file__).parents[2] / "proxy/postgres/sql/sent_under.txt"
PREPARED = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "TABLE")
OTHERWISE = {
    "SELECT * FROM ledger l (x) GROUP BY x": "a renamed key is not completed",
    "SELECT id FROM pointer": "the filter names its table with its schema",
    "SELECT ctid FROM customers_mv": "what stands for a materialised view has no ctid",
}


@pytest.fixture
def odd(any_postgres: Postgres) -> Iterator[psycopg.Connection]:
    name = any_postgres.create_database(sql=SHOP + ODD)
    try:
        with psycopg.connect(any_postgres.dsn(name), autocommit=True) as connection:
            yield connection
    finally:
        any_postgres.psql(f'DROP DATABASE "{name}" WITH (FORCE)')


def _taken(connection: psycopg.Connection, sql: str, path: tuple[str, ...]) -> str:
    """ "" or why the server does not prepare the statement."""
    try:
        connection.execute(f"DEALLOCATE ALL; SET search_path = {', '.join(path)}".encode())
        connection.execute(b"PREPARE p AS " + sql.encode())
    except psycopg.Error as refused:
        return str(refused)
    return ""


def test_what_is_sent_is_taken_where_the_statement_itself_is(odd: psycopg.Connection) -> None:
    catalog = Catalog.from_rows(
        {one: odd.execute(sql.encode()).fetchall() for one, sql in CATALOG_QUERIES.items()}
    )
    tried, refused = 0, {}
    for words, sql, sent in rows(TABLE.read_text()):
        if sent.startswith("refused: ") or not sql.startswith(PREPARED) or " INTO TEMP " in sql:
            continue
        path = under(words)[1].search_path
        tried += 1
        why = _taken(odd, made_under(words, sql, catalog).text, path)
        if why and not _taken(odd, sql, path):
            refused[sql] = why
    assert tried > 200
    assert refused.keys() == OTHERWISE.keys(), refused
