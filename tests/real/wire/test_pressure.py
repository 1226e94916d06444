"""A side that does not read holds the other one up; memory does not grow with what waits."""

from __future__ import annotations

import resource
import socket

import psycopg
import pytest

from kit import wait
from kit.wire_world import TOKEN, WireWorld
from tollhouse_proxy.protocols.postgres.wire.frontend import PasswordMessage, Query
from tollhouse_proxy.protocols.postgres.wire.startup import StartupMessage

pytestmark = pytest.mark.postgres

MANY = "SELECT n, repeat('x', 1000) FROM generate_series(1, 300000) AS n"
STUCK = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%300000%' AND wait_event = 'ClientWrite'"
KIB = 1024


def logged_in(world: WireWorld) -> socket.socket:
    client = socket.create_connection((world.host, world.port), timeout=20)
    client.sendall(StartupMessage(3, 0, (("user", "ann"), ("database", world.database))).encode())
    client.sendall(PasswordMessage(TOKEN.encode()).encode())
    seen = b""
    while not seen.endswith(b"Z\0\0\0\x05I"):
        piece = client.recv(4096)
        assert piece
        seen += piece
    return client


def test_a_client_that_does_not_read_stops_the_backend(world: WireWorld) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with logged_in(world) as client:
        client.sendall(Query(MANY.encode()).encode())
        wait.until(lambda: world.server.value(STUCK) == "1", what="the backend waits for its client")
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 64 * KIB
        seen, tail = 0, b""
        while not tail.endswith(b"Z\0\0\0\x05I"):
            piece = client.recv(1 << 20)
            assert piece
            seen += len(piece)
            tail = (tail + piece)[-6:]
        assert seen > 300_000_000
    wait.until(lambda: world.gate.sessions[0].closed)
    assert world.gate.sessions[0].done[0].rows == 300_000


def test_a_client_that_vanishes_in_the_middle_of_a_result_is_recorded(world: WireWorld) -> None:
    client = logged_in(world)
    client.sendall(Query(MANY.encode()).encode())
    wait.until(lambda: world.server.value(STUCK) == "1", what="the backend waits for its client")
    client.close()
    wait.until(lambda: world.gate.sessions[0].closed, what="the session's end is recorded")
    assert [one.outcome.value for one in world.gate.sessions[0].done] == ["Lost"]
    wait.until(
        lambda: (
            world.server.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%300000%'") == "1"
        ),
        what="the backend's session is gone (only the question itself is left)",
    )


def test_a_backend_that_takes_its_time_holds_the_client_up(world: WireWorld) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        client.execute("CREATE TEMP TABLE sink (line text)")
        with client.cursor().copy("COPY sink FROM STDIN") as copy:
            for _ in range(400):
                copy.write(b"y" * 50_000 + b"\n")
        assert client.execute("SELECT count(*), sum(length(line)) FROM sink").fetchone() == (400, 20_000_000)


def test_a_killed_backend_ends_the_session_in_words(world: WireWorld) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        pid = client.info.backend_pid
        world.server.value(f"SELECT pg_terminate_backend({pid})")
        wait.until(lambda: world.gate.sessions[0].closed, what="the session's end is recorded")
        assert world.gate.sessions[0].closed[0].startswith("backend")
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
