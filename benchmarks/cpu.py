"""CPU time of other processes, from the kernel's own count."""

from __future__ import annotations

from pathlib import Path


def seconds(pid: int) -> float:
    """CPU seconds of all threads of a process so far (user and kernel; nanoseconds inside)."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((thread / "schedstat").read_text().split()[0])
        except FileNotFoundError:  # it ended between the listing and the reading
            continue
    return total / 1e9


def children(pid: int) -> list[int]:
    """Process ids of the direct children."""
    return [
        int(child)
        for thread in Path(f"/proc/{pid}/task").iterdir()
        for child in (thread / "children").read_text().split()
    ]
