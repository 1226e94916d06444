"""What proxies report, read from ConfigMap `<connection>-proxies`. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tollhouse_core.privileges import Excess
from tollhouse_operator.manifests.naming import Manifest

STALE_AFTER = timedelta(minutes=5)
"""After this time a report of an instance that has no pod is taken for left over."""


@dataclass(frozen=True, slots=True)
class Report:
    """One proxy's word. `matched`: policy/rule -> {"enforced" | "warned" | "shadowed": count}."""

    instance: str
    revision: str
    ready: bool
    at: datetime | None = None
    matched: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    excess: tuple[Excess, ...] | None = None


LARGEST_REPORT = 256 * 1024
MOST_EXCESS = 64
_MOST_COUNTED = 2**53


def read_reports(config_map: Manifest | None) -> tuple[Report, ...]:
    """The readable reports. What a proxy wrote is not trusted to be well formed."""
    data = (config_map or {}).get("data") or {}
    read = (read_report(key, text) for key, text in sorted(data.items()))
    return tuple(report for report in read if report is not None)


def stale(
    config_map: Manifest | None, pods: Iterable[Manifest], deployment: str, now: datetime
) -> tuple[str, ...]:
    """Keys of instances that are gone: their pod is no more, or never was and they are silent."""
    alive = {pod["metadata"]["name"] for pod in pods}
    readable = {report.instance: report for report in read_reports(config_map)}
    gone = []
    for key in sorted((config_map or {}).get("data") or {}):
        report = readable.get(key)
        if key in alive:
            continue
        silent = report is None or report.at is None or now - report.at > STALE_AFTER
        if key.startswith(f"{deployment}-") or silent:
            gone.append(key)
    return tuple(gone)


def matched_counts(reports: Iterable[Report], policy: str) -> dict[str, dict[str, int]]:
    """How often each rule of the policy met an operation, over all reports: rule -> kind -> count."""
    totals: dict[str, Counter[str]] = {}
    for report in reports:
        for name, counts in report.matched.items():
            of_policy, _, rule = name.partition("/")
            if of_policy == policy and rule:
                totals.setdefault(rule, Counter()).update(counts)
    return {rule: dict(sorted(counts.items())) for rule, counts in sorted(totals.items())}


def read_report(key: str, text: str) -> Report | None:
    """One report; None where it cannot be read."""
    if len(text) > LARGEST_REPORT:
        return None
    try:
        value = json.loads(text)
        return Report(
            instance=key,
            revision=str(value["revision"])[:128],
            ready=value["ready"] is True,
            at=_time(value.get("at")),
            matched=_counts(value.get("matched") or {}),
            warnings=tuple(str(words)[:1024] for words in value.get("warnings") or ())[:8],
            excess=_excess(value.get("excess")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _excess(value: Any) -> tuple[Excess, ...] | None:
    if value is None:
        return None
    return tuple(
        Excess(str(one["role"])[:256], str(one["what"])[:1024], str(one["sql"])[:4096]) for one in value
    )[:MOST_EXCESS]


def _counts(value: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {
        str(rule): {str(kind): count for kind, count in counts.items() if _is_count(count)}
        for rule, counts in value.items()
    }


def _is_count(value: object) -> bool:
    """What a status can hold: with a greater number the API server would refuse all of it."""
    return type(value) is int and 0 <= value < _MOST_COUNTED


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is not None else None
