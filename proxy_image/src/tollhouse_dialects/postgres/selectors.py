"""`sql` selectors: tables, commands, functions or roles."""

from __future__ import annotations

from tollhouse_core.api.selectors import SqlSelector
from tollhouse_core.operation import AccessKind
from tollhouse_core.policy.globs import Segment
from tollhouse_core.policy.language import AccessSelector, Clause, Fault, NotCompiled
from tollhouse_dialects.postgres.names import role_globs, table_globs
from tollhouse_dialects.postgres.tags import BadTag, tag_glob

EXECUTE = Segment(("Execute",))
CONNECT = Segment(("Connect",))


def compile_selector(source: SqlSelector, default_schema: str) -> AccessSelector:
    """Raises NotCompiled with paths like ".tables[2]"."""
    if source.access is not None and source.tables is not None:
        globs = table_globs(source.tables, default_schema, ".tables")
        actions = tuple(Segment((access.value,)) for access in source.access)
        clause = Clause(AccessKind.TABLE, actions, globs)
        verbs = ", ".join(access.value for access in source.access)
        return AccessSelector((clause,), f"{verbs} on {', '.join(source.tables)}")
    if source.functions is not None:
        globs = table_globs(source.functions, default_schema, ".functions")
        clause = Clause(AccessKind.FUNCTION, (EXECUTE,), globs)
        return AccessSelector((clause,), f"functions {', '.join(source.functions)}")
    if source.commands is not None:
        clause = Clause(AccessKind.COMMAND, _tags(source.commands))
        return AccessSelector((clause,), f"commands {', '.join(source.commands)}")
    if source.roles is not None:
        clause = Clause(AccessKind.ROLE, (CONNECT,), role_globs(source.roles, ".roles"))
        return AccessSelector((clause,), f"roles {', '.join(source.roles)}")
    raise NotCompiled(Fault("", "expected access with tables, or commands, functions or roles"))


def _tags(patterns: tuple[str, ...]) -> tuple[Segment, ...]:
    tags: list[Segment] = []
    faults: list[Fault] = []
    for index, pattern in enumerate(patterns):
        try:
            tags.append(tag_glob(pattern))
        except BadTag as bad:
            faults.append(Fault(f".commands[{index}]", str(bad)))
    if faults:
        raise NotCompiled(*faults)
    return tuple(tags)
