"""`tollhouse up` on real parts: a database, a proxy, ordinary clients, and how all of it ends."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from kit import wait
from tollhouse_core.api.identity_provider import IdentityProvider, IdentityProviderSpec, OidcProvider
from tollhouse_core.api.meta import ObjectMeta
from tollhouse_operator.standalone.issuer import LocalIssuer, Wanted

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart"
PROVIDER = IdentityProvider(
    metadata=ObjectMeta(name="corp"),
    spec=IdentityProviderSpec(oidc=OidcProvider(issuer="https://login.corp.example")),
)
CLI = [sys.executable, "-m", "tollhouse_operator.cli"]

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(240)]


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    wait.until(condition, within=seconds)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "quickstart"
    shutil.copytree(QUICKSTART, copy, ignore=shutil.ignore_patterns("state"))
    return copy


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def tollhouse(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *arguments], env=environment(), capture_output=True, text=True, check=False, timeout=120
    )


@contextmanager
def up(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The folder, up and ready."""
    said = folder.parent / "said"
    with said.open("w") as output:
        process = subprocess.Popen([*CLI, "up", str(folder)], env=environment(), stdout=output, text=True)
    try:
        until(lambda: "In another terminal" in said.read_text() or process.poll() is not None)
        assert process.poll() is None, said.read_text()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that is up, for tests that change nothing in it."""
    copy = tmp_path_factory.mktemp("shared") / "quickstart"
    shutil.copytree(QUICKSTART, copy, ignore=shutil.ignore_patterns("state"))
    with up(copy):
        yield copy


def port(folder: Path) -> int:
    running = json.loads((folder / "state" / "running.json").read_text())
    return int(running["connections"]["default/shop-db"]["port"])


def connect(folder: Path, *, user: str = "triage", tenant: int = 1) -> psycopg.Connection[tuple[object, ...]]:
    wanted = Wanted(
        audiences=["tollhouse"],
        lifetime=timedelta(minutes=5),
        user=user,
        groups=["support-agents"],
        claims={"tenant": tenant},
    )
    issuer = LocalIssuer(folder / "state" / "issuer")
    token = issuer.mint(PROVIDER, wanted, datetime.now(UTC)).reveal()
    return psycopg.connect(
        host="localhost",
        port=port(folder),
        dbname="shop",
        user="agent",
        password=token,
        sslmode="verify-full",
        sslrootcert=str(folder / "state" / "tls" / "ca.crt"),
        autocommit=True,
    )


def children(pid: int) -> list[int]:
    """Processes started by `pid`, and by those in turn."""
    found, waiting = [], [pid]
    while waiting:
        started = started_by(waiting.pop())
        found += started
        waiting += started
    return found


def started_by(parent: int) -> list[int]:
    """Processes started by `parent` itself."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


def proxy_of(supervisor: int) -> int:
    """The one proxy. The processes it starts to read long texts are `tollhouse_proxy` too, but not the
    supervisor's own children."""
    (proxy,) = [pid for pid in started_by(supervisor) if b"tollhouse_proxy" in _arguments(pid)]
    return proxy


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_the_tour_holds() -> None:
    ended = tollhouse("demo", "--tour", str(QUICKSTART))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "All 9 steps held" in ended.stdout


@pytest.mark.parametrize(
    ("written", "instead", "step"),
    [
        ("columns: [customers.email, customers.phone]", "columns: [customers.phone]", 1),
        ("access: [Select]", "access: [Select, Delete]", 4),
    ],
)
def test_the_tour_fails_loudly_where_a_policy_differs(
    folder: Path, written: str, instead: str, step: int
) -> None:
    policies = folder / "policies.yaml"
    text = policies.read_text()
    assert written in text
    policies.write_text(text.replace(written, instead))
    ended = tollhouse("demo", "--tour", str(folder))
    assert ended.returncode == 1
    assert f"step {step} did not hold" in ended.stdout, ended.stdout


@pytest.mark.parametrize(("tenant", "ids"), [(1, [1, 2, 3]), (2, [4, 5]), (3, [])])
def test_agents_see_the_rows_of_their_own_tenant_only(shared: Path, tenant: int, ids: list[int]) -> None:
    with connect(shared, tenant=tenant) as session:
        rows = session.execute("SELECT id FROM customers ORDER BY id").fetchall()
        assert [row[0] for row in rows] == ids


def test_what_the_backend_role_may_do_too_much_is_told(shared: Path) -> None:
    def told() -> subprocess.CompletedProcess[str]:
        command = [*CLI, "privileges", "--dir", str(shared), "-o", "json"]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    until(lambda: told().returncode == 1, seconds=150)  # one that fails is tried again after a minute
    found = json.loads(told().stdout)["default/shop-db"]
    assert any("query_to_xml" in one["sql"] and "FROM PUBLIC" in one["sql"] for one in found)
    assert not any("superuser" in one["what"] for one in found)


def test_edits_bite_and_broken_files_leave_the_last_good_policy(folder: Path) -> None:
    policies = folder / "policies.yaml"
    before = policies.read_text()
    with up(folder), connect(folder) as session:
        policies.write_text(before.replace("[customers, orders, payments]}", "[customers]}", 1))
        until(lambda: _refused(session, "SELECT 1 FROM orders"))
        policies.write_text("kind: [")
        until(lambda: f"problem: {policies}:1: expected YAML" in (folder.parent / "said").read_text())
        assert _refused(session, "SELECT 1 FROM orders")
        assert not _refused(session, "SELECT 1 FROM customers")
        policies.write_text(before)
        until(lambda: not _refused(session, "SELECT 1 FROM orders"))
        assert "the last good one stays in force" in (folder.parent / "said").read_text()


