"""Two hundred statements wait for people at once; others work; each ends as people said, and no otherwise."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kit import wait
from kit.approving import Approving, approving, deletes_need
from kit.postgres import Postgres
from tollhouse_core.identity import Identity, Proof
from tollhouse_proxy.guard.asking import MOST_OPEN

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(600)]
WAITING = 200
AGENTS = 4
STATEMENTS = 100
SHOP = f"""
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT n, '' FROM generate_series(1, {WAITING + 1}) AS n;
"""


@pytest.fixture
def asking(postgres: Postgres, tmp_path: Path) -> Iterator[Approving]:
    assert WAITING <= AGENTS * MOST_OPEN
    known = {
        f"token-{number}": Identity(f"agent-{number}", "corp", Proof.OIDC) for number in range(AGENTS + 1)
    }
    with approving(tmp_path, postgres, postgres.create_database(sql=SHOP), known) as made:
        made.policy(deletes_need())
        yield made


def agent(held: ExitStack, asking: Approving, number: int) -> psycopg.Connection[Any]:
    """A session of agent-`number`; closed at the end, whatever it is at then."""
    client = asking.connect(password=f"token-{number}")
    held.callback(client.close)
    return client


def left(asking: Approving) -> set[int]:
    """The orders there are in truth."""
    found = asking.world.server.value(
        "SELECT string_agg(id::text, ' ') FROM orders", database=asking.world.database
    )
    return set(map(int, found.split()))


def outcome(client: psycopg.Connection[Any]) -> str:
    """How the statement under way ends: its tag, or its SQLSTATE.

    psycopg's get_result holds the interpreter while it waits, and the proxy is a thread of it.
    """
    said: list[str] = []
    while True:
        while client.pgconn.is_busy():
            assert select.select([client.pgconn.socket], [], [], 300)[0], "it goes on waiting"
            client.pgconn.consume_input()
        result = client.pgconn.get_result()
        if result is None:
            (one,) = said
            return one
        state = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
        said.append((state or result.command_status or b"").decode())


def test_two_hundred_wait_while_another_works_and_each_ends_as_people_say(asking: Approving) -> None:
    orders = set(range(1, WAITING + 2))
    with ExitStack() as held:
        clients = {}
        for order in range(1, WAITING + 1):
            client = agent(held, asking, order % AGENTS)
            client.pgconn.send_query(f"DELETE FROM orders WHERE id = {order}".encode())
            clients[order] = client
        # Counted, not read: two hundred of them take a second, and the proxy is a thread of this process.
        wait.until(
            lambda: len(list(asking.requests.paths())) == WAITING,
            within=300,
            what="all are asked about",
            every=0.1,
        )

        with asking.connect(password=f"token-{AGENTS}") as working:
            for number in range(STATEMENTS):
                done = working.execute(f"UPDATE orders SET note = '{number}' WHERE id = {WAITING + 1}")
                assert done.rowcount == 1
        requests = asking.all()
        assert [one.status.phase.value for one in requests] == ["Pending"] * WAITING
        assert left(asking) == orders

        even = {order for order in clients if order % 2 == 0}
        for request in requests:
            order = int(request.spec.operation.text.split()[-1])
            decision = "Approved" if order in even else "Denied"
            assert asking.vote(request.name, "alice", "managers", decision=decision) == ""
        ends = {order: outcome(client) for order, client in clients.items()}

    assert ends == {order: "DELETE 1" if order in even else "42501" for order in clients}
    assert left(asking) == orders - even
    written = [path.read_text() for path in asking.requests.paths()]
    ended = [sum(f"\n  phase: {phase}\n" in text for text in written) for phase in ("Used", "Denied")]
    assert ended == [len(even), WAITING - len(even)]
