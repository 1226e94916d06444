"""Wrong Connections: protocols, backends, credentials, sessions."""

from __future__ import annotations

from kit.wrong_objects.wrong import GONE, Wrong

NO_ENGINE = {"address": "https://v:8200", "auth": {"kubernetes": {"role": "r"}}}
VAULT = {"address": "https://v:8200", "auth": {"kubernetes": {"role": "r"}}, "database": {"role": "r"}}
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

CONNECTIONS = [
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
]
