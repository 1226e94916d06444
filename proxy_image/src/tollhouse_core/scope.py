"""What a token may be used for at most, whatever policies allow its bearer (RFC 6749 section 3.3).

A word is `NAMESPACE/CONNECTION:VERB`; either side may be `*`. Verbs: read, write, delete, execute,
admin. What was not understood is covered by `*` alone, as a verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tollhouse_core.operation import Access, AccessKind, Operation, Verb

MOST_WORDS = 64
VERBS = ("read", "write", "delete", "execute", "admin", "*")
_NAME = r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?"
_WORD = re.compile(rf"(?P<where>\*|{_NAME}/{_NAME}):(?P<verb>{'|'.join(map(re.escape, VERBS))})")

Words = tuple[str, ...]


def parse_scope(text: str) -> Words:
    """The words of a scope, each once and in order. Raises ValueError, with words for people."""
    words = tuple(sorted(set(text.split(" ")) - {""}))
    if not words:
        raise ValueError("a scope needs a word, such as shop/orders-db:read")
    if len(words) > MOST_WORDS:
        raise ValueError(f"a scope has at most {MOST_WORDS} words")
    if not all(_WORD.fullmatch(word) for word in words):
        raise ValueError(
            f"a word of a scope is NAMESPACE/CONNECTION:VERB or *:VERB; verbs: {', '.join(VERBS)}"
        )
    return words


def narrows(wanted: Iterable[str], held: Words | None) -> bool:
    """Whether nothing wanted goes beyond what is held (None: no bound)."""
    return held is None or all(any(_within(word, other) for other in held) for word in wanted)


def names(words: Words, namespace: str, connection: str) -> bool:
    """Whether a scope is about a Connection at all."""
    return any(_where(word) in ("*", f"{namespace}/{connection}") for word in words)


def beyond(words: Words, namespace: str, connection: str, operation: Operation) -> str:
    """The first verb of an operation that the scope does not cover; "" when it covers all of them."""
    here = {word.rpartition(":")[2] for word in words if _where(word) in ("*", f"{namespace}/{connection}")}
    if "*" in here:
        return ""
    for access in operation.accesses:
        if not _harmless(access) and access.verb.value not in here:
            return "what is not understood" if access.verb is Verb.UNKNOWN else access.verb.value
    return ""


def _harmless(access: Access) -> bool:
    """The session language, and a log-in: neither touches anything."""
    harmless = not access.needs_rule and access.kind is AccessKind.COMMAND
    return harmless or access.verb is Verb.CONNECT


def _within(word: str, other: str) -> bool:
    where, _, verb = word.rpartition(":")
    other_where, _, other_verb = other.rpartition(":")
    return other_where in ("*", where) and other_verb in ("*", verb)


def _where(word: str) -> str:
    return word.rpartition(":")[0]
