"""The one seam to PostgreSQL's own grammar (pglast, libpg_query).

Only the JSON path is used: on deep input it raises, where building Python AST objects would
crash the process. Text is guarded before the parser sees it: a NUL would silently hide what
follows, and size bounds the time the parser may take.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pglast.parser import DeparseError, ParseError, deparse_protobuf, parse_sql_json, parse_sql_protobuf
from pglast.parser import scan as pglast_scan

Tree = dict[str, Any]
"""A libpg_query JSON node: {"SelectStmt": {...}}."""

MAX_SQL_BYTES = 256 * 1024
"""Longer statements are refused before parsing."""


@dataclass(frozen=True)
class SqlSyntaxError(Exception):
    """The text is not one PostgreSQL would parse (or is refused before parsing).

    `position` is the 0-based character offset into the text, None where there is none.
    """

    message: str
    position: int | None = None

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """One statement: its tree, and where it stands in the text (byte offset and length)."""

    tree: Tree
    start: int
    length: int


def guard_text(text: str, limit: int = MAX_SQL_BYTES) -> bytes:
    """The text as UTF-8. Raises SqlSyntaxError for NUL, lone surrogates and over-long text."""
    if "\0" in text:
        raise SqlSyntaxError("a statement must not contain a NUL character", text.index("\0"))
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SqlSyntaxError("a statement must be valid UTF-8", error.start) from None
    if len(raw) > limit:
        raise SqlSyntaxError(f"a statement may have {limit} bytes at most, this one has {len(raw)}")
    return raw


def parse(text: str, limit: int = MAX_SQL_BYTES) -> tuple[ParsedStatement, ...]:
    """Parses a text of any number of statements; () for one without any. `limit` is in bytes; a text made
    from a client's may be longer than that. Raises SqlSyntaxError."""
    raw = guard_text(text, limit)
    try:
        document = json.loads(parse_sql_json(text))
    except ParseError as error:
        message = str(error.args[0]) if error.args else "syntax error"
        reported = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else -1
        raise SqlSyntaxError(message, _position(text, reported, message)) from None
    except (RecursionError, ValueError):
        raise SqlSyntaxError("the statement is nested too deeply") from None
    statements = []
    for item in document.get("stmts", []):
        start = item.get("stmt_location", 0)
        length = item.get("stmt_len", 0) or len(raw) - start
        statements.append(ParsedStatement(item["stmt"], start, length))
    return tuple(statements)


def _position(text: str, reported: int, message: str) -> int | None:
    """The character an error is about.

    libpg_query counts characters; pglast takes that count for an offset in bytes and turns it into
    characters once more. Turned back, it can be off inside a character of several bytes; the word
    that the message quotes tells where.
    """
    if message.endswith("at end of input"):
        return len(text)
    if not 0 <= reported <= len(text):
        return None
    first = len(text[:reported].encode())
    width = len(text[reported : reported + 1].encode()) or 1
    _, near, quoted = message.partition(' at or near "')
    places = range(first, min(first + width, len(text) + 1))
    if near:
        places_of_word = [place for place in places if text.startswith(quoted[:-1], place)]
        return places_of_word[0] if places_of_word else min(first, len(text))
    return min(first, len(text))


DEPARSED = frozenset(
    {
        "SelectStmt",
        "InsertStmt",
        "UpdateStmt",
        "DeleteStmt",
        "MergeStmt",
        "ExplainStmt",
        "DeclareCursorStmt",
        "PrepareStmt",
        "ExecuteStmt",
        "CopyStmt",
        "CreateTableAsStmt",
        "ViewStmt",
    }
)
"""Kinds of statements that libpg_query spells out. Of others it must not be asked: where an empty string
stands for what the grammar needs (PREPARE TRANSACTION '', LOAD '', ALTER TYPE ... ADD VALUE ''), it ends the
process."""


def canonical(kind: str, text: str) -> str:
    """One statement of that kind, spelled alike for any layout and comments. Raises SqlSyntaxError."""
    if kind in DEPARSED:
        try:
            return deparse(text)
        except DeparseError:
            # An option without the value it needs: the grammar takes it, and the server itself refuses it.
            pass
    return _tokens_apart(text)


def _tokens_apart(text: str) -> str:
    """The tokens as they are written, one blank where there was space or a comment. Two constants keep a
    line's end between them, which makes them one."""
    found: list[str] = []
    end = 0
    for token in scan(text):
        if token.kind in _COMMENTS:
            continue
        gap = text[end : token.start]
        if found and gap:
            found.append("\n" if "\n" in gap and text[token.start] == "'" else " ")
        found.append(text[token.start : token.end])
        end = token.end
    return "".join(found)


_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})


def deparse(text: str) -> str:
    """The text in PostgreSQL's own canonical spelling, only of DEPARSED kinds. Raises SqlSyntaxError, and
    DeparseError for what the grammar takes and nobody could spell."""
    guard_text(text)
    try:
        return str(deparse_protobuf(parse_sql_protobuf(text)))
    except ParseError as error:
        raise SqlSyntaxError(str(error.args[0]) if error.args else "syntax error") from None


@dataclass(frozen=True, slots=True)
class ScannedToken:
    """A token of PostgreSQL's own scanner: characters `start` to `end` (exclusive), its kind."""

    start: int
    end: int
    kind: str


def scan(text: str) -> tuple[ScannedToken, ...]:
    """The tokens of a text, comments included (SQL_COMMENT, C_COMMENT). Raises SqlSyntaxError."""
    guard_text(text)
    try:
        return tuple(ScannedToken(token.start, token.end + 1, token.name) for token in pglast_scan(text))
    except ParseError as error:
        raise SqlSyntaxError(str(error.args[0]) if error.args else "syntax error") from None
