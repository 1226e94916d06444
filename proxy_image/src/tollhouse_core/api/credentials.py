"""How a proxy comes by what it logs in with."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from tollhouse_core.api.meta import CaRef, DataKey, ObjectName, SecretKeyRef, Word
from tollhouse_core.api.shape import ApiModel, ExactlyOne, Shape

HttpUrl = Annotated[str, Field(min_length=8, max_length=2048, pattern=r"^https?://[^\s/?#@]+([/?#][^\s]*)?$")]


class VaultKubernetesAuth(ApiModel):
    """Vault's Kubernetes auth method."""

    mount: Word = Field(
        default="kubernetes", description="Where the auth method is mounted. Default: kubernetes."
    )
    role: Word = Field(description="The Vault role that the proxy's ServiceAccount logs in to.")


class VaultAuth(ApiModel):
    """How the proxy proves itself to Vault."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(("kubernetes", "token_ref"), "way to log in"),)

    kubernetes: VaultKubernetesAuth | None = Field(
        default=None, description="Log in with the ServiceAccount token of the proxy's own pod."
    )
    token_ref: SecretKeyRef | None = Field(
        default=None, description="Use a Vault token that is kept in a Secret; somebody else must renew it."
    )


class VaultDatabase(ApiModel):
    """Vault's database secrets engine."""

    mount: Word = Field(default="database", description="Where the engine is mounted. Default: database.")
    role: Word = Field(description="The engine's role; each session gets a user of its own from it.")


class VaultKv(ApiModel):
    """Vault's key/value secrets engine, version 1 or 2."""

    mount: Word = Field(default="secret", description="Where the engine is mounted. Default: secret.")
    path: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="Path of the secret below the mount, without `data/`."
    )
    username_key: DataKey = Field(
        default="username", description="The key that holds the user name. Default: username."
    )
    password_key: DataKey = Field(
        default="password", description="The key that holds the password. Default: password."
    )
    version: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Which version of the secret to read. Absent: always the newest. Version 1 of the engine "
        "keeps only one.",
    )


class VaultCredentials(ApiModel):
    """A Vault (or OpenBao) server and what to ask of it."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(("database", "kv"), "secrets engine"),)

    address: HttpUrl = Field(description="The server's URL, such as https://vault.vault.svc:8200.")
    ca_ref: CaRef | None = Field(
        default=None,
        description="Certificates that vouch for the server. Absent: those of the proxy's image.",
    )
    namespace: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        default=None, description="Vault namespace. Absent: the root namespace."
    )
    auth: VaultAuth = Field(description="How the proxy logs in to Vault.")
    database: VaultDatabase | None = Field(
        default=None,
        description="The database engine makes a user for each session; its lease is renewed while "
        "the session lasts and revoked when it ends.",
    )
    kv: VaultKv | None = Field(
        default=None, description="A user name and password kept in the key/value engine (version 1 or 2)."
    )


class CredentialSecretRef(ApiModel):
    """A Secret that holds a user name and a password."""

    name: ObjectName = Field(description="Name of a Secret in the same namespace.")
    username_key: DataKey = Field(
        default="username", description="The key that holds the user name. Default: username."
    )
    password_key: DataKey = Field(
        default="password", description="The key that holds the password. Default: password."
    )


class Credentials(ApiModel):
    """What the proxy logs in to the backend with; nobody else reads it."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(("vault", "secret_ref"), "source of credentials"),)

    vault: VaultCredentials | None = Field(
        default=None, description="From a Vault or OpenBao server, read by the proxy itself."
    )
    secret_ref: CredentialSecretRef | None = Field(
        default=None, description="From a Secret in the same namespace, read by the proxy itself."
    )
