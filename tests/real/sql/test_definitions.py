"""Definitions that lie between names and rows: views, schemas, policies, generated columns, keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kit.sql_shop import HIDE, Seen, Session, mask, row_filter
from tollhouse_core.decision import Obligations
from tollhouse_core.masks import Redact
from tollhouse_proxy.protocols.postgres.sql import SessionSettings
from tollhouse_proxy.protocols.postgres.sql.session_settings import split_path

pytestmark = pytest.mark.postgres

TENANT = Obligations(filters=(row_filter("tenant_id = $1", 7),))


@pytest.fixture
def changed(shop: Session) -> Iterator[Callable[[str], Session]]:
    """The shop after some statements of an owner, which are rolled back."""
    before = shop.catalog

    def change(sql: str) -> Session:
        shop.connection.execute(sql.encode())
        shop.read()
        return shop

    yield change
    shop.catalog = before


def _run(shop: Session, sql: str) -> Seen:
    """As the guard decides: only what binds to the relations the statement speaks of is in force."""
    resources = shop.understand(sql)[0].operation.resources
    spoken = {path for resource in resources for path in (resource.path, *resource.also)}
    shop.under(
        Obligations(
            columns=tuple(one for one in HIDE.columns if one.path in spoken),
            filters=tuple(one for one in HIDE.filters if one.path in spoken),
        )
    )
    return shop.run(sql)


def _stack(of: str, select: str, height: int) -> str:
    views = [f"CREATE VIEW s0 AS SELECT id FROM {of}"]
    views += [f"CREATE VIEW s{n} AS {select.format(below=f's{n - 1}')}" for n in range(1, height)]
    return ";".join(views)


def test_a_high_stack_of_views_is_read(changed: Callable[[str], Session]) -> None:
    """Were each read anew for every one above it, the test would not end in its time."""
    shop = changed(_stack("products", "SELECT id FROM {below}", 40))
    assert shop.run("SELECT count(*) FROM s39, orders WHERE false").kind == "rows"


def test_views_that_double_what_is_beneath_are_refused_before_they_fill_memory(
    changed: Callable[[str], Session],
) -> None:
    shop = changed(_stack("customers", "SELECT a.id FROM {below} a JOIN {below} b USING (id)", 20))
    seen = shop.run("SELECT id FROM s19")
    assert seen.kind == "cannot rewrite", seen
    assert "too many" in seen.text, seen.text


def test_a_column_computed_from_one_with_quotes_in_its_name_is_masked_too(
    changed: Callable[[str], Session],
) -> None:
    shop = changed(
        'CREATE TABLE odd (id int, "We ""ird" text, low text GENERATED ALWAYS AS (lower("We ""ird")) STORED);'
        "INSERT INTO odd VALUES (1, 'SECRET')"
    )
    shop.under(Obligations(columns=(mask('We "ird', Redact(), path=("public", "odd")),)))
    assert "secret" not in str(shop.run("SELECT low FROM odd").rows).lower()


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER SCHEMA public RENAME TO p2",
        "ALTER EXTENSION citext SET SCHEMA p2",
        "ALTER FUNCTION get_contact(int) RENAME TO g",
        "CREATE POLICY p ON orders USING (true)",
        "ALTER POLICY p ON orders USING (true)",
        "CREATE PUBLICATION p FOR TABLE products, orders",
        "CREATE PUBLICATION p FOR TABLES IN SCHEMA public",
        "CREATE PUBLICATION p FOR ALL TABLES",
        "ALTER PUBLICATION p ADD TABLE orders",
        "ALTER TABLE products ADD FOREIGN KEY (title) REFERENCES customers (email)",
        "ALTER TABLE events ATTACH PARTITION customers DEFAULT",
        "ALTER TABLE products INHERIT orders",
        "CREATE OPERATOR public.= (leftarg = int4, rightarg = int4, procedure = int4ne)",
        "CREATE AGGREGATE a (int) (sfunc = int4pl, stype = int)",
        "CREATE CAST (text AS int) WITH INOUT",
        "ALTER FUNCTION get_contact(int) SET search_path = evil",
        "ALTER TYPE state RENAME VALUE 'private' TO 'public'",
        "ALTER DOMAIN mail ADD CHECK (VALUE NOT LIKE 'a%')",
        "ALTER EXTENSION citext ADD FUNCTION contact(customers)",
        "DROP TABLE orders",
        "DROP TABLE products, events",
        "DROP SCHEMA public CASCADE",
        "DROP OWNED BY CURRENT_USER",
    ],
)
def test_definitions_that_would_uncover_or_remove_what_is_hidden_are_refused(sql: str, shop: Session) -> None:
    assert _run(shop, sql).kind in ("cannot rewrite", "denied")


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE more (id int PRIMARY KEY, product int REFERENCES products (id), kind text DEFAULT 'a')",
        "CREATE SCHEMA mine; ALTER SCHEMA mine RENAME TO yours",
        "ALTER TABLE products RENAME COLUMN title TO name",
        "ALTER TABLE products ADD CONSTRAINT positive CHECK (price > 0)",
        "CREATE POLICY p ON products USING (true)",
        "DROP TABLE products",
        "DROP VIEW customers_jv",
        "DROP SCHEMA priv CASCADE",
        "CREATE TYPE mood AS ENUM ('a')",
        'CREATE COLLATION mine FROM "C"',
    ],
)
def test_definitions_elsewhere_run_as_always(sql: str, shop: Session) -> None:
    for one in sql.split("; "):
        seen = _run(shop, one)
        assert seen.kind == "rows", seen


def test_a_rule_that_denies_a_table_binds_to_what_moves_or_reads_its_schema(shop: Session) -> None:
    def accesses(sql: str) -> set[tuple[str, tuple[str, ...]]]:
        operation = shop.understand(sql)[0].operation
        return {(access.action, access.path) for access in operation.accesses if not access.needs_rule}

    assert accesses("ALTER SCHEMA priv RENAME TO p2") >= {
        (action, ("priv", "customers")) for action in ("Select", "Insert", "Update", "Delete", "Truncate")
    }
    assert ("Truncate", ("priv", "customers")) in accesses("DROP SCHEMA priv CASCADE")
    assert ("Delete", ("public", "products")) in accesses("DROP TABLE products")
    reads = ("Select", ("public", "customers"))
    assert reads in accesses("CREATE TABLE probe (e varchar REFERENCES customers (email))")
    assert reads in accesses("ALTER TABLE events ATTACH PARTITION customers DEFAULT")
    assert reads in accesses("CREATE TABLE copy (LIKE customers)")


TURNED = "CREATE OPERATOR public.= (leftarg = int4, rightarg = int4, procedure = int4ne)"
VARCHAR = """CREATE FUNCTION public.other(varchar, varchar) RETURNS bool LANGUAGE sql
  AS 'SELECT $1 OPERATOR(pg_catalog.<>) $2';
