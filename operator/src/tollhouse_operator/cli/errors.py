"""How commands end."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses; `docs/cli.md` says the same."""

    OK = 0
    NO = 1
    """The answer is no: a broken chain, an invalid file, a refused vote, a denied statement."""
    USAGE = 2
    """The command was not understood."""
    OPEN = 3
    """`audit verify`: nothing is broken, but some session has no end."""
    UNAVAILABLE = 4
    """Something that is needed cannot be had: no such folder, no cluster, nothing runs."""


class CommandFailed(Exception):
    """Ends a command with a sentence for people and a status."""

    def __init__(self, message: str, status: Exit = Exit.NO) -> None:
        super().__init__(message)
        self.status = status
