"""The client's half of logging in: startup packets, TLS, and the token.

At most one SSLRequest and one GSSENCRequest are answered; nothing may stand behind either of them when it is
answered, or it would have come in the clear and be read as if it were protected. A client may also begin with
the TLS handshake itself (protocol chapter, "SSL Session Encryption"); it must then name the protocol by ALPN,
or a client of another protocol could be led here.
"""

from __future__ import annotations

from dataclasses import dataclass

from tollhouse_core.secret import Secret
from tollhouse_proxy.exchange import Outbox, SecureClient
from tollhouse_proxy.protocols.postgres.auth import ASK_TOKEN
from tollhouse_proxy.protocols.postgres.oauth import ABORTED, ASK_BEARER, bearer_token, challenge
from tollhouse_proxy.protocols.postgres.served import Asks
from tollhouse_proxy.protocols.postgres.startup_settings import (
    AUTH,
    MaySet,
    StartupRefused,
    Wishes,
    read_wishes,
)
from tollhouse_proxy.protocols.postgres.wire import frontend
from tollhouse_proxy.protocols.postgres.wire.backend import NegotiateProtocolVersion
from tollhouse_proxy.protocols.postgres.wire.errors import ProtocolError
from tollhouse_proxy.protocols.postgres.wire.framing import Framer
from tollhouse_proxy.protocols.postgres.wire.frontend import PasswordMessage
from tollhouse_proxy.protocols.postgres.wire.startup import (
    CancelRequest,
    GSSENCRequest,
    SSLRequest,
    StartupMessage,
    StartupReader,
)

NEWEST_MINOR = 2
SCOPE = "openid"
_YES, _NO = b"S", b"N"
ALPN = "postgresql"
_HANDSHAKE = 0x16
"""The first byte of a TLS handshake; a startup packet's is 0."""


@dataclass(frozen=True, slots=True)
class LoginTaken:
    """A client that gave its token; `bearer`: by OAUTHBEARER."""

    wishes: Wishes
    token: Secret
    minor: int
    bearer: bool = False


class Acknowledged:
    """A client that was told why its token is not taken has understood."""


