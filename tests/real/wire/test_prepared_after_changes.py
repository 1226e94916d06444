"""What was prepared runs on after the catalog has changed."""

from __future__ import annotations

import psycopg
import pytest

from kit.wire_world import WireWorld

pytestmark = pytest.mark.postgres


def test_a_prepared_statement_runs_at_once_after_the_sessions_own_change(world: WireWorld) -> None:
    """As isolationtester's own session does: Bind, Describe, Execute and Sync in one packet."""
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        link = client.pgconn
        assert (
            link.prepare(b"waiting", b"SELECT pg_backend_pid() = $1").status
            == psycopg.pq.ExecStatus.COMMAND_OK
        )
        for step in ("CREATE TABLE passing (a int)", "ALTER TABLE passing ADD b int", "DROP TABLE passing"):
            client.execute(step.encode())
            found = link.exec_prepared(b"waiting", [str(link.backend_pid).encode()])
            assert found.get_value(0, 0) == b"t", found.error_message
            found = link.exec_prepared(b"waiting", [b"1"])
            assert found.get_value(0, 0) == b"f", found.error_message


def test_a_prepared_statement_runs_at_once_after_a_change_of_another_session(world: WireWorld) -> None:
    with (
        psycopg.connect(world.dsn(), autocommit=True) as client,
        psycopg.connect(world.dsn(), autocommit=True) as other,
    ):
        link = client.pgconn
        assert (
            link.prepare(b"waiting", b"SELECT pg_backend_pid() = $1").status
            == psycopg.pq.ExecStatus.COMMAND_OK
        )
        pid = str(link.backend_pid).encode()
        steps = ("CREATE TABLE passing (a int)", "BEGIN", "ALTER TABLE passing ADD b int", "COMMIT")
        for step in (
            *steps,
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "SELECT 1 FROM passing",
            "COMMIT",
            "DROP TABLE passing",
        ):
            other.execute(step.encode())
            for _ in range(2):
                found = link.exec_prepared(b"waiting", [pid])
                assert found.status == psycopg.pq.ExecStatus.TUPLES_OK, (step, found.error_message)
