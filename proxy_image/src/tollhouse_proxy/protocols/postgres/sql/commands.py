"""Statements that are no queries: what each is called, and on what object it acts.

The tag is what the server would answer in CommandComplete (so that `CREATE *` in a policy means
what people expect); a statement type that is not in this table is not understood.
"""

from __future__ import annotations

from tollhouse_core.operation import Verb

from .catalog import Relation
from .names import Names
from .nodes import Body, strings, wrapped

_OBJECTS: dict[str, str] = {
    "OBJECT_LARGEOBJECT": "LARGE OBJECT",
    "OBJECT_ACCESS_METHOD": "ACCESS METHOD",
    "OBJECT_AGGREGATE": "AGGREGATE",
    "OBJECT_CAST": "CAST",
    "OBJECT_COLLATION": "COLLATION",
    "OBJECT_CONVERSION": "CONVERSION",
    "OBJECT_DATABASE": "DATABASE",
    "OBJECT_DOMAIN": "DOMAIN",
    "OBJECT_EVENT_TRIGGER": "EVENT TRIGGER",
    "OBJECT_EXTENSION": "EXTENSION",
    "OBJECT_FDW": "FOREIGN DATA WRAPPER",
    "OBJECT_FOREIGN_SERVER": "SERVER",
    "OBJECT_FOREIGN_TABLE": "FOREIGN TABLE",
    "OBJECT_FUNCTION": "FUNCTION",
    "OBJECT_INDEX": "INDEX",
    "OBJECT_LANGUAGE": "LANGUAGE",
    "OBJECT_MATVIEW": "MATERIALIZED VIEW",
    "OBJECT_OPCLASS": "OPERATOR CLASS",
    "OBJECT_OPERATOR": "OPERATOR",
    "OBJECT_OPFAMILY": "OPERATOR FAMILY",
    "OBJECT_POLICY": "POLICY",
    "OBJECT_PROCEDURE": "PROCEDURE",
    "OBJECT_PUBLICATION": "PUBLICATION",
    "OBJECT_ROLE": "ROLE",
    "OBJECT_ROUTINE": "ROUTINE",
    "OBJECT_RULE": "RULE",
    "OBJECT_SCHEMA": "SCHEMA",
    "OBJECT_SEQUENCE": "SEQUENCE",
    "OBJECT_STATISTIC_EXT": "STATISTICS",
    "OBJECT_SUBSCRIPTION": "SUBSCRIPTION",
    "OBJECT_TABLE": "TABLE",
    "OBJECT_TABLESPACE": "TABLESPACE",
    "OBJECT_TRANSFORM": "TRANSFORM",
    "OBJECT_TRIGGER": "TRIGGER",
    "OBJECT_TSCONFIGURATION": "TEXT SEARCH CONFIGURATION",
    "OBJECT_TSDICTIONARY": "TEXT SEARCH DICTIONARY",
    "OBJECT_TSPARSER": "TEXT SEARCH PARSER",
    "OBJECT_TSTEMPLATE": "TEXT SEARCH TEMPLATE",
    "OBJECT_TYPE": "TYPE",
    "OBJECT_USER_MAPPING": "USER MAPPING",
    "OBJECT_VIEW": "VIEW",
}

