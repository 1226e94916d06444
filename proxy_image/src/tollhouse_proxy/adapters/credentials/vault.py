"""The CredentialSource over Vault, whichever of its engines is asked (`vault_engines`).

How long things live: `acquire` makes a lease, whose owner calls `renew` at about two thirds of
`expires_at` as long as it needs it (which keeps the proxy's own token alive too), and `release` when
done. What nobody renews ends by its TTL, so a crash leaves nothing for longer than that.
What has no lease has nothing to renew or release.
"""

from __future__ import annotations

import asyncio
import logging
import secrets as randomness
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from tollhouse_core.api.credentials import VaultCredentials
from tollhouse_core.clock import Clock
from tollhouse_proxy.adapters.credentials.accessors import AccessorBook
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.adapters.credentials.threads import BoundedThreads
from tollhouse_proxy.adapters.credentials.vault_engines import Lent, engine_of
from tollhouse_proxy.adapters.credentials.vault_login import Login, VaultLogins
from tollhouse_proxy.adapters.credentials.vault_terms import Trouble, VaultProblem
from tollhouse_proxy.ports.credentials import Credential, CredentialUnavailable
from tollhouse_proxy.ports.stores import SecretStore

T = TypeVar("T")
_LOG = logging.getLogger("tollhouse.credentials")
_RANDOM = randomness.SystemRandom()


