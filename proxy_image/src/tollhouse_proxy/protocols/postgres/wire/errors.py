"""What is wrong with bytes."""

from __future__ import annotations


class ProtocolError(Exception):
    """The peer broke the protocol (SQLSTATE 08P01). `str()` says what was expected and found, and
    holds no payload."""
