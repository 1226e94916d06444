"""What is told to be too much can be taken away, and what is left is enough for the proxy to serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg
import pytest

from kit.policies import connection_of, policy_of
from kit.postgres import Postgres
from kit.sql_shop import CUSTOMERS, ORDERS, RULE
from kit.wire_world import ScriptedJudge, WireWorld, running
from tollhouse_core.decision import ColumnMask, Obligations, RowFilter, Verdict, WriteCheck
from tollhouse_core.masks import Redact
from tollhouse_core.operation import Operation
from tollhouse_core.policy.bundle import build_bundle
from tollhouse_core.policy.rules import Rule
from tollhouse_core.privileges import Excess
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy.protocols.postgres.privileges import QUESTIONS, excess

pytestmark = pytest.mark.postgres

TABLES = """
CREATE TABLE customers (id int PRIMARY KEY, tenant int, email text);
CREATE TABLE orders (id int PRIMARY KEY, tenant int, customer int REFERENCES customers, note text);
CREATE TABLE regions (tenant int);
CREATE TABLE secrets (v text);
CREATE TABLE events (id int, kind text) PARTITION BY LIST (kind);
CREATE TABLE events_a PARTITION OF events FOR VALUES IN ('a');
CREATE VIEW recent AS SELECT id, note FROM orders;
CREATE SCHEMA other;
CREATE FUNCTION peek() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT v FROM secrets';
INSERT INTO customers VALUES (1, 1, 'ann@shop.example'), (2, 2, 'bob@shop.example');
INSERT INTO orders VALUES (1, 1, 1, 'mine'), (2, 2, 2, 'theirs');
INSERT INTO regions VALUES (1);
INSERT INTO events VALUES (1, 'a');
"""
RULES = """
- allow: {sql: {access: [Select], tables: [customers, events, recent]}}
- allow: {sql: {access: [Select, Insert, Update], tables: [orders]}}
- filter: {tables: [orders], where: "tenant IN (SELECT r.tenant FROM regions r)"}
- mask: {columns: [customers.email], with: {redact: {}}}
"""
NEEDED = """
GRANT SELECT ON customers, events, events_a, recent, regions TO {role};
GRANT SELECT, INSERT, UPDATE ON orders TO {role};
"""


@dataclass
class Backend:
    """A superuser's transaction in a database, and a role that the proxy would log in with."""

    superuser: psycopg.Connection
    role: str

    def do(self, sql: str) -> None:
        self.superuser.execute(sql.encode())

    def excess(self, rules: str = RULES) -> tuple[Excess, ...]:
        self.do(f"SET LOCAL ROLE {self.role}")
        rows = {name: self.superuser.execute(sql.encode()).fetchall() for name, sql in QUESTIONS.items()}
        self.do("RESET ROLE")
        return excess(rows, rules_of(rules))


def rules_of(rules: str) -> tuple[Rule, ...]:
    result = build_bundle(connection_of(), [policy_of(rules)], [], [], LANGUAGES)
    assert result.bundle, result.problems
    return result.bundle.rules


@pytest.fixture(scope="module")
def made(any_postgres: Postgres) -> Iterator[tuple[str, str, str]]:
    database = any_postgres.create_database(sql=TABLES)
    role, password = any_postgres.create_role()
    any_postgres.psql(NEEDED.format(role=role), database=database)
    yield database, role, password
    any_postgres.psql(f'DROP DATABASE "{database}" WITH (FORCE)')
    any_postgres.psql(f"DROP ROLE {role}")


@pytest.fixture
def backend(any_postgres: Postgres, made: tuple[str, str, str]) -> Iterator[Backend]:
    """Whatever a test changes is rolled back."""
    with psycopg.connect(any_postgres.dsn(made[0])) as superuser:
        yield Backend(superuser, made[1])
        superuser.rollback()


def words(found: tuple[Excess, ...]) -> str:
    return "\n".join(f"{one.what} [{one.sql}]" for one in found)


