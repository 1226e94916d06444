"""The proxy's own log-in to the backend, up to its first ReadyForQuery."""

from __future__ import annotations

from collections.abc import Callable
from sys import intern

from tollhouse_core.secret import Secret
from tollhouse_proxy.protocols.postgres.auth import BackendLogin, LoginFailed
from tollhouse_proxy.protocols.postgres.scram import ScramKeys
from tollhouse_proxy.protocols.postgres.startup_settings import PINNED, Wishes
from tollhouse_proxy.protocols.postgres.wire import backend
from tollhouse_proxy.protocols.postgres.wire.backend import (
    Authentication,
    BackendKeyData,
    ParameterStatus,
    ReadyForQuery,
    Report,
)
from tollhouse_proxy.protocols.postgres.wire.framing import Framer
from tollhouse_proxy.protocols.postgres.wire.startup import StartupMessage

_LOGIN_FAILURES = ("28",)
_STALE = frozenset({"28P01", "28000"})
"""What a server says of a password that has been changed, or a user that is gone."""


class BackendRefused(Exception):
    """The backend turned the session away. `report` is what it said."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.fields.get("C", ""))
        self.report = report

    @property
    def is_login(self) -> bool:
        """Whether it is about who we are: then its words are no business of the client's."""
        return self.report.fields.get("C", "").startswith(_LOGIN_FAILURES)

    @property
    def may_be_stale(self) -> bool:
        """Whether another credential, fetched now, could be accepted."""
        return self.report.fields.get("C", "") in _STALE


class BackendPhase:
    """Collects what the backend tells while we log in."""

    def __init__(
        self,
        username: str,
        password: Secret,
        *,
        binding: bytes | None,
        guarded: bool,
        nonce: Callable[[], str],
        keys: ScramKeys,
    ) -> None:
        self._username = username
        self._login = BackendLogin(
            username, password, binding=binding, guarded=guarded, nonce=nonce, keys=keys
        )
        self._framer = Framer("a backend", backend.CAPS)
        self.settings: dict[str, str] = {}
        self.key = BackendKeyData(0, b"\0\0\0\0")
        self.ready = False

    def startup(self, database: str, wishes: Wishes) -> bytes:
        """The startup packet. What is pinned goes into it, so that RESET comes back to it."""
        settings = {"user": self._username, "database": database, **wishes.settings, **PINNED}
        return StartupMessage(3, 0, tuple(settings.items())).encode()

    def feed(self, data: bytes) -> bytes:
        """Takes a chunk; what must be sent. Raises BackendRefused, LoginFailed, ProtocolError."""
        self._framer.feed(data)
        answer = b""
        while (message := self._framer.next()) is not None:
            answer += self._take(message[0], message[5:])
        return answer

    def forget(self) -> None:
        """The log-in is over: its secrets, and what it took, are let go. Nothing is fed any more."""
        del self._login, self._framer

    def _take(self, kind: int, body: bytes) -> bytes:
        if kind == backend.ERROR:
            raise BackendRefused(Report.parse("E", body))
        if kind == backend.NOTICE:
            return b""
        if kind == backend.AUTHENTICATION:
            return self._login.step(Authentication.parse(body))
        if not self._login.done:
            raise LoginFailed("the backend spoke before the log-in was done")
        match kind:
            case backend.PARAMETER_STATUS:
                said = ParameterStatus.parse(body)
                # Sessions of one server are told the same: each word is kept once.
                self.settings[intern(said.name)] = intern(said.value)
            case backend.KEY_DATA:
                self.key = BackendKeyData.parse(body)
            case backend.READY:
                self._finish(ReadyForQuery.parse(body).status)
            case _:
                raise LoginFailed(f"the backend sent a message of type {chr(kind)!r} while we log in")
        return b""

    def _finish(self, status: str) -> None:
        if status != "I":
            raise LoginFailed("the backend begins inside a transaction")
        for name, wanted in PINNED.items():
            if self.settings.get(name) != wanted:
                found = self.settings.get(name)
                raise LoginFailed(f"the backend keeps {name} at {found!r}; {wanted!r} is needed")
        self.ready = True