_TAGS: dict[str, tuple[str, Verb]] = {
    "CreateStmt": ("CREATE TABLE", Verb.ADMIN),
    "CreateForeignTableStmt": ("CREATE FOREIGN TABLE", Verb.ADMIN),
    "CreateTableAsStmt": ("CREATE TABLE AS", Verb.ADMIN),
    "ViewStmt": ("CREATE VIEW", Verb.ADMIN),
    "IndexStmt": ("CREATE INDEX", Verb.ADMIN),
    "CreateSchemaStmt": ("CREATE SCHEMA", Verb.ADMIN),
    "CreateSeqStmt": ("CREATE SEQUENCE", Verb.ADMIN),
    "AlterSeqStmt": ("ALTER SEQUENCE", Verb.ADMIN),
    "CreateFunctionStmt": ("CREATE FUNCTION", Verb.ADMIN),
    "AlterFunctionStmt": ("ALTER FUNCTION", Verb.ADMIN),
    "CreateTrigStmt": ("CREATE TRIGGER", Verb.ADMIN),
    "RuleStmt": ("CREATE RULE", Verb.ADMIN),
    "CreatePolicyStmt": ("CREATE POLICY", Verb.ADMIN),
    "AlterPolicyStmt": ("ALTER POLICY", Verb.ADMIN),
    "CreateExtensionStmt": ("CREATE EXTENSION", Verb.ADMIN),
    "AlterExtensionStmt": ("ALTER EXTENSION", Verb.ADMIN),
    "AlterExtensionContentsStmt": ("ALTER EXTENSION", Verb.ADMIN),
    "CreateDomainStmt": ("CREATE DOMAIN", Verb.ADMIN),
    "AlterDomainStmt": ("ALTER DOMAIN", Verb.ADMIN),
    "CreateEnumStmt": ("CREATE TYPE", Verb.ADMIN),
    "AlterEnumStmt": ("ALTER TYPE", Verb.ADMIN),
    "AlterTypeStmt": ("ALTER TYPE", Verb.ADMIN),
    "CompositeTypeStmt": ("CREATE TYPE", Verb.ADMIN),
    "CreateRangeStmt": ("CREATE TYPE", Verb.ADMIN),
    "CreateCastStmt": ("CREATE CAST", Verb.ADMIN),
    "CreateConversionStmt": ("CREATE CONVERSION", Verb.ADMIN),
    "CreateTransformStmt": ("CREATE TRANSFORM", Verb.ADMIN),
    "CreatePLangStmt": ("CREATE LANGUAGE", Verb.ADMIN),
    "CreateOpClassStmt": ("CREATE OPERATOR CLASS", Verb.ADMIN),
    "CreateOpFamilyStmt": ("CREATE OPERATOR FAMILY", Verb.ADMIN),
    "AlterOpFamilyStmt": ("ALTER OPERATOR FAMILY", Verb.ADMIN),
    "AlterOperatorStmt": ("ALTER OPERATOR", Verb.ADMIN),
    "CreateAmStmt": ("CREATE ACCESS METHOD", Verb.ADMIN),
    "CreateStatsStmt": ("CREATE STATISTICS", Verb.ADMIN),
    "AlterStatsStmt": ("ALTER STATISTICS", Verb.ADMIN),
    "AlterCollationStmt": ("ALTER COLLATION", Verb.ADMIN),
    "CreatedbStmt": ("CREATE DATABASE", Verb.ADMIN),
    "AlterDatabaseStmt": ("ALTER DATABASE", Verb.ADMIN),
    "AlterDatabaseSetStmt": ("ALTER DATABASE", Verb.ADMIN),
    "AlterDatabaseRefreshCollStmt": ("ALTER DATABASE", Verb.ADMIN),
    "DropdbStmt": ("DROP DATABASE", Verb.ADMIN),
    "CreateTableSpaceStmt": ("CREATE TABLESPACE", Verb.ADMIN),
    "DropTableSpaceStmt": ("DROP TABLESPACE", Verb.ADMIN),
    "AlterTableSpaceOptionsStmt": ("ALTER TABLESPACE", Verb.ADMIN),
    "CreateRoleStmt": ("CREATE ROLE", Verb.ADMIN),
    "AlterRoleStmt": ("ALTER ROLE", Verb.ADMIN),
    "AlterRoleSetStmt": ("ALTER ROLE", Verb.ADMIN),
    "DropRoleStmt": ("DROP ROLE", Verb.ADMIN),
    "GrantStmt": ("GRANT", Verb.ADMIN),
    "GrantRoleStmt": ("GRANT ROLE", Verb.ADMIN),
    "AlterDefaultPrivilegesStmt": ("ALTER DEFAULT PRIVILEGES", Verb.ADMIN),
    "ReassignOwnedStmt": ("REASSIGN OWNED", Verb.ADMIN),
    "DropOwnedStmt": ("DROP OWNED", Verb.ADMIN),
    "CommentStmt": ("COMMENT", Verb.ADMIN),
    "SecLabelStmt": ("SECURITY LABEL", Verb.ADMIN),
    "CreateFdwStmt": ("CREATE FOREIGN DATA WRAPPER", Verb.ADMIN),
    "AlterFdwStmt": ("ALTER FOREIGN DATA WRAPPER", Verb.ADMIN),
    "CreateForeignServerStmt": ("CREATE SERVER", Verb.ADMIN),
    "AlterForeignServerStmt": ("ALTER SERVER", Verb.ADMIN),
    "CreateUserMappingStmt": ("CREATE USER MAPPING", Verb.ADMIN),
    "AlterUserMappingStmt": ("ALTER USER MAPPING", Verb.ADMIN),
    "DropUserMappingStmt": ("DROP USER MAPPING", Verb.ADMIN),
    "ImportForeignSchemaStmt": ("IMPORT FOREIGN SCHEMA", Verb.ADMIN),
    "CreatePublicationStmt": ("CREATE PUBLICATION", Verb.ADMIN),
    "AlterPublicationStmt": ("ALTER PUBLICATION", Verb.ADMIN),
    "CreateSubscriptionStmt": ("CREATE SUBSCRIPTION", Verb.ADMIN),
    "AlterSubscriptionStmt": ("ALTER SUBSCRIPTION", Verb.ADMIN),
    "DropSubscriptionStmt": ("DROP SUBSCRIPTION", Verb.ADMIN),
    "CreateEventTrigStmt": ("CREATE EVENT TRIGGER", Verb.ADMIN),
    "AlterEventTrigStmt": ("ALTER EVENT TRIGGER", Verb.ADMIN),
    "AlterTSConfigurationStmt": ("ALTER TEXT SEARCH CONFIGURATION", Verb.ADMIN),
    "AlterTSDictionaryStmt": ("ALTER TEXT SEARCH DICTIONARY", Verb.ADMIN),
    "AlterSystemStmt": ("ALTER SYSTEM", Verb.ADMIN),
    "ClusterStmt": ("CLUSTER", Verb.ADMIN),
    "RepackStmt": ("REPACK", Verb.ADMIN),
    "ReindexStmt": ("REINDEX", Verb.ADMIN),
    "CheckPointStmt": ("CHECKPOINT", Verb.ADMIN),
    "LoadStmt": ("LOAD", Verb.ADMIN),
    "RefreshMatViewStmt": ("REFRESH MATERIALIZED VIEW", Verb.ADMIN),
    "LockStmt": ("LOCK TABLE", Verb.EXECUTE),
    "ListenStmt": ("LISTEN", Verb.READ),
    "NotifyStmt": ("NOTIFY", Verb.EXECUTE),
    "DoStmt": ("DO", Verb.EXECUTE),
    "CallStmt": ("CALL", Verb.EXECUTE),
    "ConstraintsSetStmt": ("SET CONSTRAINTS", Verb.EXECUTE),
}

