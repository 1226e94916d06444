"""The command line: what it prints, and how it ends."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tollhouse_core.audit.chain import Chain, Signer
from tollhouse_core.audit.event import Event, EventKind
from tollhouse_operator.cli import main
from tollhouse_operator.standalone.keys import ensure_keys
from tollhouse_operator.standalone.layout import Folder
from tollhouse_operator.standalone.people import system_user
from tollhouse_proxy.adapters.audit.signing import load_signer

Run = Callable[..., "Ended"]
NOW = datetime.now(UTC)
CONNECTION = """\
apiVersion: tollhouse.dev/v1alpha1
kind: Connection
metadata: {name: shop-db}
spec:
  postgres: {host: db, database: shop}
  credentials: {secretRef: {name: login}}
  identity: {providers: [corp], audiences: [shop]}
---
apiVersion: tollhouse.dev/v1alpha1
kind: IdentityProvider
metadata: {name: corp}
spec: {oidc: {issuer: "https://login.corp.example"}}
"""


class Ended:
    """A command that has ended."""

    def __init__(self, status: int, out: str, errors: str) -> None:
        self.status, self.out, self.errors = status, out, errors

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("TOLLHOUSE_DIR", str(tmp_path))

    def run(*arguments: str) -> Ended:
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = capsys.readouterr()
        return Ended(status, captured.out, captured.err)

    return run


@pytest.fixture
def shop(tmp_path: Path) -> Folder:
    (tmp_path / "shop.yaml").write_text(CONNECTION)
    folder = Folder(tmp_path)
    folder.prepare()
    return folder


def claims(token: str) -> Any:
    part = token.strip().split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def put_request(folder: Folder, name: str = "shop-db-1", namespace: str = "default", **spec: Any) -> None:
    path = folder.approvals / namespace / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "ApprovalRequest",
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
        "spec": {
            "connection": "shop-db",
            "requester": {"name": "triage", "provider": "corp"},
            "operation": {
                "text": "DELETE FROM public.orders WHERE id = 7",
                "digest": "sha256:" + "ab" * 32,
            },
            "policy": {"name": "support", "rule": "ask", "ruleHash": "sha256:" + "cd" * 32},
            "approvers": [{"group": "managers", "count": 1}],
            "expiresAt": (datetime.now(UTC) + timedelta(minutes=15)).isoformat(),
            **spec,
        },
    }
    path.write_text(yaml.safe_dump(document))


def put_trail(folder: Folder, *, closed: bool = True, signer: Signer | None = None) -> Path:
    path = folder.audit_file("default", "shop-db")
    path.parent.mkdir(parents=True, exist_ok=True)
    chain = Chain("w", signer=signer)
    kinds: list[tuple[EventKind, dict[str, object]]] = [
        (
            EventKind.SESSION_OPENED,
            {"connection": "shop-db", "identity": {"name": "triage", "provider": "corp"}},
        ),
        (
            EventKind.OPERATION_DECIDED,
            {"operation": 1, "text": "SELECT 'secret\x1b[2J'", "decision": "allow"},
        ),
    ]
    if closed:
        kinds.append((EventKind.SESSION_CLOSED, {"reason": "client"}))
    events = [
        Event(kind, "0a1b2c", number, NOW + timedelta(seconds=number), data)
        for number, (kind, data) in enumerate(kinds)
    ]
    path.write_bytes(b"".join(chain.seal(event) for event in events))
    return path


def test_a_command_that_is_not_understood_is_told_with_status_2(run: Run) -> None:
    for arguments in ((), ("nonsense",), ("token", "--ttl", "yesterday"), ("token", "--claim", "novalue")):
        ended = run(*arguments)
        assert ended.status == 2
        assert "usage:" in ended.errors
    assert "exit status" in run("--help").out


def test_a_folder_that_is_not_there_is_told_with_status_4(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended = run("token", "--user", "a", "--dir", "/nowhere/at/all")
    assert (ended.status, ended.errors) == (4, "tollhouse: /nowhere/at/all is not a folder\n")
    monkeypatch.delenv("TOLLHOUSE_DIR")
    monkeypatch.chdir(tmp_path)
    assert "TOLLHOUSE_DIR" in run("token", "--user", "a").errors


def test_check_says_what_is_there(run: Run, shop: Folder) -> None:
    ended = run("check", str(shop.root))
    assert ended.status == 0
    assert "Connection default/shop-db: 0 policies, sha256:" in ended.out


def test_check_names_file_line_and_field_of_every_problem(run: Run, shop: Folder) -> None:
    (shop.root / "bad.yaml").write_text(CONNECTION.replace("database: shop", "databse: shop").split("---")[0])
    ended = run("check", str(shop.root), "-o", "json")
    assert ended.status == 1
    problems = ended.document["problems"]
    assert all(problem["path"].endswith(".yaml") and problem["line"] >= 1 for problem in problems)
    assert ended.document["connections"] == [] or ended.document["connections"][0]["revision"] is None


def test_check_looks_at_people_too(run: Run, shop: Folder) -> None:
    shop.people.write_text("people: [{name: dana, gruops: [managers]}]")
    ended = run("check", str(shop.root))
    assert ended.status == 1
    assert f"{shop.people}:1: people.0.gruops" in ended.out


def test_an_error_nobody_thought_of_shows_no_traceback(
    run: Run, shop: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tollhouse_operator.standalone.people.trouble", lambda _: 1 / 0)
    ended = run("check", str(shop.root))
    assert ended.status == 4
    assert "ZeroDivisionError" in ended.errors
    assert "Traceback" not in ended.errors


def test_a_token_says_what_was_asked(run: Run, shop: Folder) -> None:
    ended = run(
        *("token", "--user", "triage", "--group", "a", "--group", "b", "--ttl", "5m"),
        *("--claim", "tenant=7", "--claim", "team=red", "--claim", "clinics=[1, 2]"),
    )
    found = claims(ended.out)
    assert ended.status == 0
    assert (found["sub"], found["groups"], found["tenant"], found["team"]) == ("triage", ["a", "b"], 7, "red")
    assert (found["clinics"], found["aud"], found["iss"]) == ([1, 2], ["shop"], "https://login.corp.example")
    assert found["exp"] - found["iat"] == 300


def test_a_token_of_a_service_account_needs_no_provider(run: Run, shop: Folder) -> None:
    found = claims(run("token", "--service-account", "agents/triage", "-o", "json").document["token"])
    assert found["sub"] == "system:serviceaccount:agents:triage"
    assert found["kubernetes.io"]["namespace"] == "agents"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--group", "a"], 1, "--user"),
        (["--user", "a", "--provider", "other"], 1, "there is no IdentityProvider other"),
        (["--user", "a", "--ttl", "48h"], 1, "at most 86400 seconds"),
        (["--user", "a", "--claim", "iss=evil"], 2, "iss is not given as a claim"),
    ],
)
def test_a_token_that_cannot_be_made_is_refused_in_words(
    run: Run, shop: Folder, arguments: list[str], status: int, words: str
) -> None:
    ended = run("token", *arguments)
    assert ended.status == status
    assert words in ended.errors


def test_two_providers_must_be_told_apart(run: Run, shop: Folder) -> None:
    (shop.root / "more.yaml").write_text(CONNECTION.split("---\n")[1].replace("corp}", "other}"))
    ended = run("token", "--user", "a")
    assert ended.status == 2
    assert "--provider, one of other, corp" in ended.errors


def test_nothing_waits_for_anybody(run: Run, shop: Folder) -> None:
    assert run("approvals").out == "nothing waits for anybody\n"
    assert run("approvals", "list", "-o", "json").document == []
    assert run("approvals", "-o", "json", "--all").document == []
    assert "approve" in run("approvals", "--help").out


def test_what_waits_is_listed_and_shown(run: Run, shop: Folder) -> None:
    put_request(shop)
    listing = run("approvals", "list").out
    assert "shop-db-1" in listing
    assert "DELETE FROM public.orders WHERE id = 7" in listing
    assert "0/1" in listing
    assert "requester:" in run("approvals", "show", "shop-db-1").out
    assert run("approvals", "show", "shop-db-1", "-o", "json").document["spec"]["connection"] == "shop-db"


def test_what_is_shown_begins_with_the_effect_in_words_and_names_the_credential(
    run: Run, shop: Folder
) -> None:
    effect = {"rows": 7, "relations": ["public.orders"], "countedRows": 5, "maxRows": 10}
    put_request(shop, effect=effect)
    assert [line for line in run("approvals", "show", "shop-db-1").out.splitlines() if line[0] == "#"] == [
        "# Rows: 5, counted by running it and rolling it back",
        "# Estimate: about 7 rows, by the planner",
        "# Touches: public.orders",
        "# Limit: rolled back and refused if it writes more than 10 rows",
    ]
    note = "not run beforehand: it calls public.f"
    put_request(shop, "shop-db-2", effect={"note": note}, credential="eraser")
    lines = run("approvals", "show", "shop-db-2").out.splitlines()
    assert lines[:2] == [
        f"# Not run: {note}",
        "# Credential: approved, it runs with eraser instead of the session's own",
    ]
    shown = run("approvals", "show", "shop-db-2", "-o", "json").document["spec"]
    assert (shown["effect"]["note"], shown["credential"]) == (note, "eraser")


def test_a_vote_by_nobody_in_particular_is_refused_in_a_sentence(run: Run, shop: Folder) -> None:
    put_request(shop)
    ended = run("approvals", "approve", "shop-db-1")
    assert ended.status == 1
    assert f"{system_user().name} is not an approver of this request: it needs group managers" in ended.errors
    ended = run("approvals", "approve", "shop-db-1", "--as", "dana")
    assert "knows nobody called dana" in ended.errors


def test_a_person_somebody_may_speak_for_approves_once(run: Run, shop: Folder) -> None:
    shop.people.write_text('people: [{name: dana, groups: [managers], spokenForBy: ["*"]}]')
    put_request(shop)
    ended = run("approvals", "approve", "shop-db-1", "--as", "dana", "--reason", "Ticket 4711")
    assert ended.status == 0
    assert "now Approved (approved by dana: Ticket 4711)" in ended.out
    votes = run("approvals", "show", "shop-db-1", "-o", "json").document["spec"]["votes"]
    assert [(vote["by"], vote["groups"], vote["decision"]) for vote in votes] == [
        ("dana", ["managers"], "Approved")
    ]
    again = run("approvals", "deny", "shop-db-1", "--as", "dana")
    assert again.status == 1
    assert "too late" in again.errors


def test_the_requester_cannot_approve_even_if_people_yaml_makes_them_a_manager(
    run: Run, shop: Folder
) -> None:
    shop.people.write_text('people: [{name: triage, groups: [managers], spokenForBy: ["*"]}]')
    put_request(shop)
    ended = run("approvals", "approve", "shop-db-1", "--as", "triage")
    assert "nobody approves their own request" in ended.errors


def test_a_request_of_the_same_name_in_two_namespaces_must_be_told_apart(run: Run, shop: Folder) -> None:
    put_request(shop)
    put_request(shop, namespace="other")
    assert run("approvals", "show", "shop-db-1").status == 2
    assert run("approvals", "show", "shop-db-1", "-n", "other").status == 0
    assert run("approvals", "show", "missing").status == 1


def test_a_sound_trail_is_proved_with_the_folders_key(run: Run, shop: Folder) -> None:
    ensure_keys(shop, NOW)
    put_trail(shop, signer=load_signer(shop.audit_key))
    ended = run("audit", "verify")
    assert ended.status == 0
    assert "Sound: 3 lines, 1 sessions (1 sound, 0 open, 0 broken), signatures checked" in ended.out


def test_a_changed_trail_is_refused_at_its_line(run: Run, shop: Folder) -> None:
    ensure_keys(shop, NOW)
    path = put_trail(shop, signer=load_signer(shop.audit_key))
    path.write_bytes(path.read_bytes().replace(b"SELECT", b"DELETE"))
    ended = run("audit", "verify", "-o", "json")
    assert ended.status == 1
    assert [found["place"] for found in ended.document["breaks"]] == [f"{path}:2"]
    assert run("audit", "verify", str(path), "--key", str(shop.audit_public_key)).status == 1


def test_a_session_without_an_end_is_told_apart_with_status_3(run: Run, shop: Folder) -> None:
    put_trail(shop, closed=False)
    ended = run("audit", "verify")
    assert ended.status == 3
    assert "signatures NOT checked" in ended.out
    assert "session 0a1b2c has no end" in ended.out


def test_a_trail_signed_by_another_is_refused(run: Run, shop: Folder, tmp_path: Path) -> None:
    ensure_keys(shop, NOW)
    other = Folder(tmp_path / "other")
    other.root.mkdir()
    other.prepare()
    ensure_keys(other, NOW)
    put_trail(shop, signer=load_signer(other.audit_key))
    ended = run("audit", "verify")
    assert ended.status == 1
    assert "UnknownKey" in ended.out


def test_sessions_and_a_replay_are_for_people_and_terminals(run: Run, shop: Folder) -> None:
    put_trail(shop)
    assert "triage" in run("audit", "sessions").out
    replayed = run("audit", "replay", "0a1")
    assert replayed.status == 0
    assert "SELECT 'secret\\x1b[2J'" in replayed.out
    assert run("audit", "replay", "0a1", "-o", "json").document[1]["kind"] == "OperationDecided"
    assert run("audit", "replay", "ffff").status == 1


def test_without_a_trail_there_is_nothing_to_prove(run: Run, shop: Folder) -> None:
    assert run("audit", "verify").status == 4


def test_an_upset_disk_is_a_sentence_and_no_traceback(run: Run, shop: Folder) -> None:
    (shop.state / "approvals").write_text("a file where a folder should be")
    put = run("audit", "verify", str(shop.root / "missing.jsonl"))
    assert put.status == 4
    assert "No such file" in put.errors
    assert "Traceback" not in put.errors
