"""A Vault that is slow, busy, confused or hostile: answers no real one gives when asked to."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kit import wait
from kit.clock import SetClock
from kit.ports import LOOPBACK
from kit.secret_store import MemorySecrets
from tollhouse_core.api.credentials import Credentials
from tollhouse_proxy.adapters.credentials.factory import source_for
from tollhouse_proxy.adapters.credentials.settings import CredentialSettings
from tollhouse_proxy.ports.credentials import Credential, CredentialSource, CredentialUnavailable

TOKEN = "s.token-of-the-proxy"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeVault:
    """Answers as told; remembers what it was asked. `answers` maps a path's beginning to a handler."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.leases: set[str] = set()
        self.made = 0
        self.answers: dict[str, Answer] = {}
        self.lifetime = 60

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/v1/")
        self.asked.append(path)
        self.tokens.append(request.headers.get("X-Vault-Token", ""))
        for beginning, answer in self.answers.items():
            if path.startswith(beginning):
                return await answer(request)
        if path.endswith("/login"):
            auth = {
                "client_token": f"s.{len(self.asked)}",
                "lease_duration": self.lifetime,
                "renewable": True,
            }
            return web.json_response({"auth": auth})
        if "/creds/" in path:
            self.made += 1
            lease = f"{path}/{self.made}"
            self.leases.add(lease)
            data = {"username": f"u{self.made}", "password": f"password-{self.made}"}
            return web.json_response({"lease_id": lease, "lease_duration": 60, "data": data})
        if path == "sys/leases/revoke":
            self.leases.discard((await request.json())["lease_id"])
            return web.Response(status=204)
        if path == "sys/leases/renew":
            return web.json_response({"lease_duration": 90, "renewable": True})
        if path == "auth/token/renew-self":
            return web.json_response({"auth": {"lease_duration": self.lifetime}})
        return web.Response(status=204)


def refusing(status: int, *errors: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"errors": list(errors)}, status=status)

    return answer


