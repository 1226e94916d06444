"""A snapshot brought up to date tells what one read whole tells, whatever was done to the catalog."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from kit.postgres import Postgres, running
from tollhouse_proxy.protocols.postgres.sql import CATALOG_QUERIES, FINGERPRINT_QUERY, SNAPSHOT_QUERY, Catalog
from tollhouse_proxy.protocols.postgres.sql.catalog_queries import SECTIONS, SESSION
from tollhouse_proxy.protocols.postgres.sql.renewal import Renewal, sees_all_of
from tollhouse_proxy.protocols.postgres.sql.sections import Base, Row

pytestmark = pytest.mark.postgres

STEPS = [
    "CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'x', b numeric(10,2))",
    "CREATE VIEW v AS SELECT id, a FROM t",
    "CREATE VIEW vv AS SELECT * FROM v JOIN t USING (id, a)",
    "ALTER TABLE t RENAME COLUMN a TO aa",
    "ALTER TABLE t ADD c serial, ADD d int GENERATED ALWAYS AS (id + 1) STORED",
    "ALTER SEQUENCE t_c_seq RENAME TO counter",
    "ALTER TABLE t ALTER c DROP DEFAULT",
    "ALTER SEQUENCE counter OWNED BY NONE",
    "ALTER TABLE t RENAME TO renamed",
    "CREATE TABLE t (x int)",
    "CREATE OR REPLACE VIEW v AS SELECT id, aa AS a FROM renamed WHERE id > 0",
    "CREATE SCHEMA s; CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'",
    "CREATE VIEW fv AS SELECT s.f(id) FROM renamed",
    "ALTER FUNCTION s.f(int) RENAME TO g",
    "ALTER SCHEMA s RENAME TO other",
    "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE VIEW mv AS SELECT 'ok'::mood AS m",
    "ALTER TYPE mood RENAME TO temper",
    "CREATE OPERATOR other.=== (leftarg = int, rightarg = int, function = int4eq)",
    "CREATE VIEW ov AS SELECT id OPERATOR(other.===) 1 AS o FROM renamed",
    "CREATE SCHEMA third; ALTER OPERATOR other.=== (int, int) SET SCHEMA third",
    "CREATE RULE r AS ON INSERT TO renamed DO ALSO NOTHING",
    "CREATE RULE r2 AS ON DELETE TO v DO INSTEAD NOTHING",
    "DROP RULE r ON renamed",
    "DROP RULE r2 ON v",
    "CREATE TABLE p (k int, v text) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
    "ALTER TABLE p DETACH PARTITION p1",
    "CREATE TABLE kid () INHERITS (p1)",
    "ALTER TABLE kid NO INHERIT p1",
    "CREATE TABLE child (r int REFERENCES renamed ON DELETE CASCADE)",
    "ALTER TABLE child DROP CONSTRAINT child_r_fkey",
    "CREATE UNIQUE INDEX u ON child (r)",
    "DROP INDEX u",
    "ALTER TABLE child DROP COLUMN r",
    "CREATE FUNCTION to_mood(int) RETURNS temper LANGUAGE sql AS $$SELECT 'ok'::temper$$;"
    " CREATE CAST (int AS temper) WITH FUNCTION to_mood(int)",
    "DROP CAST (int AS temper); DROP FUNCTION to_mood(int)",
    "CREATE TEMP TABLE child (z int)",
    "ALTER TABLE pg_temp.child ADD y int DEFAULT 3",
    "DROP TABLE pg_temp.child",
    "CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM renamed; REFRESH MATERIALIZED VIEW m",
    "VACUUM FULL pg_catalog.pg_class; VACUUM FREEZE pg_catalog.pg_attribute",
    "SET search_path TO other, public",
    "RESET search_path",
    "DROP VIEW vv",
    "DROP TABLE renamed CASCADE; DROP TABLE t",
    "CREATE FUNCTION pg_catalog.brand_new() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP FUNCTION pg_catalog.brand_new()",
]


class Watcher:
    """A session that keeps a snapshot up to date as the proxy does."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.base: Base | None = None
        self.rounds: list[int] = []

    def run(self, step: str) -> None:
        for one in step.split("; "):
            self.connection.execute(one.encode())

    def rows(self, query: str) -> list[Row]:
        return list(self.connection.execute(query.encode()).fetchall())

    def whole(self) -> Catalog:
        return Catalog.from_rows({name: self.rows(query) for name, query in CATALOG_QUERIES.items()})

    def renewed(self, theirs: Base | None = None) -> Catalog:
        [(taken, written)] = self.rows(SNAPSHOT_QUERY)
        [session], [parts] = self.rows(SECTIONS[SESSION].whole()), self.rows(FINGERPRINT_QUERY)
        renewal = Renewal(theirs or self.base, session, parts, taken or "", theirs is None)
        found = None
        self.rounds = []
        while found is None:
            self.rounds.append(len(renewal.queries))
            found = renewal.take([self.rows(query) for query in renewal.queries])
        if written is None:
            self.base = Base(found, taken or "", parts)
        return found


