"""Compares what the backend's role may do with what the policies need: at the start, when the policies
change, and every hour.

The questions go the way every client goes, through a listener of our own on loopback that lives for one
inspection: login, TLS and credentials are the real ones. Only who knows the inspection's random password is
let in there, and only its questions pass.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from tollhouse_core.clock import Clock
from tollhouse_core.decision import Obligations, Permitted, Refusal, Refused, RuleRef, SessionTerms
from tollhouse_core.identity import Identity, Proof, Session
from tollhouse_core.operation import Operation
from tollhouse_core.privileges import Excess
from tollhouse_core.secret import Secret
from tollhouse_proxy.loopback import NotAnswered, plain, rows_of
from tollhouse_proxy.ports import judging
from tollhouse_proxy.ports.credentials import CredentialSource
from tollhouse_proxy.ports.identity import NotProven
from tollhouse_proxy.ports.judging import Completion, FactLookup, Overrun, PreviewLookup, Waiting
from tollhouse_proxy.registry import INSPECTIONS, PROTOCOLS, Foundation, Inspection, Standing, shown_keys
from tollhouse_proxy.runtime.serving import RuntimeSettings, Serving
from tollhouse_proxy.runtime.session import Parts

log = logging.getLogger("tollhouse.privileges")

EVERY_SECONDS = 3600.0
AGAIN_SECONDS = 60.0
"""After one that failed, and at least between two."""
_USER = "tollhouse"
_NO = Refused(Refusal.DENIED, "not one of the questions", "", RuleRef(), "")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an inspection needs: `standing` is None while nobody can be served."""

    standing: Callable[[], Standing | None]
    credentials: Callable[[str], CredentialSource]
    clock: Clock


class Inspector:
    """Keeps the last inspection's findings; `found` is None until one has succeeded."""

    def __init__(self, circumstances: Circumstances) -> None:
        self._circumstances = circumstances
        self._moved = asyncio.Event()
        self._said = ""
        self.found: tuple[Excess, ...] | None = None

    def moved(self) -> None:
        """The policies or the Connection have changed."""
        self._moved.set()

    async def inspect_on(self) -> None:
        """Never ends; an inspection that fails is tried again, and hinders nothing."""
        while True:
            self._moved.clear()
            done = await self._inspect_once()
            if not done:
                await asyncio.sleep(AGAIN_SECONDS if self._circumstances.standing() else 1.0)
                continue
            try:
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._moved.wait()
                await asyncio.sleep(1.0)
            except TimeoutError:
                continue

    async def _inspect_once(self) -> bool:
        standing = self._circumstances.standing()
        if standing is None:
            return False
        inspection = INSPECTIONS.get(standing.bundle.connection.protocol)
        if inspection is None:
            return True
        try:
            self.found = await inspect(standing, inspection, self._circumstances)
        except (NotAnswered, OSError, TimeoutError) as error:
            self._tell(str(error) or "no answer in time")
            return False
        except Exception as error:  # our own fault must not end the proxy; its words may hold anything
            self._tell(f"unexpected {type(error).__name__}")
            return False
        self._said = ""
        return True

    def _tell(self, words: str) -> None:
        if words != self._said:
            log.warning("the backend role's privileges could not be looked at: %s", words)
        self._said = words


async def inspect(
    standing: Standing, inspection: Inspection, circumstances: Circumstances
) -> tuple[Excess, ...]:
    """One inspection of every role that the Connection logs in with. Raises NotAnswered, OSError."""
    found: dict[Excess, None] = {}
    target = standing.bundle.connection.spec.postgres
    named = [one for one in target.roles if one != "*"] if target else []
    for role in named or [""]:
        rows = await _answers(standing, inspection.questions, role, circumstances)
        found.update(dict.fromkeys(inspection.excess(rows, standing.bundle.rules)))
    return tuple(found)


async def _answers(
    standing: Standing, questions: Mapping[str, str], role: str, circumstances: Circumstances
) -> dict[str, list[tuple[str | None, ...]]]:
    word = secrets.token_urlsafe(32)
    one = Standing(plain(standing.bundle), standing.ca_pem)
    gate = _QuestionsOnly(frozenset(one.strip() for one in questions.values()))
    factory = PROTOCOLS[one.bundle.connection.protocol](
        Foundation(lambda: one, gate, circumstances.clock, shown_keys())
    )
    source, clock = circumstances.credentials(role), circumstances.clock
    parts = Parts(factory, _Ourselves(word), lambda _: source, clock, lambda: None)
    listener = Serving(RuntimeSettings("127.0.0.1", 0), parts)
    await listener.start()
    try:
        texts = [one.strip() for one in questions.values()]
        answers = await rows_of(listener.port, texts, user=_USER, password=word)
    finally:
        await listener.drain(0)
    return dict(zip(questions, answers, strict=True))


@dataclass(frozen=True, slots=True)
class _Ourselves:
    """Proves who knows the word."""

    word: str

    async def prove(self, token: Secret) -> Identity:
        """See the port."""
        if not hmac.compare_digest(token.reveal().encode(), self.word.encode()):
            raise NotProven("this listener is the proxy's own")
        return Identity(name="tollhouse", provider="inspection", proof=Proof.TOLLHOUSE)


@dataclass(slots=True)
class _QuestionsOnly:
    """A gate that lets the questions through and nothing else."""

    questions: frozenset[str]

    def open(self, session: Session) -> _QuestionJudge:
        """See the Gate port."""
        return _QuestionJudge(self.questions)

    def roles(self, session: Session, offered: Iterable[str]) -> tuple[str, ...]:
        """See the Gate port."""
        return tuple(offered)

    def refused(self, address: str, reason: str, identity: Identity | None = None) -> None:
        """Told by whoever asks."""


class _QuestionJudge:
    def __init__(self, questions: frozenset[str]) -> None:
        self._questions = questions

    @property
    def revision(self) -> str:
        return "inspection"

    @property
    def terms(self) -> SessionTerms:
        return SessionTerms()

    @property
    def lost(self) -> str:
        return ""

    def judge(
        self,
        operation: Operation,
        facts: FactLookup,
        waiting: Waiting,
        preview: PreviewLookup | None = None,
    ) -> Permitted | Refused:
        known = operation.text.strip() in self._questions
        return Permitted(1, self.revision, RuleRef()) if known else replace(_NO, revision=self.revision)

    def foresee(self, operation: Operation) -> Obligations | None:
        return None

    def again(self, permitted: Permitted, operation: Operation) -> None:
        return

    @property
    def principal(self) -> str:
        return ""

    def standing(self, permitted: Permitted, operation: Operation) -> None:
        return

    def repeat(
        self, standing: judging.Standing, text: str, parameters: tuple[str | None, ...], now_monotonic: float
    ) -> None:
        return

    def repeated(
        self, standing: judging.Standing, number: int, rows: int, size: int, tag: str, now_monotonic: float
    ) -> bool:
        return False

    def freely(self, operation: Operation) -> bool:
        return False

    def unasked(self, operation: Operation) -> bool:
        return False

    def unbound(self, operation: Operation) -> bool:
        return False

    def spent(self, operation_id: int, rows: int, size: int) -> Overrun | None:
        return None

    def completed(self, completion: Completion) -> None:
        return

    def unreadable(self, operation: Operation, message: str, code: str) -> Refused | None:
        return None

    def credential_refused(self, code: str, *, fetched_anew: bool) -> None:
        return

    def close(self, reason: str) -> None:
        return
