"""What the garbage collector must not look at again and again."""

from __future__ import annotations

import gc

_YOUNG = 5000
"""Objects made before the youngest are looked at; a busy proxy makes thousands a second that die by
themselves."""


def settle_memory() -> None:
    """What was made so far (code, types, compiled policies) stays: a full collection would look at all of it
    and hold up the loop for tens of milliseconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
