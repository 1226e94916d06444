"""Keeps what is known of the catalog and of the settings true.

Before a statement is read, `fresh` must have said True. Between transactions a snapshot older than a second
is checked again; after a statement that may change the catalog it is read again at once, inside the
transaction too. Inside a transaction that changed nothing it is left alone: a query of ours could be the one
that fixes the transaction's snapshot.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tollhouse_core.clock import Clock
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.hidden import Question, ask
from tollhouse_proxy.protocols.postgres.ledger import Hidden
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sql.statement import SessionSettings
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.wire.backend import Report

CHECK_EVERY_SECONDS = 1.0
_SESSION = "session"
_PATH = "SHOW search_path"


class CatalogUnreadable(Exception):
    """The backend refused to tell its catalog; `report` is its error."""

    def __init__(self, report: Report) -> None:
        super().__init__("the catalog cannot be read")
        self.report = report


class Upkeep:
    """One session's knowledge of its backend."""

    def __init__(
        self,
        state: SessionState,
        dialect: Dialect,
        shelf: CatalogShelf,
        clock: Clock,
        settings: SessionSettings,
    ) -> None:
        self._state = state
        self._dialect = dialect
        self._shelf = shelf
        self._clock = clock
        self._checked = float("-inf")
        self._snapshot = ""
        self._key = ("", "", "")
        self._failure: Report | None = None
        self._under_way = False
        self.catalog: Any = None
        self.epoch = ""
        self.settings = settings
        state.dirty = True

    def fresh(self) -> bool:
        """Whether a statement may be read now; False: ask again when the backend has answered.
        Raises CatalogUnreadable."""
        if self._failure is not None:
            report, self._failure = self._failure, None
            raise CatalogUnreadable(report)
        if self._under_way:
            return False
        state = self._state
        if not state.dirty and (
            state.status != "I" or self._clock.monotonic() - self._checked < CHECK_EVERY_SECONDS
        ):
            return True
        return self._look()

    def note(self, path: tuple[str, ...] | None, *, changes: bool) -> None:
        """A statement is being sent that changes the catalog, or makes `path` the search_path (for the
        transaction or the session: when the transaction is over, the backend is asked)."""
        if changes:
            self._state.dirty = True
        elif path is not None:
            self.settings = replace(self.settings, search_path=path)
            self._state.path_unconfirmed = True
            self._state.private = True

    def _look(self) -> bool:
        state = self._state
        if state.ledger:
            if not state.dirty:
                return True
            state.flush()
            return False
        state.path_unconfirmed = False
        if state.skipping or (state.status == "E" and not state.open_pipeline):
            return True
        if state.dirty:
            self._read_signs()
            return False
        if not state.quiet:
            return True
        self._begin([self._dialect.snapshot], self._compare_snapshot)
        return False

    def _begin(self, queries: list[str], done: Any) -> None:
        self._under_way = True
        ask(self._state, [Question(query) for query in queries], lambda hidden: self._end(hidden, done))

    def _end(self, hidden: Hidden, done: Any) -> None:
        self._under_way = False
        if hidden.error is not None:
            self._state.dirty = True
            self._failure = hidden.error
            return
        done(hidden.results)

    def _compare_snapshot(self, results: list[Any]) -> None:
        if _single(results[0]) == self._snapshot:
            self._checked = self._clock.monotonic()
        else:
            self._state.dirty = True

    def _read_signs(self) -> None:
        self._state.dirty = False
        queries = self._dialect.queries
        signs = [_PATH, self._dialect.snapshot, queries[_SESSION], self._dialect.fingerprint]
        self._begin(signs, self._compare_signs)

    def _compare_signs(self, results: list[Any]) -> None:
        path, snapshot, session, fingerprint = results
        state = self._state
        self.settings = replace(self.settings, search_path=self._dialect.split_path(_single(path)))
        self._snapshot = _single(snapshot)
        self._key = (self.settings.database, repr(session), _single(fingerprint))
        state.private = state.private or state.status == "T" or state.open_pipeline
        found = self._shelf.get(self._key)
        if found is not None:
            self._take(found)
            return
        self._begin(list(self._dialect.queries.values()), self._take_rows)

    def _take_rows(self, results: list[Any]) -> None:
        catalog = self._dialect.catalog(dict(zip(self._dialect.queries, results, strict=True)))
        if not catalog.complete:
            self._snapshot = ""  # read again at the next check
        elif not self._state.private:
            self._shelf.put(self._key, catalog)
        self._take(catalog)

    def _take(self, catalog: Any) -> None:
        self.catalog = catalog
        self.epoch = catalog.epoch
        self._checked = self._clock.monotonic()


def _single(rows: Any) -> str:
    return str(rows[0][0] or "") if rows else ""
