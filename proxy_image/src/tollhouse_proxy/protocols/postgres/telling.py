"""What the backend says besides rows, as the client gets it: errors, notices, settings, notifications.

Where hidden data is involved a report is made anew (`withheld`). Its words quote values all the same where
only content masks bind, and so may a setting and a notification: these are looked into as rows are.
"""

from __future__ import annotations

from dataclasses import replace

from tollhouse_proxy.protocols.postgres.content import Scanner
from tollhouse_proxy.protocols.postgres.ledger import Positions
from tollhouse_proxy.protocols.postgres.wire.backend import NotificationResponse, ParameterStatus, Report
from tollhouse_proxy.protocols.postgres.withheld import passed_on

LONGEST_SCANNED = 16 * 1024
"""Characters of a report that are looked into. A longer one is made anew: others wait meanwhile."""

_OF_THE_SERVER = frozenset("SVCPpFLR")
"""Fields that quote nothing: severity, code, positions, the place in the server's source."""


def report_told(
    report: Report,
    scanner: Scanner | None,
    *,
    guarded: bool,
    positions: Positions | None,
    whole_rows: bool = False,
) -> bytes:
    """An ErrorResponse or NoticeResponse. `guarded`, `positions`, `whole_rows`: see `withheld.passed_on`."""
    if scanner is not None and sum(map(len, report.fields.values())) > LONGEST_SCANNED:
        guarded = True
    told = passed_on(report, guarded=guarded, positions=positions, whole_rows=whole_rows)
    if scanner is None:
        return told.encode()
    fields = {
        key: value if key in _OF_THE_SERVER else scanner.scan(value) for key, value in told.fields.items()
    }
    return Report(told.kind, fields).encode()


def setting_told(said: ParameterStatus, scanner: Scanner | None) -> bytes | None:
    """A ParameterStatus; None: as it came."""
    return None if scanner is None else replace(said, value=scanner.scan(said.value)).encode()


def notification_told(message: bytes, scanner: Scanner | None) -> bytes | None:
    """A NotificationResponse; None: as it came."""
    if scanner is None:
        return None
    said = NotificationResponse.parse(message[5:])
    return replace(said, channel=scanner.scan(said.channel), payload=scanner.scan(said.payload)).encode()
