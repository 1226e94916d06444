"""Of many sessions one looks at the catalog: what it has seen serves the others, where it may."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kit.wire_transcript import HandClock, Transcript, done, query, ready, result
from tollhouse_proxy.protocols.postgres.shelf import CatalogShelf
from tollhouse_proxy.protocols.postgres.sightings import Sightings

Join = Callable[..., Transcript]


@pytest.fixture
def join() -> Join:
    """Makes sessions of one proxy, each logged in, and each having asked something."""
    shelf, clock = CatalogShelf(), HandClock()

    def joined(**more: str) -> Transcript:
        talk = Transcript(shelf=shelf, clock=clock)
        for name, value in more.items():
            setattr(talk, name, value)
        talk.log_in()
        assert asks(talk, "SELECT 0") == 0
        return talk

    return joined


def asks(talk: Transcript, text: str, status: str = "I") -> int:
    """How many questions of ours go before the statement; it has run then."""
    talk.client(query(text))
    looks = 0
    sent = talk.to_backend()
    if query(text) not in sent:
        talk.machine.outbox.backend[:0] = sent
        looks = talk.answer_looks(status)
    tag = text.split(maxsplit=1)[0]
    talk.backend(result("1") if tag == "SELECT" else done(tag), ready(status))
    talk.to_client(), talk.to_backend()
    return looks


def test_after_a_second_one_session_looks_for_all(join: Join) -> None:
    first, second, third = join(), join(), join()
    first.clock.time += 1.5
    assert asks(first, "SELECT 1") == 1
    assert asks(second, "SELECT 1") == 0
    assert asks(third, "SELECT 1") == 0
    first.clock.time += 1.5
    assert asks(third, "SELECT 1") == 1
    assert asks(first, "SELECT 1") == 0


def test_what_was_seen_grows_old_for_each_session_at_another_time(join: Join) -> None:
    talks = [join() for _ in range(20)]
    clock = talks[0].clock
    clock.time += 1.5
    assert [asks(talk, "SELECT 1") for talk in talks] == [1] + [0] * 19
    looks = []
    for _ in range(10):
        clock.time += 0.1
        looks.append(sum(asks(talk, "SELECT 1") for talk in talks))
    assert sum(looks[:5]) == 0
    assert 1 <= sum(looks[5:]) <= 3, "and whoever finds it old first looks for the others"


def test_nobody_counts_on_what_was_seen_a_second_ago(join: Join) -> None:
    first, second = join(), join()
    first.clock.time += 1.5
    assert asks(first, "SELECT 1") == 1
    first.clock.time += 1.0
    assert asks(second, "SELECT 1") == 1


def test_what_was_seen_before_a_change_serves_nobody_after_it(join: Join) -> None:
    first, second, third = join(), join(), join()
    assert asks(first, "DDL view") == 0
    assert asks(second, "SELECT 1") == 1
    assert asks(third, "SELECT 1") == 0
    assert asks(second, "DDL view") == 0
    assert asks(third, "SELECT 1") == 1


def test_a_catalog_that_another_session_has_read_is_taken_over(join: Join) -> None:
    first, second = join(), join()
    assert asks(first, "DDL view") == 0
    first.fingerprint = second.fingerprint = "f2"
    assert asks(first, "SELECT 1") > 1
    assert asks(second, "SELECT 1") == 0
    third = join(fingerprint="f2")
    assert upkeep(third).catalog is upkeep(first).catalog
    assert upkeep(second).catalog is upkeep(first).catalog
    assert upkeep(second).epoch == upkeep(first).epoch


def test_where_the_rights_have_changed_too_each_looks_for_itself(join: Join) -> None:
    first, second = join(), join()
    assert asks(first, "DDL view") == 0
    first.fingerprint = second.fingerprint = "f2"
    first.grounds = second.grounds = "other rights"
    assert asks(first, "SELECT 1") > 1
    assert asks(second, "SELECT 1") > 0


def test_in_a_transaction_another_catalog_is_not_taken_over(join: Join) -> None:
    first, second = join(), join()
    asks(second, "BEGIN", "T")
    assert asks(first, "DDL view") == 0
    first.fingerprint = second.fingerprint = "f2"
    assert asks(first, "SELECT 1") > 1
    assert asks(second, "SELECT 1", "T") > 0


def test_what_a_transaction_sees_of_its_own_changes_serves_nobody_else(join: Join) -> None:
    first, second = join(), join()
    asks(first, "BEGIN", "T")
    asks(first, "DDL view", "T")
    first.fingerprint = "f2"
    assert asks(first, "SELECT 1", "T") > 0
    assert asks(second, "SELECT 1") == 1
    assert upkeep(second).epoch != upkeep(first).epoch


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_what_a_transaction_sees_that_sees_no_changes_serves_nobody_else(join: Join, level: str) -> None:
    first, second, third = join(), join(), join()
    first.isolation = level
    asks(first, "BEGIN", "T")
    assert asks(second, "DDL view") == 0
    assert asks(first, "SELECT 1", "T") == 1
    assert asks(third, "SELECT 1") == 1


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_nor_that_its_snapshot_is_still_the_same(join: Join, level: str) -> None:
    first, second = join(), join()
    first.isolation = level
    asks(first, "BEGIN", "T")
    asks(first, "SELECT 1", "T")
    first.clock.time += 1.5
    second.fingerprint = "f2"
    assert asks(first, "SELECT 1", "T") == 1
    assert asks(second, "SELECT 1") > 1


def test_a_session_that_could_not_read_everything_looks_itself(join: Join) -> None:
    first, second = join(), join(fingerprint="unread")
    first.fingerprint = "unread"
    first.clock.time += 1.5
    assert asks(second, "SELECT 1") > 0
    assert asks(first, "SELECT 1") > 0
    first.clock.time += 1.5
    assert asks(first, "SELECT 1") > 0
    assert asks(second, "SELECT 1") > 0


def test_a_new_session_asks_only_for_what_is_its_own(join: Join) -> None:
    first = join()
    assert texts(Transcript(shelf=first.shelf, clock=first.clock)) == ["brief?"]
    first.clock.time += 1000
    assert texts(Transcript(shelf=first.shelf, clock=first.clock)) == ["brief?"], "nothing was committed"


@pytest.mark.parametrize("other", [{"fingerprint": "f2"}, {"server": "another"}])
def test_but_for_everything_where_what_was_seen_is_not_what_it_sees(
    join: Join, other: dict[str, str]
) -> None:
    first = join()
    talk = Transcript(shelf=first.shelf, clock=first.clock, **other)
    assert texts(talk)[:2] == ["brief?", "signs?"]


def texts(talk: Transcript) -> list[str]:
    """What a session asks for when it logs in."""
    asked, answer = [], talk._answer

    def answered(text: str) -> tuple[str, ...]:
        asked.append(text)
        return answer(text)

    talk._answer = answered  # type: ignore[method-assign]
    talk.log_in()
    return [text for text in asked if text.endswith("?")]


def test_another_server_behind_the_same_address_has_a_catalog_of_its_own(join: Join) -> None:
    first, second = join(), join(server="another")
    first.clock.time += 1.5
    assert asks(first, "SELECT 1") == 1
    assert asks(second, "SELECT 1") == 1


def test_a_session_that_doubts_is_not_served_by_what_was_seen_before(join: Join) -> None:
    first, second, third = join(), join(), join()
    first.clock.time += 1.5
    assert asks(first, "SELECT 1") == 1
    upkeep(second).doubt()
    upkeep(third)._doubt()
    assert asks(second, "SELECT 1") == 1
    assert asks(third, "SELECT 1") == 1


def test_now_and_then_a_session_looks_itself(join: Join) -> None:
    first, second = join(), join()
    looks = 0
    for _ in range(40):
        first.clock.time += 1.5
        assert asks(first, "SELECT 1") == 1
        looks += asks(second, "SELECT 1")
    assert looks == 2, "in a minute"


def test_of_two_that_looked_the_one_that_began_later_counts() -> None:
    from tollhouse_proxy.protocols.postgres.sightings import Sighting
    from tollhouse_proxy.protocols.postgres.sql.signs import Signs

    signs = Signs("", "", "1:1:", written=False, server="s", session=(), fingerprint=(), grounds=())
    later, earlier = Sighting(signs, 2.0, 7), Sighting(signs, 1.0, 7)
    kept = Sightings()
    kept.put("d", later)
    kept.put("d", earlier)
    assert kept.after(0.5, "d", "s", 7) is later
    assert kept.after(2.0, "d", "s", 7) is None
    assert kept.after(0.5, "d", "s", 8) is None
    assert kept.after(0.5, "other", "s", 7) is None


def upkeep(talk: Transcript):  # type: ignore[no-untyped-def]
    return talk.machine._upkeep
