"""The fixtures tests ask for, one per real part, started once per session when the first test wants them.

postgres: PostgreSQL 16.          postgres15, postgres18: those releases, with TLS.
any_postgres: each in turn.       tls_postgres: one that speaks TLS.
openbao: the Vault API.           control_plane: etcd and kube-apiserver.
keycloak: two realms (OIDC, SAML). Only for tests marked so: it is large and slow to start.
node: a whole cluster with pods (root only; see `kit.node`).
database: a fresh database of `postgres`. namespace: a fresh namespace of `control_plane`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from kit import control_plane as control_plane_part
from kit import keycloak as keycloak_part
from kit import node as node_part
from kit import openbao as openbao_part
from kit import postgres as postgres_part
from kit.cache import MissingPart
from kit.control_plane import ControlPlane
from kit.keycloak import Keycloak
from kit.node import Node
from kit.openbao import OpenBao
from kit.postgres import Postgres

RELEASES = [16, 18, *([15] if postgres_part.available(15) else [])]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with postgres_part.running(16) as server:
        yield server


@pytest.fixture(scope="session")
def postgres15() -> Iterator[Postgres]:
    _must_have(15)
    with postgres_part.running(15) as server:
        yield server


@pytest.fixture(scope="session")
def postgres18() -> Iterator[Postgres]:
    _must_have(18)
    with postgres_part.running(18) as server:
        yield server


def _must_have(release: int) -> None:
    """Leave a test out, with the reason, where its release cannot be had; with TOLLHOUSE_ALL_PARTS, fail."""
    try:
        postgres_part.programs_of(release)
    except MissingPart as missing:
        if os.environ.get("TOLLHOUSE_ALL_PARTS"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def tls_postgres(request: pytest.FixtureRequest) -> Postgres:
    name = "postgres15" if postgres_part.available(15) else "postgres18"
    server = request.getfixturevalue(name)
    assert isinstance(server, Postgres)
    return server


@pytest.fixture(scope="session", params=RELEASES, ids=lambda release: f"postgres{release}")
def any_postgres(request: pytest.FixtureRequest) -> Postgres:
    release: int = request.param
    server = request.getfixturevalue("postgres" if release == 16 else f"postgres{release}")
    assert isinstance(server, Postgres)
    return server


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    name = postgres.create_database()
    yield name
    postgres.psql(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao]:
    with openbao_part.running() as server:
        yield server


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with control_plane_part.running() as plane:
        yield plane


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    return control_plane.namespace()


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    with node_part.running() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def keycloak() -> Iterator[Keycloak]:
    with keycloak_part.running() as server:
        yield server
