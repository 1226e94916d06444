"""CREATE SCHEMA with elements: what they make, and may speak of before any catalog knows it."""

from __future__ import annotations

from collections.abc import Iterator

from .catalog import PG_CATALOG
from .names import Names
from .nodes import Body, wrapped

Made = frozenset[tuple[str | None, str]]
"""(schema or None where it was not written, name) by which something that does not exist yet is spoken of."""

_OWN_NAME = {
    "CreateSeqStmt": "sequence",
    "CreateStmt": "relation",
    "ViewStmt": "view",
    "IndexStmt": "relation",
    "CreateTrigStmt": "relation",
}
"""In the order the server makes them; they can only stand in the new schema."""
_HOLDS_ROWS = frozenset({"CreateStmt", "ViewStmt"})


def elements(body: Body, names: Names) -> Iterator[tuple[str, Body, Made]]:
    """Each element of a CreateSchemaStmt, its own name with its schema, and what was made before it."""
    schema = _schema(body, names)
    order = [*_OWN_NAME, ""]
    found = [wrapped(element) for element in body.get("schemaElts", [])]
    found.sort(key=lambda one: order.index(one[0] if one[0] in _OWN_NAME else ""))
    made: set[tuple[str | None, str]] = set()
    for kind, element in found:
        field = _OWN_NAME.get(kind)
        if field is None or not schema:
            yield kind, element, frozenset(made)
            continue
        own = {"schemaname": schema, **element[field]}
        yield kind, {**element, field: own}, frozenset(made)
        if kind in _HOLDS_ROWS and own["schemaname"] == schema:
            made |= _spoken_of(schema, own["relname"], names)


def _schema(body: Body, names: Names) -> str:
    """ "" where the server alone knows."""
    role = body.get("authrole", {})
    if body.get("schemaname"):
        return str(body["schemaname"])
    if role.get("roletype") == "ROLESPEC_CSTRING":
        return str(role.get("rolename", ""))
    return names.catalog.current_user if role.get("roletype") == "ROLESPEC_CURRENT_USER" else ""


def _spoken_of(schema: str, name: str, names: Names) -> set[tuple[str | None, str]]:
    """The new schema comes first in the path, but for what stands before every path."""
    ahead = (PG_CATALOG, names.catalog.temporary_schema or "")
    hidden = any(one and names.catalog.find_relation(one, name) for one in ahead)
    return {(schema, name)} if hidden else {(schema, name), (None, name)}
