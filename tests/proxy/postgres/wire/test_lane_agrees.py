"""With the lane and the cache, with the cache alone, and with neither: the same bytes, the same audit.

Streams of what clients send, friendly and not, cut anywhere, with policies, catalog, path, limits, time and
the audit moving in between, are led through three conversations of which only one has the fast lane and only
two remember decisions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some

from kit.guard_world import READ_ORDERS
from kit.lane_world import ALICE, ALLOW, BOB, DDL, House, Talk
from kit.wire_transcript import FLUSH, SYNC, bind, execute, parse, query
from tollhouse_proxy.exchange import ClientGone, Close, Effect, EndNow, EndReason, EndWhenIdle
from tollhouse_proxy.protocols.postgres.wire import backend, frontend
from tollhouse_proxy.protocols.postgres.wire.backend import ParameterStatus
from tollhouse_proxy.protocols.postgres.wire.body import message

NO_ORDERS = {"name": "no-orders", "deny": {"sql": {"access": ["Select"], "tables": ["orders"]}}}
MASK = {"name": "mask", "mask": {"columns": ["customers.email"], "with": {"redact": {}}}}
CARDS = {"name": "cards", "mask": {"content": ["PaymentCard"], "with": {"redact": {}}}}
QUERIES = {"name": "pace", "limit": {"queries": 7, "per": "1m"}}
WARNS = {"name": "pace", "limit": {"queries": 3, "per": "1m"}, "mode": "Warn"}
ROWS = {"name": "rows", "limit": {"rows": 9, "per": "1m"}}
HAS_WHERE = {**ALLOW, "when": "operation.hasWhere || operation.action != 'SELECT'"}
WRITES = {"name": "write", "allow": {"sql": {"access": ["Insert", "Update"], "tables": ["*"]}}}
IN_WORDS = {
    "name": "words",
    "allow": {"sql": {"access": ["Select"], "tables": ["*"]}},
    "when": "operation.text.contains('2')",
}
POLICIES = (
    (ALLOW, DDL),
    (ALLOW, DDL, NO_ORDERS),
    (ALLOW, MASK),
    (ALLOW, CARDS),
    (ALLOW, QUERIES),
    (ALLOW, WARNS),
    (ALLOW, ROWS),
    (READ_ORDERS,),
    (HAS_WHERE, DDL),
    (WRITES, IN_WORDS),
)
TEXTS = (
    "SELECT id FROM products WHERE id = {}",
    " SELECT title FROM products WHERE price < {} ;",
    "SELECT email FROM customers WHERE id = {}",
    "SELECT * FROM customers_v WHERE id = {}",
    "SELECT note FROM orders WHERE id IN ({}, 4)",
    "select title, price from products order by {}",
    "INSERT INTO products VALUES ({}, 'x', 1)",
    "INSERT INTO products (id, title) VALUES (-{}, '4111 1111 1111 1111')",
    "SELECT 'fail {}' FROM products",
    "SELECT 'notice {}' FROM products",
    "INSERT INTO products VALUES ({}, 'fail row', 1)",
    "UPDATE products SET title = 'fail row' WHERE id = {}",
    "SELECT 'many {}' FROM products",
    "SELECT {} AS a; SELECT 2",
    "SELECT set_config('work_mem', '{}', false)",
    "UPDATE products SET price = {} WHERE id = 2",
    "DELETE FROM products WHERE id = {}",
    "SELECT no_such FROM nothing WHERE x = {}",
    "SELECT 'ü{}' FROM products",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SET search_path TO priv, public",
    "SET search_path TO public",
    "SELECT id FROM customers WHERE id = {}",
    "CREATE TABLE made{} (id int)",
    "SET work_mem TO '4MB'",
    "DECLARE c CURSOR FOR SELECT id FROM products",
    "PREPARE p AS SELECT id FROM products",
    "",
    ";",
)
Step = Callable[[Talk], None]


def extended(text: str, number: int, shape: str) -> bytes:
    """One batch in a shape that drivers send; `number` goes in as text or as a parameter."""
    held = text.format("$1") if "$" in shape else text.format(number)
    values: tuple[bytes | None, ...] = (str(number).encode(),) if "$" in shape else ()
    parts = {
        "P": parse(held),
        "p": parse(held, "s1"),
        "B": bind(values=values),
        "b": bind("s1", values=values),
        "D": frontend.Describe("P", "").encode(),
        "d": frontend.Describe("S", "s1").encode(),
        "E": execute(),
        "e": execute(rows=2),
        "C": frontend.Close("P", "").encode(),
        "S": SYNC,
        "H": FLUSH,
    }
    return b"".join(parts[one] for one in shape if one != "$")


SHAPES = (
    "PBDES",
    "$PBDES",
    "PBES",
    "$pdS",
    "$bES",
    "bDES",
    "$bDES",
    "pbES",
    "PBDeES",
    "PH",
    "$bH",
    "S",
    "pBES",
    "bDECS",
)


def ask(text: str, number: int, talk: Talk) -> None:
    talk.ask(query(text.format(number)))


def batch(text: str, number: int, shape: str, talk: Talk) -> None:
    talk.ask(extended(text, number, shape))


def pipelined(first: str, second: str, number: int, talk: Talk) -> None:
    talk.ask(query(first.format(number)), query(second.format(number)))


def unanswered(text: str, number: int, talk: Talk) -> None:
    talk.ask(query(text.format(number)), answered=False)


def policy(number: int, talk: Talk) -> None:
    talk.house.apply(*POLICIES[number])


def wait(seconds: float, talk: Talk) -> None:
    talk.house.world.clock.forward(seconds)


def _elsewhere(talk: Talk) -> None:
    """Another session of the proxy changes a view."""
    talk.server.redefine_the_view()
    talk.house.shelf.moved()


def _unseen(talk: Talk) -> None:
    """Somebody who does not come through the proxy changes it."""
    talk.server.redefine_the_view()


def _audit(talk: Talk) -> None:
    talk.house.world.sink.broken = not talk.house.world.sink.broken


def _look(talk: Talk) -> None:
    """As the runtime does for its time limits."""
    assert talk.machine.busy in {True, False}
    assert talk.machine.idle in {True, False}


def told(data: bytes, talk: Talk) -> None:
    talk.tell(data)


def raw(data: bytes, talk: Talk) -> None:
    talk.ask(data)


def received(happening: ClientGone | EndNow | EndWhenIdle, talk: Talk) -> None:
    talk.machine.receive(happening)


def cancelled(talk: Talk) -> None:
    talk.machine.cancel()


RARE: tuple[Step, ...] = (
    _elsewhere,
    _unseen,
    _audit,
    cancelled,
    _look,
    partial(told, backend.Report("N", {"S": "NOTICE", "V": "NOTICE", "C": "00000", "M": "hello"}).encode()),
    partial(told, ParameterStatus("search_path", "priv").encode()),
    partial(told, ParameterStatus("TimeZone", "UTC").encode()),
    partial(told, message(b"A", b"\0\0\0\1c\0p\0")),
    partial(told, message(b"C", b"SELECT 1\0")),
    partial(raw, b"Q\0\0\0\x08a\0b\0"),
    partial(raw, b"Q\0\0\0\x07ab\0"),
    partial(raw, b"Q\0\0\0\x08SEL\xff\0"[:9]),
    partial(raw, query("SELECT id FROM products WHERE id = 1") + b"X\0\0\0\4"),
    partial(raw, b"!\0\0\0\4"),
    partial(raw, message(b"d", b"data")),
    partial(raw, message(b"F", b"\0\0\0\1")),
    partial(received, ClientGone()),
    partial(received, EndWhenIdle("drain")),
    partial(received, EndNow(EndReason.IDLE, "too long")),
)
numbers = some.integers(0, 6)
texts = some.sampled_from(TEXTS)
likely = some.sampled_from(TEXTS[:5])
steps = some.one_of(
    some.builds(partial, some.just(ask), likely, numbers),
    some.builds(partial, some.just(ask), likely, numbers),
    some.builds(partial, some.just(ask), texts, numbers),
    some.builds(partial, some.just(batch), likely, numbers, some.sampled_from(SHAPES)),
    some.builds(partial, some.just(batch), likely, numbers, some.sampled_from(SHAPES)),
    some.builds(partial, some.just(batch), texts, numbers, some.sampled_from(SHAPES)),
    some.builds(partial, some.just(pipelined), texts, likely, numbers),
    some.builds(partial, some.just(unanswered), likely, numbers),
    some.builds(partial, some.just(policy), some.integers(0, len(POLICIES) - 1)),
    some.builds(partial, some.just(wait), some.sampled_from([0.001, 0.5, 1.5, 61.0])),
    some.sampled_from(RARE),
)


def _shown(effect: Effect) -> str:
    return repr(effect) if isinstance(effect, Close) else type(effect).__name__


def led(
    steps: list[tuple[int, Step]], seed: int | None, *, lane: bool, cache: bool
) -> tuple[list[object], int]:
    """What came of it, and how many chunks the lane took."""
    house = House(lane=lane, cache=cache)
    talks = [Talk(house, who, seed) for who in (ALICE, ALICE, BOB)]
    seen: list[object] = []
    for who, step in steps:
        talk = talks[who]
        if talk.over:
            talk = talks[who] = Talk(house, ALICE if who < 2 else BOB, seed) if house.admits else talk
        if talk.over:
            continue
        step(talk)
        talk.settle()
        seen.append((bytes(talk.said), bytes(talk.sent), [_shown(one) for one in talk.effects]))
        seen.append((talk.machine.busy, talk.machine.idle, talk.server.ran[-1:]))
    return [*seen, *house.audit(), repr(vars(house.world.counters))], sum(talk.passed for talk in talks)


SAME = TEXTS[0]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=some.lists(some.tuples(some.sampled_from([0, 0, 0, 1, 2]), steps), min_size=1, max_size=30),
    seed=some.one_of(some.none(), some.integers(0, 1000)),
)
@example(steps=[(0, partial(ask, SAME, number)) for number in range(4)], seed=None)
@example(
    steps=[
        (0, partial(ask, SAME, 1)),
        (0, partial(ask, SAME, 2)),
        (0, partial(policy, 7)),
        (0, partial(ask, SAME, 3)),
    ],
    seed=None,
)
@example(
    steps=[
        (0, partial(ask, TEXTS[3], 1)),
        (0, partial(ask, TEXTS[3], 2)),
        (0, partial(policy, 1)),
        (0, _elsewhere),
        (0, partial(ask, TEXTS[3], 3)),
    ],
    seed=None,
)
def test_lane_and_cache_change_nothing_that_anybody_sees(
    steps: list[tuple[int, Step]], seed: int | None
) -> None:
    with_lane, _ = led(steps, seed, lane=True, cache=True)
    assert with_lane == led(steps, seed, lane=False, cache=True)[0]
    assert with_lane == led(steps, seed, lane=False, cache=False)[0]


def test_the_lane_takes_what_this_is_about() -> None:
    _, passed = led([(0, partial(ask, SAME, number)) for number in range(10)], None, lane=True, cache=True)
    assert passed == 18
