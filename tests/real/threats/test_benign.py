"""What honest tools and people send passes, and answers as it does without a proxy.

The statements in `benign/` are written in the way of well-known tools; psql and pg_dump run themselves. The
policy is an ordinary one: some columns masked, one table filtered, everything else open.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from kit.packages import find_program
from kit.postgres import Postgres
from kit.threat_world import Guarded, identities
from kit.wire_world import WireWorld, running

pytestmark = pytest.mark.postgres

FOLDER = Path(__file__).parent / "benign"
RULES = """
- allow: {sql: {access: [Select, Insert, Update, Delete, Truncate], tables: ["*"]}}
- allow: {sql: {commands: ["*"]}}
- mask: {columns: [people.email], with: {partial: {keepLast: 4}}}
- mask: {columns: [people.phone], with: {redact: {}}}
- mask: {columns: [people.salary], with: {bucket: {width: 1000}}}
- filter: {tables: [tickets], where: "tenant_id = {{ identity.claims.tenant }}", writes: Check}
"""
HIDDEN = re.compile(r"people|tickets")
"""Statements about these may answer otherwise; they may not be refused."""

CHANGING = re.compile(
    r"random|now\(\)|uuid|clock_timestamp|pg_stat|pg_backend_pid|current_query|pg_locks|xact|version\(\)|nextval"
    r"|backend_start|EXPLAIN \(ANALYZE|SHOW ALL|pg_postmaster|oid|ctid|age\(|current_date|regclass",
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
    """A database, directly and through the proxy."""

    world: WireWorld
    direct: psycopg.Connection[tuple[object, ...]]
    proxied: psycopg.Connection[tuple[object, ...]]


@pytest.fixture(scope="module", params=[15, 18], ids=lambda release: f"postgres{release}")
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    server = request.getfixturevalue(f"postgres{request.param}")
    assert isinstance(server, Postgres)
    database = server.create_database(sql=(FOLDER / "schema.sql").read_text())
    with running(
        WireWorld(server, database, guard=Guarded({"agent": RULES}).gate, known=identities(tenant=1))
    ) as world:
        with (
            psycopg.connect(server.dsn(database), autocommit=True) as direct,
            psycopg.connect(
                host=world.host, port=world.port, user="x", dbname=database, password="agent", autocommit=True
            ) as proxied,
        ):
            direct.prepare_threshold = proxied.prepare_threshold = None
            yield Shop(world, direct, proxied)
    server.psql(f'DROP DATABASE "{database}" WITH (FORCE)')


def test_the_corpus_is_large() -> None:
    assert sum(map(len, CORPUS.values())) >= 300


@pytest.mark.parametrize("part", CORPUS)
def test_statements_of_tools_and_people_pass_and_answer_the_same(part: str, shop: Shop) -> None:
    wrong = []
    for sql in CORPUS[part]:
        plain, proxied = _answer(shop.direct, sql), _answer(shop.proxied, sql)
        if isinstance(proxied, str) and proxied != plain:
            wrong.append(f"{sql}\n   -> {proxied} (directly: {str(plain)[:200]})")
        elif not HIDDEN.search(sql) and not CHANGING.search(sql) and plain != proxied:
            wrong.append(f"{sql}\n   -> {proxied!r:.200}\n   directly {plain!r:.200}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(CORPUS[part])}", *wrong])


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
