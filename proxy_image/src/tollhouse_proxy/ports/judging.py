"""How a protocol asks for a verdict, and tells what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tollhouse_core.approvals.effect import Preview
from tollhouse_core.decision import Obligations, Permitted, Refused, RuleRef, SessionTerms, Verdict
from tollhouse_core.identity import Identity, Session
from tollhouse_core.operation import Operation

FactLookup = Callable[[frozenset[str]], Awaitable[Mapping[str, object]]]
"""Finds facts that cost something (`estimatedRows`); called only if a rule mentions them."""

Waiting = Callable[[str, str], None]
"""Called with (request name, words for the client) when a verdict starts to wait for people."""


@dataclass(frozen=True, slots=True)
class NotRunnable:
    """The operation cannot run at all, and the client has been told. `why` has no value of the data in it."""

    why: str


PreviewLookup = Callable[[Obligations, bool], Awaitable[Preview | NotRunnable]]
"""Finds what an operation would touch under these obligations, and (True) runs a write and rolls it back to
count its rows, where nothing of that can stay."""


class Outcome(StrEnum):
    """What became of an operation that was permitted. ROLLED_BACK: it wrote more rows than its cap."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    LOST = "Lost"
    ROLLED_BACK = "RolledBack"


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of a permitted operation. `error_code` is the backend's own (an SQLSTATE), or what the client
    was told instead; `message` only where the proxy itself had a word in it."""

    operation_id: int
    outcome: Outcome
    rows: int = 0
    bytes: int = 0
    error_code: str = ""
    tag: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Overrun:
    """A limit on rows or bytes was met in the middle of a result."""

    message: str
    hint: str
    retry_after_seconds: float
    rule: RuleRef = RuleRef()
    revision: str = ""


class Standing(Protocol):
    """A verdict that may be given again and again to whoever it was given to. Only its Judge looks inside.

    `counts_results`: limits count the rows or bytes that go out, so `spent` must be asked before they go.
    """

    @property
    def counts_results(self) -> bool:
        """See the class."""
        ...


class Judge(Protocol):
    """The one door through which every operation goes.

    One Judge serves one session. Fail closed: any unexpected error of an implementation must
    end the session.
    """

    @property
    def revision(self) -> str:
        """The bundle in force now; "" when there is none. A cached verdict of another revision
        must not be used."""
        ...

    def judge(
        self,
        operation: Operation,
        facts: FactLookup,
        waiting: Waiting,
        preview: PreviewLookup | None = None,
    ) -> Verdict | Awaitable[Verdict]:
        """The verdict, at once where nothing must be awaited. The audit has accepted the event
        before this answers. Cancelling the awaitable withdraws a pending approval. `preview` None: what it
        would touch cannot be told."""
        ...

    def again(self, permitted: Permitted, operation: Operation) -> Verdict | None:
        """The verdict for running the same thing once more from a cache: audited and counted
        against limits like any other. None when it must be judged anew (revision moved, or
        the verdict was not cacheable)."""
        ...

    @property
    def principal(self) -> str:
        """What decisions of this session depend on besides statement and bundle: sessions that have it in
        common get the same ones."""
        ...

    def standing(self, permitted: Permitted, operation: Operation) -> Standing | None:
        """The verdict as one that may be given again for statements which differ from `operation` in text
        and parameters alone; None where it may not (see `again`)."""
        ...

    def repeat(
        self, standing: Standing, text: str, parameters: tuple[str | None, ...], now_monotonic: float
    ) -> int | Permitted | Refused | None:
        """`again` for a standing verdict, its text and parameters being those of this run: the operation's
        number; Permitted where there is more to say, Refused where a limit is used up. None: it must be
        judged anew, and nothing was counted or recorded."""
        ...

    def repeated(
        self, standing: Standing, number: int, rows: int, size: int, tag: str, now_monotonic: float
    ) -> bool:
        """`spent` and `completed` in one, for an operation that simply ran and whose results nothing but
        the counters count. False: the bundle has moved meanwhile, and nothing was done."""
        ...

    def foresee(self, operation: Operation) -> Obligations | None:
        """What would bind the operation if it ran now: for statements that are prepared, not run
        yet. Not audited, not counted; facts that cost something count as unknown, approvals as
        given. None where it would be denied: `judge` it, to have that said and recorded."""
        ...

    def freely(self, operation: Operation) -> bool:
        """Whether it would be allowed now, with nobody asked and no mask or filter to bind it. Not audited,
        not counted; a fact that costs something counts as unknown, and that as no."""
        ...

    def unasked(self, operation: Operation) -> bool:
        """Whether it would be allowed now with nobody asked; masks and filters may bind it. Not audited, not
        counted; a fact that costs something counts as unknown, and that as no."""
        ...

    def unbound(self, operation: Operation) -> bool:
        """Whether it would be allowed at any time, and no rule about this identity denies, masks, filters or
        asks: what the operation stands for by its pattern is open then, whatever its name. Not audited."""
        ...

    def spent(self, operation_id: int, rows: int, size: int) -> Overrun | None:
        """Counts what goes out to the client, before it goes; an Overrun must end the result."""
        ...

    def completed(self, completion: Completion) -> None:
        """Records what became of a permitted operation."""
        ...


JudgeForSession = Callable[[Session], Judge]


class SessionNotAllowed(Exception):
    """This identity may open no session here. `refused` says why, in words for the client."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message)
        self.refused = refused


class OpenSession(Judge, Protocol):
    """The Judge of an open session, and the session's own end."""

    @property
    def terms(self) -> SessionTerms:
        """How long the session may last and be idle under the bundle in force now (the
        Connection's and the rules' bounds, the shorter of each)."""
        ...

    @property
    def lost(self) -> str:
        """Why the session may not go on under the bundle in force now (access was taken away);
        "" as long as it may. Read often: cheap unless the revision moved."""
        ...

    def unreadable(self, operation: Operation, message: str, code: str) -> Refused | None:
        """Records (and counts against limits) what could not be understood and is refused with
        `message` and the protocol's own `code`. A Refused answer is told instead of it."""
        ...

    def credential_refused(self, code: str, *, fetched_anew: bool) -> None:
        """Records and counts that the backend did not accept what the proxy logged in with (`code` is its
        SQLSTATE); `fetched_anew`: this was the second one. Never raises."""
        ...

    def close(self, reason: str) -> None:
        """Records the end of the session. Never raises; the second call does nothing."""
        ...


class Gate(Protocol):
    """Where sessions begin."""

    def open(self, session: Session) -> OpenSession:
        """Records the opening. Raises SessionNotAllowed (no policy speaks of this identity or gives
        it the session's role, no bundle, the audit cannot record it)."""
        ...

    def roles(self, session: Session, offered: Iterable[str]) -> tuple[str, ...]:
        """Those of the offered roles that the session's identity may have."""
        ...

    def refused(self, address: str, reason: str, identity: Identity | None = None) -> None:
        """Records a client that was turned away before a session opened. Never raises."""
        ...
