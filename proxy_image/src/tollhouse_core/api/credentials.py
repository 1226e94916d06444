"""How a proxy comes by what it logs in with."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar

from pydantic import Field

from tollhouse_core.api.meta import CaRef, DataKey, LabelName, ObjectName, SecretKeyRef, Word
from tollhouse_core.api.quantities import PositiveDuration
from tollhouse_core.api.shape import ApiModel, ExactlyOne, Shape

ENGINES = ("database", "kv", "ssh", "kubernetes")
"""The secrets engines of Vault that can be asked."""
# Vault reads several principals out of a text with commas.
LoginName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\s,]+$")]
HttpUrl = Annotated[str, Field(min_length=8, max_length=2048, pattern=r"^https?://[^\s/?#@]+([/?#][^\s]*)?$")]


class VaultKubernetesAuth(ApiModel):
    """Vault's Kubernetes auth method."""

    mount: Word = Field(
        default="kubernetes", description="Where the auth method is mounted. Default: kubernetes."
    )
    role: Word = Field(description="The Vault role that the proxy's ServiceAccount logs in to.")
    audience: Word | None = Field(
        default=None,
        description="The audience that the Vault role demands of tokens. Absent: the API server's own.",
    )


class VaultJwtAuth(ApiModel):
    """Vault's JWT auth method, with the ServiceAccount token of the proxy's own pod as the JWT."""

    mount: Word = Field(default="jwt", description="Where the auth method is mounted. Default: jwt.")
    role: Word = Field(description="The Vault role to log in to.")
    audience: Word | None = Field(
        default=None,
        description="The audience that the Vault role demands of tokens. Absent: the API server's own.",
    )


class VaultAppRoleAuth(ApiModel):
    """Vault's AppRole auth method."""

    mount: Word = Field(default="approle", description="Where the auth method is mounted. Default: approle.")
    role_id: Word = Field(description="The role's id; no secret.")
    secret_id_ref: SecretKeyRef = Field(
        description="Where the secret id is kept; read again for each login, so it can be rotated."
    )


class VaultAuth(ApiModel):
    """How the proxy proves itself to Vault."""

    shape: ClassVar[tuple[Shape, ...]] = (
        ExactlyOne(("kubernetes", "jwt", "app_role", "token_ref"), "way to log in"),
    )

    kubernetes: VaultKubernetesAuth | None = Field(
        default=None,
        description="Log in with the ServiceAccount token of the proxy's own pod; Vault asks the API server.",
    )
    jwt: VaultJwtAuth | None = Field(
        default=None,
        description="Log in with the same token; Vault checks its signature against the cluster's keys.",
    )
    app_role: VaultAppRoleAuth | None = Field(
        default=None, description="Log in with an AppRole, for proxies outside of a cluster."
    )
    token_ref: SecretKeyRef | None = Field(
        default=None, description="Use a Vault token that is kept in a Secret; somebody else must renew it."
    )


class VaultDatabase(ApiModel):
    """Vault's database secrets engine."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(("role", "static_role"), "role of the engine"),)

    mount: Word = Field(default="database", description="Where the engine is mounted. Default: database.")
    role: Word | None = Field(
        default=None, description="A dynamic role; each session gets a user of its own from it."
    )
    static_role: Word | None = Field(
        default=None,
        description="A static role: one user of the database whose password Vault rotates. Sessions begun "
        "with an older password go on.",
    )


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


class VaultSsh(ApiModel):
    """Vault's SSH secrets engine, signing users' certificates."""

    mount: Word = Field(default="ssh", description="Where the engine is mounted. Default: ssh.")
    role: Word = Field(description="The role of the engine that signs.")
    username: LoginName = Field(
        description="Whom the proxy logs in as; the certificate is for this principal and no other."
    )
    ttl: PositiveDuration | None = Field(
        default=None, description="How long a certificate is to be good. Absent: as the role says."
    )


class VaultKubernetes(ApiModel):
    """Vault's Kubernetes secrets engine."""

    mount: Word = Field(default="kubernetes", description="Where the engine is mounted. Default: kubernetes.")
    role: Word = Field(description="The role of the engine that makes tokens.")
    namespace: LabelName = Field(
        description="The namespace of the ServiceAccount, in the cluster that Vault's engine serves."
    )


class VaultCredentials(ApiModel):
    """A Vault (or OpenBao) server and what to ask of it."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(ENGINES, "secrets engine"),)

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
    ssh: VaultSsh | None = Field(
        default=None,
        description="For `ssh`: the proxy makes a key pair for each session, and the SSH engine signs a "
        "certificate for it.",
    )
    kubernetes: VaultKubernetes | None = Field(
        default=None,
        description="For `kubernetes`: the Kubernetes engine gives each session a ServiceAccount's token, "
        "whose lease is revoked when the session ends.",
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


def asks(credentials: Credentials, engine: str) -> bool:
    """Whether they come from this engine of Vault (one of ENGINES)."""
    return credentials.vault is not None and getattr(credentials.vault, engine) is not None


def pod_token_audience(credentials: Credentials) -> str | None:
    """Who the pod's own token must be meant for to log in to Vault with; None is the API server."""
    auth = credentials.vault.auth if credentials.vault is not None else None
    if auth is None:
        return None
    method = auth.kubernetes or auth.jwt
    return method.audience if method is not None else None


def pod_token_file(audience: str | None) -> str:
    """The name of the file with the pod's token for that audience."""
    if audience is None:
        return "token"
    return "token-" + hashlib.sha256(audience.encode()).hexdigest()[:12]