@pytest.fixture
def dsn(any_postgres: Postgres) -> Iterator[str]:
    name = any_postgres.create_database()
    yield any_postgres.dsn(name)
    any_postgres.psql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def watcher(dsn: str) -> Iterator[Watcher]:
    made = Watcher(dsn)
    with made.connection:
        yield made


def same(one: Catalog, other: Catalog) -> None:
    for name in SECTIONS:
        assert dict(one.rows[name].rows) == dict(other.rows[name].rows) or not SECTIONS[name].key, name
        assert one.rows[name].digest == other.rows[name].digest, name
    assert one.epoch == other.epoch


def test_after_every_change_it_is_as_if_all_had_been_read(watcher: Watcher, dsn: str) -> None:
    other = Watcher(dsn)
    with other.connection:
        for step in STEPS:
            watcher.renewed()
            watcher.run(step)
            same(watcher.renewed(), watcher.whole())
            assert watcher.rounds[0] < len(SECTIONS) - 1, f"all was read after: {step}"
            other.renewed()
        same(other.renewed(), other.whole())


def test_what_was_undone_was_never_there(watcher: Watcher) -> None:
    watcher.run("CREATE TABLE kept (a int); CREATE VIEW v AS SELECT a FROM kept")
    watcher.renewed()
    watcher.run("BEGIN; ALTER TABLE kept RENAME TO gone; CREATE TABLE kept (b text)")
    watcher.run("SAVEPOINT s; DROP VIEW v; ALTER TABLE gone ADD c int")
    same(watcher.renewed(), watcher.whole())
    watcher.run("ROLLBACK TO s")
    same(watcher.renewed(), watcher.whole())
    watcher.run("ROLLBACK")
    same(watcher.renewed(), watcher.whole())


def test_a_change_that_was_under_way_is_seen_when_it_is_committed(watcher: Watcher, dsn: str) -> None:
    watcher.run("CREATE TABLE t (a int)")
    with psycopg.connect(dsn) as slow, Watcher(dsn).connection as passer:
        slow.execute("ALTER TABLE t ADD b int; CREATE TABLE late (z int)")
        passer.execute("CREATE TABLE early (y int)")
        watcher.renewed()
        slow.commit()
        same(watcher.renewed(), watcher.whole())
        assert watcher.renewed().find_relation("public", "late") is not None


def test_a_change_is_seen_though_a_later_one_was_seen_before(watcher: Watcher, dsn: str) -> None:
    """Its entries are older than the newest, and there are no more and no fewer of them."""
    watcher.run("CREATE TABLE t (a int, b int)")
    with psycopg.connect(dsn) as slow, Watcher(dsn).connection as passer:
        slow.execute("ALTER TABLE t RENAME a TO c; ALTER TABLE t RENAME b TO a; ALTER TABLE t RENAME c TO b")
        passer.execute("CREATE TABLE early (y int)")
        watcher.renewed()
        [before] = watcher.rows(FINGERPRINT_QUERY)
        slow.commit()
        assert watcher.rows(FINGERPRINT_QUERY) != [before]
        same(watcher.renewed(), watcher.whole())


