"""The literal-free template of a statement: a key under which texts that differ in constants only are one.

Two texts with the same key have the same tokens but for the values of their constants, hence the same parse
tree but for those values. Whether a *decision* may rest on a value is not asked here: `ORDER BY 1`,
`'t'::regclass` and `set_config('role', 'x')` have templates like any other text. Offsets into one text of a
template are not offsets into another: `template` gives each text's own.

Integers, decimals and plain '...' are replaced, each by a byte that says how PostgreSQL reads it (lexical
structure, chapter 4.1.2 of its manual; which integer type a constant gets depends on its size). Everything
else stands in the key as it stands in the text, blanks included. Whatever might be read in two ways is
declined: what costs a declined text its place in one cache is a parse.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

__all__ = ["LARGEST", "Constants", "find", "template"]

HEADER: Final = 5
LARGEST: Final = 64 * 1024
"""Bytes of a text; longer ones are declined."""

Constants = tuple[tuple[int, int], ...]
"""Where the constants stand in the text: [begin, end) in bytes, quotes included, in their order."""

INT4, INT8, HUGE, DECIMAL, STRING = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
"""What stands in a key for a constant. No text that is not declined has these bytes outside its strings."""

_BEGINNINGS = frozenset({b"select", b"insert", b"update", b"delete", b"merge", b"values", b"table", b"with"})
"""Other statements have places where the grammar itself looks at a value."""

_TOKEN = re.compile(
    rb"""
      (?P<word>   [A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+ )
    | (?P<blank>  [ \t\n\r\f]++ )
    | (?P<string> '(?:[^'\\\0]|'')*+' )
    | (?P<name>   "(?:[^"\\\x00-\x1f\x7f]|"")++" )
    | (?P<number> [0-9]++(?:\.[0-9]++)? | \.[0-9]++ )
    | (?P<param>  \$[1-9][0-9]*+ )
    | (?P<mark>   [-+*/<>=~!@\#%^&|`?()\[\],;:.] )
    """,
    re.VERBOSE,
)
_SOLID = frozenset({"word", "string", "name", "number", "param"})
_DECLINED_MARKS = frozenset({b"--", b"/*", b"*/"})


class _Token(NamedTuple):
    kind: str
    text: bytes
    begin: int
    end: int


def template(text: bytes) -> tuple[bytes, Constants] | None:
    """The key of a text and where its constants stand; None: declined.

    `text` is all that one message holds, without the NUL that ends it. Declined are: a text that does not
    begin as a query or a plain write, or has more than one statement; backslash, NUL, comment, dollar
    quoting; a quote with anything solid or `&` right before it (E'', U&'', B'', X'', N''), or solid right
    behind it; two strings with nothing but blanks between; a number that is not plain digits with at most
    one point among them, that has leading zeros, or that touches a name; the two integers whose type hangs
    on a minus before them; `float(n)`, where n chooses the type; control characters; bytes that are not
    UTF-8; more than LARGEST bytes.
    """
    if len(text) > LARGEST or not _is_utf8(text):
        return None
    tokens = _tokens(text)
    if tokens is None or any(_touch(*pair) for pair in pairwise(tokens)):
        return None
    spoken = [token for token in tokens if token.kind != "blank"]
    if not _is_one_statement(spoken) or any(_follow(*pair) for pair in pairwise(spoken)):
        return None
    parts: list[bytes] = []
    spans: list[tuple[int, int]] = []
    for token in tokens:
        if token.kind == "string":
            parts.append(STRING)
        elif token.kind == "number":
            placeholder = _number(token.text)
            if placeholder is None:
                return None
            parts.append(placeholder)
        else:
            parts.append(token.text)
            continue
        spans.append((token.begin, token.end))
    return b"".join(parts), tuple(spans)


Known = TypeVar("Known")


def find(message: bytes, exact: dict[bytes, Known], forms: dict[bytes, Known]) -> Known | None:
    """What is known of a message: of its exact bytes, else, where it is one whole Query, of its text's
    template."""
    known = exact.get(message)
    if known is not None:
        return known
    size = len(message)
    if size <= HEADER or message[:1] != b"Q" or int.from_bytes(message[1:HEADER]) != size - 1 or message[-1]:
        return None
    found = template(message[HEADER:-1])  # which declines whatever has another NUL in it
    return None if found is None else forms.get(found[0])


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _tokens(text: bytes) -> list[_Token] | None:
    """All of a text, blanks included; None where something in it has no place in a template."""
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return None
        tokens.append(_Token(found.lastgroup or "", found.group(), at, found.end()))
        at = found.end()
    return tokens


def _touch(one: _Token, other: _Token) -> bool:
    """Whether two tokens that stand side by side, blanks counted, may be read in another way."""
    if one.kind in _SOLID:
        return other.kind in _SOLID or (one.kind == "number" and other.text == b".")
    if one.kind != "mark":
        return False
    match other.kind:
        case "mark":
            return one.text + other.text in _DECLINED_MARKS
        case "string" | "name":
            return one.text == b"&"
        case "number":
            return one.text == b"." or (one.text in b")]" and other.text.startswith(b"."))
        case _:
            return False


def _follow(one: _Token, other: _Token) -> bool:
    """Whether two tokens with nothing but blanks between may be read in another way."""
    if one.kind == "word":
        word = one.text.lower()
        return word == b"uescape" or (word == b"float" and other.text == b"(")
    return one.kind == other.kind == "string"


def _is_one_statement(spoken: list[_Token]) -> bool:
    if not spoken or (spoken[0].text != b"(" and spoken[0].text.lower() not in _BEGINNINGS):
        return False
    ends = [token.text == b";" for token in spoken]
    return True not in ends or all(ends[ends.index(True) :])


def _number(digits: bytes) -> bytes | None:
    """How PostgreSQL reads a plain number, None where that depends on more than the number."""
    if b"." in digits:
        return None if digits.startswith(b"0") and not digits.startswith(b"0.") else DECIMAL
    if digits.startswith(b"0") and len(digits) > 1:
        return None
    if len(digits) > 19:
        return HUGE
    value = int(digits)
    if value in {2**31, 2**63}:
        return None
    return INT4 if value < 2**31 else INT8 if value < 2**63 else HUGE
