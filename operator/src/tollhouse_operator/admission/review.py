"""Whether an object may be stored: it must be readable, and a policy must compile. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tollhouse_core.api import InvalidObject, Problem, parse_object
from tollhouse_core.api.access_policy import AccessPolicy, Rule
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.meta import API_VERSION
from tollhouse_core.api.selection import ConnectionSelection
from tollhouse_core.policy.bundle import build_bundle, selects
from tollhouse_operator.admission.answer import ALLOWED, Answer, Request
from tollhouse_operator.statuses import listed


def review(request: Request, connections: Sequence[Connection], languages: Mapping[str, Any]) -> Answer:
    """`connections`: those of the request's namespace, as they are now.

    What an object refers to may be made later, in any order; that is for conditions. What can only
    be a mistake is refused here, with the field's path.
    """
    if request.new is None or request.new.get("metadata", {}).get("deletionTimestamp"):
        return ALLOWED  # a deletion must never be held up by what is wrong with the object
    document = {key: value for key, value in request.new.items() if key != "status"}
    metadata = dict(document.get("metadata") or {})
    metadata.setdefault("namespace", request.namespace)
    document["metadata"] = metadata
    try:
        parsed = parse_object(document)
    except InvalidObject as error:
        return Answer(False, listed(error.problems))
    if isinstance(parsed, AccessPolicy):
        problems = policy_problems(parsed, connections, languages)
        if problems:
            return Answer(False, listed(problems))
        if not any(selects(parsed, connection) for connection in connections):
            return Answer(True, warnings=["selects no Connection of this namespace, so far"])
    return ALLOWED


def policy_problems(
    policy: AccessPolicy, connections: Sequence[Connection], languages: Mapping[str, Any]
) -> tuple[Problem, ...]:
    """What is wrong with the policy itself on the Connections it selects; where there are none yet,
    on a supposed one."""
    chosen = [connection for connection in connections if selects(policy, connection)]
    if chosen:
        found = [problem for one in chosen for problem in _problems(policy, one, languages)]
        return tuple(dict.fromkeys(found))
    if any(_other_protocol(rule) for rule in policy.spec.rules):
        return ()  # nobody knows yet what it will be judged on; the condition will tell
    supposed = _supposed(policy)
    selecting = ConnectionSelection(names=(supposed.name,))
    spec = policy.spec.model_copy(update={"connections": selecting})
    return _problems(policy.model_copy(update={"spec": spec}), supposed, languages)


def _problems(
    policy: AccessPolicy, connection: Connection, languages: Mapping[str, Any]
) -> tuple[Problem, ...]:
    alone = connection.model_copy(
        update={
            "spec": connection.spec.model_copy(
                update={
                    "identity": connection.spec.identity.model_copy(update={"providers": ()}),
                    "audit": connection.spec.audit.model_copy(update={"sinks": ()}),
                }
            )
        }
    )
    result = build_bundle(alone, [policy], [], [], languages)
    return tuple(problem for problem in result.problems if problem.object == policy.title)


def _other_protocol(rule: Rule) -> bool:
    action = rule.allow or rule.deny or rule.require_approval
    return action is not None and action.sql is None


def _supposed(policy: AccessPolicy) -> Connection:
    """Stands in for a Connection that will be made later: PostgreSQL, the one protocol that is built."""
    parsed = parse_object(
        {
            "apiVersion": API_VERSION,
            "kind": "Connection",
            "metadata": {"name": "not-there-yet", "namespace": policy.namespace},
            "spec": {
                "postgres": {"host": "not-there-yet", "database": "not_there_yet"},
                "credentials": {"secretRef": {"name": "not-there-yet"}},
            },
        }
    )
    assert isinstance(parsed, Connection)
    return parsed
