"""Non-interference: no statement tells apart two databases that differ in what is hidden only.

Each row of the corpus is a way round a policy proxy; each script of it is sent in every way a driver may
send it, and what comes back is compared byte by byte.
"""

from __future__ import annotations

import psycopg
import pytest

from kit.attacks import BENEATH, MAKING, NAMES, REFUSED, SIDEWAYS, STATEFUL, WRITING, Script
from kit.sql_generator import Generator
from kit.threat_world import SECRETS, Side, Threats

pytestmark = pytest.mark.postgres

COMMANDED = {**MAKING, **NAMES, **SIDEWAYS, **BENEATH}
GENERATED = 120
"""Statements per release here; `make fuzz` makes many more."""


@pytest.mark.parametrize("row", STATEFUL)
def test_nothing_that_is_hidden_shows(row: str, world: Threats) -> None:
    for script in STATEFUL[row]:
        seen = world.run(script, ways="sb")
        if row in REFUSED:
            assert seen.answers[-1].error, script


@pytest.mark.parametrize("row", COMMANDED)
def test_nor_to_one_who_may_run_every_command(row: str, world: Threats) -> None:
    for script in COMMANDED[row]:
        world.run(script, "builder", ways="s")


@pytest.mark.parametrize("row", [row for row in [*STATEFUL, *MAKING] if row not in REFUSED | WRITING])
def test_the_corpus_tells_them_apart_where_nothing_stands_between(row: str, world: Threats) -> None:
    """Else the tests above would prove nothing."""
    assert any(_tells(script, world) for script in {**STATEFUL, **MAKING}[row])


def _tells(script: Script, world: Threats) -> bool:
    texts = (script,) if isinstance(script, str) else script
    first, second = (_direct(texts, side) for side in world.sides)
    return first != second or any(secret in first.encode() for secret in SECRETS)


def _direct(texts: tuple[str, ...], side: Side) -> str:
    said: list[object] = []
    with side.direct() as connection:
        connection.add_notice_handler(lambda notice: said.append(notice.message_primary))
        connection.execute("BEGIN")
        for text in texts:
            connection.execute("SAVEPOINT step")
            try:
                said.append(_rows(connection, text))
            except psycopg.Error as error:
                said.append(str(error))
                connection.execute("ROLLBACK TO step")
        connection.execute("ROLLBACK")
    return repr(said)


def _rows(connection: psycopg.Connection[tuple[object, ...]], text: str) -> object:
    if text.lstrip().upper().startswith("COPY"):
        with connection.cursor() as cursor, cursor.copy(text.encode()) as copy:
            return [] if "STDIN" in text else [bytes(chunk) for chunk in copy]
    cursor = connection.execute(text.encode())
    found: list[object] = [cursor.rowcount]
    while True:
        found.append(cursor.fetchall() if cursor.description else None)
        if not cursor.nextset():
            return found


@pytest.mark.parametrize("seed", range(0, GENERATED, 20))
def test_nor_do_statements_that_nobody_thought_of(seed: int, world: Threats) -> None:
    ran = 0
    for number in range(seed, seed + 20):
        seen = world.run(Generator(number).statement(), ways="sb"[number % 2])
        ran += not seen.error
    assert ran >= 8, "the generator makes statements that fail"
