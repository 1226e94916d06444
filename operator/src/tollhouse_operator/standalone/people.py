"""Who is voting when there is no API server to prove it.

A vote carries the operating system's user and groups. The folder's `people.yaml` may let that
user speak for others:

    people:
    - name: dana
      groups: [managers]
      spokenForBy: [alice, "*"]      # users of this machine; "*" is everybody who can write here
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, ValidationError

from tollhouse_core.api.shape import ApiModel

Name = Annotated[str, Field(min_length=1, max_length=256)]


class NotYou(Exception):
    """Somebody may not speak for somebody; `str()` says why and what to do."""


class _Person(ApiModel):
    name: Name
    groups: tuple[Name, ...] = ()
    spoken_for_by: tuple[Name, ...] = ()


class _People(ApiModel):
    people: tuple[_Person, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """A name with its groups, as a vote carries them."""

    name: str
    groups: tuple[str, ...] = ()


def system_user() -> Person:
    """Who runs this program, as the operating system knows them."""
    user = _name_of(os.getuid())
    numbers = dict.fromkeys([os.getgid(), *os.getgroups()])
    return Person(user, tuple(filter(None, map(_group_of, numbers))))


def speaker(people_file: Path, me: Person, wanted: str, groups: Sequence[str]) -> Person:
    """Who votes: `me`, or `wanted` where people.yaml lets me. `groups` narrows the groups down.

    Raises NotYou.
    """
    people = _read(people_file)
    name = wanted or me.name
    entry = next((person for person in people if person.name == name), None)
    if name == me.name:
        mine = dict.fromkeys((*me.groups, *(entry.groups if entry and _speaks(me, entry) else ())))
        return Person(name, _narrowed(name, tuple(mine), groups))
    if entry is None:
        raise NotYou(
            f"{people_file} knows nobody called {name}: add an entry, or vote as yourself ({me.name})"
        )
    if not _speaks(me, entry):
        raise NotYou(f"{me.name} may not speak for {name}: {people_file} does not list them in spokenForBy")
    return Person(name, _narrowed(name, entry.groups, groups))


def trouble(people_file: Path) -> str:
    """What is wrong with the file; "" when it is fine or not there."""
    try:
        _read(people_file)
    except NotYou as error:
        return str(error)
    return ""


def _speaks(me: Person, entry: _Person) -> bool:
    return me.name == entry.name or me.name in entry.spoken_for_by or "*" in entry.spoken_for_by


def _narrowed(name: str, own: tuple[str, ...], wanted: Sequence[str]) -> tuple[str, ...]:
    foreign = [group for group in wanted if group not in own]
    if foreign:
        raise NotYou(f"{name} is not in {', '.join(foreign)} (groups: {', '.join(own) or 'none'})")
    return tuple(wanted) or own


def _read(path: Path) -> tuple[_Person, ...]:
    try:
        document = yaml.safe_load(path.read_bytes())
        return _People.model_validate(document if isinstance(document, Mapping) else {}).people
    except FileNotFoundError:
        return ()
    except yaml.YAMLError as error:
        raise NotYou(f"{path}: expected YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise NotYou(f"{path}: {where}: {first['msg']}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise NotYou(f"{path} cannot be read") from error


def _name_of(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid-{number}"


def _group_of(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return ""
