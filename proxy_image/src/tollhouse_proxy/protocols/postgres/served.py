"""What one Connection serves, as far as this protocol must know it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tollhouse_core.api.targets import ANY_ROLE
from tollhouse_proxy.exchange import Target

MAX_USER_BYTES = 63
"""The server cuts names of users at NAMEDATALEN - 1."""


@dataclass(frozen=True, slots=True)
class Asks:
    """How clients give their tokens. password, bearer: as a password, by OAUTHBEARER. discovery: the URL of
    the document that tells where tokens are had; "" where there is none."""

    password: bool = True
    bearer: bool = False
    discovery: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """From the Connection in force.

    database: for a client that names none. databases: further ones a client may name.
    default_schema: where policies look for names without a schema.
    requires_tls: a token is asked for under TLS only. asks: how clients give it. roles: the users a client
    may ask for ("*": any); empty: its `user` is ignored. ends_with_token: a session ends when its token
    runs out.
    """

    namespace: str
    connection: str
    target: Target
    database: str
    databases: tuple[str, ...] = ()
    default_schema: str = "public"
    requires_tls: bool = True
    ends_with_token: bool = True
    roles: frozenset[str] = field(default_factory=frozenset)
    asks: Asks = Asks()

    def source(self, user: str) -> str | None:
        """Which credentials serve a client that asks for `user`: a role's by its name, "" the Connection's
        own; None: it is no role of this Connection."""
        if not self.roles:
            return ""
        if user in self.roles:
            return user
        # The server cuts longer names, and would take them for another than was judged.
        fits = ANY_ROLE in self.roles and len(user.encode()) <= MAX_USER_BYTES
        return ANY_ROLE if fits else None

    @property
    def named_roles(self) -> tuple[str, ...]:
        """The roles that have a name, sorted."""
        return tuple(sorted(self.roles - {ANY_ROLE}))

    def chosen(self, database: str, user: str) -> str | None:
        """The database a client gets; None when it may not have the one it names. libpq names the user's
        where none was given."""
        if not database or database == self.database:
            return self.database
        if database in self.databases:
            return database
        return self.database if database == user else None
