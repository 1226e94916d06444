"""AccessPolicy: who may do what on which Connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from tollhouse_core.api.masking import MaskAction
from tollhouse_core.api.meta import ApiObject, LabelName, ObjectName, PersonName, Status, Word
from tollhouse_core.api.notifying import Receivers
from tollhouse_core.api.quantities import Duration, PositiveDuration, Quantity
from tollhouse_core.api.selection import ConnectionSelection
from tollhouse_core.api.selectors import TABLES_HELP, Globs, Selecting
from tollhouse_core.api.shape import ApiModel, AtLeastOne, ExactlyOne, Holds, Marker, Needs, Shape
from tollhouse_core.decision import Covers, Mode, PreviewMode, WhileWaiting, WriteCheck

ACTIONS = ("allow", "deny", "require_approval", "mask", "filter", "limit", "session")
MODED = ("deny", "require_approval", "limit")


class ServiceAccountSubject(ApiModel):
    """A Kubernetes ServiceAccount."""

    namespace: LabelName = Field(description="Its namespace.")
    name: ObjectName = Field(description="Its name.")


class Subject(ApiModel):
    """Somebody a policy is about."""

    shape: ClassVar[tuple[Shape, ...]] = (
        ExactlyOne(("group", "user", "service_account", "authenticated"), "subject"),
        Needs("provider", ("user", "group"), "provider goes with user or group only; take it away here"),
    )

    group: PersonName | None = Field(
        default=None, description="Everybody whose token says they are in this group."
    )
    user: PersonName | None = Field(default=None, description="Who their token says is this user.")
    provider: ObjectName | None = Field(
        default=None,
        description="The IdentityProvider that must have said so. Absent: any the Connection takes.",
    )
    service_account: ServiceAccountSubject | None = Field(
        default=None, description="A ServiceAccount of this cluster."
    )
    authenticated: Marker | None = Field(
        default=None, description="Everybody who proved who they are; written `{}`."
    )


class Approver(ApiModel):
    """People who may vote, and how many of them must agree."""

    shape: ClassVar[tuple[Shape, ...]] = (
        ExactlyOne(("group", "user", "on_behalf_of"), "sort of approver"),
        Holds(
            lambda approver: approver.count == 1 or approver.group is not None,
            "!has(self.count) || self.count == 1 || has(self.group)",
            "only a group can have a count above 1",
            "count",
        ),
    )

    group: PersonName | None = Field(
        default=None, description="Members of this group, as the API server proves them."
    )
    user: PersonName | None = Field(
        default=None, description="The user of this name, as the API server proves it."
    )
    on_behalf_of: Marker | None = Field(
        default=None, description="The person the agent says it works for; written `{}`."
    )
    count: Annotated[int, Field(ge=1, le=16)] = Field(
        default=1, description="How many different people of this sort must agree. Default: 1."
    )


Approvers = Annotated[tuple[Approver, ...], Field(min_length=1, max_length=16)]


class Escalation(ApiModel):
    """Further people, from some moment on."""

    after: PositiveDuration = Field(description="How long after the request these people may vote as well.")
    approvers: Approvers = Field(description="Who may then vote instead of the rule's own approvers.")


class Grant(ApiModel):
    """How much one approval opens, where it is more than one operation."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(("session", "for_"), "length of a grant"),)

    session: Marker | None = Field(
        default=None,
        description="In the session that asked, as long as that lasts (at most a day); written `{}`.",
    )
    for_: PositiveDuration | None = Field(
        default=None,
        description="So long from the first use on, in any session of the same identity on this Connection.",
    )
    covers: Covers = Field(
        default=Covers.EXACT,
        description="Exact (default): the very same operation again, values included. Template: the same "
        "statement on the same objects with any values; what is no plain SELECT, INSERT, UPDATE, DELETE or "
        "MERGE, or calls functions that need a rule, counts as Exact.",
    )
    uses: Annotated[int, Field(ge=2, le=10_000)] = Field(
        default=100, description="At most so many operations. Default: 100."
    )


class AllowAction(Selecting):
    """Accesses that are allowed."""


