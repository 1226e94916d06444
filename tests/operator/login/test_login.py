"""`tollhouse login`: the device flow against a provider that behaves, and one that does not."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tollhouse_core.secret import Secret
from tollhouse_operator.cli.command import run
from tollhouse_operator.login.device import SLOWER_SECONDS, Invitation, log_in
from tollhouse_operator.login.feeding import fed
from tollhouse_operator.login.provider import LoginFailed, Talk
from tollhouse_operator.login.wallet import Wallet


class Provider:
    """Answers what `answers` says for a path, in turn; the last answer again and again."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.changed: dict[str, Any] = {}
        self.invitation: dict[str, Any] = {
            "device_code": "device",
            "user_code": "ABCD-EFGH",
            "expires_in": 60,
            "interval": 1,
        }
        self.tokens: list[tuple[int, Any]] = [
            (400, {"error": "authorization_pending"}),
            (200, {"access_token": "access.1", "refresh_token": "refresh.1", "expires_in": 300}),
        ]

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, Any]:
        self.asked.append((path, form))
        if path.endswith("openid-configuration"):
            return 200, {
                "issuer": self.url,
                "token_endpoint": f"{self.url}/token",
                "device_authorization_endpoint": f"{self.url}/device",
            } | self.changed
        if path == "/device":
            return 200, {"verification_uri": f"{self.url}/confirm", **self.invitation}
        return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]

    @contextmanager
    def served(self) -> Iterator[None]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self._answer({name: values[0] for name, values in parse_qs(text).items()})

            def _answer(self, form: dict[str, str]) -> None:
                status, body = provider.answer(self.path, form)
                self.send_response(status)
                if status in {301, 302, 307}:
                    self.send_header("Location", body)
                self.end_headers()
                self.wfile.write(body.encode() if isinstance(body, str) else json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    with made.served():
        yield made


@pytest.fixture
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "logins"
    monkeypatch.setenv("TOLLHOUSE_LOGINS", str(folder))
    return folder


def login(provider: Provider) -> int:
    return run(["login", "--issuer", provider.url, "--client-id", "people"])


def test_a_log_in_is_kept_where_only_its_user_can_read_it(
    provider: Provider, logins: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert login(provider) == 0
    said = capsys.readouterr()
    assert "ABCD-EFGH" in said.err
    assert f"{provider.url}/confirm" in said.err
    assert "access.1" not in said.out + said.err
    assert stat.S_IMODE((logins / "default.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(logins.stat().st_mode) == 0o700
    assert run(["token", "--login"]) == 0
    assert capsys.readouterr().out == "access.1\n"


def test_a_token_that_ends_soon_is_refreshed_and_the_new_refresh_token_is_kept(
    provider: Provider, logins: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.tokens[1][1]["expires_in"] = 5
    provider.tokens += [
        (200, {"access_token": "access.2", "refresh_token": "refresh.2", "expires_in": 300}),
    ]
    assert login(provider) == 0
    capsys.readouterr()
    assert run(["token", "--login"]) == 0
    assert capsys.readouterr().out == "access.2\n"
    assert provider.asked[-1][1]["refresh_token"] == "refresh.1"
    assert json.loads((logins / "default.json").read_text())["refreshToken"] == "refresh.2"


@pytest.mark.parametrize(
    ("way", "text"),
    [
        ("psql", "export PGPASSWORD=a.b-c_d"),
        ("pgpass", "*:*:*:*:a.b-c_d"),
        ("service", "[tollhouse]\nuser=tollhouse\npassword=a.b-c_d"),
    ],
)
def test_a_token_is_written_as_the_client_takes_it(way: str, text: str) -> None:
    assert fed(way, Secret("a.b-c_d")) == text


def test_what_a_shell_or_a_password_file_could_misread_is_quoted() -> None:
    assert fed("psql", Secret("a'b;c")) == "export PGPASSWORD='a'\"'\"'b;c'"
    assert fed("pgpass", Secret("a:b\\c")) == "*:*:*:*:a\\:b\\\\c"


def test_a_token_that_a_service_file_cannot_hold_is_not_written_there(
    provider: Provider, logins: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    provider.tokens[1][1]["access_token"] = long = "a" * 1100
    assert login(provider) == 0
    file = tmp_path / "service.conf"
    assert run(["token", "--login", "--for", "service", "--to", str(file)]) == 1
    assert "passfile=FILE" in capsys.readouterr().err
    assert not file.exists()
    assert run(["token", "--login", "--for", "pgpass", "--to", str(file)]) == 0
    assert file.read_text() == f"*:*:*:*:{long}\n"


def test_a_password_file_is_closed_to_others(
    provider: Provider, logins: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert login(provider) == 0
    capsys.readouterr()
    file = tmp_path / "pgpass"
    assert run(["token", "--login", "--for", "pgpass", "--to", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert file.read_text() == "*:*:*:*:access.1\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_others_can_read_is_not_used(
    provider: Provider, logins: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert login(provider) == 0
    os.chmod(logins / "default.json", 0o640)
    assert run(["token", "--login"]) == 1
    assert "can be read by others" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "", "A", "a/b", "x" * 80])
def test_a_name_is_no_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(LoginFailed, match="lower-case"):
        Wallet(tmp_path).path(name)


def test_nobody_logged_in_says_what_to_do(logins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["token", "--login"]) == 1
    assert "run tollhouse login" in capsys.readouterr().err


class Hands:
    """Sleeps without sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def now(self) -> float:
        return sum(self.slept)


def flow(provider: Provider, hands: Hands) -> tuple[str, list[Invitation]]:
    talk = Talk()
    invited: list[Invitation] = []
    found = talk.discover(provider.url)
    form = {"client_id": "people", "scope": "openid"}
    tokens = log_in(talk, found, form, invited.append, hands.sleep, hands.now)
    return tokens.access.reveal(), invited


def test_a_provider_that_wants_to_be_asked_less_often_is(provider: Provider) -> None:
    provider.tokens = [(400, {"error": "slow_down"}), *provider.tokens]
    hands = Hands()
    assert flow(provider, hands)[0] == "access.1"
    assert hands.slept == [1.0, 1.0 + SLOWER_SECONDS, 1.0 + SLOWER_SECONDS]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([(400, {"error": "access_denied"})], "denied in the browser"),
        ([(400, {"error": "expired_token"})], "in time"),
        ([(400, {"error": "authorization_pending"})], "in time"),
        ([(400, {"error": "invalid_client", "error_description": "no\x1b[31m such"})], "invalid_client no"),
        ([(200, {})], "no access token"),
        ([(200, {"access_token": "a\nb"})], "no access token"),
        ([(200, {"access_token": 7})], "no access token"),
        ([(200, "not json")], "no JSON object"),
        ([(500, "oops")], "HTTP status 500"),
        ([(302, "http://127.0.0.1:1/elsewhere")], "HTTP status 302"),
        ([(200, "x" * 300_000)], "more than"),
    ],
    ids=str,
)
def test_a_log_in_that_fails_says_why_and_shows_nothing_it_should_not(
    provider: Provider, answers: list[Any], words: str
) -> None:
    provider.tokens = answers
    with pytest.raises(LoginFailed, match=words) as found:
        flow(provider, Hands())
    assert str(found.value).isprintable()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"issuer": "https://mallory.example"}, "another issuer"),
        ({"token_endpoint": "http://mallory.example/token"}, "must be an https URL"),
        ({"device_authorization_endpoint": "file:///etc/passwd"}, "must be an https URL"),
        ({"device_authorization_endpoint": None}, "does not offer the device flow"),
    ],
    ids=str,
)
def test_a_discovery_document_that_leads_elsewhere_is_refused(
    provider: Provider, changed: dict[str, Any], words: str
) -> None:
    provider.changed = changed
    with pytest.raises(LoginFailed, match=words):
        flow(provider, Hands())


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://mallory.example/", "https://u:p@h/", 7])
def test_a_person_is_sent_to_no_strange_address(provider: Provider, url: object) -> None:
    provider.invitation["verification_uri"] = url
    with pytest.raises(LoginFailed, match="https URL"):
        flow(provider, Hands())


def test_plain_http_is_for_this_machine_alone() -> None:
    with pytest.raises(LoginFailed, match="https URL"):
        Talk().discover("http://id.corp.example")
