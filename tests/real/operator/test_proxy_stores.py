"""The proxy's stores on a real API server, with the very rights that the operator gives a proxy."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from real.operator.installed import Installed, access_policy, connection
from tollhouse_core.api import parse_object
from tollhouse_core.api.approval_request import ApprovalRequest, Phase
from tollhouse_proxy.adapters.kubernetes.factory import KubernetesStores, kubernetes_stores
from tollhouse_proxy.ports.stores import (
    ApprovalStore,
    BundleStore,
    ProxyReport,
    ReportStore,
    SecretStore,
    StoreRefused,
    StoreUnavailable,
)

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]

T = TypeVar("T")
DIGEST = "sha256:" + "ab" * 32
OPERATOR = "system:serviceaccount:tollhouse-system:tollhouse-operator"


@pytest.fixture(scope="module")
def place(tollhouse: Installed) -> str:
    return tollhouse.shop()


@pytest.fixture
async def stores(tollhouse: Installed, place: str) -> AsyncIterator[KubernetesStores]:
    async with opened(tollhouse, place) as made:
        yield made


@asynccontextmanager
async def opened(tollhouse: Installed, namespace: str) -> AsyncIterator[KubernetesStores]:
    account = "orders-db-proxy"
    token = await in_thread(tollhouse.plane.token, namespace, account)
    kubeconfig = tollhouse.plane.write_kubeconfig(f"{account}-{namespace}", {"token": token})
    made = kubernetes_stores(namespace, "orders-db", "orders-db-1", kubeconfig)
    try:
        yield made
    finally:
        await made.close()


async def following(stream: AsyncIterator[T], within: float = 60.0) -> T:
    return await asyncio.wait_for(anext(stream), within)


async def in_thread(do: Any, *arguments: Any, **named: Any) -> Any:
    return await asyncio.to_thread(do, *arguments, **named)


def request_of(digest: str = DIGEST, **spec: Any) -> ApprovalRequest:
    parsed = parse_object(
        {
            "apiVersion": "tollhouse.dev/v1alpha1",
            "kind": "ApprovalRequest",
            "metadata": {"generateName": "orders-db-"},
            "spec": {
                "connection": "orders-db",
                "requester": {"name": "triage", "provider": "corp", "groups": ["agents"]},
                "operation": {"text": "DELETE FROM public.orders WHERE id = 7", "digest": digest},
                "policy": {"name": "support", "rule": "ask", "ruleHash": "sha256:" + "cd" * 32},
                "approvers": [{"group": "managers", "count": 1}],
                "expiresAt": (datetime.now(UTC) + timedelta(minutes=15)).isoformat(),
                **spec,
            },
        }
    )
    assert isinstance(parsed, ApprovalRequest)
    return parsed


def test_every_store_is_the_port_it_stands_for() -> None:
    stores = kubernetes_stores("shop", "orders-db", "orders-db-1")
    bundles: BundleStore = stores.bundles
    approvals: ApprovalStore = stores.approvals
    reports: ReportStore = stores.reports
    secrets: SecretStore = stores.secrets
    assert all((bundles, approvals, reports, secrets))


async def test_a_bundle_is_yielded_now_and_after_every_policy_edit(
    tollhouse: Installed, place: str, stores: KubernetesStores
) -> None:
    async with aclosing(stores.bundles.watch()) as bundles:
        assert "orders" in await following(bundles)
        for word in ("gems", "coins"):
            await in_thread(tollhouse.plane.apply, access_policy(place, tables=(word,)))
            while word not in await following(bundles):
                continue


async def test_a_bundle_that_is_not_there_yet_is_waited_for(tollhouse: Installed, place: str) -> None:
    namespace = await in_thread(tollhouse.plane.namespace, "early")
    for kind in ("role", "rolebinding"):
        body = await in_thread(tollhouse.get, kind, "orders-db-proxy", place)
        body["metadata"] = {"name": "orders-db-proxy", "namespace": namespace}
        for subject in body.get("subjects") or ():
            subject["namespace"] = namespace
        await in_thread(tollhouse.plane.apply, body)
    await in_thread(tollhouse.plane.service_account, namespace, "orders-db-proxy")
    async with opened(tollhouse, namespace) as stores, aclosing(stores.bundles.watch()) as bundles:
        waiting = asyncio.ensure_future(anext(bundles))
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
        await in_thread(make_bundle, tollhouse, namespace, "the bundle")
        assert await asyncio.wait_for(waiting, 60) == "the bundle"


async def test_a_config_map_that_took_the_bundles_name_first_is_no_bundle(tollhouse: Installed) -> None:
    namespace = await in_thread(tollhouse.plane.namespace, "taken")
    forged = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "orders-db-bundle", "namespace": namespace},
        "data": {"bundle.json": "forged"},
    }
    await in_thread(tollhouse.plane.apply, forged)
    await in_thread(tollhouse.plane.apply, connection(namespace), access_policy(namespace))
    found = lambda: tollhouse.get("rolebinding", "orders-db-proxy", namespace)  # noqa: E731
    await in_thread(tollhouse.until, found, "the proxy has its rights")
    async with opened(tollhouse, namespace) as stores, aclosing(stores.bundles.watch()) as bundles:
        waiting = asyncio.ensure_future(anext(bundles))
        await asyncio.wait([waiting], timeout=0.5)
        assert not waiting.done()
        labelled = await in_thread(make_bundle, tollhouse, namespace, "forged too", "admin")
        assert "is written by Tollhouse alone" in labelled
        await in_thread(tollhouse.plane.kubectl, "-n", namespace, "delete", "configmap", "orders-db-bundle")
        assert "orders" in await asyncio.wait_for(waiting, 90)


def make_bundle(tollhouse: Installed, namespace: str, text: str, user: str = OPERATOR) -> str:
    """The bundle's ConfigMap as the operator labels it; what kubectl complains about."""
    labels = {"app.kubernetes.io/managed-by": "tollhouse-operator", "tollhouse.dev/connection": "orders-db"}
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "orders-db-bundle", "namespace": namespace, "labels": labels},
        "data": {"bundle.json": text},
    }
    arguments = ("-n", namespace, "apply", "--server-side", "--force-conflicts", "-f", "-", "--as", user)
    done = tollhouse.plane.kubectl(*arguments, "--as-group", "system:masters", input=json.dumps(body))
    return str(done.stderr)


