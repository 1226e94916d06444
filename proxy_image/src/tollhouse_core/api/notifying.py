"""Whom to tell, outside of the cluster, that people are asked and what they said."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from tollhouse_core.api.credentials import HttpUrl
from tollhouse_core.api.meta import CaRef, LabelName, SecretKeyRef
from tollhouse_core.api.shape import ApiModel, ExactlyOne, Shape


class NotifyOn(StrEnum):
    """Moments in the life of an ApprovalRequest."""

    REQUESTED = "Requested"
    ESCALATED = "Escalated"
    APPROVED = "Approved"
    DENIED = "Denied"
    EXPIRED = "Expired"
    USED = "Used"
    WITHDRAWN = "Withdrawn"


class NotifyFormat(StrEnum):
    """What the receiver reads."""

    JSON = "Json"
    SLACK = "Slack"
    TEAMS = "Teams"


class Notify(ApiModel):
    """One receiver: a webhook that is sent a POST."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(("url", "url_ref"), "address"),)

    name: LabelName = Field(description="The receiver's name, once in its list; statuses and Events use it.")
    url: HttpUrl | None = Field(default=None, description="Where to send it. Redirects are not followed.")
    url_ref: SecretKeyRef | None = Field(
        default=None, description="Where to send it, where the address is a secret itself (Slack, Teams)."
    )
    format: NotifyFormat = Field(
        default=NotifyFormat.JSON,
        description="Json (default): all that is asked, for programs. Slack: an incoming webhook's message. "
        "Teams: an adaptive card for a Workflows webhook.",
    )
    signing_key_ref: SecretKeyRef | None = Field(
        default=None,
        description="A key; the header Tollhouse-Signature then proves who sent it and when (HMAC-SHA-256). "
        "Absent: messages are not signed.",
    )
    ca_ref: CaRef | None = Field(
        default=None, description="Certificates that vouch for the receiver. Absent: those of the image."
    )
    on: Annotated[tuple[NotifyOn, ...], Field(min_length=1, max_length=7)] = Field(
        default=(NotifyOn.REQUESTED, NotifyOn.ESCALATED),
        description="What to tell: Requested, Escalated, Approved, Denied, Expired, Used, Withdrawn. "
        "Default: Requested and Escalated.",
    )


def _have_their_own_names(receivers: tuple[Notify, ...]) -> tuple[Notify, ...]:
    seen: dict[str, int] = {}
    for index, receiver in enumerate(receivers):
        if receiver.name in seen:
            words = (
                f"expected a name of its own; notify[{seen[receiver.name]}] is called {receiver.name} already"
            )
            raise PydanticCustomError("shape", "{words}", {"words": words, "at": f"[{index}].name"})
        seen[receiver.name] = index
    return receivers


Receivers = Annotated[tuple[Notify, ...], Field(max_length=16), AfterValidator(_have_their_own_names)]
