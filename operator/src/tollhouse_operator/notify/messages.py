"""What receivers read. Pure; everything comes from the request's spec, which shows nothing masked."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tollhouse_core.api import to_document
from tollhouse_core.api.approval_request import ApprovalRequest
from tollhouse_core.api.notifying import NotifyFormat, NotifyOn
from tollhouse_core.approvals.effect import shown
from tollhouse_core.approvals.tally import describe_grant
from tollhouse_core.secret import Secret

_TEXT = 2500
_REASON = 500


@dataclass(frozen=True, slots=True)
class Message:
    """`delivery` is the same for every attempt at one message, so that receivers can tell repeats."""

    moment: NotifyOn
    delivery: str
    words: str
    request: ApprovalRequest


def message_of(request: ApprovalRequest, moment: NotifyOn, words: str, receiver: str) -> Message:
    """`words`: where the request stands, as its status says it. `receiver`: its name."""
    source = "/".join((request.metadata.uid or request.title, moment.value, receiver))
    return Message(moment, hashlib.sha256(source.encode()).hexdigest()[:32], words, request)


def body_of(message: Message, format_: NotifyFormat) -> bytes:
    """The POST's body, UTF-8 JSON."""
    match format_:
        case NotifyFormat.SLACK:
            document = _slack(message)
        case NotifyFormat.TEAMS:
            document = _teams(message)
        case _:
            document = _json(message)
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()


def headers_of(message: Message, body: bytes, key: Secret | None, now: datetime) -> dict[str, str]:
    """`Tollhouse-Signature` is `v1=` and the hexadecimal HMAC-SHA-256 of the timestamp (seconds since
    1970), a full stop, and the body."""
    stamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "Tollhouse-Event": message.moment.value,
        "Tollhouse-Delivery": message.delivery,
        "Tollhouse-Timestamp": stamp,
    }
    if key is not None:
        signed = hmac.new(key.reveal().encode(), stamp.encode() + b"." + body, hashlib.sha256)
        headers["Tollhouse-Signature"] = f"v1={signed.hexdigest()}"
    return headers


def _json(message: Message) -> dict[str, Any]:
    request = message.request
    spec = to_document(request)["spec"]
    told = ("connection", "session", "requester", "operation", "effect", "policy", "approvers", "escalation")
    return {
        "kind": "ApprovalNotification",
        "event": message.moment.value,
        "delivery": message.delivery,
        "message": message.words,
        "request": {
            "namespace": request.namespace,
            "name": request.name,
            **{field: spec[field] for field in told if field in spec},
            "opens": describe_grant(request.spec.grant),
            "expiresAt": spec["expiresAt"],
            "votes": spec.get("votes", []),
        },
    }


def _lines(message: Message) -> tuple[str, list[tuple[str, str]], str]:
    """A title, facts by name, and what was asked."""
    request = message.request
    spec = request.spec
    who = spec.requester.name
    if spec.requester.on_behalf_of is not None:
        who = f"{who} for {spec.requester.on_behalf_of.name}"
    facts = [
        ("Asked by", who),
        ("Rule", f"{spec.policy.name}, {spec.policy.rule}"),
        ("Opens", describe_grant(spec.grant)),
        ("Stands", message.words[:_REASON]),
    ]
    facts[1:1] = shown(spec.effect)
    if message.moment in (NotifyOn.REQUESTED, NotifyOn.ESCALATED):
        facts.append(("Until", spec.expires_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")))
        facts.append(("Decide", f"kubectl tollhouse approvals approve {request.name} -n {request.namespace}"))
    title = f"{message.moment.value}: {spec.connection} ({request.namespace}/{request.name})"
    text = spec.operation.text
    return title, facts, text if len(text) <= _TEXT else f"{text[:_TEXT]} ... ({len(text)} characters)"


def _slack(message: Message) -> dict[str, Any]:
    title, facts, text = _lines(message)
    told = "\n".join(f"*{name}:* {_slack_text(value)}" for name, value in facts)
    # A closing fence inside the statement would end the block that shows it as it is.
    shown = _slack_text(text).replace("`", "'")
    return {
        "text": _slack_text(title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"```{shown}```"[:3000]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": told[:3000]}},
        ],
    }


def _slack_text(text: str) -> str:
    """Nothing in it is a mention, a link or a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(message: Message) -> dict[str, Any]:
    title, facts, text = _lines(message)

    def run(said: str, **more: object) -> dict[str, Any]:
        # A TextRun is shown as it is: no markup in a statement can make a link of it.
        return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": said, **more}]}

    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            run(title, weight="Bolder"),
            run(text, fontType="Monospace"),
            *(run(f"{name}: {value}") for name, value in facts),
        ],
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }
