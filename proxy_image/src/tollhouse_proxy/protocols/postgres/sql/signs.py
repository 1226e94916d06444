"""What a backend says of itself and of its catalog in one row, seen by one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from sys import intern

from .catalog_queries import COMMON_COLUMNS, GROUNDS, PARTS, SECTIONS, SESSION, SETTINGS_COLUMN
from .sections import Row

BRIEF_QUERY = f"""SELECT pg_catalog.current_setting('search_path'),
  pg_catalog.current_setting('transaction_isolation'), pg_catalog.pg_current_snapshot()::text,
  pg_catalog.pg_current_xact_id_if_assigned()::text,
  pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())::text,
  {SECTIONS[SESSION].columns},
  {SETTINGS_COLUMN}"""
"""What is the session's own: one row of texts."""
SIGNS_QUERY = f"""{BRIEF_QUERY},
  {COMMON_COLUMNS}"""
"""The same, and behind it what is common to all that see the same catalog; `Signs.of` takes it apart. On a
new connection that costs the server some ten milliseconds, the first part half of one."""

SNAPSHOT, SERVER = 2, 4
"""Which columns of both say by which snapshot, and of which server."""
_FIRST, _OF_SESSION = 5, 7
_GROUNDS = [PARTS.index(part) for part in GROUNDS]


@dataclass(frozen=True, slots=True)
class Signs:
    """path: the setting search_path as it is written. snapshot: pg_current_snapshot(), the one that the rest
    was read by. written: whether the session's transaction has written something. server: which server it is,
    by the moment it was started: behind one address there may be several, each with a catalog of its own age.
    session: the row of the section `session`. fingerprint: the row of FINGERPRINT_QUERY. grounds: what
    of it the row of any session follows from, besides its own doing."""

    path: str
    isolation: str
    snapshot: str
    written: bool
    server: str
    session: Row
    fingerprint: Row
    grounds: Row

    @classmethod
    def of(cls, row: Row) -> Signs:
        """From the row of SIGNS_QUERY, or from that of BRIEF_QUERY and what is common."""
        path, isolation, snapshot, written, server = row[:_FIRST]
        session, fingerprint = row[_FIRST : _FIRST + _OF_SESSION], row[_FIRST + _OF_SESSION :]
        return cls(
            path or "",
            isolation or "",
            snapshot or "",
            written is not None,
            server or "",
            _kept(session),
            _kept(fingerprint),
            _kept([fingerprint[place] for place in _GROUNDS]),
        )

    @property
    def common(self) -> Row:
        """What another session that sees the same catalog is told too."""
        return self.fingerprint[1:]


def _kept(row: Row) -> Row:
    """Sessions that are told the same keep its words once."""
    return tuple(None if value is None else intern(value) for value in row)
