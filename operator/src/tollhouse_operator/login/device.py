"""The device flow (RFC 8628): a code is shown, a person confirms it in any browser, a token comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tollhouse_core.secret import Secret
from tollhouse_operator.login.provider import (
    LoginFailed,
    ProtocolRefused,
    Provider,
    Talk,
    require_safe,
    shown,
)

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LEAST_INTERVAL_SECONDS = 1.0
SLOWER_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a person must do. `complete` has the code in it already; "" where there is none."""

    code: str
    url: str
    complete: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gave. `seconds`: how long the access token lives."""

    access: Secret
    refresh: Secret | None
    seconds: float


Sleep = Callable[[float], None]
Now = Callable[[], float]


def log_in(
    talk: Talk,
    provider: Provider,
    form: Mapping[str, str],
    invite: Callable[[Invitation], None],
    sleep: Sleep,
    now: Now,
) -> Tokens:
    """`form`: client_id, scope and what else the provider wants. `now` counts seconds from anywhere.
    Raises LoginFailed."""
    answer = talk.post(provider.device_endpoint, form)
    device_code = answer.get("device_code")
    if not isinstance(device_code, str):
        raise LoginFailed("the identity provider gives no code to wait with (device_code)")
    invitation = _invitation(answer)
    invite(invitation)
    ends = now() + invitation.seconds
    interval = max(_number(answer.get("interval"), 5.0), LEAST_INTERVAL_SECONDS)
    asked = {"grant_type": GRANT, "device_code": device_code, "client_id": form["client_id"]}
    while now() < ends:
        sleep(interval)
        try:
            return tokens_in(talk.post(provider.token_endpoint, asked))
        except ProtocolRefused as refusal:
            if refusal.code == "slow_down":
                interval += SLOWER_SECONDS
            elif refusal.code == "access_denied":
                raise LoginFailed("the log-in was denied in the browser") from None
            elif refusal.code == "expired_token":
                break
            elif refusal.code != "authorization_pending":
                raise
    raise LoginFailed("nobody confirmed the code in time; run the command again")


def refreshed(talk: Talk, provider: Provider, client_id: str, refresh: Secret) -> Tokens:
    """A new access token (RFC 6749 section 6). Raises LoginFailed."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh.reveal(), "client_id": client_id}
    found = tokens_in(talk.post(provider.token_endpoint, form))
    return found if found.refresh is not None else Tokens(found.access, refresh, found.seconds)


def tokens_in(answer: Mapping[str, Any]) -> Tokens:
    """Raises LoginFailed."""
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if not isinstance(access, str) or not access or not access.isascii() or not access.isprintable():
        raise LoginFailed("the identity provider gives no access token")
    kept = Secret(refresh) if isinstance(refresh, str) and refresh else None
    return Tokens(Secret(access), kept, _number(answer.get("expires_in"), 300.0))


def _invitation(answer: Mapping[str, Any]) -> Invitation:
    code = answer.get("user_code")
    if not isinstance(code, str) or not code:
        raise LoginFailed("the identity provider gives no code for people (user_code)")
    url = require_safe(answer.get("verification_uri"), "verification_uri")
    complete = answer.get("verification_uri_complete")
    seconds = min(_number(answer.get("expires_in"), 600.0), LONGEST_WAIT_SECONDS)
    whole = require_safe(complete, "verification_uri_complete") if complete else ""
    return Invitation(shown(code), shown(url), shown(whole), seconds)


def _number(value: object, default: float) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9
    return float(value) if known and isinstance(value, int | float) else default
