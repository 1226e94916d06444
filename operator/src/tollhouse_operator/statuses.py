"""What the statuses of Connections and AccessPolicies say. Pure: facts in, findings out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tollhouse_core.api import Problem
from tollhouse_core.api.connection import Connection
from tollhouse_core.privileges import Excess
from tollhouse_operator.compiling import BundleOutcome, PolicyOutcome
from tollhouse_operator.conditions import Finding, Reason
from tollhouse_operator.manifests.naming import Manifest, client_port, names_of
from tollhouse_operator.reports import MOST_EXCESS, Report

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What is known about a Connection.

    in_force: the revision in the bundle object, "" if there is none. trouble: why its objects could
    not be put in place. reports: of the proxies that are alive.
    """

    bundle: BundleOutcome
    in_force: str
    trouble: tuple[Reason, str] | None
    deployment: Manifest | None
    reports: Sequence[Report]

    @property
    def ready(self) -> int:
        """How many proxies take connections."""
        return sum(report.ready for report in self.reports)

    @property
    def current(self) -> int:
        """How many of all proxies run the revision in force."""
        return sum(report.revision == self.in_force for report in self.reports if self.in_force)

    @property
    def excess(self) -> tuple[Excess, ...] | None:
        """What the backend's roles may do beyond the policies' needs; None: no proxy has looked yet."""
        told = [report.excess for report in self.reports if report.excess is not None]
        return tuple(dict.fromkeys(one for each in told for one in each))[:MOST_EXCESS] if told else None


def connection_findings(connection: Connection, facts: ConnectionFacts) -> tuple[Finding, ...]:
    """Ready, Reconciling, Stalled, PoliciesCompiled, LeastPrivilege."""
    return (
        _ready(connection, facts),
        _reconciling(connection, facts),
        _stalled(facts),
        _compiled(facts),
        _least_privilege(facts),
    )


def connection_status(connection: Connection, facts: ConnectionFacts) -> dict[str, Any]:
    """The status without conditions and generation."""
    names = names_of(connection)
    warnings = sorted({words for report in facts.reports for words in report.warnings})
    status: dict[str, Any] = {
        "protocol": connection.protocol,
        "endpoint": f"{names.service}.{names.namespace}.svc:{client_port(connection)}",
        "policies": facts.bundle.policies,
        "proxies": {"ready": facts.ready, "current": facts.current},
    }
    if facts.in_force:
        status["revision"] = facts.in_force
    if warnings:
        status["warnings"] = warnings[:32]
    if facts.excess:
        status["excessPrivileges"] = [
            {"role": one.role, "what": one.what, "sql": one.sql} for one in facts.excess
        ]
    return status


def policy_findings(outcome: PolicyOutcome) -> tuple[Finding, ...]:
    """Ready, Reconciling, Stalled."""
    idle = Finding("Reconciling", False, Reason.UP_TO_DATE, "nothing is under way")
    if outcome.problems:
        words = f"{listed(outcome.problems)}. The last good policies of its Connections stay in force."
        return (
            Finding("Ready", False, Reason.POLICIES_NOT_COMPILED, words),
            idle,
            Finding("Stalled", True, Reason.POLICIES_NOT_COMPILED, words),
        )
    on = f"{outcome.rules} rule{'s' if outcome.rules != 1 else ''} in force on "
    on += f"{outcome.connections} Connection{'s' if outcome.connections != 1 else ''}"
    reason = Reason.COMPILED if outcome.connections else Reason.SELECTS_NOTHING
    words = on if outcome.connections else "selects no Connection of this namespace"
    return (
        Finding("Ready", True, reason, words),
        idle,
        Finding("Stalled", False, Reason.UP_TO_DATE, "nothing is in the way"),
    )


def listed(problems: Sequence[Problem]) -> str:
    """Problems as one text: paths first, objects where they are named."""
    shown = "; ".join(str(problem).rstrip(".") for problem in problems[:_SHOWN])
    more = len(problems) - _SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown


def _ready(connection: Connection, facts: ConnectionFacts) -> Finding:
    if facts.trouble is not None and facts.deployment is None:
        return Finding("Ready", False, *facts.trouble)
    if not facts.in_force:
        if facts.bundle.problems:
            words = f"no policies are in force, every operation is refused: {listed(facts.bundle.problems)}"
            return Finding("Ready", False, Reason.POLICIES_NOT_COMPILED, words)
        return Finding("Ready", False, Reason.NO_BUNDLE, "policies are being compiled")
    wanted = connection.spec.proxy.replicas
    if facts.ready == 0:
        words = f"0 of {wanted} proxies take connections"
        return Finding("Ready", False, Reason.PROXIES_NOT_READY, words)
    return Finding("Ready", True, Reason.SERVING, f"{facts.ready} of {wanted} proxies take connections")


def _reconciling(connection: Connection, facts: ConnectionFacts) -> Finding:
    status = (facts.deployment or {}).get("status") or {}
    generation = (facts.deployment or {}).get("metadata", {}).get("generation")
    wanted = connection.spec.proxy.replicas
    updated = int(status.get("updatedReplicas") or 0)
    if status.get("observedGeneration") != generation or updated < wanted or facts.ready < wanted:
        words = f"{updated} of {wanted} proxies are as the spec says, {facts.ready} ready"
        return Finding("Reconciling", True, Reason.ROLLING_OUT, words)
    if facts.current < len(facts.reports):
        words = f"{facts.current} of {len(facts.reports)} proxies run the revision in force"
        return Finding("Reconciling", True, Reason.REVISION_SPREADING, words)
    return Finding("Reconciling", False, Reason.UP_TO_DATE, "nothing is under way")


def _stalled(facts: ConnectionFacts) -> Finding:
    if facts.trouble is not None:
        return Finding("Stalled", True, *facts.trouble)
    if facts.bundle.problems:
        return Finding("Stalled", True, Reason.POLICIES_NOT_COMPILED, listed(facts.bundle.problems))
    return Finding("Stalled", False, Reason.UP_TO_DATE, "nothing is in the way")


def _compiled(facts: ConnectionFacts) -> Finding:
    if facts.bundle.problems:
        stays = "; the last good revision stays in force" if facts.in_force else ""
        words = listed(facts.bundle.problems) + stays
        return Finding("PoliciesCompiled", False, Reason.POLICIES_NOT_COMPILED, words)
    count = facts.bundle.policies
    words = f"{count} polic{'ies' if count != 1 else 'y'} in force"
    if not count:
        words = "no policy selects this Connection: every operation is refused"
    return Finding("PoliciesCompiled", True, Reason.COMPILED, words)


def _least_privilege(facts: ConnectionFacts) -> Finding:
    found = facts.excess
    if found is None:
        words = "no proxy has looked at the backend role's privileges yet"
        return Finding("LeastPrivilege", None, Reason.NOT_INSPECTED, words)
    if not found:
        words = "the backend role may do nothing that the policies do not need"
        return Finding("LeastPrivilege", True, Reason.NOTHING_TO_SPARE, words)
    shown = "; ".join(f'"{one.role}" {one.what}' for one in found[:3])
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    words = f"{shown}{more}. status.excessPrivileges has the SQL that takes it away."
    return Finding("LeastPrivilege", False, Reason.MORE_THAN_NEEDED, words)
