"""ApprovalRequests as files: written by proxies, people and the supervisor, by the same rules."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tollhouse_core.api import parse_object
from tollhouse_core.api.approval_request import ApprovalRequest, Decision, Phase, Vote
from tollhouse_operator.standalone.requests import RequestFolder, read_request
from tollhouse_operator.standalone.tending import KEEP_RESOLVED, Tending
from tollhouse_proxy.adapters.folder import FolderStores, folder_stores

NOW = datetime.now(UTC)
DIGEST = "sha256:" + "ab" * 32


def request(**spec: Any) -> ApprovalRequest:
    parsed = parse_object(
        {
            "apiVersion": "tollhouse.dev/v1alpha1",
            "kind": "ApprovalRequest",
            "metadata": {"name": "orders-db-1"},
            "spec": {
                "connection": "orders-db",
                "requester": {"name": "triage", "provider": "corp"},
                "operation": {"text": "DELETE FROM public.orders WHERE id = 7", "digest": DIGEST},
                "policy": {"name": "support", "rule": "ask", "ruleHash": "sha256:" + "cd" * 32},
                "approvers": [{"group": "managers", "count": 1}],
                "expiresAt": (NOW + timedelta(minutes=15)).isoformat(),
                **spec,
            },
        }
    )
    assert isinstance(parsed, ApprovalRequest)
    return parsed


def vote(by: str = "dana", decision: Decision = Decision.APPROVED) -> Vote:
    return Vote(by=by, groups=("managers",), decision=decision, at=NOW)


def with_vote(one: ApprovalRequest, cast: Vote) -> ApprovalRequest:
    spec = one.spec.model_copy(update={"votes": (*one.spec.votes, cast)})
    return one.model_copy(update={"spec": spec})


@pytest.fixture
def stores(tmp_path: Path) -> FolderStores:
    return folder_stores(tmp_path, "shop", "orders-db", "orders-db-local")


@pytest.fixture
def requests(tmp_path: Path) -> RequestFolder:
    return RequestFolder(tmp_path / "state" / "approvals")


async def test_what_a_proxy_creates_people_can_read(stores: FolderStores, requests: RequestFolder) -> None:
    created = await stores.approvals.create(request())
    assert requests.read("shop", created.name) == created
    assert requests.read_all() == [created]
    assert requests.read("shop", "../../x") is None


async def test_a_vote_between_a_proxys_read_and_write_makes_its_write_fail(
    stores: FolderStores, requests: RequestFolder
) -> None:
    created = await stores.approvals.create(request())
    requests.change("shop", created.name, lambda one: with_vote(one, vote()))
    assert not await stores.approvals.set_phase(created, Phase.WITHDRAWN, "")
    after = await stores.approvals.get(created.name)
    assert after is not None
    assert [one.by for one in after.spec.votes] == ["dana"]


async def test_votes_cast_at_once_are_all_kept(stores: FolderStores, requests: RequestFolder) -> None:
    created = await stores.approvals.create(request())
    votes = [vote(f"person-{number}") for number in range(12)]
    await asyncio.gather(
        *(
            asyncio.to_thread(requests.change, "shop", created.name, partial(with_vote, cast=cast))
            for cast in votes
        )
    )
    after = requests.read("shop", created.name)
    assert after is not None
    assert len(after.spec.votes) == 12
    assert after.metadata.resource_version == "13"


async def test_a_change_that_changes_nothing_is_not_written(
    stores: FolderStores, requests: RequestFolder
) -> None:
    created = await stores.approvals.create(request())
    assert requests.change("shop", created.name, lambda one: one) == created
    assert requests.change("shop", "missing", lambda one: one) is None


async def test_a_new_request_is_told_and_gets_its_count(
    stores: FolderStores, requests: RequestFolder
) -> None:
    created = await stores.approvals.create(request())
    tending = Tending(requests)
    (told,) = tending.look(NOW)
    assert told.name == created.name
    assert (told.status.phase, told.status.votes) == (Phase.PENDING, "0/1")
    assert tending.look(NOW) == []


@pytest.mark.parametrize(
    ("decision", "phase"), [(Decision.APPROVED, Phase.APPROVED), (Decision.DENIED, Phase.DENIED)]
)
async def test_votes_become_a_phase(
    stores: FolderStores, requests: RequestFolder, decision: Decision, phase: Phase
) -> None:
    created = await stores.approvals.create(request())
    tending = Tending(requests)
    tending.look(NOW)
    requests.change("shop", created.name, lambda one: with_vote(one, vote(decision=decision)))
    (told,) = tending.look(NOW)
    assert told.status.phase is phase
    assert told.status.resolved_at is not None


async def test_time_alone_ends_a_request(stores: FolderStores, requests: RequestFolder) -> None:
    await stores.approvals.create(request())
    tending = Tending(requests)
    tending.look(NOW)
    assert tending.look(NOW + timedelta(minutes=14)) == []
    (told,) = tending.look(NOW + timedelta(minutes=16))
    assert told.status.phase is Phase.EXPIRED


async def test_a_resolved_request_is_cleared_away_after_a_day(
    stores: FolderStores, requests: RequestFolder
) -> None:
    created = await stores.approvals.create(request())
    await stores.approvals.set_phase(created, Phase.USED, "it has run")
    tending = Tending(requests)
    (told,) = tending.look(NOW)
    assert told.status.phase is Phase.USED
    resolved = told.status.resolved_at
    assert resolved is not None
    tending.look(resolved + KEEP_RESOLVED - timedelta(minutes=1))
    assert requests.read("shop", created.name) is not None
    tending.look(resolved + KEEP_RESOLVED + timedelta(minutes=1))
    assert requests.read("shop", created.name) is None


async def test_a_file_edited_into_nonsense_is_left_alone(
    stores: FolderStores, requests: RequestFolder, tmp_path: Path
) -> None:
    created = await stores.approvals.create(request())
    path = tmp_path / "state" / "approvals" / "shop" / f"{created.name}.yaml"
    path.write_text("{")
    assert Tending(requests).look(NOW) == []
    assert read_request(path) is None
    assert path.read_text() == "{"


def test_written_by_hand_is_read_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    document: Mapping[str, Any] = {"kind": "Connection"}
    path.write_text(str(document))
    assert read_request(path) is None
