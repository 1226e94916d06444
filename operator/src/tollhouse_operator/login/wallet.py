"""Tokens of log-ins, in files that only their user can read: one file for each name."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tollhouse_core.secret import Secret
from tollhouse_operator.login.device import Tokens
from tollhouse_operator.login.provider import LoginFailed
from tollhouse_operator.standalone.layout import replace_file

_NAME = re.compile(r"[a-z0-9][-a-z0-9]{0,62}")


@dataclass(frozen=True, slots=True)
class Login:
    """A log-in that was done. `expires_at` is in seconds since 1970."""

    issuer: str
    client_id: str
    ca_file: str
    access: Secret
    refresh: Secret | None
    expires_at: float

    def with_tokens(self, tokens: Tokens, now: float) -> Login:
        """The same log-in with fresh tokens."""
        return Login(
            self.issuer,
            self.client_id,
            self.ca_file,
            tokens.access,
            tokens.refresh,
            now + tokens.seconds,
        )


class Wallet:
    """The folder of log-ins: $TOLLHOUSE_LOGINS, else tollhouse/logins in the user's cache."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Raises LoginFailed for what is no name."""
        if not _NAME.fullmatch(name):
            raise LoginFailed("a log-in's name has lower-case letters, digits and '-'")
        return self._folder / f"{name}.json"

    def load(self, name: str) -> Login:
        """Raises LoginFailed."""
        path = self.path(name)
        try:
            with path.open("rb") as file:
                _require_own(path, os.fstat(file.fileno()))
                found = json.loads(file.read())
            refresh = found["refreshToken"]
            return Login(
                str(found["issuer"]),
                str(found["clientId"]),
                str(found["caFile"]),
                Secret(str(found["accessToken"])),
                Secret(str(refresh)) if refresh else None,
                float(found["expiresAt"]),
            )
        except FileNotFoundError:
            problem = f"nobody is logged in as {name}: run tollhouse login --name {name} --issuer URL"
        except (ValueError, KeyError, TypeError):
            problem = f"{path} cannot be read; run tollhouse login again"
        raise LoginFailed(problem)

    def save(self, name: str, login: Login) -> Path:
        """Replaces what was there. Raises LoginFailed, OSError."""
        path = self.path(name)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {
            "issuer": login.issuer,
            "clientId": login.client_id,
            "caFile": login.ca_file,
            "accessToken": login.access.reveal(),
            "refreshToken": login.refresh.reveal() if login.refresh else None,
            "expiresAt": login.expires_at,
        }
        replace_file(path, json.dumps(content).encode())
        return path

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """One process at a time: a refresh token may be good for one use only. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / f".{self.path(name).stem}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def wallet() -> Wallet:
    """The user's own."""
    told = os.environ.get("TOLLHOUSE_LOGINS")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Wallet(Path(told) if told else cache / "tollhouse" / "logins")


def _require_own(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise LoginFailed(f"{path} can be read by others: delete it and log in again")
