"""Keys come before they sign and stay until their last token has ended."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tollhouse_operator.tokens.keyring import (
    LINGER_SECONDS,
    ROTATE_SECONDS,
    SPREAD_SECONDS,
    Keyring,
    SigningKey,
    kept_up,
)

LONGEST_TOKEN = 3600.0


def test_the_first_key_signs_at_once() -> None:
    ring = Keyring(kept_up((), 1000.0))
    assert len(ring.keys) == 1
    assert ring.signing(1000.0) is ring.keys[0]


def test_a_new_key_is_published_before_it_signs_and_the_old_one_stays_for_its_tokens() -> None:
    first = kept_up((), 0.0)
    both = kept_up(first, ROTATE_SECONDS)
    assert both[0] == first[0]
    assert len(both) == 2
    ring = Keyring(both)
    assert ring.signing(ROTATE_SECONDS + SPREAD_SECONDS - 1) == both[0]
    assert ring.signing(ROTATE_SECONDS + SPREAD_SECONDS) == both[1]
    assert kept_up(both, ROTATE_SECONDS + SPREAD_SECONDS + LINGER_SECONDS - 1) == both
    assert kept_up(both, ROTATE_SECONDS + SPREAD_SECONDS + LINGER_SECONDS) == both[1:]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(60.0, ROTATE_SECONDS / 2), min_size=1, max_size=60))
def test_whatever_signed_within_the_longest_life_of_a_token_is_published(pauses: list[float]) -> None:
    now, keys = 0.0, kept_up((), 0.0)
    signed: list[tuple[float, SigningKey]] = []
    for pause in pauses:
        signed.append((now, Keyring(keys).signing(now)))
        now += min(pause, LINGER_SECONDS)
        keys = kept_up(keys, now)
        for moment, key in signed:
            assert now - moment > LONGEST_TOKEN + SPREAD_SECONDS or key in keys


def test_only_public_halves_are_published() -> None:
    for key in Keyring(kept_up((), 0.0)).published:
        assert "d" not in key
        assert (key["kty"], key["alg"], key["use"]) == ("EC", "ES256", "sig")