async def test_a_watch_outlives_the_api_server(
    tollhouse: Installed, place: str, stores: KubernetesStores
) -> None:
    await in_thread(tollhouse.plane.apply, access_policy(place, tables=("before",)))
    async with aclosing(stores.bundles.watch()) as bundles:
        while "before" not in await following(bundles):
            continue
        await in_thread(tollhouse.plane.pause)
        try:
            with pytest.raises(StoreUnavailable):
                await stores.secrets.read("orders-db-login")
        finally:
            await in_thread(tollhouse.plane.resume)
        await votes_are_taken_again(tollhouse, place, stores)
        await in_thread(
            tollhouse.until, lambda: edited(tollhouse, place), "the operator answers again", within=90
        )
        while "after" not in await following(bundles):
            continue


async def votes_are_taken_again(tollhouse: Installed, place: str, stores: KubernetesStores) -> None:
    """The API server's admission policies know our kinds again: until its next discovery (within half a
    minute) it answers votes with "try again"."""
    made = await stores.approvals.create(request_of("sha256:" + "0f" * 32))
    vote = ["patch", "approvalrequest", made.name, "--type=merge", "-p", '{"spec":{"decision":"Denied"}}']

    def answers() -> bool:
        words = ["-n", place, *vote, "--dry-run=server"]
        return tollhouse.plane.kubectl(*words, user="alice").returncode == 0

    await in_thread(tollhouse.until, answers, "votes are taken again", within=90)


