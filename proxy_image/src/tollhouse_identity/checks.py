"""Every check a token must pass, in order, each with the reason its bearer will read.

The tables are the specification: HEADER before any key is looked up, CLAIMS after the signature
has been verified, SERVICE_ACCOUNT in addition for tokens of a Kubernetes API server. A check is
one sentence and one predicate; a predicate may rely on those above it. Reasons hold nothing of
the token. Sources: RFC 7515, 7519, 8725 (best practice), 9068 (typ), OpenID Connect Core 3.1.3.7.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tollhouse_identity.form import Refused
from tollhouse_identity.trust import ALGORITHMS, TrustedProvider, media_type

LATEST_TIME = 253402300799.0
MAX_NAME = 256
MAX_AUDIENCES = 64
MAX_GROUPS = 1000
ID_TOKEN_TYPES = frozenset({"id", "id_token", "id-token", "id+jwt"})
_NOT_ACCESS = frozenset({"refresh", "offline", "logout", "logout+jwt", "logout_token"})
_ID_TOKEN_HASHES = ("at_hash", "c_hash", "s_hash")


@dataclass(frozen=True, slots=True)
class Presented:
    """What the checks look at: one token, the provider that is to vouch for it, and the time."""

    header: Mapping[str, object]
    claims: Mapping[str, object]
    provider: TrustedProvider
    now: float
    """Seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Check:
    """Must hold, or the token is refused with the reason."""

    reason: str
    holds: Callable[[Presented], bool]


def require(checks: Sequence[Check], presented: Presented) -> None:
    """Raises Refused with the reason of the first check that does not hold."""
    for check in checks:
        if not check.holds(presented):
            raise Refused(check.reason)


# --- header -------------------------------------------------------------------------------------


def _without(name: str) -> Callable[[Presented], bool]:
    return lambda token: name not in token.header


def _algorithm_is_allowed(token: Presented) -> bool:
    algorithm = token.header.get("alg")
    return isinstance(algorithm, str) and algorithm in ALGORITHMS


def _type_is_allowed(token: Presented) -> bool:
    """A token without `typ` counts as a JWT (RFC 7519 5.1); RFC 9068 2.1 names at+jwt."""
    value = token.header.get("typ", "JWT")
    return isinstance(value, str) and media_type(value) in token.provider.types


def _key_id_is_clean(token: Presented) -> bool:
    return "kid" not in token.header or is_clean_name(token.header["kid"])


HEADER: tuple[Check, ...] = (
    Check("the token's algorithm is not one that is accepted here", _algorithm_is_allowed),
    Check("the token is of a type that is not accepted here (typ)", _type_is_allowed),
    Check("the token has critical extensions (crit)", _without("crit")),
    Check("the token's payload is not encoded as a token's must be (b64)", _without("b64")),
    Check("the token is compressed (zip)", _without("zip")),
    Check("the token holds another token (cty)", _without("cty")),
    Check("the token brings its own key (jwk)", _without("jwk")),
    Check("the token names a place to fetch its key from (jku)", _without("jku")),
    Check("the token names a place to fetch its certificate from (x5u)", _without("x5u")),
    Check("the token brings its own certificate (x5c)", _without("x5c")),
    Check("the token's key name is not a clean text (kid)", _key_id_is_clean),
)


# --- claims -------------------------------------------------------------------------------------


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST_TIME


def _time(token: Presented, name: str) -> float | None:
    value = token.claims.get(name)
    return float(value) if isinstance(value, int | float) else None


def _absent_or_time(name: str) -> Callable[[Presented], bool]:
    return lambda token: name not in token.claims or _is_time(token.claims[name])


def _not_expired(token: Presented) -> bool:
    return (_time(token, "exp") or 0.0) > token.now


def _has_begun(name: str) -> Callable[[Presented], bool]:
    return lambda token: (_time(token, name) or 0.0) <= token.now + token.provider.skew_seconds


def _lifetime_is_bounded(token: Presented) -> bool:
    end = _time(token, "exp") or 0.0
    issued = _time(token, "iat")
    starts = token.now if issued is None else issued
    return 0 < end - starts <= token.provider.max_lifetime_seconds


def _issuer_is_the_providers(token: Presented) -> bool:
    return token.claims.get("iss") == token.provider.issuer


def audiences_of(claims: Mapping[str, object]) -> tuple[str, ...] | None:
    """`aud` as a tuple; None where it is missing or malformed (RFC 7519 4.1.3)."""
    value = claims.get("aud")
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_AUDIENCES:
        return None
    names = [name for name in listed if isinstance(name, str) and name]
    return tuple(names) if len(names) == len(listed) else None


def _meant_for_us(token: Presented) -> bool:
    present = audiences_of(token.claims) or ()
    return bool(token.provider.audiences) and all(
        any(name in accepted for name in present) for accepted in token.provider.audiences
    )


def _party_is_text(token: Presented) -> bool:
    return "azp" not in token.claims or is_clean_name(token.claims["azp"])


