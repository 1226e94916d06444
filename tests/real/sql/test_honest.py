"""What honest clients send is understood, needs no rule it should not need, and answers the same."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.postgres import Postgres
from kit.sql_shop import Session, row_filter
from tollhouse_core.decision import Obligations

pytestmark = pytest.mark.postgres

CORPUS = [
    # psql \d, \dt, \df
    "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN"
    " pg_catalog.pg_namespace n ON n.oid ="
    " c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(orders)$' COLLATE pg_catalog.default"
    " AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3",
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT"
    " pg_catalog.pg_get_expr(d.adbin,"
    " d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND"
    " a.atthasdef) FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'orders'::regclass AND a.attnum > 0",
    "SELECT pg_catalog.pg_get_constraintdef(oid, true) FROM pg_catalog.pg_constraint",
    "SELECT pg_catalog.pg_size_pretty(pg_catalog.pg_table_size('orders'))",
    # pg_dump
    "SELECT pg_catalog.set_config('search_path', '', false)",
    "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings"
    " WHERE name = 'restrict_nonsystem_relation_kind'",
    "SET DATESTYLE = ISO",
    "SET extra_float_digits TO 3",
    "SET synchronize_seqscans TO off",
    "SET row_security = off",
    "SET statement_timeout = 0",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SELECT pg_catalog.pg_is_in_recovery()",
    # pools, drivers, migration tools
    "SELECT pg_advisory_unlock_all()",
    "SELECT pg_try_advisory_lock(7)",
    "CLOSE ALL",
    "UNLISTEN *",
    "RESET ALL",
    "DISCARD ALL",
    "SET client_encoding TO 'UTF8'",
    "SET NAMES 'utf-8'",
    "SET standard_conforming_strings = on",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET application_name = 'x'; SET TIME ZONE 'UTC'; SET search_path TO public",
    "SELECT current_setting('jit') AS cur, set_config('jit', 'off', false) AS new",
    "SELECT set_config('bytea_output', 'hex', false) FROM pg_show_all_settings() WHERE name = 'bytea_output'",
    "SHOW transaction_isolation",
    "SELECT version(), current_schema(), current_database(), current_user, pg_backend_pid()",
    "SELECT t.oid, t.typname, t.typelem, r.rngsubtype FROM pg_type t LEFT JOIN pg_range r ON"
    " r.rngtypid = t.oid",
    "SELECT enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid",
    "SELECT table_name FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog')",
    "SELECT (information_schema._pg_expandarray(i.indkey)).n FROM pg_catalog.pg_index i LIMIT 1",
    "SELECT currval('newsletter_id_seq'), lastval()",
    "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
    "SAVEPOINT a",
    "RELEASE SAVEPOINT a",
    "ROLLBACK TO SAVEPOINT a",
    "COMMIT AND CHAIN",
    "PREPARE p (int) AS SELECT $1",
    "EXECUTE p (1)",
    "DEALLOCATE ALL",
    "DECLARE c BINARY SCROLL CURSOR WITH HOLD FOR SELECT 1",
    "FETCH FORWARD 10 FROM c",
    "MOVE ALL IN c",
    "",
    ";",
    "-- ping",
    "/* ping */",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS g (a, b)",
    "SELECT count(*) FILTER (WHERE id > 1), sum(id) OVER w FROM products GROUP BY id WINDOW w"
    " AS (ORDER BY id)",
    "SELECT x FROM json_array_elements('[1,2]') x",
    "SELECT now() - interval '1 day', 'a' ILIKE 'A', 'a' SIMILAR TO 'a', 1 BETWEEN 0 AND 2, 1 IN (1, 2)",
    "SELECT '{1,2}'::int[] @> ARRAY[1], ('{\"a\":1}'::jsonb) -> 'a', (ARRAY[1,2])[1:2], ROW(1,"
    " 2) = ROW(1, 2)",
    "SELECT gen_random_uuid(), md5('a'), encode(sha256('a'), 'hex'), to_char(now(), 'YYYY')",
]


@pytest.mark.parametrize("sql", CORPUS)
def test_the_corpus_is_understood_and_needs_no_rule(sql: str, shop: Session) -> None:
    for statement in shop.understand(sql):
        needed = [access for access in statement.operation.accesses if access.needs_rule]
        assert [access for access in needed if access.path not in ((), ("public", "products"))] == []
        assert not statement.operation.opaque


SHOWN = ["*", "o.*", "count(*)", "o.id, note", "to_json(o.note)", "tenant_id, sum(amount)", "o.amount + 1"]
READ = [
    "orders o",
    "orders AS o",
    "ONLY orders o",
    "public.orders o",
    "orders o JOIN customers c ON c.id = o.customer_id",
    "orders o LEFT JOIN orders p ON p.id = o.id + 1",
    "(SELECT * FROM orders) o",
    "customers_jv v, orders o",
]
REST = [
    "",
    "WHERE o.id > 3",
    "WHERE o.note LIKE 'm%'",
    "WHERE o.id IN (SELECT id FROM orders)",
    "GROUP BY tenant_id",
    "GROUP BY o.id",
    "ORDER BY o.id",
    "ORDER BY 1",
]
SELECTS = st.builds("SELECT {} FROM {} {}".format, *map(st.sampled_from, (SHOWN, READ, REST)))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sql=SELECTS)
def test_a_filter_that_holds_for_every_row_changes_nothing(sql: str, shop: Session) -> None:
    shop.connection.execute("SAVEPOINT s")
    shop.under(Obligations())
    plain = shop.run(sql)
    shop.connection.execute("ROLLBACK TO s")
    shop.under(Obligations(filters=(row_filter("id = id"),)))
    filtered = shop.run(sql)
    shop.connection.execute("ROLLBACK TO s")
    assert (plain.kind, plain.rows) == (filtered.kind, filtered.rows)


def test_a_catalog_read_leaves_the_search_path_as_it_was(shop: Session) -> None:
    shop.connection.execute("SET LOCAL search_path TO priv, public")
    shop.read()
    row = shop.connection.execute("SHOW search_path").fetchone()
    assert row == ("priv, public",)
    shop.connection.execute("SET LOCAL search_path TO public")
    shop.read()


def test_a_function_of_the_sessions_own_is_called_as_its_tables_are(shop: Session) -> None:
    shop.connection.execute("CREATE FUNCTION pg_temp.own() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    shop.connection.execute("CREATE PROCEDURE pg_temp.does() LANGUAGE sql AS 'SELECT 1'")
    shop.read()
    for sql, name in (("SELECT pg_temp.own()", "own"), ("CALL pg_temp.does()", "does")):
        (statement,) = shop.understand(sql)
        paths = {access.path for access in statement.operation.accesses}
        assert ("pg_temp", name) in paths, paths


def test_the_fingerprint_changes_with_what_roles_are(postgres: Postgres) -> None:
    from tollhouse_proxy.protocols.postgres.sql import FINGERPRINT_QUERY

    database = postgres.create_database()
    with psycopg.connect(postgres.dsn(database), autocommit=True) as admin:
        seen = [admin.execute(FINGERPRINT_QUERY.encode()).fetchone()]
        try:
            for change in (
                "CREATE ROLE moved_one",
                "ALTER ROLE moved_one SUPERUSER",
                "ALTER ROLE moved_one NOINHERIT",
                "CREATE ROLE moved_two",
                "GRANT moved_one TO moved_two",
                "ALTER ROLE moved_one RENAME TO moved_three",
                f"ALTER DATABASE {database} OWNER TO moved_two",
                "REVOKE moved_three FROM moved_two",
            ):
                admin.execute(change.encode())
                seen.append(admin.execute(FINGERPRINT_QUERY.encode()).fetchone())
        finally:
            admin.execute(f"ALTER DATABASE {database} OWNER TO CURRENT_USER".encode())
            admin.execute("DROP ROLE IF EXISTS moved_one, moved_two, moved_three")
    assert len(set(seen)) == 9


def test_the_fingerprint_changes_with_the_catalog(shop: Session) -> None:
    from tollhouse_proxy.protocols.postgres.sql import FINGERPRINT_QUERY

    def fingerprint() -> object:
        return shop.connection.execute(FINGERPRINT_QUERY.encode()).fetchone()

    seen = [fingerprint()]
    for change in (
        "ALTER TABLE products RENAME COLUMN title TO name",
        "CREATE TEMP TABLE orders (id int)",
        "CREATE OR REPLACE VIEW customers_v AS SELECT id, name, ssn AS contact FROM customers",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP TABLE newsletter",
        "SET LOCAL search_path TO priv",
    ):
        try:
            with shop.connection.transaction():
                shop.connection.execute(change.encode())
        except Exception:
            continue
        seen.append(fingerprint())
    assert len(seen) == len(set(seen)) >= 6
