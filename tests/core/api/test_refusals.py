"""One table of wrong objects, tried on the models and on a real API server.

Each row says what is done to a good object, where the problem is, and some of the words people
read. `server` are the API server's words where they differ; None: only the models see it.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tollhouse_core.api import InvalidObject, parse_object

EXAMPLES = Path(__file__).parent / "examples"
GONE = object()
SAME = "the same"
ALL = {"sql": {"access": ["Select"], "tables": ["*"]}}
NO_ENGINE = {"address": "https://v:8200", "auth": {"kubernetes": {"role": "r"}}}
VAULT = {"address": "https://v:8200", "auth": {"kubernetes": {"role": "r"}}, "database": {"role": "r"}}


@dataclass(frozen=True)
class Wrong:
    example: str
    change: str
    to: Any
    path: str
    words: str
    server: str | None = SAME

    @property
    def document(self) -> dict[str, Any]:
        text = (EXAMPLES / f"{self.example}.yaml").read_text(encoding="utf-8")
        document: dict[str, Any] = yaml.safe_load(text)
        return changed(document, self.change, self.to)


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(document)
    *parents, last = [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
    here: Any = document
    for part in parents:
        here = here[part] if isinstance(part, int) else here.setdefault(part, {})
    if value is GONE:
        del here[last]
    else:
        here[last] = value
    return document


def rule(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "one", **{name.rstrip("_"): value for name, value in fields.items()}}]


VAULT_USERS = {
    "vault": {
        "address": "https://vault:8200",
        "auth": {"kubernetes": {"role": "orders"}},
        "database": {"role": "orders"},
    }
}
CERTIFICATES = {"vault": {**NO_ENGINE, "ssh": {"role": "r", "username": "deploy"}}}
TOKENS = {"vault": {**NO_ENGINE, "kubernetes": {"role": "r", "namespace": "shop"}}}
ONLY_SSH = "vault.ssh gives an SSH certificate, which only a backend of the protocol ssh takes"
ONLY_KUBERNETES = (
    "vault.kubernetes gives a token of Kubernetes, which only a backend of the protocol kubernetes"
)
POLICY = "access-policy"
RULES = "spec.rules"
WRONG = [
    Wrong("connection", "spec.postgres", GONE, "spec", "expected exactly one protocol: postgres, mysql"),
    Wrong(
        "connection", "spec.mysql", {"host": "m", "database": "d"}, "spec", "expected exactly one protocol"
    ),
    Wrong(
        "connection",
        "spec.postgres.host",
        GONE,
        "spec.postgres.host",
        "required, but missing",
        "Required value",
    ),
    Wrong(
        "connection", "spec.postgres.host", "https://h/", "spec.postgres.host", "a host name", "should match"
    ),
    Wrong(
        "connection",
        "spec.postgres.port",
        "5432",
        "spec.postgres.port",
        "take the quotes away",
        "must be of type",
    ),
    Wrong(
        "connection",
        "spec.postgres.port",
        70000,
        "spec.postgres.port",
        "at most 65535",
        "less than or equal to 65535",
    ),
    Wrong(
        "connection",
        "spec.postgres.port",
        True,
        "spec.postgres.port",
        "whole number; found true",
        "must be of type",
    ),
    Wrong(
        "connection",
        "spec.postgres.roles",
        {"*": {"credentials": VAULT_USERS}},
        "spec.postgres.roles",
        "takes its password from secretRef or vault.kv",
    ),
    Wrong(
        "connection", "spec.postgres.database", GONE, "spec.postgres.database", "missing", "Required value"
    ),
    Wrong(
        "connection",
        "spec.postgres.tls.mode",
        "verify-full",
        "spec.postgres.tls.mode",
        "did you mean VerifyFull?",
        "supported values",
    ),
    Wrong(
        "connection",
        "spec.postgres.tls.caRef.key",
        "a/b",
        "spec.postgres.tls.caRef.key",
        "a key of",
        "should match",
    ),
    Wrong("connection", "spec.postgress", {}, "spec.postgress", "did you mean postgres?", "unknown field"),
    Wrong("connection", "spec.credentials", GONE, "spec.credentials", "missing", "Required value"),
    Wrong(
        "connection", "spec.credentials.secretRef", {"name": "s"}, "spec.credentials", "exactly one source of"
    ),
    Wrong("connection", "spec.credentials", {}, "spec.credentials", "exactly one source of credentials"),
    Wrong(
        "connection",
        "spec.credentials.vault",
        {**VAULT, "kv": {"path": "p"}},
        "spec.credentials.vault",
        "exactly one secrets engine: database, kv, ssh or kubernetes; found database and kv",
        "exactly one secrets engine",
    ),
    Wrong("connection", "spec.credentials", CERTIFICATES, "spec.credentials.vault.ssh", ONLY_SSH),
    Wrong("connection", "spec.credentials", TOKENS, "spec.credentials.vault.kubernetes", ONLY_KUBERNETES),
    Wrong("connection-ssh", "spec.credentials", TOKENS, "spec.credentials.vault.kubernetes", ONLY_KUBERNETES),
    Wrong("connection-kubernetes", "spec.credentials", CERTIFICATES, "spec.credentials.vault.ssh", ONLY_SSH),
    Wrong(
        "connection",
        "spec.approvalCredentials",
        {"eraser": CERTIFICATES},
        "spec.approvalCredentials",
        ONLY_SSH,
    ),
    Wrong(
        "connection",
        "spec.approvalCredentials",
        {"eraser": VAULT_USERS, "other": TOKENS},
        "spec.approvalCredentials",
        ONLY_KUBERNETES,
    ),
    Wrong(
        "connection",
        "spec.postgres.roles",
        {"app": {"credentials": CERTIFICATES}},
        "spec.postgres.roles",
        ONLY_SSH,
    ),
    Wrong(
        "connection",
        "spec.postgres.roles",
        {"app": {"credentials": VAULT_USERS}, "*": {"credentials": TOKENS}},
        "spec.postgres.roles",
        ONLY_KUBERNETES,
    ),
    Wrong(
        "connection-ssh",
        "spec.credentials",
        {"vault": {**NO_ENGINE, "ssh": {"role": "r", "username": "deploy,root"}}},
        "spec.credentials.vault.ssh.username",
        "one user's name, without blanks and commas",
        "should match",
    ),
    Wrong(
        "connection",
        "spec.credentials.vault.auth",
        {},
        "spec.credentials.vault.auth",
        "exactly one way to log in",
    ),
    Wrong(
        "connection",
        "spec.credentials.vault.address",
        "vault:8200",
        "spec.credentials.vault.address",
        "a URL such as",
        "should match",
    ),
    Wrong(
        "connection",
        "spec.identity.audiences",
        [],
        "spec.identity.audiences",
        "at least 1 entry",
        "at least 1 items",
    ),
    Wrong(
        "connection",
        "spec.session.maxDuration",
        "8 hours",
        "spec.session.maxDuration",
        "expected a duration such as 90s",
        "should match",
    ),
    Wrong(
        "connection",
        "spec.session.maxDuration",
        28800,
        "spec.session.maxDuration",
        "with a unit",
        "must be of type",
    ),
    Wrong("connection", "spec.session.maxDuration", "0s", "spec.session.maxDuration", "longer than nothing"),
    Wrong(
        "connection",
        "spec.session",
        {"afterTokenExpiry": "Continue"},
        "spec.session.afterTokenExpiry",
        "needs maxDuration",
    ),
    Wrong(
        "connection",
        "spec.proxy.tls.mode",
        "Off",
        "spec.proxy.tls.mode",
        "Require, Allow, Disable",
        "supported",
    ),
    Wrong(
        "connection",
        "spec.proxy.replicas",
        -1,
        "spec.proxy.replicas",
        "at least 0",
        "greater than or equal to 0",
    ),
    Wrong(
        "connection",
        "spec.proxy.resources.limits.memory",
        "lots",
        "spec.proxy.resources.limits.memory",
        "expected a quantity",
        "should match",
    ),
    Wrong(
        "connection",
        "spec.audit.whenUnavailable",
        "Ignore",
        "spec.audit.whenUnavailable",
        "Refuse, Spool",
        "supported",
    ),
    Wrong("connection", "metadata.name", "7-db", "metadata.name", "a letter first", "a letter first"),
    Wrong("connection", "metadata.name", "a" * 51, "metadata.name", "at most 50 characters", "at most 50"),
    Wrong(
        "connection-ssh", "spec.ssh.hostKeys", [], "spec.ssh.hostKeys", "at least 1 entry", "at least 1 items"
    ),
    Wrong(POLICY, "spec.subjects", [], "spec.subjects", "expected at least 1 entry", "at least 1 items"),
    Wrong(POLICY, "spec.subjects", GONE, "spec.subjects", "missing", "Required value"),
    Wrong(POLICY, "spec.subjects[0]", {}, "spec.subjects[0]", "exactly one subject"),
    Wrong(POLICY, "spec.subjects[0].user", "x", "spec.subjects[0]", "exactly one subject"),
    Wrong(
        POLICY, "spec.subjects[1].provider", "corp", "spec.subjects[1]", "provider goes with user or group"
    ),
    Wrong(
        POLICY, "spec.except[0].group", "", "spec.except[0].group", "at least 1 character", "at least 1 chars"
    ),
    Wrong(POLICY, "spec.connections", {}, "spec.connections", "exactly one way to select Connections"),
    Wrong(
        POLICY, "spec.connections.selector", {}, "spec.connections", "exactly one way to select Connections"
    ),
    Wrong(
        POLICY,
        "spec.connections.names",
        "orders-db",
        "spec.connections.names",
        "write [...] around it",
        "must be of type array",
    ),
    Wrong(
        POLICY,
        "spec.connections",
        {"selector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}},
        "spec.connections.selector.matchExpressions[0].values",
        "Exists and DoesNotExist have none",
    ),
    Wrong(POLICY, RULES, [], "spec.rules", "at least 1 entry", "at least 1 items"),
    Wrong(POLICY, "spec.rulez", [], "spec.rulez", "did you mean rules?", "unknown field"),
    Wrong(
        POLICY,
        "spec.rules[1].name",
        "read-the-shop",
        "spec.rules[1].name",
        "rules[0] is called read-the-shop",
        "Duplicate value",
    ),
    Wrong(
        POLICY,
        "spec.rules[0].name",
        "Read The Shop",
        "spec.rules[0].name",
        "lower-case letters",
        "should match",
    ),
    Wrong(POLICY, "spec.rules[0].name", GONE, "spec.rules[0].name", "missing", "Required value"),
    Wrong(POLICY, RULES, rule(), "spec.rules[0]", "expected exactly one action: allow, deny"),
    Wrong(POLICY, RULES, rule(allow=ALL, deny=ALL), "spec.rules[0]", "expected exactly one action"),
    Wrong(POLICY, RULES, rule(allows=ALL), "spec.rules[0].allows", "did you mean allow?", "unknown field"),
    Wrong(POLICY, RULES, rule(allow=ALL, mode="Warn"), "spec.rules[0].mode", "Warn and Shadow are for deny"),
    Wrong(
        POLICY,
        RULES,
        rule(deny=ALL, mode="shadow"),
        "spec.rules[0].mode",
        "did you mean Shadow?",
        "supported",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(deny=ALL, when=""),
        "spec.rules[0].when",
        "at least 1 character",
        "at least 1 chars",
    ),
    Wrong(POLICY, RULES, rule(allow={}), "spec.rules[0].allow", "exactly one selector"),
    Wrong(
        POLICY,
        RULES,
        rule(allow={**ALL, "ssh": {"commands": ["ls"]}}),
        "spec.rules[0].allow",
        "exactly one selector",
    ),
    Wrong(POLICY, RULES, rule(allow={"sql": {}}), "spec.rules[0].allow.sql", "exactly one sort of thing"),
    Wrong(
        POLICY,
        RULES,
        rule(allow={"sql": {"access": ["Select"]}}),
        "spec.rules[0].allow.sql",
        'write tables: ["*"]',
    ),
    Wrong(
        POLICY,
        RULES,
        rule(allow={"sql": {"tables": ["a"], "commands": ["DROP *"]}}),
        "spec.rules[0].allow.sql",
        "commands have no tables",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(allow={"sql": {"access": ["Select"], "tables": ["a"], "functions": ["f"]}}),
        "spec.rules[0].allow.sql",
        "exactly one sort of thing",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(allow={"sql": {"access": ["Select"], "tables": []}}),
        "spec.rules[0].allow.sql.tables",
        "at least 1 entry",
        "at least 1 items",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(allow={"sql": {"access": ["select"], "tables": ["a"]}}),
        "spec.rules[0].allow.sql.access[0]",
        "did you mean Select?",
        "supported",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(requireApproval={**ALL, "approvers": []}),
        "spec.rules[0].requireApproval.approvers",
        "at least 1 entry",
        "at least 1 items",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(requireApproval={**ALL, "approvers": [{"group": "g", "user": "u"}]}),
        "spec.rules[0].requireApproval.approvers[0]",
        "exactly one sort of approver",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(requireApproval={**ALL, "approvers": [{"user": "u", "count": 2}]}),
        "spec.rules[0].requireApproval.approvers[0].count",
        "only a group can have a count above 1",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(requireApproval={**ALL, "approvers": [{"group": "u", "count": 0}]}),
        "spec.rules[0].requireApproval.approvers[0].count",
        "at least 1",
        "greater than or equal to 1",
    ),
    Wrong(
        POLICY, RULES, rule(mask={"columns": ["a.b"]}), "spec.rules[0].mask.with", "missing", "Required value"
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"columns": ["a.b"], "with": {}}),
        "spec.rules[0].mask.with",
        "exactly one mask",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"columns": ["a.b"], "with": {"nullify": {}, "redact": {}}}),
        "spec.rules[0].mask.with",
        "exactly one mask",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"with": {"nullify": {}}}),
        "spec.rules[0].mask",
        "at least one of columns or content",
        "columns: Required value",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"content": ["email"], "with": {"nullify": {}}}),
        "spec.rules[0].mask.content[0]",
        "did you mean Email?",
        "should match",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"content": [{}], "with": {"nullify": {}}}),
        "spec.rules[0].mask.content[0]",
        "exactly one sort of content",
        "Required value",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"content": [7], "with": {"nullify": {}}}),
        "spec.rules[0].mask.content[0]",
        "expected an object",
        None,
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"columns": ["a.b"], "with": {"partial": {"character": "**"}}}),
        "spec.rules[0].mask.with.partial.character",
        "at most 1 character",
        "may not be more than 1",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"columns": ["a.b"], "with": {"bucket": {"width": 0}}}),
        "spec.rules[0].mask.with.bucket.width",
        "more than 0",
        "greater than 0",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"columns": ["a.b"], "with": {"truncate": {}}}),
        "spec.rules[0].mask.with.truncate.to",
        "missing",
        "Required value",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(filter={"tables": ["a"]}),
        "spec.rules[0].filter.where",
        "missing",
        "Required value",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(limit={"per": "1m"}),
        "spec.rules[0].limit",
        "at least one of queries, rows or bytes",
    ),
    Wrong(POLICY, RULES, rule(limit={"queries": 60}), "spec.rules[0].limit.per", "missing", "Required value"),
    Wrong(
        POLICY,
        RULES,
        rule(limit={"queries": 60, "per": "1d"}),
        "spec.rules[0].limit.per",
        "a day is 24h",
        "should match",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(limit={"bytes": "50MB", "per": "1m"}),
        "spec.rules[0].limit.bytes",
        "expected a quantity",
        "should match",
    ),
    Wrong(
        POLICY, RULES, rule(session={}), "spec.rules[0].session", "at least one of maxDuration or idleTimeout"
    ),
    Wrong(
        "connection",
        "spec.notify",
        [{"name": "ops", "url": "https://a.example"}, {"name": "ops", "url": "https://b.example"}],
        "spec.notify[1].name",
        "notify[0] is called ops already",
        "Duplicate value",
    ),
    Wrong(
        "connection",
        "spec.audit.sinks",
        ["archive", "archive"],
        "spec.audit.sinks[1]",
        "archive is there before",
        "Duplicate value",
    ),
    Wrong(
        POLICY,
        RULES,
        rule(deny=ALL, when=None),
        "spec.rules[0].when",
        "found nothing",
        None,  # the API server drops a null before anything looks at it
    ),
    Wrong(
        POLICY,
        RULES,
        rule(mask={"columns": ["a.b"], "with": {"nullify": None}}),
        "spec.rules[0].mask.with.nullify",
        "found nothing",
        "exactly one mask",
    ),
    Wrong(
        "approval-request",
        "spec.operation.digest",
        "nonsense",
        "spec.operation.digest",
        "a digest",
        "should match",
    ),
    Wrong(
        "approval-request", "spec.expiresAt", "tomorrow", "spec.expiresAt", "a moment such as", "date-time"
    ),
    Wrong(
        "approval-request",
        "spec.decision",
        "approved",
        "spec.decision",
        "did you mean Approved?",
        "supported",
    ),
    Wrong(
        "approval-request",
        "spec.votes[0].by",
        "",
        "spec.votes[0].by",
        "at least 1 character",
        "at least 1 chars",
    ),
    Wrong("approval-request", "spec.approvers", [], "spec.approvers", "at least 1 entry", "at least 1 items"),
    Wrong(
        "identity-provider-oidc",
        "spec.saml",
        {"metadataRef": {"secret": "s", "key": "k"}},
        "spec",
        "exactly one sort of provider",
    ),
    Wrong(
        "identity-provider-oidc",
        "spec.oidc.issuer",
        "http://id.corp.example",
        "spec.oidc.issuer",
        "expected an https URL",
    ),
    Wrong(
        "identity-provider-oidc",
        "spec.oidc.issuer",
        "http://localhost.evil.example",
        "spec.oidc.issuer",
        "an https URL",
    ),
    Wrong(
        "identity-provider-oidc",
        "spec.oidc.issuer",
        "http://127.0.0.1@evil.example/",
        "spec.oidc.issuer",
        "a URL such",
        "should match",
    ),
    Wrong(
        "identity-provider-oidc",
        "spec.oidc.maxTokenLifetime",
        "0s",
        "spec.oidc.maxTokenLifetime",
        "longer than",
    ),
    Wrong(
        "identity-provider-oidc",
        "spec.oidc.requiredClaims.email_verified",
        True,
        "spec.oidc.requiredClaims.email_verified",
        "put it in quotes",
        "must be of type",
    ),
    Wrong("audit-sink-stdout", "spec.file", {"path": "/x"}, "spec", "exactly one sort of sink"),
    Wrong("audit-sink-stdout", "spec.stdout", GONE, "spec", "exactly one sort of sink"),
    Wrong(
        "audit-sink-file",
        "spec.file.path",
        "events.jsonl",
        "spec.file.path",
        "an absolute path",
        "should match",
    ),
]


def title(wrong: Wrong) -> str:
    return f"{wrong.path}: {wrong.words}"


@pytest.mark.parametrize("wrong", WRONG, ids=title)
def test_a_wrong_object_is_refused_with_the_path_and_words_that_help(wrong: Wrong) -> None:
    with pytest.raises(InvalidObject) as refusal:
        parse_object(wrong.document)
    problem = refusal.value.problems[0]
    assert problem.path == wrong.path
    assert wrong.words in problem.message
    assert problem.object.startswith(wrong.document["kind"])


@pytest.mark.apiserver
@pytest.mark.parametrize("wrong", [wrong for wrong in WRONG if wrong.server is not None], ids=title)
def test_the_api_server_refuses_it_too(wrong: Wrong, api_server: Any) -> None:
    message = api_server.refusal(wrong.document)
    expected = wrong.words.partition(";")[0] if wrong.server == SAME else wrong.server
    assert expected in message
    shown = wrong.path.rpartition(".")[0] if "Duplicate" in message else wrong.path
    assert shown.removesuffix(".nullify") in message or wrong.path.startswith("metadata")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_taken(path: Path) -> None:
    parse_object(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.apiserver
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_api_server_takes_it_too(path: Path, api_server: Any) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert api_server.refusal(document) == ""
