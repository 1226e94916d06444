"""The Connection being served: what of the bundle needs waiting for, and the listener.

A bundle's policies are in force the moment it arrives. Its target's certificates and its
credential source are read from Secrets first; until they are there, sessions of before go on and
new ones are refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets as randomness
import ssl
from uuid import uuid4

from tollhouse_core.api.connection import ProxyTlsMode
from tollhouse_core.api.credentials import Credentials
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_proxy.adapters.aside.workers import Workers
from tollhouse_proxy.adapters.audit.sinks import AuditSinks
from tollhouse_proxy.adapters.credentials.accessors import AccessorBook
from tollhouse_proxy.adapters.credentials.factory import source_for
from tollhouse_proxy.adapters.credentials.roles import RoleSources
from tollhouse_proxy.adapters.credentials.settings import POD_TOKEN, CredentialSettings
from tollhouse_proxy.adapters.stores import Stores
from tollhouse_proxy.backend_ca import backend_ca
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.kits import kernel
from tollhouse_proxy.ports.credentials import CredentialSource, approval_source
from tollhouse_proxy.ports.judging import Gate
from tollhouse_proxy.ports.stores import StoreRefused, StoreUnavailable
from tollhouse_proxy.protocols.postgres.sql.masks import MaskKeys
from tollhouse_proxy.registry import PROTOCOLS, Foundation, Standing
from tollhouse_proxy.runtime.memory import settle_memory
from tollhouse_proxy.runtime.serving import RuntimeSettings
from tollhouse_proxy.runtime.serving import Serving as Listener
from tollhouse_proxy.runtime.session import Parts
from tollhouse_proxy.runtime.tls import ServingCertificate
from tollhouse_proxy.runtime.warm import WarmPool, WarmSettings
from tollhouse_proxy.settings import BadSettings, Settings

log = logging.getLogger("tollhouse.serving")

RETRY_SECONDS = 1.0
LOCAL_JWKS = ("state", "issuer", "jwks.json")


def role_credentials(bundle: PolicyBundle) -> dict[str, Credentials]:
    """What the proxy logs in with for each role of the Connection, and for what only people can open."""
    spec = bundle.connection.spec
    roles = spec.postgres.roles if spec.postgres is not None else {}
    stronger = {approval_source(name): one for name, one in spec.approval_credentials.items()}
    return {name: role.credentials for name, role in roles.items()} | stronger


class Serving:
    """Serves one Connection."""

    def __init__(
        self, settings: Settings, stores: Stores, house: House, gate: Gate, sink: AuditSinks
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._house = house
        self._gate = gate
        self._sink = sink
        self._standing: Standing | None = None
        self._problem = "not started yet"
        self._credentials = RoleSources(self._source)
        self._certificate = ServingCertificate(settings.tls_dir) if settings.tls_dir else None
        self._changed = asyncio.Event()
        self._preparing: asyncio.Task[None] | None = None
        self._listener: Listener | None = None
        self._prover = self._token_prover()
        self._workers = Workers()
        name = f"{settings.connection}-{uuid4().hex}"
        self._book = AccessorBook(settings.accessors, name) if settings.accessors else None
        self._warm = WarmPool(self._credentials.of, house.clock, self._warm_settings, self._rejected)

    @property
    def trouble(self) -> str:
        """Why clients cannot be served; "" when they can."""
        return self._problem or self._sink.failure

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should know though clients are served."""
        audit = (f"audit: {self._sink.failure}",) if self._sink.failure else ()
        kernel_words = (kernel.WARNING,) if kernel.WARNING else ()
        return audit + kernel_words + tuple(self._prover.warnings)

    @property
    def standing(self) -> Standing | None:
        """The bundle that is served, None while nobody can be."""
        return self._standing

    def credentials(self, role: str) -> CredentialSource:
        """Where a session of that role borrows. Raises CredentialUnavailable."""
        return self._credentials.of(role)

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self._listener.port if self._listener else 0

    async def start(self) -> None:
        """Prepares what is in force and listens. Raises BadSettings, OSError."""
        bundle = self._house.in_force.bundle
        assert bundle is not None
        protocol = bundle.connection.protocol
        clock, keys = self._house.clock, self._mask_keys()
        foundation = Foundation(lambda: self._standing, self._gate, clock, keys, self._workers)
        self._workers.start()
        parts = Parts(
            factory=PROTOCOLS[protocol](foundation),
            prover=self._prover,
            credentials=self._credentials.of,
            clock=self._house.clock,
            certificate=self._tls,
            warm=self._warm,
        )
        self._warm.start()
        self._house.in_force.listen(lambda _: self._changed.set())
        self._changed.set()
        self._preparing = asyncio.create_task(self._keep_prepared())
        listen = self._settings.listen
        self._listener = Listener(RuntimeSettings(listen.host, listen.port), parts)
        await self._listener.start()
        settle_memory()
        if kernel.WARNING:
            log.warning("%s", kernel.WARNING)
        log.info("serving %s/%s on port %d", self._settings.namespace, self._settings.connection, self.port)

    async def drain(self) -> None:
        """Ends all sessions, the busy ones after the time they are given."""
        self._problem = "stopping"
        if self._listener:
            await self._listener.drain(self._settings.drain_seconds)

    async def close(self) -> None:
        """Gives back what is lent."""
        if self._preparing:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        await self._warm.close()
        await self._credentials.close()
        if self._book is not None:
            self._book.close()
        await self._prover.close()
        await self._workers.close()

    def _rejected(self) -> None:
        self._house.counters.credentials_refused += 1

    def _warm_settings(self) -> WarmSettings:
        standing = self._standing
        target = standing.bundle.connection.spec.postgres if standing else None
        if target is None or target.warm is None:
            return WarmSettings()
        return WarmSettings(target.warm.sessions, target.warm.max_age.seconds)

    def _tls(self) -> ssl.SSLContext | None:
        bundle = self._house.in_force.bundle
        if self._certificate is None or bundle is None:
            return None
        if bundle.connection.spec.proxy.tls.mode is ProxyTlsMode.DISABLE:
            return None
        return self._certificate.context()

    def _source(self, credentials: Credentials) -> CredentialSource:
        settings = CredentialSettings(pod_token_file=self._settings.token_file or POD_TOKEN, book=self._book)
        return source_for(credentials, self._stores.secrets, settings, self._house.clock)

    def _token_prover(self) -> TokenProver:
        folder = self._settings.folder
        prover_settings = ProverSettings(
            api_server=self._stores.api_server, local_jwks=folder.joinpath(*LOCAL_JWKS) if folder else None
        )
        return TokenProver(
            lambda: self._house.in_force.bundle, self._house.clock, prover_settings, self._stores.secrets
        )

    def _mask_keys(self) -> MaskKeys:
        """One key for each scope, derived from the key file (or from chance, without one)."""
        settings = self._settings
        master = randomness.token_bytes(32)
        if settings.mask_key_file:
            try:
                master = settings.mask_key_file.read_bytes()
            except OSError as error:
                raise BadSettings(f"TOLLHOUSE_MASK_KEY_FILE cannot be read ({error.strerror})") from None
            if len(master.strip()) < 32:
                raise BadSettings("TOLLHOUSE_MASK_KEY_FILE must hold at least 32 bytes")

        def derived(scope: str) -> bytes:
            return hmac.digest(master, scope.encode(), hashlib.sha256)

        return MaskKeys(
            namespace=derived(f"namespace/{settings.namespace}"),
            connection=derived(f"connection/{settings.namespace}/{settings.connection}"),
        )

    async def _keep_prepared(self) -> None:
        """After each bundle: certificates and credential source of its Connection."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            bundle = self._house.in_force.bundle
            while bundle is not None and not await self._prepare(bundle):
                await asyncio.sleep(RETRY_SECONDS)
                bundle = self._house.in_force.bundle

    def _unprepared(self, words: str) -> bool:
        self._problem = f"the connection cannot be prepared: {words}"
        self._standing = None
        log.warning("%s", self._problem)
        return False

    async def _prepare(self, bundle: PolicyBundle) -> bool:
        try:
            ca_pem = await backend_ca(bundle, self._stores.secrets)
            await self._credentials.use(bundle.connection.spec.credentials, role_credentials(bundle))
        except (StoreUnavailable, StoreRefused) as error:
            return self._unprepared(str(error))
        except Exception as error:
            # Our own fault. Its words may hold what was read from a Secret, and this must go on: a
            # Connection put right later is prepared again.
            return self._unprepared(f"unexpected {type(error).__name__}")
        spec, before = bundle.connection.spec, self._standing
        if before is not None and (
            before.ca_pem != ca_pem
            or before.bundle.connection.spec.target != spec.target
            or before.bundle.connection.spec.credentials != spec.credentials
        ):
            self._warm.flush()
        self._standing = Standing(bundle, ca_pem)
        self._problem = ""
        return True
