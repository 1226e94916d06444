"""What honest tools and people send answers as it does where masks and filter were made by hand.

`benign/by_hand/` holds a second corpus, written without a look at the first, for a schema of its own. There
are two copies of its database: one behind a proxy whose policy masks columns of many types and filters a
table, and one in which the masked values stand in the table and the rows outside the filter are gone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from kit.postgres import Postgres
from kit.threat_world import Guarded, identities
from kit.wire_world import WireWorld, running

pytestmark = pytest.mark.postgres

FOLDER = Path(__file__).parent / "benign/by_hand"
MASKED = (
    *("email", "contact", "full_name", "card_number", "phone", "salary"),
    *("birth_date", "token", "home", "last_ip"),
)
RULES = """
- allow: {sql: {access: [Select, Insert, Update, Delete, Truncate], tables: ["*"]}}
- allow: {sql: {access: [Select], tables: ["pg_catalog.pg_stat_*", "pg_catalog.pg_statio_*"]}}
- allow: {sql: {access: [Select], tables: [pg_catalog.pg_replication_slots]}}
- allow: {sql: {commands: ["*"]}}
- allow: {sql: {functions: ["public.*"]}}
- mask: {columns: [app_user.email, app_user.contact], with: {partial: {keepFirst: 3, keepLast: 4}}}
- mask: {columns: [app_user.full_name, app_user.last_ip], with: {redact: {}}}
- mask: {columns: [app_user.card_number, app_user.phone], with: {partial: {keepLast: 4}}}
- mask: {columns: [app_user.salary], with: {bucket: {width: 1000}}}
- mask: {columns: [app_user.birth_date], with: {truncate: {to: Year}}}
- mask: {columns: [app_user.token, app_user.home], with: {nullify: {}}}
- mask: {columns: [purchase.note], content: [PaymentCard], with: {redact: {}}}
- filter: {tables: [purchase], where: "account_id = {{ identity.claims.tenant }}", writes: Check}
"""
OTHERWISE = re.compile(
    r"current_database|uuid|xact|txid|postmaster|age\(|_backup|pg_stat|pg_class|_size\(|pg_sequences|pg_constraint|pg_index"
    r"|pg_settings|information_schema|nextval|oid FROM|pg_type|pg_attribute|pg_proc|pg_locks|EXPLAIN|now\(\)",
    re.IGNORECASE,
)
"""Answers of these differ from one time or database to the next, or because a copy has lost a constraint."""

Rows = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True)
class One:
    """`steps` run one after the other in a transaction that is undone; `values` are parameters ($1 ...)."""

    steps: tuple[str, ...]
    values: tuple[str, ...] = ()

    @classmethod
    def read(cls, paragraph: str) -> One:
        text, _, values = paragraph.partition("\n-- $ ")
        given = [str(value) for value in json.loads(f"[{values}]")]
        return cls(tuple(text.split(";;\n")), tuple(given))


def corpus(file: Path) -> list[One]:
    paragraphs = [one.strip() for one in file.read_text().split("\n\n")]
    return [One.read(one) for one in paragraphs if one and not re.fullmatch(r"--[^\n]*", one)]


CORPUS = {file.stem: corpus(file) for file in sorted(FOLDER.glob("[0-9]*.sql"))}
CATALOGS = ("4_api_bi", "5_admin")
"""What asks for the catalogs, which differ from release to release, is asked of the oldest too."""


@dataclass
class Copies:
    proxied: Rows
    by_hand: Rows
    release: int


@pytest.fixture(scope="module", params=[15, 18], ids=lambda release: f"postgres{release}")
def copies(request: pytest.FixtureRequest) -> Iterator[Copies]:
    server = request.getfixturevalue(f"postgres{request.param}")
    assert isinstance(server, Postgres)
    template = server.create_database(sql=(FOLDER / "schema.sql").read_text())
    names = [f"{template}_proxied", f"{template}_by_hand"]
    try:
        for name in names:
            server.psql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        gate = Guarded({"agent": RULES}).gate
        with (
            running(WireWorld(server, names[0], guard=gate, known=identities(tenant=1))) as world,
            _session(f"host={world.host} port={world.port} user=x dbname={names[0]} password=agent") as agent,
            _session(server.dsn(names[1])) as plain,
        ):
            _mask_by_hand(agent, plain)
            yield Copies(agent, plain, request.param)
    finally:
        for name in (*names, template):
            server.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _session(dsn: str) -> Rows:
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None, cursor_factory=psycopg.RawCursor)


def _mask_by_hand(agent: Rows, plain: Rows) -> None:
    """The masks' own values are tested elsewhere: here they are what the proxy shows."""
    plain.execute("ALTER TABLE app_user DROP CONSTRAINT app_user_email_key")
    plain.execute("ALTER DOMAIN email_text DROP CONSTRAINT email_text_check")
    plain.execute("SET session_replication_role = replica")
    plain.execute("DELETE FROM purchase WHERE account_id <> 1")
    texts = ", ".join(f"{column}::text" for column in MASKED)
    for row in agent.execute(f"SELECT {texts}, id FROM app_user ORDER BY id".encode()).fetchall():
        values = ", ".join(f"{column} = ${number}" for number, column in enumerate(MASKED, 1))
        plain.execute(f"UPDATE app_user SET {values} WHERE id = ${len(row)}".encode(), row)
    plain.execute("RESET session_replication_role")
    plain.execute("REFRESH MATERIALIZED VIEW top_product")
    shown = "SELECT count(*), count(DISTINCT salary), max(email) FROM app_user"
    assert agent.execute(shown.encode()).fetchone() == plain.execute(shown.encode()).fetchone()


