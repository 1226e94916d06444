"""Revocation and ClusterRevocation: who may not go on, whatever their tokens say."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tollhouse_core.api.access_policy import ServiceAccountSubject
from tollhouse_core.api.meta import ApiObject, ObjectName, PersonName, Status, Time, Word
from tollhouse_core.api.shape import ApiModel, ExactlyOne, Needs, Shape

MOST_ENTRIES = 512
"""Of one object. A list that grows is several objects, or a shorter life of tokens."""


class RevokedEntry(ApiModel):
    """One person, group, account or token."""

    shape: ClassVar[tuple[Shape, ...]] = (
        ExactlyOne(("user", "group", "service_account", "token_id"), "sort of entry"),
        Needs(
            "provider",
            ("user", "group", "token_id"),
            "provider goes with user, group or tokenId only; take it away here",
        ),
        Needs(
            "issued_before",
            ("user", "group", "service_account"),
            "a token is revoked as a whole; take issuedBefore away here",
        ),
    )

    user: PersonName | None = Field(
        default=None,
        description="Who their token says is this user, and every agent that acts on behalf of them.",
    )
    group: PersonName | None = Field(
        default=None, description="Everybody whose token says they are in this group, and agents likewise."
    )
    service_account: ServiceAccountSubject | None = Field(
        default=None, description="A ServiceAccount of this cluster."
    )
    token_id: Word | None = Field(
        default=None, description="One token, by its own name (the claim `jti`), and what it was traded for."
    )
    provider: ObjectName | None = Field(
        default=None,
        description="The IdentityProvider that must have said so. Absent: any the Connection takes.",
    )
    issued_before: Time | None = Field(
        default=None,
        description="Only tokens issued before this moment (the claim `iat`); one that does not say when it "
        "was issued counts as older. Absent: every token, those still to come included.",
    )


class RevocationSpec(ApiModel):
    """What is wanted."""

    reason: Annotated[str, Field(max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")] = Field(
        default="",
        description="Why, in words that those who are turned away read; one line. Absent: nothing is said.",
    )
    revoke: Annotated[tuple[RevokedEntry, ...], Field(min_length=1, max_length=MOST_ENTRIES)] = Field(
        description="Whoever meets any of these loses their sessions and gets no new ones."
    )
    expires_at: Time | None = Field(
        default=None,
        description="From this moment on the object says nothing any more. Absent: it holds until deleted.",
    )


class Revocation(ApiObject):
    """Ends sessions on the Connections of its namespace, and lets no new ones begin."""

    kind: Literal["Revocation"] = "Revocation"
    spec: RevocationSpec = Field(description="What is wanted.")
    status: Status = Field(default=Status(), description="What is; written by the operator.")


class ClusterRevocation(ApiObject):
    """Ends sessions on every Connection of the cluster, and lets no new ones begin."""

    scope: ClassVar[Literal["Namespaced", "Cluster"]] = "Cluster"

    kind: Literal["ClusterRevocation"] = "ClusterRevocation"
    spec: RevocationSpec = Field(description="What is wanted.")
    status: Status = Field(default=Status(), description="What is; written by the operator.")