def test_a_change_is_seen_where_old_numbers_look_newer_than_todays() -> None:
    """Half of all transaction numbers later, entries of the beginning are still there, with their number."""
    with running(16, next_number=2**31 + 2**20) as server, Watcher(server.dsn()).connection as session:
        session.execute("CREATE TABLE t (a int, b int)")

        def fingerprint() -> object:
            return session.execute(FINGERPRINT_QUERY.encode()).fetchone()

        before = fingerprint()
        assert fingerprint() == before
        session.execute("ALTER TABLE t RENAME a TO c")
        assert fingerprint() != before


def test_what_is_replaced_cannot_be_chosen_so_that_a_change_is_not_seen(watcher: Watcher, dsn: str) -> None:
    """One number goes down by as much as another goes up, and neither is the newest."""
    views = [f"CREATE OR REPLACE VIEW v{n} AS SELECT {{}} AS a" for n in range(4)]
    for view in views:
        watcher.run(view.format(0))
    with psycopg.connect(dsn) as slow, Watcher(dsn).connection as passer:
        start = int(watcher.rows("SELECT xmin FROM pg_rewrite WHERE ev_class = 'v0'::regclass")[0][0] or 0)
        [own] = slow.execute("SELECT pg_current_xact_id()::text::int").fetchone() or (0,)
        used = own
        while used < 2 * own - start - 1:
            [used] = passer.execute("SELECT pg_current_xact_id()::text::int").fetchone() or (0,)
        passer.execute(views[1].format(1).encode())
        passer.execute(views[2].format(1).encode())
        numbers = "SELECT sum(xmin::text::bigint), max(xmin::text::bigint), count(*) FROM pg_rewrite"
        [sums] = watcher.rows(numbers)
        [before] = watcher.rows(FINGERPRINT_QUERY)
        for n in (0, 1):
            slow.execute(views[n].format(2).encode())
        slow.commit()
        assert watcher.rows(numbers) == [sums], "the test's own arithmetic"
        assert watcher.rows(FINGERPRINT_QUERY) != [before]


def test_another_sessions_snapshot_serves_without_its_temporary_tables(watcher: Watcher, dsn: str) -> None:
    watcher.run("CREATE TABLE t (a int); CREATE TEMP TABLE mine (a int DEFAULT 1)")
    watcher.renewed()
    for own in ("SELECT 1", "CREATE TEMP TABLE theirs (b int)"):
        other = Watcher(dsn)
        with other.connection:
            other.run(own)
            same(other.renewed(theirs=watcher.base), other.whole())


def test_an_older_view_of_the_world_is_read_whole(watcher: Watcher, dsn: str) -> None:
    """pg_dump imports the snapshot of another session: what the newer one tells is not true there."""
    watcher.run("CREATE TABLE t (a int)")
    with psycopg.connect(dsn) as holder:
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        [held] = holder.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        watcher.run("ALTER TABLE t RENAME TO u; DROP TABLE IF EXISTS nothing")
        watcher.renewed()
        watcher.run(f"BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{held}'")
        same(watcher.renewed(), watcher.whole())
        assert watcher.renewed().find_relation("public", "t") is not None
        watcher.run("COMMIT")


@pytest.mark.parametrize(
    ("now", "then", "all_of_it"),
    [
        ("10:10:", "10:10:", True),
        ("10:12:", "10:10:", True),
        ("10:10:", "10:12:", False),
        ("10:12:10", "10:12:10", True),
        ("10:12:10,11", "10:12:10", False),
        ("10:14:12", "10:12:", True),
    ],
)
def test_snapshots_are_compared_by_what_they_see(now: str, then: str, all_of_it: bool) -> None:
    assert sees_all_of(now, then) is all_of_it
