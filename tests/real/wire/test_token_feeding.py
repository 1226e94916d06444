"""A token of several kilobytes, given the ways that docs/identity.md tells clients to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psycopg
import pytest

from kit.postgres import Postgres
from kit.wire_world import WireWorld
from tollhouse_core.identity import Identity, Proof
from tollhouse_core.secret import Secret
from tollhouse_operator.login.feeding import fed

pytestmark = pytest.mark.postgres
Serve = Callable[[WireWorld], WireWorld]
LONG = "eyJhbGciOiJSUzI1NiJ9." + "x" * 4000 + ".-_s"


@pytest.fixture
def world(postgres: Postgres, shop: str, serve: Serve) -> WireWorld:
    return serve(WireWorld(postgres, shop, known={LONG: Identity("ann", "corp", Proof.OIDC)}))


def psql(world: WireWorld, conninfo: str = "", **settings: str) -> str:
    where = f"host={world.host} port={world.port} dbname={world.database} {conninfo}"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    command = [str(world.server.psql_program), "-X", "-A", "-t", "-w", "-c", "SELECT 7", where]
    done = subprocess.run(
        command, env={**kept, **settings}, capture_output=True, text=True, timeout=60, check=False
    )
    return (done.stdout + done.stderr).strip()


def test_psql_takes_it_from_its_environment_as_a_shell_sets_it(world: WireWorld) -> None:
    line = fed("psql", Secret(LONG))
    shown = subprocess.run(
        ["sh", "-c", f'{line}; printf %s "$PGPASSWORD"'], capture_output=True, text=True, check=True
    ).stdout
    assert psql(world, "user=ann", PGPASSWORD=shown) == "7"


def test_psql_takes_it_from_a_password_file_by_name_and_by_a_service_file(
    world: WireWorld, tmp_path: Path
) -> None:
    passwords, services = tmp_path / "pgpass", tmp_path / "service.conf"
    passwords.write_text(fed("pgpass", Secret(LONG)) + "\n")
    passwords.chmod(0o600)
    services.write_text(f"[tollhouse]\nuser=ann\npassfile={passwords}\n")
    assert psql(world, "user=ann", PGPASSFILE=str(passwords)) == "7"
    assert psql(world, "service=tollhouse", PGSERVICEFILE=str(services)) == "7"
    services.write_text(f"[tollhouse]\nuser=ann\npassword={LONG}\n")
    assert "too long" in psql(world, "service=tollhouse", PGSERVICEFILE=str(services))


def test_psycopg_takes_what_a_program_prints_for_each_connection(world: WireWorld) -> None:
    for _ in range(2):
        printed = subprocess.check_output([sys.executable, "-c", f"print({LONG!r})"], text=True).strip()
        with psycopg.connect(
            host=world.host, port=world.port, dbname=world.database, user="ann", password=printed
        ) as client:
            assert client.execute("SELECT 7").fetchone() == (7,)


async def test_asyncpg_calls_a_function_for_each_connection(world: WireWorld) -> None:
    asked: list[str] = []

    def token() -> str:
        asked.append("once")
        return LONG

    async with asyncpg.create_pool(
        host=world.host, port=world.port, database=world.database, user="ann", password=token, ssl=False,
        min_size=2, max_size=2,
    ) as pool:  # fmt: skip
        assert await pool.fetchval("SELECT 7") == 7
    assert len(asked) == 2
