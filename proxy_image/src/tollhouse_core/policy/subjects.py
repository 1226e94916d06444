"""Whom a policy or an exception covers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tollhouse_core.identity import Identity, ServiceAccountName


@dataclass(frozen=True, slots=True)
class Subject:
    """One way to be covered: everybody proven, a group, a ServiceAccount or a user.

    `provider` narrows a user or a group to tokens of one IdentityProvider; None takes any that the
    Connection trusts.
    """

    authenticated: bool = False
    group: str | None = None
    user: str | None = None
    service_account: ServiceAccountName | None = None
    provider: str | None = None

    def covers(self, identity: Identity) -> bool:
        """Whether the identity is meant."""
        if self.provider is not None and identity.provider != self.provider:
            return False
        if self.authenticated:
            return True
        if self.group is not None:
            return self.group in identity.groups
        if self.user is not None:
            return identity.name == self.user
        return self.service_account is not None and identity.service_account == self.service_account


def covered(subjects: Iterable[Subject], exempt: Iterable[Subject], identity: Identity) -> bool:
    """Whether any of `subjects` covers the identity and none of `exempt` does."""
    return any(subject.covers(identity) for subject in subjects) and not any(
        subject.covers(identity) for subject in exempt
    )
