"""Keeps what is known of the catalog and of the settings true.

Before a statement is read, `fresh` must have said True. A snapshot older than a second is checked again;
after a statement that may change the catalog, of this session or of any other of this proxy, it is read again
at once, inside a transaction too. Where another session has looked meanwhile, what it has seen serves
(`sightings`): of many sessions one looks.

A query of ours could be the one that fixes a transaction's snapshot, after which SET TRANSACTION is refused:
before the first query of a transaction nothing is asked on account of statements that name nothing of the
catalog. And one whose snapshot is fixed for its whole length (REPEATABLE READ, SERIALIZABLE) cannot see the
catalog that the server reads its statements by: when that has moved it must begin anew, unless nothing binds
whoever runs it (`anything`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from sys import intern
from typing import Any

from tollhouse_core.clock import Clock
from tollhouse_proxy.protocols.postgres.anything import ANYTHING
from tollhouse_proxy.protocols.postgres.asking import Asking, begin_anew
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf, Key
from tollhouse_proxy.protocols.postgres.sightings import Sighting
from tollhouse_proxy.protocols.postgres.sql.sections import Base, Row
from tollhouse_proxy.protocols.postgres.sql.signs import SERVER, SNAPSHOT, Signs
from tollhouse_proxy.protocols.postgres.sql.statement import SessionSettings
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError

CHECK_EVERY_SECONDS = 1.0
_MOST_EARLY = 0.5
"""How much younger than that what others have seen must be, at most; each session has its own share of it."""
LOOK_EVERY_SECONDS = 30.0
"""So often a session looks itself, whatever others see: the server's administrator may have given all
sessions another default search_path."""
_UNKNOWN = -1
_MOVED = "the catalog has changed since this transaction began"
_SEES_CHANGES = frozenset({"read committed", "read uncommitted"})
_NAMES_NOTHING = re.compile(
    rb"\s*(?:abort|begin|commit|end|release|reset|rollback|savepoint|set|show|start)\b[^;]*;?\s*",
    re.IGNORECASE,
)
"""Statements that mean the same whatever the catalog is."""


class Upkeep:
    """One session's knowledge of its backend."""

    __slots__ = (  # so many that a dictionary would take five times as much for each session
        "_asked_in",
        "_asking",
        "_base",
        "_checked",
        "_clock",
        "_dialect",
        "_early",
        "_fixed",
        "_generation",
        "_key",
        "_looked",
        "_not_before",
        "_own",
        "_renewal",
        "_shelf",
        "_signs",
        "_snapshot",
        "_state",
        "_taken",
        "_written",
        "catalog",
        "epoch",
        "now",
        "settings",
    )

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
        self.now = clock.monotonic
        self._checked = self._looked = self._not_before = float("-inf")
        self._early = shelf.sightings.share() * _MOST_EARLY
        self._snapshot = ""
        self._key = ("", "", "")
        self._signs: Signs | None = None
        self._asking = Asking(state, clock, shelf)
        self._taken = ""
        self._written = False
        self._base: Any = None
        self._renewal: Any = None
        self._generation = self._asked_in = _UNKNOWN
        self._own = True
        self._fixed = False
        self.catalog: Any = None
        self.epoch = ""
        self.settings = settings
        state.dirty = True
        state.moved = self._moved
        state.doubt = self._doubt

    @property
    def failing(self) -> bool:
        """Whether the catalog could not be read, and nobody was told yet."""
        return self._asking.failure is not None

    def fresh(self, text: bytes = b"") -> bool:
        """Whether `text` may be read now; False: ask again when the backend has answered. Raises
        CatalogUnreadable."""
        self._asking.complain()
        if self._asking.under_way:
            return False
        state = self._state
        if not state.dirty:
            moved = self._generation != self._shelf.generation
            old = self._clock.monotonic() - self._checked >= CHECK_EVERY_SECONDS
            if state.status != "I" or state.open_pipeline:
                old = old and state.queried
                if _NAMES_NOTHING.fullmatch(text):
                    return True
            if (not moved and not old) or self._seen_by_another():
                return True
        return self._look()

    def doubt(self) -> None:
        """What is known is looked at again before the next statement, however new it is; what others have
        seen before now does not serve."""
        self._checked = float("-inf")
        self._not_before = self._clock.monotonic()

    @property
    def role(self) -> str:
        """The role statements run in, where it is another than the one that has logged in."""
        if self._signs is None:
            return ""
        _, current, *_ = (*self._signs.session, "", "")
        return "" if current == self.settings.user else current or ""

    @property
    def settled(self) -> bool:
        """Whether what is known holds until a second is over or another session moves the catalog; what a
        path that nobody has confirmed, or an open transaction of this session, makes of it does not."""
        state = self._state
        return not (
            state.dirty
            or state.private
            or state.moving
            or state.path_unconfirmed
            or self._asking.under_way
            or self._asking.failure is not None
        )

    def stands(self, now: float) -> bool:
        """Whether that second is not over, and nobody has moved the catalog."""
        return self._generation == self._shelf.generation and now - self._checked < CHECK_EVERY_SECONDS

    def note(self, path: tuple[str, ...] | None, *, changes: bool) -> None:
        """A statement is being sent that changes the catalog, or makes `path` the search_path (for the
        transaction or the session: when the transaction is over, the backend is asked)."""
        if changes:
            self._state.dirty = True
        elif path is not None:
            self.settings = replace(self.settings, search_path=path)
            self._state.path_unconfirmed = True
            self._state.private = True

    def _doubt(self) -> None:
        """The next statement is not read by what is known, nor by what others saw, however new it is."""
        self._generation = _UNKNOWN
        self._not_before = self._clock.monotonic()

    def _moved(self) -> None:
        """Tells the other sessions that this one may have changed the catalog; what it knew of the others'
        changes it still knows."""
        before = self._shelf.generation
        self._shelf.moved()
        if self._generation == before:
            self._generation += 1
        if self._asked_in == before:
            self._asked_in += 1

    def _seen_by_another(self) -> bool:
        """Whether another session has seen, soon enough, what this one would see if it looked; then that is
        what it knows."""
        state, mine, now = self._state, self._signs, self._clock.monotonic()
        if mine is None or not self._snapshot or state.private or state.path_unconfirmed:
            return False
        if now - self._looked >= LOOK_EVERY_SECONDS:
            return False
        moment = max(now - CHECK_EVERY_SECONDS + self._early, self._not_before)
        seen = self._shelf.sightings.after(
            moment, self.settings.database, mine.server, self._shelf.generation
        )
        if seen is None or not (seen.signs.common == mine.common or self._take_over(mine, seen.signs)):
            return False
        self._generation, self._checked = seen.generation, seen.at - self._early
        return True

    def _take_over(self, mine: Signs, theirs: Signs) -> bool:
        """Whether the catalog is at hand that this session would read if it looked: its own row is what it
        was where nothing has changed that it follows from. What a transaction may see nobody else knows."""
        state = self._state
        if state.status != "I" or not state.quiet or theirs.grounds != mine.grounds:
            return False
        signs = replace(mine, snapshot=theirs.snapshot, fingerprint=(mine.fingerprint[0], *theirs.common))
        found = self._shelf.get(self._key_of(signs))
        if found is None:
            return False
        self._know(signs)
        self._written = False
        self._take(found)
        return True

    def _look(self) -> bool:
        state = self._state
        moved = self._generation != self._shelf.generation
        if state.ledger:
            if not state.dirty and not moved:
                return True
            state.flush()
            return False
        state.path_unconfirmed = False
        if state.skipping or (state.status == "E" and not (state.open_pipeline and state.revived)):
            return True
        if state.dirty or moved:
            self._read_signs()
            return False
        if not state.quiet:
            return True
        self._asking.ask([self._dialect.snapshot], self._compare_snapshot)
        return False

    def _compare_snapshot(self, results: list[Any]) -> None:
        if _single(results[0]) == self._snapshot:
            self._checked = self._looked = self._clock.monotonic()
            if self._asking.loose:
                self._show()
        else:
            self._generation = _UNKNOWN
            self._not_before = self._asking.at

    def _read_signs(self) -> None:
        state = self._state
        # Only what this session has changed itself could be undone with its transaction.
        self._own = state.dirty
        state.dirty = False
        self._asked_in = self._shelf.generation
        moved = self._generation not in {_UNKNOWN, self._asked_in}
        self._fixed = moved and state.queried and (state.status == "T" or state.open_pipeline)
        state.queried = True
        if self._signs is None and self._shelf.sightings.of(self.settings.database):
            self._asking.ask_unhurried([self._dialect.brief], self._compare_brief)
        else:
            self._asking.ask_unhurried([self._dialect.signs], self._read_all_signs)

    def _compare_brief(self, results: list[Any]) -> None:
        """A new session need not ask for what another one was told by the same snapshot."""
        own = _only(results)
        sightings, server = self._shelf.sightings, own[SERVER] or ""
        seen = sightings.same(self.settings.database, server, own[SNAPSHOT] or "")
        if seen is None:
            self._asking.ask_unhurried([self._dialect.signs], self._read_all_signs)
        else:
            self._compare_signs(self._dialect.told((*own, *seen.signs.common)))

    def _read_all_signs(self, results: list[Any]) -> None:
        self._compare_signs(self._dialect.told(_only(results)))

    def _compare_signs(self, signs: Signs) -> None:
        state = self._state
        in_transaction = state.status == "T" or state.open_pipeline
        if self._fixed and signs.isolation not in _SEES_CHANGES:
            if not state.judge.unbound(ANYTHING):
                state.dirty = state.dirty or self._own
                self._asking.failure = begin_anew(_MOVED)
                return
            # What it sees is out of date, and no decision hangs on it; nobody else is to stand on it.
            state.private = True
        self.settings = replace(self.settings, search_path=self._dialect.split_path(signs.path))
        self._know(signs)
        self._written = signs.written
        self._looked = self._asking.at
        state.private = state.private or (self._own and in_transaction)
        if self._asking.loose or signs.isolation in _SEES_CHANGES:
            self._show()
        found = self._shelf.get(self._key)
        if found is not None:
            self._take(found)
            return
        own = self._base is not None
        base = self._base if own else self._shelf.newest(self.settings.database)
        self._renewal = self._dialect.renewal(base, signs.session, signs.fingerprint, self._snapshot, own)
        self._read_rows()

    def _know(self, signs: Signs) -> None:
        self._signs = signs
        self._snapshot = self._taken = signs.snapshot
        self._key = self._key_of(signs)

    def _key_of(self, signs: Signs) -> Key:
        # Sessions that are told the same keep it once.
        return self.settings.database, intern(repr(signs.session)), intern(repr(signs.fingerprint))

    def _show(self) -> None:
        """Others may count on what has been seen now, unless it is this transaction's own."""
        if self._signs is not None and not self._state.private and not self._written:
            seen = Sighting(self._signs, self._asking.at, self._asking.generation)
            self._shelf.sightings.put(self.settings.database, seen)

    def _read_rows(self) -> None:
        if self._renewal.queries:
            self._asking.ask_unhurried(self._renewal.queries, self._take_rows)
        else:
            self._take_rows([])

    def _take_rows(self, results: list[Any]) -> None:
        catalog = self._renewal.take(results)
        if catalog is None:
            self._read_rows()
            return
        self._renewal = None
        if not catalog.complete:
            self._snapshot = ""  # read again at the next check
        elif not self._state.private:
            self._shelf.put(self._key, catalog)
        self._take(catalog)

    def _take(self, catalog: Any) -> None:
        self._asking.settled()
        if catalog.complete and not self._written and not self._state.private:
            # What this transaction has written could be undone: then nothing is newer, and yet it is not so.
            assert self._signs is not None
            self._base = Base(catalog, self._taken, self._signs.fingerprint)
            self._shelf.remember(self.settings.database, self._base)
        self.catalog = catalog
        self.epoch = catalog.epoch
        self._generation = self._asked_in
        self._checked = self._clock.monotonic()


def _only(results: list[Any]) -> Row:
    if not all(results):
        raise ProtocolError("the backend answered a question of ours with no row")
    row: Row = results[0][0]
    return row


def _single(rows: Any) -> str:
    return str(rows[0][0] or "") if rows else ""
