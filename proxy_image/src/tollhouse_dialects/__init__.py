"""What each protocol adds to the policy language, shared by operator and proxy.

A dialect knows its protocol's grammar (so parsers live here, each behind one seam) but no
socket and no server: it turns selectors and filters that people wrote into what the core's
policy engine matches. It stands on `tollhouse_core` alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from tollhouse_core.policy.language import PolicyLanguage
from tollhouse_dialects.postgres.language import PostgresLanguage

LANGUAGES: Mapping[str, PolicyLanguage] = {"postgres": PostgresLanguage()}
"""The dialects that are built, by the protocol's block in a Connection."""