class DenyAction(Selecting):
    """Accesses that are refused, whatever else allows them."""

    message: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None,
        description="What the client is told, such as whom to ask. Absent: the rule's name alone.",
    )


class RequireApprovalAction(Selecting):
    """Accesses that wait for people."""

    approvers: Approvers = Field(
        description="Who must agree: Kubernetes users and groups. Every entry must be met, by different "
        "people."
    )
    expires_after: PositiveDuration = Field(
        default=Duration("15m", 900.0),
        description="When a request nobody decided on ends as refused. Default: 15m.",
    )
    escalation: tuple[Escalation, ...] = Field(
        default=(), max_length=8, description="Further approvers once a request has waited. Absent: none."
    )
    while_waiting: WhileWaiting = Field(
        default=WhileWaiting.HOLD,
        description="Hold (default): the client's statement waits on its connection. FailFast: it is refused "
        "with the request's name, and the client tries again when that is approved.",
    )
    grant: Grant | None = Field(
        default=None, description="What one approval opens. Absent: one operation, once."
    )
    credential: ObjectName | None = Field(
        default=None,
        description="A name among the Connection's `approvalCredentials`: the approved operation runs with "
        "that credential, on a backend session of its own outside of any transaction. Absent: with the "
        "session's own.",
    )
    preview: PreviewMode = Field(
        default=PreviewMode.ESTIMATE,
        description="Estimate (default): people are shown what the planner expects. Execute: a write is also "
        "run in a transaction that is rolled back, and they are shown how many rows it wrote; where that "
        "could have effects that stay (triggers, rules, sequences, functions), they are told so instead.",
    )
    max_rows: Annotated[int, Field(ge=0, le=10**12)] | None = Field(
        default=None,
        description="How many rows an approved write may write; one that writes more is rolled back and "
        "refused. Every use of a grant is held to it. Absent: twice the rows counted by a preview that was "
        "run, else any number.",
    )


class FilterAction(ApiModel):
    """Rows that exist."""

    tables: Globs = Field(description=TABLES_HELP)
    where: Annotated[str, Field(min_length=1, max_length=8192)] = Field(
        description="A condition in the backend's own SQL; other rows do not exist. {{ identity.name }}, "
        "{{ identity.claims.NAME }} and the like become typed constants, a list an array."
    )
    writes: WriteCheck = Field(
        default=WriteCheck.CHECK,
        description="Check (default): rows outside the filter can be neither changed nor made. Deny: the "
        "tables cannot be written at all.",
    )


class LimitAction(ApiModel):
    """How much in how long, per identity and Connection, over all its sessions."""

    shape: ClassVar[tuple[Shape, ...]] = (AtLeastOne(("queries", "rows", "bytes")),)

    queries: Annotated[int, Field(ge=0, le=10**12)] | None = Field(
        default=None, description="How many operations; refused ones count too. Absent: any number."
    )
    rows: Annotated[int, Field(ge=0, le=10**15)] | None = Field(
        default=None, description="How many rows of results. Absent: any number."
    )
    bytes: Quantity | None = Field(
        default=None, description="How many bytes of results, such as 50Mi. Absent: any number."
    )
    per: PositiveDuration = Field(description="The length of the moving window, such as 1m.")


class SessionAction(ApiModel):
    """How long sessions may last."""

    shape: ClassVar[tuple[Shape, ...]] = (AtLeastOne(("max_duration", "idle_timeout")),)

    max_duration: PositiveDuration | None = Field(
        default=None, description="Sessions end after this time. Absent: as the Connection says."
    )
    idle_timeout: PositiveDuration | None = Field(
        default=None,
        description="Sessions end when nothing was asked for this time. Absent: as the Connection says.",
    )


def _mode_fits(rule: Any) -> bool:
    return rule.mode is Mode.ENFORCE or any(getattr(rule, action) is not None for action in MODED)


