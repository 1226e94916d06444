"""From verified claims to an Identity, as the provider maps them.

Names and groups must be clean texts (see `checks.is_clean_name`); what is configured but
malformed in the token refuses it, because a group left out could be the one a rule excepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from tollhouse_core.identity import Identity, OnBehalfOf, Proof, ServiceAccountName
from tollhouse_identity.checks import MAX_GROUPS, is_clean_name, service_account_of
from tollhouse_identity.exchanged import exchanged_identity
from tollhouse_identity.form import Refused
from tollhouse_identity.trust import TrustedProvider

MAX_GROUP_NAME = 512
RESERVED = "system:"
"""What Kubernetes keeps for itself: only the API server's tokens may speak of such groups."""

Claims = Mapping[str, object]
_MISSING = object()


def identity_from(claims: Claims, provider: TrustedProvider, own_cluster: bool) -> Identity:
    """The identity that these verified claims prove. Raises Refused."""
    require_claims(claims, provider.required)
    if provider.exchange is not None:
        return exchanged_identity(claims, provider, provider.exchange)
    if provider.kubernetes:
        return service_account_identity(claims, provider, own_cluster)
    return oidc_identity(claims, provider)


def service_account_identity(claims: Claims, provider: TrustedProvider, own_cluster: bool) -> Identity:
    """A ServiceAccount as the API server itself would know it: same name, same groups.

    One of another cluster is nobody here: its names carry the provider's, so that no rule for
    this cluster's accounts or users takes it for one of them.
    """
    account = service_account_of(claims)
    if account is None:
        raise Refused("the token names no ServiceAccount (kubernetes.io)")
    named = ServiceAccountName(*account)
    prefix = "" if own_cluster else f"{provider.name}:"
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{named.namespace}")
    return Identity(
        name=prefix + named.kubernetes_user,
        provider=provider.name,
        proof=Proof.SERVICE_ACCOUNT,
        groups=tuple(prefix + group for group in groups),
        claims=claims,
        kubernetes_user=named.kubernetes_user if own_cluster else None,
        service_account=named if own_cluster else None,
        expires_at=_end(claims),
        token_id=_token_id(claims),
    )


def oidc_identity(claims: Claims, provider: TrustedProvider) -> Identity:
    """A person or agent as an OIDC issuer names them."""
    names = provider.names
    return Identity(
        name=_not_reserved(provider.prefix + _user(claims, names.user), claims),
        provider=provider.name,
        proof=Proof.OIDC,
        groups=_groups(claims, names.groups, provider.prefix),
        claims=claims,
        on_behalf_of=_on_behalf_of(claims, provider),
        kubernetes_user=_optional_name(claims, names.kubernetes_user, "Kubernetes user"),
        expires_at=_end(claims),
        token_id=_token_id(claims),
    )


def lookup(claims: Claims, path: str) -> object:
    """The value at `path`, `_MISSING` where there is none. A claim whose own name has dots
    (`https://corp.example/roles`) is found before one that is nested."""
    if path in claims:
        return claims[path]
    for position in reversed([i for i, character in enumerate(path) if character == "."]):
        inner = claims.get(path[:position])
        if isinstance(inner, dict) and (found := lookup(inner, path[position + 1 :])) is not _MISSING:
            return found
    return _MISSING


def require_claims(claims: Claims, required: Mapping[str, str]) -> None:
    """Each required claim must be there with exactly that value (`true` is the boolean's text)."""
    for path, expected in required.items():
        found = lookup(claims, path)
        text = str(found).lower() if isinstance(found, bool) else found
        text = str(text) if isinstance(text, int) else text
        if text != expected:
            raise Refused(f"the token lacks a claim that is required here ({path})")


def _user(claims: Claims, path: str) -> str:
    if path == "email" and claims.get("email_verified", True) is not True:
        raise Refused("the token's e-mail address has not been verified by its issuer")
    name = lookup(claims, path)
    if not is_clean_name(name):
        raise Refused(f"the token does not name its user cleanly ({path})")
    return str(name)


def _not_reserved(name: str, claims: Claims) -> str:
    """A name that another issuer may give. One of a ServiceAccount passes where the token has
    proved to be that account's (`checks.SERVICE_ACCOUNT`)."""
    if name.startswith(RESERVED) and "kubernetes.io" not in claims:
        raise Refused("the token's user has a name that is kept for Kubernetes")
    return name


def _groups(claims: Claims, path: str | None, prefix: str) -> tuple[str, ...]:
    found = _MISSING if path is None else lookup(claims, path)
    if found is _MISSING:
        return ()
    if not isinstance(found, list) or len(found) > MAX_GROUPS:
        raise Refused(f"the token's groups are not a list of at most {MAX_GROUPS} texts ({path})")
    if not all(is_clean_name(group, MAX_GROUP_NAME) for group in found):
        raise Refused(f"one of the token's groups is not a clean text ({path})")
    groups = tuple(dict.fromkeys(prefix + str(group) for group in found))
    if any(group.startswith(RESERVED) for group in groups):
        raise Refused(f"one of the token's groups has a name that is kept for Kubernetes ({path})")
    return groups


def _optional_name(claims: Claims, path: str | None, what: str) -> str | None:
    found = _MISSING if path is None else lookup(claims, path)
    if found is _MISSING:
        return None
    if not is_clean_name(found):
        raise Refused(f"the token does not name its {what} cleanly ({path})")
    return str(found)


def _on_behalf_of(claims: Claims, provider: TrustedProvider) -> OnBehalfOf | None:
    """A text, or an object with `name` or `sub`, and perhaps `groups` (as `act` of RFC 8693)."""
    path = provider.names.on_behalf_of
    found = _MISSING if path is None else lookup(claims, path)
    if found is _MISSING:
        return None
    principal: Claims = found if isinstance(found, dict) else {"name": found}
    name = principal.get("name", principal.get("sub"))
    if not is_clean_name(name):
        raise Refused(f"the token does not name its principal cleanly ({path})")
    groups = _groups(principal, "groups", provider.prefix)
    return OnBehalfOf(_not_reserved(provider.prefix + str(name), principal), groups)


def _end(claims: Claims) -> datetime:
    end = claims["exp"]
    if not isinstance(end, int | float):
        raise Refused("the token's end is not a time (exp)")
    return datetime.fromtimestamp(end, UTC)


def _token_id(claims: Claims) -> str | None:
    token_id = claims.get("jti")
    return token_id if isinstance(token_id, str) else None
