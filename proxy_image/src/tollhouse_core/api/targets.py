"""The backends a Connection can lead to, one model for each protocol."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tollhouse_core.api.credentials import Credentials, HttpUrl
from tollhouse_core.api.engines import roles_fit
from tollhouse_core.api.meta import CaRef
from tollhouse_core.api.quantities import Duration, PortNumber, PositiveDuration
from tollhouse_core.api.shape import ApiModel, EachOnce, Holds, Shape

HostName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\s/@]+$")]
# PostgreSQL cuts names at 63 bytes; other servers allow a little more.
ServerName = Annotated[str, Field(min_length=1, max_length=128)]
ANY_ROLE = "*"
"""Among a Connection's roles: every name that is not listed."""

_CA = "Certificates that vouch for the server. Absent: those of the proxy's image."


class BackendTlsMode(StrEnum):
    """How far the backend must prove itself."""

    DISABLE = "Disable"
    REQUIRE = "Require"
    VERIFY_FULL = "VerifyFull"


class BackendTls(ApiModel):
    """TLS between the proxy and the backend."""

    mode: BackendTlsMode = Field(
        default=BackendTlsMode.VERIFY_FULL,
        description="VerifyFull (default): encrypted, and the certificate must be trusted and bear the "
        "host's name. Require: encrypted, any certificate. Disable: in the clear.",
    )
    ca_ref: CaRef | None = Field(default=None, description=_CA)


class Role(ApiModel):
    """A way into the backend that a client may ask for by name."""

    credentials: Credentials = Field(description="What the proxy logs in with for this role.")


class DatabaseServer(ApiModel):
    """What the database protocols have in common; each says its own port."""

    host: HostName = Field(description="Host name or address of the server.")
    port: PortNumber = Field(description="TCP port of the server.")
    database: ServerName = Field(
        description="The database of a client that names none; others only if `databases` lists them."
    )
    databases: tuple[ServerName, ...] = Field(
        default=(),
        max_length=256,
        description="Further databases a client may name. Absent: only `database`.",
    )
    tls: BackendTls = Field(
        default=BackendTls(), description="TLS between the proxy and the server. Absent: VerifyFull."
    )

    @property
    def address(self) -> str:
        """The target as people write it."""
        return f"{self.host}:{self.port}"


class WarmSessions(ApiModel):
    """Backend sessions that are made before clients ask for them."""

    sessions: Annotated[int, Field(ge=1, le=100)] = Field(
        description="How many may wait in each proxy, for all kinds of clients together. Each serves one "
        "client and is closed with it. They count against the server's max_connections."
    )
    max_age: PositiveDuration = Field(
        default=Duration.parse("5m"),
        description="None waits longer than this; with the database engine of Vault its user is then "
        "revoked. Default: 5m.",
    )


class ClientAuth(StrEnum):
    """A way in which a client gives its token."""

    PASSWORD = "Password"  # noqa: S105 - a way, not a word
    OAUTH_BEARER = "OAuthBearer"


def _passes_on_a_password(target: Any) -> bool:
    any_role = target.roles.get(ANY_ROLE)
    vault = any_role.credentials.vault if any_role is not None else None
    return vault is None or vault.database is None


class PostgresTarget(DatabaseServer):
    """A PostgreSQL server."""

    shape: ClassVar[tuple[Shape, ...]] = (
        Holds(
            _passes_on_a_password,
            f"!has(self.roles) || !('{ANY_ROLE}' in self.roles) || "
            f"!has(self.roles['{ANY_ROLE}'].credentials.vault) || "
            f"!has(self.roles['{ANY_ROLE}'].credentials.vault.database)",
            f"the role {ANY_ROLE} takes its password from secretRef or vault.kv: the database engine makes "
            "users of its own",
            "roles",
        ),
        *roles_fit(),
    )

    port: PortNumber = Field(default=5432, description="TCP port of the server. Default: 5432.")
    default_schema: ServerName = Field(
        default="public",
        description="The schema meant by table names in policies that name none. Default: public.",
    )
    client_auth: Annotated[tuple[ClientAuth, ...], Field(min_length=1, max_length=2), EachOnce()] = Field(
        default=(ClientAuth.PASSWORD,),
        description="How clients give their tokens. Password (default): as the password, which every client "
        "can. OAuthBearer: by the SASL mechanism of that name, as libpq 18 does with oauth_issuer. With "
        "both, a client is asked for a password unless its settings say `tollhouse.auth=oauth`.",
    )
    roles: Mapping[ServerName, Role] = Field(
        default_factory=dict,
        max_length=64,
        description="Ways into the server, by the name a client gives as its `user`; policies say who may "
        'have which (`sql.roles`). "*" stands for every other name: the proxy then logs in as the very user '
        "the client names, with this password. Absent: the client's `user` is ignored, its token says who "
        "it is, and `spec.credentials` serves everybody.",
    )
    warm: WarmSessions | None = Field(
        default=None,
        description="Backend sessions made ahead, so that a client need not wait for one: after the first "
        "client with the same database, role and startup settings. Absent: none.",
    )


class MysqlTarget(DatabaseServer):
    """A MySQL or MariaDB server."""

    port: PortNumber = Field(default=3306, description="TCP port of the server. Default: 3306.")


class MongodbTarget(DatabaseServer):
    """A MongoDB server."""

    port: PortNumber = Field(default=27017, description="TCP port of the server. Default: 27017.")


class SshTarget(ApiModel):
    """An SSH server."""

    host: HostName = Field(description="Host name or address of the server.")
    port: PortNumber = Field(default=22, description="TCP port of the server. Default: 22.")
    host_keys: tuple[Annotated[str, Field(min_length=1, max_length=16384)], ...] = Field(
        min_length=1,
        max_length=16,
        description="Public keys the server may prove itself with, as in known_hosts: `ssh-ed25519 AAAA...`.",
    )

    @property
    def address(self) -> str:
        """The target as people write it."""
        return f"{self.host}:{self.port}"


class KubernetesTarget(ApiModel):
    """A Kubernetes API server."""

    server: HttpUrl | None = Field(
        default=None, description="URL of the API server. Absent: the cluster in which the proxy runs."
    )
    ca_ref: CaRef | None = Field(default=None, description=_CA)

    @property
    def address(self) -> str:
        """The target as people write it."""
        return self.server or "https://kubernetes.default.svc"


class HttpTarget(ApiModel):
    """An HTTP service."""

    url: HttpUrl = Field(description="Base URL of the service; paths in policies start below it.")
    ca_ref: CaRef | None = Field(default=None, description=_CA)

    @property
    def address(self) -> str:
        """The target as people write it."""
        return self.url


class McpTarget(ApiModel):
    """A Model Context Protocol server that speaks streamable HTTP."""

    url: HttpUrl = Field(description="URL of the server's MCP endpoint.")
    ca_ref: CaRef | None = Field(default=None, description=_CA)

    @property
    def address(self) -> str:
        """The target as people write it."""
        return self.url


Target = PostgresTarget | MysqlTarget | MongodbTarget | SshTarget | KubernetesTarget | HttpTarget | McpTarget
