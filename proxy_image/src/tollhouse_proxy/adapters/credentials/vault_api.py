"""Vault's HTTP API as far as we need it, synchronous. The one importer of hvac (and its requests).

Every method does one request and either returns plain values or raises VaultProblem, whose words
are safe for clients: hvac's own errors carry URLs and bodies, so they end here, unchained.
Works the same with OpenBao.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import hvac
import requests
from hvac import exceptions
from requests.adapters import HTTPAdapter

from tollhouse_core.secret import Secret
from tollhouse_proxy.adapters.credentials.vault_terms import (
    AccountGrant,
    LeaseGrant,
    StaticGrant,
    TokenGrant,
    Trouble,
    VaultProblem,
)


class VaultApi:
    """One Vault server. Safe to use from several threads: each has connections of its own."""

    def __init__(
        self,
        address: str,
        namespace: str | None,
        ca_pem: str | None,
        timeout_seconds: float,
        making_seconds: float,
    ) -> None:
        self._address = address.rstrip("/")
        self._namespace = namespace
        self._timeout_seconds = timeout_seconds
        self._making_seconds = making_seconds
        try:
            self._tls = ssl.create_default_context(cadata=ca_pem)
        except (ssl.SSLError, ValueError):
            raise VaultProblem(Trouble.WRONG, "has a CA bundle configured (caRef) that is not PEM") from None
        self._local = threading.local()

    def log_in(self, mount: str, proof: Mapping[str, Secret]) -> TokenGrant:
        """Any auth method whose login takes its proof as fields: Kubernetes, JWT, AppRole."""
        body = {name: value.reveal() for name, value in proof.items()}
        answer = self._ask("the login", "post", f"auth/{_path(mount)}/login", None, body)
        grant = _part(answer, "auth")
        token = Secret(_text(grant, "client_token"))
        accessor = grant.get("accessor")
        named = accessor if isinstance(accessor, str) else ""
        return TokenGrant(token, _seconds(grant), grant.get("renewable") is True, named)

    def renew_token(self, token: Secret) -> float:
        """Lengthens the token's life; the seconds it has now."""
        return _seconds(
            _part(self._ask("renewing its token", "put", "auth/token/renew-self", token, {}), "auth")
        )

    def revoke_token(self, token: Secret) -> None:
        """Ends the token, and every lease that was made with it."""
        self._ask("ending its token", "put", "auth/token/revoke-self", token, {})

    def revoke_accessor(self, token: Secret, accessor: str) -> None:
        """Ends the token of that name, and every lease that was made with it. One that is gone already is no
        problem."""
        body = {"accessor": accessor}
        try:
            self._ask("ending an orphaned token", "put", "auth/token/revoke-accessor", token, body)
        except VaultProblem as problem:
            if problem.trouble is not Trouble.GONE:
                raise

    def database_user(self, token: Secret, mount: str, role: str) -> LeaseGrant:
        """A fresh user from the database engine. Waited for longer than for anything else: one
        whose answer we no longer hear lives on until its TTL, and asking again makes another."""
        path = f"{_path(mount)}/creds/{_path(role)}"
        answer = self._ask("a database user", "get", path, token, patience=self._making_seconds)
        made = _part(answer, "data")
        return LeaseGrant(
            username=_text(made, "username"),
            password=Secret(_text(made, "password")),
            lease=_text(answer, "lease_id"),
            seconds=_seconds(answer),
        )

    def static_user(self, token: Secret, mount: str, role: str) -> StaticGrant:
        """The user of a static role and the password it has now."""
        path = f"{_path(mount)}/static-creds/{_path(role)}"
        found = _part(self._ask("a static database user", "get", path, token), "data")
        return StaticGrant(_text(found, "username"), Secret(_text(found, "password")))

    def account(self, token: Secret, mount: str, role: str, namespace: str) -> AccountGrant:
        """A ServiceAccount's token from the Kubernetes engine, waited for as a database user is."""
        path = f"{_path(mount)}/creds/{_path(role)}"
        body = {"kubernetes_namespace": namespace}
        patience = self._making_seconds
        answer = self._ask("a Kubernetes token", "post", path, token, body, patience)
        made = _part(answer, "data")
        return AccountGrant(
            namespace=_text(made, "service_account_namespace"),
            name=_text(made, "service_account_name"),
            token=Secret(_text(made, "service_account_token")),
            lease=_text(answer, "lease_id"),
            seconds=_seconds(answer),
            renewable=answer.get("renewable") is True,
        )

    def signed(self, token: Secret, mount: str, role: str, request: Mapping[str, str]) -> str:
        """What the SSH engine makes of a public key: a certificate as one line of OpenSSH's."""
        path = f"{_path(mount)}/sign/{_path(role)}"
        answer = self._ask("an SSH certificate", "post", path, token, request)
        return _text(_part(answer, "data"), "signed_key")

    def renew_lease(self, token: Secret, lease: str) -> float:
        """Lengthens a lease; the seconds it has now."""
        return _seconds(self._ask("renewing a lease", "put", "sys/leases/renew", token, {"lease_id": lease}))

    def revoke_lease(self, token: Secret, lease: str, *, wait: bool) -> None:
        """Ends a lease. With `wait` it is gone from the database when this returns; else Vault
        takes it upon itself, and tries until it is."""
        self._ask("ending a lease", "put", "sys/leases/revoke", token, {"lease_id": lease, "sync": wait})

    def kv_version(self, token: Secret, mount: str) -> int:
        """Which version of the key/value engine is mounted there."""
        answer = self._ask("the mount", "get", f"sys/internal/ui/mounts/{_path(mount)}", token)
        options = _part(answer, "data").get("options")
        return 2 if isinstance(options, Mapping) and str(options.get("version")) == "2" else 1

    def kv(
        self, token: Secret, mount: str, path: str, engine: int, version: int | None
    ) -> Mapping[str, Secret]:
        """The texts of one key/value secret; `version` None is the newest."""
        middle = "data/" if engine == 2 else ""
        query = f"?version={version}" if engine == 2 and version else ""
        answer = self._ask("the secret", "get", f"{_path(mount)}/{middle}{_path(path)}{query}", token)
        data: Mapping[str, Any] = _part(answer, "data")
        if engine == 2:
            data = _part(data, "data")
        return {str(key): Secret(value) for key, value in data.items() if isinstance(value, str)}

    def close(self) -> None:
        """Ends the connections of the calling thread; those of others end with their threads."""
        client = getattr(self._local, "client", None)
        if client is not None:
            client.adapter.close()

    def _ask(
        self,
        what: str,
        method: str,
        path: str,
        token: Secret | None,
        body: Mapping[str, object] | None = None,
        patience: float | None = None,
    ) -> Mapping[str, Any]:
        client = self._client()
        connect = self._timeout_seconds
        options: dict[str, Any] = {"timeout": (connect, patience or connect)}
        if body is not None:
            options["json"] = body
        client.token = "" if token is None else token.reveal()
        try:
            call: Callable[..., Any] = getattr(client.adapter, method)
            answer = call(f"/v1/{path}", **options)
        except Exception as error:
            problem = self._problem(error, what)
        else:
            return _understood(answer, what)
        finally:
            client.token = ""
        # Raised out here: as its context, the other error would go wherever this one goes.
        raise problem

    def _problem(self, error: Exception, what: str) -> VaultProblem:
        match error:
            case exceptions.VaultError():
                return _refusal(error, what)
            case requests.exceptions.SSLError():
                return VaultProblem(Trouble.BUSY, "shows a certificate that is not trusted")
            case requests.exceptions.Timeout():
                return VaultProblem(Trouble.BUSY, f"did not answer within {self._timeout_seconds:g} s")
            case requests.exceptions.RequestException() | OSError():
                return VaultProblem(Trouble.BUSY, "cannot be reached")
            case _:
                kind = type(error).__name__
                return VaultProblem(Trouble.WRONG, f"could not be asked for {what} ({kind})")

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            session = requests.Session()
            session.trust_env = False  # no .netrc, no proxy, no CA from the environment
            session.mount("https://", _TlsAdapter(self._tls))
            client = hvac.Client(
                url=self._address,
                token="",
                namespace=self._namespace,
                verify=True,  # else hvac looks for authorities in the environment
                allow_redirects=False,  # requests would send the token along to anywhere
                session=session,
            )
            self._local.client = client
        return client


