"""What goes in and out of a protocol machine.

A machine holds one client connection's conversation and touches no socket. Bytes go in by
`client_data` and `backend_data`; everything rarer is an `Input`. What it wants done it leaves in
its `Outbox`: bytes for either side, and `Effect`s. The runtime empties the outbox after every
call, in this order: backend bytes, client bytes, effects. Only the runtime waits.

No message costs a task: a machine that must wait (for a verdict, for a credential) says so by an
effect, keeps what comes meanwhile, and goes on when the matching input arrives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from tollhouse_core.identity import Identity
from tollhouse_core.secret import Secret


class TlsMode(StrEnum):
    """How far a backend must prove itself."""

    DISABLE = "Disable"
    REQUIRE = "Require"
    VERIFY_FULL = "VerifyFull"


@dataclass(frozen=True, slots=True)
class Target:
    """Where the backend is. A `host` that starts with "/" is the folder of a unix socket.

    `ca_pem` are the certificates that vouch for the server; None: the machine's own.
    """

    host: str
    port: int
    tls: TlsMode = TlsMode.VERIFY_FULL
    ca_pem: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is reached by a unix socket (which carries no TLS)."""
        return self.host.startswith("/")


# ---------------------------------------------------------------- inputs


@dataclass(frozen=True, slots=True)
class ClientSecured:
    """The TLS handshake with the client is done. `protocol` is what was agreed on by ALPN (RFC 7301), None
    where the client named none."""

    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class ClientGone:
    """The client closed its side or was lost."""


@dataclass(frozen=True, slots=True)
class Proven:
    """The answer to Prove: who it is."""

    identity: Identity


@dataclass(frozen=True, slots=True)
class NotProved:
    """The answer to Prove: nobody we know. `reason` is safe for the client."""

    reason: str
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class CredentialLent:
    """The answer to Borrow."""

    username: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Handed:
    """The answer to Borrow: a backend session that was made ahead, and its connection."""

    warmed: Warmed


@dataclass(frozen=True, slots=True)
class CredentialRefused:
    """The answer to Borrow: none to be had. `reason` is safe for the client."""

    reason: str


@dataclass(frozen=True, slots=True)
class BackendOpened:
    """The answer to Dial. `certificate_hash` binds a log-in to the server's certificate where the leg has
    TLS (tls-server-end-point, RFC 5929); `verified`: the certificate's name and issuer were checked."""

    certificate_hash: bytes | None = None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class BackendUnreachable:
    """The answer to Dial: it failed. `reason` is safe for the client."""

    reason: str


@dataclass(frozen=True, slots=True)
class BackendGone:
    """The backend closed the connection or was lost."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The answer to Wait: what the awaitable gave, or the exception that ended it."""

    number: int
    value: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class EndNow:
    """The session must end. `reason` is a word of EndReason; `words` are for the client."""

    reason: EndReason
    words: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class EndWhenIdle:
    """The session must end as soon as nothing is under way (a drain has begun)."""

    words: str


class EndReason(StrEnum):
    """Why a session ended; goes into the audit."""

    CLIENT = "client"
    BACKEND = "backend"
    EXPIRED = "expired"
    MAXIMUM = "maximum"
    IDLE = "idle"
    REVOKED = "revoked"
    DRAIN = "drain"
    PROTOCOL = "protocol"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Woken:
    """Something was left to do by what ran outside a call (see Tools.wake)."""


Input = (
    Woken
    | ClientSecured
    | ClientGone
    | Proven
    | NotProved
    | CredentialLent
    | Handed
    | CredentialRefused
    | BackendOpened
    | BackendUnreachable
    | BackendGone
    | Settled
    | EndNow
    | EndWhenIdle
)

# ---------------------------------------------------------------- effects


@dataclass(frozen=True, slots=True)
class SecureClient:
    """Start TLS as the server; answer ClientSecured. Nothing is read meanwhile. `begun` is what came of the
    handshake already, from a client that began with it."""

    begun: bytes = b""


@dataclass(frozen=True, slots=True)
class Prove:
    """Ask the prover; answer Proven or NotProved."""

    token: Secret


@dataclass(frozen=True, slots=True)
class Ahead:
    """Backend sessions that may be made before their clients come: `make` begins one, `key` is equal for
    those that can stand in for each other."""

    key: Hashable
    make: Callable[[], Warmed]


@dataclass(frozen=True, slots=True)
class Borrow:
    """Get a credential for one backend session; answer CredentialLent or CredentialRefused. `role` is the
    way into the backend that the client chose; "" is the Connection's own. `ahead`: where such a session
    waits already, the answer is Handed, and nothing is left to do with the backend. `anew`: the backend did
    not accept what was lent; the connection with it is closed, and another credential is fetched."""

    role: str = ""
    ahead: Ahead | None = None
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Greeting:
    """How TLS is asked for on a plain connection: send `request`, and the answer must be exactly
    `accepted` before the handshake begins."""

    request: bytes
    accepted: bytes


