"""A session that takes another role: names are read as the server reads them for that role."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator

import psycopg
import pytest

from kit.wire_world import ScriptedJudge, WireWorld, refused
from tollhouse_core.decision import Verdict
from tollhouse_core.operation import Operation

pytestmark = pytest.mark.postgres

CLOSED = """
CREATE ROLE plain;
CREATE SCHEMA closed;
CREATE SCHEMA plain AUTHORIZATION plain;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO plain;
CREATE TABLE closed.numbers AS SELECT -1 AS n, 'closed' AS label;
CREATE TABLE plain.notes AS SELECT 'of plain' AS body;
GRANT SELECT ON closed.numbers, plain.notes TO plain;
"""
OPENED = "DROP SCHEMA closed CASCADE; DROP SCHEMA plain CASCADE; DROP OWNED BY plain; DROP ROLE plain"


@pytest.fixture
def client(world: WireWorld) -> Iterator[psycopg.Connection]:
    with psycopg.connect(world.dsn(), autocommit=True) as made:
        made.execute(CLOSED.encode())
        made.execute("SET search_path = '$user', closed, public")
        yield made
        made.execute("ROLLBACK")
        made.execute("RESET SESSION AUTHORIZATION")
        made.execute("RESET ROLE")
        made.execute(OPENED.encode())


def read(client: psycopg.Connection, world: WireWorld, text: str) -> tuple[object, str]:
    """The first value of a SELECT, and the table it was judged as."""
    cursor = client.execute(text.encode())
    while cursor.nextset():
        pass
    row = cursor.fetchone()
    judged = [one for one in world.gate.sessions[-1].judged if one.action == "SELECT"][-1]
    return (row or ("",))[0], ".".join(judged.accesses[0].path)


@pytest.mark.parametrize(
    "taking", ["SET ROLE plain", "SET SESSION AUTHORIZATION plain", "SET LOCAL ROLE plain"]
)
def test_a_schema_the_role_may_not_use_is_passed_over(
    client: psycopg.Connection, world: WireWorld, taking: str
) -> None:
    label = "SELECT label FROM numbers ORDER BY n LIMIT 1"
    assert read(client, world, label) == ("closed", "closed.numbers")
    client.execute("BEGIN")
    client.execute(taking.encode())
    assert read(client, world, label) == ("row 1", "public.numbers")
    assert read(client, world, "SELECT body FROM notes") == ("of plain", "plain.notes")
    client.execute("ROLLBACK")
    assert read(client, world, label) == ("closed", "closed.numbers")


def test_a_role_taken_within_a_text_counts_for_what_follows(
    client: psycopg.Connection, world: WireWorld
) -> None:
    label = "SELECT label FROM numbers ORDER BY n LIMIT 1"
    assert read(client, world, f"SET ROLE plain; {label}") == ("row 1", "public.numbers")
    assert read(client, world, f"RESET ROLE; {label}") == ("closed", "closed.numbers")


def test_a_role_taken_by_a_function_counts_too(client: psycopg.Connection, world: WireWorld) -> None:
    client.execute("SELECT set_config('role', 'plain', false), set_config('search_path', 'plain', false)")
    assert read(client, world, "SELECT body FROM notes LIMIT 1") == ("of plain", "plain.notes")


def test_what_was_prepared_is_read_anew_for_the_role(client: psycopg.Connection, world: WireWorld) -> None:
    client.execute("PREPARE p AS SELECT label FROM numbers ORDER BY n LIMIT 1")
    client.execute("SET ROLE plain")
    client.execute("EXECUTE p")
    executed = [one for one in world.gate.sessions[-1].judged if "EXECUTE p" in one.text][-1]
    assert ("public", "numbers") in {access.path for access in executed.accesses}


def no_reading(judge: ScriptedJudge, operation: Operation) -> Verdict | Awaitable[Verdict] | None:
    reads = any(access.action == "Select" and access.path[-1] == "customers" for access in operation.accesses)
    return refused() if reads else None


@pytest.mark.parametrize("reading", [True, False])
def test_the_row_that_failed_is_shown_to_whom_may_read_it(world: WireWorld, reading: bool) -> None:
    world.gate.deciding = None if reading else no_reading
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        with pytest.raises(psycopg.errors.NotNullViolation) as caught:
            client.execute("INSERT INTO customers VALUES (90, NULL, 'dee@shop.example')")
        client.execute("PREPARE fails AS INSERT INTO customers VALUES (90, NULL, 'dee@shop.example')")
        with pytest.raises(psycopg.errors.NotNullViolation) as again, psycopg.ClientCursor(client) as simple:
            simple.execute("EXECUTE fails")
    row = "Failing row contains (90, null, dee@shop.example, 1, null)." if reading else None
    assert (caught.value.diag.message_detail, again.value.diag.message_detail) == (row, row)
