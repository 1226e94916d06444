"""What every object has: metadata, references, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, PlainSerializer

from tollhouse_core.api.shape import ApiModel

GROUP = "tollhouse.dev"
VERSION = "v1alpha1"
ApiVersion = Literal["tollhouse.dev/v1alpha1"]
API_VERSION: Final[ApiVersion] = "tollhouse.dev/v1alpha1"

DEFAULT_NAMESPACE = "default"


def _write_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Time = Annotated[
    AwareDatetime,
    AfterValidator(lambda moment: moment.astimezone(UTC)),
    PlainSerializer(_write_time, return_type=str),
]
"""A moment: RFC 3339 on the wire, UTC in the program."""

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$")]
LabelName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
PersonName = Annotated[str, Field(min_length=1, max_length=256)]
DataKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
Digest = Annotated[str, Field(max_length=128, pattern=r"^[a-z0-9]+:[0-9a-f]+$")]
Word = Annotated[str, Field(min_length=1, max_length=256)]


class OwnerReference(ApiModel):
    """Which object this one belongs to, and goes with."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(ApiModel):
    """Kubernetes' own metadata, as far as Tollhouse reads it; the rest is let through unread."""

    model_config = ConfigDict(extra="ignore")

    name: str = ""
    generate_name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One observation of an object's state, as Kubernetes objects carry them."""

    model_config = ConfigDict(extra="ignore")

    type: str = Field(max_length=316, description="What is observed: Ready, Reconciling, Stalled and others.")
    status: ConditionStatus = Field(description="True, False, or Unknown where it could not be found out.")
    reason: str = Field(
        default="",
        max_length=1024,
        description="One CamelCase word that stays the same for programs to read.",
    )
    message: str = Field(default="", max_length=32768, description="The same for people.")
    last_transition_time: Time | None = Field(
        default=None, description="When `status` last changed (RFC 3339)."
    )
    observed_generation: int | None = Field(
        default=None,
        ge=0,
        description="The metadata.generation this was said about; older means out of date.",
    )


class Status(ApiModel):
    """What every status holds. Fields of a newer version are ignored, never an error."""

    model_config = ConfigDict(extra="ignore")

    conditions: tuple[Condition, ...] = Field(
        default=(),
        max_length=32,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        description="Observations of this object's state: Ready, Reconciling and Stalled, and others.",
    )
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation this status speaks of."
    )

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if there is one."""
        return next((condition for condition in self.conditions if condition.type == type_), None)


class SecretKeyRef(ApiModel):
    """One key of a Secret in the same namespace."""

    secret: ObjectName = Field(description="Name of a Secret in the same namespace.")
    key: DataKey = Field(description="Which of its keys holds the value.")


class CaRef(ApiModel):
    """Certificates to trust, in a Secret."""

    secret: ObjectName = Field(
        description="Name of a Secret. It is in the namespace of the Connection that leads here."
    )
    key: DataKey = Field(
        default="ca.crt", description="The key that holds one or more certificates in PEM. Default: ca.crt."
    )


class SecretRef(ApiModel):
    """A whole Secret in the same namespace."""

    name: ObjectName = Field(description="Name of a Secret in the same namespace.")


class ApiObject(ApiModel):
    """An object as a whole. Subclasses say their kind, spec and status."""

    scope: ClassVar[Literal["Namespaced", "Cluster"]] = "Namespaced"

    api_version: ApiVersion = API_VERSION
    kind: str
    metadata: ObjectMeta

    @property
    def name(self) -> str:
        """metadata.name; "" for one that is still to be named by generateName."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """metadata.namespace, `default` where it is not said; "" for what has no namespace."""
        return "" if self.scope == "Cluster" else self.metadata.namespace or DEFAULT_NAMESPACE

    @property
    def title(self) -> str:
        """How messages name it: `AccessPolicy shop/support-agents`."""
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name or self.metadata.generate_name or ''}"


JsonMapping = Mapping[str, Any]