class VaultSource:
    """Credentials of one Connection from one Vault."""

    def __init__(
        self, vault: VaultCredentials, secrets: SecretStore, settings: CredentialSettings, clock: Clock
    ) -> None:
        self._engine = engine_of(vault, clock)
        self._settings = settings
        self._clock = clock
        self._logins = VaultLogins(vault, secrets, settings, clock)
        # Renewing and ending never queue behind new sessions.
        self._for_new = BoundedThreads("vault-new", settings.concurrency)
        self._for_old = BoundedThreads("vault-old", settings.concurrency)
        self._owners: dict[str, Login] = {}
        # The ends of leases that Vault does not lengthen.
        self._fixed: dict[str, datetime | None] = {}
        self._releases: set[asyncio.Task[None]] = set()
        self._closed = False
        self._sweeping = (
            asyncio.create_task(self._sweep_on(settings.book), name="vault-sweep") if settings.book else None
        )

    async def acquire(self) -> Credential:
        """A credential of one's own. Raises CredentialUnavailable within `acquire_seconds`."""
        return await self._insist(self._acquire_once)

    async def renew(self, credential: Credential) -> Credential:
        """Lengthens the lease and the token behind it. Raises CredentialUnavailable."""
        if not credential.lease:
            return credential
        return await self._insist(partial(self._renew_once, credential))

    async def release(self, credential: Credential) -> None:
        """Ends the lease. Returns when that is done, or after one call's time at the latest; what
        could not be done yet goes on behind. Never raises."""
        if credential.lease:
            await asyncio.wait(
                {self._start_release(credential.lease)}, timeout=self._settings.request_seconds
            )

    async def close(self) -> None:
        """Waits (bounded) for releases under way, then ends the tokens that we logged in for, and
        with them whatever still hangs on them. What is given back later is still taken."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._releases:
            await asyncio.wait(self._releases, timeout=self._settings.close_seconds)
        for task in list(self._releases):
            task.cancel()
        ours = {login for login in (self._logins.current, *self._owners.values()) if login and login.ours}
        endings = {asyncio.ensure_future(self._end_token(login)) for login in ours}
        if endings:
            await asyncio.wait(endings, timeout=self._settings.request_seconds)
        for ending in endings:
            ending.cancel()

    # --- one attempt each -----------------------------------------------------------------------

    async def _acquire_once(self) -> Credential:
        if self._closed:
            raise _no_longer()
        login = await self._logins.get(self._for_new)
        make = partial(self._engine.lend, login.api, login.token)
        try:
            lent: Lent = await self._for_new.run(make, undo=partial(self._abandoned, login))
        except VaultProblem as problem:
            if problem.trouble is Trouble.DENIED:
                login.dropped = True  # perhaps only this token: the next attempt logs in anew
            raise
        if not lent.credential.lease:
            return lent.credential
        if self._closed:
            self._abandoned(login, lent)
            raise _no_longer()
        self._own(login, lent)
        return self._dated(lent.credential, login, self._after(lent.seconds))

    async def _renew_once(self, credential: Credential) -> Credential:
        login = self._owners.get(credential.lease)
        if login is None:
            raise VaultProblem(Trouble.WRONG, "has no such lease of ours any more")
        await self._logins.lengthen(login, self._for_old)
        if credential.lease in self._fixed:
            return self._dated(credential, login, self._fixed[credential.lease])
        renew = partial(login.api.renew_lease, login.token, credential.lease)
        return self._dated(credential, login, self._after(await self._for_old.run(renew)))

    def _after(self, seconds: float) -> datetime | None:
        return self._clock.now() + timedelta(seconds=seconds) if seconds else None

    def _dated(self, credential: Credential, login: Login, end: datetime | None) -> Credential:
        """With its end: the lease's, or the token's where that comes first."""
        ends = [end] if end is not None else []
        if login.ends_at is not None:
            left = login.ends_at - self._clock.monotonic()
            ends.append(self._clock.now() + timedelta(seconds=left))
        return replace(credential, expires_at=min(ends, default=None))

    # --- trying again ---------------------------------------------------------------------------

    async def _insist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Tries until it works, it is hopeless, or the time is up."""
        last = "did not answer in time"
        denied = False
        tries = 0
        try:
            async with asyncio.timeout(self._settings.acquire_seconds):
                while True:
                    try:
                        return await attempt()
                    except VaultProblem as problem:
                        last = str(problem)
                        again = problem.trouble is Trouble.DENIED and not denied
                        if problem.trouble is not Trouble.BUSY and not again:
                            raise _unavailable(last) from None
                        denied = denied or again
                    await asyncio.sleep(self._pause(tries))
                    tries += 1
        except TimeoutError:
            raise _unavailable(last) from None

    def _pause(self, tries: int) -> float:
        """Doubling, with jitter, so that proxies that failed together do not return together."""
        longest = min(self._settings.longest_retry_seconds, self._settings.first_retry_seconds * 2.0**tries)
        return _RANDOM.uniform(longest / 2, longest)

    # --- giving back ----------------------------------------------------------------------------

    def _own(self, login: Login, lent: Lent) -> None:
        lease = lent.credential.lease
        self._owners[lease] = login
        login.leases.add(lease)
        if not lent.renewable:
            self._fixed[lease] = self._after(lent.seconds)

    def _abandoned(self, login: Login, lent: Lent) -> None:
        """Nobody waits for this lease any more: it came too late."""
        if lent.credential.lease:
            self._own(login, lent)
            self._start_release(lent.credential.lease)

    def _start_release(self, lease: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._release(lease), name="vault-release")
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)
        return task

    async def _release(self, lease: str) -> None:
        login = self._owners.get(lease)
        if login is None:
            return
        try:
            async with asyncio.timeout(self._settings.release_seconds):
                await self._revoke(login, lease)
        except TimeoutError:
            _LOG.warning("a lease could not be ended in time; it ends by its own TTL")
        self._owners.pop(lease, None)
        self._fixed.pop(lease, None)
        login.leases.discard(lease)
        if not login.leases and login is not self._logins.current:
            await self._end_token(login)

    async def _revoke(self, login: Login, lease: str) -> None:
        tries = 0
        while True:
            try:
                # When the database cannot be reached Vault is asked to take care of it by itself.
                revoke = partial(login.api.revoke_lease, login.token, lease, wait=tries == 0)
                return await self._for_old.run(revoke)
            except VaultProblem as problem:
                if problem.trouble is Trouble.DENIED and login is self._logins.current:
                    _LOG.warning(
                        "Vault %s; the proxy's Vault policy must allow update on sys/leases/revoke, "
                        "or users of the database live on until their TTL",
                        problem,
                    )
                if problem.trouble is not Trouble.BUSY:
                    return None
            await asyncio.sleep(self._pause(tries))
            tries += 1

    async def _end_token(self, login: Login) -> None:
        if not login.ours:
            return
        try:
            await self._for_old.run(partial(login.api.revoke_token, login.token))
        except VaultProblem as problem:
            _LOG.info("the proxy's token could not be ended: Vault %s", problem)
        else:
            if self._settings.book is not None:
                self._settings.book.strike(login.accessor)

    # --- what others left -----------------------------------------------------------------------

    async def _sweep_on(self, book: AccessorBook) -> None:
        """Ends the tokens of processes that were killed, and with them the users that hang on them."""
        warned = False
        while True:
            try:
                await self._sweep(book)
            except VaultProblem as problem:
                if not warned:
                    _LOG.warning(
                        "Vault %s: what a killed proxy has left there lives on until its TTL; the "
                        "proxy's Vault policy must allow update on auth/token/revoke-accessor",
                        problem,
                    )
                warned = problem.trouble is not Trouble.BUSY
            except OSError as error:
                _LOG.warning("what killed proxies left cannot be looked at: %s", error.strerror)
            await asyncio.sleep(self._settings.sweep_seconds)

    async def _sweep(self, book: AccessorBook) -> None:
        """Raises VaultProblem, OSError."""
        with book.orphans(self._logins.server) as orphans:
            for orphan in orphans:
                login = await self._logins.get(self._for_old)
                await self._for_old.run(partial(login.api.revoke_accessor, login.token, orphan.accessor))
                orphan.ended()
                _LOG.info("a token that a killed proxy left at Vault is ended, and its leases with it")


def _no_longer() -> VaultProblem:
    return VaultProblem(Trouble.WRONG, "is no longer asked: the connection's credentials changed; try again")


def _unavailable(words: str) -> CredentialUnavailable:
    return CredentialUnavailable(f"backend credential unavailable: Vault {words}")
