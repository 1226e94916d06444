"""A refusal in PostgreSQL's own words: ErrorResponse and NoticeResponse (docs/postgresql.md)."""

from __future__ import annotations

import json

from tollhouse_core.decision import Refusal, Refused
from tollhouse_proxy.exchange import EndReason
from tollhouse_proxy.ports.judging import Overrun
from tollhouse_proxy.protocols.postgres.sql.statement import CannotRewrite, NotUnderstood
from tollhouse_proxy.protocols.postgres.wire.backend import Report

SQLSTATES = {
    Refusal.DENIED: "42501",
    Refusal.PENDING: "TH001",
    Refusal.LIMIT: "53400",
    Refusal.CANCELLED: "57014",
    Refusal.UNAVAILABLE: "08006",
}
DECISIONS = {
    Refusal.DENIED: "deny",
    Refusal.PENDING: "pending",
    Refusal.LIMIT: "limit",
    Refusal.CANCELLED: "cancelled",
    Refusal.UNAVAILABLE: "unavailable",
}
ENDINGS = {
    EndReason.IDLE: "57P05",
    EndReason.PROTOCOL: "08P01",
    EndReason.FAILURE: "58000",
    EndReason.BACKEND: "08006",
}
_MAX_WORDS = 4096


def report(
    severity: str, code: str, message: str, detail: str = "", hint: str = "", position: int | None = None
) -> Report:
    """One report; `position` counts characters from 0 in what the client sent."""
    fields = {"S": severity, "V": severity, "C": code, "M": _clean(message)}
    if detail:
        fields["D"] = _clean(detail)
    if hint:
        fields["H"] = _clean(hint)
    if position is not None:
        fields["P"] = str(position + 1)
    return Report("N" if severity in {"NOTICE", "WARNING", "INFO"} else "E", fields)


def error(code: str, message: str, detail: str = "", hint: str = "", position: int | None = None) -> bytes:
    """An ErrorResponse that the session survives."""
    return report("ERROR", code, message, detail, hint, position).encode()


def fatal(code: str, message: str, detail: str = "", hint: str = "") -> bytes:
    """An ErrorResponse that ends the session."""
    return report("FATAL", code, message, detail, hint).encode()


def notice(message: str, detail: str = "", hint: str = "") -> bytes:
    """A NoticeResponse."""
    return report("NOTICE", "00000", message, detail, hint).encode()


def refused(verdict: Refused, severity: str = "ERROR") -> bytes:
    """The verdict No."""
    return report(
        severity, SQLSTATES[verdict.refusal], _sentence(verdict), detail(verdict), verdict.hint
    ).encode()


def overrun(found: Overrun) -> bytes:
    """A limit met in the middle of a result."""
    verdict = Refused(
        Refusal.LIMIT,
        found.message,
        found.hint,
        found.rule,
        found.revision,
        retry_after_seconds=found.retry_after_seconds,
    )
    return refused(verdict)


def not_understood(found: NotUnderstood) -> bytes:
    """What could not be judged."""
    return error(found.sqlstate, found.message, "", found.hint, found.position)


def cannot_rewrite(found: CannotRewrite, verdict_revision: str) -> bytes:
    """What the obligations cannot be kept for."""
    line = {"decision": "deny", "policy": "", "rule": "", "revision": verdict_revision, "hint": found.hint}
    return error("42501", found.message, json.dumps(line, ensure_ascii=False), found.hint)


def ending(reason: EndReason, words: str, hint: str = "") -> bytes:
    """The last words of a session that is ended from here."""
    return fatal(ENDINGS.get(reason, "57P01"), words, "", hint)


def detail(verdict: Refused) -> str:
    """One line of JSON for programs."""
    line: dict[str, object] = {
        "decision": DECISIONS[verdict.refusal],
        "policy": verdict.rule.policy,
        "rule": verdict.rule.rule,
        "revision": verdict.revision,
    }
    if verdict.request:
        line["request"] = verdict.request
    if verdict.retry_after_seconds is not None:
        line["retryAfter"] = round(verdict.retry_after_seconds, 3)
    line["hint"] = verdict.hint
    return json.dumps(line, ensure_ascii=False)


def _sentence(verdict: Refused) -> str:
    """`denied by policy P, rule R: ...`, unless the message says so itself."""
    if verdict.refusal is not Refusal.DENIED or verdict.message.startswith("denied"):
        return verdict.message
    if not verdict.rule.rule:
        return f"denied: {verdict.message}" if verdict.message else "denied: no rule allows this"
    begin = f"denied by policy {verdict.rule.policy}, rule {verdict.rule.rule}"
    return f"{begin}: {verdict.message}" if verdict.message else begin


def _clean(words: str) -> str:
    return words.replace("\0", " ")[:_MAX_WORDS]
