"""Which CredentialSource a Connection's `credentials` ask for."""

from __future__ import annotations

from tollhouse_core.api.connection import Connection
from tollhouse_core.api.credentials import Credentials
from tollhouse_core.clock import Clock
from tollhouse_proxy.adapters.credentials.kubernetes_secret import SecretSource
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import CredentialSource
from tollhouse_proxy.ports.stores import SecretStore


def credential_source(
    connection: Connection, secrets: SecretStore, settings: CredentialSettings, clock: Clock
) -> CredentialSource:
    """The source for the Connection's own credentials (those of its roles: `source_for`)."""
    return source_for(connection.spec.credentials, secrets, settings, clock)


def source_for(
    credentials: Credentials, secrets: SecretStore, settings: CredentialSettings, clock: Clock
) -> CredentialSource:
    """The source for one block of credentials. Opens nothing yet; must be made in a running loop."""
    if credentials.vault is not None:
        # Its client library is loaded where it is wanted only.
        from tollhouse_proxy.adapters.credentials.vault import VaultSource

        return VaultSource(credentials.vault, secrets, settings, clock)
    if credentials.secret_ref is not None:
        return SecretSource(credentials.secret_ref, secrets)
    raise ValueError("credentials without a source: the API types let none through")
