"""A user name and password kept in a Secret of the Connection's namespace."""

from __future__ import annotations

from tollhouse_core.api.credentials import CredentialSecretRef
from tollhouse_proxy.ports.credentials import Credential, CredentialUnavailable
from tollhouse_proxy.ports.stores import SecretStore, StoreRefused, StoreUnavailable


class SecretSource:
    """Reads the Secret for every new session, so that an edited one is used from then on."""

    def __init__(self, reference: CredentialSecretRef, secrets: SecretStore) -> None:
        self._reference = reference
        self._secrets = secrets

    async def acquire(self) -> Credential:
        """What the Secret holds now. Raises CredentialUnavailable."""
        name = self._reference.name
        try:
            data = await self._secrets.read(name)
        except StoreUnavailable:
            raise CredentialUnavailable(
                f"backend credential unavailable: the Secret {name} cannot be read now"
            ) from None
        except StoreRefused:
            raise CredentialUnavailable(
                f"backend credential unavailable: the Secret {name} is missing, or the proxy may not read it"
            ) from None
        username = data.get(self._reference.username_key)
        password = data.get(self._reference.password_key)
        if username is None or password is None:
            key = self._reference.username_key if username is None else self._reference.password_key
            raise CredentialUnavailable(
                f"backend credential unavailable: the Secret {name} has no key {key}"
            ) from None
        return Credential(username.reveal(), password)

    async def renew(self, credential: Credential) -> Credential:
        """There is no lease: the same."""
        return credential

    async def release(self, credential: Credential) -> None:
        """There is no lease: nothing to do."""

    async def close(self) -> None:
        """Nothing is held."""
