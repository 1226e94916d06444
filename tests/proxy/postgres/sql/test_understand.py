"""What a text asks for: accesses, facts, effects; and what is refused."""

from __future__ import annotations

import pytest

from tollhouse_core.operation import AccessKind
from tollhouse_proxy.protocols.postgres.sql import (
    Catalog,
    EffectKind,
    NotUnderstood,
    SessionSettings,
    Statement,
    split_statements,
    understand,
)

SETTINGS = SessionSettings()


def one(sql: str, catalog: Catalog, settings: SessionSettings = SETTINGS) -> Statement:
    statements = understand(sql, catalog, settings)
    assert len(statements) == 1
    return statements[0]


def needed(sql: str, catalog: Catalog) -> set[str]:
    return {
        f"{access.action} {access.object}".strip()
        for access in one(sql, catalog).operation.accesses
        if access.needs_rule
    }


@pytest.mark.parametrize(
    ("sql", "accesses"),
    [
        ("SELECT 1", set()),
        ("SELECT * FROM orders", {"Select public.orders"}),
        ("SELECT * FROM priv.customers", {"Select priv.customers"}),
        ('SELECT * FROM U&"\\006frders"', {"Select public.orders"}),
        ("SELECT * FROM postgres_is_no_cte, orders", None),
        ("WITH orders AS (SELECT 1) SELECT * FROM orders", set()),
        ("WITH x AS (SELECT * FROM orders), orders AS (SELECT 1) SELECT * FROM x", {"Select public.orders"}),
        ("WITH RECURSIVE x AS (SELECT * FROM orders), orders AS (SELECT 1) SELECT * FROM x", set()),
        ("INSERT INTO orders SELECT * FROM products", {"Insert public.orders", "Select public.products"}),
        ("UPDATE orders SET note = 'x' WHERE id = 1", {"Update public.orders"}),
        ("UPDATE orders SET note = 'x' RETURNING id", {"Update public.orders", "Select public.orders"}),
        (
            "DELETE FROM orders USING products p WHERE p.id = orders.id",
            {"Delete public.orders", "Select public.products"},
        ),
        (
            "INSERT INTO orders (id, tenant_id) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET note = 'x'",
            {"Insert public.orders", "Update public.orders"},
        ),
        (
            "MERGE INTO orders o USING products p ON p.id = o.id WHEN MATCHED THEN DELETE"
            " WHEN NOT MATCHED THEN INSERT (id, tenant_id) VALUES (p.id, 1)",
            {"Insert public.orders", "Delete public.orders", "Select public.products"},
        ),
        ("TRUNCATE orders, products", {"Truncate public.orders", "Truncate public.products"}),
        ("COPY orders TO STDOUT", {"Select public.orders"}),
        ("COPY orders FROM STDIN", {"Insert public.orders"}),
        ("COPY (SELECT * FROM products) TO STDOUT", {"Select public.products"}),
        ("EXPLAIN ANALYZE DELETE FROM orders", {"Delete public.orders"}),
        ("PREPARE p AS SELECT * FROM orders", {"Select public.orders"}),
        ("DECLARE c CURSOR FOR SELECT * FROM orders", {"Select public.orders"}),
        ("SELECT * FROM customers_v", {"Select public.customers_v"}),
        ("CREATE TABLE t AS SELECT * FROM orders", {"CREATE TABLE AS public.t", "Select public.orders"}),
        ("SELECT * INTO t FROM orders", {"CREATE TABLE AS public.t", "Select public.orders"}),
        ("CREATE TEMP TABLE t (id int)", {"CREATE TABLE pg_temp.t"}),
        ("DROP TABLE IF EXISTS orders, gone", {"DROP TABLE public.orders", "DROP TABLE public.gone"}),
        ("DROP DATABASE shop", {"DROP DATABASE shop"}),
        ("DROP SCHEMA priv", {"DROP SCHEMA priv"}),
        ("ALTER TABLE orders RENAME COLUMN note TO n", {"ALTER TABLE public.orders"}),
        ("ALTER SYSTEM SET log_statement = 'none'", {"ALTER SYSTEM"}),
        ("LOCK TABLE orders", {"LOCK TABLE public.orders"}),
        ("DO $$ BEGIN END $$", {"DO"}),
        ("LISTEN x", {"LISTEN x"}),
        ("SELECT pg_notify('x', 'y')", {"NOTIFY"}),
        ("VACUUM orders", {"VACUUM public.orders"}),
        ("SET log_statement = 'all'", {"SET log_statement"}),
        ("SET app.tenant = '7'", {"SET app.tenant"}),
        ("SELECT set_config('app.tenant', '7', false)", {"SET app.tenant"}),
        ("SELECT set_config('work_mem', $1, false)", set()),
        ("SELECT setval(pg_get_serial_sequence('newsletter', 'id'), 5)", {"Update public.newsletter"}),
        ("SELECT get_contact(1)", {"Execute public.get_contact"}),
        ("SELECT c.contact FROM customers c", {"Select public.customers", "Execute public.contact"}),
        ("SELECT contact(c) FROM customers c", {"Select public.customers", "Execute public.contact"}),
        ("SELECT contact FROM customers_v", {"Select public.customers_v"}),
        ("SELECT pg_sleep(1)", {"Execute pg_catalog.pg_sleep"}),
        ("SELECT (1.0).pg_sleep", {"Execute pg_catalog.pg_sleep"}),
        ("SELECT lo_get(1)", {"Execute pg_catalog.lo_get"}),
        ("SELECT * FROM pg_class", set()),
        ("SELECT * FROM information_schema.tables", set()),
        ("SELECT rolpassword FROM pg_authid", {"Select pg_catalog.pg_authid"}),
        ("SELECT query_to_xml('SELECT 1', true, true, '')", {"function pg_catalog.query_to_xml"}),
        ("SELECT pg_catalog.pg_read_file('x')", {"function pg_catalog.pg_read_file"}),
        ("UPDATE pg_settings SET setting = 'off'", {"Update on pg_catalog.pg_settings"}),
        ("UPDATE pg_type SET typname = 'x'", {"Update pg_catalog.pg_type"}),
        ("TRUNCATE pg_type", {"Truncate on pg_catalog.pg_type"}),
        ("SET ROLE admin", {"SET ROLE role"}),
        ("SET LOCAL SESSION AUTHORIZATION admin", {"SET SESSION AUTHORIZATION session_authorization"}),
        ("SELECT set_config('role', 'admin', false)", {"SET ROLE role"}),
        ("SELECT set_config('role', $1, false)", {"SET ROLE role"}),
        ("SET ROLE NONE", set()),
        ("RESET SESSION AUTHORIZATION", set()),
        ("SELECT * FROM orders o FOR UPDATE OF o", {"Select public.orders", "Update public.orders"}),
        ("CREATE TABLE t AS EXECUTE p(1)", {"CREATE TABLE AS public.t"}),
        ("COPY orders TO '/tmp/x'", {"Select public.orders", "COPY TO FILE"}),
        ("COPY orders FROM PROGRAM 'id'", {"Insert public.orders", "COPY FROM PROGRAM"}),
        ("ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b", {"ALTER TABLE"}),
    ],
)
def test_what_a_statement_needs_rules_for(sql: str, accesses: set[str] | None, catalog: Catalog) -> None:
    if accesses is None:
        with pytest.raises(NotUnderstood, match="does not exist"):
            one(sql, catalog)
    else:
        assert needed(sql, catalog) == accesses


