"""A refused statement never reaches the backend, and the session stays in sync and usable."""

from __future__ import annotations

import json
from collections.abc import Awaitable

import psycopg
import pytest

from kit.wire_world import RULE, ScriptedJudge, WireWorld, refused
from tollhouse_core.decision import Refusal, Verdict
from tollhouse_core.operation import Operation

pytestmark = pytest.mark.postgres


def deny_writes(judge: ScriptedJudge, operation: Operation) -> Verdict | Awaitable[Verdict] | None:
    return refused() if operation.action in {"DELETE", "DROP TABLE"} else None


@pytest.fixture
def client(world: WireWorld) -> psycopg.Connection:
    world.gate.deciding = deny_writes
    with psycopg.connect(world.dsn(), autocommit=True) as made:
        yield made  # type: ignore[misc]


def count(client: psycopg.Connection) -> int:
    row = client.execute("SELECT count(*) FROM customers").fetchone()
    assert row is not None
    return int(row[0])


def status(client: psycopg.Connection) -> str:
    return client.info.transaction_status.name


def test_a_denial_says_which_rule_why_and_what_would_be_allowed(client: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as found:
        client.execute("DELETE FROM customers")
    said = found.value.diag
    assert said.message_primary == "denied by policy support, rule never: Ask somebody else."
    assert said.message_hint == "Read something else."
    assert said.message_detail is not None
    assert json.loads(said.message_detail) == {
        "decision": "deny",
        "policy": RULE.policy,
        "rule": RULE.rule,
        "revision": "sha256:one",
        "hint": "Read something else.",
    }
    assert count(client) == 3


def test_a_denied_text_runs_none_of_its_statements(client: psycopg.Connection, world: WireWorld) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute("INSERT INTO customers (id, name) VALUES (77, 'x'); DELETE FROM customers; SELECT 1")
    assert count(client) == 3
    ended = [done for done in world.gate.sessions[0].done if done.outcome.value == "Cancelled"]
    assert len(ended) == 1


def test_a_denial_in_a_transaction_aborts_it_as_any_error_would(client: psycopg.Connection) -> None:
    client.execute("BEGIN")
    client.execute("INSERT INTO customers (id, name) VALUES (77, 'x')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute("DELETE FROM customers")
    assert status(client) == "INERROR"
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        client.execute("SELECT 1")
    client.execute("COMMIT")
    assert status(client) == "IDLE"
    assert count(client) == 3


def test_a_savepoint_survives_a_denial(client: psycopg.Connection) -> None:
    with client.transaction(force_rollback=True):
        client.execute("SAVEPOINT s")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("DELETE FROM customers")
        client.execute("ROLLBACK TO s")
        assert count(client) == 3


def test_a_denial_in_the_extended_protocol_leaves_the_session_in_sync(client: psycopg.Connection) -> None:
    for _ in range(3):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("DELETE FROM customers WHERE id = %s", (1,), prepare=True)
        assert client.execute("SELECT %s::int", (4,)).fetchone() == (4,)
    assert count(client) == 3


def test_a_denial_in_a_transaction_with_parameters(client: psycopg.Connection) -> None:
    client.execute("BEGIN")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute("DELETE FROM customers WHERE id = %s", (1,))
    assert status(client) == "INERROR"
    client.execute("ROLLBACK")
    assert count(client) == 3


def test_a_denial_in_a_pipeline_undoes_what_stood_before_it(client: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), client.pipeline() as pipeline:  # noqa: PT012
        client.execute("INSERT INTO customers (id, name) VALUES (%s, 'x')", (78,))
        client.execute("DELETE FROM customers WHERE id = %s", (1,))
        client.execute("INSERT INTO customers (id, name) VALUES (%s, 'x')", (79,))
        pipeline.sync()
    assert count(client) == 3


def test_refusals_have_their_own_codes(client: psycopg.Connection, world: WireWorld) -> None:
    cases = [
        (refused("x", Refusal.LIMIT, retry_after_seconds=3.5), "53400", {"retryAfter": 3.5}),
        (refused("x", Refusal.PENDING, request="orders-db-x7k2p"), "TH001", {"request": "orders-db-x7k2p"}),
        (refused("x", Refusal.UNAVAILABLE), "08006", {}),
        (refused("x", Refusal.CANCELLED), "57014", {}),
    ]
    for verdict, code, detail in cases:
        world.gate.deciding = lambda judge, operation, verdict=verdict: verdict
        with pytest.raises(psycopg.Error) as found:
            client.execute("SELECT 1")
        assert found.value.sqlstate == code
        assert detail.items() <= json.loads(found.value.diag.message_detail or "{}").items()
    world.gate.deciding = None
    assert count(client) == 3


def test_what_cannot_be_read_is_refused_and_recorded(client: psycopg.Connection, world: WireWorld) -> None:
    with pytest.raises(psycopg.errors.SyntaxError) as found:
        client.execute("SELECT  FORM customers x y")
    assert found.value.diag.statement_position is not None
    assert world.gate.sessions[0].judged[-1].opaque
    with pytest.raises(psycopg.errors.SyntaxError):
        client.execute("SELEC %s", (1,))
    assert count(client) == 3


def test_a_limit_on_rows_ends_the_result_with_an_error(client: psycopg.Connection, world: WireWorld) -> None:
    world.gate.most_rows = 100
    assert len(client.execute("SELECT n FROM numbers LIMIT 50").fetchall()) == 50
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as found:
        client.execute("SELECT * FROM numbers")
    assert json.loads(found.value.diag.message_detail or "{}")["retryAfter"] == 7.0
    assert status(client) == "IDLE"
    world.gate.most_rows = None
    assert count(client) == 3


def test_reserved_names_and_changed_encodings_are_refused(client: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error):
        client.execute("SET client_encoding = 'LATIN1'")
    with pytest.raises(psycopg.Error):
        client.execute("SET standard_conforming_strings = off")
    assert count(client) == 3


def test_a_changed_policy_binds_the_next_run_of_a_prepared_statement(
    client: psycopg.Connection, world: WireWorld
) -> None:
    assert client.execute("SELECT id FROM customers WHERE id = %s", (1,), prepare=True).fetchall() == [(1,)]
    world.gate.deciding = lambda judge, operation: refused() if operation.action == "SELECT" else None
    world.gate.revision = "sha256:two"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute("SELECT id FROM customers WHERE id = %s", (1,), prepare=True)
    world.gate.deciding = None
    world.gate.revision = "sha256:three"
    assert client.execute("SELECT id FROM customers WHERE id = %s", (1,), prepare=True).fetchall() == [(1,)]


def test_parameters_are_told_to_the_judge(client: psycopg.Connection, world: WireWorld) -> None:
    client.execute("SELECT %s::int, %b::int, %s::text", (7, 8, "nine"))
    assert world.gate.sessions[0].judged[-1].parameters == ("7", "8", "nine")
