"""The conversation with anybody: `python -m fuzz.conversation --seconds 60 --seed 1`.

A client and a backend say what they like, in order or not, whole or in pieces. The machine must answer,
refuse or end the session; it may not raise, and what it sends must be well-formed messages.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from fuzz.campaign import Campaign, main
from fuzz.wire_messages import BODIES, grown
from kit import wire_transcript as talk
from kit.wire_world import RULE, ScriptedGate, ScriptedJudge, refused
from tollhouse_core.decision import ColumnMask, Obligations, Refused
from tollhouse_core.masks import Nullify
from tollhouse_core.operation import Operation
from tollhouse_proxy.protocols.postgres.wire import frontend

_TEXTS = (
    "SELECT 1", "DELETE t", "BEGIN", "COMMIT", "ROLLBACK", "DDL x", "SET a", "COPYIN t", "EXECUTE s",
    "FETCH p", "PREPARE s SELECT 1", "DECLARE p SELECT 1", "BROKEN", "", "SELECT 1;SELECT 2",
    "BEGIN;DELETE t",
)  # fmt: skip
_NAMES = ("", "s", "p", "_tollhouse", "x" * 70)
_TAGS = ("SELECT 1", "BEGIN", "COMMIT", "ROLLBACK", "SET", "COPY 1", "DELETE 1", "INSERT 0 1")
_CLIENT: tuple[Callable[[random.Random], bytes], ...] = (
    lambda rng: talk.query(rng.choice(_TEXTS)),
    lambda rng: talk.parse(rng.choice(_TEXTS), rng.choice(_NAMES)),
    lambda rng: talk.bind(rng.choice(_NAMES), rng.choice(_NAMES)),
    lambda rng: talk.execute(rng.choice(_NAMES), rng.choice((0, 1))),
    lambda rng: frontend.Describe(rng.choice("SP"), rng.choice(_NAMES)).encode(),
    lambda rng: frontend.Close(rng.choice("SP"), rng.choice(_NAMES)).encode(),
    lambda _: talk.SYNC,
    lambda _: talk.SYNC,
    lambda _: talk.FLUSH,
    lambda _: frontend.COPY_DONE_MESSAGE,
    lambda _: frontend.CopyData(b"1\tx\n").encode(),
    lambda _: frontend.CopyFail("no").encode(),
    lambda _: frontend.FunctionCall(2923, (), (), 0).encode(),
)
_BACKEND: tuple[Callable[[random.Random], bytes], ...] = (
    lambda rng: talk.ready(rng.choice("ITE")),
    lambda rng: talk.ready(rng.choice("ITE")),
    lambda rng: talk.done(rng.choice(_TAGS)),
    lambda _: talk.result("1"),
    lambda rng: talk.result("1", table=16384, attribute=rng.choice((1, 2))),
    lambda _: talk.error(),
    lambda _: talk.PARSED,
    lambda _: talk.BOUND,
    lambda _: talk.CLOSED,
)
_KINDS = {
    "RowDescription": b"T", "DataRow": b"D", "CommandComplete": b"C", "ParameterDescription": b"t",
    "NotificationResponse": b"A", "ParameterStatus": b"S", "CopyInResponse": b"G", "CopyOutResponse": b"H",
    "NoticeResponse": b"N", "ErrorResponse": b"E", "ReadyForQuery": b"Z", "CopyData": b"d",
}  # fmt: skip
_MASKED = Obligations(columns=(ColumnMask(("public", "t"), "c", Nullify(), RULE),))


def _no_deletes(_judge: ScriptedJudge, operation: Operation) -> Refused | None:
    return refused() if operation.action == "DELETE" else None


class Target:
    """One session a step."""

    name = "conversation"
    steps = 5

    def step(self, rng: random.Random, campaign: Campaign) -> None:
        """A session of up to forty messages."""
        seed = rng.getrandbits(48)
        frames = [0]
        try:
            play(random.Random(seed), frames)
        except Exception:
            campaign.found(str(seed).encode())
        campaign.tried(frames[0])


def play(rng: random.Random, frames: list[int]) -> None:
    """One session; `frames` counts messages. Raises what the machine raises."""
    gate = ScriptedGate(deciding=_no_deletes)
    session = talk.Transcript(chunk=rng.choice((0, 0, 1, 7)), gate=gate).log_in()
    for _ in range(rng.randrange(4, 40)):
        if session.closed is not None:
            return
        frames[0] += 1
        if rng.random() < 0.02:
            gate.obligations = rng.choice((_MASKED, Obligations()))
            gate.revision = f"sha256:{rng.randrange(9)}"
        if rng.random() < 0.55:
            session.client(_spoilt(rng, rng.choice(_CLIENT)(rng)))
        elif rng.random() < 0.8:
            _answer(rng, session)
        else:
            session.backend(_spoilt(rng, _of_the_backend(rng)))
        session.to_client()


def _answer(rng: random.Random, session: talk.Transcript) -> None:
    """Mostly what the backend would say to what it was sent."""
    for sent in session.to_backend():
        match sent[:1]:
            case b"Q":
                session.backend(talk.result("1"), talk.ready(rng.choice("IIT")))
            case b"P":
                session.backend(talk.PARSED)
            case b"B":
                session.backend(talk.BOUND)
            case b"C":
                session.backend(talk.CLOSED)
            case b"E":
                session.backend(talk.done(rng.choice(_TAGS)))
            case b"S":
                session.backend(talk.ready(rng.choice("IIT")))
            case _:
                session.backend(rng.choice(_BACKEND)(rng))
        if session.closed is not None:
            return


def _of_the_backend(rng: random.Random) -> bytes:
    if rng.random() < 0.6:
        return rng.choice(_BACKEND)(rng)
    name = rng.choice(tuple(_KINDS))
    body = rng.choice(BODIES[name])
    return _KINDS[name] + (len(body) + 4).to_bytes(4) + body


def _spoilt(rng: random.Random, message: bytes) -> bytes:
    return message if rng.random() < 0.97 else grown(rng, message)


def replay(data: bytes) -> bool:
    """Whether a session is still a finding."""
    try:
        play(random.Random(int(data)), [0])
    except Exception:
        return True
    return False


if __name__ == "__main__":
    main(Target())
