"""All that a policy can open, as one operation on names that no policy can have meant.

Who may do this, and is bound by nothing, may do what he does under any catalog: only a pattern that is all
wildcard meets these names, and nothing takes back what that opens.
"""

from __future__ import annotations

from tollhouse_core.operation import Access, AccessKind, Operation, Verb

_NOBODYS = "\ue000" * 21
"""Characters for private use; longer than a name may be on the server."""

_SCHEMAS = (_NOBODYS, "pg_catalog", "information_schema", "pg_toast")
_ACTIONS = {
    "Select": Verb.READ,
    "Insert": Verb.WRITE,
    "Update": Verb.WRITE,
    "Delete": Verb.DELETE,
    "Truncate": Verb.DELETE,
}
_PATHS = [(schema, _NOBODYS) for schema in _SCHEMAS]

ANYTHING = Operation(
    action=_NOBODYS,
    accesses=(
        *(
            Access(verb, AccessKind.TABLE, action, path)
            for action, verb in _ACTIONS.items()
            for path in _PATHS
        ),
        *(Access(Verb.EXECUTE, AccessKind.FUNCTION, "Execute", path) for path in _PATHS[:3]),
        Access(Verb.ADMIN, AccessKind.COMMAND, _NOBODYS, (_NOBODYS,)),
    ),
)
