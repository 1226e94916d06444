"""How an identity is proved: the words of the core, under the name the proxy's rooms know them by."""

from __future__ import annotations

from tollhouse_core.proving import IdentityProver, NotProven, ProofUnavailable

__all__ = ["IdentityProver", "NotProven", "ProofUnavailable"]
