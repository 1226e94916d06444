"""Whose statement a cancel stops, and who is not listened to any more."""

from __future__ import annotations

from tollhouse_proxy.protocols.postgres.cancel import MAX_MISSES, MISSES_SECONDS, CancelRegistry

KEY, OTHER = b"right-key", b"wrong-key"
ANN, BOB = "10.0.0.1:4000", "10.0.0.2:4000"


class Session:
    """Somebody's."""

    def cancel(self) -> None:
        """Not called here."""


def registry() -> tuple[CancelRegistry, Session]:
    made, session = CancelRegistry(), Session()
    made.enter(7, KEY, session)
    return made, session


def test_only_the_very_pair_finds_the_session() -> None:
    cancels, session = registry()
    assert cancels.find(7, KEY, ANN, 0.0) is session
    assert cancels.find(7, KEY[:-1], ANN, 0.0) is None
    assert cancels.find(8, KEY, ANN, 0.0) is None
    cancels.leave(7, session)
    assert cancels.find(7, KEY, ANN, 0.0) is None


def test_who_was_wrong_too_often_is_not_heard_even_when_right() -> None:
    cancels, session = registry()
    for number in range(MAX_MISSES):
        assert cancels.find(7, OTHER, f"10.0.0.1:{number}", 1.0) is None
    assert cancels.find(7, KEY, ANN, 1.0) is None
    assert cancels.find(7, KEY, BOB, 1.0) is session
    assert cancels.find(7, KEY, ANN, 1.0 + MISSES_SECONDS) is session


def test_right_ones_are_not_counted() -> None:
    cancels, session = registry()
    for _ in range(5 * MAX_MISSES):
        assert cancels.find(7, KEY, ANN, 1.0) is session


def test_hosts_that_are_remembered_are_bounded() -> None:
    cancels, _ = registry()
    for number in range(5000):
        cancels.find(7, OTHER, f"10.{number // 250}.0.{number % 250}:1", 1.0)
    assert len(cancels._misses) == 1024
