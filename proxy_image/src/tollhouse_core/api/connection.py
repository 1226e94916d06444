"""Connection: one backend, and how agents reach it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tollhouse_core.api.credentials import Credentials
from tollhouse_core.api.engines import engines_fit
from tollhouse_core.api.meta import ApiObject, ObjectName, SecretRef, Status, Word
from tollhouse_core.api.notifying import Receivers
from tollhouse_core.api.quantities import PortNumber, PositiveDuration, Quantity
from tollhouse_core.api.shape import ApiModel, EachOnce, ExactlyOne, Holds, Shape
from tollhouse_core.api.targets import (
    HttpTarget,
    KubernetesTarget,
    McpTarget,
    MongodbTarget,
    MysqlTarget,
    PostgresTarget,
    SshTarget,
    Target,
)

PROTOCOLS = ("postgres", "mysql", "mongodb", "ssh", "kubernetes", "http", "mcp")


class IdentitySettings(ApiModel):
    """Whose word counts for who a client is."""

    providers: Annotated[tuple[ObjectName, ...], Field(max_length=32), EachOnce()] = Field(
        default=(),
        description="Names of the IdentityProviders whose tokens are taken. Absent: ServiceAccount tokens "
        "of this cluster, and no others.",
    )
    audiences: tuple[Word, ...] = Field(
        default=("tollhouse",),
        min_length=1,
        max_length=32,
        description="A token must be meant for one of these (its `aud` claim). Default: tollhouse.",
    )


class AfterTokenExpiry(StrEnum):
    """What becomes of a session whose token has run out."""

    END = "End"
    CONTINUE = "Continue"


def _bounded_when_continued(session: Any) -> bool:
    return session.after_token_expiry is AfterTokenExpiry.END or session.max_duration is not None


class SessionSettings(ApiModel):
    """How long sessions last."""

    shape: ClassVar[tuple[Shape, ...]] = (
        Holds(
            _bounded_when_continued,
            "!has(self.afterTokenExpiry) || self.afterTokenExpiry != 'Continue' || has(self.maxDuration)",
            "afterTokenExpiry: Continue needs maxDuration, or sessions would never end",
            "after_token_expiry",
        ),
    )

    max_duration: PositiveDuration | None = Field(
        default=None,
        description="A session ends after this time, busy or idle. Absent: it may last as long as its token.",
    )
    idle_timeout: PositiveDuration | None = Field(
        default=None,
        description="A session ends when its client has asked nothing for this time. Absent: never.",
    )
    after_token_expiry: AfterTokenExpiry = Field(
        default=AfterTokenExpiry.END,
        description="End (default): a session ends when its token runs out. Continue: it may go on until "
        "maxDuration, which is then required.",
    )


class ProxyTlsMode(StrEnum):
    """Whether a client must speak TLS."""

    REQUIRE = "Require"
    ALLOW = "Allow"
    DISABLE = "Disable"


class ProxyTls(ApiModel):
    """TLS between clients and the proxy."""

    mode: ProxyTlsMode = Field(
        default=ProxyTlsMode.REQUIRE,
        description="Require (default): a token is asked for under TLS only. Allow: TLS is offered, and "
        "clients may go without. Disable: no TLS is offered; tokens cross the network in the clear.",
    )
    secret_ref: SecretRef | None = Field(
        default=None,
        description="A Secret of type kubernetes.io/tls (tls.crt, tls.key) with the serving certificate. "
        "Absent: the operator makes one and renews it.",
    )


class ResourceRequirements(ApiModel):
    """What one proxy pod may use, as in a container's `resources`."""

    requests: Mapping[Word, Quantity] = Field(
        default_factory=dict,
        max_length=16,
        description="What is set aside for it: cpu, memory. Absent: nothing.",
    )
    limits: Mapping[Word, Quantity] = Field(
        default_factory=dict,
        max_length=16,
        description="What it can use at most: cpu, memory. Absent: no bound.",
    )


class ProxySettings(ApiModel):
    """How the proxy itself is run. Defaults serve."""

    replicas: Annotated[int, Field(ge=0, le=100)] = Field(
        default=2, description="How many proxy pods serve this Connection. Default: 2."
    )
    port: PortNumber | None = Field(
        default=None,
        description="The port clients connect to. Absent: the protocol's own, 5432 for postgres.",
    )
    resources: ResourceRequirements | None = Field(
        default=None,
        description="CPU and memory of one proxy pod. Absent: modest requests and a memory limit.",
    )
    tls: ProxyTls = Field(
        default=ProxyTls(), description="TLS between clients and the proxy. Absent: required."
    )


class WhenUnavailable(StrEnum):
    """What happens to operations that cannot be audited."""

    REFUSE = "Refuse"
    SPOOL = "Spool"


class AuditSettings(ApiModel):
    """Where the audit goes."""

    sinks: Annotated[tuple[ObjectName, ...], Field(max_length=16), EachOnce()] = Field(
        default=(),
        description="Names of AuditSinks in the same namespace. Absent: the proxy's own standard output.",
    )
    when_unavailable: WhenUnavailable = Field(
        default=WhenUnavailable.REFUSE,
        description="Refuse (default): while no sink accepts events, operations are refused. Spool: events "
        "are kept on the proxy's disk, up to a bound, and delivered later.",
    )


