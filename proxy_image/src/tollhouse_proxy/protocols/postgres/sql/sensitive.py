"""Relations of the server itself that are harmless but for some of their columns.

Decided by an allow-list: a reference that may be anything but a harmless column of such a relation
(the whole row, a renamed column, a function in attribute notation, a column a later release adds)
counts as a read of what is sensitive in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from .catalog import PG_CATALOG, Catalog, Relation
from .nodes import SYSTEM_COLUMNS, Body, strings
from .words import words


class Shows(StrEnum):
    """What the other columns show: statements as the server got them, how many rows tables have, or
    passwords and the like that the server keeps."""

    STATEMENTS = "statements"
    COUNTS = "counts"
    SECRETS = "secrets"


_ACTIVITY = words("""
datid datname pid leader_pid usesysid usename application_name client_addr client_hostname client_port
backend_start xact_start query_start state_change wait_event_type wait_event state backend_xid
backend_xmin query_id backend_type
""")
_CLASS = words("""
oid relname relnamespace reltype reloftype relowner relam relfilenode reltablespace reltoastrelid
relhasindex relisshared relpersistence relkind relnatts relchecks relhasrules relhastriggers
relhassubclass relrowsecurity relforcerowsecurity relispopulated relreplident relispartition relrewrite
relfrozenxid relminmxid relacl reloptions relpartbound
""")
# Scans count rows too: each row that is written scans the keys it refers to, and what excludes it.
_STATISTICS = words("""
relid indexrelid schemaname relname indexrelname last_seq_scan last_idx_scan last_vacuum last_autovacuum
last_analyze last_autoanalyze vacuum_count autovacuum_count analyze_count autoanalyze_count
""")
_SEQUENCES = words("""
schemaname sequencename sequenceowner data_type start_value min_value max_value increment_by cycle
cache_size
""")
_SUBSCRIPTION = words("""
oid subdbid subskiplsn subname subowner subenabled subbinary substream subtwophasestate
subdisableonerr subslotname subsynccommit subpublications suborigin subfailover subrunasowner
subpasswordrequired
""")

SENSITIVE: dict[str, tuple[Shows, frozenset[str]]] = {
    "pg_stat_activity": (Shows.STATEMENTS, _ACTIVITY),
    "pg_class": (Shows.COUNTS, _CLASS),
    "pg_sequences": (Shows.COUNTS, _SEQUENCES),
    **{
        f"{family}_{whose}_{what}": (Shows.COUNTS, _STATISTICS)
        for family in ("pg_stat", "pg_stat_xact", "pg_statio")
        for whose in ("all", "sys", "user")
        for what in ("tables", "indexes", "sequences")
    },
    "pg_foreign_server": (
        Shows.SECRETS,
        words("oid srvname srvowner srvfdw srvtype srvversion srvacl"),
    ),
    "pg_foreign_data_wrapper": (
        Shows.SECRETS,
        words("oid fdwname fdwowner fdwhandler fdwvalidator fdwacl"),
    ),
    "pg_foreign_table": (Shows.SECRETS, words("ftrelid ftserver")),
    "pg_subscription": (Shows.SECRETS, _SUBSCRIPTION),
    "pg_db_role_setting": (Shows.SECRETS, words("setdatabase setrole")),
}
"""Relation of pg_catalog -> what it shows, and its harmless columns."""


def sensitive(relation: Relation | None) -> bool:
    """Whether some columns of the relation are sensitive."""
    return relation is not None and relation.schema == PG_CATALOG and relation.name in SENSITIVE


def shows(relation: Relation) -> Shows | None:
    """What its sensitive columns show; None where it has none."""
    return SENSITIVE[relation.name][0] if sensitive(relation) else None


def may_show(node: Body, owner: str, relation: Relation, catalog: Catalog) -> bool:
    """Whether a ColumnRef, in sight of `relation` under the name `owner`, may be more than a harmless
    column of it."""
    fields = node.get("fields", [])
    texts = strings(fields)
    star = not fields or "String" not in fields[-1]
    harmless = SENSITIVE[relation.name][1] | SYSTEM_COLUMNS
    if len(fields) > 1:
        qualifier = texts[-1] if star else texts[-2]
        return qualifier == owner and (star or texts[-1] not in harmless)
    if star or texts[0] == owner:
        return True
    return texts[0] not in harmless and texts[0] in {column.name for column in catalog.columns(relation.oid)}


def join_shows(join: Body, beneath: Iterable[Relation], catalog: Catalog) -> Iterator[Relation]:
    """Relations beneath a JoinExpr whose sensitive columns the join itself compares or renames."""
    using = set(strings(join.get("usingClause")))
    for relation in beneath:
        hidden = {column.name for column in catalog.columns(relation.oid)} - SENSITIVE[relation.name][1]
        if join.get("isNatural") or using & hidden or "colnames" in join.get("alias", {}):
            yield relation