CREATE OPERATOR public.= (leftarg = varchar, rightarg = varchar, procedure = public.other);
CREATE TABLE mail (id int, owner varchar(9)); INSERT INTO mail VALUES (1, 'me'), (2, 'SECRET')"""


@pytest.mark.parametrize(
    "where", ["tenant_id = $1", "tenant_id + 0 = $1", "tenant_id IN ($1, $1)", "NOT tenant_id <> $1"]
)
@pytest.mark.parametrize("path", [("public", "pg_catalog"), ("public",), ("pg_catalog", "public")])
def test_an_operator_of_the_default_schema_does_not_turn_a_filter(
    where: str, path: tuple[str, ...], changed: Callable[[str], Session]
) -> None:
    shop = changed(f"{TURNED}; SET LOCAL search_path TO {', '.join(path)}")
    shop.settings = SessionSettings(search_path=path)
    shop.under(Obligations(filters=(row_filter(where, 7),)))
    seen = shop.run("SELECT note FROM orders")
    assert "SECRET" not in str(seen.rows)
    cannot_be_spelled = " IN " in where and path == ("public", "pg_catalog")
    assert seen.kind == ("cannot rewrite" if cannot_be_spelled else "rows"), seen


def test_an_operator_that_fits_a_column_better_than_the_built_in_does_not_turn_a_filter(
    changed: Callable[[str], Session],
) -> None:
    shop = changed(VARCHAR)
    shop.under(Obligations(filters=(row_filter("owner = $1", "me", path=("public", "mail")),)))
    assert shop.run("SELECT owner FROM mail").rows == ["('me',)"]


def test_functions_of_a_filter_are_the_built_in_ones(changed: Callable[[str], Session]) -> None:
    shop = changed(
        "CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql AS $$SELECT 'mine'$$;"
        "SET LOCAL search_path TO public, pg_catalog"
    )
    shop.settings = SessionSettings(search_path=("public", "pg_catalog"))
    shop.under(Obligations(filters=(row_filter("lower(left(note, 4)) = 'mine'"),)))
    seen = shop.run("SELECT note FROM orders")
    assert (seen.kind, len(seen.rows), "SECRET" in str(seen.rows)) == ("rows", 5, False)


def test_what_an_operator_means_for_its_own_type_stays_meant(changed: Callable[[str], Session]) -> None:
    shop = changed(
        "CREATE TYPE own AS (v text);"
        "CREATE FUNCTION same(own, own) RETURNS bool LANGUAGE sql"
        " AS 'SELECT lower(($1).v) = lower(($2).v)';"
        "CREATE OPERATOR = (leftarg = own, rightarg = own, procedure = same);"
        "CREATE TABLE mail (id int, owner own); INSERT INTO mail VALUES (1, '(Me)'), (2, '(SECRET)')"
    )
    shop.under(Obligations(filters=(row_filter("owner = $1", "(mE)", path=("public", "mail")),)))
    seen = shop.run("SELECT owner FROM mail")
    assert (len(seen.rows), "Me" in str(seen.rows)) == (1, True)
    shop.settings = SessionSettings(search_path=())
    shop.connection.execute("SET LOCAL search_path TO ''")
    assert shop.run("SELECT owner FROM public.mail").kind == "cannot rewrite"


KEYS = """
CREATE TABLE parents (id int PRIMARY KEY, code int UNIQUE, name text);
CREATE TABLE kids (id int PRIMARY KEY, parent int REFERENCES parents (id) ON DELETE CASCADE,
  code int REFERENCES parents (code) ON UPDATE CASCADE ON DELETE SET NULL, tenant_id int);