class _TlsAdapter(HTTPAdapter):
    """TLS by our context alone; requests would add its own list of authorities to it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Nothing to add: the context requires a certificate and the right name."""


def _understood(answer: object, what: str) -> Mapping[str, Any]:
    if isinstance(answer, Mapping):
        return answer
    status = getattr(answer, "status_code", 0)
    if status in (202, 204):
        return {}
    if 300 <= status < 400:
        # A standby does, and so does a server that has only just started and has no active one yet.
        raise VaultProblem(Trouble.BUSY, "redirects to another address; name the active one instead")
    raise VaultProblem(Trouble.BUSY, f"answers {what} with something that is not Vault's")


def _refusal(error: exceptions.VaultError, what: str) -> VaultProblem:
    """By the kind of error alone; of its text only one fixed phrase of Vault's is recognised."""
    said = str(error.errors or error.text or "")[:1024].lower()
    match error:
        case exceptions.VaultError() if "invalid accessor" in said:
            return VaultProblem(Trouble.GONE, f"knows nothing of {what}")
        case exceptions.Forbidden() | exceptions.Unauthorized():
            return VaultProblem(Trouble.DENIED, f"refused {what} (permission denied)")
        case exceptions.InvalidPath():
            return VaultProblem(Trouble.WRONG, f"has nothing where {what} was expected (not found)")
        case exceptions.InvalidRequest():
            return VaultProblem(Trouble.WRONG, f"refused {what} as a bad request")
        case exceptions.VaultDown() if "sealed" in said:
            return VaultProblem(Trouble.BUSY, "is sealed")
        case exceptions.VaultDown() | exceptions.VaultNotInitialized():
            return VaultProblem(Trouble.BUSY, "is not ready")
        case exceptions.RateLimitExceeded():
            return VaultProblem(Trouble.BUSY, "is asked too much (rate limit)")
        case _:
            return VaultProblem(Trouble.BUSY, f"failed to give {what}")


def _path(words: str) -> str:
    """A mount, role or path as a part of the URL: nothing in it may leave its place."""
    parts = [part for part in words.split("/") if part]
    if any(part in (".", "..") for part in parts):
        raise VaultProblem(Trouble.WRONG, "cannot be asked: a configured path has a dot segment")
    return "/".join(quote(part, safe="") for part in parts)


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = answer.get(name)
    if not isinstance(part, Mapping):
        raise VaultProblem(Trouble.BUSY, f"left {name} out of its answer")
    return part


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise VaultProblem(Trouble.BUSY, f"left {name} out of its answer")
    return value


def _seconds(answer: Mapping[str, Any]) -> float:
    value = answer.get("lease_duration")
    return float(value) if isinstance(value, int) else 0.0
