"""FunctionCall: the fast path by which libpq's large objects go (psql's \\lo_*, pg_dump, lobject of drivers).

It names a function by its oid and carries no SQL. Only the functions on large objects are served so: the oid
is looked up in the server's own catalog, and what is judged is the SELECT that the call stands for, with the
same rules (`functions: [pg_catalog.lo_open, ...]`), limits and audit. Every other oid is refused.
"""

from __future__ import annotations

from dataclasses import replace

from tollhouse_core.decision import Permitted, Refused
from tollhouse_core.operation import Operation
from tollhouse_proxy.ports.judging import Completion, Outcome
from tollhouse_proxy.protocols.postgres import parameters, refuse
from tollhouse_proxy.protocols.postgres.asking import CatalogUnreadable
from tollhouse_proxy.protocols.postgres.bench import Postponed
from tollhouse_proxy.protocols.postgres.desk import Desk, Turned
from tollhouse_proxy.protocols.postgres.hidden import Question, ask
from tollhouse_proxy.protocols.postgres.ledger import Hidden, Kind, Owed
from tollhouse_proxy.protocols.postgres.sql.statement import CannotRewrite, Statement
from tollhouse_proxy.protocols.postgres.wire.frontend import FunctionCall

LARGE_OBJECTS = frozenset(
    {
        "lo_close",
        "lo_creat",
        "lo_create",
        "lo_from_bytea",
        "lo_get",
        "lo_lseek",
        "lo_lseek64",
        "lo_open",
        "lo_put",
        "lo_tell",
        "lo_tell64",
        "lo_truncate",
        "lo_truncate64",
        "lo_unlink",
        "loread",
        "lowrite",
    }
)
"""Without lo_import and lo_export, which read and write files of the server."""

_WHAT_IS = """
SELECT pg_catalog.concat_ws(' ', p.proname, p.proargtypes)
FROM pg_catalog.pg_proc p WHERE p.oid = {oid} AND p.pronamespace = 11
""".strip()
_REFUSED = "the fast path to functions by number (FunctionCall) is served for large objects alone"
_REFUSED_HINT = "Call the function by its name in a SELECT."
_ABORTED = "current transaction is aborted, commands ignored until end of transaction block"


class Functions:
    """What the server's oids are called, as far as one session asked. Known for one ground of names."""

    def __init__(self) -> None:
        self._ground: object = None
        self._known: dict[int, tuple[str, tuple[int, ...]] | None] = {}

    def on(self, ground: object) -> Functions:
        """The same, emptied if the ground has moved."""
        if ground != self._ground:
            self._ground = ground
            self._known.clear()
        return self

    def knows(self, oid: int) -> bool:
        """Whether it was looked up."""
        return oid in self._known

    def get(self, oid: int) -> tuple[str, tuple[int, ...]] | None:
        """Name and types of arguments; None: it is no function on large objects."""
        return self._known.get(oid)

    def learn(self, oid: int, hidden: Hidden) -> None:
        """What the server answered; raises nothing: an error leaves it unknown, and refused."""
        rows = hidden.results[0] if hidden.results and hidden.error is None else []
        name, *types = (rows[0][0] or "").split() if rows else [""]
        self._known[oid] = (name, tuple(map(int, types))) if name in LARGE_OBJECTS else None


class FunctionCallTask:
    """One FunctionCall message on its way."""

    def __init__(self, desk: Desk, functions: Functions, message: bytes) -> None:
        self._desk = desk
        self._functions = functions
        self._message = message
        self._call = FunctionCall.parse(message[5:])
        self._asking = False
        self._statement: Statement | None = None
        self._operation: Operation | None = None
        self._ground: object = None

    def advance(self) -> bool:
        """Goes on as far as it can; True when the message is dealt with."""
        try:
            return self._desk.overtaken() or self._try()
        except Postponed:
            return False
        except Turned as turned:
            self._desk.refuse_query(turned.words)
        except CatalogUnreadable as failed:
            self._desk.refuse_query(failed.words)
        except CannotRewrite as cannot:
            self._desk.refuse_query(refuse.cannot_rewrite(cannot, self._desk.state.judge.revision))
        return True

    def _try(self) -> bool:
        desk = self._desk
        if not desk.upkeep.fresh():
            return False
        if self._operation is None:
            if not self._looked_up():
                return False
            self._read()
        desk.stand_on(self._ground)
        assert self._operation is not None
        verdict = desk.bench.verdict(self._operation, None)
        if verdict is None:
            return False
        if isinstance(verdict, Refused):
            raise Turned(refuse.refused(verdict))
        self._send(verdict)
        return True

    def _looked_up(self) -> bool:
        """Whether it is known what the oid stands for. Raises Turned where it cannot be asked."""
        state, oid = self._desk.state, self._call.function
        functions = self._functions.on(self._desk.upkeep.epoch)
        if functions.knows(oid):
            return True
        if self._asking:
            return False
        if state.status == "E" and not state.open_pipeline:
            raise Turned(refuse.error("25P02", _ABORTED))
        if state.ledger:
            state.flush()
            return False
        self._asking = True
        ask(state, [Question(_WHAT_IS.format(oid=oid))], self._learned)
        return False

    def _learned(self, hidden: Hidden) -> None:
        # Should the catalog move before this is looked at, it is forgotten, and asked again.
        self._asking = False
        self._functions.learn(self._call.function, hidden)

    def _read(self) -> None:
        """The SELECT that the call stands for. Raises Turned."""
        desk, call = self._desk, self._call
        found = self._functions.get(call.function)
        if found is None or len(call.values) != len(found[1]):
            raise Turned(refuse.error("42501", _REFUSED, "", _REFUSED_HINT))
        name, types = found
        places = ", ".join(f"${number}" for number in range(1, len(types) + 1))
        statements = desk.read(f"SELECT pg_catalog.{name}({places})")
        self._statement = statements[0]
        shown = parameters.shown(call.values, call.formats, types)
        operation = desk.operation(self._statement, None, beside="it is a call on the fast path")
        self._operation = replace(operation, parameters=shown)
        self._ground = desk.ground[1:]

    def _send(self, permitted: Permitted) -> None:
        desk, state, statement = self._desk, self._desk.state, self._statement
        assert statement is not None
        try:
            desk.own(permitted)
            rewritten = desk.rewritten(statement, permitted.obligations)
            if rewritten.edits or permitted.obligations.content:
                raise CannotRewrite(
                    "what a large object holds cannot be masked",
                    "While content masks are in force, large objects are not read or written this way.",
                )
        except (CannotRewrite, Turned):
            done = Completion(permitted.operation_id, Outcome.FAILED, error_code="42501")
            state.judge.completed(done)
            raise
        run = desk.run(statement, permitted, rewritten)
        if run.withheld is not None:
            done = Completion(permitted.operation_id, Outcome.FAILED, error_code="42501")
            state.judge.completed(done)
            raise CannotRewrite("a call by number does not tell how many rows it writes", _REFUSED_HINT)
        for words in permitted.notices:
            state.say(refuse.notice(words))
        desk.note(statement)
        state.send(self._message, Owed(Kind.CALL, [run]))
