"""What the votes on a request add up to: one pure function, used by whoever must know.

The operator shows its result, the proxy acts on its own: a status can close a request, never open
one. Votes are read in order; the first that ends the request (a denial, or the last approval
needed) ends it, and what comes later does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollhouse_core.api.access_policy import Approver, Grant
from tollhouse_core.api.approval_request import ApprovalRequest, Decision, Phase, Vote
from tollhouse_core.approvals.people import Voter, meets
from tollhouse_core.decision import Covers
from tollhouse_core.policy.wording import printable

USABLE_AFTER_APPROVAL = timedelta(minutes=5)
"""An approval given late may still be used for so long, beyond the request's own end."""

LONGEST_SESSION_GRANT = 86_400.0
"""Seconds after which a grant for a session is over even if the session is not."""

_MESSAGE = 900
"""Characters of a message: a status holds 1024."""

_CLOSED = {
    Phase.USED: "the operation has run",
    Phase.WITHDRAWN: "the client gave up",
    Phase.DENIED: "denied",
    Phase.EXPIRED: "nobody decided in time",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """Where a request stands. `missing` says what is still needed, one entry for each sort of
    approver ("1 of group managers"); `votes` is the count as people read it, "1/2"."""

    phase: Phase
    message: str
    missing: tuple[str, ...] = ()
    votes: str = ""


def tally(request: ApprovalRequest, now: datetime) -> Tally:
    """The request's phase at `now` (UTC)."""
    spec = request.spec
    counted = _Counted(request)
    for vote in spec.votes:
        at = vote.at or now
        if at >= spec.expires_at:
            break
        if counted.add(vote, at):
            break
    missing = counted.missing(now)
    votes = counted.shown
    if request.status.phase in _CLOSED and request.status.phase is not Phase.DENIED:
        phase = request.status.phase
        return Tally(phase, request.status.message or _CLOSED[phase], missing, votes)
    if counted.denied is not None:
        return Tally(Phase.DENIED, _denial(counted.denied), missing, votes)
    if request.status.phase is Phase.DENIED:
        return Tally(Phase.DENIED, request.status.message or _CLOSED[Phase.DENIED], missing, votes)
    if counted.decided_by is not None:
        return _approved(request, counted, now)
    if now >= spec.expires_at:
        return Tally(Phase.EXPIRED, f"nobody decided in time; needed: {_and(missing)}", missing, votes)
    return Tally(Phase.PENDING, f"waits for {_and(missing)}", missing, votes)


def next_deadline(request: ApprovalRequest, now: datetime) -> datetime:
    """The next moment after `now` at which time alone can change the tally (an escalation step, the
    end, the end of a grant in use); the end itself when that is past."""
    grant, begun = request.spec.grant, request.status.first_used_at
    if grant is not None and begun is not None:
        return begun + timedelta(seconds=grant.for_.seconds if grant.for_ else LONGEST_SESSION_GRANT)
    created = request.metadata.creation_timestamp
    steps: list[datetime] = []
    if created is not None:
        moments = (created + timedelta(seconds=step.after.seconds) for step in request.spec.escalation)
        steps = [moment for moment in moments if moment > now]
    return min([*steps, request.spec.expires_at])


def alternatives(request: ApprovalRequest, at: datetime) -> list[Sequence[Approver]]:
    """The sets of approvers of which one must be met: the rule's own, and after its time each
    escalation step's."""
    created = request.metadata.creation_timestamp
    reached = [
        step.approvers
        for step in request.spec.escalation
        if created is not None and at >= created + timedelta(seconds=step.after.seconds)
    ]
    return [request.spec.approvers, *reached]


class _Counted:
    """Votes counted one after another."""

    def __init__(self, request: ApprovalRequest) -> None:
        self._request = request
        self._voted: set[str] = set()
        self._approving: list[Voter] = []
        self.denied: Vote | None = None
        self.decided_by: Vote | None = None

    def add(self, vote: Vote, at: datetime) -> bool:
        """Counts a vote cast at that time; True when it ends the request."""
        voter = Voter(vote.by, frozenset(vote.groups))
        sets = alternatives(self._request, at)
        eligible = any(meets(voter, entry, self._request) for entries in sets for entry in entries)
        if vote.by in self._voted or not eligible:
            return False
        self._voted.add(vote.by)
        if vote.decision is Decision.DENIED:
            self.denied = vote
            return True
        self._approving.append(voter)
        if any(not self._unmet(entries) for entries in sets):
            self.decided_by = vote
            return True
        return False

    @property
    def approvers(self) -> str:
        """Who approved, as people read it."""
        return _and(voter.name for voter in self._approving)

    @property
    def shown(self) -> str:
        """Approvals that count, of those needed by the rule's own approvers."""
        needed = sum(entry.count for entry in self._request.spec.approvers)
        if self.decided_by is not None:
            return f"{needed}/{needed}"
        return f"{needed - sum(count for _, count in self._unmet(self._request.spec.approvers))}/{needed}"

    def missing(self, now: datetime) -> tuple[str, ...]:
        """What is still needed of the set that is nearest to being met."""
        if self.decided_by is not None:
            return ()
        unmet = [self._unmet(entries) for entries in alternatives(self._request, now)]
        nearest = min(unmet, key=lambda each: sum(count for _, count in each))
        return tuple(f"{count} of {describe(entry)}" for entry, count in nearest)

    def _unmet(self, entries: Sequence[Approver]) -> list[tuple[Approver, int]]:
        """Entries that lack people, when everybody who approved is put where it helps most.

        A person fills one place only: a maximum matching of people and places (augmenting paths).
        """
        places = [index for index, entry in enumerate(entries) for _ in range(entry.count)]
        holder: dict[int, Voter] = {}

        def seat(voter: Voter, tried: set[int]) -> bool:
            for place, index in enumerate(places):
                if place in tried or not meets(voter, entries[index], self._request):
                    continue
                tried.add(place)
                if place not in holder or seat(holder[place], tried):
                    holder[place] = voter
                    return True
            return False

        for voter in self._approving:
            seat(voter, set())
        empty = [index for place, index in enumerate(places) if place not in holder]
        return [(entries[index], empty.count(index)) for index in sorted(set(empty))]


def describe(entry: Approver) -> str:
    """An entry of the approvers in words."""
    if entry.on_behalf_of is not None:
        return "the person the agent works for"
    return f"group {entry.group}" if entry.group is not None else f"user {entry.user}"


def _approved(request: ApprovalRequest, counted: _Counted, now: datetime) -> Tally:
    assert counted.decided_by is not None
    at = counted.decided_by.at
    usable_until = request.spec.expires_at
    if at is not None:
        usable_until = max(usable_until, at + USABLE_AFTER_APPROVAL)
    grant, begun = request.spec.grant, request.status.first_used_at
    if grant is not None and begun is not None and begun < usable_until:
        over = grant_over(grant, begun, request.status.uses or 0, now)
        if over is not None:
            return Tally(*over, (), counted.shown)
    elif now >= usable_until:
        return Tally(Phase.EXPIRED, "it was approved and not used in time", (), counted.shown)
    message = printable(f"approved by {counted.approvers}{_reason(counted.decided_by)}", _MESSAGE)
    return Tally(Phase.APPROVED, message, (), counted.shown)


def grant_over(grant: Grant, begun: datetime, uses: int, now: datetime) -> tuple[Phase, str] | None:
    """How a grant that has been used since `begun` stands: None as long as it opens operations."""
    if uses >= grant.uses:
        return Phase.USED, f"all {grant.uses} uses of the grant are spent"
    if now >= begun + timedelta(seconds=grant.for_.seconds if grant.for_ else LONGEST_SESSION_GRANT):
        return Phase.EXPIRED, f"the grant is over; it opened {uses} of at most {grant.uses} operations"
    return None


def describe_grant(grant: Grant | None) -> str:
    """What an approval opens, in words for who approves and who waits."""
    if grant is None:
        return "this operation, once"
    what = "this operation" if grant.covers is Covers.EXACT else "this statement with any values"
    how_long = f"for {grant.for_} from its first use" if grant.for_ else "in the session that asks"
    return f"{what}, {how_long}, at most {grant.uses} times"


def _denial(vote: Vote) -> str:
    return printable(f"denied by {vote.by}{_reason(vote)}", _MESSAGE)


def _reason(vote: Vote) -> str:
    return f": {vote.reason}" if vote.reason else ""


def _and(items: Iterable[str]) -> str:
    return " and ".join(items)
