"""What the tasks of the client's side share: understanding, deciding, rewriting, refusing.

A refused statement never reaches the backend. Where the backend must know that something failed (a
transaction block or a pipeline is open, or answers are still owed) a text that can only be a syntax error
goes in its place: the transaction then really is aborted, the backend skips what PostgreSQL says it skips,
and the client reads our error at its place in the order of answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from tollhouse_core.decision import Obligations, Permitted, Verdict
from tollhouse_core.operation import Access, AccessKind, Operation, Verb
from tollhouse_proxy.ports.aside import AsideFailed
from tollhouse_proxy.protocols.postgres import refuse
from tollhouse_proxy.protocols.postgres.adopting import Adopted
from tollhouse_proxy.protocols.postgres.bench import Bench, Cancelled, Postponed
from tollhouse_proxy.protocols.postgres.content import Scanner
from tollhouse_proxy.protocols.postgres.dialect import Dialect
from tollhouse_proxy.protocols.postgres.elevated import ElevatedBackend
from tollhouse_proxy.protocols.postgres.hidden import RESERVED, Question
from tollhouse_proxy.protocols.postgres.inquiring import inquiring, is_planned
from tollhouse_proxy.protocols.postgres.ledger import Kind, Owed, Run
from tollhouse_proxy.protocols.postgres.memory import Memory
from tollhouse_proxy.protocols.postgres.names import Change, Portal, Prepared
from tollhouse_proxy.protocols.postgres.spelling import spelled
from tollhouse_proxy.protocols.postgres.sql.statement import (
    CannotRewrite,
    EffectKind,
    NotUnderstood,
    Rewritten,
    Statement,
)
from tollhouse_proxy.protocols.postgres.state import SessionState
from tollhouse_proxy.protocols.postgres.upkeep import Upkeep
from tollhouse_proxy.protocols.postgres.wire.backend import ReadyForQuery
from tollhouse_proxy.protocols.postgres.wire.frontend import Parse, Query
from tollhouse_proxy.protocols.postgres.withholding import Withheld

Elevate = Callable[[str, Adopted], ElevatedBackend]
"""Makes a backend session with another credential and the settings of this one."""

DENIED_TEXT = "tollhouse refused this statement"
"""Never valid SQL; it shows in the backend's log as what it is."""

EFFORT_AT_LEAST = 256
"""What any text counts for, however short, where the reading of texts is measured by their length."""

_POISON_QUERY = Query(DENIED_TEXT.encode()).encode()
_POISON_PARSE = Parse(f"{RESERVED}_refused", DENIED_TEXT.encode()).encode()


IN_TRANSACTION = "inTransaction"

_UNSEEN = "a cursor that was not declared here"

_NOT_THERE = frozenset({"42P01", "42703", "42704", "42883", "3F000"})
"""What is said of a text that names an object which the catalog does not have."""

_OWN_MATTERS = frozenset(
    {EffectKind.SET, EffectKind.RESET, EffectKind.ROLLBACK, EffectKind.SAVEPOINT, EffectKind.DISCARD}
)
"""What such a statement changes concerns its own session alone."""

_SETS = frozenset(
    {
        EffectKind.SET,
        EffectKind.RESET,
        EffectKind.DISCARD,
        EffectKind.EXECUTE,
        # What was set in a transaction is as it was before behind it, or behind a part of it.
        EffectKind.COMMIT,
        EffectKind.ROLLBACK,
        EffectKind.SAVEPOINT,
    }
)
_LEAVES_NOTHING = frozenset({EffectKind.NONE, EffectKind.CATALOG})
_FOR_THE_SESSION = frozenset({"LISTEN", "UNLISTEN", "LOAD", "LOCK TABLE", "SHOW"})
_TEMPORARY = ("pg_temp",)

_FIX_NO_SNAPSHOT = frozenset(
    {
        EffectKind.BEGIN,
        EffectKind.COMMIT,
        EffectKind.ROLLBACK,
        EffectKind.SAVEPOINT,
        EffectKind.SET,
        EffectKind.RESET,
        EffectKind.PREPARE,
        EffectKind.DEALLOCATE,
        EffectKind.CLOSE,
    }
)


class Turned(Exception):
    """The client's message is refused; `words` is the ErrorResponse."""

    def __init__(self, words: bytes) -> None:
        super().__init__("refused")
        self.words = words


