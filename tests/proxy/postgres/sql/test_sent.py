"""What is sent instead of a statement, or why nothing is.

A line of sent.txt is a statement, the next one what `kit.sent` says is sent under its masks and filters.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.sent import sent
from tollhouse_proxy.protocols.postgres.sql import Catalog

LINES = (Path(__file__).parent / "sent.txt").read_text().splitlines()
TABLE = list(zip(LINES[::2], LINES[1::2], strict=True))


@pytest.mark.parametrize(("sql", "text"), TABLE, ids=LINES[::2])
def test_a_statement_is_sent_with_its_masks_and_filters_at_the_source(
    sql: str, text: str, catalog: Catalog
) -> None:
    assert sent(sql, catalog) == text.strip()
