"""Who is voting, and who may speak for whom."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tollhouse_operator.standalone.people import NotYou, Person, speaker, system_user

ALICE = Person("alice", ("staff",))
PEOPLE = """\
people:
- name: dana
  groups: [managers]
  spokenForBy: [alice]
- name: erin
  groups: [managers, directors]
  spokenForBy: ["*"]
- name: alice
  groups: [leads]
- name: nobody
"""


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.yaml"
    path.write_text(PEOPLE)
    return path


def test_without_a_file_a_vote_is_the_operating_system_users_own(tmp_path: Path) -> None:
    missing = tmp_path / "people.yaml"
    assert speaker(missing, ALICE, "", ()) == ALICE
    with pytest.raises(NotYou, match="knows nobody called dana"):
        speaker(missing, ALICE, "dana", ())


def test_somebody_is_spoken_for_by_those_who_are_listed(people: Path) -> None:
    assert speaker(people, ALICE, "dana", ()) == Person("dana", ("managers",))
    assert speaker(people, Person("bob"), "erin", ()).groups == ("managers", "directors")
    with pytest.raises(NotYou, match="bob may not speak for dana"):
        speaker(people, Person("bob"), "dana", ())
    with pytest.raises(NotYou, match="may not speak for nobody"):
        speaker(people, ALICE, "nobody", ())


def test_ones_own_entry_adds_groups_to_those_of_the_system(people: Path) -> None:
    assert speaker(people, ALICE, "", ()).groups == ("staff", "leads")


def test_groups_can_be_narrowed_and_never_widened(people: Path) -> None:
    assert speaker(people, ALICE, "erin", ["directors"]).groups == ("directors",)
    with pytest.raises(NotYou, match="dana is not in directors"):
        speaker(people, ALICE, "dana", ["directors"])
    with pytest.raises(NotYou, match="alice is not in managers"):
        speaker(people, ALICE, "", ["managers"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("people: {", "expected YAML"),
        ("people: [{groups: [a]}]", "name"),
        ("people: [{name: a, spoken: [b]}]", "spoken"),
        ("peple: []", "peple"),
    ],
)
def test_a_file_with_mistakes_lets_nobody_speak(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "people.yaml"
    path.write_text(text)
    with pytest.raises(NotYou, match=words):
        speaker(path, ALICE, "", ())


def test_the_system_user_is_who_runs_this() -> None:
    me = system_user()
    assert me.name == pwd.getpwuid(os.getuid()).pw_name
    assert me.groups
