"""What a rule speaks of: one selector for each protocol."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from tollhouse_core.api.shape import ApiModel, AtLeastOne, EachOnce, ExactlyOne, Needs, Shape

Glob = Annotated[str, Field(min_length=1, max_length=512)]
ApiGroups = Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(min_length=1, max_length=256)]
Globs = Annotated[tuple[Glob, ...], Field(min_length=1, max_length=256)]
TABLES_HELP = (
    'Globs on `schema.table`. `*` stays inside one segment; a bare "*" is every table of every schema; '
    "a name without schema is in the Connection's default schema. Names fold as in SQL, and may be quoted."
)


class SqlAccess(StrEnum):
    """What a statement does with a table."""

    SELECT = "Select"
    INSERT = "Insert"
    UPDATE = "Update"
    DELETE = "Delete"
    TRUNCATE = "Truncate"


class SqlSelector(ApiModel):
    """Statements, by what they touch, or log-ins, by their role. A selector speaks of tables, commands,
    functions or roles, never of two."""

    shape: ClassVar[tuple[Shape, ...]] = (
        ExactlyOne(("access", "commands", "functions", "roles"), "sort of thing to select"),
        Needs("access", ("tables",), 'access needs tables; for every table write tables: ["*"]'),
        Needs(
            "tables", ("access",), "tables needs access, such as access: [Select]; commands have no tables"
        ),
    )

    access: Annotated[tuple[SqlAccess, ...], Field(min_length=1, max_length=5), EachOnce()] | None = Field(
        default=None,
        description="What is done with `tables`: Select (read rows), Insert (add rows), Update (change "
        "rows), Delete (remove rows), Truncate (empty a table).",
    )
    tables: Globs | None = Field(default=None, description=TABLES_HELP)
    commands: Globs | None = Field(
        default=None,
        description="Globs on command tags, for everything that is no access to a table: "
        '"CREATE TABLE", "ALTER *", "COPY".',
    )
    functions: Globs | None = Field(
        default=None,
        description="Globs on functions beyond the safe built-in ones, `schema.function`. Allowing one "
        "vouches for its body: what that does is not judged.",
    )
    roles: Globs | None = Field(
        default=None,
        description="Globs on roles of the Connection, as a client gives them as its `user` (exactly: "
        "nothing is folded). Where a Connection has roles, a session needs a rule that allows its own.",
    )


class MongodbAccess(StrEnum):
    """What an operation does with a collection."""

    FIND = "Find"
    INSERT = "Insert"
    UPDATE = "Update"
    DELETE = "Delete"


class MongodbSelector(ApiModel):
    """MongoDB operations."""

    shape: ClassVar[tuple[Shape, ...]] = (
        ExactlyOne(("access", "commands"), "sort of thing to select"),
        Needs("access", ("collections",), 'access needs collections; for every one write collections: ["*"]'),
        Needs("collections", ("access",), "collections needs access, such as access: [Find]"),
    )

    access: Annotated[tuple[MongodbAccess, ...], Field(min_length=1, max_length=4), EachOnce()] | None = (
        Field(
            default=None,
            description="What is done with `collections`: Find (read documents), Insert (add documents), "
            "Update (change documents), Delete (remove documents).",
        )
    )
    collections: Globs | None = Field(
        default=None, description='Globs on `database.collection`; a bare "*" is every collection.'
    )
    commands: Globs | None = Field(default=None, description="Globs on names of other database commands.")


class SshSelector(ApiModel):
    """Commands run over SSH."""

    commands: Globs = Field(description="Globs on the command line, `git *`.")


class KubernetesSelector(ApiModel):
    """Requests to a Kubernetes API server; every field that is there must match."""

    verbs: Globs = Field(description='Verbs as RBAC names them: get, list, create, ... or "*".')
    resources: Globs = Field(
        description='Plural resource names, subresources with a slash: pods/exec; or "*".'
    )
    api_groups: ApiGroups | None = Field(
        default=None, description='API groups, "" for the core group. Absent: every group.'
    )
    namespaces: Globs | None = Field(
        default=None, description="Globs on namespaces. Absent: every namespace, and what has none."
    )
    names: Globs | None = Field(default=None, description="Globs on object names. Absent: every name.")


class HttpSelector(ApiModel):
    """HTTP requests; every field that is there must match."""

    methods: Annotated[
        tuple[Annotated[str, Field(max_length=32, pattern=r"^([A-Z]+|\*)$")], ...],
        Field(min_length=1, max_length=32),
    ] = Field(description='Methods in capitals, or "*".')
    paths: Globs = Field(
        description="Path templates: `*` is one segment, a last `**` all that follows: /orders/*."
    )


class McpSelector(ApiModel):
    """What is asked of an MCP server."""

    shape: ClassVar[tuple[Shape, ...]] = (AtLeastOne(("tools", "resources", "prompts")),)

    tools: Globs | None = Field(default=None, description="Globs on tool names.")
    resources: Globs | None = Field(default=None, description="Globs on resource URIs.")
    prompts: Globs | None = Field(default=None, description="Globs on prompt names.")


SELECTORS = ("sql", "mongodb", "ssh", "kubernetes", "http", "mcp")

Selector = SqlSelector | MongodbSelector | SshSelector | KubernetesSelector | HttpSelector | McpSelector


class Selecting(ApiModel):
    """The base of actions that say what they speak of; exactly one selector, by protocol."""

    shape: ClassVar[tuple[Shape, ...]] = (ExactlyOne(SELECTORS, "selector"),)

    sql: SqlSelector | None = Field(default=None, description="SQL statements (postgres, mysql).")
    mongodb: MongodbSelector | None = Field(default=None, description="MongoDB operations.")
    ssh: SshSelector | None = Field(default=None, description="Commands run over SSH.")
    kubernetes: KubernetesSelector | None = Field(
        default=None, description="Requests to a Kubernetes API server."
    )
    http: HttpSelector | None = Field(default=None, description="HTTP requests.")
    mcp: McpSelector | None = Field(default=None, description="Calls to an MCP server.")

    @property
    def language(self) -> str:
        """The name of the selector's block: `sql`."""
        return self.chosen(*SELECTORS)

    @property
    def selector(self) -> Selector:
        """The selector itself."""
        selector: Selector = getattr(self, self.language)
        return selector
