"""What a backend's role may do beyond what the policies need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Excess:
    """One thing that is too much: whose role, what it may do, and the statements that take it away ("" where
    there are none)."""

    role: str
    what: str
    sql: str