def _party_is_authorised(token: Presented) -> bool:
    """`azp` (OpenID Connect), else `client_id` (RFC 9068), where the provider lists parties."""
    allowed = token.provider.authorized_parties
    party = token.claims.get("azp", token.claims.get("client_id"))
    return not allowed or (isinstance(party, str) and party in allowed)


def _is_no_id_token(token: Presented) -> bool:
    """An ID token tells an application that somebody logged in; it is sent to browsers and
    logs. Issuers mark it in different ways; a nonce alone marks it unless scopes say otherwise."""
    if token.provider.types & ID_TOKEN_TYPES:
        return True
    claims = token.claims
    marked = {_lower(claims.get("typ")), _lower(claims.get("token_use"))}
    if marked & ID_TOKEN_TYPES or any(name in claims for name in _ID_TOKEN_HASHES):
        return False
    says_access = marked & {"bearer", "access"} or "scope" in claims or "scp" in claims
    return "nonce" not in claims or bool(says_access)


def _is_no_other_token(token: Presented) -> bool:
    return not {_lower(token.claims.get("typ")), _lower(token.claims.get("token_use"))} & _NOT_ACCESS


def _lower(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _claim(name: str) -> Callable[[Presented], bool]:
    return lambda token: is_clean_name(token.claims.get(name))


def _absent_or_clean(name: str) -> Callable[[Presented], bool]:
    return lambda token: name not in token.claims or is_clean_name(token.claims[name])


def _no_claim(name: str) -> Callable[[Presented], bool]:
    return lambda token: name not in token.claims


CLAIMS: tuple[Check, ...] = (
    Check("the token's issuer is not the one expected (iss)", _issuer_is_the_providers),
    Check("the token does not say when it ends (exp)", lambda token: "exp" in token.claims),
    Check("the token's end is not a time (exp)", _absent_or_time("exp")),
    Check("the token's start is not a time (nbf)", _absent_or_time("nbf")),
    Check("the token's time of issue is not a time (iat)", _absent_or_time("iat")),
    Check("the token has expired", _not_expired),
    Check("the token is not valid yet (nbf)", _has_begun("nbf")),
    Check("the token was issued in the future (iat)", _has_begun("iat")),
    Check("the token lives longer than is accepted here", _lifetime_is_bounded),
    Check(
        "the token does not say whom it is meant for (aud)", lambda token: bool(audiences_of(token.claims))
    ),
    Check("the token is meant for somebody else (aud)", _meant_for_us),
    Check("the token's authorized party is not a clean text (azp)", _party_is_text),
    Check("the token was issued to a party that is not accepted here (azp)", _party_is_authorised),
    Check("the token is bound to a key that cannot be shown here (cnf)", _no_claim("cnf")),
    Check("this is a security event, not an access token (events)", _no_claim("events")),
    Check("this is an ID token, not an access token", _is_no_id_token),
    Check("this is not an access token (it is for refresh or logout)", _is_no_other_token),
    Check("the token does not name its subject cleanly (sub)", _claim("sub")),
    Check("the token's own name is not a clean text (jti)", _absent_or_clean("jti")),
)


# --- ServiceAccount tokens ----------------------------------------------------------------------


def service_account_of(claims: Mapping[str, object]) -> tuple[str, str] | None:
    """(namespace, name) from the `kubernetes.io` claim of a bound ServiceAccount token."""
    bound = claims.get("kubernetes.io")
    account = bound.get("serviceaccount") if isinstance(bound, dict) else None
    if not isinstance(bound, dict) or not isinstance(account, dict):
        return None
    namespace, name = bound.get("namespace"), account.get("name")
    if not isinstance(namespace, str) or not isinstance(name, str):
        return None
    if not is_clean_name(namespace) or not is_clean_name(name) or ":" in namespace + name:
        return None
    return namespace, name


def _names_an_account(token: Presented) -> bool:
    return service_account_of(token.claims) is not None


def _subject_is_the_account(token: Presented) -> bool:
    account = service_account_of(token.claims)
    return account is not None and token.claims.get("sub") == "system:serviceaccount:" + ":".join(account)


SERVICE_ACCOUNT: tuple[Check, ...] = (
    Check("the token names no ServiceAccount (kubernetes.io)", _names_an_account),
    Check("the token's subject is not its ServiceAccount", _subject_is_the_account),
)


# --- names --------------------------------------------------------------------------------------

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_clean_name(value: object, limit: int = MAX_NAME) -> bool:
    """A text of 1 to `limit` characters that reads as what it is: composed (NFC), nothing
    invisible, no control or direction marks, no space but the plain one, none at the ends."""
    if not isinstance(value, str) or not 0 < len(value) <= limit:
        return False
    if value.isascii():
        return value.isprintable() and value == value.strip()
    if value != value.strip() or not unicodedata.is_normalized("NFC", value):
        return False
    return not any(
        (category := unicodedata.category(character)) in _UNSEEN or (category == "Zs" and character != " ")
        for character in value
    )
