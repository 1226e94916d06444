"""From the objects of a namespace to one bundle for each Connection. Pure; trouble stays local.

A policy that does not compile holds back the bundles of the Connections it selects, and no others:
without it they could allow what it forbids.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tollhouse_core.api import InvalidObject, Problem
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.selection import ConnectionSelection
from tollhouse_core.policy.bundle import BadBundle, build_bundle, revision_of, selects, with_revocations
from tollhouse_operator.gather import Situation
from tollhouse_operator.inputs import Inputs, inputs_of
from tollhouse_operator.manifests.config_maps import LARGEST_BUNDLE_BYTES
from tollhouse_operator.manifests.naming import Manifest

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class BundleOutcome:
    """What became of a Connection's policies. `text` is the bundle; None: the last good one stays."""

    policies: int
    revision: str = ""
    text: str | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyOutcome:
    """What became of a policy."""

    connections: int
    rules: int
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A namespace's outcomes by the names of Connections and policies."""

    bundles: Mapping[str, BundleOutcome] = field(default_factory=dict)
    policies: Mapping[str, PolicyOutcome] = field(default_factory=dict)


Known = dict[str, tuple[Inputs, BundleOutcome]]
"""What became of a namespace's Connections the last time, and of what."""


def compile_namespace(
    situation: Situation, languages: Mapping[str, Any], known: Known | None = None
) -> Compiled:
    """Never raises for what people wrote.

    `known` is kept by the caller from one time to the next: a Connection whose objects have not
    changed since is not compiled again, so that an edit costs what it touches.
    """
    bundles: dict[str, BundleOutcome] = {}
    for connection in situation.connections.models:
        inputs = inputs_of(connection, situation) if known is not None else None
        before = known.get(connection.name) if known is not None else None
        if before is not None and before[0] == inputs:
            bundles[connection.name] = before[1]
            continue
        outcome = bundles[connection.name] = _bundle_of(connection, situation, languages)
        if known is not None and inputs is not None:
            known[connection.name] = (inputs, outcome)
    return Compiled(bundles, _policy_outcomes(situation, bundles))


def _bundle_of(connection: Connection, situation: Situation, languages: Mapping[str, Any]) -> BundleOutcome:
    policies = [policy for policy in situation.policies.models if selects(policy, connection)]
    invalid = [problems for document, problems in situation.policies.bad if _may_select(document, connection)]
    count = len(policies) + len(invalid)
    if invalid:
        return BundleOutcome(count, problems=tuple(problem for group in invalid for problem in group))
    unread = _unreadable_references(connection, situation)
    if unread:
        return BundleOutcome(count, problems=unread)
    lost = (*situation.revocations.bad, *situation.cluster_revocations.bad)
    if lost:
        return BundleOutcome(count, problems=tuple(problem for _, group in lost for problem in group))
    try:
        result = build_bundle(
            connection,
            policies,
            situation.providers.models,
            situation.sinks.models,
            languages,
            situation.turned_out,
            situation.tokens,
        )
    except Exception as error:
        # Our own fault, whatever was written. It must not take the other Connections along.
        log.exception("%s: its policies could not be compiled", connection.title)
        words = f"its policies could not be compiled ({type(error).__name__}); the operator's log says more"
        return BundleOutcome(count, problems=(Problem("", words, connection.title),))
    if result.bundle is None:
        return BundleOutcome(count, problems=tuple(result.problems))
    text = result.bundle.to_json()
    size = len(text.encode())
    if size > LARGEST_BUNDLE_BYTES:
        words = (
            f"the policies for this Connection take {size} bytes, and one object of the API server holds "
            f"{LARGEST_BUNDLE_BYTES}; name fewer tables or split the Connection"
        )
        return BundleOutcome(count, problems=(Problem("", words, connection.title),))
    return BundleOutcome(count, result.bundle.revision, text)


def kept_in_force(
    text: str, situation: Situation, *, something_unread: bool = False
) -> tuple[str, str] | None:
    """(revision, text) of the last good bundle with the Revocations of now; None where nothing is new
    or where that is no bundle. `something_unread`: there may be Revocations nobody could read; none that
    the bundle has is lifted then."""
    try:
        unread: Container[str] = _Everything() if something_unread else situation.unread_revocations
        renewed = with_revocations(text, situation.turned_out, unread)
    except BadBundle as error:
        log.warning("the bundle in force cannot take Revocations: %s", error)
        return None
    return None if renewed == text else (revision_of(renewed), renewed)


class _Everything:
    def __contains__(self, _: object) -> bool:
        return True


def _unreadable_references(connection: Connection, situation: Situation) -> tuple[Problem, ...]:
    """Problems of providers and sinks that the Connection names and that are invalid themselves."""
    named = {
        *(("IdentityProvider", name) for name in connection.spec.identity.providers),
        *(("AuditSink", name) for name in connection.spec.audit.sinks),
    }
    return tuple(
        problem
        for document, problems in (*situation.providers.bad, *situation.sinks.bad)
        if (document["kind"], document["metadata"]["name"]) in named
        for problem in problems
    )


def _may_select(document: Manifest, connection: Connection) -> bool:
    """Whether an invalid policy is for that Connection; where that cannot be read either: it is."""
    try:
        selection = ConnectionSelection.model_validate(document["spec"]["connections"])
    except (KeyError, TypeError, ValueError, InvalidObject):
        return True
    return selection.matches(connection.name, connection.metadata.labels)


def _policy_outcomes(situation: Situation, bundles: Mapping[str, BundleOutcome]) -> dict[str, PolicyOutcome]:
    outcomes: dict[str, PolicyOutcome] = {}
    reported = [problem for bundle in bundles.values() for problem in bundle.problems]
    for _, policy in situation.policies.good:
        connections = sum(selects(policy, one) for one in situation.connections.models)
        problems = _unique(problem for problem in reported if problem.object == policy.title)
        outcomes[policy.name] = PolicyOutcome(connections, len(policy.spec.rules), problems)
    for document, problems in situation.policies.bad:
        connections = sum(_may_select(document, one) for one in situation.connections.models)
        outcomes[document["metadata"]["name"]] = PolicyOutcome(connections, 0, problems)
    return outcomes


def _unique(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problems))
