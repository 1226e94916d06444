"""SAML over HTTP: the grant (RFC 7522) and the browser's way (SAML bindings 3.4, 3.5).

A log-in begins at /saml/NAME/login, which remembers its request in a cookie; the response must answer
that very request, from that very browser. A response that nobody asked for is taken by the grant alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import secrets
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from time import time
from urllib.parse import urlencode
from xml.sax.saxutils import quoteattr

from aiohttp import web

from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.identity import Identity
from tollhouse_operator.cluster import ClusterError
from tollhouse_operator.tokens.exchange import NoToken, audiences_of, scope_of
from tollhouse_operator.tokens.minting import Grant
from tollhouse_operator.tokens.saml import GRANT, POST, BadMetadata, SamlParty, identity_in
from tollhouse_operator.tokens.saml_document import BadAssertion
from tollhouse_operator.tokens.server import WITHIN_SECONDS, TokenServer, given, refused
from tollhouse_operator.tokens.used_once import UsedAssertions

log = logging.getLogger(__name__)

_COOKIE = "__Host-tollhouse-saml"
_KNOWN = frozenset({"grant_type", "assertion", "provider", "scope", "audience"})
REQUEST_SECONDS = 600


class SamlPages:
    """Adds itself to a token server."""

    def __init__(self, server: TokenServer, used: UsedAssertions) -> None:
        self._server = server
        self._used = used
        server.grants[GRANT] = self._grant
        server.app.router.add_get("/saml/{name}/metadata", self._metadata)
        server.app.router.add_get("/saml/{name}/login", self._login)
        server.app.router.add_post("/saml/{name}/acs", self._consume)

    async def _grant(self, form: Mapping[str, str]) -> Grant:
        unknown = sorted(set(form) - _KNOWN)
        if unknown:
            raise NoToken("invalid_request", f"not known here: {unknown[0][:64]!a}")
        party = await self._party(form.get("provider", ""))
        return await self._granted(party, form.get("assertion", ""), None, form)

    async def _granted(
        self, party: SamlParty, response: str, request_id: str | None, form: Mapping[str, str]
    ) -> Grant:
        problem = ""
        try:
            identity: Identity = await asyncio.to_thread(identity_in, response, party, request_id, time())
            await self._used.take(party.provider.name, identity.token_id or "")
        except (BadAssertion, BadMetadata) as error:
            problem = str(error)
        if problem:
            raise NoToken("invalid_grant", problem)
        terms = self._server.endpoint.terms
        return Grant(identity, None, audiences_of(form, terms), scope_of(form), terms.seconds)

    async def _party(self, name: str) -> SamlParty:
        """The SAML provider of that name, with its metadata. Raises NoToken, ClusterError."""
        await self._server.look()
        found = next((one for one in self._server.proofs.providers if one.name == name), None)
        if found is None or found.spec.saml is None:
            raise NoToken("invalid_request", "provider must name an IdentityProvider of kind saml", 404)
        return SamlParty(found, await self._metadata_of(found), self._server.endpoint.issuer)

    async def _metadata_of(self, provider: IdentityProvider) -> str:
        assert provider.spec.saml is not None
        ref = provider.spec.saml.metadata_ref
        data = await self._server.proofs.secret(ref.secret)
        if ref.key not in data:
            raise NoToken("temporarily_unavailable", "its metadata cannot be read (metadataRef)", 503)
        return data[ref.key].reveal()

    async def _metadata(self, request: web.Request) -> web.Response:
        try:
            expected = (await self._party(request.match_info["name"])).expected
        except (NoToken, ClusterError) as error:
            return _failed(error)
        text = (
            '<?xml version="1.0"?>'
            '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
            f"entityID={quoteattr(expected.audience)}>"
            '<md:SPSSODescriptor AuthnRequestsSigned="false" WantAssertionsSigned="true" '
            'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
            f'<md:AssertionConsumerService Binding="{POST}" Location={quoteattr(expected.consumer)} '
            'index="0" isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>'
        )
        return web.Response(text=text, content_type="application/samlmetadata+xml")

    async def _login(self, request: web.Request) -> web.Response:
        try:
            party = await self._party(request.match_info["name"])
            where = str(party.settings().get_idp_sso_url())
            if not where.startswith("https://") and not where.startswith("http://127.0.0.1:"):
                raise BadMetadata("its log-in page is not https")
        except (NoToken, ClusterError, BadMetadata) as error:
            return _failed(error)
        secret = secrets.token_urlsafe(32)
        document = _authn_request(_request_id(secret), party, where)
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(document.encode()) + packer.flush()
        query = urlencode({"SAMLRequest": base64.b64encode(packed).decode()})
        target = f"{where}{'&' if '?' in where else '?'}{query}"
        answer = web.Response(status=302, headers={"Location": target, "Cache-Control": "no-store"})
        # The response comes by a POST from the provider's page: only SameSite=None is sent along.
        answer.set_cookie(
            _COOKIE, secret, max_age=REQUEST_SECONDS, path="/", secure=True, httponly=True, samesite="None"
        )
        return answer

    async def _consume(self, request: web.Request) -> web.Response:
        try:
            secret = request.cookies.get(_COOKIE, "")
            if not secret:
                raise NoToken("invalid_request", "this log-in did not begin here: open .../login first")
            async with asyncio.timeout(WITHIN_SECONDS), self._server.slots:
                party = await self._party(request.match_info["name"])
                posted = await request.post()
                response = posted.get("SAMLResponse")
                text = response if isinstance(response, str) else ""
                grant = await self._granted(party, text, _request_id(secret), {})
                minted = await self._server.give(grant)
        except (NoToken, ClusterError, TimeoutError) as error:
            return _failed(error)
        except Exception as error:
            # Fail closed; the error's own words may hold the document.
            log.error("a SAML response could not be judged: %s", type(error).__name__)
            return refused(NoToken("server_error", "this could not be judged", 500))
        answer = given(grant, minted)
        answer.del_cookie(_COOKIE, path="/", secure=True, httponly=True, samesite="None")
        return answer


def _request_id(secret: str) -> str:
    """What the provider sees of the cookie: it cannot be turned back into it."""
    return "_" + hashlib.sha256(secret.encode()).hexdigest()


def _authn_request(request_id: str, party: SamlParty, where: str) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" '
        'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" '
        f'ID="{request_id}" IssueInstant="{now}" Destination={quoteattr(where)} '
        f'ProtocolBinding="{POST}" AssertionConsumerServiceURL={quoteattr(party.expected.consumer)}>'
        f"<saml:Issuer>{_escaped(party.expected.audience)}</saml:Issuer></samlp:AuthnRequest>"
    )


def _escaped(text: str) -> str:
    return quoteattr(text)[1:-1].replace(">", "&gt;")


def _failed(error: Exception) -> web.Response:
    if isinstance(error, NoToken):
        return refused(error)
    if isinstance(error, BadMetadata):
        return refused(NoToken("temporarily_unavailable", str(error), 503))
    return refused(NoToken("temporarily_unavailable", "try again in a moment", 503))
