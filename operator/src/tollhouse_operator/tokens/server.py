"""The token endpoint's HTTP side (RFC 6749 section 5, RFC 8414). TLS only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import time
from typing import Any

from aiohttp import web

from tollhouse_core.identity import Identity
from tollhouse_core.token_issuer import TokenIssuer
from tollhouse_operator.cluster import ClusterError
from tollhouse_operator.serving_tls import ServingTls
from tollhouse_operator.tokens import exchange
from tollhouse_operator.tokens.exchange import NoToken, Terms, grant_for
from tollhouse_operator.tokens.keyring import Keyring
from tollhouse_operator.tokens.minting import CannotMint, Grant, Minted, mint
from tollhouse_operator.tokens.proofs import Proofs

log = logging.getLogger(__name__)

LARGEST_REQUEST_BYTES = 256 * 1024
AT_ONCE = 32
WITHIN_SECONDS = 15.0
_FORM = "application/x-www-form-urlencoded"
_QUIET = {"Cache-Control": "no-store", "Pragma": "no-cache"}

Form = Mapping[str, str]
Granting = Callable[[Form], Awaitable[Grant]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """issuer: the URL under which clients reach it. terms: see `exchange.Terms`."""

    issuer: str
    terms: Terms


class TokenServer:
    """Serves /token, /jwks and /.well-known/openid-configuration. `keyring` is set before it starts."""

    def __init__(self, host: str, port: int, endpoint: Endpoint, proofs: Proofs, tls: ServingTls) -> None:
        self._host = host
        self._endpoint = endpoint
        self._proofs = proofs
        self._tls = tls
        self.slots = asyncio.Semaphore(AT_ONCE)
        self._runner: web.AppRunner | None = None
        self.keyring: Keyring | None = None
        self.grants: dict[str, Granting] = {exchange.GRANT: self._exchange}
        self.port = port
        self.app = web.Application(client_max_size=LARGEST_REQUEST_BYTES)
        self.app.router.add_post("/token", self._token)
        self.app.router.add_get("/jwks", self._jwks)
        self.app.router.add_get("/.well-known/openid-configuration", self._configuration)
        self.app.router.add_get("/.well-known/oauth-authorization-server", self._configuration)

    @property
    def tokens(self) -> TokenIssuer | None:
        """What proxies must know of it."""
        if self.keyring is None:
            return None
        return TokenIssuer(self._endpoint.issuer, self.keyring.published)

    @property
    def endpoint(self) -> Endpoint:
        """What it gives."""
        return self._endpoint

    @property
    def proofs(self) -> Proofs:
        """What it believes."""
        return self._proofs

    async def start(self) -> None:
        """Listens; `port` is then the port in use."""
        assert self._tls.ready
        self._runner = web.AppRunner(self.app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self.port, ssl_context=self._tls.context).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Ends requests under way (bounded), then stops listening."""
        if self._runner is not None:
            await self._runner.cleanup()
        await self._proofs.close()

    async def give(self, grant: Grant) -> Minted:
        """The token that was granted. Raises NoToken."""
        assert self.keyring is not None
        now = time()
        problem = ""
        try:
            minted = mint(grant, self._endpoint.issuer, self.keyring.signing(now), now)
        except CannotMint as error:
            problem = str(error)
        if problem:
            raise NoToken("invalid_grant", problem)
        actor = f", actor {_named(grant.actor)}" if grant.actor else ""
        subject = _named(grant.subject)
        log.info("token %s given to %s%s for %d s", minted.token_id, subject, actor, minted.seconds)
        return minted

    async def _exchange(self, form: Form) -> Grant:
        return await grant_for(form, self._proofs.prove, self._proofs.providers, self._endpoint.terms)

    async def _token(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(WITHIN_SECONDS), self.slots:
                form = await _form(request)
                granting = self.grants.get(form.get("grant_type", ""))
                if granting is None:
                    known = ", ".join(sorted(self.grants))
                    raise NoToken("unsupported_grant_type", f"grant_type must be one of {known}")
                await self.look()
                grant = await granting(form)
                minted = await self.give(grant)
        except NoToken as refusal:
            log.info("no token given: %s: %s", refusal.code, refusal)
            return refused(refusal)
        except (ClusterError, TimeoutError):
            return refused(NoToken("temporarily_unavailable", "try again in a moment", 503))
        except Exception as error:
            # Fail closed; the error's own words may hold a token.
            log.error("a request for a token could not be judged: %s", type(error).__name__)
            return refused(NoToken("server_error", "this could not be judged", 500))
        return given(grant, minted)

    async def look(self) -> None:
        """Reads whom to believe. Raises ClusterError, NoToken."""
        tokens = self.tokens
        if tokens is None:
            raise NoToken("temporarily_unavailable", "there are no keys yet", 503)
        await self._proofs.look(tokens)

    async def _jwks(self, _: web.Request) -> web.Response:
        keys = list(self.keyring.published) if self.keyring else []
        return web.json_response({"keys": keys}, headers={"Cache-Control": "max-age=300"})

    async def _configuration(self, _: web.Request) -> web.Response:
        issuer = self._endpoint.issuer
        return web.json_response(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
                "grant_types_supported": sorted(self.grants),
                "token_endpoint_auth_methods_supported": ["none"],
                "response_types_supported": [],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            },
            headers={"Cache-Control": "max-age=300"},
        )


async def _form(request: web.Request) -> Form:
    if request.content_type != _FORM:
        raise NoToken("invalid_request", f"expected a POST of {_FORM}")
    if request.query_string:
        raise NoToken("invalid_request", "a token must not stand in a URL: send it in the body")
    problem = ""
    try:
        posted = await request.post()
    except web.HTTPRequestEntityTooLarge:
        problem = f"expected at most {LARGEST_REQUEST_BYTES} bytes"
    except (ValueError, LookupError):
        problem = "the form cannot be read"
    if problem:
        raise NoToken("invalid_request", problem)
    if len(posted) != len(set(posted)):
        raise NoToken("invalid_request", "a parameter is there twice")
    return {name: value for name, value in posted.items() if isinstance(value, str)}


def given(grant: Grant, minted: Minted) -> web.Response:
    """The answer with the token."""
    answer: dict[str, Any] = {
        "access_token": minted.token.reveal(),
        "issued_token_type": exchange.ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": minted.seconds,
    }
    if grant.scope is not None:
        answer["scope"] = " ".join(grant.scope)
    return web.json_response(answer, headers=_QUIET)


def refused(refusal: NoToken) -> web.Response:
    """The answer of the protocol (RFC 6749 section 5.2)."""
    body = {"error": refusal.code, "error_description": str(refusal)}
    return web.json_response(body, status=refusal.status, headers=_QUIET)


def _named(identity: Identity) -> str:
    return f"{identity.provider}/{identity.name}"