def edited(tollhouse: Installed, place: str) -> bool:
    """Whether a policy edit passes the operator's webhook."""
    document = json.dumps(access_policy(place, tables=("after",)))
    return tollhouse.plane.kubectl("apply", "-f", "-", input=document).returncode == 0


async def test_a_proxy_may_start_while_the_api_server_is_away(tollhouse: Installed, place: str) -> None:
    async with opened(tollhouse, place) as stores, aclosing(stores.bundles.watch()) as bundles:
        await in_thread(tollhouse.plane.pause)
        try:
            waiting = asyncio.ensure_future(anext(bundles))
            await asyncio.wait([waiting], timeout=0.5)
            assert not waiting.done()
        finally:
            await in_thread(tollhouse.plane.resume)
        assert await asyncio.wait_for(waiting, 60)
        await votes_are_taken_again(tollhouse, place, stores)


async def test_a_request_is_created_found_and_read(stores: KubernetesStores) -> None:
    digest = "sha256:" + "01" * 32
    made = await stores.approvals.create(request_of(digest))
    assert made.name.startswith("orders-db-")
    read = await stores.approvals.get(made.name)
    assert read is not None
    assert read.spec == made.spec
    again = await stores.approvals.create(request_of(digest))
    found = await stores.approvals.find(digest)
    assert {request.name for request in found} == {made.name, again.name}
    assert await stores.approvals.find("sha256:" + "02" * 32) == []
    assert await stores.approvals.get("orders-db-none") is None


async def test_a_waiting_proxy_sees_the_vote_at_once(
    tollhouse: Installed, place: str, stores: KubernetesStores
) -> None:
    made = await stores.approvals.create(request_of())
    async with aclosing(stores.approvals.watch(made.name)) as changes:
        assert (await following(changes)).spec.votes == ()
        await in_thread(
            tollhouse.plane.kubectl, "-n", place, "patch", "approvalrequest", made.name, "--type=merge",
            "-p", '{"spec":{"decision":"Approved"}}', user="alice", check=True,
        )  # fmt: skip
        while not (seen := await following(changes)).spec.votes:
            continue
        assert seen.spec.votes[0].by == "alice"


async def test_many_waiting_statements_share_one_watch(
    tollhouse: Installed, place: str, stores: KubernetesStores
) -> None:
    made = [await stores.approvals.create(request_of(f"sha256:{number:064x}")) for number in range(150)]

    async def until_decided(name: str) -> ApprovalRequest:
        async with aclosing(stores.approvals.watch(name)) as changes:
            async for seen in changes:
                if seen.spec.votes:
                    return seen
        raise AssertionError(f"{name} is gone")

    waiting = {one.name: asyncio.create_task(until_decided(one.name)) for one in made}
    # More statements wait than the client keeps connections: other calls must still come through.
    assert await stores.approvals.get(made[0].name)
    await stores.reports.remove("never-was")
    names = [made[number].name for number in (0, 77, 149)]
    for name in names:
        await in_thread(
            tollhouse.plane.kubectl, "-n", place, "patch", "approvalrequest", name, "--type=merge",
            "-p", '{"spec":{"decision":"Approved"}}', user="alice", check=True,
        )  # fmt: skip
    for name in names:
        assert (await asyncio.wait_for(waiting[name], 60)).spec.votes[0].by == "alice"
    assert sum(task.done() for task in waiting.values()) == 3
    for task in waiting.values():
        task.cancel()
    await asyncio.gather(*waiting.values(), return_exceptions=True)
    await in_thread(
        tollhouse.plane.kubectl, "-n", place, "delete", "approvalrequest", "--all", "--wait=false", check=True
    )


async def test_the_watch_of_a_request_ends_with_it(
    tollhouse: Installed, place: str, stores: KubernetesStores
) -> None:
    made = await stores.approvals.create(request_of())
    async with aclosing(stores.approvals.watch(made.name)) as changes:
        await following(changes)
        await in_thread(
            tollhouse.plane.kubectl, "-n", place, "delete", "approvalrequest", made.name, check=True
        )
        async with asyncio.timeout(60):
            async for seen in changes:
                assert seen.name == made.name


