"""One operator process: engine, admission server, health, and kopf, started and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from tollhouse_dialects import LANGUAGES
from tollhouse_operator.admission.configuration import publish_authority
from tollhouse_operator.admission.judging import Judges
from tollhouse_operator.admission.server import AdmissionServer
from tollhouse_operator.authority import Authority, ensure_authority
from tollhouse_operator.certificates import BadKeyPair
from tollhouse_operator.cluster import Cluster, ClusterError
from tollhouse_operator.engine import Engine
from tollhouse_operator.handlers.registry import watch_cluster
from tollhouse_operator.health import serve_health
from tollhouse_operator.settings import Settings
from tollhouse_operator.tokens.service import TokenService

log = logging.getLogger(__name__)

AUTHORITY_EVERY_SECONDS = 60.0
AUTHORITY_AGAIN_SECONDS = 1.0


async def run(settings: Settings) -> None:
    """Until SIGTERM or SIGINT (kopf listens for them)."""
    engine = Engine(settings, Cluster(settings.kubeconfig), LANGUAGES)
    judges = Judges(engine.desk)
    admission = AdmissionServer(
        settings.admission_host,
        settings.admission_port,
        settings.admission_names,
        judges.validate,
        judges.votes,
    )
    ready = asyncio.Event()
    health = await serve_health(settings.health_port, ready)
    await _first_authority(engine, admission)
    await admission.start()
    log.info("admission is served on port %s", admission.port)
    tokens = TokenService(engine) if engine.settings.tokens_issuer else None
    if tokens is not None:
        await _first_keys(engine, tokens)
        await tokens.server.start()
        log.info("tokens are given on port %s", tokens.server.port)
    upkeep = asyncio.create_task(_keep_authority(engine, admission, tokens), name="authority")
    engine.start()
    try:
        await watch_cluster(engine, ready)
    finally:
        upkeep.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await upkeep
        await admission.stop()
        if tokens is not None:
            await tokens.server.stop()
        await engine.stop()
        await health.cleanup()


async def _first_authority(engine: Engine, admission: AdmissionServer) -> None:
    """Waits for the API server; without a certificate nothing can be served."""
    while True:
        try:
            await _see_to_authority(engine, admission)
        except (ClusterError, BadKeyPair) as error:
            log.warning("admission cannot be served yet: %s", error)
            await asyncio.sleep(AUTHORITY_AGAIN_SECONDS)
        else:
            return


async def _first_keys(engine: Engine, tokens: TokenService) -> None:
    """Waits for the API server. Without keys (their Secret is spoiled) the operator goes on: bundles that
    need them stay as they are, and say so."""
    while True:
        try:
            await tokens.keep_up(
                await ensure_authority(engine.cluster, engine.settings.namespace, engine.desk.now())
            )
        except (ClusterError, BadKeyPair) as error:
            log.warning("tokens cannot be given yet: %s", error)
            await asyncio.sleep(AUTHORITY_AGAIN_SECONDS)
        else:
            return


async def _keep_authority(engine: Engine, admission: AdmissionServer, tokens: TokenService | None) -> None:
    while True:
        await asyncio.sleep(AUTHORITY_EVERY_SECONDS)
        try:
            authority = await _see_to_authority(engine, admission)
            if tokens is not None:
                await tokens.keep_up(authority)
        except (ClusterError, BadKeyPair) as error:
            log.warning("the certificate authority: %s", error)


async def _see_to_authority(engine: Engine, admission: AdmissionServer) -> Authority:
    settings = engine.settings
    authority = await ensure_authority(engine.cluster, settings.namespace, engine.desk.now())
    admission.renew(authority, engine.desk.now())
    if settings.webhook_configuration:
        await publish_authority(engine.cluster, settings.webhook_configuration, authority.trusted_pem)
    return authority
