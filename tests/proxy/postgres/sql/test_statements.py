"""What is said of a statement: its tag, what it touches, what it does to the session.

A line of statements.txt is a statement, the next one says `tag | touched | session` of it (see
`kit.statements`). `~` stands before what rules bind that are there, though it needs none of its own;
`~everything` are all tables. Of the session: what is done to it, whether names may mean something else behind
it (`changes`), whether rows come back, whether no limit on queries counts it (`free`); whether other literals
could be judged otherwise; whether it writes rows without a WHERE (`everywhere`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.statements import shown
from tollhouse_proxy.protocols.postgres.sql import Catalog

LINES = (Path(__file__).parent / "statements.txt").read_text().splitlines()
TABLE = list(zip(LINES[::2], LINES[1::2], strict=True))


@pytest.mark.parametrize(("sql", "said"), TABLE, ids=LINES[::2])
def test_a_statement_says_what_it_touches(sql: str, said: str, catalog: Catalog) -> None:
    assert shown(sql, catalog) == tuple(part.strip() for part in said.split("|"))
