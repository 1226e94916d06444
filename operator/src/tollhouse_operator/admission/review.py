"""Whether an object may be stored: it must be readable, and a policy must compile. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tollhouse_core.api import InvalidObject, Problem, parse_object
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.connection import Connection
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
    on one for each protocol that its selectors could mean."""
    chosen = [connection for connection in connections if selects(policy, connection)]
    if chosen:
        found = [problem for one in chosen for problem in _problems(policy, one, languages)]
        return tuple(dict.fromkeys(found))
    tried = [_problems(policy, one, languages) for one in _supposed(policy)]
    # Good for one protocol is good enough while nobody knows which it will be.
    return () if any(not problems for problems in tried) else min(tried, key=len)


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


def _supposed(policy: AccessPolicy) -> tuple[Connection, ...]:
    selection = policy.spec.connections
    labels = dict(selection.selector.match_labels) if selection.selector is not None else {}
    document = {
        "apiVersion": policy.api_version,
        "kind": "Connection",
        "metadata": {
            "name": selection.names[0] if selection.names else "any",
            "namespace": policy.namespace,
            "labels": labels,
        },
        "spec": {
            "postgres": {"host": "not-yet-known", "database": "not_yet_known"},
            "credentials": {"secretRef": {"name": "not-yet-known"}},
        },
    }
    connection = parse_object(document)
    assert isinstance(connection, Connection)
    # A selector of expressions alone cannot be met by supposing labels: name it instead.
    if not selects(policy, connection):
        return ()
    return (connection,)