CREATE TABLE toys (id int, kid int REFERENCES kids (id) ON DELETE CASCADE);
INSERT INTO parents VALUES (1, 11, 'a'), (2, 22, 'b'); INSERT INTO kids VALUES (1, 1, 11, 7), (2, 1, 22, 8);
"""


@pytest.mark.parametrize(
    ("sql", "does"),
    [
        ("DELETE FROM parents WHERE id = 1", {"Delete kids", "Update kids", "Delete toys"}),
        ("UPDATE parents SET code = 12 WHERE id = 1", {"Update kids"}),
        ("UPDATE parents SET (name, code) = ('x', 12) WHERE id = 1", {"Update kids"}),
        (
            "INSERT INTO parents VALUES (1, 11) ON CONFLICT (id) DO UPDATE SET code = excluded.code",
            {"Update kids"},
        ),
        ("WITH d AS (DELETE FROM kids RETURNING id) SELECT * FROM d", {"Delete toys"}),
        ("DELETE FROM parents_v", {"Delete kids", "Update kids", "Delete toys"}),
        ("UPDATE parents SET name = 'x'", set()),
        ("INSERT INTO parents VALUES (3, 33)", set()),
    ],
)
def test_what_a_foreign_key_does_is_judged_as_if_it_were_written(
    sql: str, does: set[str], changed: Callable[[str], Session]
) -> None:
    shop = changed(f"{KEYS} CREATE VIEW parents_v AS SELECT * FROM parents")
    accesses = shop.understand(sql)[0].operation.accesses
    written = {f"{one.action} {one.path[1]}": one.needs_rule for one in accesses if one.action != "Select"}
    assert {one for one in written if one.split()[1] in ("kids", "toys") and not written[one]} == does
    shop.under(Obligations(filters=(row_filter("tenant_id = 7", path=("public", "kids")),)))
    seen = shop.run(sql)
    touches = any("kids" in one for one in does) or "FROM kids" in sql
    refused = seen.kind == "cannot rewrite" and "foreign key" in seen.text
    assert refused == (touches and "FROM kids" not in sql), seen
    if not touches:
        shop.under(Obligations())
        assert shop.run(sql).kind == "rows"


LONG = "a" * 63


@pytest.mark.parametrize(
    "path",
    [
        f"'{LONG}bbb', public",
        f"{LONG}bbb, public",
        f"'{'é' * 40}', public",
        "'É', public",
        "É, public",
        "İ, public",
        "PUBLIC",
        "'PUBLIC', priv",
        "''",
    ],
)
def test_a_search_path_is_read_as_the_server_reads_it(path: str, changed: Callable[[str], Session]) -> None:
    # One that a call of set_config makes is asked of the server (tests/real/wire/test_search_paths.py).
    shop = changed(
        f'CREATE SCHEMA {LONG}; CREATE SCHEMA "{"é" * 31}"; CREATE SCHEMA "É"; CREATE SCHEMA "é";'
        'CREATE SCHEMA "İ"; CREATE SCHEMA "PUBLIC"'
    )
    said = f"SET LOCAL search_path = {path}"
    read = shop.understand(said)[0].effect.search_path
    shop.connection.execute(said.encode())
    shop.settings = SessionSettings(search_path=read or ())
    shop.read()
    statement = shop.understand("SELECT 1")[0]
    assert statement.plan.names.path == shop.catalog.effective_path  # type: ignore[attr-defined]
    shown = shop.connection.execute("SHOW search_path").fetchone()
    assert shown is not None
    shop.settings = SessionSettings(search_path=split_path(shown[0]))
    statement = shop.understand("SELECT 1")[0]
    assert statement.plan.names.path == shop.catalog.effective_path  # type: ignore[attr-defined]


NEW_SCHEMA = (
    "CREATE SCHEMA fresh CREATE VIEW seen AS SELECT a, b.id FROM things, fresh.things b CREATE VIEW again AS"
    " SELECT * FROM seen CREATE TABLE things (a serial, id int REFERENCES things2, UNIQUE (a, id))"
    " CREATE TABLE things2 (id int PRIMARY KEY) CREATE INDEX by_a ON things (a)"
)


def test_elements_of_a_new_schema_may_speak_of_each_other(shop: Session) -> None:
    [statement] = shop.understand(
        "CREATE SCHEMA fresh CREATE VIEW seen AS SELECT a FROM things, fresh.things b"
        " CREATE TABLE things (a int)"
    )
    paths = {access.path for access in statement.operation.accesses}
    assert {("fresh",), ("fresh", "seen"), ("fresh", "things")} <= paths
    assert _run(shop, NEW_SCHEMA.replace(" REFERENCES things2", "")).kind != "error"


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE SCHEMA z CREATE VIEW leak AS SELECT ssn FROM public.customers"
        " CREATE TABLE customers (ssn text)",
        "CREATE SCHEMA z CREATE VIEW leak AS SELECT ssn FROM customers"
        " CREATE VIEW customers AS SELECT 1 AS ssn",
        "CREATE SCHEMA z CREATE TABLE customers (ssn text) CREATE VIEW leak AS SELECT c.ssn FROM z.customers,"
        " public.customers c",
    ],
)
def test_what_they_read_beside_that_is_judged_as_ever(sql: str, shop: Session) -> None:
    [statement] = shop.understand(sql)
    touched = {access.path for access in statement.operation.accesses if access.action == "Select"}
    assert ("public", "customers") in touched


def test_a_new_table_does_not_stand_for_one_that_comes_before_every_path(shop: Session) -> None:
    [statement] = shop.understand(
        "CREATE SCHEMA z CREATE TABLE pg_authid (rolpassword text)"
        " CREATE VIEW leak AS SELECT rolpassword FROM pg_authid"
    )
    assert ("pg_catalog", "pg_authid") in {access.path for access in statement.operation.accesses}
