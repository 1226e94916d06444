"""The embedded databases of Connections that ask for one.

A Connection with the annotation `tollhouse.dev/embedded-postgres: shop.sql` gets a PostgreSQL of
its own, filled from that file of the folder; its target is overridden, and the Secret that its
`credentials.secretRef` names is written for the proxy alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from tollhouse_core.api.connection import Connection
from tollhouse_core.api.targets import BackendTls, BackendTlsMode
from tollhouse_operator.compiling import Key
from tollhouse_operator.standalone.documents import Complaint
from tollhouse_operator.standalone.embedded import EmbeddedFailed, EmbeddedPostgres, Login, start_postgres
from tollhouse_operator.standalone.layout import Folder, replace_file

ANNOTATION = "tollhouse.dev/embedded-postgres"


class Databases:
    """All embedded servers of a folder. `changed`: whether the last `ensure` started one."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._servers: dict[Key, EmbeddedPostgres] = {}
        self.changed = False

    async def ensure(self, connections: Mapping[Key, Connection]) -> list[Complaint]:
        """Starts what is asked for and is not there; complains about what cannot be had."""
        self.changed = False
        complaints: list[Complaint] = []
        for key, connection in connections.items():
            if ANNOTATION not in connection.metadata.annotations or key in self._servers:
                continue
            try:
                self._servers[key] = await self._start(connection)
                self.changed = True
            except (EmbeddedFailed, OSError) as error:
                complaints.append(Complaint(self._folder.root, 0, f"{connection.title}: {error}"))
        return complaints

    def has(self, connection: Connection) -> bool:
        """Whether the Connection has the database it asked for, or asked for none."""
        key = (connection.namespace, connection.name)
        return ANNOTATION not in connection.metadata.annotations or key in self._servers

    def adjust(self, connection: Connection) -> Connection:
        """The Connection with its target where the embedded server is."""
        server = self._servers.get((connection.namespace, connection.name))
        target = connection.spec.postgres
        if server is None or target is None:
            return connection
        there = target.model_copy(
            update={
                "host": "127.0.0.1",
                "port": server.port,
                "tls": BackendTls(mode=BackendTlsMode.DISABLE),
            }
        )
        return connection.model_copy(update={"spec": connection.spec.model_copy(update={"postgres": there})})

    async def keep(self, kept: Collection[Key]) -> None:
        """Stops the servers of Connections that are gone."""
        for key in [key for key in self._servers if key not in kept]:
            await self._servers.pop(key).stop()

    async def stop(self) -> None:
        """Stops all."""
        await self.keep(())

    async def _start(self, connection: Connection) -> EmbeddedPostgres:
        target, reference = connection.spec.postgres, connection.spec.credentials.secret_ref
        if target is None or reference is None:
            raise EmbeddedFailed(f"{ANNOTATION} goes with `postgres` and `credentials.secretRef`")
        sql = self._file(connection.metadata.annotations[ANNOTATION])
        name = f"{connection.namespace}.{connection.name}.postgres"
        server = await start_postgres(
            self._folder.state / "logs" / f"{name}.log", self._folder.state / "notes" / name
        )
        try:
            login = await server.fill(target.database, sql, f"{connection.name.replace('-', '_')}_app")
            self._write_secret(connection, login)
        except BaseException:
            await server.stop()
            raise
        return server

    def _file(self, name: str) -> Path:
        path = (self._folder.root / name).resolve()
        if not path.is_relative_to(self._folder.root) or not path.is_file():
            raise EmbeddedFailed(f"{ANNOTATION}: expected the name of a file in the folder, found {name!r}")
        return path

    def _write_secret(self, connection: Connection, login: Login) -> None:
        reference = connection.spec.credentials.secret_ref
        assert reference is not None
        values = {reference.username_key: login.username, reference.password_key: login.password.reveal()}
        document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": reference.name, "namespace": connection.namespace},
            "stringData": values,
        }
        replace_file(self._folder.secret(connection.namespace, reference.name), json.dumps(document).encode())
