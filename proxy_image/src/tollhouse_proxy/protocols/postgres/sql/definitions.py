"""What a definition does beyond the objects it names: schemas that move, code it brings, rows it drops."""

from __future__ import annotations

from collections.abc import Iterator

from .catalog import Catalog, Relation
from .commands import CODE, STRUCTURE
from .names import Names
from .nodes import Body, wrapped

READ = ("Select",)
EVERY_ACCESS = ("Select", "Insert", "Update", "Delete", "Truncate")
REMOVAL = ("Delete", "Truncate")

_CODE_OBJECTS = frozenset(
    {
        "OBJECT_AGGREGATE", "OBJECT_DOMAIN", "OBJECT_EXTENSION", "OBJECT_FUNCTION", "OBJECT_OPCLASS",
        "OBJECT_OPERATOR", "OBJECT_OPFAMILY", "OBJECT_PROCEDURE", "OBJECT_ROUTINE", "OBJECT_TYPE",
    }
)  # fmt: skip
"""Another object under such a name changes what expressions mean, those of row filters too."""
_MOVES = frozenset({"RenameStmt", "AlterObjectSchemaStmt"})
_ROWS = frozenset({"r", "p", "m", "f"})


def brings_code(kind: str, body: Body, names: Names) -> bool:
    """Whether what runs because of it cannot be judged: it may read any table, or turn a filter."""
    match kind:
        case "DefineStmt":
            return body.get("kind") in _CODE_OBJECTS
        case "RenameStmt" if body.get("renameType") == "OBJECT_SCHEMA":
            return names.catalog.has_functions(body.get("subname", ""))
        case "RenameStmt":
            return body.get("renameType") in _CODE_OBJECTS
        case "AlterObjectSchemaStmt":
            return body.get("objectType") in _CODE_OBJECTS
        case "AlterEnumStmt":
            return "oldVal" in body
        case "DropStmt":
            return body.get("removeType") == "OBJECT_EXTENSION"
        case "CreatePublicationStmt" | "AlterPublicationStmt":
            return bool(body.get("for_all_tables")) or any(_published_schemas(body))
        case _:
            return kind in CODE


def accesses_of(kind: str, body: Body) -> tuple[str, ...]:
    """What is done to the relations concerned, for rules that deny it: a name taken away takes
    every rule that says the name away."""
    if kind in _MOVES:
        return EVERY_ACCESS
    if kind == "DropStmt":
        return REMOVAL
    return READ if kind in STRUCTURE else ()


def concerned(kind: str, body: Body, names: Names) -> Iterator[Relation]:
    """Relations that change their name, go, or are sent elsewhere though the statement names a
    schema or publication."""
    catalog = names.catalog
    if kind == "RenameStmt" and body.get("renameType") == "OBJECT_SCHEMA":
        yield from _in_schema(body.get("subname", ""), catalog)
    elif kind == "DropStmt" and body.get("removeType") == "OBJECT_SCHEMA":
        for item in body.get("objects", []):
            yield from _in_schema(wrapped(item)[1].get("sval", ""), catalog)
    elif kind in ("CreatePublicationStmt", "AlterPublicationStmt"):
        for range_var in _published_tables(body):
            found = names.find(range_var.get("schemaname"), range_var.get("relname", ""))
            if found is not None:
                yield found


def holds_rows(relation: Relation) -> bool:
    """Whether dropping it removes rows."""
    return relation.kind in _ROWS


def _in_schema(schema: str, catalog: Catalog) -> Iterator[Relation]:
    return (one for one in catalog.user_relations() if one.schema == schema)


def _published(body: Body) -> Iterator[Body]:
    for item in [*body.get("pubobjects", []), *body.get("tables", [])]:
        yield wrapped(item)[1]


def _published_tables(body: Body) -> Iterator[Body]:
    for one in _published(body):
        if "relname" in one:
            yield one
        elif "pubtable" in one:
            yield one["pubtable"].get("relation", {})


def _published_schemas(body: Body) -> Iterator[str]:
    return (one["pubobjtype"] for one in _published(body) if "SCHEMA" in one.get("pubobjtype", ""))
