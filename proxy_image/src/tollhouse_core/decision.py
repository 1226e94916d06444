"""What the policy engine answers, and what a protocol is told of it.

A Decision is the engine's: Allow, Deny, NeedsApproval, or NeedsFacts (ask me again with these).
A Verdict is what is left for a protocol once approvals, limits and the audit have had their say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from tollhouse_core.masks import Detector, Mask
from tollhouse_core.operation import Path


@dataclass(frozen=True, slots=True)
class RuleRef:
    """Which rule of which policy said so. Both names are empty where nothing matched."""

    policy: str = ""
    rule: str = ""
    hash: str = ""


class Mode(StrEnum):
    """What a matching rule does: bind, tell, or only be counted."""

    ENFORCE = "Enforce"
    WARN = "Warn"
    SHADOW = "Shadow"


class WriteCheck(StrEnum):
    """What a row filter means for writes."""

    CHECK = "Check"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class ColumnMask:
    """`column` of the resource `path` shows as `mask`; with `content`, only the detected parts."""

    path: Path
    column: str
    mask: Mask
    rule: RuleRef
    content: tuple[Detector, ...] = ()


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Rows of the resource `path` exist only where `where` holds.

    `where` is in the protocol's own language with `$1`, `$2` ... for identity values; `values`
    are those, as JSON scalars or lists of scalars. They become typed constants, never text.
    """

    path: Path
    where: str
    values: tuple[object, ...]
    writes: WriteCheck
    rule: RuleRef


@dataclass(frozen=True, slots=True)
class ContentMask:
    """What `detectors` find in any outgoing value shows as `mask`."""

    detectors: tuple[Detector, ...]
    mask: Mask
    rule: RuleRef


class LimitUnit(StrEnum):
    """What a limit counts."""

    QUERIES = "queries"
    ROWS = "rows"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `amount` of `unit` in any window of `per_seconds`, per identity and Connection."""

    unit: LimitUnit
    amount: int
    per_seconds: float
    rule: RuleRef
    mode: Mode = Mode.ENFORCE


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """A session may last `max_duration_seconds`, and be idle `idle_timeout_seconds`."""

    max_duration_seconds: float | None = None
    idle_timeout_seconds: float | None = None
    rule: RuleRef = RuleRef()


@dataclass(frozen=True, slots=True)
class Obligations:
    """What an allowed operation must still obey.

    `elsewhere`: some column mask or row filter is about this identity, whether or not it binds here, so that
    what a name stands for must not change unseen.
    """

    columns: tuple[ColumnMask, ...] = ()
    filters: tuple[RowFilter, ...] = ()
    content: tuple[ContentMask, ...] = ()
    limits: tuple[Limit, ...] = ()
    elsewhere: bool = False

    @property
    def touches_data(self) -> bool:
        """Whether the statement or its result must change."""
        return bool(self.columns or self.filters or self.content)


@dataclass(frozen=True, slots=True)
class Observation:
    """A rule in mode Warn or Shadow (or a failed condition) that met the operation."""

    rule: RuleRef
    mode: Mode
    would: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Approver:
    """Who may vote, and how many of them are needed."""

    user: str | None = None
    group: str | None = None
    on_behalf_of: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """From `after_seconds` on, these may vote instead of the rule's own approvers as well."""

    after_seconds: float
    approvers: tuple[Approver, ...]


class WhileWaiting(StrEnum):
    """What happens to the client while people decide."""

    HOLD = "Hold"
    FAIL_FAST = "FailFast"


class PreviewMode(StrEnum):
    """What people are told beforehand of an operation's effect."""

    ESTIMATE = "Estimate"
    EXECUTE = "Execute"


class Covers(StrEnum):
    """Which operations one approval opens, where it opens more than one."""

    EXACT = "Exact"
    TEMPLATE = "Template"


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """One approval opens up to `uses` operations, for `seconds` from the first of them, or in the
    session that asked (None)."""

    seconds: float | None
    covers: Covers = Covers.EXACT
    uses: int = 100


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """Who must agree, and until when. Without a `grant` one approval opens one operation. `credential` names
    the stronger credential that it then runs with; "": the session's own.

    `max_rows`: how many rows an approved operation may write; None: as the preview makes it.
    """

    approvers: tuple[Approver, ...]
    expires_after_seconds: float = 900
    escalation: tuple[EscalationStep, ...] = ()
    while_waiting: WhileWaiting = WhileWaiting.HOLD
    grant: GrantTerms | None = None
    credential: str = ""
    preview: PreviewMode = PreviewMode.ESTIMATE
    max_rows: int | None = None


@dataclass(frozen=True, slots=True)
class RowCap:
    """A permitted operation may write `rows` rows at most; beyond, all of it is undone and refused.

    `words` say where the figure is from, `request` and `rule` whose it is.
    """

    rows: int
    words: str
    rule: RuleRef
    request: str = ""


@dataclass(frozen=True, slots=True)
class Allow:
    """Every access is allowed. `cacheable`: the answer read no fact, text, parameter or time."""

    revision: str
    rule: RuleRef
    obligations: Obligations = Obligations()
    observed: tuple[Observation, ...] = ()
    cacheable: bool = False


@dataclass(frozen=True, slots=True)
class Deny:
    """Some access is denied, or no rule allows it (then `rule` is empty).

    `limits` count the refused operation too.
    """

    revision: str
    rule: RuleRef
    message: str
    hint: str = ""
    observed: tuple[Observation, ...] = ()
    cacheable: bool = False
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """People must agree first.

    `terms` holds one entry for each rule that asks; all of them must be met. `obligations` bind
    once it is approved. Accesses that only needed the approval are already counted as allowed.
    """

    revision: str
    rule: RuleRef
    terms: tuple[tuple[RuleRef, ApprovalTerms], ...]
    obligations: Obligations = Obligations()
    observed: tuple[Observation, ...] = ()

    @property
    def credentials(self) -> tuple[str, ...]:
        """The stronger credentials that its rules name, each once; more than one cannot be kept."""
        return tuple(dict.fromkeys(terms.credential for _, terms in self.terms if terms.credential))


@dataclass(frozen=True, slots=True)
class NeedsFacts:
    """Evaluate again with these facts added to the operation (`estimatedRows`)."""

    revision: str
    names: frozenset[str]


Decision = Allow | Deny | NeedsApproval | NeedsFacts


class Refusal(StrEnum):
    """Why a protocol must refuse; each protocol has its own code for it (docs/postgresql.md)."""

    DENIED = "denied"
    PENDING = "pending"
    LIMIT = "limit"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Refused:
    """The verdict No, in the words the client will read.

    `retry_after_seconds` and `request` (an ApprovalRequest's name) only where they help.
    """

    refusal: Refusal
    message: str
    hint: str
    rule: RuleRef
    revision: str
    request: str = ""
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Permitted:
    """The verdict Yes. `operation_id` ties replies and the audit to this operation.

    `notices` are words for the client (rules in mode Warn). `credential`: it runs with that credential of
    the Connection, on a backend session of its own, and in no other way; "": as ever. With a `cap` the
    protocol must count what is written before it stays.
    """

    operation_id: int
    revision: str
    rule: RuleRef
    obligations: Obligations = Obligations()
    notices: tuple[str, ...] = field(default=())
    cacheable: bool = False
    credential: str = ""
    cap: RowCap | None = None


Verdict = Permitted | Refused
