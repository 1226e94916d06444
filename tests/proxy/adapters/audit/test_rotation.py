"""An audit file that is bounded: the newest lines stay, whole and in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tollhouse_proxy.adapters.audit.lines import FileOutput

BOUND = 4000


def line(number: int) -> bytes:
    return f"{number:098}\n".encode()


def kept(path: Path) -> bytes:
    files = [path.with_name(f"{path.name}.{number}") for number in (9, 8, 7, 6, 5, 4, 3, 2, 1)] + [path]
    return b"".join(file.read_bytes() for file in files if file.exists())


def taken(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.iterdir())


def test_the_bound_holds_and_the_newest_lines_stay_in_order(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    output = FileOutput(path, BOUND)
    for number in range(500):
        output.write(line(number))
        assert taken(path) <= BOUND
    output.close()
    found = kept(path)
    assert found == b"".join(line(number) for number in range(500 - len(found) // 99, 500))
    assert len(found) >= BOUND // 2
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in tmp_path.iterdir())


def test_the_next_process_goes_on_under_the_same_bound(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(200):
        output = FileOutput(path, BOUND)
        output.write(line(number))
        output.close()
        assert taken(path) <= BOUND
    assert kept(path).endswith(line(198) + line(199))


def test_without_a_bound_one_file_holds_all(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    output = FileOutput(path)
    for number in range(500):
        output.write(line(number))
    output.close()
    assert [file.name for file in tmp_path.iterdir()] == ["audit.jsonl"]
    assert path.stat().st_size == 500 * 99


def test_the_file_being_written_stays_locked_after_it_was_changed(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    output = FileOutput(path, BOUND)
    for number in range(30):
        output.write(line(number))
    second = FileOutput(path, BOUND)
    with pytest.raises(OSError, match="another process"):
        second.write(line(0))
    output.close()


def test_lines_that_are_more_than_a_share_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    output = FileOutput(path, BOUND)
    many = b"".join(line(number) for number in range(20))
    for _ in range(3):
        output.write(many)
    output.close()
    assert path.read_bytes() == many
