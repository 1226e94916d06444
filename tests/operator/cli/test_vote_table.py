"""Votes by the command line of a folder: the table that API servers are tried with holds here too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.asked import spec_of_request
from real.operator.vote_table import CASES, Case
from tollhouse_operator.cli import main
from tollhouse_operator.standalone.layout import Folder

NAME = "orders-db-x7k2p"
PROXY = "system:serviceaccount:shop:orders-db-proxy"
DECISIONS = ("Approved", "Denied")
VOTES = [
    case
    for case in CASES
    if set(case.spec) <= {"decision", "reason"} and case.spec.get("decision") in DECISIONS
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("TOLLHOUSE_DIR", str(tmp_path))
    found = Folder(tmp_path)
    found.prepare()
    return found


def put_request(folder: Folder, **spec: Any) -> None:
    path = folder.approvals / "shop" / f"{NAME}.yaml"
    path.parent.mkdir(parents=True)
    later = datetime.now(UTC) + timedelta(minutes=15)
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {
            "name": NAME,
            "namespace": "shop",
            "resourceVersion": "1",
            "creationTimestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        "spec": spec_of_request(later.isoformat(timespec="seconds"), **spec),
    }
    path.write_text(yaml.safe_dump(document))


def vote(folder: Folder, user: str, groups: tuple[str, ...], spec: Any) -> int:
    people = {"people": [{"name": user, "groups": list(groups), "spokenForBy": ["*"]}]}
    folder.people.write_text(yaml.safe_dump(people))
    action = {"Approved": "approve", "Denied": "deny"}[spec["decision"]]
    reason = ["--reason", spec["reason"]] if spec.get("reason") else []
    # Groups are given, so that those of the operating system's user play no part.
    as_groups = [word for group in groups for word in ("--as-group", group)]
    return main(["approvals", action, NAME, "--as", user, *as_groups, *reason])


def votes(folder: Folder) -> list[dict[str, Any]]:
    document = yaml.safe_load((folder.approvals / "shop" / f"{NAME}.yaml").read_text())
    found: list[dict[str, Any]] = document["spec"].get("votes") or []
    return found


@pytest.mark.parametrize("case", VOTES, ids=lambda case: case.name)
def test_what_a_person_may_vote(folder: Folder, case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    put_request(folder, **case.request)
    for user, groups, spec in case.after:
        assert vote(folder, user, groups, spec) == 0
    before = votes(folder)

    status = vote(folder, PROXY if case.user == "PROXY" else case.user, case.groups, case.spec)

    if case.says:
        assert status == 1
        assert case.says in capsys.readouterr().err
        assert votes(folder) == before
    else:
        assert status == 0
        assert votes(folder)[:-1] == before
        cast = votes(folder)[-1]
        assert (cast["by"], cast["decision"]) == (case.user, case.spec["decision"])
        assert set(cast.get("groups", ())) == set(case.groups)


def test_the_table_has_cases_for_votes() -> None:
    assert len(VOTES) > 10