class ClientLogin:
    """Reads a client up to its token. `requires_tls`: none is asked for in the clear. `asks`: how it may
    be given."""

    def __init__(
        self,
        outbox: Outbox,
        may_set: MaySet,
        *,
        secure: bool,
        can_secure: bool,
        requires_tls: bool,
        asks: Asks,
    ) -> None:
        self._outbox = outbox
        self._may_set = may_set
        self._secure = secure
        self._can_secure = can_secure
        self._requires_tls = requires_tls
        self._asks = asks
        self._bearer = self._failed = False
        self._reader = StartupReader()
        self._framer = Framer("a client that logs in", frontend.LOGIN_CAPS)
        self._asked_tls = self._asked_gss = False
        self._securing = False
        self._began_with_tls = False
        self._wishes: Wishes | None = None
        self._minor = 0

    def secured(self, protocol: str | None) -> None:
        """The handshake is done; `protocol` is ALPN's. Raises ProtocolError."""
        if self._began_with_tls and protocol != ALPN:
            raise ProtocolError("TLS without SSLRequest takes the protocol's name, postgresql, by ALPN")
        self._securing = False
        self._secure = True

    def feed(self, data: bytes) -> LoginTaken | CancelRequest | Acknowledged | None:
        """Takes a chunk; what came of it, if anything. Raises StartupRefused, ProtocolError."""
        if self._wishes is not None:
            return self._token(data)
        if data[0] == _HANDSHAKE and self._untouched:
            self._begin_with_tls(data)
            return None
        self._reader.feed(data)
        if self._securing:
            raise ProtocolError("bytes came before the TLS handshake was done")
        while (packet := self._reader.next()) is not None:
            match packet:
                case SSLRequest():
                    self._offer_tls()
                case GSSENCRequest():
                    self._refuse_gss()
                case CancelRequest():
                    return packet
                case StartupMessage():
                    return self._startup(packet)
            if self._securing:
                return None
        return None

    @property
    def _untouched(self) -> bool:
        """Whether nothing has come yet."""
        asked = self._asked_tls or self._asked_gss or self._securing
        return not (asked or self._secure or self._reader.rest)

    def _begin_with_tls(self, data: bytes) -> None:
        if not self._can_secure:
            raise ProtocolError("TLS was begun, and there is no certificate to answer with")
        self._securing = self._began_with_tls = True
        self._outbox.effects.append(SecureClient(data))

    def _offer_tls(self) -> None:
        if self._asked_tls or self._secure:
            raise ProtocolError("TLS was asked for twice")
        self._asked_tls = True
        self._nothing_behind("SSLRequest")
        if not self._can_secure:
            self._outbox.client.append(_NO)
            return
        self._securing = True
        self._outbox.client.append(_YES)
        self._outbox.effects.append(SecureClient())

    def _refuse_gss(self) -> None:
        if self._asked_gss:
            raise ProtocolError("GSSAPI encryption was asked for twice")
        self._asked_gss = True
        self._nothing_behind("GSSENCRequest")
        self._outbox.client.append(_NO)

    def _nothing_behind(self, title: str) -> None:
        if self._reader.rest:
            raise ProtocolError(f"received unencrypted data after {title}")

    def _startup(self, packet: StartupMessage) -> LoginTaken | Acknowledged | None:
        if packet.major != 3:
            raise StartupRefused(
                "0A000",
                f"unsupported frontend protocol {packet.major}.{packet.minor}: server supports 3.0 to 3.2",
            )
        if self._requires_tls and not self._secure:
            hint = "Connect with sslmode=require; the token is the password."
            if not self._can_secure:
                hint = "This proxy has no certificate yet; ask those who run it."
            raise StartupRefused("28000", "this connection is served under TLS only", hint)
        wishes = read_wishes(packet.settings, self._may_set)
        self._minor = min(packet.minor, NEWEST_MINOR)
        if packet.minor > NEWEST_MINOR or wishes.unknown:
            newest = 3 << 16 | self._minor
            self._outbox.client.append(NegotiateProtocolVersion(newest, wishes.unknown).encode())
        self._wishes = wishes
        self._bearer = self._by_bearer(wishes)
        self._outbox.client.append(ASK_BEARER if self._bearer else ASK_TOKEN)
        return self._token(self._reader.rest)

    def _by_bearer(self, wishes: Wishes) -> bool:
        """Whether this client is asked for a bearer's token. Raises StartupRefused."""
        if wishes.bearer and not self._asks.bearer:
            words = "this connection takes the token as a password, and not by OAUTHBEARER"
            raise StartupRefused("28000", words, f"Leave {AUTH} out.")
        return wishes.bearer or not self._asks.password

    def reject(self) -> None:
        """The bearer's token proves nothing: says so, and where one is had; Acknowledged comes of it."""
        self._failed = True
        self._outbox.client.append(challenge(self._asks.discovery, SCOPE))

    def _token(self, data: bytes) -> LoginTaken | Acknowledged | None:
        self._framer.feed(data)
        message = self._framer.next()
        if message is None:
            return None
        if message[0] != frontend.PASSWORD:
            raise StartupRefused("28P01", "the client left without a token")
        if self._framer.waiting:
            raise ProtocolError("messages came before the session began")
        if self._bearer:
            return self._bearers(message[5:])
        password = PasswordMessage.parse(message[5:]).password
        try:
            token = Secret(password.decode())
        except UnicodeDecodeError:
            raise StartupRefused("28P01", "the token is not text") from None
        assert self._wishes is not None
        return LoginTaken(self._wishes, token, self._minor)

    def _bearers(self, body: bytes) -> LoginTaken | Acknowledged | None:
        assert self._wishes is not None
        if self._failed:
            if body != ABORTED:
                raise ProtocolError("the client goes on with an OAUTHBEARER exchange that has failed")
            return Acknowledged()
        token = bearer_token(body)
        if not token:
            self.reject()
            return None
        return LoginTaken(self._wishes, Secret(token), self._minor, bearer=True)
