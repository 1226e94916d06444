"""Reports: one key for each proxy in ConfigMap `<connection>-proxies`, which the operator makes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from tollhouse_proxy.adapters.kubernetes.client import Api, NotFound
from tollhouse_proxy.ports.stores import ProxyReport


class KubernetesReports:
    """A ReportStore. A merge patch touches only this instance's key, so proxies never conflict."""

    def __init__(self, api: Api, namespace: str, connection: str) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{connection}-proxies"

    async def put(self, report: ProxyReport) -> None:
        """See ReportStore.put."""
        text = json.dumps(report_document(report, datetime.now(UTC)), sort_keys=True, separators=(",", ":"))
        await self._api.merge(self._path, {"data": {report.instance: text}})

    async def remove(self, instance: str) -> None:
        """See ReportStore.remove. Nothing to take away from is fine."""
        try:
            await self._api.merge(self._path, {"data": {instance: None}})
        except NotFound:
            return


def report_document(report: ProxyReport, at: datetime) -> Mapping[str, object]:
    """The report as plain JSON; the operator reads it by these names. `at`: when it was made, by which
    the operator tells what a vanished process left behind."""
    return {
        "instance": report.instance,
        "revision": report.revision,
        "ready": report.ready,
        "sessions": report.sessions,
        "matched": {rule: dict(counts) for rule, counts in report.matched.items()},
        "warnings": list(report.warnings),
        "excess": None if report.excess is None else [asdict(one) for one in report.excess],
        "at": at.isoformat(timespec="seconds"),
    }
