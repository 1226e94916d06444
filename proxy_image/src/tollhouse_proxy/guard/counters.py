"""Plain integers behind /metrics and the report: incremented on the hot path, read elsewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from tollhouse_core.decision import Mode, Observation, RuleRef


class Counters:
    """What one proxy has done since it started."""

    def __init__(self) -> None:
        self.sessions_open = 0
        self.sessions_opened = 0
        self.sessions_refused = 0
        self.credentials_refused = 0
        """By the backend; each may have been fetched anew."""
        self.operations: Counter[str] = Counter()
        """decision -> count: allowed, denied, limited, pending, unavailable, cancelled"""
        self.rows = 0
        self.bytes = 0
        self._matched: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def row(self, rule: RuleRef) -> dict[str, int] | None:
        """A rule's own row, for who counts there often; None for no rule."""
        return self._matched[f"{rule.policy}/{rule.rule}"] if rule.rule else None

    def enforced(self, rule: RuleRef) -> None:
        """A rule in mode Enforce decided."""
        if rule.rule:
            self._matched[f"{rule.policy}/{rule.rule}"]["enforced"] += 1

    def observed(self, observations: tuple[Observation, ...]) -> None:
        """Rules in mode Warn or Shadow met an operation."""
        for seen in observations:
            column = "shadowed" if seen.mode is Mode.SHADOW else "warned"
            self._matched[f"{seen.rule.policy}/{seen.rule.rule}"][column] += 1

    def matched(self) -> Mapping[str, Mapping[str, int]]:
        """policy/rule -> {"enforced" | "warned" | "shadowed": count}."""
        return {name: dict(counts) for name, counts in self._matched.items()}
