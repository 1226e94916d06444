"""Content masks: what they look for shows nowhere, whatever says it and in whatever form.

As in the other tests here, everything goes to two databases that differ only in what is to be masked.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.postgres import Postgres
from kit.threat_world import Threats, threats
from tollhouse_proxy.protocols.postgres.wire.backend import NotificationResponse

pytestmark = pytest.mark.postgres

POLICY = r"""
- allow: {sql: {access: [Select, Insert, Update], tables: [customers, scratch]}}
- allow: {sql: {commands: [LISTEN, NOTIFY, SET]}}
- allow: {sql: {functions: ["public.*"]}}
- mask: {content: [PaymentCard, Email, {pattern: '(?i)alpha|omega'}], with: {redact: {}}}
- when: session.applicationName == "own"
  mask: {content: [{pattern: '\d{4}-\d\d-\d\d|[ab]{8}|\d{4,}'}], with: {redact: {}}}
"""

SAID = [
    "SELECT notes::int FROM customers",
    "SELECT notes::jsonb FROM customers",
    "SELECT email::regclass FROM customers",
    "SELECT (email || '[')::text ~ (email || '[') FROM customers",
    "SELECT current_setting(email) FROM customers",
    "INSERT INTO customers (id, name, email) SELECT 90, 'x', email FROM customers WHERE id = 1",
    "INSERT INTO newsletter (email) SELECT 'x' || email FROM customers",
    "SELECT spy(notes) FROM customers",
    "SELECT run_any('SELECT ssn::int FROM customers')",
    "SELECT set_config('application_name', (SELECT email FROM customers WHERE id = 1), false)",
    "SELECT repeat(notes, 1000)::int FROM customers",
]
"""Errors, notices and settings that quote what a row holds."""

NUMBERS = [
    "SELECT n FROM {cards}",
    "SELECT n::numeric, -n, n::float8, n::numeric(20, 2) FROM {cards}",
    "SELECT ARRAY[n], ARRAY[[n, 1], [2, n]], ARRAY[n::numeric], ARRAY[n::float8, NULL] FROM {cards}",
    "SELECT ROW(1, n), ROW('x', ROW(n::numeric)), ARRAY[ROW(n), ROW(1)] FROM {cards}",
    "SELECT int8range(n, NULL), numrange(n, n, '[]'), int8multirange(int8range(n, NULL)) FROM {cards}",
    "SELECT ARRAY[numrange(n, NULL)], ARRAY[nummultirange(numrange(NULL, n))] FROM {cards}",
    "SELECT (n % 10000)::int2, (n % 1000000)::int, (n % 1000000)::oid, (n % 1000000)::float4 FROM {cards}",
    "SELECT ARRAY[(n % 1000000)::int], int4range(NULL, (n % 1000000)::int) FROM {cards}",
    "SELECT birth, birth::timestamp, birth::timestamptz, ARRAY[birth], ROW(birth) FROM customers",
    "SELECT uid, ARRAY[uid], ROW(uid) FROM customers",
]
"""What a detector finds in numbers, dates and the like, however deep."""
CARDS = "(SELECT translate(right(notes, 19), ' ', '')::int8 AS n FROM customers WHERE notes IS NOT NULL) x"

COPIED = [
    "COPY customers (notes) TO STDOUT (DELIMITER ' ')",
    "COPY customers (notes) TO STDOUT (FORMAT csv, DELIMITER '1')",
    "COPY customers (notes) TO STDOUT (FORMAT csv, QUOTE '1', FORCE_QUOTE *)",
    "COPY customers (notes) TO STDOUT (FORMAT csv, ESCAPE '4', QUOTE '5', FORCE_QUOTE *)",
]
"""Values written twice or behind an escape."""


@pytest.fixture(scope="module")
def looked_into(postgres18: Postgres) -> Iterator[Threats]:
    with threats(postgres18, {"agent": POLICY}) as world:
        yield world


@pytest.mark.parametrize("sql", SAID)
def test_words_of_the_server_quote_nothing_that_is_looked_for(sql: str, looked_into: Threats) -> None:
    looked_into.run(sql)


@pytest.mark.parametrize("sql", NUMBERS[:6])
def test_a_card_number_is_found_in_numbers_of_either_format(sql: str, looked_into: Threats) -> None:
    seen = looked_into.run(sql.format(cards=CARDS), ways="tb")
    assert seen.rows


@pytest.mark.parametrize("sql", NUMBERS)
def test_an_own_pattern_is_found_in_whatever_has_words(sql: str, looked_into: Threats) -> None:
    text = sql.format(cards=CARDS)
    answers = []
    for side in looked_into.sides:
        client = side.connect(application_name="own")
        answers.append([client.prepared(text, binary=binary) for binary in (False, True)])
        client.close()
    for one, other in zip(*answers, strict=True):
        assert one.rows
        assert one.rows == other.rows


def test_numbers_in_which_nothing_is_found_stay(looked_into: Threats) -> None:
    text = (
        "SELECT 5::int8, 1.5::float8, 'NaN'::float8, ARRAY[1::int8, NULL], ROW(1, 2.5), '{}'::int8[], "
        "int8range(1, 5), 'empty'::numrange, '{[1,2)}'::int8multirange, 4e15::float8, birth, uid "
        "FROM customers WHERE id = 1"
    )
    side = looked_into.sides[0]
    for name, nulls in (("psql", 0), ("own", 3)):
        client = side.connect(application_name=name)
        [row] = client.prepared(text, binary=True).rows
        client.close()
        assert row.count(b"\xff\xff\xff\xff") == nulls + 1  # that of the array


@pytest.mark.parametrize("sql", COPIED)
def test_a_copy_that_would_write_values_unreadably_is_refused(sql: str, looked_into: Threats) -> None:
    assert "content masks could not read" in looked_into.run(sql, ways="s").error["M"]


def test_a_notification_is_looked_into(looked_into: Threats) -> None:
    for side in looked_into.sides:
        client = side.session()
        client.query("LISTEN told")
        answer = client.query("SELECT pg_notify('told', notes) FROM customers WHERE id = 1")
        [told] = [NotificationResponse.parse(one[5:]) for one in answer.messages if one[:1] == b"A"]
        assert (told.channel, told.payload) == ("told", "note [redacted] card [redacted]")
