"""Conditions: what `kubectl wait` and kstatus read. Pure.

Ready: it does what its spec says. Reconciling: work is under way and will end by itself. Stalled:
nothing more will happen until somebody changes something. Reasons are for programs and stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """Why a condition is as it is."""

    SERVING = "Serving"
    COMPILED = "Compiled"
    PROXIES_NOT_READY = "ProxiesNotReady"
    ROLLING_OUT = "RollingOut"
    REVISION_SPREADING = "RevisionSpreading"
    NO_BUNDLE = "NoBundle"
    POLICIES_NOT_COMPILED = "PoliciesNotCompiled"
    OBJECT_REFUSED = "ObjectRefused"
    NAME_TAKEN = "NameTaken"
    INVALID = "Invalid"
    UP_TO_DATE = "UpToDate"
    SELECTS_NOTHING = "SelectsNothing"
    ACCEPTED = "Accepted"
    NOTHING_TO_SPARE = "NothingToSpare"
    MORE_THAN_NEEDED = "MoreThanNeeded"
    NOT_INSPECTED = "NotInspected"


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition without its times. `status` None: it is not known."""

    type: str
    status: bool | None
    reason: Reason
    message: str


_MESSAGE_LIMIT = 8192
_STATUS = {True: "True", False: "False", None: "Unknown"}


def conditions(
    findings: Sequence[Finding], before: Iterable[Mapping[str, Any]], generation: int | None, now: datetime
) -> list[dict[str, Any]]:
    """The conditions to write. `lastTransitionTime` is kept where the status did not change."""
    known = {condition.get("type"): condition for condition in before}
    written: list[dict[str, Any]] = []
    for finding in findings:
        status = _STATUS[finding.status]
        old = known.get(finding.type)
        kept = old.get("lastTransitionTime") if old is not None and old.get("status") == status else None
        condition: dict[str, Any] = {
            "type": finding.type,
            "status": status,
            "reason": str(finding.reason),
            "message": finding.message[:_MESSAGE_LIMIT],
            "lastTransitionTime": kept or now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if generation is not None:
            condition["observedGeneration"] = generation
        written.append(condition)
    return written


def changed(findings: Sequence[Finding], before: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """The findings that say something new about trouble or its end: those deserve an Event."""
    known = {condition.get("type"): condition for condition in before}
    news = []
    for finding in findings:
        old = known.get(finding.type)
        was = None if old is None else (old.get("status"), old.get("reason"), old.get("message"))
        status = _STATUS[finding.status]
        is_now = (status, str(finding.reason), finding.message[:_MESSAGE_LIMIT])
        if was != is_now and finding.type in {"Ready", "Stalled"}:
            news.append(finding)
    return tuple(news)