_WITH_OBJECT = {
    "DropStmt": ("DROP", "removeType"),
    "DefineStmt": ("CREATE", "kind"),
    "AlterTableStmt": ("ALTER", "objtype"),
    "AlterTableMoveAllStmt": ("ALTER", "objtype"),
    "AlterObjectSchemaStmt": ("ALTER", "objectType"),
    "AlterObjectDependsStmt": ("ALTER", "objectType"),
    "AlterOwnerStmt": ("ALTER", "objectType"),
}

STRUCTURE = frozenset(
    {
        "AlterTableStmt", "RenameStmt", "AlterObjectSchemaStmt", "AlterOwnerStmt", "IndexStmt",
        "CreateStatsStmt",
        "CreateTrigStmt", "RuleStmt", "CreatePolicyStmt", "AlterPolicyStmt", "CreatePublicationStmt",
        "AlterPublicationStmt",
    }
)  # fmt: skip
"""Statements that change how a relation is reached or what reads it: not on masked or filtered ones."""

CODE = frozenset(
    {
        "DoStmt", "CreateFunctionStmt", "CreateExtensionStmt", "LoadStmt", "CreateForeignServerStmt",
        "CreateUserMappingStmt", "CreateForeignTableStmt", "ImportForeignSchemaStmt",
        "CreateSubscriptionStmt",
        "CreatePLangStmt", "AlterSystemStmt",
        "CreateCastStmt", "CreateConversionStmt", "CreateTransformStmt", "CreateOpClassStmt",
        "CreateOpFamilyStmt", "AlterOpFamilyStmt", "AlterOperatorStmt", "CreateAmStmt", "CreateRangeStmt",
        "CreateFdwStmt", "AlterFdwStmt", "AlterForeignServerStmt", "CreateEventTrigStmt",
        "AlterFunctionStmt", "AlterDomainStmt", "AlterTypeStmt", "AlterExtensionStmt",
        "AlterExtensionContentsStmt", "AlterSubscriptionStmt", "DropOwnedStmt", "ReassignOwnedStmt",
    }
)  # fmt: skip
"""Statements that bring code or connections whose reads cannot be judged: they may read any table,
or change what a row filter's functions, operators and types mean."""

