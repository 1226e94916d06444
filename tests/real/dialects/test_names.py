"""Names in policies against the server's own reading of the same words."""

from __future__ import annotations

import psycopg
import pytest

from kit.postgres import Postgres
from tollhouse_dialects.postgres.names import BadName, table_glob

pytestmark = pytest.mark.postgres

WORDS = [
    "orders",
    "Orders",
    "ORDERS_2",
    '"Orders"',
    '"or.ders"',
    '"or""ders"',
    "ÄRGER",
    "Straße",
    '"İstanbul"',
    "İstanbul",
    "o$x",
    "_private",
    "t" * 70,
    '"' + "T" * 70 + '"',
    "é" * 40,
    '"' + "😀" * 20 + '"',
    "a" + "é" * 40,
    '" leading"',
    '"*"',
]


@pytest.mark.parametrize("word", WORDS)
def test_a_name_in_a_policy_is_the_table_the_server_makes_of_it(any_postgres: Postgres, word: str) -> None:
    with psycopg.connect(any_postgres.dsn("postgres")) as connection:
        connection.execute(f"CREATE TEMP TABLE {word} (id int)".encode())
        stored = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'"
        ).fetchone()
        connection.rollback()
    assert stored is not None
    glob = table_glob(word, "public")
    assert glob.matches(("public", stored[0]))
    assert [segment.literal for segment in glob.segments] == ["public", stored[0]]


@pytest.mark.parametrize("word", ["a b", "a-b", "or;ders", "'x'", '""', '"open'])
def test_what_is_no_name_to_the_server_is_none_in_a_policy(any_postgres: Postgres, word: str) -> None:
    with (
        psycopg.connect(any_postgres.dsn("postgres")) as connection,
        pytest.raises(psycopg.errors.SyntaxError),
    ):
        connection.execute(f"CREATE TEMP TABLE {word} (id int)".encode())
    with pytest.raises(BadName):
        table_glob(word, "public")
