"""What one Connection serves, as far as this protocol must know it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tollhouse_proxy.exchange import Target


@dataclass(frozen=True, slots=True)
class Served:
    """From the Connection in force.

    database: for a client that names none. databases: further ones a client may name.
    default_schema: where policies look for names without a schema.
    requires_tls: a token is asked for under TLS only. roles: the users a client may ask for; empty: its
    `user` is ignored. ends_with_token: a session ends when its token runs out.
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

    def chosen(self, database: str, user: str) -> str | None:
        """The database a client gets; None when it may not have the one it names. libpq names the user's
        where none was given."""
        if not database or database == self.database:
            return self.database
        if database in self.databases:
            return database
        return self.database if database == user else None