@dataclass(frozen=True, slots=True)
class Dial:
    """Open the backend connection (with TLS as the target says); answer BackendOpened or
    BackendUnreachable."""

    target: Target
    greeting: Greeting


@dataclass(frozen=True, slots=True)
class SendAside:
    """Open another connection to the backend, send these bytes, and wait (bounded) until the backend has
    closed it (a cancel: it has been dealt with by then). `done` is given when that is over, well or not."""

    target: Target
    greeting: Greeting
    data: bytes
    done: Promise | None = None


@dataclass(frozen=True, slots=True)
class Undertake:
    """Open a backend session of its own for this errand and drive it until it is over; the machine receives
    Woken whenever the errand has moved. Given again for the same errand: it has something to send."""

    errand: Errand


@dataclass(frozen=True, slots=True)
class Wait:
    """Await this; answer Settled with the same number."""

    number: int
    awaitable: Awaitable[Any]


@dataclass(frozen=True, slots=True)
class Forget:
    """Cancel a Wait that nobody needs any more; no answer."""

    number: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A session began. `judge` is its ports.judging.OpenSession; `expires_at` ends its proof."""

    judge: Any
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ready:
    """The client may ask from now on: time limits on logging in no longer hold."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send what is in the outbox, then close both sides. Nothing follows."""

    reason: EndReason
    detail: str = ""


Effect = SecureClient | Prove | Borrow | Dial | SendAside | Undertake | Wait | Forget | Opened | Ready | Close


@dataclass(slots=True)
class Outbox:
    """What a machine wants done. `hungry` is False while the client should not be read, `thirsty` while the
    backend should not be."""

    client: list[bytes] = field(default_factory=list)
    backend: list[bytes] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    hungry: bool = True
    thirsty: bool = True


class Machine(Protocol):
    """One client's conversation. Any exception it raises ends the session (fail closed)."""

    outbox: Outbox

    @property
    def idle(self) -> bool:
        """Whether nothing is under way: the session could end without breaking a statement."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a statement is under way; a session that is not may run into its idle time limit."""
        ...

    @property
    def unfinished(self) -> int:
        """How many bytes of a message have come whose end has not; 0 where nothing is begun."""
        ...

    def client_data(self, data: bytes) -> None:
        """Bytes from the client, in any chunking."""
        ...

    def backend_data(self, data: bytes) -> None:
        """Bytes from the backend, in any chunking."""
        ...

    def receive(self, happening: Input) -> None:
        """Anything else that happened."""
        ...


class CredentialRejected(Exception):
    """The backend did not accept what we logged in with. `code` is its own word for that (an SQLSTATE)."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the backend did not accept the credential ({code})")
        self.code = code


class Warmed(Protocol):
    """The machine of a backend session that has no client yet. `role` is whose credential it takes, `dial`
    where it goes. Any exception it raises ends it; CredentialRejected: with another credential it may be
    tried once more."""

    outbox: Outbox
    role: str
    dial: Dial
    ready: bool

    def introduce(self, lent: CredentialLent, opened: BackendOpened) -> None:
        """The connection is there: log in."""
        ...

    def backend_data(self, data: bytes) -> None:
        """Bytes from the backend. Once `ready` there should be none."""
        ...


class Errand(Protocol):
    """One operation on a backend session of its own. `credential` names the source it is lent from, `dial` is
    where it goes; `outbox.backend` is for that session. CredentialRejected: with another credential it may be
    tried once more. Any other exception it raises ends the client's session (see `broken`).

    `over`: nothing is left to be done there. `returned`: the connection is closed and the credential given
    back, set by the runtime, before which the client is not told how it ended.
    """

    outbox: Outbox
    credential: str
    dial: Dial
    over: bool
    returned: bool
    broken: Exception | None

    def introduce(self, lent: CredentialLent, opened: BackendOpened) -> None:
        """The connection is there: log in."""
        ...

    def backend_data(self, data: bytes) -> None:
        """Bytes from that session."""
        ...

    def fail(self, words: str) -> None:
        """It cannot go on; `words` are safe for the client."""
        ...

    def stopping(self) -> SendAside | None:
        """What stops the operation if it is under way."""
        ...


class Promise(Protocol):
    """A value that comes later; asyncio's Future is one."""

    def __await__(self) -> Any:
        """Waits for it."""
        ...

    def set_result(self, value: Any, /) -> None:
        """Gives it."""
        ...

    def done(self) -> bool:
        """Whether it was given, or given up."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What the runtime lends a machine. `promise` makes a promise; `wake` has the machine receive
    Woken soon, and its outbox emptied."""

    promise: Callable[[], Promise]
    wake: Callable[[], None]


class MachineFactory(Protocol):
    """Makes the machine of one accepted connection."""

    def __call__(self, address: str, *, secure: bool, can_secure: bool, tools: Tools) -> Machine:
        """`address` is the peer's; `secure`: the connection has TLS already; `can_secure`: TLS can
        be offered."""
        ...
