"""AuditSink: where audit events and recordings go."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tollhouse_core.api.credentials import CredentialSecretRef, HttpUrl
from tollhouse_core.api.meta import ApiObject, CaRef, SecretKeyRef, Status, Word
from tollhouse_core.api.quantities import PortNumber
from tollhouse_core.api.shape import ApiModel, ExactlyOne, Marker, Shape
from tollhouse_core.api.targets import BackendTls, HostName, ServerName

SINKS = ("stdout", "file", "postgres", "s3", "otlp", "loki")
_CA = "Certificates that vouch for the server. Absent: those of the proxy's image."


class FileSink(ApiModel):
    """JSON lines in a file."""

    path: Annotated[str, Field(min_length=2, max_length=1024, pattern=r"^/[^\x00]*[^/\x00]$")] = Field(
        description="Absolute path of the file in the proxy's file system; put a volume there to keep it."
    )


class PostgresSink(ApiModel):
    """A table in a PostgreSQL server."""

    host: HostName = Field(description="Host name or address of the server.")
    port: PortNumber = Field(default=5432, description="TCP port of the server. Default: 5432.")
    database: ServerName = Field(description="The database that holds the table.")
    table: ServerName = Field(
        default="tollhouse_events", description="The table, made if it is missing. Default: tollhouse_events."
    )
    credentials_ref: CredentialSecretRef = Field(description="User name and password, in a Secret.")
    tls: BackendTls = Field(
        default=BackendTls(), description="TLS between the proxy and the server. Absent: VerifyFull."
    )


class S3Sink(ApiModel):
    """Objects in S3-compatible storage."""

    bucket: Annotated[str, Field(min_length=3, max_length=63)] = Field(description="Name of the bucket.")
    prefix: Annotated[str, Field(max_length=512)] = Field(
        default="", description="Put before the names of objects. Default: nothing."
    )
    region: Word | None = Field(
        default=None, description="The bucket's region. Absent: the endpoint's default."
    )
    endpoint: HttpUrl | None = Field(
        default=None, description="URL of another provider's service. Absent: Amazon's, by region."
    )
    ca_ref: CaRef | None = Field(default=None, description=_CA)
    credentials_ref: CredentialSecretRef | None = Field(
        default=None,
        description="Access key (username) and secret key (password), in a Secret. Absent: the pod's own.",
    )


class OtlpSink(ApiModel):
    """Log records sent by OTLP over HTTP."""

    endpoint: HttpUrl = Field(description="URL of the collector, such as https://collector:4318.")
    ca_ref: CaRef | None = Field(default=None, description=_CA)
    token_ref: SecretKeyRef | None = Field(
        default=None, description="A bearer token for the collector. Absent: none is sent."
    )


class LokiSink(ApiModel):
    """Lines pushed to Loki."""

    url: HttpUrl = Field(description="URL of Loki, such as https://loki:3100.")
    tenant: Word | None = Field(default=None, description="Tenant (X-Scope-OrgID). Absent: none is sent.")
    ca_ref: CaRef | None = Field(default=None, description=_CA)
    token_ref: SecretKeyRef | None = Field(
        default=None, description="A bearer token for Loki. Absent: none is sent."
    )


class AuditSinkSpec(ApiModel):
    """What is wanted."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(SINKS, "sort of sink"),)

    stdout: Marker | None = Field(
        default=None, description="JSON lines on the proxy's standard output; written `{}`."
    )
    file: FileSink | None = Field(default=None, description="JSON lines in a file.")
    postgres: PostgresSink | None = Field(default=None, description="A table in a PostgreSQL server.")
    s3: S3Sink | None = Field(default=None, description="Objects in S3-compatible storage.")
    otlp: OtlpSink | None = Field(default=None, description="Log records sent by OTLP over HTTP.")
    loki: LokiSink | None = Field(default=None, description="Lines pushed to Loki.")

    @property
    def sort(self) -> str:
        """The name of the sink's block: `stdout`."""
        return self.chosen(*SINKS)


class AuditSink(ApiObject):
    """Where audit events and recordings go."""

    kind: Literal["AuditSink"] = "AuditSink"
    spec: AuditSinkSpec = Field(description="What is wanted.")
    status: Status = Field(default=Status(), description="What is; written by the operator.")
