"""Receivers outside of the cluster, told by the operator's process through a real API server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from kit.ports import LOOPBACK
from real.operator.asking import ask, patch
from real.operator.installed import Installed, access_policy, connection

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]
KEY = "a key that only both sides know"


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent; answers with `status`."""

    daemon_threads = True

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        super().__init__((LOOPBACK, 0), Handler)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_address[1]}/hook"

    def events(self, name: str) -> list[str]:
        said = [json.loads(body) for _, body in self.got]
        return [one["event"] for one in said if one["request"]["name"] == name]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def shop(tollhouse: Installed, receiver: Receiver, **more: Any) -> str:
    namespace = tollhouse.plane.namespace("shop")
    everything = ["Requested", "Escalated", "Approved", "Denied", "Used"]
    hook = {"name": "ops", "urlRef": {"secret": "hook", "key": "url"}, "on": everything, **more}
    hook["signingKeyRef"] = {"secret": "hook", "key": "key"}
    made = connection(namespace)
    made["spec"]["notify"] = [hook]
    data = {"url": receiver.url, "key": KEY}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hook", "namespace": namespace},
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in data.items()},
    }
    tollhouse.plane.apply(secret, made, access_policy(namespace))
    tollhouse.until(lambda: tollhouse.get("deployment", "orders-db-proxy", namespace), "the proxy has rights")
    return namespace


def records(tollhouse: Installed, namespace: str, name: str) -> list[dict[str, Any]]:
    found = tollhouse.get("approvalrequest", name, namespace) or {}
    return (found.get("status") or {}).get("notifications") or []


def test_a_receiver_is_told_of_the_request_and_of_its_end_signed_and_once_each(
    tollhouse: Installed, receiver: Receiver
) -> None:
    namespace = shop(tollhouse, receiver)
    name = ask(tollhouse, namespace)
    tollhouse.until(lambda: receiver.events(name) == ["Requested"], "the receiver is told")
    headers, body = receiver.got[0]
    signed = hmac.new(KEY.encode(), headers["Tollhouse-Timestamp"].encode() + b"." + body, hashlib.sha256)
    assert headers["Tollhouse-Signature"] == f"v1={signed.hexdigest()}"

    def approved() -> bool:
        # An API server takes votes a moment after it was given the CRDs: its policies must know the type.
        return patch(tollhouse, namespace, name, "alice", ("managers",), {"decision": "Approved"}).passed

    tollhouse.until(approved, "the vote is taken")
    tollhouse.until(lambda: receiver.events(name)[1:] == ["Approved"], "it is told of the approval")
    tollhouse.until(
        lambda: [one["state"] for one in records(tollhouse, namespace, name)] == ["Delivered", "Delivered"],
        "both are written down",
    )


def test_a_receiver_is_told_when_a_request_has_waited_for_long(
    tollhouse: Installed, receiver: Receiver
) -> None:
    namespace = shop(tollhouse, receiver)
    name = ask(tollhouse, namespace, escalation=[{"after": "1s", "approvers": [{"user": "carol"}]}])
    tollhouse.until(lambda: sorted(receiver.events(name)) == ["Escalated", "Requested"], "it is told of both")


def test_a_receiver_that_fails_is_told_again_by_an_operator_that_started_anew(
    tollhouse: Installed, receiver: Receiver
) -> None:
    namespace = shop(tollhouse, receiver)
    receiver.status = 503
    name = ask(tollhouse, namespace)
    tollhouse.until(lambda: records(tollhouse, namespace, name), "an attempt is written down")
    tollhouse.stop()
    try:
        (before,) = records(tollhouse, namespace, name)
        receiver.status = 204
    finally:
        tollhouse.start()
    assert before["problem"] == "it answers with HTTP status 503"
    tollhouse.until(
        lambda: records(tollhouse, namespace, name)[0]["state"] == "Delivered", "it is told in the end"
    )
    assert records(tollhouse, namespace, name)[0]["attempts"] > before["attempts"]
    assert len({headers["Tollhouse-Delivery"] for headers, _ in receiver.got}) == 1


def test_proxies_get_no_right_to_what_only_receivers_need(tollhouse: Installed, receiver: Receiver) -> None:
    namespace = shop(tollhouse, receiver)
    role = tollhouse.until(lambda: tollhouse.get("role", "orders-db-proxy", namespace), "the Role is there")
    assert "hook" not in json.dumps(role["rules"])


def test_a_missing_secret_is_said_where_the_request_is_shown_and_addresses_are_not(
    tollhouse: Installed, receiver: Receiver
) -> None:
    namespace = shop(tollhouse, receiver)
    tollhouse.plane.kubectl("-n", namespace, "delete", "secret", "hook", check=True)
    name = ask(tollhouse, namespace)
    told = tollhouse.until(lambda: records(tollhouse, namespace, name), "an attempt is written down")
    assert told[0]["problem"] == "the Secret hook with key url is missing"
    assert receiver.url not in tollhouse.log
    assert KEY not in tollhouse.log
