"""Wrong rules about what is given: masks, filters, limits and sessions."""

from __future__ import annotations

from kit.wrong_objects.wrong import Wrong, rule

POLICY = "access-policy"
RULES = "spec.rules"
OBLIGATIONS = [
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
        POLICY,
        RULES,
        rule(mask={"columns": ["a.b"], "with": {"nullify": None}}),
        "spec.rules[0].mask.with.nullify",
        "found nothing",
        "exactly one mask",
    ),
]