HARMLESS_COMMANDS = frozenset({"SET CONSTRAINTS", "UNLISTEN"})
"""Commands that need no rule."""

CHANGE_NO_CATALOG = frozenset(
    {
        "LOCK TABLE",
        "LISTEN",
        "NOTIFY",
        "SET CONSTRAINTS",
        "CHECKPOINT",
        "LOAD",
        "VACUUM",
        "ANALYZE",
        "UNLISTEN",
    }
)


def tag_of(kind: str, body: Body) -> tuple[str, Verb] | None:
    """(command tag, verb); None for a statement that is not in the table."""
    if kind in _WITH_OBJECT:
        word, field = _WITH_OBJECT[kind]
        thing = _OBJECTS.get(body.get(field, ""))
        return (f"{word} {thing}", Verb.ADMIN) if thing else None
    if kind == "RenameStmt":
        renamed = body.get("renameType", "")
        thing = _OBJECTS.get(_RENAMED_IN.get(renamed) or body.get(_RENAMED_BY.get(renamed, "renameType"), ""))
        return (f"ALTER {thing}", Verb.ADMIN) if thing else None
    if kind == "VacuumStmt":
        return ("VACUUM" if body.get("is_vacuumcmd") else "ANALYZE"), Verb.ADMIN
    if kind == "CreateTableAsStmt" and body.get("objtype") == "OBJECT_MATVIEW":
        return "CREATE MATERIALIZED VIEW", Verb.ADMIN
    if kind == "CreateFunctionStmt" and body.get("is_procedure"):
        return "CREATE PROCEDURE", Verb.ADMIN
    if kind == "AlterFunctionStmt":
        return f"ALTER {_OBJECTS.get(body.get('objtype', ''), 'FUNCTION')}", Verb.ADMIN
    if kind == "GrantStmt" and not body.get("is_grant"):
        return "REVOKE", Verb.ADMIN
    if kind == "GrantRoleStmt" and not body.get("is_grant"):
        return "REVOKE ROLE", Verb.ADMIN
    return _TAGS.get(kind)


_RENAMED_BY = {"OBJECT_COLUMN": "relationType", "OBJECT_ATTRIBUTE": "relationType"}
_RENAMED_IN = {"OBJECT_TABCONSTRAINT": "OBJECT_TABLE", "OBJECT_DOMCONSTRAINT": "OBJECT_DOMAIN"}
"""Parts of something: the field that says of what, or what it is."""

_NAME_LISTS = (
    "defnames",
    "domainname",
    "funcname",
    "typeName",
    "objectname",
    "conversion_name",
    "opclassname",
    "opfamilyname",
)
_NAME_TEXTS = (
    "schemaname", "dbname", "rolename", "role", "extname", "tablespacename", "conditionname", "name",
    "servername", "fdwname", "pubname", "subname", "trigname", "evtname", "plname", "amname", "conname",
    "filename",
)  # fmt: skip


