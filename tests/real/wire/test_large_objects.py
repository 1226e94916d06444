"""Large objects go by FunctionCall, an oid and no SQL: served for the lo_* functions that rules allow."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import psycopg2
import psycopg2.extensions
import pytest

from kit.postgres import Postgres
from kit.wire_world import TOKEN, ScriptedGate, ScriptedJudge, WireWorld, refused
from tollhouse_core.decision import ContentMask, Obligations, Refused, RuleRef
from tollhouse_core.masks import Detector, DetectorName, Redact
from tollhouse_core.operation import AccessKind, Operation
from tollhouse_proxy.ports.judging import Overrun

pytestmark = pytest.mark.postgres

Serve = Callable[[WireWorld], WireWorld]
LO_IMPORT, LO_OPEN, ABS = 764, 952, 1398
READING = {"lo_open", "loread", "lo_close", "lo_lseek64", "lo_tell64"}


@contextmanager
def opened(world: WireWorld) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(world.dsn())
    try:
        yield connection
    finally:
        connection.close()


def called(world: WireWorld) -> list[str]:
    """The functions that were judged, in order."""
    judge = world.gate.sessions[-1]
    return [
        access.object.removeprefix("pg_catalog.")
        for operation in judge.judged
        for access in operation.accesses
        if access.kind is AccessKind.FUNCTION
    ]


def psql(world: WireWorld, sql: str, *, check: bool = True) -> str:
    done = world.server.psql(
        sql,
        database=world.database,
        user="triage",
        password=TOKEN,
        host=world.host,
        port=world.port,
        check=check,
        environment={"PGSSLMODE": "disable"},
    )
    return (done.stdout + done.stderr).strip()


def test_lobject_of_psycopg2_writes_reads_and_removes(world: WireWorld) -> None:
    data = bytes(range(256)) * 1000
    with opened(world) as client:
        made = client.lobject(0, "wb")
        assert made.write(data) == len(data)
        client.commit()
        read = client.lobject(made.oid, "rb")
        read.seek(1000)
        assert read.read(100) == data[1000:1100]
        assert read.tell() == 1100
        read.close()
        changed = client.lobject(made.oid, "wb")
        changed.truncate(10)
        changed.close()
        assert client.lobject(made.oid, "rb").read() == data[:10]
        changed.unlink()
        client.commit()
    names = called(world)
    assert {"lo_creat", "lo_open", "lowrite", "lo_lseek64", "loread", "lo_unlink"} <= set(names)
    outcomes = {done.outcome.value for done in world.gate.sessions[-1].done}
    assert outcomes == {"Completed"}


def test_a_call_is_judged_with_what_it_was_given(world: WireWorld) -> None:
    with opened(world) as client:
        made = client.lobject()
        made.write(b"secret \0 words")
        client.rollback()
    judged = world.gate.sessions[-1].judged
    [write] = [one for one in judged if "lowrite(" in one.text]
    assert (write.action, write.text) == ("SELECT", "SELECT pg_catalog.lowrite($1, $2)")
    assert write.parameters[1] == "\\x" + b"secret \0 words".hex()
    assert write.facts["inTransaction"] is True


def test_psql_imports_and_exports(world: WireWorld, tmp_path: Path) -> None:
    given, taken = tmp_path / "given", tmp_path / "taken"
    given.write_bytes(os.urandom(20_000))
    oid = psql(world, f"\\lo_import '{given}'\n\\echo :LASTOID").splitlines()[-1]
    psql(world, f"\\lo_export {oid} '{taken}'")
    assert taken.read_bytes() == given.read_bytes()
    assert oid in psql(world, "\\lo_list")
    psql(world, f"\\lo_unlink {oid}")
    assert oid not in psql(world, "\\lo_list")


def test_pg_dump_and_pg_restore_carry_blobs(postgres: Postgres, serve: Serve, tmp_path: Path) -> None:
    source, target = postgres.create_database(), postgres.create_database()
    postgres.psql("SELECT lo_from_bytea(4711, 'kept')", database=source)
    dump = tmp_path / "dump"
    for database, program in ((source, ["pg_dump", "-Fc", "-f", dump]), (target, ["pg_restore", "-d"])):
        through = serve(WireWorld(postgres, database))
        environment = {**os.environ, "PGPASSWORD": TOKEN, "PGSSLMODE": "disable"}
        command = [postgres.bin / str(program[0]), *program[1:], database]
        if program[0] == "pg_restore":
            command.append(dump)
        command += ["-h", through.host, "-p", str(through.port), "-U", postgres.superuser]
        done = subprocess.run(
            [str(word) for word in command], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert (
        postgres.psql("SELECT convert_from(lo_get(4711), 'UTF8')", database=target).stdout.strip() == "kept"
    )


def test_only_the_functions_that_rules_name_are_open(postgres: Postgres, shop: str, serve: Serve) -> None:
    def reading_only(judge: ScriptedJudge, operation: Operation) -> Refused | None:
        names = {access.path[-1] for access in operation.accesses if access.kind is AccessKind.FUNCTION}
        return refused("no rule allows that function") if names - READING else None

    postgres.psql("SELECT lo_from_bytea(4712, 'read me')", database=shop)
    world = serve(WireWorld(postgres, shop, gate=ScriptedGate(deciding=reading_only)))
    try:
        with opened(world) as client:
            assert client.lobject(4712, "rb").read() == b"read me"
            with pytest.raises(psycopg2.OperationalError, match="no rule allows that function"):
                client.lobject(4712, "rb").unlink()
            client.rollback()
            with client.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM customers")
                assert cursor.fetchone() == (3,)
    finally:
        postgres.psql("SELECT lo_unlink(4712)", database=shop)


def test_a_refused_call_aborts_the_transaction_as_any_error_does(
    postgres: Postgres, shop: str, serve: Serve
) -> None:
    def none_at_all(judge: ScriptedJudge, operation: Operation) -> Refused | None:
        named = any(access.kind is AccessKind.FUNCTION for access in operation.accesses)
        return refused() if named else None

    world = serve(WireWorld(postgres, shop, gate=ScriptedGate(deciding=none_at_all)))
    with opened(world) as client, client.cursor() as cursor:
        cursor.execute("INSERT INTO customers VALUES (77, 'never')")
        with pytest.raises(psycopg2.OperationalError):
            client.lobject()
        with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
            cursor.execute("SELECT 1")
        client.rollback()
        cursor.execute("SELECT count(*) FROM customers")
        assert cursor.fetchone() == (3,)


def test_bytes_of_large_objects_count_against_limits(world: WireWorld) -> None:
    with opened(world) as client:
        made = client.lobject()
        made.write(b"x" * 50_000)
        judge = world.gate.sessions[-1]
        judge.spent = lambda operation, rows, size: (  # type: ignore[method-assign]
            Overrun("too many bytes", "Wait.", 3.0, RuleRef()) if size > 10_000 else None
        )
        made.seek(0)
        with pytest.raises(psycopg2.OperationalError, match="too many bytes"):
            made.read()
        client.rollback()


def test_what_cannot_be_masked_is_not_handed_out(postgres: Postgres, shop: str, serve: Serve) -> None:
    content = ContentMask((Detector(DetectorName.PAYMENT_CARD),), Redact("[redacted]"), RuleRef())
    world = serve(WireWorld(postgres, shop, gate=ScriptedGate(obligations=Obligations(content=(content,)))))
    with opened(world) as client, pytest.raises(psycopg2.OperationalError, match="cannot be masked"):
        client.lobject()


@pytest.mark.parametrize("oid", [LO_IMPORT, ABS, 0, 4_000_000_000])
def test_every_other_function_is_refused_whatever_rules_say(world: WireWorld, oid: int) -> None:
    """lo_import reads a file of the server's; abs does not, and is refused as well: it has a name."""
    with psycopg.connect(world.dsn(), autocommit=True) as honest, _raw(world) as talk:
        assert _call(talk, oid) == ("42501", b"I")
        assert _call(talk, LO_OPEN) == ("42501", b"I"), "the number of arguments does not fit"
        assert _query(talk, b"SELECT 1") == b"TDCZ"
        assert honest.execute("SELECT 1").fetchone() == (1,)


