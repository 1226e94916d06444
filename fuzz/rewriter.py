"""A rewriting that hides nothing changes nothing: `python -m fuzz.rewriter --seconds 60 --seed 1`.

Statements are generated over a populated shop and run twice: as they are, and under filters that hold for
every row with masks that find nothing in any value. Both must give the same rows and the same tag. A real
PostgreSQL 16 is started for it; `--postgres 15` or `18` takes another release.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from fuzz.campaign import Campaign, main
from kit.postgres import running
from kit.sql_generator import TABLES, Generator
from kit.sql_shop import ROWS, SHOP, VARIANTS, Seen, Session, mask, row_filter
from tollhouse_core.decision import Obligations
from tollhouse_core.masks import Detector, Redact

_NOTHING = (Detector(pattern=r"ZZ\d{9}"),)
_RAN_OUT = ("22", "54", "21")
"""Classes of errors that hang on which rows a plan computes an expression for."""
NEUTRAL = Obligations(
    columns=tuple(
        mask(name, Redact("never"), ("public", table), _NOTHING)
        for table in ("customers", "orders", "products", "events", "customers_archive")
        for name, kind in TABLES[table].items()
        if kind == "text" and name != "email_norm"
    ),
    filters=tuple(
        row_filter("id = id", path=("public", table))
        for table in ("customers", "orders", "products", "events")
    ),
)


class Target:
    """One backend session; every statement is undone."""

    name = "rewriter"
    steps = 1

    def __init__(self, session: Session) -> None:
        self.session = session
        self.ran = 0

    def step(self, rng: random.Random, campaign: Campaign) -> None:
        """One statement."""
        seed = rng.getrandbits(48)
        campaign.tried(1)
        if self.differs(Generator(seed).statement()):
            campaign.found(str(seed).encode())

    def differs(self, sql: str) -> str:
        """In which way the two runs differ; "" where they do not."""
        plain, neutral = self._seen(sql, Obligations()), self._seen(sql, NEUTRAL)
        if neutral.kind == "cannot rewrite":
            # Fails closed; honest shapes that are refused are the business of the benign corpus.
            return "" if sql.startswith(("UPDATE", "DELETE", "INSERT")) else f"refused: {neutral.text}"
        if plain.kind == neutral.kind == "rows":
            self.ran += 1
            return "" if _rows(plain) == _rows(neutral) and plain.tag == neutral.tag else "other rows"
        if "failed" in (plain.kind, neutral.kind):
            return "" if self._code(plain, neutral).startswith(_RAN_OUT) else self._told(plain, neutral)
        return "" if plain.kind == neutral.kind else self._told(plain, neutral)

    @staticmethod
    def _told(plain: Seen, neutral: Seen) -> str:
        if plain.kind == neutral.kind == "failed":
            return ""
        return f"{plain.kind} {plain.text[:200]} / {neutral.kind} {neutral.text[:200]}"

    def _code(self, *seen: Seen) -> str:
        return next((one.text for one in seen if one.kind == "failed" and one.rewritten), self.last_code)

    last_code = ""

    def _seen(self, sql: str, obligations: Obligations) -> Seen:
        session = self.session
        session.connection.execute("SAVEPOINT step")
        session.under(obligations)
        try:
            seen = session.run(sql)
        except psycopg.Error as error:
            seen = Seen("failed", error.sqlstate or "")
        session.connection.execute("ROLLBACK TO step")
        return seen


def _rows(seen: Seen) -> list[Any]:
    """In any order; of COPY its bytes, as rows of its binary format are not cut where its messages are."""
    copied = bool(seen.rows) and isinstance(seen.rows[0], bytes)
    return sorted(b"".join(seen.rows)) if copied else sorted(seen.rows)


@contextmanager
def target(release: int) -> Iterator[Target]:
    """The target on a server of its own."""
    with running(release) as server:
        values: dict[str, Any] = VARIANTS["ALPHA"]
        database = server.create_database(sql=SHOP + ROWS.format(v="ALPHA", **values))
        session = Session(server.dsn(database))
        session.connection.execute("SET statement_timeout = '5s'")
        session.begin()
        yield Target(session)
        session.connection.close()


def replay(data: bytes, release: int = 16) -> str:
    """In which way a kept statement still differs."""
    with target(release) as one:
        return one.differs(Generator(int(data)).statement())


if __name__ == "__main__":
    with target(int(os.environ.get("FUZZ_POSTGRES", "16"))) as made:
        main(made)
