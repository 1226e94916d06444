"""What the backend says besides rows, where content masks look into it."""

from __future__ import annotations

import pytest

from tollhouse_core.masks import Detector, DetectorName, Redact
from tollhouse_proxy.kits.content import ContentScanner
from tollhouse_proxy.protocols.postgres.sql_dialect import Scanners
from tollhouse_proxy.protocols.postgres.telling import (
    LONGEST_SCANNED,
    notification_told,
    report_told,
    setting_told,
)
from tollhouse_proxy.protocols.postgres.wire.backend import NotificationResponse, ParameterStatus, Report

CARD = "4111 1111 1111 1111"
SCANNER = Scanners.of([ContentScanner([Detector(DetectorName.PAYMENT_CARD)], Redact("(card)"))])


def told(report: Report) -> Report:
    return Report.parse(report.kind, report_told(report, SCANNER, guarded=False, positions=None)[5:])


@pytest.mark.parametrize("field", "MDHWqstcdn")
def test_every_word_that_may_quote_a_value_is_looked_into(field: str) -> None:
    given = {"S": "ERROR", "V": "ERROR", "C": "22P02", "M": "no", field: f"it is {CARD}."}
    assert told(Report("E", given)).fields == {**given, field: "it is (card)."}


def test_code_severity_and_place_are_the_servers() -> None:
    given = {
        "S": "NOTICE",
        "V": "NOTICE",
        "C": "00000",
        "M": "fine",
        "P": "3",
        "F": "a.c",
        "L": CARD,
        "R": "f",
    }
    assert told(Report("N", given)).fields == given


def test_words_too_long_to_be_looked_into_are_withheld() -> None:
    given = {"S": "ERROR", "V": "ERROR", "C": "22P02", "M": "x" * LONGEST_SCANNED}
    assert told(Report("E", given)).fields["M"] == "invalid input syntax for a type"
    given["M"] = "x" * (LONGEST_SCANNED - len("ERRORERROR22P02"))
    assert told(Report("E", given)).fields == given


def test_without_content_masks_everything_goes_as_it_came() -> None:
    report = Report("E", {"S": "ERROR", "C": "22P02", "M": CARD})
    assert report_told(report, None, guarded=False, positions=None) == report.encode()
    assert setting_told(ParameterStatus("application_name", CARD), None) is None
    assert notification_told(NotificationResponse(1, "c", CARD).encode(), None) is None


def test_settings_and_notifications_are_looked_into() -> None:
    assert setting_told(ParameterStatus("application_name", CARD), SCANNER) == (
        ParameterStatus("application_name", "(card)").encode()
    )
    assert notification_told(NotificationResponse(7, CARD, f"{CARD}!").encode(), SCANNER) == (
        NotificationResponse(7, "(card)", "(card)!").encode()
    )
