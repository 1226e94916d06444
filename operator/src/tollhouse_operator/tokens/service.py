"""The token endpoint within the operator: its keys are kept up, and proxies are told of them."""

from __future__ import annotations

import logging

from tollhouse_operator.authority import Authority
from tollhouse_operator.cluster import Cluster, ClusterError
from tollhouse_operator.engine import Engine
from tollhouse_operator.serving_tls import ServingTls
from tollhouse_operator.tokens.exchange import Terms
from tollhouse_operator.tokens.keyring import BadKeyring, ensure_keyring
from tollhouse_operator.tokens.proofs import Proofs
from tollhouse_operator.tokens.server import Endpoint, TokenServer

log = logging.getLogger(__name__)


def _saml_pages(server: TokenServer, cluster: Cluster, namespace: str) -> object | None:
    """SAML is an extra of its own (`tollhouse[saml]`); without it the endpoint trades tokens alone."""
    try:
        from tollhouse_operator.tokens.browser import SamlPages
        from tollhouse_operator.tokens.used_once import UsedAssertions
    except ImportError:
        log.info("SAML is not installed (tollhouse[saml]); the endpoint trades tokens alone")
        return None
    return SamlPages(server, UsedAssertions(cluster, namespace))


class TokenService:
    """There only where the settings ask for it."""

    def __init__(self, engine: Engine) -> None:
        settings = engine.settings
        self._engine = engine
        host = settings.tokens_issuer.removeprefix("https://").partition("/")[0].partition(":")[0]
        self._tls = ServingTls("the token endpoint", (host,))
        endpoint = Endpoint(
            settings.tokens_issuer, Terms(settings.tokens_audiences, float(settings.tokens_seconds))
        )
        proofs = Proofs(engine.cluster, settings.namespace, settings.tokens_audiences)
        engine.desk.tell_of_providers = proofs.hear
        self.server = TokenServer(settings.tokens_host, settings.tokens_port, endpoint, proofs, self._tls)
        self.saml = _saml_pages(self.server, engine.cluster, settings.namespace)

    async def keep_up(self, authority: Authority) -> None:
        """Keys and certificate as they should be; bundles follow. Never raises for what is wrong with
        the keys: the rest of the operator goes on."""
        desk = self._engine.desk
        self._tls.renew(authority, desk.now())
        try:
            self.server.keyring = await ensure_keyring(
                self._engine.cluster, self._engine.settings.namespace, desk.now()
            )
        except (ClusterError, BadKeyring) as error:
            log.warning("the keys of the token endpoint: %s", error)
            return
        before, desk.tokens = desk.tokens, self.server.tokens
        if before is not None and before != desk.tokens:
            await self._engine.look_at_all_bundles()