REVOCATION = """
apiVersion: tollhouse.dev/v1alpha1
kind: Revocation
metadata: {name: laptop-stolen}
spec: {reason: ticket 4711, revoke: [{user: triage}]}
"""


def test_a_revocation_ends_a_live_session_with_words_whatever_else_is_broken(
    folder: Path,
) -> None:
    with up(folder), connect(folder) as session, connect(folder, user="other") as other:
        session.execute("SELECT 1")
        (folder / "broken.yaml").write_text("kind: [")
        until(lambda: "the last good one stays" in (folder.parent / "said").read_text())
        (folder / "revocation.yaml").write_text(REVOCATION)
        # The proxy's own last words, read as they come: the client asks nothing.
        ready, _, _ = select.select([session.pgconn.socket], [], [], 60)
        assert ready
        with pytest.raises(psycopg.OperationalError) as found:
            session.execute("SELECT 1")
        assert found.value.sqlstate == "57P01"
        assert "access was revoked by Revocation default/laptop-stolen: ticket 4711" in str(found.value)
        with pytest.raises(psycopg.OperationalError, match="laptop-stolen"):
            connect(folder)
        assert other.execute("SELECT 1").fetchone() == (1,)
        (folder / "revocation.yaml").unlink()
        (folder / "broken.yaml").unlink()
        until(lambda: _admitted(folder))


def _admitted(folder: Path) -> bool:
    try:
        connect(folder).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_folder_has_one_supervisor_at_a_time(shared: Path) -> None:
    second = tollhouse("up", str(shared))
    assert second.returncode == 4
    assert "another `tollhouse up` runs" in second.stderr


def test_ctrl_c_ends_everything_in_order(folder: Path) -> None:
    with up(folder) as process:
        started = children(process.pid)
        assert len(started) >= 2
        with connect(folder) as session:
            session.execute("SELECT 1 FROM customers")
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
    assert not any(map(alive, started))
    verified = tollhouse("audit", "verify", "--dir", str(folder))
    assert verified.returncode == 0, verified.stdout
    assert not (folder / "state" / "running.json").exists()


def test_a_killed_supervisor_leaves_nothing_running(folder: Path) -> None:
    with up(folder) as process:
        started = children(process.pid)
        process.kill()
        process.wait(10)
        until(lambda: not any(map(alive, started)))
        left = Path((folder / "state" / "notes" / "default.shop-db.postgres").read_text())
        assert left.exists()
    with up(folder):
        assert not left.exists()


def test_a_killed_proxy_is_started_again(folder: Path) -> None:
    with up(folder) as process:
        proxy = proxy_of(process.pid)
        until(lambda: _readers(proxy) != [])
        readers = _readers(proxy)
        os.kill(proxy, signal.SIGKILL)
        until(lambda: not any(map(alive, readers)))
        until(lambda: _connects(folder))
        assert proxy_of(process.pid) != proxy


def test_a_proxy_whose_port_was_taken_meanwhile_moves_on(folder: Path) -> None:
    with up(folder) as process:
        before = port(folder)
        os.kill(proxy_of(process.pid), signal.SIGKILL)
        with wait.until(lambda: _listening(before), within=60):
            until(lambda: port(folder) != before)
            until(lambda: _connects(folder))


def test_what_is_kept_is_closed_to_others(shared: Path) -> None:
    state = shared / "state"
    assert state.stat().st_mode & 0o777 == 0o700
    secret = [state / "audit" / "key", state / "issuer" / "key.json", state / "mask.key"]
    secret += (state / "secrets").rglob("*.json")
    assert len(secret) == 4
    assert all(path.stat().st_mode & 0o077 == 0 for path in secret)


def test_a_changed_port_moves_the_proxy(folder: Path) -> None:
    connection = folder / "connection.yaml"
    with up(folder):
        before = port(folder)
        connection.write_text(connection.read_text().replace("port: 5432 ", "port: 7654 "))
        until(lambda: port(folder) != before and port(folder) >= 7654)
        until(lambda: _connects(folder))


def test_a_removed_connection_is_stopped(folder: Path) -> None:
    with up(folder) as process:
        proxy = proxy_of(process.pid)
        until(lambda: _readers(proxy) != [])
        served = [proxy, *_readers(proxy)]
        (folder / "connection.yaml").unlink()
        until(lambda: not any(map(alive, served)))
        assert not any(b"tollhouse_proxy" in _arguments(pid) for pid in children(process.pid))
        assert not (folder / "state" / "bundles" / "default" / "shop-db.json").exists()


def _refused(session: psycopg.Connection[tuple[object, ...]], sql: str) -> bool:
    try:
        session.execute(sql.encode())
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def _connects(folder: Path) -> bool:
    try:
        connect(folder).close()
    except psycopg.OperationalError:
        return False
    return True


def _listening(number: int) -> socket.socket:
    """Raises OSError while the port is somebody else's."""
    return socket.create_server(("127.0.0.1", number))


def _readers(proxy: int) -> list[int]:
    """The processes that read long texts for a proxy; one is kept ready."""
    return [pid for pid in started_by(proxy) if b"tollhouse_proxy.reading" in _arguments(pid)]


def _arguments(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
