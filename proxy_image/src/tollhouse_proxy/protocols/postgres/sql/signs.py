"""What a backend says of itself and of its catalog in one row, seen by one snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from .catalog_queries import FINGERPRINT_COLUMNS, SECTIONS, SESSION
from .sections import Row

SIGNS_QUERY = f"""SELECT pg_catalog.current_setting('search_path'),
  pg_catalog.current_setting('transaction_isolation'), pg_catalog.pg_current_snapshot()::text,
  pg_catalog.pg_current_xact_id_if_assigned()::text,
  {SECTIONS[SESSION].columns},
  {FINGERPRINT_COLUMNS}"""
"""One row of texts; `Signs.of` takes it apart."""

_OF_SESSION = 7


@dataclass(frozen=True, slots=True)
class Signs:
    """path: the setting search_path as it is written. snapshot: pg_current_snapshot(), the one that the rest
    was read by. written: whether the session's transaction has written something. session: the row of the
    section `session`. fingerprint: the row of FINGERPRINT_QUERY."""

    path: str
    isolation: str
    snapshot: str
    written: bool
    session: Row
    fingerprint: Row

    @classmethod
    def of(cls, row: Row) -> Signs:
        """From the row of SIGNS_QUERY."""
        path, isolation, snapshot, written = row[:4]
        session, fingerprint = row[4 : 4 + _OF_SESSION], row[4 + _OF_SESSION :]
        return cls(path or "", isolation or "", snapshot or "", written is not None, session, fingerprint)
