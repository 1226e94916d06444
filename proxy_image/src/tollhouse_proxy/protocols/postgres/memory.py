"""What one session remembers of decisions: the book of the ground it stands on now."""

from __future__ import annotations

from dataclasses import replace

from tollhouse_proxy.kits.kernel import template
from tollhouse_proxy.protocols.postgres.decisions import MAX_TEXT, Book, Decisions, Judged, Known, KnownParse
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.ledger import Positions
from tollhouse_proxy.protocols.postgres.names import Prepared
from tollhouse_proxy.protocols.postgres.sql.statement import EffectKind
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.upkeep import Upkeep

_NAMING = frozenset(
    {
        EffectKind.PREPARE,
        EffectKind.EXECUTE,
        EffectKind.DEALLOCATE,
        EffectKind.DECLARE,
        EffectKind.FETCH,
        EffectKind.CLOSE,
        EffectKind.DISCARD,
    }
)


class Memory:
    """See the module."""

    def __init__(self, decisions: Decisions, state: SessionState, upkeep: Upkeep, dialect: Dialect) -> None:
        self._decisions = decisions
        self._state = state
        self._upkeep = upkeep
        self._dialect = dialect
        self._ground: object = None
        self._book = Book()
        self._book.retired = True

    @property
    def ground(self) -> tuple[object, ...]:
        """What decisions of this session stand on now, as far as it can move."""
        upkeep, state = self._upkeep, self._state
        return state.judge.revision, upkeep.epoch, upkeep.settings, state.in_block

    @property
    def book(self) -> Book:
        """What is known on that ground."""
        ground = self.ground
        if ground != self._ground or self._book.retired:
            self._book = self._decisions.book((self._state.judge.principal, *ground), ground[0])
            self._ground = ground
        return self._book

    def keep(
        self, book: Book, message: bytes, sent: bytes, judged: tuple[Judged, ...], back: Positions | None
    ) -> None:
        """Remembers in `book`, the one of the ground it was judged on, that the Query `message` was
        permitted and `sent` in its place."""
        if not judged or len(message) > MAX_TEXT or not all(map(_may_return, judged)):
            return
        first = judged[0]
        standing = None
        lead = tail = 0
        if len(judged) == 1 and _is_plain(first):
            standing = self._state.judge.standing(first.permitted, first.operation)
            text = message[5:-1]
            lead = len(text.decode()[: first.statement.start].encode())
            tail = len(text) - lead - len(first.statement.text.encode())
        slim = tuple(map(_slim, judged))
        form = self._form(message, first, lead) if standing is not None and sent == message else None
        if form is not None:
            self._decisions.keep_form(book, form, Known(b"", slim, back, standing, lead, tail))
        else:
            self._decisions.keep_exact(book, message, Known(sent, slim, back, standing, lead, tail))

    def keep_prepared(self, prepared: Prepared, judged: Judged) -> None:
        """Remembers that a prepared statement was permitted, and that the server has it as it must run."""
        rewritten, obligations = judged.rewritten, judged.permitted.obligations
        same = prepared.rewritten is not None and prepared.rewritten.text == rewritten.text
        if not (same and _may_return(judged) and _is_plain(judged)) or prepared.carrier is not None:
            return
        prepared.rewritten, prepared.obligations, prepared.renewed = rewritten, obligations, False
        standing = self._state.judge.standing(judged.permitted, judged.operation)
        if standing is None or rewritten.forbidden_origins:
            return
        known = Known(b"", (_slim(judged),), None, standing)
        prepared.known, prepared.book = known, self.book
        if prepared.parse and len(prepared.parse) <= MAX_TEXT and not rewritten.edits:
            made = KnownParse(prepared.text, prepared.types, obligations, rewritten, known)
            self._decisions.keep_parse(self.book, prepared.parse, made)

    def _form(self, message: bytes, judged: Judged, lead: int) -> bytes | None:
        """The template whose every text gets this very decision; None where there is none."""
        if judged.permitted.obligations.touches_data or judged.statement.literal_sensitive:
            return None
        found = template(message[5:-1])
        if found is None:
            return None
        form, spans = found
        free = self._dialect.constants(judged.statement)
        return form if all(begin - lead in free for begin, _ in spans) else None


def _may_return(one: Judged) -> bool:
    effect = one.statement.effect
    return one.permitted.cacheable and effect.kind not in _NAMING and effect.inner is None


def _is_plain(one: Judged) -> bool:
    """Whether nothing but the text need be known to run it again: no effect on the session, no content to
    look for in what comes back."""
    effect = one.statement.effect
    return (
        effect.kind is EffectKind.NONE
        and not effect.changes_catalog
        and one.statement.tag != "COMMIT PREPARED"
        and not one.permitted.obligations.content
    )


def _slim(one: Judged) -> Judged:
    """Without the tree."""
    return replace(one, statement=replace(one.statement, plan=None), changes=[])
