"""Logging in to the backend, and asking a client for its token.

A client is asked for its token as a password in clear text (AuthenticationCleartextPassword), under
TLS unless the Connection says otherwise. The backend is answered by whatever method it asks for: SCRAM,
MD5, a clear password over verified TLS or a unix socket only, or nothing at all (trust).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from tollhouse_core.secret import Secret
from tollhouse_proxy.protocols.postgres.scram import (
    MECHANISM,
    MECHANISM_PLUS,
    ScramClient,
    ScramFailed,
    ScramKeys,
)
from tollhouse_proxy.protocols.postgres.wire.backend import Authentication
from tollhouse_proxy.protocols.postgres.wire.frontend import (
    PasswordMessage,
    SASLInitialResponse,
    SASLResponse,
)

OK, CLEARTEXT, MD5, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 10, 11, 12
ASK_TOKEN = Authentication(CLEARTEXT).encode()
WELCOME = Authentication(OK).encode()


class LoginFailed(Exception):
    """The backend cannot be logged in to. `str()` is safe for the client."""


class BackendLogin:
    """One log-in to the backend. `binding` is the hash of its certificate; `guarded`: a password in
    clear text cannot be read by others (verified TLS, or a unix socket)."""

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
        self._password = password
        self._binding = binding
        self._guarded = guarded
        self._nonce = nonce
        self._keys = keys
        self._scram: ScramClient | None = None
        self._proved = False
        self.done = False

    def step(self, request: Authentication) -> bytes:
        """The answer to what the server asks; b"" when there is none. Raises LoginFailed."""
        match request.code:
            case 0:
                return self._finish()
            case 3:
                return self._clear()
            case 5:
                return self._md5(request.data)
            case 10:
                return self._begin_scram(request)
            case 11 | 12:
                return self._go_on(request)
            case other:
                raise LoginFailed(
                    f"the backend asks for authentication method {other}, which is not spoken here"
                )

    def _finish(self) -> bytes:
        if self._scram is not None and not self._proved:
            raise LoginFailed("the backend let us in before it proved that it knows the password")
        self.done = True
        return b""

    def _clear(self) -> bytes:
        if not self._guarded:
            raise LoginFailed(
                "the backend asks for its password in clear text; that takes TLS with mode VerifyFull"
            )
        return PasswordMessage(self._password.reveal().encode()).encode()

    def _md5(self, salt: bytes) -> bytes:
        if len(salt) != 4:
            raise LoginFailed("the backend's MD5 salt is malformed")
        inner = hashlib.md5(
            (self._password.reveal() + self._username).encode(), usedforsecurity=False
        ).hexdigest()
        outer = hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest()
        return PasswordMessage(f"md5{outer}".encode()).encode()

    def _begin_scram(self, request: Authentication) -> bytes:
        offered = request.mechanisms
        if MECHANISM not in offered and MECHANISM_PLUS not in offered:
            raise LoginFailed("the backend offers no SASL mechanism that is spoken here (SCRAM-SHA-256)")
        self._scram = ScramClient(
            self._password.reveal(),
            self._nonce(),
            self._binding,
            plus=MECHANISM_PLUS in offered,
            keys=self._keys,
        )
        if self._scram.mechanism not in offered:
            raise LoginFailed("the backend wants channel binding, which takes TLS")
        return SASLInitialResponse(self._scram.mechanism, self._scram.first()).encode()

    def _go_on(self, request: Authentication) -> bytes:
        if self._scram is None:
            raise LoginFailed("the backend's authentication messages are out of order")
        try:
            if request.code == SASL_CONTINUE:
                return SASLResponse(self._scram.final(request.data)).encode()
            self._scram.finish(request.data)
        except ScramFailed as error:
            raise LoginFailed(f"SCRAM with the backend failed: {error}") from None
        self._proved = True
        return b""