async def test_of_two_proxies_one_uses_a_request(stores: KubernetesStores) -> None:
    made = await stores.approvals.create(request_of())
    read = await settled(stores, made.name)
    outcomes = await asyncio.gather(
        *(stores.approvals.set_phase(read, Phase.USED, "the operation runs") for _ in range(4))
    )
    assert sorted(outcomes) == [False, False, False, True]
    after = await stores.approvals.get(made.name)
    assert after is not None
    assert after.status.phase is Phase.USED
    assert not await stores.approvals.set_phase(read, Phase.WITHDRAWN, "too late")


async def test_a_phase_is_not_written_on_a_request_that_has_changed(
    tollhouse: Installed, place: str, stores: KubernetesStores
) -> None:
    made = await stores.approvals.create(request_of())
    read = await settled(stores, made.name)
    await in_thread(
        tollhouse.plane.kubectl, "-n", place, "patch", "approvalrequest", made.name, "--type=merge",
        "-p", '{"spec":{"decision":"Denied"}}', user="bob", check=True,
    )  # fmt: skip
    assert not await stores.approvals.set_phase(read, Phase.USED, "the operation runs")


async def settled(stores: KubernetesStores, name: str) -> ApprovalRequest:
    """The request once the operator has said its first word about it."""
    async with aclosing(stores.approvals.watch(name)) as changes:
        while not (seen := await following(changes)).status.conditions:
            continue
        return seen


async def test_reports_of_several_proxies_do_not_touch_each_other(
    tollhouse: Installed, place: str, stores: KubernetesStores
) -> None:
    def report(instance: str) -> ProxyReport:
        return ProxyReport(instance, "sha256:1", True, 3, {"p/r": {"enforced": 1}}, ("a warning",))

    await asyncio.gather(*(stores.reports.put(report(f"proxy-{number}")) for number in range(5)))
    data = (await in_thread(tollhouse.get, "configmap", "orders-db-proxies", place))["data"]
    assert {f"proxy-{number}" for number in range(5)} <= set(data)
    assert json.loads(data["proxy-3"])["matched"] == {"p/r": {"enforced": 1}}
    for number in range(5):
        await stores.reports.remove(f"proxy-{number}")
    await stores.reports.remove("never-was")
    data = (await in_thread(tollhouse.get, "configmap", "orders-db-proxies", place)).get("data") or {}
    assert not any(key.startswith("proxy-") for key in data)


async def test_only_the_secrets_that_the_connection_names_are_readable(
    tollhouse: Installed, place: str, stores: KubernetesStores
) -> None:
    for name in ("orders-db-login", "another"):
        await in_thread(
            tollhouse.plane.kubectl, "-n", place, "create", "secret", "generic", name,
            "--from-literal=username=app", "--from-literal=password=pä55 word", check=True,
        )  # fmt: skip
    read = await stores.secrets.read("orders-db-login")
    assert read["password"].reveal() == "pä55 word"
    assert "pä55" not in repr(read)
    for name in ("another", "orders-db-audit-key"):
        with pytest.raises(StoreRefused, match="forbidden"):
            await stores.secrets.read(name)
    await in_thread(tollhouse.plane.kubectl, "-n", place, "delete", "secret", "orders-db-login", check=True)
    with pytest.raises(StoreRefused, match="not found"):
        await stores.secrets.read("orders-db-login")


async def test_a_value_that_is_no_text_is_refused_without_being_shown(
    tollhouse: Installed, place: str, stores: KubernetesStores
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "orders-db-login", "namespace": place},
        "data": {"password": base64.b64encode(b"\xff\xfe\x00secret").decode()},
    }
    await in_thread(tollhouse.plane.apply, secret)
    with pytest.raises(StoreRefused) as refused:
        await stores.secrets.read("orders-db-login")
    assert str(refused.value) == "key password of Secret orders-db-login is no UTF-8 text"
    assert refused.value.__cause__ is None