def test_what_lies_beneath_a_view_and_a_parent_is_bound_without_needing_a_rule(catalog: Catalog) -> None:
    operation = one("SELECT * FROM customers_vv, events", catalog).operation
    free = {access.object for access in operation.accesses if not access.needs_rule}
    assert {"public.customers", "public.customers_v", "public.customers_archive"} <= free
    assert {"public.events_t7", "public.events_t9"} <= free
    assert {"public.customers", "public.events_t9"} <= {".".join(one.path) for one in operation.resources}


def test_a_partition_goes_by_its_parents_name_too(catalog: Catalog) -> None:
    access = one("SELECT * FROM events_t7", catalog).operation.accesses[0]
    assert access.also == (("public", "events"),)


def test_statistics_touch_every_table(catalog: Catalog) -> None:
    operation = one("SELECT * FROM pg_stats", catalog).operation
    assert {"public.customers", "priv.customers"} <= {access.object for access in operation.accesses}
    harmless = one("SELECT pid FROM pg_stat_activity", catalog).operation
    assert [access.object for access in harmless.accesses] == ["pg_catalog.pg_stat_activity"]


@pytest.mark.parametrize(
    ("clause", "is_where"),
    [
        ("", False),
        ("WHERE true", False),
        ("WHERE 1 = 1", False),
        ("WHERE 'a' = 'b'", False),
        ("WHERE id = id", False),
        ("WHERE id = 1 OR true", False),
        ("WHERE id = 1 OR 2 > 1", False),
        ("WHERE NOT false", False),
        ("WHERE 'yes'::bool", False),
        ("WHERE random() < 2", False),
        ("WHERE $1", False),
        ("WHERE EXISTS (SELECT 1 FROM products)", False),
        ("WHERE id IS NOT DISTINCT FROM id", False),
        ("WHERE id = 1", True),
        ("WHERE id = $1 AND true", True),
        ("WHERE o.tenant_id IN (SELECT id FROM products)", True),
        ("WHERE note LIKE 'x%' OR id > 5", True),
    ],
)
def test_a_where_that_says_nothing_is_none(clause: str, is_where: bool, catalog: Catalog) -> None:
    for sql in (
        f"DELETE FROM orders o {clause}",
        f"WITH d AS (UPDATE orders o SET note = '' {clause}) SELECT 1",
    ):
        assert one(sql, catalog).operation.facts["hasWhere"] is is_where