class Rule(ApiModel):
    """One thing a policy says."""

    shape: ClassVar[tuple[Shape, ...]] = (
        ExactlyOne(ACTIONS, "action"),
        Holds(
            _mode_fits,
            "!has(self.mode) || self.mode == 'Enforce' || has(self.deny) || has(self.requireApproval) "
            "|| has(self.limit)",
            "Warn and Shadow are for deny, requireApproval and limit; take mode away here",
            "mode",
        ),
    )

    name: LabelName = Field(description="The rule's name, once in its policy; clients and the audit see it.")
    mode: Mode = Field(
        default=Mode.ENFORCE,
        description="Enforce (default): the rule binds. Warn: it only tells the client and the audit. "
        "Shadow: it is only counted and audited. For deny, requireApproval and limit.",
    )
    when: Annotated[str, Field(min_length=1, max_length=8192)] | None = Field(
        default=None,
        description="A condition in CEL over operation, identity, session and now; the rule holds only where "
        "it is true. Absent: always.",
    )
    except_: tuple[Subject, ...] = Field(
        default=(),
        max_length=64,
        description="People this rule is not about, though the policy is. Absent: nobody.",
    )
    allow: AllowAction | None = Field(default=None, description="These accesses are allowed.")
    deny: DenyAction | None = Field(
        default=None, description="These accesses are refused, whatever else allows them."
    )
    require_approval: RequireApprovalAction | None = Field(
        default=None, description="These accesses wait until people agree; then they count as allowed."
    )
    mask: MaskAction | None = Field(default=None, description="These values are shown changed.")
    filter: FilterAction | None = Field(default=None, description="Other rows of these tables do not exist.")
    limit: LimitAction | None = Field(
        default=None, description="No more than this in some time, per identity and Connection."
    )
    session: SessionAction | None = Field(default=None, description="Sessions last no longer than this.")

    @property
    def action(self) -> str:
        """The name of the action's block: `requireApproval`."""
        return self.chosen(*ACTIONS)


class AccessPolicySpec(ApiModel):
    """What is wanted."""

    connections: ConnectionSelection = Field(description="Which Connections of this namespace it is for.")
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=128)] = Field(
        description="Whom it is about: any of these."
    )
    except_: tuple[Subject, ...] = Field(
        default=(),
        max_length=64,
        description="Whom it is not about, though they are among the subjects. Absent: nobody.",
    )
    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=128)] = Field(
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        description="What it says. Deny goes before approval, approval before allow; what no rule allows is "
        "denied. Rules of all policies add up and their order never matters.",
    )

    notify: Receivers = Field(
        default=(),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        description="Whom the operator tells about requests for approval that rules of this policy make, "
        "beside the Connection's own receivers. Absent: nobody else.",
    )

    @model_validator(mode="after")
    def _rules_have_their_own_names(self) -> Self:
        seen: dict[str, int] = {}
        for index, rule in enumerate(self.rules):
            if rule.name in seen:
                words = f"expected a name of its own; rules[{seen[rule.name]}] is called {rule.name} already"
                raise PydanticCustomError("shape", "{words}", {"words": words, "at": f"rules[{index}].name"})
            seen[rule.name] = index
        return self


class RuleCounts(ApiModel):
    """How often a rule met an operation."""

    model_config = ConfigDict(extra="ignore")

    enforced: int | None = Field(default=None, ge=0, description="How often it bound.")
    warned: int | None = Field(default=None, ge=0, description="How often it would have, in mode Warn.")
    shadowed: int | None = Field(default=None, ge=0, description="How often it would have, in mode Shadow.")


class AccessPolicyStatus(Status):
    """What is."""

    connections: int | None = Field(default=None, ge=0, description="How many Connections it selects.")
    rules: int | None = Field(default=None, ge=0, description="How many rules are in force.")
    matched: Mapping[Word, RuleCounts] = Field(
        default_factory=dict,
        max_length=128,
        description="How often each rule met an operation, by rule name, since the proxies in use started.",
    )


class AccessPolicy(ApiObject):
    """Who (subjects) may do what (rules) on which Connections."""

    kind: Literal["AccessPolicy"] = "AccessPolicy"
    spec: AccessPolicySpec = Field(description="What is wanted.")
    status: AccessPolicyStatus = Field(
        default=AccessPolicyStatus(), description="What is; written by the operator."
    )
