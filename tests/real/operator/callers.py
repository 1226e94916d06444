"""Callers of the API server with one kept connection each: people by certificate, machines by token.

The message of an answer is what kubectl prints behind "Error from server"; starting kubectl for
every cell of a large table would take minutes.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from kit.control_plane import Cluster

JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP status, the words of a refusal ("" if there is none), and the object."""

    status: int
    message: str = ""
    object: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the API server did it."""
        return 200 <= self.status < 300


class Caller:
    """One who calls: `token` is a ServiceAccount's, else `person` is one that `Cluster.person` made.

    user, groups: impersonated with every call (`kubectl --as`), by whoever calls; "" is oneself.
    """

    def __init__(
        self, cluster: Cluster, person: str = "", token: str = "", user: str = "", groups: Sequence[str] = ()
    ) -> None:
        context = ssl.create_default_context(cafile=str(cluster.ca_file))
        if person:
            folder = cluster.authority.folder
            context.load_cert_chain(folder / f"person-{person}.crt", folder / f"person-{person}.key")
        address = urlsplit(cluster.server)
        assert address.hostname is not None
        self._connection = http.client.HTTPSConnection(
            address.hostname, address.port, context=context, timeout=30
        )
        self._headers = [("Authorization", f"Bearer {token}")] if token else []
        if user:
            self._headers.append(("Impersonate-User", user))
            self._headers += [("Impersonate-Group", group) for group in groups]

    def call(self, verb: str, path: str, body: object = None, kind: str = JSON, dry: bool = False) -> Reply:
        """`dry`: the API server does everything except storing it."""
        if dry:
            path += ("&" if "?" in path else "?") + "dryRun=All"
        text = b"" if body is None else json.dumps(body).encode()
        try:
            status, answer = self._send(verb, path, text, kind)
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError):
            status, answer = self._send(verb, path, text, kind)  # an idle connection may be closed any time
        return _reply(status, answer)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _send(self, verb: str, path: str, text: bytes, kind: str) -> tuple[int, bytes]:
        try:
            self._connection.putrequest(verb, path)
            for name, value in [*self._headers, ("Content-Type", kind), ("Content-Length", str(len(text)))]:
                self._connection.putheader(name, value)
            self._connection.endheaders(text)
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (http.client.HTTPException, OSError):
            self._connection.close()
            raise


def _reply(status: int, answer: bytes) -> Reply:
    try:
        read = json.loads(answer)
    except ValueError:
        return Reply(status, answer.decode(errors="replace"))
    message = str(read.get("message", "")) if read.get("kind") == "Status" else ""
    return Reply(status, message, read)
