"""Who has been turned out: the Revocations of a bundle, ready to be asked.

Asked when a session begins and for each open session with each new bundle, so it costs as much as
the identity has groups, not as much as the lists are long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tollhouse_core.api.revocation import ClusterRevocation, Revocation, RevokedEntry
from tollhouse_core.identity import Identity

AnyRevocation = Revocation | ClusterRevocation
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Listed:
    """An entry, and the object it stands in."""

    entry: RevokedEntry
    title: str
    reason: str
    expires_at: datetime | None

    def holds(self, identity: Identity, provider: str, now: datetime) -> bool:
        """Whether it is about a token of `provider`, as old as this one."""
        if self.expires_at is not None and now >= self.expires_at:
            return False
        if self.entry.provider is not None and self.entry.provider != provider:
            return False
        before = self.entry.issued_before
        return before is None or _issued(identity) < before.timestamp()

    @property
    def words(self) -> str:
        """For the client: why, and where that is written."""
        why = f": {self.reason}" if self.reason else ""
        return f"access was revoked by {self.title}{why}"


@dataclass(frozen=True, slots=True)
class Revocations:
    """All of a Connection, by whom they name."""

    _by_name: dict[_Key, list[_Listed]] = field(default_factory=dict)

    def why(self, identity: Identity, now: datetime) -> str:
        """Why the identity may have no session, in words for the client; "" where it may."""
        for key, provider in _names_of(identity):
            for listed in self._by_name.get(key, ()):
                if listed.holds(identity, provider, now):
                    return listed.words
        return ""


def revocations_of(objects: Iterable[AnyRevocation]) -> Revocations:
    """Ready to be asked, whichever way the objects were ordered."""
    by_name: defaultdict[_Key, list[_Listed]] = defaultdict(list)
    for one in sorted(objects, key=lambda item: item.title):
        for entry in one.spec.revoke:
            listed = _Listed(entry, one.title, one.spec.reason, one.spec.expires_at)
            by_name[_key_of(entry)].append(listed)
    return Revocations(dict(by_name))


def _key_of(entry: RevokedEntry) -> _Key:
    if entry.service_account is not None:
        return "account", f"{entry.service_account.namespace}/{entry.service_account.name}"
    if entry.user is not None:
        return "user", entry.user
    return ("group", entry.group) if entry.group is not None else ("token", entry.token_id or "")


def _names_of(identity: Identity) -> Iterator[tuple[_Key, str]]:
    """Every name under which the identity could be listed, and whose word that name is."""
    provider = identity.provider
    yield ("user", identity.name), provider
    for group in identity.groups:
        yield ("group", group), provider
    if identity.service_account is not None:
        account = identity.service_account
        yield ("account", f"{account.namespace}/{account.name}"), provider
    if identity.token_id is not None:
        yield ("token", identity.token_id), provider
    for origin in identity.origins:
        if origin.token_id is not None:
            yield ("token", origin.token_id), origin.provider
    human = identity.on_behalf_of
    if human is not None:
        whose = human.provider or provider
        yield ("user", human.name), whose
        for group in human.groups:
            yield ("group", group), whose


def _issued(identity: Identity) -> float:
    """Seconds since 1970; a token that does not say counts as older than any. One that was traded for
    is as old as the oldest of those."""
    if identity.origins:
        return min(_moment(origin.issued_at) for origin in identity.origins)
    return _moment(identity.claims.get("iat"))


def _moment(issued: object) -> float:
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        return float("-inf")
    return float(issued)
