"""What is sent under masks and filters of many sorts, in a catalog with odd relations and a changed path.

A line of sent_under.txt that begins with `=` says what is in force (see `kit.sent_under`) for the pairs of
lines behind it: a statement and what is sent.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.sent_under import rows, sent_under
from tollhouse_proxy.protocols.postgres.sql import Catalog

TABLE = rows((Path(__file__).parent / "sent_under.txt").read_text())
NAMES = [f"{sql} under {words}" for words, sql, _ in TABLE]


@pytest.mark.parametrize(
    ("words", "sql", "text"), TABLE, ids=[f"{sql} under {words}" for words, sql, _ in TABLE]
)
def test_what_is_sent_keeps_what_is_in_force(words: str, sql: str, text: str, odd_catalog: Catalog) -> None:
    assert sent_under(words, sql, odd_catalog) == text
