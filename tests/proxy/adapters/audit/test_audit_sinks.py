"""The audit's sinks on real files: order, group commit, full disks, rotation, spool."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tollhouse_core.api.audit_sink import AuditSinkSpec
from tollhouse_core.api.connection import WhenUnavailable
from tollhouse_core.audit.event import Event, EventKind
from tollhouse_core.audit.verify import State, verify
from tollhouse_proxy.adapters.audit.lines import FileOutput, LineOutput, StreamOutput
from tollhouse_proxy.adapters.audit.signing import BadSigningKey, load_signer
from tollhouse_proxy.adapters.audit.sinks import AuditSinks, UnsupportedSink, outputs_for
from tollhouse_proxy.ports.audit import AuditUnavailable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FULL = Path("/dev/full")


def event(sequence: int, kind: EventKind = EventKind.OPERATION_DECIDED, **data: object) -> Event:
    return Event(kind, "s-1", sequence, NOW, data)


OPENED = event(0, EventKind.SESSION_OPENED, identity={"name": "alice"})


@asynccontextmanager
async def audit(
    *outputs: LineOutput,
    writer: str = "proxy-1",
    spool_folder: Path | None = None,
    max_queued_events: int = 1000,
    when_unavailable: WhenUnavailable = WhenUnavailable.REFUSE,
) -> AsyncIterator[AuditSinks]:
    sinks = AuditSinks(
        outputs,
        writer=writer,
        spool_folder=spool_folder,
        max_queued_events=max_queued_events,
        when_unavailable=when_unavailable,
    )
    try:
        yield sinks
    finally:
        await sinks.close()


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.005)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """A full disk, as far as one process can make one: the kernel cuts writes at `size`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_what_was_accepted_is_in_the_file_after_a_flush(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "audit.jsonl"
    async with audit(FileOutput(path)) as sinks:
        sinks.accept(OPENED)
        for number in range(1, 200):
            sinks.accept(event(number, text=f"SELECT {number} -- \udcff"))
        await sinks.flush()
        with path.open("rb") as lines:
            report = verify(lines)
        assert (report.lines, report.state) == (200, State.OPEN)
        assert path.stat().st_mode & 0o777 == 0o600


async def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with audit(FileOutput(path)) as sinks:
        sinks.accept(OPENED)
        sinks.accept(event(1, EventKind.SESSION_CLOSED))
    with path.open("rb") as lines:
        assert verify(lines).state is State.SOUND
    with pytest.raises(AuditUnavailable, match="closed"):
        sinks.accept(event(2))


async def test_every_output_gets_the_same_lines(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    path = tmp_path / "audit.jsonl"
    async with audit(FileOutput(path), StreamOutput(writing, "pipe")) as sinks:
        sinks.accept(OPENED)
        await sinks.flush()
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == path.read_bytes()


async def test_a_second_process_goes_on_in_the_same_file_with_a_trail_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(2):
        async with audit(FileOutput(path), writer=f"proxy-{number}") as sinks:
            session = f"s-{number}"
            sinks.accept(Event(EventKind.SESSION_OPENED, session, 0, NOW))
            sinks.accept(Event(EventKind.SESSION_CLOSED, session, 1, NOW))
    with path.open("rb") as lines:
        report = verify(lines)
    assert (report.state, len(report.sessions)) == (State.SOUND, 2)


async def test_a_line_torn_by_a_crash_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"session":"s-0","seq')
    async with audit(FileOutput(path)) as sinks:
        sinks.accept(OPENED)
    with path.open("rb") as lines:
        report = verify(lines)
    assert [found.line for found in report.breaks] == [1]
    assert report.sessions["s-1"].state is State.OPEN


async def test_a_full_disk_refuses_everything_that_follows() -> None:
    async with audit(FileOutput(FULL)) as sinks:
        sinks.accept(OPENED)
        await until(lambda: bool(sinks.failure))
        with pytest.raises(AuditUnavailable, match="No space left"):
            sinks.accept(event(1))


async def test_one_failing_output_of_two_refuses_too(tmp_path: Path) -> None:
    async with audit(FileOutput(tmp_path / "audit.jsonl"), FileOutput(FULL)) as sinks:
        sinks.accept(OPENED)
        await until(lambda: bool(sinks.failure))
        with pytest.raises(AuditUnavailable):
            sinks.accept(event(1))


async def test_a_disk_with_room_again_gets_every_line_once(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with audit(FileOutput(path)) as sinks:
        sinks.accept(OPENED)
        await sinks.flush()
        with files_no_larger_than(path.stat().st_size + 100):
            for number in range(1, 20):
                sinks.accept(event(number, text="SELECT 1"))
            with pytest.raises(AuditUnavailable, match="too large"):
                await sinks.flush()
            with pytest.raises(AuditUnavailable):
                sinks.accept(event(20))
            assert path.read_bytes().endswith(b"\n")
        await until(lambda: not sinks.failure)
        sinks.accept(event(20, EventKind.SESSION_CLOSED))
    with path.open("rb") as lines:
        report = verify(lines)
    assert (report.lines, report.state) == (21, State.SOUND)


async def test_with_spool_lines_wait_on_disk_and_are_delivered_in_order(tmp_path: Path) -> None:
    blocked = tmp_path / "folder"
    blocked.mkdir()
    path = blocked / "audit.jsonl"
    path.mkdir()
    spool = tmp_path / "spool"
    async with audit(FileOutput(path), spool_folder=spool, when_unavailable=WhenUnavailable.SPOOL) as sinks:
        sinks.accept(OPENED)
        sinks.accept(event(1, text="SELECT 1"))
        await sinks.flush()
        assert len((tmp_path / "spool" / "0.jsonl").read_bytes().splitlines()) == 2
        path.rmdir()
        sinks.accept(event(2, EventKind.SESSION_CLOSED))
        await until(lambda: path.exists() and len(path.read_bytes().splitlines()) == 3)
    with path.open("rb") as lines:
        assert verify(lines).state is State.SOUND
    assert (tmp_path / "spool" / "0.jsonl").read_bytes() == b""


async def test_a_spool_left_behind_is_delivered_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.mkdir()
    spool = tmp_path / "spool"
    async with audit(FileOutput(path), spool_folder=spool, when_unavailable=WhenUnavailable.SPOOL) as sinks:
        sinks.accept(OPENED)
        sinks.accept(event(1, EventKind.SESSION_CLOSED))
        await sinks.flush()
    path.rmdir()
    async with audit(FileOutput(path), writer="proxy-2", spool_folder=tmp_path / "spool") as sinks:
        await until(path.exists)
    with path.open("rb") as lines:
        assert verify(lines).state is State.SOUND


async def test_leave_to_spool_can_come_later(tmp_path: Path) -> None:
    async with audit(FileOutput(FULL), spool_folder=tmp_path / "spool") as sinks:
        sinks.accept(OPENED)
        await until(lambda: bool(sinks.failure))
        sinks.configure(WhenUnavailable.SPOOL)
        await until(lambda: _accepts(sinks, event(1)))
        await sinks.flush()
    assert len((tmp_path / "spool" / "0.jsonl").read_bytes().splitlines()) == 2


async def test_without_leave_to_spool_nothing_is_spooled(tmp_path: Path) -> None:
    async with audit(FileOutput(FULL), spool_folder=tmp_path / "spool") as sinks:
        sinks.accept(OPENED)
        await until(lambda: bool(sinks.failure))
        assert not (tmp_path / "spool").exists()


async def test_a_queue_that_is_full_refuses(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    async with audit(StreamOutput(writing, "pipe"), max_queued_events=50) as sinks:
        await until(lambda: not _accepts(sinks, event(0, text="x" * 100_000)))
        with pytest.raises(AuditUnavailable, match="behind by 50"):
            sinks.accept(event(1))
        drain = asyncio.to_thread(_drain, reading)
        task = asyncio.ensure_future(drain)
        await sinks.flush()
        os.close(writing)
        await task


async def test_a_reader_that_went_away_refuses_for_good() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    async with audit(StreamOutput(writing, "pipe")) as sinks:
        sinks.accept(OPENED)
        await until(lambda: bool(sinks.failure))
        assert "restart the proxy" in sinks.failure
    os.close(writing)


async def test_a_file_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path, old = tmp_path / "audit.jsonl", tmp_path / "audit.1.jsonl"
    async with audit(FileOutput(path)) as sinks:
        sinks.accept(OPENED)
        await sinks.flush()
        path.rename(old)
        sinks.accept(event(1, EventKind.SESSION_CLOSED))
        await sinks.flush()
    assert verify([old.read_bytes(), path.read_bytes()]).state is State.SOUND


async def test_two_processes_cannot_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with audit(FileOutput(path)) as first:
        first.accept(OPENED)
        await first.flush()
        async with audit(FileOutput(path), writer="proxy-2") as second:
            await until(lambda: bool(second.failure))
            assert "another process" in second.failure


async def test_accepting_costs_the_loop_next_to_nothing(tmp_path: Path) -> None:
    async with audit(FileOutput(tmp_path / "audit.jsonl"), max_queued_events=100_000) as sinks:
        events = [event(number, text="SELECT 1") for number in range(20_000)]
        started = time.thread_time()
        for one in events:
            sinks.accept(one)
        spent = (time.thread_time() - started) / len(events)
        assert spent < 20e-6
        await sinks.flush()


def test_a_signing_key_is_an_ed25519_key_in_pem(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    signer = load_signer(path)
    assert signer.key_id.startswith("ed25519:")
    assert len(signer.sign(b"x")) == 64
    path.write_bytes(
        X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(BadSigningKey, match="expected an Ed25519 key"):
        load_signer(path)
    path.write_text("not a key")
    with pytest.raises(BadSigningKey, match="expected an unencrypted PEM"):
        load_signer(path)
    with pytest.raises(BadSigningKey, match="cannot be read"):
        load_signer(tmp_path / "missing")


def test_sorts_of_sinks_that_are_not_built_are_refused_by_name() -> None:
    known = AuditSinkSpec.model_validate({"file": {"path": "/var/log/audit.jsonl"}})
    assert [output.name for output in outputs_for({"archive": known})] == ["/var/log/audit.jsonl"]
    loki = AuditSinkSpec.model_validate({"loki": {"url": "https://loki:3100"}})
    with pytest.raises(UnsupportedSink, match="AuditSink archive: loki is not built yet"):
        outputs_for({"archive": loki})


def _accepts(sinks: AuditSinks, one: Event) -> bool:
    try:
        sinks.accept(one)
    except AuditUnavailable:
        return False
    return True


def _drain(descriptor: int) -> None:
    with os.fdopen(descriptor, "rb") as pipe:
        while pipe.read(1 << 16):
            pass