@pytest.mark.parametrize(
    "sql",
    [
        "SET standard_conforming_strings = off",
        "SET client_encoding = 'GBK'",
        "SET NAMES 'SJIS'",
        "SET session_replication_role = replica",
        "SET client_min_messages = debug5",
        "SET transform_null_equals = on",
        "SET LOCAL transform_null_equals TO TRUE",
        "SELECT set_config('Transform_Null_Equals', $1, false)",
        "SELECT set_config('standard_conforming_strings', $1, false)",
        "SELECT set_config('se' || 'arch_path', 'x', false)",
        "SELECT set_config(name, 'off', false) FROM pg_settings",
        "SELECT nope(1, 2)",
        "SELECT * FROM other.public.orders",
        "SELECT 1\0; DROP TABLE orders",
        "SELEC 1",
        "SELECT " + "1 + " * 30_000 + "1",
        "SELECT '" + "x" * 300_000 + "'",
    ],
)
def test_what_is_not_understood_is_refused_in_words(sql: str, catalog: Catalog) -> None:
    with pytest.raises(NotUnderstood) as refused:
        understand(sql, catalog, SETTINGS)
    assert refused.value.message


def test_positions_point_into_the_whole_text(catalog: Catalog) -> None:
    text = "SELECT 'é'; SELECT * FROM nowhere"
    with pytest.raises(NotUnderstood) as refused:
        understand(text, catalog, SETTINGS)
    assert refused.value.sqlstate == "42P01"
    assert refused.value.position == text.index("nowhere")


def test_statements_are_cut_by_the_grammar(catalog: Catalog) -> None:
    text = "SELECT ';' ; /* ; */ SELECT $x$ ; $x$;\n-- ;\nSELECT 3"
    assert [text[start : start + len(piece)] for piece, start in split_statements(text)] == [
        piece for piece, _ in split_statements(text)
    ]
    assert len(understand(text, catalog, SETTINGS)) == 3
    assert understand(" ; -- ping", catalog, SETTINGS) == ()


def test_a_search_path_holds_for_what_follows_it(catalog: Catalog) -> None:
    statements = understand("SET search_path = priv, public; SELECT * FROM customers", catalog, SETTINGS)
    assert statements[0].effect.search_path == ("priv", "public")
    assert statements[1].operation.accesses[0].path == ("priv", "customers")
    with pytest.raises(NotUnderstood, match="another role or search_path"):
        understand(
            "SELECT set_config('search_path', 'priv', true); SELECT * FROM customers", catalog, SETTINGS
        )


@pytest.mark.parametrize(
    "sql", ["SET ROLE x", "RESET ROLE", "RESET search_path", "SELECT set_config('role', 'x', true)"]
)
def test_what_stands_behind_another_role_is_read_when_the_role_is_there(sql: str, catalog: Catalog) -> None:
    with pytest.raises(NotUnderstood, match="another role or search_path"):
        understand(f"{sql}; SELECT * FROM customers", catalog, SETTINGS)
    assert one(sql, catalog).effect.changes_catalog


