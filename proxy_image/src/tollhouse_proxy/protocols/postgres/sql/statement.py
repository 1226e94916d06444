"""What is known of one SQL statement, and what is sent in its place.

`understand` makes a Statement once from the text; the conversation, the guard and the rewriter
carry it on and nobody parses again. `rewrite` makes a Rewritten from it under the obligations of
one decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tollhouse_core.operation import Operation


class EffectKind(StrEnum):
    """What a statement does to the session, so that the conversation can keep its tables."""

    NONE = "none"
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SAVEPOINT = "savepoint"
    SET = "set"
    RESET = "reset"
    PREPARE = "prepare"
    EXECUTE = "execute"
    DEALLOCATE = "deallocate"
    DECLARE = "declare"
    FETCH = "fetch"
    CLOSE = "close"
    DISCARD = "discard"
    COPY_IN = "copy in"
    COPY_OUT = "copy out"
    CATALOG = "catalog"


@dataclass(frozen=True, slots=True)
class SessionEffect:
    """`name` is the prepared statement, cursor or setting; None where there is none or all are
    meant (DEALLOCATE ALL, CLOSE ALL, DISCARD ALL). `inner` is the statement inside PREPARE,
    DECLARE, EXPLAIN. `changes_catalog`: the catalog snapshot must be read again afterwards.
    `search_path`: what the path is after the statement has succeeded, where it sets one that is
    known beforehand; an unknown one (RESET, ROLLBACK, a parameter) shows in `changes_catalog`."""

    kind: EffectKind = EffectKind.NONE
    name: str | None = None
    inner: Statement | None = None
    changes_catalog: bool = False
    search_path: tuple[str, ...] | None = None
    chains: bool = False
    """COMMIT or ROLLBACK AND CHAIN: the next transaction begins at once."""

    @property
    def ends_failure(self) -> bool:
        """Whether a failed transaction may be over, or in order again, behind the statement."""
        return self.kind in {EffectKind.COMMIT, EffectKind.ROLLBACK, EffectKind.SAVEPOINT}

    def in_transaction(self, before: bool) -> bool:
        """Whether a transaction block is open behind the statement."""
        if self.kind is EffectKind.BEGIN:
            return True
        if self.kind in {EffectKind.COMMIT, EffectKind.ROLLBACK}:
            return before and self.chains
        return before


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a client's text.

    `text` is its exact spelling; `start` its character offset in what the client sent, for error
    positions. `tag` is the command tag ("SELECT", "CREATE TABLE"). `parameter_count` is the
    highest `$n`. `literal_sensitive` is True where a literal could change the decision; only
    False lets a decision be cached under the literal-free template. `returns_rows` is True where
    rows come back. `plan` is private to this package: what `rewrite` needs.
    """

    text: str
    start: int
    tag: str
    operation: Operation
    effect: SessionEffect = SessionEffect()
    parameter_count: int = 0
    literal_sensitive: bool = True
    returns_rows: bool = False
    plan: object = None


@dataclass(frozen=True, slots=True)
class Edit:
    """The characters `start`..`end` of the original text became `replacement`."""

    start: int
    end: int
    replacement: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What goes to the backend instead of the statement.

    `edits` turn the statement's text into `text` (sorted, not overlapping), so that a position
    in an error can be mapped back. `forbidden_origins` are (table oid, attribute number) pairs
    that must not appear in the RowDescription: one that does ends the session before a row
    leaves. `guards_errors`: errors and notices may carry hidden data and must be rebuilt from
    their SQLSTATE.
    """

    text: str
    edits: tuple[Edit, ...] = ()
    forbidden_origins: frozenset[tuple[int, int]] = frozenset()
    guards_errors: bool = False


class NotUnderstood(Exception):
    """The statement cannot be judged, so it is refused.

    `message` and `hint` go to the client; `sqlstate` is 42601 for a syntax error (then the words
    are PostgreSQL's own), 42501 where it is refused, 42P01/42703 for unknown names; `position` is
    a 0-based character offset in the whole text or None.
    """

    def __init__(
        self, message: str, hint: str = "", sqlstate: str = "42501", position: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.sqlstate = sqlstate
        self.position = position


class CannotRewrite(Exception):
    """The obligations cannot be kept for this statement, so it is denied, with a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What gives a text its meaning besides the catalog.

    `search_path` as the server has it now, element by element ("$user" may stand in it);
    `user` is the backend's role; `default_schema` the Connection's default schema, where policies
    look for names without one. `unseen_cursors`: FETCH reads from a cursor that no statement declared.
    """

    search_path: tuple[str, ...] = ("public",)
    database: str = ""
    user: str = ""
    default_schema: str = "public"
    in_transaction: bool = False
    unseen_cursors: bool = False
