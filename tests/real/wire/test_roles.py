"""A Connection with roles: the user a client asks for picks what the proxy logs in with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kit import wait
from kit.guard_world import TRIAGE, ListSink, MemoryApprovals
from kit.postgres import Postgres
from kit.wire_world import TOKEN, SystemClock, TokenBook
from tollhouse_core.api import parse_object
from tollhouse_core.api.targets import ANY_ROLE
from tollhouse_core.policy.bundle import build_bundle
from tollhouse_core.policy.limits import LimitBook
from tollhouse_dialects import LANGUAGES
from tollhouse_proxy.adapters.stores import open_stores
from tollhouse_proxy.guard.counters import Counters
from tollhouse_proxy.guard.gate import Gate
from tollhouse_proxy.guard.house import House
from tollhouse_proxy.guard.in_force import InForce
from tollhouse_proxy.serving import Serving
from tollhouse_proxy.settings import Address, Settings, StoreKind

pytestmark = pytest.mark.postgres

HEAD = {"apiVersion": "tollhouse.dev/v1alpha1"}
ROLES = ("reporting", "billing")
GIVEN = {"name": "ways-in", "allow": {"sql": {"roles": ["reporting", "billing"]}}}
TABLES = """
CREATE TABLE invoices (id int);
INSERT INTO invoices VALUES (1);
GRANT SELECT ON invoices TO PUBLIC;
"""
READ = {
    "name": "reports",
    "when": 'session.user == "reporting"',
    "allow": {"sql": {"access": ["Select"], "tables": ["invoices"]}},
}


class Sink(ListSink):
    """Takes everything."""

    failure = ""


class Book(TokenBook):
    """Knows one token, and has nothing to close."""

    warnings = ()

    async def close(self) -> None: ...


class Shop:
    """One Connection, served in this process from a folder."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.database = server.create_database(sql=TABLES)
        self.in_force = InForce(LANGUAGES)
        for role in ROLES:
            server.create_role(role, password=server.password)
        for role in (*ROLES, server.superuser):
            (folder / f"{role}.yaml").write_text(
                f"kind: Secret\nmetadata: {{name: {role}}}\n"
                f"stringData: {{username: {role}, password: {server.password}}}\n"
            )

    def offer(self, *roles: str, given: dict[str, Any] = GIVEN, others: str = "") -> None:
        """Offers each role with its own Secret; `others` is the Secret for every other name."""
        secrets = {role: role for role in roles} | ({ANY_ROLE: others} if others else {})
        target = {
            "host": self.server.host,
            "port": self.server.port,
            "database": self.database,
            "tls": {"mode": "Disable"},
            "roles": {
                role: {"credentials": {"secretRef": {"name": secret}}} for role, secret in secrets.items()
            },
        }
        connection = HEAD | {
            "kind": "Connection",
            "metadata": {"name": "shop", "namespace": "default"},
            "spec": {
                "postgres": target,
                "credentials": {"secretRef": {"name": self.server.superuser}},
                "proxy": {"tls": {"mode": "Disable"}},
            },
        }
        policy = HEAD | {
            "kind": "AccessPolicy",
            "metadata": {"name": "support", "namespace": "default"},
            "spec": {
                "connections": {"names": ["shop"]},
                "subjects": [{"group": "support-agents"}],
                "rules": [READ, given],
            },
        }
        made = build_bundle(parse_object(connection), [parse_object(policy)], [], [], LANGUAGES)  # type: ignore[arg-type,list-item]
        assert made.bundle is not None, made.problems
        assert self.in_force.offer(made.bundle.to_json())

    def serving(self) -> Serving:
        settings = Settings(
            StoreKind.FOLDER, "default", "shop", self.folder, instance="one", listen=Address("127.0.0.1", 0)
        )
        stores = open_stores(settings)
        sink: Any = Sink()
        house = House(
            self.in_force, MemoryApprovals(), sink, SystemClock(), LimitBook(), Counters(), settings.instance
        )
        serving = Serving(settings, stores, house, Gate(house), sink)
        prover: Any = Book({TOKEN: TRIAGE})
        serving._prover = prover
        return serving


@pytest.fixture
async def shop(postgres: Postgres, tmp_path: Path) -> AsyncIterator[tuple[Shop, Serving]]:
    shop = Shop(postgres, tmp_path)
    shop.offer(*ROLES)
    serving = shop.serving()
    await serving.start()
    await wait.until_async(lambda: served(serving))
    yield shop, serving
    await serving.drain()
    await serving.close()


