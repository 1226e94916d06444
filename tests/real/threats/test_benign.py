"""What honest tools and people send passes, and answers as it does without a proxy.

The statements in `benign/` are written in the way of well-known tools; psql and pg_dump run themselves. The
policy is an ordinary one: some columns masked, one table filtered, everything else open.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from kit.postgres import Postgres
from kit.threat_world import Guarded, identities
from kit.wire_world import WireWorld, running

pytestmark = pytest.mark.postgres

FOLDER = Path(__file__).parent / "benign"
OPEN = """
- allow: {sql: {access: [Select, Insert, Update, Delete, Truncate], tables: ["*"]}}
- allow: {sql: {commands: ["*"]}}
- allow:
    sql:
      access: [Select]
      tables:
      - pg_catalog.pg_foreign_data_wrapper
      - pg_catalog.pg_foreign_server
      - pg_catalog.pg_user_mappings
      - pg_catalog.pg_db_role_setting
      - pg_catalog.pg_subscription
"""
RULES = """
- allow: {sql: {access: [Select, Insert, Update, Delete, Truncate], tables: ["*"]}}
- allow: {sql: {access: [Select], tables: [pg_catalog.pg_stat_activity]}}
- allow: {sql: {commands: ["*"]}}
- mask: {columns: [people.email], with: {partial: {keepLast: 4}}}
- mask: {columns: [people.phone], with: {redact: {}}}
- mask: {columns: [people.salary], with: {bucket: {width: 1000}}}
- filter: {tables: [tickets], where: "tenant_id = {{ identity.claims.tenant }}", writes: Check}
"""
HIDDEN = re.compile(r"people|tickets")
"""Statements about these may answer otherwise; they may not be refused."""

CHANGING = re.compile(
    r"random|now\(\)|uuid|clock_timestamp|pg_stat|pg_backend_pid|current_query|pg_locks|xact|version\(\)"
    r"|backend_start|EXPLAIN \(ANALYZE|SHOW ALL|pg_postmaster|age\(|current_date|current_database|datname"
    r"|information_schema",
    re.IGNORECASE,
)
"""These answer otherwise from one time to the next."""


def statements(file: Path) -> list[str]:
    """The statements of a file: paragraphs that are no heading."""
    found = (one.strip() for one in file.read_text().split("\n\n"))
    return [one for one in found if one and not re.fullmatch(r"--[^\n]*", one)]


CORPUS = {file.stem: statements(file) for file in sorted(FOLDER.glob("[0-9]*.sql"))}


@dataclass
class Shop:
    """A database, and one just like it behind a proxy."""

    server: Postgres
    world: WireWorld
    direct: psycopg.Connection[tuple[object, ...]]
    proxied: dict[str, psycopg.Connection[tuple[object, ...]]]


@pytest.fixture(scope="module", params=[15, 18], ids=lambda release: f"postgres{release}")
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    server = request.getfixturevalue(f"postgres{request.param}")
    assert isinstance(server, Postgres)
    template = server.create_database(sql=(FOLDER / "schema.sql").read_text())
    ours, theirs = f"{template}_ours", f"{template}_theirs"
    for name in (ours, theirs):
        server.psql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    gate = Guarded({"agent": RULES, "builder": OPEN}).gate
    with (
        running(WireWorld(server, ours, guard=gate, known=identities(tenant=1))) as world,
        psycopg.connect(server.dsn(theirs), autocommit=True, prepare_threshold=None) as direct,
        _proxied(world, "agent") as agent,
        _proxied(world, "builder") as builder,
    ):
        yield Shop(server, world, direct, {"agent": agent, "builder": builder})
    for name in (ours, theirs, template):
        server.psql(f'DROP DATABASE "{name}" WITH (FORCE)')


def _proxied(world: WireWorld, who: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=world.host, port=world.port, user="x", dbname=world.database, password=who, autocommit=True,
        prepare_threshold=None,
    )  # fmt: skip


def test_the_corpus_is_large() -> None:
    assert sum(map(len, CORPUS.values())) >= 300


@pytest.mark.parametrize("part", CORPUS)
def test_statements_of_tools_and_people_pass_and_answer_the_same(part: str, shop: Shop) -> None:
    wrong = []
    who = "builder" if part == "4_migrations" else "agent"
    for sql in CORPUS[part]:
        plain, proxied = _answer(shop.direct, sql), _answer(shop.proxied[who], sql)
        if isinstance(proxied, str) and proxied[:5] != str(plain)[:5]:
            wrong.append(f"{sql}\n   -> {proxied} (directly: {str(plain)[:200]})")
        elif not HIDDEN.search(sql) and not CHANGING.search(sql) and plain != proxied:
            wrong.append(f"{sql}\n   -> {proxied!r:.200}\n   directly {plain!r:.200}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(CORPUS[part])}", *wrong])


COMMANDS = (FOLDER / "psql.txt").read_text().splitlines()
"""What psql asks of the catalogs, by each of its commands."""


def test_commands_of_psql_pass_and_show_the_same(shop: Shop) -> None:
    script = "\\unset ON_ERROR_STOP\n" + "".join(f"\\echo == {one[1:]}\n{one}\n" for one in COMMANDS)
    world = shop.world
    plain = shop.server.psql(script, database=shop.direct.info.dbname)
    proxied = shop.server.psql(
        script, database=world.database, password="agent", host=world.host, port=world.port
    )
    assert _lines(proxied.stderr) == _lines(plain.stderr)
    assert proxied.stdout == plain.stdout
    assert plain.stdout.count("\n") > 600


def _lines(errors: str) -> list[str]:
    """psql is of another release than the server: a few of its queries fail on any way to it."""
    return [line for line in errors.splitlines() if "ERROR" in line]


@pytest.mark.parametrize("shop", [15], indirect=True)
def test_what_is_not_masked_can_be_dumped(shop: Shop) -> None:
    plain, proxied = _dumped(shop, through=False), _dumped(shop, through=True)
    assert proxied.returncode == 0, proxied.stderr
    assert _kept(proxied.stdout) == _kept(plain.stdout)
    assert plain.stdout.count("COPY public.") == 3


def _dumped(shop: Shop, *, through: bool) -> subprocess.CompletedProcess[str]:
    world, server = shop.world, shop.server
    where = {
        "PGHOST": world.host if through else server.host,
        "PGPORT": str(world.port if through else server.port),
        "PGDATABASE": world.database if through else shop.direct.info.dbname,
        "PGPASSWORD": "builder" if through else server.password,
        "PGUSER": "postgres",
    }
    command = [str(server.bin / "pg_dump"), "-t", "products", "-t", "sales", "-t", "categories"]
    return subprocess.run(
        command, env={**os.environ, **where}, capture_output=True, text=True, check=False, timeout=60
    )


def _kept(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith((r"\restrict", r"\unrestrict"))]


def _answer(connection: psycopg.Connection[tuple[object, ...]], sql: str) -> object:
    """All rows and tags of a text in a transaction that is undone; an error's words."""
    alone = re.match(r"(BEGIN|START)\b", sql)
    try:
        if not alone:
            connection.execute("BEGIN")
        if sql.startswith("COPY"):
            with connection.cursor() as cursor, cursor.copy(sql.encode()) as copy:
                return [bytes(chunk) for chunk in copy]
        cursor = connection.execute(sql.encode())
        found: list[object] = []
        while True:
            rows = cursor.fetchall() if cursor.description else None
            found.append((cursor.statusmessage, rows if "ORDER BY" in sql.upper() else _sorted(rows)))
            if not cursor.nextset():
                return found
    except psycopg.Error as error:
        return f"{error.sqlstate} {error}"
    finally:
        connection.execute("ROLLBACK")
        connection.execute("RESET ALL")
        connection.execute("DEALLOCATE ALL")


def _sorted(rows: list[tuple[object, ...]] | None) -> list[str] | None:
    return None if rows is None else sorted(map(repr, rows))