def test_the_second_corpus_is_large_too() -> None:
    assert sum(map(len, CORPUS.values())) >= 400


@pytest.mark.parametrize("part", CORPUS)
def test_masks_and_filter_answer_as_if_made_by_hand(part: str, copies: Copies) -> None:
    if copies.release != 18 and part not in CATALOGS:
        return
    wrong = []
    for number, one in enumerate(CORPUS[part]):
        extended = number % 2 == 1
        plain, proxied = (_answer(copies.by_hand, one, extended), _answer(copies.proxied, one, extended))
        sql = ";\n".join(one.steps)
        differs = plain != proxied and not OTHERWISE.search(sql)
        if differs or isinstance(plain, str) or isinstance(proxied, str):
            wrong.append(f"{sql}\n   -> {proxied!r:.600}\n   by hand {plain!r:.600}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(CORPUS[part])}", *wrong])


def _answer(session: Rows, one: One, extended: bool) -> object:
    """Tags, columns and rows of all steps; an error's words. `extended`: the values come in binary."""
    alone = re.match(r"(BEGIN|START|VACUUM|REFRESH)\b", one.steps[0])
    try:
        if not alone:
            session.execute("BEGIN")
        return [_step(session, step, one.values, extended) for step in one.steps]
    except psycopg.Error as error:
        return f"{error.sqlstate} {error}"
    finally:
        session.execute("ROLLBACK")
        for left, text in _LEFT.items():
            if any(re.search(left, step, re.IGNORECASE) for step in one.steps):
                session.execute(text.encode())


_LEFT = {
    r"\bSET\b|set_config": "RESET ALL",
    r"\bPREPARE\b": "DEALLOCATE ALL",
    r"\bLISTEN\b": "UNLISTEN *",
    "advisory": "SELECT pg_advisory_unlock_all()",
}
"""What a statement leaves behind -> what takes it away."""


def _step(session: Rows, text: str, values: tuple[str, ...], extended: bool) -> object:
    if re.match(r"COPY\b", text):
        with session.cursor() as cursor, cursor.copy(text.encode()) as copy:
            lines = [bytes(chunk) for chunk in copy]
        return lines if "ORDER BY" in text else sorted(lines)
    several = re.search(r";\s*\S", text) is not None
    cursor = session.cursor(binary=extended and not several)
    cursor.execute(text.encode(), values or None)
    found: list[object] = []
    while True:
        columns = [(one.name, one.type_code, one.precision, one.scale) for one in cursor.description or ()]
        rows = [repr(row) for row in cursor.fetchall()] if columns else []
        found.append((cursor.statusmessage, columns, rows if "ORDER BY" in text.upper() else sorted(rows)))
        if not cursor.nextset():
            return found
