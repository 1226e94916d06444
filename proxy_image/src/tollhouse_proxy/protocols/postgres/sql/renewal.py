"""A snapshot of the catalog brought up to date by reading what is newer than it.

The rule: what an older snapshot did not see was written by a transaction that was running when it was taken,
or later. So the rows whose catalog entries bear such a transaction's number, put in place of the old ones,
are today's rows, but for those that are gone; the server's count of rows tells whether some are, and then
their keys are asked for.

An older snapshot serves only where it was taken while its session had written nothing (what is written can be
undone) and where everything it saw is seen today (`sees_all_of`): else all is read.

The text of a view or default says names, so it is read again too when a relation that it depends on has a
newer entry, and all texts are when anything else that exists has another name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from .catalog import Catalog
from .catalog_queries import PARTS, SECTIONS, SESSION, Query, Since
from .sections import Base, Key, Row, Rows, Section, key_of

_PRINTED = ("defaults", "views")
_OF_RELATIONS = ("columns", "views")
"""Sections whose rows go with their relation."""
_NAMED = {"namespaces": 2, "functions": 3, "types": 3}
"""Sections of what definitions are printed with: how many columns tell what each is called."""
_DEFAULT, _RULE, _RELATION = 2604, 2618, 1259
_TEMPORARY = 5
_MOST_LISTED = 500


class ReadAll(Exception):
    """The older snapshot does not serve."""


class Renewal:
    """Ask `queries`, give their results to `take`; until it gives a Catalog there are more `queries`."""

    def __init__(
        self, base: Base | None, session: Row, parts: Sequence[str | None], taken: str, own: bool
    ) -> None:
        """`own`: the older snapshot is of the same session, so that it knows its temporary tables."""
        if base is not None and not own and session[_TEMPORARY] is not None:
            base = None
        self._session = session
        self._base = base
        self._fresh: dict[str, Section] = {}
        self._gone: dict[str, Collection[Key]] = {}
        self._newer: dict[str, Rows] = {}
        self._step: Callable[[Renewal, dict[str, Rows]], Catalog | None]
        """A function, no method of this object: with that it would keep itself, and the older snapshot."""
        self.queries: list[str] = []
        self._asked: list[str] = []
        if base is None or len(parts) != len(PARTS) or not sees_all_of(taken, base.taken):
            self._ask_all()
            return
        moved = {part for part, was, now in zip(PARTS, base.parts, parts, strict=True) if was != now}
        if not own:
            moved.add("class")  # the other's temporary tables are in it
        self._since = str(int(base.taken.split(":")[0]) % 2**32)
        self._moved = moved
        self._step = Renewal._take_newer
        for name, query in SECTIONS.items():
            if name in (SESSION, *_PRINTED) or not moved.intersection(query.parts):
                continue
            self._ask(name, query.newer(self._since) if query.key and query.recent else query.whole())

    def take(self, results: Sequence[Rows]) -> Catalog | None:
        """The snapshot, or None: there is more to ask."""
        answers = dict(zip(self._asked, results, strict=True))
        self.queries, self._asked = [], []
        try:
            return self._step(self, answers)
        except ReadAll:
            self._ask_all()
            return None

    # -- all of it ---------------------------------------------------------------------------

    def _ask_all(self) -> None:
        self._step = Renewal._take_all
        for name, query in SECTIONS.items():
            if name != SESSION:
                self._ask(name, query.whole())

    def _take_all(self, answers: dict[str, Rows]) -> Catalog:
        return Catalog.from_rows({**answers, SESSION: [self._session]})

    # -- what is newer -----------------------------------------------------------------------

    def _ask(self, name: str, query: str) -> None:
        self._asked.append(name)
        self.queries.append(query)

    def _take_newer(self, answers: dict[str, Rows]) -> Catalog | None:
        assert self._base is not None
        keys_of = []
        for name, rows in answers.items():
            query, old = SECTIONS[name], self._base.catalog.rows[name]
            if not (query.key and query.recent):
                self._fresh[name] = Section.of(rows, query.key)
                continue
            self._newer[name] = newer = [row[1:] for row in rows if row[1] is not None]
            if query.keyed:
                keys = {key_of(row, query.key) for row in newer}
                if len(old.rows.keys() | keys) != int(rows[0][0] or 0):
                    keys_of.append(name)
        self._step = Renewal._take_rest
        for name in keys_of:
            self._ask(name, SECTIONS[name].keys())
        self._ask_definitions()
        return None if self.queries else self._take_rest({})

    def _ask_definitions(self) -> None:
        """Definitions that are new, or may be printed otherwise now."""
        assert self._base is not None
        catalog = self._base.catalog
        touched = {key for name in ("relations", "columns") for key in self._keys(name)}
        known = sorted(touched & catalog.rows["relations"].rows.keys(), key=int)
        if self._renamed() or len(known) > _MOST_LISTED:
            for name in _PRINTED:
                self._ask(f"all {name}", SECTIONS[name].whole())
            return
        since = Since(self._since)
        views = sorted(row[0] or "" for row in self._newer.get("relations", ()) if row[3] in ("v", "m"))
        if views or "rewrite" in self._moved or (known and len(catalog.rows["views"])):
            newer = f"SELECT n.ev_class FROM pg_catalog.pg_rewrite n WHERE {since['n']}"
            depending = (
                "SELECT w.ev_class FROM pg_catalog.pg_depend d"
                " JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid"
                f" WHERE d.classid = {_RULE} AND d.refclassid = {_RELATION}"
                f" AND d.refobjid IN ({_listed(known)})"
            )
            condition = f"c.oid IN ({_listed(views)}) OR c.oid IN ({newer}) OR c.oid IN ({depending})"
            self._ask("some views", SECTIONS["views"].whole(condition))
        if "attrdef" in self._moved or (known and len(catalog.rows["defaults"])):
            depending = (
                f"SELECT n.objid FROM pg_catalog.pg_depend n WHERE n.classid = {_DEFAULT}"
                f" AND n.refclassid = {_RELATION} AND n.refobjid IN ({_listed(known)})"
            )
            condition = f"{since['d']} OR d.oid IN ({depending})"
            self._ask("some defaults", SECTIONS["defaults"].whole(condition))
        if "attrdef" in self._moved:
            self._ask("defaults", _DEFAULT_KEYS)

    def _keys(self, name: str) -> set[Key]:
        return {key_of(row, SECTIONS[name].key) for row in self._newer.get(name, ())}

    def _renamed(self) -> bool:
        """Whether something else than a relation, that was there, may be called otherwise now."""
        assert self._base is not None
        for name, places in _NAMED.items():
            old = self._base.catalog.rows[name].rows
            for row in self._newer.get(name, self._fresh.get(name, ())):
                was = old.get(row[0] or "")
                follows = name == "types" and (row[3] == "c" or row[4] == "A")  # another's name
                if was is not None and not follows and tuple(was[:places]) != tuple(row[:places]):
                    return True
        return "operator" in self._moved

    def _take_rest(self, answers: dict[str, Rows]) -> Catalog | None:
        assert self._base is not None
        old = self._base.catalog
        for name, rows in answers.items():
            how, _, section = name.rpartition(" ")
            if how == "all":
                self._fresh[section] = Section.of(_real(rows), SECTIONS[section].key)
            elif how == "some":
                self._newer[section] = _real(rows)
            else:
                self._gone[section] = self._missing(section, rows)
        for name, newer in self._newer.items():
            query = SECTIONS[name]
            self._fresh[name] = old.rows[name].changed(newer, query.key, self._gone.get(name, ()))
        self._follow_relations()
        made: Catalog = old.renewed({**self._fresh, SESSION: Section.of([self._session], ())})
        return made

    def _missing(self, name: str, rows: Rows) -> set[Key]:
        """Keys that were there and are gone. Raises ReadAll where one is there that nobody has told of."""
        assert self._base is not None
        today = set((rows[0][0] or "").split("\n")) - {""}
        newer = {key_of(row, SECTIONS[name].key) for row in self._newer.get(name, ())}
        known = self._base.catalog.rows[name].rows.keys()
        if name != "defaults" and not today <= known | newer:
            raise ReadAll
        return set(known) - today

    def _follow_relations(self) -> None:
        """Columns and definitions go with their relation."""
        assert self._base is not None
        gone = self._gone.get("relations")
        if not gone:
            return
        for name in _OF_RELATIONS:
            section = self._fresh.get(name, self._base.catalog.rows[name])
            query: Query = SECTIONS[name]
            self._fresh[name] = section.changed((), query.key, [key for key in gone if key in section.rows])


_DEFAULT_KEYS = (
    "SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', d.adrelid, d.adnum), pg_catalog.chr(10))"
    " FROM pg_catalog.pg_attrdef d"
)


def _real(rows: Rows) -> list[Row]:
    return [row for row in rows if row[0] is not None]


def _listed(oids: Collection[Key]) -> str:
    return ", ".join(str(int(oid)) for oid in oids) or "0"


def sees_all_of(now: str, then: str) -> bool:
    """Whether what the snapshot `then` saw (texts of pg_snapshot) is seen by `now` too."""
    lowest, next_then, running_then = _snapshot(then)
    _, next_now, running_now = _snapshot(now)
    del lowest
    return next_now >= next_then and all(xid >= next_then or xid in running_then for xid in running_now)


def _snapshot(text: str) -> tuple[int, int, frozenset[int]]:
    lowest, following, running = text.split(":")
    return int(lowest), int(following), frozenset(int(xid) for xid in running.split(",") if xid)