def test_an_aborted_transaction_is_not_asked_what_a_number_means(world: WireWorld) -> None:
    with _raw(world) as talk:
        assert _query(talk, b"BEGIN; SELECT 1/0").endswith(b"EZ")
        assert _call(talk, LO_OPEN) == ("25P02", b"E")
        assert _query(talk, b"ROLLBACK") == b"CZ"
        assert _call(talk, LO_OPEN) == ("42501", b"I")


@contextmanager
def _raw(world: WireWorld) -> Iterator[socket.socket]:
    with socket.create_connection((world.host, world.port), 10) as talk:
        pairs = f"user\0triage\0database\0{world.database}\0\0".encode()
        talk.sendall(struct.pack("!II", len(pairs) + 8, 196608) + pairs)
        talk.sendall(b"p" + struct.pack("!I", len(TOKEN) + 5) + TOKEN.encode() + b"\0")
        _until_ready(talk)
        yield talk


def _call(talk: socket.socket, oid: int) -> tuple[str, bytes]:
    """SQLSTATE of the refusal, and the transaction's status."""
    body = struct.pack("!IHHHIIH", oid, 1, 1, 1, 4, 7, 1)
    talk.sendall(b"F" + struct.pack("!I", len(body) + 4) + body)
    answers = _until_ready(talk)
    [error] = [body for kind, body in answers if kind == b"E"]
    code = next(part[1:] for part in error.split(b"\0") if part[:1] == b"C")
    return code.decode(), answers[-1][1]


def _query(talk: socket.socket, text: bytes) -> bytes:
    talk.sendall(b"Q" + struct.pack("!I", len(text) + 5) + text + b"\0")
    return b"".join(kind for kind, _ in _until_ready(talk))


def _until_ready(talk: socket.socket) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    while not found or found[-1][0] != b"Z":
        head = _exactly(talk, 5)
        found.append((head[:1], _exactly(talk, struct.unpack("!I", head[1:])[0] - 4)))
    return found


def _exactly(talk: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = talk.recv(size - len(data))
        assert piece, "the session was ended"
        data += piece
    return data