def saying(body: bytes | object, status: int = 200, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return web.Response(body=data, status=status, content_type="application/json", headers=headers)

    return answer


@asynccontextmanager
async def listening() -> AsyncIterator[FakeVault]:
    vault = FakeVault()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", vault.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    vault.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    try:
        yield vault
    finally:
        await runner.cleanup()


@pytest.fixture
async def vault() -> AsyncIterator[FakeVault]:
    async with listening() as made:
        yield made


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def source(vault: FakeVault, clock: SetClock, tmp_path: Path) -> AsyncIterator[CredentialSource]:
    made = make_source(vault, clock, tmp_path)
    yield made
    await made.close()


def make_source(
    vault: FakeVault, clock: SetClock, tmp_path: Path, acquire_seconds: float = 1.0
) -> CredentialSource:
    pod_token = tmp_path / "token"
    pod_token.write_text("pod-token")
    document: dict[str, Any] = {
        "address": vault.url,
        "auth": {"kubernetes": {"role": "orders-db"}},
        "database": {"role": "orders-rw"},
    }
    settings = CredentialSettings(
        request_seconds=0.5,
        acquire_seconds=acquire_seconds,
        release_seconds=5.0,
        close_seconds=1.0,
        first_retry_seconds=0.01,
        longest_retry_seconds=0.05,
        pod_token_file=pod_token,
    )
    return source_for(Credentials.model_validate({"vault": document}), MemorySecrets(), settings, clock)


async def test_a_login_is_made_once_for_all_who_wait(source: CredentialSource, vault: FakeVault) -> None:
    got = await asyncio.gather(*(source.acquire() for _ in range(20)))
    assert len({one.username for one in got}) == 20
    assert sum(path.endswith("/login") for path in vault.asked) == 1


async def test_busy_answers_are_tried_again(source: CredentialSource, vault: FakeVault) -> None:
    left = 3

    async def busy(request: web.Request) -> web.StreamResponse:
        nonlocal left
        left -= 1
        if left == 0:
            del vault.answers["database/creds"]
        return web.json_response({"errors": ["sorry"]}, status=500)

    vault.answers["database/creds"] = busy
    assert (await source.acquire()).username == "u1"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusing(503, "Vault is sealed"), "Vault is sealed"),
        (refusing(503, "error"), "is not ready"),
        (refusing(429, "quota"), "rate limit"),
        (refusing(500, "connection to postgres://u:very-secret@db failed"), "failed to give a database user"),
        (refusing(400, 'unknown role "very-secret"'), "as a bad request"),
        (refusing(404), "not found"),
        (refusing(403, "1 error occurred: very-secret"), "permission denied"),
        (saying(b"<html>very-secret"), "not Vault's"),
        (saying([1, 2]), "not Vault's"),
        (saying({}), "left data out"),
        (saying({"data": {"username": "u", "password": "very-secret"}}), "left lease_id out"),
        (saying({"lease_id": "x", "data": {"username": 7, "password": "very-secret"}}), "left username out"),
        (saying(b"", 307, Location="http://127.0.0.1:1/"), "redirects"),
        (saying(b"", 204), "left data out"),
    ],
    ids=[
        "sealed", "not ready", "rate limit", "failing", "no such role", "not found", "denied", "html",
        "a list", "empty", "no lease", "no text", "redirect", "no content",
    ],
)  # fmt: skip
async def test_every_answer_becomes_words_without_its_content(
    answer: Answer, words: str, source: CredentialSource, vault: FakeVault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    vault.answers["database/creds"] = answer
    with pytest.raises(CredentialUnavailable, match=words) as failure:
        await source.acquire()
    assert "very-secret" not in str(failure.value) + repr(failure.value.__context__) + caplog.text
    assert "127.0.0.1" not in str(failure.value)


async def test_a_token_is_never_taken_along_to_another_address(
    source: CredentialSource, vault: FakeVault
) -> None:
    async with listening() as elsewhere:
        vault.answers["database/creds"] = saying(b"", 307, Location=f"{elsewhere.url}/v1/database/creds/x")
        with pytest.raises(CredentialUnavailable, match="redirects"):
            await source.acquire()
        assert elsewhere.asked == []


async def test_a_server_that_has_no_active_one_yet_is_asked_again(
    source: CredentialSource, vault: FakeVault
) -> None:
    async def standby(request: web.Request) -> web.StreamResponse:
        del vault.answers["database/creds"]
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"})

    vault.answers["database/creds"] = standby
    assert (await source.acquire()).username == "u1"


async def test_a_hanging_vault_costs_the_stated_time_and_no_more(
    source: CredentialSource, vault: FakeVault
) -> None:
    let_go = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await let_go.wait()
        return web.Response(status=204)

    vault.answers["database/creds"] = hang
    loop = asyncio.get_running_loop()
    began = loop.time()
    failures = await asyncio.gather(*(source.acquire() for _ in range(40)), return_exceptions=True)
    let_go.set()
    assert all(isinstance(one, CredentialUnavailable) for one in failures)
    assert "did not answer" in str(failures[0])
    assert loop.time() - began < 3.0
    assert sum("/creds/" in path for path in vault.asked) <= 4 * 5


async def test_a_slow_database_makes_one_user_not_one_for_each_timeout(
    vault: FakeVault, clock: SetClock, tmp_path: Path
) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(1.2)  # the server's slowness, longer than two ordinary timeouts
        del vault.answers["database/creds"]
        return await vault.handle(request)

    vault.answers["database/creds"] = slow
    source = make_source(vault, clock, tmp_path, acquire_seconds=20.0)
    assert (await source.acquire()).username == "u1"
    assert vault.made == 1
    await source.close()


async def test_a_user_made_after_its_client_left_is_given_back(
    source: CredentialSource, vault: FakeVault
) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        del vault.answers["database/creds"]
        arrived.set()
        await go_on.wait()
        return await vault.handle(request)

    vault.answers["database/creds"] = slow
    waiting = asyncio.create_task(source.acquire())
    await arrived.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()

    async def given_back() -> bool:
        return vault.made == 1 and not vault.leases

    await wait.until_async(given_back)


async def test_giving_back_is_tried_until_it_works_and_first_waits_for_the_database(
    source: CredentialSource, vault: FakeVault
) -> None:
    credential = await source.acquire()
    bodies: list[dict[str, Any]] = []

    async def failing(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        if len(bodies) == 3:
            del vault.answers["sys/leases/revoke"]
        return web.json_response({"errors": ["database is away"]}, status=500)

    vault.answers["sys/leases/revoke"] = failing
    await source.release(credential)
    assert vault.leases == set()
    assert [body["sync"] for body in bodies] == [True, False, False]


async def test_giving_back_never_holds_up_its_caller_for_long(
    source: CredentialSource, vault: FakeVault
) -> None:
    credential = await source.acquire()
    vault.answers["sys/leases/revoke"] = refusing(503, "Vault is sealed")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await source.release(credential)
    assert loop.time() - began < 2.0
    assert vault.leases
    del vault.answers["sys/leases/revoke"]

    async def given_back() -> bool:
        return not vault.leases

    await wait.until_async(given_back)


async def test_a_missing_right_to_revoke_is_said_in_the_log(
    source: CredentialSource, vault: FakeVault, caplog: pytest.LogCaptureFixture
) -> None:
    credential = await source.acquire()
    vault.answers["sys/leases/revoke"] = refusing(403, "permission denied")
    await source.release(credential)
    assert "sys/leases/revoke" in caplog.text
    assert credential.username not in caplog.text


async def test_a_token_that_is_refused_is_replaced_once(source: CredentialSource, vault: FakeVault) -> None:
    await source.acquire()
    denied = 1

    async def deny(request: web.Request) -> web.StreamResponse:
        nonlocal denied
        denied -= 1
        if denied == 0:
            del vault.answers["database/creds"]
        return web.json_response({"errors": ["permission denied"]}, status=403)

    vault.answers["database/creds"] = deny
    assert (await source.acquire()).username == "u2"
    assert sum(path.endswith("/login") for path in vault.asked) == 2


async def test_a_token_near_its_end_is_not_used_for_new_users(
    source: CredentialSource, vault: FakeVault, clock: SetClock
) -> None:
    first = await source.acquire()
    clock.advance(vault.lifetime * 0.7)
    await source.acquire()
    assert sum(path.endswith("/login") for path in vault.asked) == 2
    old, new = vault.tokens[1], vault.tokens[3]
    # The first user still hangs on the old token: renewing it renews the token too.
    renewed = await source.renew(first)
    assert vault.asked[-2:] == ["auth/token/renew-self", "sys/leases/renew"]
    assert vault.tokens[-2:] == [old, old] != [new, new]
    assert renewed.expires_at is not None
    assert (renewed.expires_at - clock.now()).total_seconds() == vault.lifetime
    # With its last user the old token is ended.
    await source.release(first)
    assert vault.asked[-1] == "auth/token/revoke-self"
    assert vault.tokens[-1] == old


async def test_closing_ends_the_token_and_with_it_what_is_left(
    source: CredentialSource, vault: FakeVault
) -> None:
    await source.acquire()
    await source.close()
    assert vault.asked[-1] == "auth/token/revoke-self"


async def test_what_is_borrowed_around_the_end_is_refused_and_given_back(
    source: CredentialSource, vault: FakeVault
) -> None:
    held = await source.acquire()
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        del vault.answers["database/creds"]
        arrived.set()
        await go_on.wait()
        return await vault.handle(request)

    vault.answers["database/creds"] = slow
    late = asyncio.create_task(source.acquire())
    await arrived.wait()
    await source.close()
    go_on.set()
    with pytest.raises(CredentialUnavailable, match="no longer asked"):
        await late
    with pytest.raises(CredentialUnavailable, match="no longer asked"):
        await source.acquire()
    await source.release(held)

    async def all_given_back() -> bool:
        return not vault.leases

    await wait.until_async(all_given_back)


async def test_closing_is_bounded(source: CredentialSource, vault: FakeVault) -> None:
    credential = await source.acquire()
    for path in ("sys/", "auth/token"):
        vault.answers[path] = refusing(503, "Vault is sealed")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await source.release(credential)
    await source.close()
    assert loop.time() - began < 3.0


async def test_the_pods_token_is_read_for_each_login_and_its_absence_is_said(
    source: CredentialSource, tmp_path: Path
) -> None:
    (tmp_path / "token").unlink()
    with pytest.raises(CredentialUnavailable, match="pod's own token cannot be read"):
        await source.acquire()
    (tmp_path / "token").write_text("pod-token")
    assert isinstance(await source.acquire(), Credential)


async def test_a_lease_that_is_not_ours_is_not_renewed(source: CredentialSource) -> None:
    credential = await source.acquire()
    await source.release(credential)
    with pytest.raises(CredentialUnavailable, match="no such lease"):
        await source.renew(credential)
    await source.release(credential)


async def test_nothing_secret_is_shown_by_anything(
    source: CredentialSource, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    credential = await source.acquire()
    await source.release(credential)
    shown = repr(credential) + str(credential) + repr(source) + repr(vars(source)) + caplog.text
    for secret in ("password-1", "pod-token", "s.1", TOKEN):
        assert secret not in shown
