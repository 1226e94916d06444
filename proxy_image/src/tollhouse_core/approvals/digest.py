"""The digest of an operation: what an approval opens, and nothing else.

It covers the canonical statement, its parameters, the objects as resolved, and in whose session it
runs: Connection, database, user asked for, identity, and by which of its settings words are read. The
deciding rule has its own hash beside it.
"""

from __future__ import annotations

import hashlib
import json

from tollhouse_core.identity import Session
from tollhouse_core.operation import Operation


def operation_digest(session: Session, operation: Operation) -> str:
    """ "sha256:" and 64 hexadecimal digits. Accesses and resources count as sets.

    JSON keeps the parts apart: no two different operations can be written alike.
    """
    statement: list[object] = ["exact", operation.canonical or operation.text, list(operation.parameters)]
    return _digest(session, operation, statement)


def template_digest(session: Session, operation: Operation) -> str:
    """The same of the operation without its values; "" for one that has no template."""
    if not operation.template:
        return ""
    return _digest(session, operation, ["template", operation.template, len(operation.parameters)])


def _digest(session: Session, operation: Operation, statement: list[object]) -> str:
    identity = session.identity
    human = identity.on_behalf_of
    document = {
        "connection": [session.namespace, session.connection, session.protocol],
        "session": [session.database, session.user],
        "identity": [identity.provider, identity.name, human.name if human else None],
        "operation": [operation.action, *statement],
        "accesses": sorted(
            [access.verb.value, access.kind.value, access.action, list(access.path)]
            for access in set(operation.accesses)
        ),
        "circumstances": list(operation.circumstances),
        "objects": sorted(set(operation.objects)),
        "resources": sorted(
            [list(resource.path), list(resource.members)] for resource in set(operation.resources)
        ),
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode("ascii")).hexdigest()
