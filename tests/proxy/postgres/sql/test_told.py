"""All that is told of statements of every kind, in a catalog with odd relations and under changed paths.

A line of told.txt that begins with `=` says what the path is (see `kit.sent_under`) for the pairs of lines
behind it: a statement and what `kit.told` says of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.sent_under import rows
from kit.told import told
from tollhouse_proxy.protocols.postgres.sql import Catalog

TABLE = rows((Path(__file__).parent / "told.txt").read_text())
NAMES = [f"{sql} under {words}" for words, sql, _ in TABLE]


@pytest.mark.parametrize(("words", "sql", "said"), TABLE, ids=NAMES)
def test_a_statement_tells_all_of_itself(words: str, sql: str, said: str, odd_catalog: Catalog) -> None:
    assert told(words, sql, odd_catalog).strip() == said
