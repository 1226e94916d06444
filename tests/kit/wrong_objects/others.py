"""Wrong requests for approval, identity providers and sinks."""

from __future__ import annotations

from kit.wrong_objects.wrong import GONE, Wrong

OTHERS = [
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