def objects_of(
    kind: str, body: Body, names: Names
) -> tuple[tuple[tuple[str, ...], ...], tuple[Relation, ...]]:
    """(paths of the objects named, existing relations among them). () where there is no object."""
    paths: dict[tuple[str, ...], None] = {}
    relations: dict[int, Relation] = {}
    for schema, name in _named(kind, body):
        found = names.find(schema, name)
        if found is not None:
            relations[found.oid] = found
            paths[found.path] = None
        else:
            paths[(schema or names.creation_schema, name)] = None
    if not paths:
        paths.update(dict.fromkeys(_other_names(kind, body, names)))
    return tuple(paths), tuple(relations.values())


def _named(kind: str, body: Body) -> list[tuple[str | None, str]]:
    found: list[tuple[str | None, str]] = []

    def range_var(node: Body) -> None:
        found.append(
            (
                "pg_temp" if node.get("relpersistence") == "t" else node.get("schemaname"),
                node.get("relname", ""),
            )
        )

    for field in ("relation", "view", "sequence", "rel", "base", "table"):
        value = body.get(field)
        if isinstance(value, dict):
            inner = value.get("relation", value) if "relname" not in value else value
            if "relname" in inner:
                range_var(inner)
    if isinstance(body.get("into"), dict):
        range_var(body["into"].get("rel", {}))
    if kind == "CompositeTypeStmt":
        range_var(body.get("typevar", {}))
    for item in [*body.get("relations", []), *body.get("rels", []), *body.get("objects", [])]:
        inner_kind, inner = wrapped(item)
        if inner_kind == "VacuumRelation":
            inner_kind, inner = "RangeVar", inner.get("relation", {})
        if inner_kind == "RangeVar" and "relname" in inner:
            range_var(inner)
        elif inner_kind == "List" and body.get("removeType", body.get("objtype", "")) in _RELATION_KINDS:
            parts = strings(inner.get("items"))
            found.append((parts[-2] if len(parts) > 1 else None, parts[-1]))
    return found


_RELATION_KINDS = frozenset(
    {
        "OBJECT_TABLE",
        "OBJECT_VIEW",
        "OBJECT_MATVIEW",
        "OBJECT_SEQUENCE",
        "OBJECT_FOREIGN_TABLE",
        "OBJECT_INDEX",
    }
)


def _other_names(kind: str, body: Body, names: Names) -> list[tuple[str, ...]]:
    if kind == "DropStmt":
        paths = []
        for item in body.get("objects", []):
            inner_kind, inner = wrapped(item)
            parts = (
                (inner.get("sval", ""),)
                if inner_kind == "String"
                else strings(inner.get("items") or inner.get("objname") or inner.get("names"))
            )
            qualified = body.get("removeType") in (
                "OBJECT_FUNCTION",
                "OBJECT_PROCEDURE",
                "OBJECT_TYPE",
                "OBJECT_DOMAIN",
            )
            paths.append((names.creation_schema, *parts) if qualified and len(parts) == 1 else parts)
        return paths
    if kind == "CallStmt":
        parts = strings(body.get("funccall", {}).get("funcname"))
        return [parts] if len(parts) > 1 else [(names.creation_schema, *parts)]
    if body.get("renameType") == "OBJECT_DOMCONSTRAINT":
        parts = strings(body["object"]["List"]["items"])  # the domain's; `subname` is the constraint's
        return [parts] if len(parts) > 1 else [(names.creation_schema, *parts)]
    lists = () if kind == "CreateEventTrigStmt" else _NAME_LISTS  # its function is not what is made
    for field in lists:
        if isinstance(body.get(field), list):
            parts = strings(body[field])
            if parts:
                return [parts] if len(parts) > 1 else [(names.creation_schema, *parts)]
    for field in _NAME_TEXTS:
        value = body.get(field)
        if isinstance(value, str) and value:
            return [(value,)]
        if isinstance(value, dict) and value.get("rolename"):
            return [(str(value["rolename"]),)]
    return []
