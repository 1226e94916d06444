"""Errors and notices: what of a backend's report may reach the client.

Where hidden data is involved a report is made anew from its SQLSTATE: message, detail, context and the
names in it may all quote values. Otherwise it passes, with its position turned into one in the text that
the client wrote.
"""

from __future__ import annotations

from dataclasses import replace

from tollhouse_core.operation import Access, AccessKind, Operation, Verb
from tollhouse_proxy.protocols.postgres.ledger import Positions
from tollhouse_proxy.protocols.postgres.sql.guards import OUTSIDE_FILTER, VIEW_CHANGED
from tollhouse_proxy.protocols.postgres.wire.backend import Report

_WITHHELD = "Details are withheld: the statement touches masked or filtered data."
_SAID = {
    "22001": "value too long for its type",
    "22003": "numeric value out of range",
    "22007": "invalid date or time",
    "22008": "date or time out of range",
    "22012": "division by zero",
    "22023": "invalid parameter value",
    "22P02": "invalid input syntax for a type",
    "23502": "a required value is missing",
    "23503": "a foreign key is violated",
    "23505": "a unique key is violated",
    "23514": "a check constraint is violated",
    "23P01": "an exclusion constraint is violated",
    "25P02": "current transaction is aborted, commands ignored until end of transaction block",
    "25006": "cannot execute this in a read-only transaction",
    "40001": "could not serialize access",
    "40P01": "deadlock detected",
    "42501": "permission denied by the backend",
    "42601": "syntax error",
    "42703": "no such column",
    "42804": "types do not match",
    "42883": "no such function or operator for these types",
    "42P01": "no such relation",
    "42P05": "prepared statement already exists",
    "42P18": "the type of a parameter cannot be determined",
    "44000": "the new row is outside what may be written",
    "53100": "the backend's disk is full",
    "53200": "the backend is out of memory",
    "55P03": "a lock is not available",
    "57014": "canceling statement due to user request or a time limit",
    "0A000": "not supported",
    "21000": "a subquery gave more than one row",
}
_OUTSIDE = "A row filter binds writes too: rows outside it can be neither made nor changed."
_CLASSES = {
    "22": "a value could not be processed",
    "23": "a constraint is violated",
    "25": "not possible in this state of the transaction",
    "40": "the transaction was rolled back",
    "42": "the statement is not valid here",
    "53": "the backend is short of resources",
    "54": "a limit of the backend was exceeded",
    "55": "the object is not in a state for this",
    "57": "the backend intervened",
}
_ROW_IN_DETAIL = frozenset({"23502", "23514", "44000"})
"""Their DETAIL quotes the whole failing row: more than a rule that only allows writing may show. Who may
read what the statement touches, all of it, is shown it."""
_KEPT_WITH_POSITION = ("S", "V", "C")


def passed_on(
    report: Report, *, guarded: bool, positions: Positions | None, whole_rows: bool = False
) -> Report:
    """The report for the client. `whole_rows`: it may show the row that failed."""
    fields = dict(report.fields)
    if view_changed(report):
        return Report(report.kind, _moved(report))
    if guarded:
        fields = _anew(report)
    elif quotes_row(report) and not whole_rows:
        fields.pop("D", None)
    position = fields.get("P")
    if position is not None and positions is not None:
        fields["P"] = str(positions(int(position))) if position.isdigit() else "1"
    return Report(report.kind, fields)


def said_of(report: Report) -> str:
    """An error in words that quote nothing: `lock timeout (55P03)`."""
    code = report.fields.get("C", "XX000")
    said = _SAID.get(code) or _CLASSES.get(code[:2]) or "the backend reported an error"
    return f"{said} ({code})"


def quotes_row(report: Report) -> bool:
    """Whether its DETAIL quotes a whole row."""
    return report.fields.get("C") in _ROW_IN_DETAIL and "D" in report.fields


def reading_of(operation: Operation, report: Report) -> Operation | None:
    """What it takes to be shown the row that a report quotes: to read whatever table the operation touches.
    None where the report speaks of another (a trigger may have written there)."""
    touched = [access for access in operation.accesses if access.kind is AccessKind.TABLE]
    schema, table = report.fields.get("s", ""), report.fields.get("t")
    schema = "pg_temp" if schema.startswith("pg_temp_") else schema
    if not touched or (table is not None and (schema, table) not in {access.path for access in touched}):
        return None
    reads = {Access(Verb.READ, AccessKind.TABLE, "Select", one.path, one.also) for one in touched}
    return replace(operation, action="SELECT", accesses=tuple(reads))


def view_changed(report: Report) -> bool:
    """Whether a view was not what it was when the statement was judged."""
    return VIEW_CHANGED in report.fields.get("M", "")


def _moved(report: Report) -> dict[str, str]:
    severity = {key: report.fields[key] for key in "SV" if key in report.fields}
    said = "a view has changed while the statement was on its way"
    return {**severity, "C": "40001", "M": said, "H": "Run it again: it is judged anew."}


def _anew(report: Report) -> dict[str, str]:
    code = report.fields.get("C", "XX000")
    if OUTSIDE_FILTER in report.fields.get("M", ""):
        severity = {key: report.fields[key] for key in "SV" if key in report.fields}
        return {**severity, "C": "44000", "M": "the row is outside the rows you may write", "H": _OUTSIDE}
    said = _SAID.get(code) or _CLASSES.get(code[:2]) or "the backend reported an error"
    fields = {key: report.fields[key] for key in _KEPT_WITH_POSITION if key in report.fields}
    fields["M"] = said if report.kind == "E" else "a notice was withheld"
    fields["D"] = _WITHHELD
    if "P" in report.fields and code.startswith("42"):
        fields["P"] = report.fields["P"]  # where a name or operator stands: found without reading a row
    return fields
