"""What statuses say, from facts alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tollhouse_core.api import Problem, parse_object
from tollhouse_core.api.connection import Connection
from tollhouse_core.privileges import Excess
from tollhouse_operator.compiling import BundleOutcome, PolicyOutcome
from tollhouse_operator.conditions import Finding, Reason, changed, conditions
from tollhouse_operator.reports import Report, matched_counts, read_reports, stale
from tollhouse_operator.statuses import (
    ConnectionFacts,
    connection_findings,
    connection_status,
    listed,
    policy_findings,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
PROBLEM = Problem("spec.rules[3].when", "unknown name `nonsense`", "AccessPolicy shop/bad")
ROLLED_OUT = {"metadata": {"generation": 4}, "status": {"observedGeneration": 4, "updatedReplicas": 2}}


def connection() -> Connection:
    parsed = parse_object(
        {
            "apiVersion": "tollhouse.dev/v1alpha1",
            "kind": "Connection",
            "metadata": {"name": "orders-db", "namespace": "shop"},
            "spec": {
                "postgres": {"host": "db", "database": "orders"},
                "credentials": {"secretRef": {"name": "login"}},
            },
        }
    )
    assert isinstance(parsed, Connection)
    return parsed


def facts(**changes: Any) -> ConnectionFacts:
    values: dict[str, Any] = {
        "bundle": BundleOutcome(2, "sha256:1", "{}"),
        "in_force": "sha256:1",
        "trouble": None,
        "deployment": ROLLED_OUT,
        "reports": (Report("a", "sha256:1", True), Report("b", "sha256:1", True)),
    }
    return ConnectionFacts(**{**values, **changes})


def said(of: ConnectionFacts) -> dict[str, tuple[bool | None, str]]:
    return {one.type: (one.status, str(one.reason)) for one in connection_findings(connection(), of)}


def test_all_is_well() -> None:
    assert said(facts()) == {
        "Ready": (True, "Serving"),
        "Reconciling": (False, "UpToDate"),
        "Stalled": (False, "UpToDate"),
        "PoliciesCompiled": (True, "Compiled"),
        "LeastPrivilege": (None, "NotInspected"),
    }
    assert connection_status(connection(), facts()) == {
        "protocol": "postgres",
        "endpoint": "orders-db.shop.svc:5432",
        "policies": 2,
        "proxies": {"ready": 2, "current": 2},
        "revision": "sha256:1",
    }


def test_what_the_backend_role_may_do_too_much_is_told_once_with_its_sql() -> None:
    too_much = Excess("app", "may make databases", "ALTER ROLE app NOCREATEDB;")
    looked = (Report("a", "sha256:1", True), Report("b", "sha256:1", True, excess=()))
    assert said(facts(reports=looked))["LeastPrivilege"] == (True, "NothingToSpare")
    assert "excessPrivileges" not in connection_status(connection(), facts(reports=looked))
    found = facts(reports=[Report(name, "sha256:1", True, excess=(too_much,)) for name in "ab"])
    assert said(found)["LeastPrivilege"] == (False, "MoreThanNeeded")
    assert connection_status(connection(), found)["excessPrivileges"] == [
        {"role": "app", "what": "may make databases", "sql": "ALTER ROLE app NOCREATEDB;"}
    ]
    unknown = conditions(connection_findings(connection(), facts()), [], 3, NOW)
    assert [one["status"] for one in unknown if one["type"] == "LeastPrivilege"] == ["Unknown"]


def test_what_a_proxy_says_of_privileges_is_read_with_care() -> None:
    def read(excess: object) -> Report | None:
        text = json.dumps({"revision": "r", "ready": True, "excess": excess})
        return next(iter(read_reports({"data": {"a": text}})), None)

    long, short = ({"role": "app", "what": "x" * size, "sql": "y" * size} for size in (5000, 5))
    found = read([long, *[short] * 99])
    assert found is not None
    assert found.excess is not None
    assert (len(found.excess), len(found.excess[0].what), len(found.excess[0].sql)) == (64, 1024, 4096)
    assert read([{"role": "app"}]) is None
    missing = read(None)
    assert missing is not None
    assert missing.excess is None


def test_a_proxy_on_an_older_revision_is_told() -> None:
    reports = (Report("a", "sha256:1", True), Report("b", "sha256:0", True))
    assert said(facts(reports=reports))["Reconciling"] == (True, "RevisionSpreading")
    assert connection_status(connection(), facts(reports=reports))["proxies"] == {"ready": 2, "current": 1}


def test_no_proxy_yet() -> None:
    found = said(facts(reports=(), deployment=None))
    assert found["Ready"] == (False, "ProxiesNotReady")
    assert found["Reconciling"] == (True, "RollingOut")


def test_a_bad_policy_stalls_and_the_last_good_one_serves_on() -> None:
    bad = facts(bundle=BundleOutcome(2, problems=(PROBLEM,)))
    found = said(bad)
    assert found["Ready"] == (True, "Serving")
    assert found["Stalled"] == (True, "PoliciesNotCompiled")
    assert found["PoliciesCompiled"] == (False, "PoliciesNotCompiled")
    message = next(
        one.message for one in connection_findings(connection(), bad) if one.type == "PoliciesCompiled"
    )
    assert message == (
        "AccessPolicy shop/bad: spec.rules[3].when: unknown name `nonsense`; "
        "the last good revision stays in force"
    )


def test_a_bad_policy_from_the_start_lets_nothing_through_and_says_so() -> None:
    bad = facts(bundle=BundleOutcome(1, problems=(PROBLEM,)), in_force="")
    assert said(bad)["Ready"] == (False, "PoliciesNotCompiled")


def test_no_policy_at_all_is_said_plainly() -> None:
    found = connection_findings(connection(), facts(bundle=BundleOutcome(0, "sha256:1", "{}")))
    compiled = next(one for one in found if one.type == "PoliciesCompiled")
    assert compiled.message == "no policy selects this Connection: every operation is refused"


def test_what_cannot_be_put_in_place_stalls() -> None:
    trouble = (Reason.NAME_TAKEN, "Service orders-db is there already")
    assert said(facts(trouble=trouble))["Stalled"] == (True, "NameTaken")
    assert said(facts(trouble=trouble, deployment=None))["Ready"] == (False, "NameTaken")


def test_warnings_of_proxies_are_passed_on_once() -> None:
    reports = tuple(Report(name, "sha256:1", True, warnings=("superuser",)) for name in "ab")
    assert connection_status(connection(), facts(reports=reports))["warnings"] == ["superuser"]


def test_what_a_policy_says_of_itself() -> None:
    good, _, _ = policy_findings(PolicyOutcome(1, 3))
    assert (good.status, good.message) == (True, "3 rules in force on 1 Connection")
    idle, _, _ = policy_findings(PolicyOutcome(0, 3))
    assert idle.reason is Reason.SELECTS_NOTHING
    bad, _, stalled = policy_findings(PolicyOutcome(1, 3, (PROBLEM,)))
    assert not bad.status
    assert stalled.status
    assert "spec.rules[3].when" in bad.message


def test_many_problems_are_counted_not_poured_out() -> None:
    problems = [Problem(f"spec.rules[{number}]", "wrong") for number in range(20)]
    assert listed(problems).endswith("spec.rules[7]: wrong; and 12 more")


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    before = [
        {"type": "Ready", "status": "True", "reason": "Serving", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    ]
    same = conditions([Finding("Ready", True, Reason.SERVING, "2 of 2")], before, 3, NOW)
    assert same[0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert same[0]["observedGeneration"] == 3
    other = conditions([Finding("Ready", False, Reason.NO_BUNDLE, "")], before, 3, NOW)
    assert other[0]["lastTransitionTime"] == "2026-05-01T12:00:00Z"


def test_only_news_about_trouble_is_worth_an_event() -> None:
    finding = Finding("Stalled", True, Reason.INVALID, "why")
    written = conditions([finding], [], 1, NOW)
    assert changed([finding], []) == (finding,)
    assert changed([finding], written) == ()
    assert changed([Finding("Reconciling", True, Reason.ROLLING_OUT, "")], []) == ()


def config_map(**data: object) -> dict[str, Any]:
    return {
        "data": {key: value if isinstance(value, str) else json.dumps(value) for key, value in data.items()}
    }


REPORT = {"revision": "sha256:1", "ready": True, "at": NOW.isoformat(), "matched": {"p/r": {"enforced": 2}}}


def test_reports_are_read_and_nonsense_is_passed_over() -> None:
    found = read_reports(
        config_map(a=REPORT, b="not json", c={"ready": True}, d={**REPORT, "matched": 5}, e="[]")
    )
    assert [report.instance for report in found] == ["a"]
    assert found[0].at == NOW
    assert read_reports(None) == ()


def test_a_report_that_a_status_could_not_hold_is_passed_over_or_cut() -> None:
    matched = {"p/r": {"enforced": 10**400, "warned": -1, "shadowed": True}, "p/s": {"enforced": 3}}
    found = read_reports(
        config_map(
            deep="[" * 100_000,
            long=json.dumps({**REPORT, "warnings": ["x" * 300_000]}),
            odd={**REPORT, "revision": "r" * 5000, "matched": matched, "warnings": ["w" * 5000] * 20},
        )
    )
    assert [report.instance for report in found] == ["odd"]
    assert matched_counts(found, "p") == {"r": {}, "s": {"enforced": 3}}
    assert len(found[0].revision) == 128
    assert len(found[0].warnings) == 8


def test_reports_of_pods_that_are_gone_are_stale() -> None:
    reported = config_map(**{"x-proxy-1": REPORT, "x-proxy-2": REPORT, "here": REPORT, "broken": "{"})
    pods = [{"metadata": {"name": "x-proxy-1"}}]
    assert stale(reported, pods, "x-proxy", NOW) == ("broken", "x-proxy-2")
    assert "here" in stale(reported, pods, "x-proxy", NOW + timedelta(minutes=6))
    assert "x-proxy-1" not in stale(reported, pods, "x-proxy", NOW + timedelta(days=1))


def test_matches_are_summed_over_proxies_and_told_by_rule() -> None:
    reports = [
        Report("a", "", True, matched={"p/r": {"enforced": 2}, "other/r": {"enforced": 9}}),
        Report("b", "", True, matched={"p/r": {"enforced": 1, "shadowed": 4}, "p/s": {"warned": 1}}),
    ]
    assert matched_counts(reports, "p") == {"r": {"enforced": 3, "shadowed": 4}, "s": {"warned": 1}}
