"""Decisions that may be used again: by the text without its constants where no constant mattered, else by the
exact text.

A decision stands on everything it was made of: who asked, the revision, the catalog, the search path,
the role, whether a transaction was open. All that is the key of a `Book`; inside one, only the text differs.
Sessions share a book where all of it is the same for them, and nothing else is ever shared. What is kept is
bounded in number and bytes; the book not opened for longest goes first.

A text whose constants did matter is known by its exact bytes alone. So is one that is rewritten: its edits
are those of that text.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from tollhouse_core.decision import Obligations, Permitted
from tollhouse_core.operation import Operation
from tollhouse_proxy.kits.kernel import template
from tollhouse_proxy.ports.judging import Standing
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed, Positions, Run
from tollhouse_proxy.protocols.postgres.names import Change, Prepared
from tollhouse_proxy.protocols.postgres.sql.statement import Rewritten, Statement
from tollhouse_proxy.protocols.postgres.wire.framing import HEADER
from tollhouse_proxy.protocols.postgres.wire.frontend import QUERY

MAX_TEXT = 16 * 1024
"""Bytes of a text that is remembered."""

_MOST_IN_BOOK = 1024
_BYTES = 64 * 1024 * 1024
_ENTRY_BYTES = 8 * 1024
_TEXTS = 3
_ACCESS_BYTES = 256
"""What an entry takes, about: so many bytes, its text so many times (as it came, decoded, canonical), and
what it accesses. Measured as resident memory over 12,000 and 20,000 of them."""
_BOOK_BYTES = 2048


@dataclass(slots=True)
class Judged:
    """One statement that may run."""

    statement: Statement
    operation: Operation
    permitted: Permitted
    rewritten: Rewritten
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A text, or all texts of one template, or a prepared statement, that may run again.

    `message` is the Query that goes out; b"" where it is the one that came. `judged` are the statements of
    an exact text. `standing` is the verdict on a text of one plain statement, `statement` and `rewritten`
    what is known of that; `lead` and `tail` are how many bytes stand before and behind it in its text (they
    hold no constants, so they are the same in all texts of a template).
    """

    message: bytes
    judged: tuple[Judged, ...]
    positions: Positions | None
    standing: Standing | None = None
    lead: int = 0
    tail: int = 0

    begin: int = field(init=False)
    end: int = field(init=False)
    """Where the one statement stands in a Query message; `end` counts from the message's own."""
    walks: bool = field(init=False)
    """Whether the answer must be looked into: columns that may not appear, rows or bytes that count."""

    def __post_init__(self) -> None:
        forbidden = any(one.rewritten.forbidden_origins for one in self.judged)
        counts = self.standing is not None and self.standing.counts_results
        object.__setattr__(self, "walks", forbidden or counts)
        object.__setattr__(self, "begin", HEADER + self.lead)
        object.__setattr__(self, "end", -1 - self.tail)

    @property
    def statement(self) -> Statement:
        """The one statement of a standing verdict."""
        return self.judged[0].statement

    def text_of(self, message: bytes) -> str:
        """The one statement's text in a Query."""
        return message[self.begin : self.end].decode()

    def run(self, number: int, text: str) -> Run:
        """An execution of the one statement, in the words of this time."""
        rewritten, operation = self.judged[0].rewritten, self.statement.operation
        if operation.text != text:
            operation = replace(operation, text=text, canonical=text)
        return Run(
            number,
            self.statement.effect,
            guarded=rewritten.guards_errors,
            judged=operation,
            forbidden=rewritten.forbidden_origins,
            positions=self.positions,
        )

    def owed(self, number: int, message: bytes) -> Owed:
        """What the backend owes for the Query."""
        return Owed(Kind.QUERY, [self.run(number, self.text_of(message))], positions=self.positions)


def is_whole(message: bytes) -> bool:
    """Whether this is one Query whose text is all of its body, but for the NUL at its end."""
    size = len(message)
    return (
        size > HEADER
        and message[0] == QUERY
        and int.from_bytes(message[1:HEADER]) == size - 1
        and message.find(0, HEADER) == size - 1
    )


