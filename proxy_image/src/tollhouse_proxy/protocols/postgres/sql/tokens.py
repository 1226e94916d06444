"""A statement's text as the server's own scanner sees it, for splicing."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from tollhouse_dialects.postgres.parse import scan


@dataclass(frozen=True, slots=True)
class Token:
    """`start` to `end` (exclusive) in characters; `depth` counts open parentheses and brackets."""

    start: int
    end: int
    kind: str
    text: str
    depth: int


_OPEN, _CLOSE = frozenset("(["), frozenset(")]")
_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})
_NAMES = frozenset({"IDENT", "UIDENT"})


class Tokens:
    """The tokens of one statement without comments."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._ascii = text.isascii()
        self._bytes: list[int] | None = None
        self.items: list[Token] = []
        depth = 0
        for token in scan(text):
            if token.kind in _COMMENTS:
                continue
            spelled = text[token.start : token.end]
            if spelled in _CLOSE:
                depth -= 1
            self.items.append(Token(token.start, token.end, token.kind, spelled, depth))
            if spelled in _OPEN:
                depth += 1
        self._starts = [token.start for token in self.items]

    def character(self, location: int) -> int:
        """The character offset of a byte offset (tree locations are bytes)."""
        if self._ascii:
            return location
        return len(self.text.encode()[:location].decode(errors="ignore"))

    def at(self, location: int) -> int:
        """Index of the token at a tree location. Raises LookupError where none begins there."""
        starts = self._starts if self._ascii else self._byte_starts()
        index = bisect_left(starts, location)
        if index >= len(starts) or starts[index] != location:
            raise LookupError(f"no token begins at byte {location}")
        return index

    def _byte_starts(self) -> list[int]:
        """Where each token begins, in bytes; counted once, in one pass."""
        if self._bytes is None:
            self._bytes, before, size = [], 0, 0
            for start in self._starts:
                size += len(self.text[before:start].encode())
                before = start
                self._bytes.append(size)
        return self._bytes

    def word(self, index: int) -> str:
        """The upper-case spelling of a token; "" outside the text."""
        return self.items[index].text.upper() if 0 <= index < len(self.items) else ""

    def name_end(self, index: int) -> int:
        """Index behind a dotted name (`a.b.c`, `a.*`) that begins at `index`."""
        index = self._behind_word(index)
        while self.word(index) == ".":
            index = self._behind_word(index + 1)
        return index

    def _behind_word(self, index: int) -> int:
        if self.items[index].kind == "UIDENT" and self.word(index + 1) == "UESCAPE":
            return index + 3
        return index + 1

    def find(self, word: str, start: int, depth: int, stop: int | None = None) -> int | None:
        """Index of the next keyword at exactly that depth."""
        for index in range(start, len(self.items) if stop is None else stop):
            token = self.items[index]
            if token.depth < depth:
                return None
            if token.depth == depth and token.text.upper() == word and token.kind not in _NAMES:
                return index
        return None

    def block_end(self, start: int, depth: int) -> int:
        """Index behind the last token of the parenthesis that `start` stands in."""
        for index in range(start, len(self.items)):
            token = self.items[index]
            if token.depth < depth or (token.depth == depth and token.text == ";"):
                return index
        return len(self.items)