async def served(serving: Serving) -> bool:
    return not serving.trouble


async def connect(serving: Serving, database: str, user: str) -> psycopg.AsyncConnection:
    dsn = f"host=127.0.0.1 port={serving.port} dbname={database} user={user} password={TOKEN}"
    return await psycopg.AsyncConnection.connect(dsn, autocommit=True)


async def backend_user(connection: psycopg.AsyncConnection) -> str:
    cursor = await connection.execute("SHOW session_authorization")
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


async def test_each_user_gets_the_credential_of_its_role(shop: tuple[Shop, Serving]) -> None:
    world, serving = shop
    for role in ROLES:
        async with await connect(serving, world.database, role) as session:
            assert await backend_user(session) == role


async def test_a_rule_can_ask_for_the_role(shop: tuple[Shop, Serving]) -> None:
    world, serving = shop
    async with await connect(serving, world.database, "reporting") as session:
        cursor = await session.execute("SELECT id FROM invoices")
        assert await cursor.fetchall() == [(1,)]
    async with await connect(serving, world.database, "billing") as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await session.execute("SELECT id FROM invoices")


async def test_a_user_that_is_no_role_is_refused_with_the_list(shop: tuple[Shop, Serving]) -> None:
    world, serving = shop
    with pytest.raises(psycopg.OperationalError) as refused:
        await connect(serving, world.database, "postgres")
    assert 'role "postgres" is not served here' in str(refused.value)
    assert "billing, reporting" in str(refused.value)


async def test_a_role_that_no_rule_gives_is_refused_with_those_that_are(shop: tuple[Shop, Serving]) -> None:
    world, serving = shop
    world.offer(*ROLES, given={"name": "ways-in", "allow": {"sql": {"roles": ["report*"]}}})
    async with await connect(serving, world.database, "reporting") as session:
        assert await backend_user(session) == "reporting"
    with pytest.raises(psycopg.OperationalError) as refused:
        await connect(serving, world.database, "billing")
    assert "no rule gives the role billing to triage" in str(refused.value)
    assert "roles report*" in str(refused.value)
    with pytest.raises(psycopg.OperationalError, match="It serves you reporting\\."):
        await connect(serving, world.database, "postgres")


async def test_a_session_ends_when_its_role_is_taken_away(shop: tuple[Shop, Serving]) -> None:
    world, serving = shop
    async with await connect(serving, world.database, "billing") as session:
        assert await backend_user(session) == "billing"
        world.offer(*ROLES, given={"name": "not-any-more", "deny": {"sql": {"roles": ["billing"]}}})
        with pytest.raises(psycopg.OperationalError, match="the role billing any more"):
            await backend_user(session)


async def test_a_wildcard_passes_on_the_user_that_the_client_names(shop: tuple[Shop, Serving]) -> None:
    """A role made by the very suite that then asks for it, on a server where all share one password."""
    world, serving = shop
    world.server.create_role("made_just_now", password=world.server.password)
    given = {"name": "ways-in", "allow": {"sql": {"roles": ["made_*"]}}}
    world.offer("reporting", given=given, others=world.server.superuser)

    async def logs_in_as_itself() -> bool:
        async with await connect(serving, world.database, "made_just_now") as session:
            return await backend_user(session) == "made_just_now"

    await wait.until_async(logs_in_as_itself)
    with pytest.raises(psycopg.OperationalError, match="no rule gives the role postgres"):
        await connect(serving, world.database, "postgres")
    with pytest.raises(psycopg.OperationalError, match="is not served here"):
        await connect(serving, world.database, "made_" + "x" * 60)


async def test_roles_follow_the_connection(shop: tuple[Shop, Serving]) -> None:
    """One that is taken away lends no more; the sessions it has go on. Without roles the user is ignored."""
    world, serving = shop
    async with await connect(serving, world.database, "billing") as before:
        world.offer("reporting")
        await wait.until_async(lambda: turned_away(serving, world.database, "billing"))
        assert await backend_user(before) == "billing"
    world.offer()

    async def has_the_connections_own() -> bool:
        async with await connect(serving, world.database, "billing") as session:
            return await backend_user(session) == world.server.superuser

    await wait.until_async(has_the_connections_own)


async def turned_away(serving: Serving, database: str, user: str) -> bool:
    try:
        async with await connect(serving, database, user):
            return False
    except psycopg.OperationalError:
        return True
