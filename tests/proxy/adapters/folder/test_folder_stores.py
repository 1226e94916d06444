"""The ports of `ports/stores.py` over files."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tollhouse_core.api import parse_object
from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_proxy.adapters.folder import FolderStores, folder_stores
from tollhouse_proxy.adapters.folder.files import replace_file
from tollhouse_proxy.adapters.folder.objects import dump_request, parse_request
from tollhouse_proxy.ports.stores import (
    ApprovalStore,
    BundleStore,
    ProxyReport,
    ReportStore,
    SecretStore,
    StoreRefused,
    StoreUnavailable,
)

T = TypeVar("T")
DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def stores(tmp_path: Path) -> FolderStores:
    return folder_stores(tmp_path, "shop", "orders-db", "orders-db-1")


def request(digest: str = DIGEST, **metadata: Any) -> ApprovalRequest:
    parsed = parse_object(
        {
            "apiVersion": "tollhouse.dev/v1alpha1",
            "kind": "ApprovalRequest",
            "metadata": metadata or {"generateName": "orders-db-"},
            "spec": {
                "connection": "orders-db",
                "requester": {"name": "triage", "provider": "corp", "groups": ["agents"]},
                "operation": {"text": "DELETE FROM public.orders WHERE id = 7", "digest": digest},
                "policy": {"name": "support", "rule": "ask", "ruleHash": "sha256:" + "cd" * 32},
                "approvers": [{"group": "managers", "count": 1}],
                "expiresAt": (datetime.now(UTC) + timedelta(minutes=15)).isoformat(),
            },
        }
    )
    assert isinstance(parsed, ApprovalRequest)
    return parsed


async def following(stream: AsyncIterator[T]) -> T:
    return await asyncio.wait_for(anext(stream), 5)


def test_every_store_is_the_port_it_stands_for(stores: FolderStores) -> None:
    bundles: BundleStore = stores.bundles
    approvals: ApprovalStore = stores.approvals
    reports: ReportStore = stores.reports
    secrets: SecretStore = stores.secrets
    assert all((bundles, approvals, reports, secrets))


async def test_a_bundle_is_yielded_now_and_at_every_replacement(stores: FolderStores, tmp_path: Path) -> None:
    path = tmp_path / "state" / "bundles" / "shop" / "orders-db.json"
    replace_file(path, b"one")
    async with aclosing(stores.bundles.watch()) as bundles:  # type: ignore[type-var]
        assert await following(bundles) == "one"
        replace_file(path, b"two")
        assert await following(bundles) == "two"


async def test_a_bundle_that_comes_later_is_waited_for(stores: FolderStores, tmp_path: Path) -> None:
    path = tmp_path / "state" / "bundles" / "shop" / "orders-db.json"
    bundles = stores.bundles.watch()
    first = asyncio.ensure_future(anext(bundles))
    await asyncio.sleep(0)
    assert not first.done()
    replace_file(path, b"one")
    assert await asyncio.wait_for(first, 5) == "one"


async def test_a_bundle_taken_away_or_broken_changes_nothing(stores: FolderStores, tmp_path: Path) -> None:
    path = tmp_path / "state" / "bundles" / "shop" / "orders-db.json"
    replace_file(path, b"one")
    bundles = stores.bundles.watch()
    assert await following(bundles) == "one"
    path.unlink()
    replace_file(path, b"\xff\xfe")
    replace_file(path, b"one")
    replace_file(path, b"three")
    assert await following(bundles) == "three"


async def test_a_created_request_has_a_name_a_uid_and_a_version(stores: FolderStores) -> None:
    created = await stores.approvals.create(request())
    assert created.name.startswith("orders-db-")
    assert len(created.name) == len("orders-db-") + 5
    assert created.namespace == "shop"
    assert created.metadata.uid
    assert created.metadata.resource_version == "1"
    assert await stores.approvals.get(created.name) == created


async def test_a_name_that_is_taken_or_leads_elsewhere_is_refused(stores: FolderStores) -> None:
    await stores.approvals.create(request(name="one"))
    with pytest.raises(StoreRefused, match="exists already"):
        await stores.approvals.create(request(name="one"))
    assert await stores.approvals.get("../../etc/passwd") is None
    assert await stores.approvals.get("missing") is None


async def test_requests_are_found_by_digest_newest_first(stores: FolderStores, tmp_path: Path) -> None:
    first = await stores.approvals.create(request(name="first"))
    await stores.approvals.create(request("sha256:" + "00" * 32, name="other"))
    second = await stores.approvals.create(request(name="second"))
    older = first.metadata.model_copy(update={"creation_timestamp": datetime(2020, 1, 1, tzinfo=UTC)})
    path = tmp_path / "state" / "approvals" / "shop" / "first.yaml"
    replace_file(path, dump_request(first.model_copy(update={"metadata": older})))
    assert [found.name for found in await stores.approvals.find(DIGEST)] == [second.name, first.name]


async def test_requests_of_another_connection_are_not_ours(stores: FolderStores, tmp_path: Path) -> None:
    await stores.approvals.create(request(name="one"))
    theirs = folder_stores(tmp_path, "shop", "billing-db", "x").approvals
    assert await theirs.get("one") is None
    assert list(await theirs.find(DIGEST)) == []


async def test_a_phase_is_set_once_by_whoever_read_the_newest_version(stores: FolderStores) -> None:
    created = await stores.approvals.create(request())
    assert await stores.approvals.set_phase(created, Phase.USED, "it has run")
    assert not await stores.approvals.set_phase(created, Phase.WITHDRAWN, "the client left")
    after = await stores.approvals.get(created.name)
    assert after is not None
    assert (after.status.phase, after.status.message) == (Phase.USED, "it has run")
    assert after.status.resolved_at is not None
    assert after.metadata.resource_version == "2"


async def test_of_many_who_set_the_phase_at_once_exactly_one_wins(stores: FolderStores) -> None:
    created = await stores.approvals.create(request())
    won = await asyncio.gather(
        *(stores.approvals.set_phase(created, Phase.USED, f"by {number}") for number in range(16))
    )
    assert sum(won) == 1


async def test_a_phase_of_a_deleted_request_is_not_set(stores: FolderStores, tmp_path: Path) -> None:
    created = await stores.approvals.create(request())
    (tmp_path / "state" / "approvals" / "shop" / f"{created.name}.yaml").unlink()
    assert not await stores.approvals.set_phase(created, Phase.USED, "")


async def test_a_watch_tells_now_every_change_and_the_end(stores: FolderStores, tmp_path: Path) -> None:
    created = await stores.approvals.create(request())
    path = tmp_path / "state" / "approvals" / "shop" / f"{created.name}.yaml"
    watching = stores.approvals.watch(created.name)
    assert await following(watching) == created
    replace_file(path, b"{broken")
    assert await asyncio.wait_for(anext(stores.approvals.watch("missing"), None), 5) is None
    replace_file(path, dump_request(created))
    await stores.approvals.set_phase(created, Phase.APPROVED, "")
    assert (await following(watching)).status.phase is Phase.APPROVED
    path.unlink()
    assert await asyncio.wait_for(anext(watching, None), 5) is None


def test_a_request_survives_its_file() -> None:
    one = request(name="one")
    assert parse_request(dump_request(one)) == one
    assert parse_request(b"kind: Connection") is None
    assert parse_request(b"\x00\xff") is None


async def test_a_state_folder_that_cannot_be_written_is_unavailable(
    stores: FolderStores, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    with pytest.raises(StoreUnavailable, match="state"):
        await stores.approvals.create(request())
    with pytest.raises(StoreUnavailable):
        await stores.reports.put(ProxyReport("orders-db-1", "", ready=False, sessions=0))


async def test_reports_are_put_replaced_and_taken_away(stores: FolderStores, tmp_path: Path) -> None:
    path = tmp_path / "state" / "reports" / "shop" / "orders-db" / "orders-db-1.json"
    await stores.reports.put(ProxyReport("orders-db-1", "sha256:1", ready=True, sessions=2))
    report = ProxyReport("orders-db-1", "sha256:2", ready=True, sessions=3, matched={"p/r": {"warned": 1}})
    await stores.reports.put(report)
    assert json.loads(path.read_bytes())["revision"] == "sha256:2"
    assert json.loads(path.read_bytes())["matched"] == {"p/r": {"warned": 1}}
    await stores.reports.remove("orders-db-1")
    await stores.reports.remove("orders-db-1")
    assert not path.exists()


async def test_a_secret_is_read_from_documents_in_the_folder(stores: FolderStores, tmp_path: Path) -> None:
    encoded = base64.b64encode(b"s3cret").decode()
    (tmp_path / "a.yaml").write_text("{broken Secret")
    (tmp_path / "b.yaml").write_text(
        "kind: ConfigMap\n---\n"
        "kind: Secret\nmetadata: {name: orders-db, namespace: elsewhere}\nstringData: {password: wrong}\n"
        "---\n"
        "kind: Secret\nmetadata: {name: orders-db, namespace: shop}\n"
        f"stringData: {{username: app}}\ndata: {{password: {encoded}}}\n"
    )
    values = await stores.secrets.read("orders-db")
    assert {key: value.reveal() for key, value in values.items()} == {"username": "app", "password": "s3cret"}
    assert "s3cret" not in repr(values)


async def test_a_secret_the_supervisor_made_goes_first_and_must_be_private(
    stores: FolderStores, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "secrets" / "shop" / "orders-db.json"
    document = {"kind": "Secret", "metadata": {"name": "orders-db", "namespace": "shop"}}
    replace_file(path, json.dumps({**document, "stringData": {"password": "made"}}).encode())
    assert (await stores.secrets.read("orders-db"))["password"].reveal() == "made"
    path.chmod(0o644)
    with pytest.raises(StoreRefused, match="expected mode 0600"):
        await stores.secrets.read("orders-db")


async def test_a_secret_that_is_missing_or_malformed_is_refused_without_its_content(
    stores: FolderStores, tmp_path: Path
) -> None:
    with pytest.raises(StoreRefused, match="Secret shop/orders-db is missing"):
        await stores.secrets.read("orders-db")
    with pytest.raises(StoreRefused, match="cannot be the name"):
        await stores.secrets.read("../orders-db")
    (tmp_path / "a.yaml").write_text(
        "kind: Secret\nmetadata: {name: bad, namespace: shop}\ndata: {password: 'not base64!'}\n"
    )
    with pytest.raises(StoreRefused, match=r"data\.password is not base64") as refused:
        await stores.secrets.read("bad")
    assert "not base64!" not in str(refused.value)


def test_names_that_cannot_be_files_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused):
        folder_stores(tmp_path, "shop", "../../orders", "x")
