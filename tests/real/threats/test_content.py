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

POLICY = """
- allow: {sql: {access: [Select, Insert, Update], tables: [customers, scratch]}}
- allow: {sql: {commands: [LISTEN, NOTIFY, SET]}}
- allow: {sql: {functions: ["public.*"]}}
- mask: {content: [PaymentCard, Email, {pattern: '(?i)alpha|omega'}], with: {redact: {}}}
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