def may_read_otherwise(statement: Statement) -> bool:
    """Whether it may change a setting by which later statements are read, or the role they run in."""
    effect = statement.effect
    kinds = {effect.kind} if effect.inner is None else {effect.kind, effect.inner.effect.kind}
    calls = any(access.kind is AccessKind.FUNCTION for access in statement.operation.accesses)
    return calls or not kinds.isdisjoint(_SETS)


def _when_parsed(parsed: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
    """What was prepared keeps the constants that it was read with."""
    return tuple(f"parsed {one}" for one in parsed) if parsed not in ((), now) else ()


def as_of(operation: Operation, in_block: bool) -> Operation:
    """The operation as it is where it runs now; it may have been read somewhere else."""
    if operation.facts.get(IN_TRANSACTION, in_block) == in_block:
        return operation
    return replace(operation, facts={**operation.facts, IN_TRANSACTION: in_block})


def tied(statement: Statement, runs_another: bool, in_block: bool) -> str:
    """Why a statement can run in its own session only (`Operation.tied`)."""
    effect, operation = statement.effect, statement.operation
    if in_block:
        return "it stands in a transaction block"
    if runs_another:
        return "it runs what was prepared or declared in this session"
    if effect.kind is EffectKind.COPY_IN or effect.kind is EffectKind.COPY_OUT:
        return "COPY speaks with the client of this session"
    if effect.kind not in _LEAVES_NOTHING or statement.tag in _FOR_THE_SESSION:
        return "what it does is for this session alone"
    named = [access.path for access in operation.accesses] + [one.path for one in operation.resources]
    if any(path[:1] == _TEMPORARY for path in named):
        return "it names a temporary table, which is this session's own"
    return ""


class Desk:
    """See the module. `elevated` makes a backend session with another credential; `errand` is the one that is
    under way."""

    def __init__(
        self,
        state: SessionState,
        upkeep: Upkeep,
        bench: Bench,
        dialect: Dialect,
        memory: Memory,
        elevated: Elevate | None = None,
    ) -> None:
        self._elevate = elevated
        self.errand: ElevatedBackend | None = None
        self.memory = memory
        self.state = state
        self.upkeep = upkeep
        self.bench = bench
        self.dialect = dialect
        self.effort = 0
        self._scanners: dict[object, Scanner | None] = {}
        self._doubted = ""

    def overtaken(self) -> bool:
        """Whether an earlier message of the client's own pipeline has failed while this one waited: it is
        skipped then, as the backend would have skipped it, and nothing is said of it."""
        if not self.state.skipping or self.upkeep.failing or self.bench.failing:
            return False
        self.bench.reset()
        return True

    def elevated(self, credential: str, wanted: Adopted) -> ElevatedBackend:
        """See the class. Raises Turned where there is nothing to make it with."""
        if self._elevate is None:
            raise Turned(refuse.error("0A000", "no operation runs with another credential here"))
        return self._elevate(credential, wanted)

    @staticmethod
    def own(permitted: Permitted) -> None:
        """Raises Turned for what may run with another credential only, where it cannot be run so."""
        if permitted.credential:
            words = f"this cannot run with the credential {permitted.credential}, as the approval asks"
            raise Turned(refuse.error("0A000", words, "", "Send it as a statement of its own."))

    def verdict(
        self, statement: Statement, operation: Operation, question: Question, why: str = ""
    ) -> Verdict | None:
        """See `Bench.verdict`. `why` says what keeps the statement from being run beforehand; "" nothing."""
        asked = inquiring(self.state.judge, self.dialect, self.rewritten, statement, operation, question, why)
        return self.bench.verdict(operation, question if is_planned(statement, operation) else None, asked)

    # ------------------------------------------------------------ understanding

    @property
    def ground(self) -> tuple[str, str, tuple[str, ...]]:
        """What a decision on a text stands on, besides the text."""
        return self.state.judge.revision, self.upkeep.epoch, self.upkeep.settings.search_path

    def read(self, text: str) -> tuple[Statement, ...]:
        """The statements of a text. Raises Turned."""
        try:
            return self.understood(text)
        except NotUnderstood as found:
            raise Turned(self.unreadable(text, found)) from None

    def understood(self, text: str, upkeep: Upkeep | None = None) -> tuple[Statement, ...]:
        """The statements of a text; `upkeep`: as another session than ours reads them. Raises NotUnderstood,
        Postponed, Turned.

        What a text names may have been made by means that nobody saw, in the body of a function: before it
        is said not to be there, the catalog is looked at once more, however new it is.
        """
        doubted, self._doubted = self._doubted, ""
        try:
            return self._by_catalog(text, upkeep)
        except NotUnderstood as found:
            if found.sqlstate not in _NOT_THERE or doubted == text or upkeep is not None:
                raise
        self._doubted = text
        self.state.doubt()
        self.bench.pause()
        raise Postponed

    def _by_catalog(
        self, text: str, upkeep: Upkeep | None = None, *, unseen: bool = False
    ) -> tuple[Statement, ...]:
        knows = upkeep or self.upkeep
        in_block = upkeep is None and self.state.in_block
        settings = replace(knows.settings, in_transaction=in_block, unseen_cursors=unseen)
        catalog, apart = knows.catalog, self.dialect.apart
        if apart is None or not apart.is_long(text):
            self.effort += len(text) + EFFORT_AT_LEAST
            return self.dialect.understand(text, catalog, settings)
        key = ("understood", text, catalog.epoch, settings)
        statements: tuple[Statement, ...] = self._apart(
            key, lambda: apart.understand(text, catalog, settings)
        )
        return statements

    def split(self, text: str) -> tuple[tuple[str, int], ...]:
        """(text, character offset) of each statement. Raises NotUnderstood, Postponed, Turned."""
        apart, catalog = self.dialect.apart, self.upkeep.catalog
        if apart is None or not apart.is_long(text):
            return self.dialect.split(text)
        pieces: tuple[tuple[str, int], ...] = self._apart(("split", text), lambda: apart.split(text, catalog))
        return pieces

    def _apart(self, key: object, make: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return self.bench.made(key, make)
        except Cancelled:
            raise Turned(refuse.error("57014", "canceling statement due to user request")) from None
        except AsideFailed as failed:
            raise NotUnderstood(str(failed), "", "54001") from None

    def unreadable(self, text: str, found: NotUnderstood) -> bytes:
        """Records what could not be judged, and says so."""
        opaque = Access(Verb.UNKNOWN, AccessKind.OPAQUE, "Opaque")
        operation = Operation(action="OPAQUE", accesses=(opaque,), text=text, canonical=text)
        instead = self.state.judge.unreadable(operation, found.message, found.sqlstate)
        return refuse.refused(instead) if instead else refuse.not_understood(found)

    @staticmethod
    def decoded(text: bytes) -> str:
        """A statement's text. Raises Turned when it is not UTF-8."""
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            words = f"the statement is not valid UTF-8 (byte {error.start + 1})"
            raise Turned(refuse.error("22021", words, "", "Every statement is sent in UTF8.")) from None

    def rewritten(
        self, statement: Statement, obligations: Obligations, upkeep: Upkeep | None = None
    ) -> Rewritten:
        """What is sent instead; `upkeep`: to another session than ours. Raises CannotRewrite, Postponed,
        Turned."""
        self._look_for(obligations)
        apart, catalog = self.dialect.apart, (upkeep or self.upkeep).catalog
        if apart is None or not apart.is_heavy(statement):
            found = self.dialect.rewrite(statement, obligations)
        elif not obligations.columns and not obligations.filters and not obligations.content:
            return Rewritten(statement.text)
        else:
            key = ("rewritten", statement.text, statement.start, catalog.epoch, obligations)
            try:
                found = self._apart(key, lambda: apart.rewrite(statement, obligations, catalog))
            except NotUnderstood as failed:
                raise CannotRewrite(failed.message) from None
        if spelled(statement.text, found.edits) != found.text:
            raise CannotRewrite("the rewritten statement does not match its edits")
        return found

    def stand_on(self, ground: object) -> None:
        """What a statement means was found on `ground`; if the catalog or the path has moved while it
        waited, it may mean something else now. Raises Turned."""
        if self.ground[1:] != ground:
            words = "the catalog has changed while the statement waited"
            raise Turned(refuse.error("40001", words, "", "Run it again: it is judged anew."))

    # ------------------------------------------------------------ names inside SQL

    def subject(self, statement: Statement) -> Prepared | None:
        """The prepared statement or cursor that a statement runs; None when it runs none. Raises Turned."""
        effect = statement.effect
        if effect.kind not in {EffectKind.EXECUTE, EffectKind.FETCH} and effect.inner is not None:
            effect = effect.inner.effect
        name = effect.name or ""
        if effect.kind is EffectKind.EXECUTE:
            prepared = self.state.names.prepared(name)
            if prepared is None:
                raise Turned(refuse.error("26000", f'prepared statement "{name}" does not exist'))
            return self.renewed(prepared)
        if effect.kind is EffectKind.FETCH:
            portal = self.state.names.portal(name)
            if portal is None:
                return self._unseen(statement, name)
            # What the portal runs need not be what its statement was prepared as: it may be bound anew.
            return replace(self.renewed(portal.prepared), rewritten=portal.rewritten, renewed=True)
        return None

    def _unseen(self, fetch: Statement, name: str) -> Prepared:
        """A cursor that no statement declared, as what FETCH may read from it. Raises Turned."""
        if name.startswith(RESERVED):
            raise Turned(refuse.error("34000", f'cursor "{name}" does not exist'))
        try:
            [found] = self._by_catalog(fetch.text, unseen=True)
        except NotUnderstood as failed:
            raise Turned(self.unreadable(fetch.text, failed)) from None
        operation = replace(found.operation, text=_UNSEEN, canonical=_UNSEEN)
        same = Rewritten(found.text)
        return Prepared(_UNSEEN, replace(found, operation=operation), rewritten=same, renewed=True)

    def renewed(self, prepared: Prepared) -> Prepared:
        """The same statement, understood on today's ground. Raises Turned."""
        ground = repr(self.ground[1:])
        if prepared.statement is None or prepared.epoch == ground:
            return prepared
        statements = self.read(prepared.text)
        found = statements[0] if len(statements) == 1 else None
        if found is not None and prepared.carrier is not None:
            prepared.carrier, found = found, found.effect.inner
        if found is None:
            raise Turned(refuse.error("0A000", "a prepared statement has changed its meaning"))
        prepared.statement = found
        prepared.epoch = ground
        prepared.renewed = True
        prepared.permitted = None
        return prepared

    def operation(
        self,
        statement: Statement,
        subject: Prepared | None,
        in_block: bool | None = None,
        beside: str = "",
        before: Iterable[Statement] = (),
        parsed: tuple[str, ...] = (),
    ) -> Operation:
        """What is judged: the statement, and what it runs. `in_block`: whether a transaction block will be
        open, where that hangs on what has not been sent yet. `beside`: why it does not stand alone. `before`:
        what will have run that has not been sent yet. `parsed`: by what it was read, if it was prepared."""
        in_block = self.state.in_block if in_block is None else in_block
        own = as_of(statement.operation, in_block)
        why = beside or tied(statement, subject is not None, in_block)
        own = replace(own, tied=why or own.tied, circumstances=self._circumstances(before, parsed))
        if subject is None or subject.statement is None:
            return own
        inner = as_of(subject.statement.operation, in_block)
        return replace(
            inner,
            accesses=inner.accesses + own.accesses,
            resources=inner.resources + own.resources,
            text=f"{own.text or statement.text} /* {inner.text or subject.text} */",
            canonical=f"{own.canonical or statement.text}\n{inner.canonical or subject.text}",
            objects=inner.objects + own.objects,
            template="",
            tied=own.tied,
            circumstances=(*own.circumstances, *_when_parsed(subject.reading, self.state.reading)),
        )

    def _circumstances(self, before: Iterable[Statement], parsed: tuple[str, ...]) -> tuple[str, ...]:
        reading, role = self.state.reading, self.upkeep.role
        behind = [f"behind={one.text}" for one in before if may_read_otherwise(one)]
        return (*reading, *behind, *([f"role={role}"] if role else ()), *_when_parsed(parsed, reading))

    def changes(self, statement: Statement, permitted: Permitted, rewritten: Rewritten) -> list[Change]:
        """Enters what the statement, sent as `rewritten`, does to names."""
        names, effect = self.state.names, statement.effect
        match effect.kind:
            case EffectKind.PREPARE if effect.inner is not None and effect.name is not None:
                made = self._carried(statement, effect.inner, permitted, rewritten)
                return [names.put(names.statements, effect.name, made)]
            case EffectKind.DECLARE if effect.inner is not None and effect.name is not None:
                made = self._carried(statement, effect.inner, permitted, rewritten)
                portal = Portal(made, holds="hold" in statement.text.lower(), rewritten=rewritten)
                return [names.put(names.portals, effect.name, portal)]
            case EffectKind.DEALLOCATE:
                return self._dropped(names.statements, effect.name)
            case EffectKind.CLOSE:
                return self._dropped(names.portals, effect.name)
            case EffectKind.DISCARD if "all" in statement.text.lower():
                return names.clear(names.statements) + names.clear(names.portals)
            case _:
                return []

    def _carried(
        self, carrier: Statement, inner: Statement, permitted: Permitted, rewritten: Rewritten
    ) -> Prepared:
        return Prepared(
            text=carrier.text,
            statement=inner,
            obligations=permitted.obligations,
            rewritten=rewritten,
            epoch=repr(self.ground[1:]),
            carrier=carrier,
            reading=self.state.reading,
        )

    def _dropped(self, table: dict[str, Any], name: str | None) -> list[Change]:
        names = self.state.names
        return names.clear(table) if name is None else [names.put(table, name, None)]

    def check_subject(self, subject: Prepared, permitted: Permitted) -> Rewritten | None:
        """What the backend runs for a prepared statement or cursor must be what today's decision asks for.
        Raises CannotRewrite."""
        if subject.statement is None or subject.rewritten is None:
            return subject.rewritten
        if permitted.obligations == subject.obligations and not subject.renewed:
            return subject.rewritten
        wanted = self.rewritten(subject.carrier or subject.statement, permitted.obligations)
        if wanted.text != subject.rewritten.text:
            raise CannotRewrite(
                "the policies have changed since this was prepared or declared",
                "Prepare or declare it again: what it may show is different now.",
            )
        return wanted

    # ------------------------------------------------------------ running

    def run(
        self,
        statement: Statement,
        permitted: Permitted,
        rewritten: Rewritten,
        formats: tuple[int, ...] = (),
        judged: Operation | None = None,
    ) -> Run:
        """One execution, for the ledger. `judged`: what was permitted, where that is more than the statement
        itself says."""
        scanner = self._look_for(permitted.obligations)
        return Run(
            permitted.operation_id,
            statement.effect,
            guarded=rewritten.guards_errors,
            judged=judged or statement.operation,
            forbidden=rewritten.forbidden_origins,
            scan=scanner,
            formats=formats,
            withheld=Withheld(permitted.cap) if permitted.cap is not None else None,
        )

    def _look_for(self, obligations: Obligations) -> Scanner | None:
        """The same, for what the backend says besides rows as well: that may come behind later statements."""
        scanner = self.scanner(obligations)
        self.state.content = scanner or self.state.content
        return scanner

    def scanner(self, obligations: Obligations) -> Scanner | None:
        """Masks content that goes out; None where nothing must be looked for."""
        if not obligations.content:
            return None
        if obligations.content not in self._scanners:
            self._scanners[obligations.content] = self.dialect.scanner(obligations)
        return self._scanners[obligations.content]

    def note(self, statement: Statement) -> None:
        """The statement is being sent: what it may change is no longer known."""
        effect = statement.effect
        self.state.acted = True
        if may_read_otherwise(statement):
            self.state.may_read_otherwise(statement.text)
        self.state.in_block = effect.in_transaction(self.state.in_block)
        self.state.revived = self.state.revived or effect.ends_failure
        inner = effect.inner.effect if effect.inner is not None else None
        if effect.kind is EffectKind.COPY_IN:
            self.state.may_copy = True
        both = (effect,) if inner is None else (effect, inner)
        prepared = statement.tag == "COMMIT PREPARED"  # nobody knows what another session prepared
        changes = prepared or any(one.changes_catalog for one in both)
        if prepared or any(one.changes_catalog and one.kind not in _OWN_MATTERS for one in both):
            self.state.moving = True
            self.state.moved()
        if effect.kind not in _FIX_NO_SNAPSHOT and statement.tag != "SHOW":
            self.state.queried = True
        if effect.kind is EffectKind.SET and effect.search_path is not None:
            changes = False  # what it becomes is known; looking could fix the transaction's snapshot
        self.upkeep.note(effect.search_path, changes=changes)

    # ------------------------------------------------------------ refusing

    def refuse_query(self, words: bytes) -> None:
        """Instead of a Query (or a FunctionCall): an error, then ReadyForQuery."""
        state = self.state
        if state.skipping:
            state.say(words)  # an exchange of our own failed: the backend ignores all up to a Sync
        elif state.quiet and state.status != "T":
            state.say(words)
            state.say(ReadyForQuery(state.status).encode())
        else:
            state.send(_POISON_QUERY, Owed(Kind.QUERY, instead=words))

    def refuse_extended(self, words: bytes) -> None:
        """Instead of an extended message: an error, then nothing up to the next Sync."""
        state = self.state
        if state.quiet and state.status != "T":
            state.say(words)
        else:
            state.send(_POISON_PARSE, Owed(Kind.PARSE, instead=words))
        state.skipping = True