def test_what_a_call_may_have_set_is_asked_not_assumed(catalog: Catalog) -> None:
    path, role, jit = (f"set_config('{name}', 'x', false)" for name in ("search_path", "role", "jit"))
    given = "set_config('search_path', $1, true)"
    for calls in (path, f"{path}, {jit}", f"{jit}, {path}", f"{path}, {role}", given, f"{given}, {jit}"):
        effect = one(f"SELECT {calls} WHERE false", catalog).effect
        assert effect.changes_catalog
        assert effect.search_path is None
    assert not one(f"SELECT {jit}", catalog).effect.changes_catalog


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT {}, nextval('newsletter_id_seq'::text)",
        "SELECT setval('newsletter_id_seq'::varchar, 1) FROM (SELECT {} OFFSET 0) AS s",
        "WITH s AS (SELECT {}) SELECT pg_catalog.nextval('newsletter_id_seq') FROM s",
    ],
)
@pytest.mark.parametrize("name", ["search_path", "role"])
def test_a_sequence_is_not_named_beside_what_changes_what_names_mean(
    sql: str, name: str, catalog: Catalog
) -> None:
    with pytest.raises(NotUnderstood, match="read by another role or search_path"):
        one(sql.format(f"set_config('{name}', 'priv', false)"), catalog)
    one(sql.format("set_config('jit', 'off', false)"), catalog)


@pytest.mark.parametrize(
    "sql",
    [
        "PREPARE p AS {}",
        "EXPLAIN ANALYZE {}",
        "DECLARE c CURSOR FOR {}",
        "COPY ({}) TO STDOUT",
        "CREATE TABLE t AS {}",
    ],
)
@pytest.mark.parametrize("name", ["search_path", "role", "session_authorization"])
def test_no_query_inside_another_statement_changes_what_names_mean(
    sql: str, name: str, catalog: Catalog
) -> None:
    with pytest.raises(NotUnderstood, match="query of its own"):
        one(sql.format(f"SELECT set_config('{name}', 'priv', false)"), catalog)
    one(sql.format("SELECT set_config('jit', 'off', false)"), catalog)


@pytest.mark.parametrize(
    ("sql", "kind", "name"),
    [
        ("BEGIN", EffectKind.BEGIN, None),
        ("END", EffectKind.COMMIT, None),
        ("ABORT", EffectKind.ROLLBACK, None),
        ("SAVEPOINT s", EffectKind.SAVEPOINT, "s"),
        ("PREPARE p AS SELECT 1", EffectKind.PREPARE, "p"),
        ('EXECUTE "P" (1)', EffectKind.EXECUTE, "P"),
        ("EXPLAIN EXECUTE p", EffectKind.EXECUTE, "p"),
        ("DEALLOCATE p", EffectKind.DEALLOCATE, "p"),
        ("DEALLOCATE ALL", EffectKind.DEALLOCATE, None),
        ("DECLARE c CURSOR FOR SELECT 1", EffectKind.DECLARE, "c"),
        ("FETCH 1 FROM c", EffectKind.FETCH, "c"),
        ("CLOSE ALL", EffectKind.CLOSE, None),
        ("DISCARD ALL", EffectKind.DISCARD, None),
        ("RESET search_path", EffectKind.RESET, "search_path"),
        ("COPY orders FROM STDIN", EffectKind.COPY_IN, None),
        ("COPY orders TO STDOUT", EffectKind.COPY_OUT, None),
        ("CREATE VIEW v AS SELECT 1", EffectKind.CATALOG, None),
    ],
)
def test_what_a_statement_does_to_the_session(
    sql: str, kind: EffectKind, name: str | None, catalog: Catalog
) -> None:
    effect = one(sql, catalog).effect
    assert (effect.kind, effect.name) == (kind, name)


def test_opaque_accesses_match_no_glob(catalog: Catalog) -> None:
    operation = one("SELECT ts_stat('SELECT 1')", catalog).operation
    assert operation.opaque
    assert {access.kind for access in operation.accesses} == {AccessKind.OPAQUE}
