"""The fast lane before a real server and with the real guard: what changes is felt by the very next
statement, although the one before it was passed as known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from kit.guard_world import World, policy_document
from kit.postgres import Postgres
from kit.wire_world import WireWorld
from tollhouse_core.identity import Identity, Proof
from tollhouse_proxy.protocols.postgres.lane import Lane

pytestmark = pytest.mark.postgres

READ = {"name": "read", "allow": {"sql": {"access": ["Select"], "tables": ["*"]}}}
VIEWS = {"name": "views", "allow": {"sql": {"commands": ["CREATE VIEW"]}}}
NO_CUSTOMERS = {"name": "no", "deny": {"sql": {"access": ["Select"], "tables": ["customers"]}}}
MASK = {
    "name": "mask",
    "mask": {"columns": ["customers.email"], "with": {"redact": {"text": "[hidden]"}}},
}
PACE = {"name": "pace", "limit": {"queries": 5, "per": "1m"}}
ALICE, BOB = (Identity(name, "corp", Proof.OIDC, groups=("support-agents",)) for name in ("alice", "bob"))


@pytest.fixture
def guard() -> World:
    return World(policy_document(READ))


@pytest.fixture
def proxy(postgres: Postgres, shop: str, guard: World, serve: Callable[[WireWorld], WireWorld]) -> WireWorld:
    known = {"token-of-triage": ALICE, "token-of-bob": BOB}
    return serve(WireWorld(postgres, shop, guard=guard.gate, known=known))


@pytest.fixture
def client(proxy: WireWorld) -> Iterator[psycopg.Connection]:
    with psycopg.connect(proxy.dsn(), autocommit=True) as made:
        yield made


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each statement that went by the lane, both ways."""
    found: list[int] = []
    server = Lane.server

    def counting(lane: Lane, data: bytes) -> bool:
        took = server(lane, data)
        if took:
            found.append(1)
        return took

    monkeypatch.setattr(Lane, "server", counting)
    return found


def simply(client: psycopg.Connection, number: int) -> object:
    """A Query with a literal of its own."""
    done = client.pgconn.exec_(b"SELECT email FROM customers WHERE id = %d" % number)
    return done.get_value(0, 0) if done.ntuples else done.error_message.decode()


def prepared(client: psycopg.Connection, number: int) -> object:
    """A batch that binds what was prepared."""
    done = client.pgconn.exec_prepared(b"one", [str(number).encode()])
    if b'"one" does not exist' in done.error_message:
        client.pgconn.prepare(b"one", b"SELECT email FROM customers WHERE id = $1")
        done = client.pgconn.exec_prepared(b"one", [str(number).encode()])
    return done.get_value(0, 0) if done.ntuples else done.error_message.decode()


def parsed(client: psycopg.Connection, number: int) -> object:
    """A batch that parses anew each time."""
    done = client.pgconn.exec_params(b"SELECT email FROM customers WHERE id = $1", [str(number).encode()])
    return done.get_value(0, 0) if done.ntuples else done.error_message.decode()


WAYS = [simply, prepared, parsed]
Way = Callable[[psycopg.Connection, int], object]


@pytest.mark.parametrize("way", WAYS)
def test_a_denial_and_a_mask_bind_the_very_next_statement_and_leave_with_the_next(
    client: psycopg.Connection, guard: World, passed: list[int], way: Way
) -> None:
    for number in (1, 2, 1):
        assert way(client, number) in {b"ann@shop.example", b"bob@shop.example"}
    assert passed
    guard.apply(policy_document(READ, NO_CUSTOMERS))
    assert "denied by policy support, rule no" in str(way(client, 1))
    guard.apply(policy_document(READ, MASK))
    for _ in range(3):
        assert way(client, 1) == b"[hidden]"
    guard.apply(policy_document(READ))
    for number in (1, 2, 1):
        assert way(client, number) in {b"ann@shop.example", b"bob@shop.example"}
    decided = [one.data["decision"] for one in guard.sink.events if one.kind == "OperationDecided"]
    assert decided.count("deny") >= 1
    assert guard.sink.kinds().count("OperationCompleted") == decided.count("allow")


def test_a_view_made_anew_in_another_session_is_judged_anew(
    client: psycopg.Connection, proxy: WireWorld, guard: World, passed: list[int]
) -> None:
    guard.apply(policy_document(READ, VIEWS, NO_CUSTOMERS))
    with psycopg.connect(proxy.dsn(), autocommit=True) as maker:
        maker.execute("CREATE OR REPLACE VIEW laned AS SELECT id, body FROM notes")
        for number in range(1, 4):
            client.pgconn.exec_(b"SELECT body FROM laned WHERE id = %d" % number)
        assert passed
        uncovering = "CREATE OR REPLACE VIEW laned AS SELECT id, email AS body FROM customers"
        proxy.server.psql(uncovering, database=proxy.database)
        maker.execute("CREATE OR REPLACE VIEW laned_too AS SELECT 1 AS one")
        said = client.pgconn.exec_(b"SELECT body FROM laned WHERE id = 1")
        assert "denied by policy support, rule no" in said.error_message.decode()


@pytest.mark.parametrize("way", WAYS)
def test_a_limit_on_queries_counts_what_the_lane_passes(
    client: psycopg.Connection, guard: World, passed: list[int], way: Way
) -> None:
    way(client, 1)
    guard.apply(policy_document(READ, PACE))
    answers = [way(client, 1) for _ in range(8)]
    assert passed
    assert answers.count(b"ann@shop.example") == 5
    assert all("are used up" in str(answer) for answer in answers[5:])


def test_what_is_known_for_alice_is_not_for_bob(
    client: psycopg.Connection, proxy: WireWorld, guard: World, passed: list[int]
) -> None:
    guard.apply(policy_document({**READ, "when": "identity.name == 'alice'"}))
    for number in (1, 2, 1):
        assert simply(client, number)
    assert len(passed) == 2
    with psycopg.connect(proxy.dsn().replace("token-of-triage", "token-of-bob"), autocommit=True) as other:
        assert "denied: no rule allows Select on public.customers to bob" in str(simply(other, 1))
    assert len(passed) == 2
