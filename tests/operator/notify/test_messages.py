"""What receivers read of a request for approval."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from kit.approvals import request_of, vote_of
from tollhouse_core.api.notifying import NotifyFormat, NotifyOn
from tollhouse_core.secret import Secret
from tollhouse_operator.notify.messages import body_of, headers_of, message_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MANAGER = "[{group: managers}]"


def told(format_: NotifyFormat, moment: NotifyOn = NotifyOn.REQUESTED, **spec: Any) -> Any:
    request = request_of(MANAGER, **spec)
    return json.loads(
        body_of(message_of(request, moment, "waits for 1 of group managers", "policy/ops"), format_)
    )


def operation(text: str) -> dict[str, Any]:
    return {"text": text, "digest": "sha256:" + "0" * 64}


def test_a_program_is_told_everything_a_person_would_see() -> None:
    said = told(NotifyFormat.JSON, human="ann@corp.example", effect={"rows": 3})
    assert said["kind"] == "ApprovalNotification"
    assert said["event"] == "Requested"
    assert said["message"] == "waits for 1 of group managers"
    request = said["request"]
    assert (request["namespace"], request["name"], request["connection"]) == (
        "shop", "orders-db-x7k2p", "orders-db",
    )  # fmt: skip
    assert request["operation"]["text"] == "DELETE FROM public.orders WHERE id = 7"
    assert request["requester"]["onBehalfOf"] == {"name": "ann@corp.example"}
    assert request["effect"] == {"rows": 3}
    assert request["opens"] == "this operation, once"
    assert request["approvers"] == [{"group": "managers", "count": 1}]


def test_votes_are_told_with_their_reasons() -> None:
    request = request_of(MANAGER, vote_of("alice", "managers", reason="Ticket 4711"))
    message = message_of(request, NotifyOn.APPROVED, "approved by alice: Ticket 4711", "connection/ops")
    said = json.loads(body_of(message, NotifyFormat.JSON))
    assert said["request"]["votes"][0]["by"] == "alice"
    assert said["request"]["votes"][0]["reason"] == "Ticket 4711"


@pytest.mark.parametrize("format_", [NotifyFormat.SLACK, NotifyFormat.TEAMS])
def test_a_person_reads_who_asks_what_and_how_to_decide(format_: NotifyFormat) -> None:
    said = json.dumps(told(format_, human="ann@corp.example", effect={"rows": 3}))
    for words in (
        "triage for ann@corp.example",
        "DELETE FROM public.orders WHERE id = 7",
        "agents, refunds",
        "about 3",
        "kubectl tollhouse approvals approve orders-db-x7k2p -n shop",
    ):
        assert words in said


@pytest.mark.parametrize("format_", [NotifyFormat.SLACK, NotifyFormat.TEAMS])
def test_nobody_is_asked_to_decide_what_is_decided(format_: NotifyFormat) -> None:
    assert "approvals approve" not in json.dumps(told(format_, NotifyOn.DENIED))


def test_a_statement_cannot_mention_link_or_close_the_block_that_shows_it_in_slack() -> None:
    said = told(NotifyFormat.SLACK, operation=operation("SELECT '<!channel> ``` <http://x|y>' & 1"))
    shown = said["blocks"][1]["text"]["text"]
    assert "<" not in shown
    assert shown.count("```") == 2
    assert "&lt;!channel&gt;" in shown


def test_markup_in_a_statement_stays_text_in_teams() -> None:
    said = told(NotifyFormat.TEAMS, operation=operation("SELECT '[click](http://x)'"))
    body = said["attachments"][0]["content"]["body"]
    assert {block["type"] for block in body} == {"RichTextBlock"}
    assert body[1]["inlines"][0]["text"] == "SELECT '[click](http://x)'"


def test_long_statements_are_cut_with_their_length_told() -> None:
    said = told(NotifyFormat.TEAMS, operation=operation("x" * 9000))
    assert "(9000 characters)" in said["attachments"][0]["content"]["body"][1]["inlines"][0]["text"]


def test_the_signature_covers_time_and_body_and_a_repeat_has_the_same_delivery() -> None:
    request = request_of(MANAGER)
    message = message_of(request, NotifyOn.REQUESTED, "waits", "policy/ops")
    body = body_of(message, NotifyFormat.JSON)
    headers = headers_of(message, body, Secret("key"), NOW)
    assert headers["Tollhouse-Timestamp"] == str(int(NOW.timestamp()))
    expected = hmac.new(b"key", headers["Tollhouse-Timestamp"].encode() + b"." + body, hashlib.sha256)
    assert headers["Tollhouse-Signature"] == f"v1={expected.hexdigest()}"
    assert "Tollhouse-Signature" not in headers_of(message, body, None, NOW)
    again = message_of(request, NotifyOn.REQUESTED, "waits still", "policy/ops")
    assert again.delivery == message.delivery
    assert message_of(request, NotifyOn.ESCALATED, "waits", "policy/ops").delivery != message.delivery
    assert message_of(request, NotifyOn.REQUESTED, "waits", "policy/dba").delivery != message.delivery
