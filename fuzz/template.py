"""Same template, same tree: `python -m fuzz.template --seconds 60 --seed 1`.

Statements are grown from seeds by swapping, dropping and inserting tokens. Of each that has a template,
variants with other constants are made, some by cutting at random; whatever lands under the same key is
parsed by PostgreSQL's grammar, and the trees must be one but for the constants, each at its own place.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from fuzz.campaign import Campaign, main
from fuzz.sql_words import SEEDS, WORDS
from tollhouse_dialects.postgres.parse import SqlSyntaxError, parse
from tollhouse_proxy.kits import kernel

_VARIANTS = 6
_SPLIT = 12


def grown(rng: random.Random) -> str:
    """A statement: a seed, mutated."""
    tokens = rng.choice(SEEDS).split(" ")
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 5, 8))):
        at = rng.randrange(len(tokens) + 1)
        match rng.randrange(5):
            case 0:
                tokens.insert(at, rng.choice(WORDS))
            case 1:
                tokens[at : at + 1] = [rng.choice(WORDS)]
            case 2:
                del tokens[at : at + 1]
            case 3:
                other = rng.choice(SEEDS).split(" ")
                begin = rng.randrange(len(other))
                tokens[at:at] = other[begin : begin + rng.randrange(1, _SPLIT)]
            case _:
                tokens.insert(at, constant(rng))
    blank = rng.choice((" ", " ", " ", "  ", "\n", "\t", ""))
    return "".join(token + (blank if rng.random() < 0.1 else " ") for token in tokens).strip()


def constant(rng: random.Random) -> str:
    """Something that is a constant, or nearly."""
    match rng.randrange(9):
        case 0:
            return str(rng.choice((0, 1, 2, 7, 24, 25, 53, 54, 100, 2**31 - 1, 2**31, 2**31 + 1)))
        case 1:
            return str(rng.choice((2**32, 2**63 - 1, 2**63, 2**63 + 1, 10**18, 10**19, 10**25)))
        case 2:
            return str(rng.randrange(10 ** rng.randrange(1, 22)))
        case 3:
            return f"{rng.randrange(1000)}.{rng.randrange(10 ** rng.randrange(1, 9))}"
        case 4:
            return "." + str(rng.randrange(100))
        case 5:
            return rng.choice(
                ("1e5", "0x1f", "1_000", "1.", "00", "01", "0.", "1..2", "1.5.5", "0b1", "1.5e-3")
            )
        case 6:
            return (
                "'"
                + rng.choice(("", "a", "''", "x y", "2026-11-21", "{1,2}", "1 day", "é", "--", "/*"))
                + "'"
            )
        case 7:
            return "'" + "".join(rng.choices("ab'\" ;$-/*\n1é%", k=rng.randrange(6))) + "'"
        case _:
            return rng.choice(("E'a'", "B'1'", "X'1f'", "N'a'", "U&'a'", "$1", "$2", "$$a$$", "$a$b$a$"))


def variants(text: bytes, spans: tuple[tuple[int, int], ...], rng: random.Random) -> Iterator[bytes]:
    """Texts that may have the same template."""
    for _ in range(_VARIANTS):
        parts, at = [], 0
        for begin, end in spans:
            old = text[begin:end]
            parts += [text[at:begin], _other(old, rng) if rng.random() < 0.8 else old]
            at = end
        yield b"".join([*parts, text[at:]])
    if len(text) > 1:
        first, second = sorted((rng.randrange(len(text)), rng.randrange(len(text))))
        yield text[:first] + text[second:]
        yield text[:first] + text[second : second + 1] + text[first:]
        yield text[:first] + constant(rng).encode() + text[second:]


def _other(old: bytes, rng: random.Random) -> bytes:
    """Another constant, mostly of the same sort."""
    if rng.random() < 0.2:
        return constant(rng).encode()
    if old.startswith(b"'"):
        return b"'" + bytes(rng.choices(b'abc09 .,:-_%{}()[]/*;$"', k=rng.randrange(8))) + b"'"
    digits = bytes(rng.choices(b"0123456789", k=len(old)))
    return bytes(digit if one != ord(".") else one for one, digit in zip(old, digits, strict=True))


Values = tuple[str, ...]
Read = tuple[Values, Any]
"""The values of a text's constants and its tree; a tree of None is a text that does not parse."""


def read(text: bytes, spans: tuple[tuple[int, int], ...]) -> Read:
    """What a text's constants and tree are."""
    values = tuple(_value(text[begin:end].decode()) for begin, end in spans)
    try:
        return values, [statement.tree for statement in parse(text.decode())]
    except SqlSyntaxError:
        return values, None


def _value(spelled: str) -> str:
    return spelled[1:-1].replace("''", "'") if spelled.startswith("'") else spelled


def same(one: Read, other: Read) -> bool:
    """Whether two trees are one but for constants at the same places."""
    pairs = set()
    for mine, theirs in zip(one[0], other[0], strict=True):
        pairs |= {(mine, theirs), (f"-{mine}", f"-{theirs}")}
    return _equal(one[1], other[1], pairs)


def _equal(one: Any, other: Any, pairs: set[tuple[str, str]]) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = {key for key in one.keys() | other.keys() if not _is_place(key)}
        return all(_equal(one.get(key), other.get(key), pairs) for key in keys)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(*both, pairs) for both in zip(one, other, strict=True))
    return bool(one == other) or any(
        (mine, theirs) in pairs for mine in _spellings(one) for theirs in _spellings(other)
    )


def _is_place(key: str) -> bool:
    return key.endswith(("location", "list_start", "list_end")) or key == "stmt_len"


def _spellings(leaf: Any) -> tuple[str, ...]:
    """How a constant with this leaf may be written; the JSON leaves out 0 and ''."""
    return ("0", "-0", "") if leaf is None else (str(leaf),)


class Target:
    """One campaign's memory of what it has seen under which key."""

    name = "template"
    steps = 50

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[bytes, Read]] = {}

    def step(self, rng: random.Random, campaign: Campaign) -> None:
        """One statement and its variants."""
        text = grown(rng).encode()
        made = kernel.template(text)
        campaign.tried(1)
        if made is None:
            return
        key, spans = made
        first = read(text, spans)
        before = self._seen.get(key)
        if before is not None and not same(before[1], first):
            campaign.found(b"\n\0\n".join((before[0], text)))
        if len(self._seen) > 20_000:
            self._seen.clear()
        self._seen[key] = (text, first)
        for other in variants(text, spans, rng):
            again = kernel.template(other)
            campaign.tried(1)
            if again is not None and again[0] == key and not same(first, read(other, again[1])):
                campaign.found(b"\n\0\n".join((text, other)))


def replay(data: bytes) -> bool:
    """Whether a kept input is still a finding."""
    one, other = data.split(b"\n\0\n")
    mine, theirs = kernel.template(one), kernel.template(other)
    if mine is None or theirs is None or mine[0] != theirs[0]:
        return False
    return not same(read(one, mine[1]), read(other, theirs[1]))


if __name__ == "__main__":
    main(Target())
