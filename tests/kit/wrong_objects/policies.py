"""Wrong policies: whom they speak of, where, and which rules."""

from __future__ import annotations

from kit.wrong_objects.wrong import GONE, Wrong, rule

POLICY = "access-policy"
RULES = "spec.rules"
ALL = {"sql": {"access": ["Select"], "tables": ["*"]}}
POLICIES = [
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
        POLICY,
        RULES,
        rule(deny=ALL, when=None),
        "spec.rules[0].when",
        "found nothing",
        None,  # the API server drops a null before anything looks at it
    ),
]
