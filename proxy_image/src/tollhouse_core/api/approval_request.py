"""ApprovalRequest: one operation that waits for people."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tollhouse_core.api.access_policy import Approvers, Escalation, Grant, ServiceAccountSubject
from tollhouse_core.api.meta import ApiObject, Digest, LabelName, ObjectName, Status, Time, Word
from tollhouse_core.api.notifying import NotifyOn
from tollhouse_core.api.shape import ApiModel, CelRule, cel_name, wire_name

ProvenName = Annotated[str, Field(min_length=1, max_length=512)]
SUMMARY = 80
MAX_RELATIONS = 64
Reason = Annotated[str, Field(max_length=1024)]
WholeSecond = Annotated[Time, AfterValidator(lambda moment: moment.replace(microsecond=0))]


class Decision(StrEnum):
    """What a person says."""

    APPROVED = "Approved"
    DENIED = "Denied"


class Phase(StrEnum):
    """Where a request is in its life."""

    PENDING = "Pending"
    APPROVED = "Approved"
    DENIED = "Denied"
    EXPIRED = "Expired"
    USED = "Used"
    WITHDRAWN = "Withdrawn"


class Principal(ApiModel):
    """The human behind an agent."""

    name: ProvenName = Field(description="Name, as the token says it.")
    groups: tuple[ProvenName, ...] = Field(
        default=(), max_length=256, description="Groups, as the token says. Absent: none are known."
    )
    kubernetes_user: ProvenName | None = Field(
        default=None,
        description="The same person's name as a Kubernetes user, as the token says. Absent: not known.",
    )


class Requester(ApiModel):
    """Who asks."""

    name: ProvenName = Field(description="Name, as the token proved it.")
    provider: Word = Field(description="The IdentityProvider that proved it; kubernetes for ServiceAccounts.")
    groups: tuple[ProvenName, ...] = Field(
        default=(), max_length=256, description="Groups, as proved. Absent: none."
    )
    kubernetes_user: ProvenName | None = Field(
        default=None,
        description="The same one's name as a Kubernetes user, whose vote never counts. Absent: not known.",
    )
    service_account: ServiceAccountSubject | None = Field(
        default=None, description="The ServiceAccount that asks. Absent: the requester is none."
    )
    on_behalf_of: Principal | None = Field(
        default=None, description="The human behind the agent. Absent: none is known."
    )


class RequestedAccess(ApiModel):
    """One thing the operation does."""

    action: Word = Field(description="What it does, such as Delete.")
    object: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="With what, such as public.orders. Absent: nothing that has a name."
    )


def _summary(text: str) -> str:
    """kubectl cuts nothing: a long statement would push every other column off the screen."""
    line = " ".join(text.split())
    return line if len(line) <= SUMMARY else f"{line[: SUMMARY - 3]}..."


class RequestedOperation(ApiModel):
    """What is asked."""

    action: Word | None = Field(default=None, description="The command, such as DELETE. Absent: not told.")
    text: Annotated[str, Field(max_length=65536)] = Field(
        description="The operation as people read it: written anew from what was understood, values behind "
        "masks left out, characters beyond ASCII escaped."
    )
    summary: Annotated[str, Field(max_length=SUMMARY)] = Field(
        default_factory=lambda fields: _summary(fields.get("text", "")),
        description="The beginning of `text`, in one line for lists. Absent: made from `text`.",
    )
    parameters: tuple[Annotated[str, Field(max_length=4096)], ...] = Field(
        default=(), max_length=256, description="Bound values in order, as people read them. Absent: none."
    )
    accesses: tuple[RequestedAccess, ...] = Field(
        default=(), max_length=256, description="All it does, and with what. Absent: not told."
    )
    database: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="The database it would run in. Absent: not told."
    )
    digest: Digest = Field(
        description="Hash of exactly this operation: statement, parameters, objects, database, role and "
        "identity."
    )
    template_digest: Digest | None = Field(
        default=None,
        description="Hash of the operation without its values, where the grant covers a template. Absent: "
        "only the very same operation is opened.",
    )


class Effect(ApiModel):
    """What it would touch."""

    rows: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="How many rows, as the planner estimates. Absent: cannot be told."
    )
    relations: tuple[Annotated[str, Field(max_length=256)], ...] = Field(
        default=(),
        max_length=MAX_RELATIONS,
        description="The tables in the planner's plan. Absent: there are none, or they cannot be told.",
    )
    counted_rows: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="How many rows it wrote when it was run and rolled back. Absent: it was not run.",
    )
    note: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None,
        description="Why it was not run beforehand, where the rule asks for that. Absent: nothing to say.",
    )
    max_rows: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="How many rows it may write; if it writes more, it is rolled back and refused. Absent: "
        "any number.",
    )


class DecidingRule(ApiModel):
    """The rule that asks for approval."""

    name: ObjectName = Field(description="Name of the AccessPolicy.")
    rule: LabelName = Field(description="Name of the rule in it.")
    rule_hash: Digest = Field(
        description="Hash of the rule; once it is changed the request no longer opens anything."
    )


class Vote(ApiModel):
    """What one person said."""

    by: ProvenName = Field(description="Kubernetes user name, as the API server proved it.")
    groups: tuple[ProvenName, ...] = Field(
        default=(),
        max_length=256,
        description="Kubernetes groups, as the API server proved them. Absent: none.",
    )
    decision: Decision = Field(description="Approved or Denied.")
    reason: Reason | None = Field(default=None, description="Why, in that person's words. Absent: not told.")
    at: Time | None = Field(default=None, description="When (RFC 3339). Absent: not told.")


_WRITABLE = frozenset({"decision", "reason", "votes"})


class ApprovalRequestSpec(ApiModel):
    """What is asked, and what people say. Only `decision` and `reason` are written by people."""

    connection: ObjectName = Field(description="Name of the Connection, in the same namespace.")
    instance: Annotated[str, Field(max_length=253)] | None = Field(
        default=None, description="The proxy that holds the operation. Absent: none does (FailFast)."
    )
    session: Annotated[str, Field(max_length=128)] | None = Field(
        default=None,
        description="The session in which it was asked, as the audit names it. Absent: not told.",
    )
    requester: Requester = Field(description="Who asks.")
    operation: RequestedOperation = Field(description="What is asked.")
    effect: Effect | None = Field(
        default=None, description="What it would touch, as far as can be told beforehand."
    )
    policy: DecidingRule = Field(description="The rule that asks for approval.")
    approvers: Approvers = Field(description="Who must agree. Every entry must be met, by different people.")
    escalation: tuple[Escalation, ...] = Field(
        default=(),
        max_length=8,
        description="Who may vote as well once the request has waited. Absent: nobody.",
    )
    grant: Grant | None = Field(
        default=None, description="What the approval opens. Absent: the operation, once."
    )
    credential: ObjectName | None = Field(
        default=None,
        description="Which of the Connection's `approvalCredentials` the operation would run with. Absent: "
        "the session's own.",
    )
    expires_at: WholeSecond = Field(description="When it ends as refused unless decided (RFC 3339).")
    decision: Decision | None = Field(
        default=None,
        description="Write Approved or Denied here to vote; admission turns it into an entry of "
        "`votes`. Absent: nothing to say.",
    )
    reason: Reason | None = Field(
        default=None, description="Why, in your own words; goes with `decision`. Absent: no reason."
    )
    votes: tuple[Vote, ...] = Field(
        default=(),
        max_length=64,
        description="What people said; written by admission from the caller's proven name, never by hand. "
        "Absent: nobody has voted.",
    )


def _unchanged(attribute: str) -> CelRule:
    name = cel_name(attribute)
    field = ApprovalRequestSpec.model_fields[attribute]
    words = f"{wire_name(attribute)} cannot be changed; make your decision in spec.decision and spec.reason"
    if field.is_required():
        return CelRule(f"self.{name} == oldSelf.{name}", words, f".{wire_name(attribute)}")
    same = f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"
    return CelRule(same, words, f".{wire_name(attribute)}")


ApprovalRequestSpec.cel = tuple(
    _unchanged(name) for name in ApprovalRequestSpec.model_fields if name not in _WRITABLE
)


class NotificationState(StrEnum):
    """What became of a message to a receiver."""

    PENDING = "Pending"
    DELIVERED = "Delivered"
    GIVEN_UP = "GivenUp"


class NotificationRecord(ApiModel):
    """One message to one receiver."""

    receiver: Annotated[str, Field(max_length=128)] = Field(
        description="`connection/` or `policy/`, and the name it has in that one's `notify`."
    )
    event: NotifyOn = Field(
        description="What it is told: Requested, Escalated, Approved, Denied, Expired, Used or Withdrawn."
    )
    state: NotificationState = Field(
        default=NotificationState.PENDING,
        description="Pending: it is tried again. Delivered: the receiver took it. GivenUp: for an hour it "
        "did not.",
    )
    attempts: Annotated[int, Field(ge=0)] = Field(default=0, description="How often it was tried.")
    first_at: Time = Field(description="When it was tried first (RFC 3339).")
    next_at: Time | None = Field(default=None, description="When it is tried again. Absent: it is not.")
    problem: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="Why the last attempt failed. Absent: it did not."
    )


class ApprovalRequestStatus(Status):
    """Where the request is."""

    phase: Phase = Field(
        default=Phase.PENDING,
        description="Pending: people have not decided. Approved: may run once. Denied: may not run. Expired: "
        "nobody decided in time. Used: it has run. Withdrawn: the client gave up.",
    )
    votes: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="How many of the needed approvals are there: `1/2`."
    )
    message: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="Why it is in this phase, for people."
    )
    resolved_at: Time | None = Field(default=None, description="When it left Pending (RFC 3339).")
    uses: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="How many operations a grant has opened. Absent: none yet, or no grant."
    )
    first_used_at: Time | None = Field(
        default=None, description="When a grant opened its first operation; its time runs from here."
    )
    notifications: tuple[NotificationRecord, ...] = Field(
        default=(), max_length=256, description="Who was told what. Absent: nobody is to be told."
    )


class ApprovalRequest(ApiObject):
    """One operation that waits for people. Made by proxies only."""

    kind: Literal["ApprovalRequest"] = "ApprovalRequest"
    spec: ApprovalRequestSpec = Field(description="What is asked, and what people say.")
    status: ApprovalRequestStatus = Field(
        default=ApprovalRequestStatus(), description="Where the request is; opens nothing by itself."
    )