class ConnectionSpec(ApiModel):
    """What is wanted."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(PROTOCOLS, "protocol"), *engines_fit())

    postgres: PostgresTarget | None = Field(default=None, description="The backend is a PostgreSQL server.")
    mysql: MysqlTarget | None = Field(default=None, description="The backend is a MySQL or MariaDB server.")
    mongodb: MongodbTarget | None = Field(default=None, description="The backend is a MongoDB server.")
    ssh: SshTarget | None = Field(default=None, description="The backend is an SSH server.")
    kubernetes: KubernetesTarget | None = Field(
        default=None, description="The backend is a Kubernetes API server."
    )
    http: HttpTarget | None = Field(default=None, description="The backend is an HTTP service.")
    mcp: McpTarget | None = Field(default=None, description="The backend is a Model Context Protocol server.")
    credentials: Credentials = Field(
        description="What the proxy logs in to the backend with. The proxy reads it itself; clients, the "
        "operator and statuses never see it."
    )
    approval_credentials: Mapping[Word, Credentials] = Field(
        default_factory=dict,
        max_length=16,
        description="Stronger credentials, by the names that rules use (`requireApproval.credential`). Each "
        "is fetched once people have approved, for that one operation on a backend session of its own, and "
        "given back at once after it. No client can ask for one. Absent: none.",
    )
    identity: IdentitySettings = Field(
        default=IdentitySettings(),
        description="Whose tokens are taken. Absent: ServiceAccount tokens of this cluster that are meant "
        "for the audience `tollhouse`.",
    )
    session: SessionSettings = Field(
        default=SessionSettings(),
        description="How long sessions last. Absent: as long as their tokens. Policies can only shorten it.",
    )
    proxy: ProxySettings = Field(
        default=ProxySettings(), description="How the proxy is run. Absent: two replicas that require TLS."
    )
    notify: Receivers = Field(
        default=(),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        description="Whom the operator tells about requests for approval on this Connection. Absent: nobody.",
    )
    audit: AuditSettings = Field(
        default=AuditSettings(),
        description="Where the audit goes. Absent: the proxy's standard output, and nothing runs unaudited.",
    )

    @property
    def protocol(self) -> str:
        """The name of the protocol's block: `postgres`."""
        return self.chosen(*PROTOCOLS)

    @property
    def target(self) -> Target:
        """The protocol's block."""
        target: Target = getattr(self, self.protocol)
        return target


class ProxyCounts(ApiModel):
    """How many proxies there are."""

    model_config = ConfigDict(extra="ignore")

    ready: int | None = Field(default=None, ge=0, description="How many proxies take connections.")
    current: int | None = Field(
        default=None, ge=0, description="How many proxies run the revision named in `revision`."
    )


class ExcessPrivilege(ApiModel):
    """One thing that a backend role may do though no policy needs it."""

    model_config = ConfigDict(extra="ignore")

    role: str = Field(max_length=256, description="The backend's role.")
    what: str = Field(max_length=1024, description="What it may do.")
    sql: str = Field(default="", max_length=4096, description="The SQL that takes it away.")


class ConnectionStatus(Status):
    """What is."""

    protocol: str | None = Field(default=None, max_length=32, description="The protocol clients speak here.")
    endpoint: str | None = Field(
        default=None, max_length=512, description="Where clients connect: host:port inside the cluster."
    )
    policies: int | None = Field(
        default=None, ge=0, description="How many AccessPolicies select this Connection."
    )
    revision: str | None = Field(
        default=None, max_length=128, description="Content hash of the policies in force (sha256:...)."
    )
    proxies: ProxyCounts | None = Field(default=None, description="How far the proxies are.")
    warnings: tuple[Annotated[str, Field(max_length=1024)], ...] = Field(
        default=(),
        max_length=32,
        description="What should be put right though it hinders nothing.",
    )
    excess_privileges: tuple[ExcessPrivilege, ...] = Field(
        default=(),
        max_length=64,
        description="What the backend's roles may do though no policy needs it, the worst first; see the "
        "condition LeastPrivilege. Looked at when a proxy starts, when policies change, and every hour.",
    )


def _names_a_service(connection: Any) -> bool:
    name: str = connection.metadata.name
    return not name or (len(name) <= 50 and re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) is not None)


class Connection(ApiObject):
    """One backend, and how agents reach it: protocol, target, credentials, identity, proxy."""

    shape: ClassVar[tuple[Shape, ...]] = (
        Holds(
            _names_a_service,
            "self.metadata.name.size() <= 50 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "expected a name that a Service can have: lower-case letters, digits and '-', a letter first, at "
            "most 50 characters",
            "metadata.name",
        ),
    )

    kind: Literal["Connection"] = "Connection"
    spec: ConnectionSpec = Field(description="What is wanted.")
    status: ConnectionStatus = Field(
        default=ConnectionStatus(), description="What is; written by the operator."
    )

    @property
    def protocol(self) -> str:
        """The name of the protocol's block: `postgres`."""
        return self.spec.protocol

    @property
    def target(self) -> Target:
        """The protocol's block: where the backend is."""
        return self.spec.target
