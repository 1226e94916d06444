"""Non-interference: what hides behind a mask or filter cannot be told from any answer.

Two databases differ only in what is hidden. Whatever a client asks, both must answer alike: the
same rows, the same tag, the same error code (the words of errors are rebuilt on the wire).
"""

from __future__ import annotations

import pytest

from kit.attacks import GUESSES, HIDDEN_ROWS, WAYS_ROUND, WHOLE_ROWS
from kit.sql_shop import Session

pytestmark = pytest.mark.postgres

SECRETS = ("ALPHA", "OMEGA", "alpha", "omega", "4111", "aaaaaaaa-", "bbbbbbbb-")


@pytest.mark.parametrize("sql", [*WHOLE_ROWS, *GUESSES, *HIDDEN_ROWS, *WAYS_ROUND])
def test_two_databases_that_differ_in_what_is_hidden_answer_alike(
    sql: str, pair: tuple[Session, Session]
) -> None:
    one, other = (session.run(sql) for session in pair)
    assert one == other
    shown = repr((one.text, one.rows, one.tag))
    assert not any(secret in shown for secret in SECRETS if secret not in sql)
