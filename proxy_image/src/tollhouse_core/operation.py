"""What a client asks, in words that no protocol owns.

A protocol's `classify` makes one Operation from what it received; nobody parses again
downstream. An operation is a *set of accesses*: verb on object. Policies judge accesses;
obligations (masks, filters) bind to resources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Path = tuple[str, ...]
"""An object's full name, outermost first, folded as the backend folds it: ("public", "orders")."""


class Verb(StrEnum):
    """What an access does, in any protocol."""

    CONNECT = "connect"
    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    EXECUTE = "execute"
    ADMIN = "admin"
    UNKNOWN = "unknown"


class AccessKind(StrEnum):
    """What sort of object an access touches; a selector speaks of exactly one sort."""

    TABLE = "table"
    COMMAND = "command"
    FUNCTION = "function"
    ROLE = "role"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Access:
    """One verb on one object.

    `action` is the native name a selector matches ("Select", "CREATE TABLE", "Execute").
    `path` is the object's name; () where there is none (a command without an object).
    `also` are further names the object goes by, a partition's parents for example: a deny, an
    approval or an obligation on any of them binds, and an allow on any of them is enough.
    `needs_rule` is False for what is reached through something that is judged itself (the tables
    beneath a view) or is harmless by nature: no allow is needed, yet deny and approval bind.
    A function needs one all the same where columns are masked or rows filtered for the identity.
    """

    verb: Verb
    kind: AccessKind
    action: str
    path: Path = ()
    also: tuple[Path, ...] = ()
    needs_rule: bool = True

    @property
    def object(self) -> str:
        """The object's name as people write it, `schema.table`."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Resource:
    """A data set the operation touches, with the members (columns) a mask can name.

    Every table beneath a view is a resource too. `also` as in Access.
    """

    path: Path
    members: tuple[str, ...]
    also: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a client asks for.

    `action` is the native tag ("SELECT", "CREATE TABLE"). `facts` are typed values conditions
    read (`hasWhere`, `inTransaction`). `text` is for people and the audit. `canonical` is a form
    of the text in which equal meaning has equal bytes; it goes into approval digests, with
    `parameters`, the bound values as text (None is NULL). `template` is `canonical` without its
    values; "" where leaving them out could change what the operation does. `counted` is False for
    what a limit on queries passes over: the session language (BEGIN, SET, SHOW ...). `objects` names
    what the operation was resolved to so exactly that another object of the same name, or a view that
    was redefined, reads otherwise. `tied`: why it can run nowhere but in the session it was asked in ("it
    stands in a transaction"); "": it could run in another one. `uncounted` says why nobody can tell from its
    answer how many rows it wrote; "" where that can be told, or it writes none. `circumstances` are those of
    the session by which its words mean what they mean: how dates are read, in whose role it runs.
    """

    action: str
    accesses: tuple[Access, ...]
    resources: tuple[Resource, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    text: str = ""
    canonical: str = ""
    parameters: tuple[str | None, ...] = ()
    counted: bool = True
    template: str = ""
    objects: tuple[str, ...] = ()
    tied: str = ""
    uncounted: str = ""
    circumstances: tuple[str, ...] = ()

    def says_what(self, other: Operation) -> bool:
        """Whether it is the same as the other, but for how and in which session it was asked for."""
        mine, theirs = (
            (one.action, one.canonical or one.text, one.accesses, one.parameters) for one in (self, other)
        )
        return mine == theirs

    @property
    def writes_rows(self) -> bool:
        """Whether it makes, changes or removes rows."""
        return any(
            access.kind is AccessKind.TABLE and access.verb in (Verb.WRITE, Verb.DELETE)
            for access in self.accesses
        )

    @property
    def opaque(self) -> bool:
        """Whether some of it was received but not understood."""
        return any(access.kind is AccessKind.OPAQUE for access in self.accesses)
