"""From a text to Statements. Pure: the same text, catalog and settings give the same answer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from tollhouse_core.operation import Operation
from tollhouse_dialects.postgres.parse import ParsedStatement, SqlSyntaxError, canonical, parse

from .catalog import Catalog, Relation
from .consequences import uncounted
from .findings import Findings
from .names import Names
from .nodes import Body, wrapped
from .reader import Reader, Scope
from .session_settings import MEANING
from .statement import EffectKind, NotUnderstood, SessionEffect, SessionSettings, Statement
from .utility import QUERY_STATEMENTS, Reading, read_utility
from .values import without_values

__all__ = ["Plan", "split_statements", "understand"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What `rewrite` needs: the tree with byte locations relative to `text`, and what was found."""

    kind: str
    body: Body
    found: Findings
    names: Names


def understand(text: str, catalog: Catalog, settings: SessionSettings) -> tuple[Statement, ...]:
    """All statements of a text; () for an empty one. Raises NotUnderstood.

    A SET search_path holds for the statements behind it. A statement that needs an object which
    an earlier one of the same text makes is not understood here: run the text statement by
    statement (`split_statements`) and read the catalog in between.
    """
    statements: list[Statement] = []
    parsed = _parsed(text)
    raw = text.encode()
    for one in parsed:
        piece, start = _slice(raw, one)
        whole = len(parsed) == 1 and start == 0
        statement = _understand_one(piece, start, catalog, settings, one if whole else None)
        if _unforeseen(statement.effect) and len(statements) + 1 < len(parsed):
            raise NotUnderstood(
                "what follows in the text is read by another role or search_path",
                "Send the statements one by one.",
                "0A000",
            )
        if statement.effect.search_path is not None:
            settings = replace(settings, search_path=statement.effect.search_path)
        statements.append(statement)
    return tuple(statements)


def _unforeseen(effect: SessionEffect) -> bool:
    """Whether names mean something else behind the statement, and what is not known beforehand."""
    return (
        effect.changes_catalog
        and effect.search_path is None
        and effect.kind in (EffectKind.SET, EffectKind.RESET)
    )


def split_statements(text: str) -> tuple[tuple[str, int], ...]:
    """(text, character offset) of every statement. Raises NotUnderstood for a syntax error."""
    raw = text.encode()
    return tuple(_slice(raw, one) for one in _parsed(text))


def _parsed(text: str) -> tuple[ParsedStatement, ...]:
    try:
        return parse(text)
    except SqlSyntaxError as error:
        raise NotUnderstood(error.message, sqlstate="42601", position=error.position) from None


def _slice(raw: bytes, one: ParsedStatement) -> tuple[str, int]:
    piece = raw[one.start : one.start + one.length]
    lead = len(piece) - len(piece.lstrip(b" \t\r\n\f\v"))
    return piece.decode().strip(" \t\r\n\f\v"), len(raw[: one.start + lead].decode())


def _understand_one(
    text: str, start: int, catalog: Catalog, settings: SessionSettings, known: ParsedStatement | None
) -> Statement:
    """`known`: the statement's tree where its locations are already relative to `text`."""
    try:
        parsed = (known,) if known is not None else parse(text)
        if len(parsed) != 1:
            raise NotUnderstood("this text does not read as one statement", sqlstate="42601", position=start)
        kind, body = wrapped(parsed[0].tree)
        return _read(kind, body, text, start, Names(catalog, settings))
    except SqlSyntaxError as error:
        raise NotUnderstood(
            error.message,
            sqlstate="42601",
            position=None if error.position is None else start + error.position,
        ) from None
    except RecursionError:
        raise NotUnderstood(
            "the statement is nested too deeply", "Split it into smaller ones.", "54001", start
        ) from None
    except NotUnderstood as error:
        if error.position is None:
            raise
        offset = len(text.encode()[: error.position].decode(errors="ignore"))
        raise NotUnderstood(error.message, error.hint, error.sqlstate, start + offset) from None
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise NotUnderstood(
            "the statement has a shape that Tollhouse does not know", "Write it another way."
        ) from error


