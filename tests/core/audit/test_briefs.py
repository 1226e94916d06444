"""A Brief becomes the very bytes that its Event would."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from tollhouse_core.audit.chain import Chain, Encode, Signer, canonical_json
from tollhouse_core.audit.event import PLACE, Brief, Event, EventKind, Form, event_of

SIGNER = Signer("k1", lambda message: message[:64].ljust(64, b"."))
ENCODERS = {"plain": canonical_json, "fast": msgspec.json.Encoder().encode}

values = some.one_of(
    some.text(), some.integers(), some.floats(allow_nan=False, allow_infinity=False), some.none(),
    some.lists(some.text(), max_size=3),
)  # fmt: skip
fields = some.dictionaries(some.text(min_size=1), some.tuples(some.booleans(), values), max_size=6)
moments = some.datetimes(timezones=some.just(UTC))


def brief_and_event(
    session: str, number: int, time: datetime, parts: dict[str, tuple[bool, object]]
) -> tuple[Brief, Event]:
    form = Form(
        EventKind.OPERATION_DECIDED,
        tuple((name, PLACE if own else value) for name, (own, value) in parts.items()),
    )
    own = tuple(value for is_own, value in parts.values() if is_own)
    data = {name: value for name, (_, value) in parts.items()}
    return (form, session, number, time, own), Event(form.kind, session, number, time, data)


@pytest.mark.parametrize("encoder", ENCODERS)
@given(session=some.text(), time=moments, parts=some.lists(fields, min_size=1, max_size=4))
def test_a_chain_of_briefs_is_byte_for_byte_the_chain_of_their_events(
    encoder: str, session: str, time: datetime, parts: list[dict[str, tuple[bool, object]]]
) -> None:
    encode: Encode = ENCODERS[encoder]
    briefly, fully = Chain("w", encode, SIGNER), Chain("w", encode, SIGNER)
    for number, each in enumerate(parts):
        brief, event = brief_and_event(session, number, time, each)
        assert event_of(brief) == event
        assert briefly.seal(brief) == fully.seal(event)
        assert briefly.seal(brief) == fully.seal(event)  # the second time from what was laid out


def test_a_form_that_two_encoders_share_is_laid_out_for_each() -> None:
    form = Form(EventKind.OPERATION_DECIDED, (("text", "é"), ("operation", PLACE)))
    brief: Brief = (form, "s", 0, datetime(2030, 1, 1, tzinfo=UTC), (1,))
    plain, fast = Chain("w", canonical_json), Chain("w", ENCODERS["fast"])
    assert plain.seal(brief) == Chain("w", canonical_json).seal(event_of(brief))
    assert fast.seal(brief) == Chain("w", ENCODERS["fast"]).seal(event_of(brief))
    assert plain.seal(brief) != fast.seal(brief)
