"""What reading one statement finds: accesses, resources, and where in the text they stand."""

from __future__ import annotations

from dataclasses import dataclass, field

from tollhouse_core.operation import Access, AccessKind, Path, Resource, Verb

from .catalog import Catalog, Relation
from .nodes import Body


@dataclass(frozen=True, slots=True)
class Source:
    """A RangeVar that is read. `select` is the SELECT (or other statement) whose FROM holds it.

    `sample` is the RangeTableSample around it, where there is one.
    """

    relation: Relation
    node: Body
    select: Body
    sample: Body | None = None

    @property
    def location(self) -> int:
        """Byte offset of the name."""
        return int(self.node.get("location", 0))

    @property
    def alias(self) -> str:
        """The name its columns are qualified with."""
        return str(self.node.get("alias", {}).get("aliasname", self.node.get("relname", "")))


@dataclass(frozen=True, slots=True)
class Write:
    """A relation that INSERT, UPDATE, DELETE, MERGE or COPY FROM writes. `kind` is the node type."""

    relation: Relation
    kind: str
    body: Body
    depth: int

    @property
    def node(self) -> Body:
        """The target's RangeVar."""
        found: Body = self.body["relation"]
        return found

    @property
    def alias(self) -> str:
        """The name its columns are qualified with."""
        return str(self.node.get("alias", {}).get("aliasname", self.node.get("relname", "")))


@dataclass
class Findings:
    """Filled while a statement is read; `everything` when it shows any table's values,
    `changes_catalog` when it writes to the catalog's own tables,
    `counts` when it shows how many rows tables have (`counts_all`: all tables), `defining` while
    what is read is only stored. `setting_row` is the setting whose row of
    pg_settings the SELECT being read speaks of."""

    accesses: dict[Access, None] = field(default_factory=dict)
    resources: dict[tuple[str, ...], Resource] = field(default_factory=dict)
    relations: dict[int, Relation] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    cascaded: dict[int, Relation] = field(default_factory=dict)
    operators: set[tuple[str, ...]] = field(default_factory=set)
    type_oids: set[int] = field(default_factory=set)
    type_names: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    """Functions by their last name, views' own included; `functions` are those named without a schema."""
    parameters: int = 0
    sensitive: bool = False
    everything: bool = False
    changes_catalog: bool = False
    counts: bool = False
    counts_all: bool = False
    counts_unseen: bool = False
    """Counts are told where they cannot be blanked: beneath a view, or by a function of statistics."""
    count_calls: list[Body] = field(default_factory=list)
    defining: bool = False
    settings: list[tuple[str, str | None, bool]] = field(default_factory=list)
    without_where: bool = False
    setting_row: str | None = None

    def add(self, access: Access) -> None:
        """Remembers an access once."""
        self.accesses[access] = None

    def table(self, relation: Relation, action: str, catalog: Catalog, needs_rule: bool = True) -> None:
        """An access to a relation with rows, and the relation as a resource."""
        self.add(
            Access(
                VERBS[action],
                AccessKind.TABLE,
                action,
                relation.path,
                also=tuple(parent.path for parent in parents(relation, catalog)),
                needs_rule=needs_rule,
            )
        )
        self.resource(relation, catalog)

    def resource(self, relation: Relation, catalog: Catalog) -> None:
        """The relation as something a mask or filter may bind to."""
        self.relations[relation.oid] = relation
        if relation.path not in self.resources:
            self.resources[relation.path] = Resource(
                relation.path,
                tuple(column.name for column in catalog.columns(relation.oid)),
                tuple(parent.path for parent in parents(relation, catalog)),
            )

    def function(self, schema: str, name: str, also: tuple[Path, ...] = ()) -> None:
        """A call of something beyond the safe built-ins."""
        self.add(Access(Verb.EXECUTE, AccessKind.FUNCTION, "Execute", (schema, name), also))

    def opaque(self, what: str) -> None:
        """Something that runs what we cannot read."""
        self.add(Access(Verb.UNKNOWN, AccessKind.OPAQUE, what))

    def command(self, action: str, verb: Verb, path: tuple[str, ...] = (), needs_rule: bool = True) -> None:
        """A statement that is no data access."""
        self.add(Access(verb, AccessKind.COMMAND, action, path, needs_rule=needs_rule))


VERBS: dict[str, Verb] = {
    "Select": Verb.READ,
    "Insert": Verb.WRITE,
    "Update": Verb.WRITE,
    "Delete": Verb.DELETE,
    "Truncate": Verb.DELETE,
}


def parents(relation: Relation, catalog: Catalog) -> tuple[Relation, ...]:
    """What the relation is a partition or child of, directly or not."""
    found = (catalog.relation(oid) for oid in catalog.ancestors(relation.oid))
    return tuple(one for one in found if one is not None)
