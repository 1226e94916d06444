"""Tollhouse's own tokens: who issues them, and by which keys they are verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """The token endpoint of an installation. `keys` are public JWKs (RFC 7517)."""

    url: str
    keys: tuple[Mapping[str, object], ...]

    def document(self) -> dict[str, Any]:
        """As a bundle carries it."""
        return {"url": self.url, "keys": [dict(key) for key in self.keys]}

    @classmethod
    def read(cls, document: object) -> TokenIssuer | None:
        """What a bundle carries; None where it carries none. Raises ValueError."""
        if document is None:
            return None
        url = document.get("url") if isinstance(document, dict) else None
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(url, str) or not isinstance(keys, list):
            raise ValueError("tokens must be an object with url and keys")
        if not all(isinstance(key, dict) for key in keys):
            raise ValueError("tokens.keys must be a list of keys")
        return cls(url, tuple(keys))