TOO_MUCH: dict[str, tuple[str, str]] = {
    "row security": ("ALTER ROLE {role} BYPASSRLS", "passes by row security"),
    "roles": ("ALTER ROLE {role} CREATEROLE", "may make and change roles"),
    "databases": ("ALTER ROLE {role} CREATEDB", "may make databases"),
    "replication": ("ALTER ROLE {role} REPLICATION", "as a replica"),
    "membership": ("GRANT pg_read_all_data TO {role}", 'has the role "pg_read_all_data"'),
    "programs": ("GRANT pg_execute_server_program TO {role}", "pg_execute_server_program"),
    "ownership": ("ALTER TABLE orders OWNER TO {role}", "owns TABLE public.orders"),
    "schema": ("GRANT CREATE ON SCHEMA other TO {role}", "may create objects in schema other"),
    "everybody's schema": ("GRANT CREATE ON SCHEMA public TO PUBLIC", "FROM PUBLIC"),
    "database": ("DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {role}', current_database());"
                 " END $$", "may create schemas"),
    "files": ("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {role}", "pg_catalog.pg_read_file(text)"),
    "writes": ("GRANT DELETE, TRUNCATE ON orders TO {role}", "may DELETE, TRUNCATE on public.orders"),
    "tables": ("GRANT SELECT ON secrets TO PUBLIC", "may SELECT on public.secrets"),
    "triggers": ("GRANT TRIGGER, REFERENCES ON customers TO {role}", "may REFERENCES, TRIGGER on public"),
}  # fmt: skip


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_is_too_much_is_told_with_sql_that_takes_it_away(what: str, backend: Backend) -> None:
    sql, told = TOO_MUCH[what]
    before = words(backend.excess())
    assert told not in before or what == "everybody's schema"
    backend.do(sql.format(role=backend.role))
    found = backend.excess()
    assert told in words(found)
    for one in found:
        backend.do(one.sql)
    backend.do(NEEDED.format(role=backend.role))
    assert backend.excess() == ()


def test_a_superuser_is_told_of_before_anything_else(backend: Backend) -> None:
    backend.do(f"ALTER ROLE {backend.role} SUPERUSER")
    assert backend.excess()[0].what.startswith("is a superuser")
    assert backend.excess()[0].sql == f'ALTER ROLE "{backend.role}" NOSUPERUSER;'


def test_what_policies_open_is_not_too_much(backend: Backend) -> None:
    grants = (
        "GRANT CREATE ON SCHEMA other TO {role}; GRANT DELETE ON orders TO {role};"
        " GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {role}; ALTER TABLE regions OWNER TO {role};"
        " ALTER ROLE {role} CREATEROLE"
    )
    backend.do(grants.format(role=backend.role))
    more = """
- allow: {sql: {commands: ["CREATE *", "ALTER *"]}}
- allow: {sql: {functions: ["pg_catalog.*", peek]}}
- requireApproval: {sql: {access: [Delete], tables: [orders]}, approvers: [{group: managers}]}
"""
    assert backend.excess(RULES + more) == ()


def test_many_findings_end_in_a_count(backend: Backend) -> None:
    backend.do("DO $$ BEGIN FOR i IN 1..90 LOOP EXECUTE format('CREATE TABLE t%s (); GRANT SELECT ON t%s TO"
               " PUBLIC', i, i); END LOOP; END $$")  # fmt: skip
    found = backend.excess()
    assert len(found) == 64
    assert found[-1].what.endswith("more")


@pytest.fixture
def serve() -> Iterator[Callable[[WireWorld], WireWorld]]:
    with ExitStack() as stack:
        yield lambda world: stack.enter_context(running(world))


def test_the_proxy_serves_masks_and_filters_with_what_is_left(
    any_postgres: Postgres,
    made: tuple[str, str, str],
    backend: Backend,
    serve: Callable[[WireWorld], WireWorld],
) -> None:
    for one in backend.excess():
        backend.do(one.sql)
    assert backend.excess() == ()
    backend.superuser.commit()
    world = WireWorld(any_postgres, made[0], username=made[1], password=made[2])
    world.gate.deciding = bound
    with psycopg.connect(serve(world).dsn(), autocommit=True) as agent:
        assert agent.execute("SELECT DISTINCT email FROM customers").fetchall() == [("[redacted]",)]
        assert agent.execute("SELECT note FROM recent").fetchall() == [("mine",)]
        assert agent.execute("SELECT kind FROM events").fetchall() == [("a",)]
        assert agent.execute("INSERT INTO orders VALUES (3, 1, 1, 'new') RETURNING id").fetchall() == [(3,)]
        assert agent.execute("UPDATE orders SET note = 'x'").rowcount == 2
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            agent.execute("SELECT * FROM secrets")


def bound(judge: ScriptedJudge, operation: Operation) -> Verdict:
    """A mask on customers.email and a filter on orders, where they are touched."""
    paths = {path for one in operation.resources for path in (one.path, *one.also)}
    where = "tenant IN (SELECT r.tenant FROM regions r)"
    columns = (ColumnMask(CUSTOMERS, "email", Redact(), RULE),) if CUSTOMERS in paths else ()
    filters = (RowFilter(ORDERS, where, (), WriteCheck.CHECK, RULE),) if ORDERS in paths else ()
    return judge.permit(operation, Obligations(columns, filters, elsewhere=True))
