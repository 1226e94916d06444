"""Where things are in the folder of `tollhouse up`."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PEOPLE = "people.yaml"


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder people write into, and `state/` beneath it, which is the program's (mode 0700)."""

    root: Path

    @property
    def state(self) -> Path:
        """Everything the program keeps."""
        return self.root / "state"

    @property
    def people(self) -> Path:
        """Who may speak for whom."""
        return self.root / PEOPLE

    @property
    def approvals(self) -> Path:
        """ApprovalRequests, in one folder for each namespace."""
        return self.state / "approvals"

    @property
    def issuer(self) -> Path:
        """The local issuer's key and its published half."""
        return self.state / "issuer"

    @property
    def authority(self) -> Path:
        """The certificate that vouches for every proxy here."""
        return self.state / "tls" / "ca.crt"

    @property
    def audit_key(self) -> Path:
        """The private key that signs the audit; its public half is beside it, `.pub`."""
        return self.state / "audit" / "key"

    @property
    def audit_public_key(self) -> Path:
        """What the audit is verified with."""
        return self.state / "audit" / "key.pub"

    @property
    def mask_key(self) -> Path:
        """The key of token masks."""
        return self.state / "mask.key"

    @property
    def running(self) -> Path:
        """What runs now: process id and ports, for the other commands."""
        return self.state / "running.json"

    def audit_file(self, namespace: str, connection: str) -> Path:
        """The audit trail of a Connection."""
        return self.state / "audit" / f"{namespace}.{connection}.jsonl"

    def audit_files(self) -> list[Path]:
        """All audit trails there are."""
        return sorted((self.state / "audit").glob("*.jsonl"))

    def bundle(self, namespace: str, connection: str) -> Path:
        """The bundle in force."""
        return self.state / "bundles" / namespace / f"{connection}.json"

    def secret(self, namespace: str, name: str) -> Path:
        """A Secret that the program made."""
        return self.state / "secrets" / namespace / f"{name}.json"

    def tls(self, namespace: str, connection: str) -> Path:
        """The folder of a proxy's serving certificate."""
        return self.state / "tls" / f"{namespace}.{connection}"

    def log(self, namespace: str, connection: str) -> Path:
        """What a proxy says."""
        return self.state / "logs" / f"{namespace}.{connection}.log"

    def reports(self, namespace: str, connection: str) -> Path:
        """What proxies report about themselves."""
        return self.state / "reports" / namespace / connection

    def prepare(self) -> None:
        """Makes `state/`, readable by nobody else. Raises OSError."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.state.chmod(0o700)


def replace_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Writes beside, syncs and renames. Raises OSError; the old content stands then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