@dataclass(frozen=True, slots=True, eq=False)
class KnownParse:
    """What a Parse that names nothing makes, and the standing verdict on running that."""

    text: str
    types: tuple[int, ...]
    obligations: Obligations
    rewritten: Rewritten
    known: Known

    def made(self, book: Book, reading: tuple[str, ...]) -> Prepared:
        """The statement as the server has it then. Where it is not run by its standing verdict it is read
        again first (its epoch is nobody's): its tree is not kept."""
        return Prepared(
            self.text,
            self.known.statement,
            self.types,
            self.obligations,
            self.rewritten,
            known=self.known,
            reading=reading,
            book=book,
        )


class Book:
    """What is known on one ground. `exact`: whole Query messages. `forms`: templates. `parses`: whole Parse
    messages."""

    __slots__ = ("bytes", "exact", "forms", "parses", "retired")

    def __init__(self) -> None:
        self.exact: dict[bytes, Known] = {}
        self.forms: dict[bytes, Known] = {}
        self.parses: dict[bytes, KnownParse] = {}
        self.bytes = 0
        self.retired = False

    def find(self, message: bytes) -> Known | None:
        """What is known of a whole, well-formed Query message."""
        known = self.exact.get(message)
        if known is not None or len(message) > MAX_TEXT:
            return known
        found = template(message[5:-1])
        return None if found is None else self.forms.get(found[0])

    def clear(self) -> None:
        """Forgets everything."""
        self.exact.clear()
        self.forms.clear()
        self.parses.clear()
        self.bytes = 0


class Decisions:
    """All books of one proxy."""

    def __init__(self, most_bytes: int = _BYTES) -> None:
        self._books: OrderedDict[Hashable, Book] = OrderedDict()
        self._most_bytes = most_bytes
        self._era: Hashable = None
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._books)

    def book(self, ground: Hashable, era: Hashable = None) -> Book:
        """The book of a ground; `ground` holds all that a decision stands on besides the text. `era` is the
        part of it that is the same for all sessions (the bundle in force): with another one no book of the
        former is asked for again, and all of them are let go."""
        if era != self._era:
            self._era = era
            for former in self._books.values():
                former.clear()
                former.retired = True
            self._books.clear()
            self.bytes = 0
        found = self._books.get(ground)
        if found is not None:
            self._books.move_to_end(ground)
            return found
        made = self._books[ground] = Book()
        self._grown(made, _BOOK_BYTES)
        return made

    def keep_exact(self, book: Book, message: bytes, known: Known) -> None:
        """Remembers one exact Query message."""
        size = len(message) + len(known.message)
        if message in book.exact or self._may_grow(book, size, known):
            book.exact[message] = known

    def keep_form(self, book: Book, form: bytes, known: Known) -> None:
        """Remembers a template."""
        if form in book.forms or self._may_grow(book, len(form), known):
            book.forms[form] = known

    def keep_parse(self, book: Book, message: bytes, known: KnownParse) -> None:
        """Remembers one exact Parse message."""
        if message in book.parses or self._may_grow(book, len(message), known.known):
            book.parses[message] = known

    def _may_grow(self, book: Book, size: int, known: Known) -> bool:
        if book.retired:
            return False
        if len(book.exact) + len(book.forms) + len(book.parses) >= _MOST_IN_BOOK:
            self.bytes -= book.bytes
            book.clear()
        accesses = sum(len(one.operation.accesses) for one in known.judged)
        self._grown(book, _ENTRY_BYTES + _TEXTS * size + _ACCESS_BYTES * accesses)
        return not book.retired

    def _grown(self, book: Book, size: int) -> None:
        book.bytes += size
        self.bytes += size
        while self.bytes > self._most_bytes and self._books:
            _, oldest = self._books.popitem(last=False)
            self.bytes -= oldest.bytes
            oldest.clear()
            oldest.retired = True
