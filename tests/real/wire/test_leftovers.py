"""What a session leaves behind in the proxy's memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from kit import wait
from kit.wire_world import WireWorld
from tollhouse_proxy.protocols.postgres.conversation import PostgresMachine
from tollhouse_proxy.protocols.postgres.desk import Desk
from tollhouse_proxy.protocols.postgres.lane import Lane
from tollhouse_proxy.protocols.postgres.ledger import Hidden, Owed
from tollhouse_proxy.protocols.postgres.server_side import ServerSide
from tollhouse_proxy.protocols.postgres.sql.renewal import Renewal
from tollhouse_proxy.protocols.postgres.upkeep import Upkeep
from tollhouse_proxy.runtime.dialing import BackendWire
from tollhouse_proxy.runtime.lease import Lease

KINDS = (PostgresMachine, Upkeep, Desk, ServerSide, Lane, Owed, Hidden, Renewal, BackendWire, Lease)
"""Not ClientSession and SessionState: the scripted gate of these tests remembers whom to tell."""
SESSIONS = 5


@contextmanager
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def alive() -> dict[str, int]:
    """How many there are of what a session consists of."""
    kinds = [type(one) for one in gc.get_objects()]
    return {kind.__name__: kinds.count(kind) for kind in KINDS}


def of_everything(world: WireWorld) -> None:
    with psycopg.connect(world.dsn(), autocommit=True) as client:
        client.execute("SELECT id, name FROM customers")
        client.execute("SELECT id, name FROM customers WHERE id = %s", [1], prepare=True)
        client.execute("DROP TABLE IF EXISTS left_over")
        client.execute("CREATE TABLE left_over (id int)")
        client.execute("SELECT * FROM left_over")
        with suppress(psycopg.Error):
            client.execute("SELECT 1 / 0")
        with client.transaction(), client.cursor(name="some") as some:
            some.execute("SELECT * FROM numbers")
            some.fetchmany(5)
        with client.cursor().copy("COPY numbers TO STDOUT") as copy:
            assert len(list(copy)) == 5000
        client.cancel_safe()  # the other one holds the interpreter while it waits for us


def test_an_ended_session_is_gone_without_the_garbage_collector(world: WireWorld) -> None:
    """Collections of everything are rare (see `runtime.memory`): thousands of sessions would wait for one."""
    of_everything(world)
    with no_collector():
        before = alive()
        for _ in range(SESSIONS):
            of_everything(world)
        wait.until(
            lambda: alive() == before,
            within=20,
            what="the sessions are gone",
        )
