"""What one proxy process is told from outside: environment variables, read once at start.

Policies, targets and providers are not settings: they come with the bundle. No secret is ever a
setting; where one is needed the setting is the path of a file.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class StoreKind(StrEnum):
    """Where resources live."""

    KUBERNETES = "kubernetes"
    FOLDER = "folder"


class BadSettings(Exception):
    """A setting is missing or malformed; `str()` names it, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Address:
    """A host and port to listen on; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


EVERYWHERE = "0.0.0.0"  # noqa: S104 - a proxy serves every address of its pod
LISTEN = Address(EVERYWHERE, 5432)
HEALTH = Address(EVERYWHERE, 9090)


AUDIT_FILE_BYTES = 512 * 1024 * 1024
_LEAST_AUDIT_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """One proxy's settings.

    store: where bundle, approvals, reports and secrets are (TOLLHOUSE_STORE, required).
    folder: the folder of a store of that kind (TOLLHOUSE_FOLDER).
    kubeconfig: how to reach the API server; None means the pod's own account (TOLLHOUSE_KUBECONFIG).
    namespace, connection: which Connection is served (TOLLHOUSE_NAMESPACE, TOLLHOUSE_CONNECTION).
    instance: this process's name in reports, a pod's name (TOLLHOUSE_INSTANCE, default: host name).
    listen: where clients connect (TOLLHOUSE_LISTEN, default 0.0.0.0:5432).
    health: where /healthz, /readyz and /metrics answer (TOLLHOUSE_HEALTH, default 0.0.0.0:9090).
    tls_dir: holds tls.crt and tls.key; None means no TLS can be offered (TOLLHOUSE_TLS_DIR).
    audit_file: events go there besides stdout; None means stdout alone (TOLLHOUSE_AUDIT_FILE).
    audit_file_bytes: how much disk that file and the older ones beside it may take, 0 for any amount
    (TOLLHOUSE_AUDIT_FILE_BYTES, default 512 MiB; without a bound where stdout does not get events too).
    audit_stdout: whether events go to stdout (TOLLHOUSE_AUDIT_STDOUT, default true).
    audit_key_file: the ed25519 key (PEM) that signs the heads of chains; None leaves them unsigned
    (TOLLHOUSE_AUDIT_KEY_FILE).
    audit_spool: the folder that keeps events no sink takes now, where the Connection says Spool
    (TOLLHOUSE_AUDIT_SPOOL); None: nothing can be spooled.
    drain_seconds: how long running statements may go on after SIGTERM (TOLLHOUSE_DRAIN_SECONDS,
    default 10).
    token_file: this pod's own token for Vault's Kubernetes auth (TOLLHOUSE_TOKEN_FILE).
    mask_key_file: the key of token masks (TOLLHOUSE_MASK_KEY_FILE); None: made anew at each start.
    accessors: the folder that keeps the accessors of our Vault tokens, no secrets, so that the next process
    ends what this one leaves if it is killed (TOLLHOUSE_ACCESSORS); None: that lives on until its TTL.
    """

    store: StoreKind
    namespace: str
    connection: str
    folder: Path | None = None
    kubeconfig: Path | None = None
    instance: str = ""
    listen: Address = LISTEN
    health: Address = HEALTH
    tls_dir: Path | None = None
    audit_file: Path | None = None
    audit_file_bytes: int = 0
    audit_stdout: bool = True
    audit_key_file: Path | None = None
    audit_spool: Path | None = None
    drain_seconds: float = 10.0
    token_file: Path | None = None
    mask_key_file: Path | None = None
    accessors: Path | None = None


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises BadSettings."""
    store = _store(environment)
    folder = _path(environment, "TOLLHOUSE_FOLDER")
    if store is StoreKind.FOLDER and folder is None:
        raise BadSettings("TOLLHOUSE_FOLDER is missing: a folder store needs the folder's path")
    to_stdout = _flag(environment, "TOLLHOUSE_AUDIT_STDOUT", default=True)
    return Settings(
        store=store,
        namespace=_required(environment, "TOLLHOUSE_NAMESPACE"),
        connection=_required(environment, "TOLLHOUSE_CONNECTION"),
        folder=folder,
        kubeconfig=_path(environment, "TOLLHOUSE_KUBECONFIG"),
        instance=environment.get("TOLLHOUSE_INSTANCE") or socket.gethostname(),
        listen=_address(environment, "TOLLHOUSE_LISTEN", LISTEN),
        health=_address(environment, "TOLLHOUSE_HEALTH", HEALTH),
        tls_dir=_path(environment, "TOLLHOUSE_TLS_DIR"),
        audit_file=_path(environment, "TOLLHOUSE_AUDIT_FILE"),
        audit_file_bytes=_bytes(
            environment, "TOLLHOUSE_AUDIT_FILE_BYTES", AUDIT_FILE_BYTES if to_stdout else 0
        ),
        audit_stdout=to_stdout,
        audit_key_file=_path(environment, "TOLLHOUSE_AUDIT_KEY_FILE"),
        audit_spool=_path(environment, "TOLLHOUSE_AUDIT_SPOOL"),
        drain_seconds=_seconds(environment, "TOLLHOUSE_DRAIN_SECONDS", 10.0),
        token_file=_path(environment, "TOLLHOUSE_TOKEN_FILE"),
        mask_key_file=_path(environment, "TOLLHOUSE_MASK_KEY_FILE"),
        accessors=_path(environment, "TOLLHOUSE_ACCESSORS"),
    )


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise BadSettings(f"{name} is missing")
    return value


def _store(environment: Mapping[str, str]) -> StoreKind:
    value = _required(environment, "TOLLHOUSE_STORE")
    try:
        return StoreKind(value)
    except ValueError:
        raise BadSettings(f"TOLLHOUSE_STORE must be kubernetes or folder, not {value!r}") from None


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(name, "")
    return Path(value) if value else None


def _address(environment: Mapping[str, str], name: str, default: Address) -> Address:
    value = environment.get(name, "")
    if not value:
        return default
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise BadSettings(f"{name} must be host:port, not {value!r}")
    return Address(host.strip("[]"), int(port))


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    value = environment.get(name, "")
    if not value:
        return default
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise BadSettings(f"{name} must be a number of seconds from 0 to 86400, not {value!r}")
    return seconds


def _bytes(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name, "")
    if not value:
        return default
    count = int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else -1
    if count != 0 and count < _LEAST_AUDIT_FILE_BYTES:
        raise BadSettings(
            f"{name} must be a number of bytes, 0 or at least {_LEAST_AUDIT_FILE_BYTES}, not {value!r}"
        )
    return count


def _flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environment.get(name, "").lower()
    if not value:
        return default
    if value not in {"true", "false"}:
        raise BadSettings(f"{name} must be true or false, not {value!r}")
    return value == "true"
