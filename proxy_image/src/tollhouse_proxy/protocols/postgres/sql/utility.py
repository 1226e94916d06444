"""Reading statements that are no plain query: transactions, settings, PREPARE, COPY, DDL ..."""

from __future__ import annotations

from dataclasses import dataclass, field

from tollhouse_core.operation import Verb

from .catalog import Relation
from .commands import CHANGE_NO_CATALOG, HARMLESS_COMMANDS, objects_of, tag_of
from .definitions import accesses_of, brings_code, concerned, holds_rows
from .findings import Write
from .nodes import Body, children, constant, strings, wrapped
from .reader import Reader, Scope
from .schemas import elements
from .session_settings import MEANING, clip, command_for, normal
from .statement import EffectKind, NotUnderstood, SessionEffect

QUERY_STATEMENTS = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What is told of a statement besides its findings. `inner` is (type, body) of the statement
    inside PREPARE, DECLARE, EXPLAIN, COPY (query), CREATE TABLE AS."""

    tag: str
    effect: SessionEffect = field(default_factory=SessionEffect)
    returns_rows: bool = False
    sensitive: bool = True
    counted: bool = True
    inner: tuple[str, Body] | None = None


def read_utility(kind: str, body: Body, reader: Reader) -> Reading:
    """Raises NotUnderstood for a statement type Tollhouse does not know."""
    special = _SPECIAL.get(kind)
    return special(body, reader) if special else _command(kind, body, reader)


# -- transactions and settings ----------------------------------------------------------------

_TRANSACTIONS = {
    "TRANS_STMT_BEGIN": ("BEGIN", EffectKind.BEGIN),
    "TRANS_STMT_START": ("START TRANSACTION", EffectKind.BEGIN),
    "TRANS_STMT_COMMIT": ("COMMIT", EffectKind.COMMIT),
    "TRANS_STMT_ROLLBACK": ("ROLLBACK", EffectKind.ROLLBACK),
    "TRANS_STMT_SAVEPOINT": ("SAVEPOINT", EffectKind.SAVEPOINT),
    "TRANS_STMT_RELEASE": ("RELEASE", EffectKind.SAVEPOINT),
    "TRANS_STMT_ROLLBACK_TO": ("ROLLBACK", EffectKind.SAVEPOINT),
}
_TWO_PHASE = {
    "TRANS_STMT_PREPARE": "PREPARE TRANSACTION",
    "TRANS_STMT_COMMIT_PREPARED": "COMMIT PREPARED",
    "TRANS_STMT_ROLLBACK_PREPARED": "ROLLBACK PREPARED",
}


def _transaction(body: Body, reader: Reader) -> Reading:
    kind = body.get("kind", "TRANS_STMT_BEGIN")
    if kind in _TWO_PHASE:
        reader.found.command(_TWO_PHASE[kind], Verb.ADMIN)
        effect = EffectKind.COMMIT if kind == "TRANS_STMT_PREPARE" else EffectKind.NONE
        return Reading(_TWO_PHASE[kind], SessionEffect(effect))
    tag, effect = _TRANSACTIONS[kind]
    undone = effect is EffectKind.ROLLBACK or kind == "TRANS_STMT_ROLLBACK_TO"
    return Reading(
        tag,
        SessionEffect(
            effect, name=body.get("savepoint_name"), changes_catalog=undone, chains=body.get("chain", False)
        ),
        sensitive=False,
        counted=False,
    )


def _set(body: Body, reader: Reader) -> Reading:
    name = normal(body.get("name", ""))
    match body.get("kind"):
        case "VAR_RESET_ALL":
            return Reading("RESET", SessionEffect(EffectKind.RESET, changes_catalog=True), counted=False)
        case "VAR_RESET" | "VAR_SET_DEFAULT":
            tag = "RESET" if body.get("kind") == "VAR_RESET" else "SET"
            return Reading(
                tag,
                SessionEffect(EffectKind.RESET, name, changes_catalog=name in MEANING),
                counted=False,
            )
        case "VAR_SET_MULTI":
            for argument in body.get("args", []):
                reader.expression("arg", argument, Scope())
            return Reading("SET", SessionEffect(EffectKind.SET, name), counted=False)
        case "VAR_SET_CURRENT":
            raise NotUnderstood("SET ... FROM CURRENT only has a meaning in a function's definition")
        case _:
            return _set_value(name, body, reader)


def _set_value(name: str, body: Body, reader: Reader) -> Reading:
    words = [_word(argument) for argument in body.get("args", [])]
    value = ",".join(words)
    tag = command_for(name, value)
    if tag:
        reader.found.command(tag, Verb.ADMIN, (name,))
    path = None
    if name == "search_path":
        path = tuple(clip(word) for word in words if word)
    return Reading(
        "SET",
        SessionEffect(EffectKind.SET, name, search_path=path, changes_catalog=name in MEANING),
        counted=False,
    )


def _word(node: Body) -> str:
    value = constant(node)
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value if value is not None else "")


def _show(body: Body, _reader: Reader) -> Reading:
    return Reading("SHOW", returns_rows=True, sensitive=False, counted=False)


# -- prepared statements and cursors ----------------------------------------------------------


def _prepare(body: Body, reader: Reader) -> Reading:
    inner = wrapped(body["query"])
    _query(inner, reader)
    for node in body.get("argtypes", []):
        reader.expression("type", node, Scope())
    return Reading(
        "PREPARE", SessionEffect(EffectKind.PREPARE, body.get("name", "")), counted=False, inner=inner
    )


def _query(inner: tuple[str, Body], reader: Reader) -> None:
    if inner[0] not in QUERY_STATEMENTS:
        raise NotUnderstood(f"a {inner[0]} cannot stand inside this statement")
    reader.statement(*inner, Scope())


def _execute(body: Body, reader: Reader) -> Reading:
    for node in body.get("params", []):
        reader.expression("param", node, Scope())
    return Reading("EXECUTE", SessionEffect(EffectKind.EXECUTE, body.get("name", "")), returns_rows=True)


def _deallocate(body: Body, _reader: Reader) -> Reading:
    return Reading("DEALLOCATE", SessionEffect(EffectKind.DEALLOCATE, body.get("name")), counted=False)


_BINARY, _HOLD = 0x0001, 0x0020


def _declare(body: Body, reader: Reader) -> Reading:
    inner = wrapped(body["query"])
    _query(inner, reader)
    return Reading(
        "DECLARE CURSOR", SessionEffect(EffectKind.DECLARE, body.get("portalname", "")), inner=inner
    )


def _fetch(body: Body, reader: Reader) -> Reading:
    tag = "MOVE" if body.get("ismove") else "FETCH"
    if reader.names.settings.unseen_cursors:
        # A function or DO opened it, over any table: it is judged as what opened it was.
        reader.found.command(tag, Verb.READ)
        reader.found.everything = True
    return Reading(
        tag, SessionEffect(EffectKind.FETCH, body.get("portalname", "")), returns_rows=not body.get("ismove")
    )


def _close(body: Body, _reader: Reader) -> Reading:
    return Reading("CLOSE CURSOR", SessionEffect(EffectKind.CLOSE, body.get("portalname")), counted=False)


_DISCARDS = {
    "DISCARD_ALL": "ALL",
    "DISCARD_PLANS": "PLANS",
    "DISCARD_SEQUENCES": "SEQUENCES",
    "DISCARD_TEMP": "TEMP",
}


def _discard(body: Body, _reader: Reader) -> Reading:
    what = _DISCARDS[body.get("target", "DISCARD_ALL")]
    everything = what == "ALL"
    return Reading(
        f"DISCARD {what}",
        SessionEffect(
            EffectKind.DISCARD if everything else EffectKind.NONE,
            name=None if everything else what,
            changes_catalog=what in ("ALL", "TEMP"),
        ),
        counted=False,
    )


def _explain(body: Body, reader: Reader) -> Reading:
    inner = wrapped(body["query"])
    if inner[0] in QUERY_STATEMENTS:
        _query(inner, reader)
        return Reading("EXPLAIN", returns_rows=True, sensitive=reader.found.sensitive, inner=inner)
    if inner[0] == "ExecuteStmt":
        # EXPLAIN EXECUTE computes the parameters, with or without ANALYZE.
        return Reading("EXPLAIN", _execute(inner[1], reader).effect, returns_rows=True)
    reading = read_utility(*inner, reader)
    return Reading(
        "EXPLAIN", SessionEffect(changes_catalog=reading.effect.changes_catalog), returns_rows=True
    )


# -- COPY, TRUNCATE ---------------------------------------------------------------------------


def _copy(body: Body, reader: Reader) -> Reading:
    incoming = bool(body.get("is_from"))
    effect = SessionEffect(EffectKind.COPY_IN if incoming else EffectKind.COPY_OUT)
    if body.get("is_program") or body.get("filename"):
        # A command of its own: a file may be any table's, a program may do anything.
        where = "PROGRAM" if body.get("is_program") else "FILE"
        reader.found.command(f"COPY {'FROM' if incoming else 'TO'} {where}", Verb.ADMIN)
        reader.found.everything = True
        effect = SessionEffect()
    if "query" in body:
        inner = wrapped(body["query"])
        _query(inner, reader)
        return Reading("COPY", effect, inner=inner)
    relation = reader.names.relation(body["relation"])
    reader.touch(relation, "Insert" if incoming else "Select")
    reader.shown(relation)
    if reader.found.changes_catalog:
        effect = SessionEffect(EffectKind.COPY_IN, changes_catalog=True)
    if incoming:
        reader.found.writes.append(Write(relation, "CopyStmt", body, 0))
        if "whereClause" in body:
            reader.expression("where", body["whereClause"], Scope())
    return Reading("COPY", effect)


def _truncate(body: Body, reader: Reader) -> Reading:
    catalog = reader.names.catalog
    for node in body.get("relations", []):
        relation = reader.names.relation(node["RangeVar"])
        reader.touch(relation, "Truncate")
        reader.found.writes.append(Write(relation, "TruncateStmt", {"relation": node["RangeVar"]}, 0))
        if body.get("behavior") == "DROP_CASCADE":
            for other in _pointing_at(relation, reader):
                reader.found.table(other, "Truncate", catalog)
                reader.found.writes.append(Write(other, "TruncateStmt", {"relation": node["RangeVar"]}, 0))
    return Reading("TRUNCATE TABLE")


def _pointing_at(relation: Relation, reader: Reader) -> list[Relation]:
    catalog = reader.names.catalog
    found = [one for one in catalog.user_relations()
             if any(other == relation.oid for _, other, _ in catalog.references_from(one.oid))]  # fmt: skip
    return [one for one in found if one.oid != relation.oid]


# -- the rest ---------------------------------------------------------------------------------


def _unlisten(body: Body, _reader: Reader) -> Reading:
    return Reading("UNLISTEN", counted=False)


def _command(kind: str, body: Body, reader: Reader) -> Reading:
    tag = tag_of(kind, body)
    if tag is None:
        raise NotUnderstood(f"Tollhouse does not know this statement ({kind})", "Ask for it to be supported.")
    action, verb = tag
    paths, relations = objects_of(kind, body, reader.names)
    for path in paths or ((),):
        reader.found.command(action, verb, path, needs_rule=action not in HARMLESS_COMMANDS)
    for relation in (*relations, *concerned(kind, body, reader.names)):
        reader.found.resource(relation, reader.names.catalog)
        for access in accesses_of(kind, body):
            # Who may not read a table must not be able to give it another name or shape.
            if kind != "DropStmt" or holds_rows(relation):
                reader.touch(relation, access, needs_rule=False)
    if kind == "AlterExtensionContentsStmt":
        # Functions of an extension may be trusted: whoever adds one decides what is trusted.
        reader.found.opaque("ALTER EXTENSION with ADD or DROP")
    if brings_code(kind, body, reader.names):
        reader.found.everything = True
    if kind in ("VacuumStmt", "ClusterStmt", "RepackStmt") and not relations:
        # Without a table they speak of all, and their notices say how many rows each has.
        for one in reader.names.catalog.user_relations():
            reader.found.resource(one, reader.names.catalog)
    lenient = Reader(reader.names, reader.found, lenient=True, made=reader.made)
    _read_inside(kind, body, lenient)
    if kind == "CallStmt":
        _judge_procedure(body, reader)
    if kind == "CreateSchemaStmt":
        for element_kind, element, made in elements(body, reader.names):
            _command(element_kind, element, Reader(reader.names, reader.found, made=made))
    inner = None
    if kind == "CreateTableAsStmt" and wrapped(body["query"])[0] in QUERY_STATEMENTS:
        inner = wrapped(body["query"])
    changes = action not in CHANGE_NO_CATALOG
    if kind == "CreateTableAsStmt" and wrapped(body["query"])[0] == "ExecuteStmt":
        name = wrapped(body["query"])[1].get("name", "")
        return Reading(action, SessionEffect(EffectKind.EXECUTE, name, changes_catalog=changes))
    return Reading(
        action,
        SessionEffect(EffectKind.CATALOG if changes else EffectKind.NONE, changes_catalog=changes),
        inner=inner,
    )


_OWN_RELATIONS = frozenset(
    {"relation", "view", "sequence", "relations", "rels", "objects", "object", "into", "base", "table"}
)


def _read_inside(kind: str, body: Body, reader: Reader) -> None:
    """Queries and expressions in a definition: their accesses are judged too."""
    if kind in ("CreateFunctionStmt", "DoStmt", "CommentStmt", "GrantStmt", "DropStmt", "SecLabelStmt"):
        return
    for name, inner_kind, node in children(body):
        if (
            name in _OWN_RELATIONS
            or inner_kind == "RangeVar"
            or name in ("inhRelations", "typevar", "owner", "schemaElts")
        ):
            continue
        if inner_kind in QUERY_STATEMENTS:
            reader.statement(inner_kind, node, Scope())
        elif inner_kind == "ExecuteStmt":
            reader.expression("params", {"List": {"items": node.get("params", [])}}, Scope())
        elif kind != "CallStmt":
            reader.definition(inner_kind, node)
        else:
            for argument in node.get("args", []):
                reader.expression("arg", argument, Scope())


def _judge_procedure(body: Body, reader: Reader) -> None:
    parts = strings(body.get("funccall", {}).get("funcname"))
    builtin, candidates = reader.names.functions(parts, None)
    if not candidates and not builtin:
        raise NotUnderstood(f"procedure {'.'.join(parts)} does not exist", sqlstate="42883")
    for function in candidates:
        reader.found.function(*function.path)


_SPECIAL = {
    "TransactionStmt": _transaction,
    "VariableSetStmt": _set,
    "VariableShowStmt": _show,
    "PrepareStmt": _prepare,
    "ExecuteStmt": _execute,
    "DeallocateStmt": _deallocate,
    "DeclareCursorStmt": _declare,
    "FetchStmt": _fetch,
    "ClosePortalStmt": _close,
    "DiscardStmt": _discard,
    "ExplainStmt": _explain,
    "CopyStmt": _copy,
    "TruncateStmt": _truncate,
    "UnlistenStmt": _unlisten,
}