_TAGS = {
    "SelectStmt": "SELECT",
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
}


def _read(kind: str, body: Body, text: str, start: int, names: Names) -> Statement:
    found = Findings()
    reader = Reader(names, found)
    if kind in QUERY_STATEMENTS:
        reader.statement(kind, body, Scope())
        reading = _query_reading(kind, body, found)
    else:
        reading = read_utility(kind, body, reader)
        _keep_meaning(found)
    reader.finish()
    inner = None
    if reading.inner is not None:
        inner = _statement(
            Reading(tag=_TAGS.get(reading.inner[0], reading.tag), returns_rows=_returns_rows(*reading.inner)),
            found, *reading.inner, text, start, names,
        )  # fmt: skip
    effect = replace(reading.effect, inner=inner) if inner is not None else reading.effect
    return _statement(replace(reading, effect=effect), found, kind, body, text, start, names)


def _keep_meaning(found: Findings) -> None:
    """What runs later, or beside its own statement, must not change what names mean. Raises NotUnderstood."""
    for name, _, _ in found.settings:
        if name in MEANING:
            raise NotUnderstood(
                f'set_config("{name}") can only stand in a query of its own',
                "Use SET, or a SELECT that is not inside another statement.",
            )


_BY_NAME = frozenset({"nextval", "setval"})
"""Functions that are judged by the relation a text names, which the server may look up while it runs."""


def _query_reading(kind: str, body: Body, found: Findings) -> Reading:
    effect = SessionEffect()
    if found.settings:
        # Whether such a call is made, how often and in what order is the server's to say: it is asked.
        names = [name for name, _, _ in found.settings]
        if not MEANING.isdisjoint(names) and not found.called.isdisjoint(_BY_NAME):
            raise NotUnderstood(
                "a sequence is named where names may be read by another role or search_path",
                "Send the two as statements of their own.",
            )
        effect = SessionEffect(EffectKind.SET, names[-1], changes_catalog=not MEANING.isdisjoint(names))
    into = "intoClause" in body
    if into or found.changes_catalog:
        effect = SessionEffect(EffectKind.CATALOG, changes_catalog=True)
    return Reading(_TAGS[kind], effect, _returns_rows(kind, body), found.sensitive or into)


def _returns_rows(kind: str, body: Body) -> bool:
    if kind == "SelectStmt":
        return "intoClause" not in body
    return bool(body.get("returningList") or body.get("returningClause"))


def _identified(relation: Relation, catalog: Catalog) -> str:
    """A relation so exactly that one dropped and made anew, or a view redefined, is another."""
    name = f"{relation.schema}.{relation.name}@{relation.oid}"
    if relation.kind not in ("v", "m"):
        return name
    definition = catalog.definition(relation.oid) or ""
    return f"{name}:{hashlib.sha256(definition.encode()).hexdigest()}"


def _statement(
    reading: Reading, found: Findings, kind: str, body: Body, text: str, start: int, names: Names
) -> Statement:
    accesses = tuple(found.accesses)
    try:
        spelled = canonical(kind, text)
    except SqlSyntaxError:
        spelled = text
    sensitive = reading.sensitive or found.sensitive
    operation = Operation(
        action=reading.tag,
        accesses=accesses,
        resources=tuple(found.resources.values()),
        facts={
            "hasWhere": not found.without_where,
            "inTransaction": names.settings.in_transaction,
        },
        text=text,
        canonical=spelled,
        counted=reading.counted,
        objects=tuple(_identified(relation, names.catalog) for relation in found.relations.values()),
        uncounted=uncounted(kind, body, found, names.catalog),
        template="" if sensitive else without_values(reading.tag, spelled, accesses),
    )
    return Statement(
        text=text,
        start=start,
        tag=reading.tag,
        operation=operation,
        effect=reading.effect,
        parameter_count=found.parameters,
        literal_sensitive=sensitive,
        returns_rows=reading.returns_rows,
        plan=Plan(kind, body, found, names),
    )
