"""The token endpoint of a running operator: ServiceAccount tokens of a real API server, traded and shown."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kit.control_plane import ControlPlane
from real.operator.installed import NAMESPACE, Installed, connection
from tollhouse_core.identity import Identity, ServiceAccountName
from tollhouse_core.policy.bundle import PolicyBundle
from tollhouse_core.proving import NotProven
from tollhouse_core.secret import Secret
from tollhouse_dialects import LANGUAGES
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_operator.tokens.exchange import ACCESS_TOKEN, GRANT
from tollhouse_proxy.adapters.clock import SystemClock

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]


class Counter:
    """The endpoint as its clients see it."""

    def __init__(self, installed: Installed) -> None:
        secret = installed.get("secret", "tollhouse-authority", NAMESPACE) or {}
        authority = base64.b64decode(secret["data"]["ca.crt"]).decode()
        self.context = ssl.create_default_context(cadata=authority)
        self._url = installed.tokens_issuer

    def get(self, path: str) -> tuple[int, Any]:
        return self.ask(urllib.request.Request(self._url + path))

    def post(self, form: Any, kind: str = "application/x-www-form-urlencoded", path: str = "/token") -> Any:
        body = form if isinstance(form, bytes) else urllib.parse.urlencode(form).encode()
        return self.ask(urllib.request.Request(self._url + path, body, {"Content-Type": kind}))

    def trade(self, subject: str, actor: str | None = None, **form: str) -> tuple[int, Any]:
        whole: dict[str, str] = {
            "grant_type": GRANT,
            "subject_token": subject,
            "subject_token_type": ACCESS_TOKEN,
            **form,
        }
        if actor is not None:
            whole |= {"actor_token": actor, "actor_token_type": ACCESS_TOKEN}
        return self.post(whole)  # type: ignore[no-any-return]

    def ask(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=20, context=self.context) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else text


def identity_provider(name: str, **spec: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "IdentityProvider",
        "metadata": {"name": name},
        "spec": spec,
    }


@pytest.fixture
def counter(tollhouse: Installed) -> Counter:
    return Counter(tollhouse)


@pytest.fixture
def bazaar(tollhouse: Installed) -> Iterator[str]:
    """A namespace with two accounts that may be traded, and a Connection that takes what comes of it."""
    namespace = tollhouse.plane.namespace("bazaar")
    for account in ("planner", "triage"):
        tollhouse.plane.service_account(namespace, account)
    cluster, exchange = f"cluster-{namespace}", f"exchange-{namespace}"
    tollhouse.plane.apply(
        identity_provider(cluster, kubernetes={"tokenReview": True}),
        identity_provider(exchange, tollhouse={"subjects": [cluster], "actors": [cluster]}),
        connection(namespace, identity={"providers": [exchange]}),
    )
    tollhouse.until(lambda: tollhouse.bundle(namespace), "the bundle is there")
    yield namespace
    tollhouse.plane.kubectl("delete", "identityprovider", cluster, exchange, check=True)


def token(plane: ControlPlane, namespace: str, account: str) -> str:
    return plane.token(namespace, account, audience="tollhouse")


async def prove(tollhouse: Installed, namespace: str, text: str) -> Identity:
    found = tollhouse.bundle(namespace) or {}
    bundle = PolicyBundle.from_json(found["data"]["bundle.json"], LANGUAGES)
    prover = TokenProver(lambda: bundle, SystemClock(), ProverSettings())
    try:
        return await prover.prove(Secret(text))
    finally:
        await prover.close()


async def test_two_accounts_tokens_become_one_that_the_bundle_in_force_proves(
    tollhouse: Installed, counter: Counter, bazaar: str
) -> None:
    planner = token(tollhouse.plane, bazaar, "planner")
    triage = token(tollhouse.plane, bazaar, "triage")
    status, answer = counter.trade(planner, triage, scope=f"{bazaar}/orders-db:read")
    assert status == 200, answer
    assert answer["scope"] == f"{bazaar}/orders-db:read"
    assert 0 < answer["expires_in"] <= 900
    identity = await prove(tollhouse, bazaar, answer["access_token"])
    assert identity.service_account == ServiceAccountName(bazaar, "triage")
    assert identity.on_behalf_of is not None
    assert identity.on_behalf_of.name == f"system:serviceaccount:{bazaar}:planner"
    assert identity.scope == (f"{bazaar}/orders-db:read",)
    with pytest.raises(NotProven, match="not trusted"):
        await prove(tollhouse, bazaar, triage)
    assert answer["access_token"] not in tollhouse.log
    assert triage not in tollhouse.log
    assert f"actor cluster-{bazaar}/system:serviceaccount:{bazaar}:triage" in tollhouse.log


def test_a_refusal_names_what_is_missing_and_nothing_of_the_token(
    tollhouse: Installed, counter: Counter, bazaar: str
) -> None:
    wrong = tollhouse.plane.token(bazaar, "planner")
    status, answer = counter.trade(wrong)
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert "meant for somebody else" in answer["error_description"]
    assert wrong not in json.dumps(answer)


def test_the_endpoint_says_where_everything_is(tollhouse: Installed, counter: Counter) -> None:
    status, answer = counter.get("/.well-known/openid-configuration")
    assert (status, answer["issuer"]) == (200, tollhouse.tokens_issuer)
    status, keys = counter.get("/jwks")
    assert status == 200
    assert all("d" not in key and key["kty"] == "EC" for key in keys["keys"])
    assert len(keys["keys"]) == 1


def test_malformed_requests_are_refused_in_the_protocols_words(counter: Counter) -> None:
    twice = [("grant_type", GRANT), ("grant_type", GRANT)]
    for answer, status, code in (
        (counter.post({}), 400, "unsupported_grant_type"),
        (counter.post({"grant_type": "password"}), 400, "unsupported_grant_type"),
        (counter.post(twice), 400, "invalid_request"),
        (counter.post(b"{}", "application/json"), 400, "invalid_request"),
        (counter.post({}, path=f"/token?grant_type={GRANT}"), 400, "invalid_request"),
        (counter.post({"grant_type": GRANT}), 400, "invalid_request"),
        (counter.trade("x" * 300_000), 400, "invalid_request"),
        (counter.post(b"\xff\xfe=\x00"), 400, "invalid_request"),
    ):
        assert (answer[0], answer[1]["error"]) == (status, code), answer
    assert counter.get("/token")[0] == 405


def test_only_proxies_that_are_to_review_tokens_may(tollhouse: Installed, bazaar: str) -> None:
    name = "tollhouse-operator-token-reviewers"

    def accounts() -> set[tuple[str, str]]:
        found = tollhouse.get("clusterrolebinding", name, "") or {}
        return {(one["namespace"], one["name"]) for one in found.get("subjects") or ()}

    def review(verdict: str) -> bool:
        asked = ["auth", "can-i", "create", "tokenreviews.authentication.k8s.io"]
        account = f"--as=system:serviceaccount:{bazaar}:orders-db-proxy"
        return tollhouse.plane.kubectl(*asked, account).stdout.strip() == verdict

    assert (bazaar, "orders-db-proxy") not in accounts()
    assert review("no")
    tollhouse.plane.apply(connection(bazaar, identity={"providers": [f"cluster-{bazaar}"]}))
    tollhouse.until(lambda: (bazaar, "orders-db-proxy") in accounts(), "it may review")
    tollhouse.until(lambda: review("yes"), "the API server says so")
    tollhouse.plane.kubectl("-n", bazaar, "delete", "connection", "orders-db", check=True)
    tollhouse.until(lambda: (bazaar, "orders-db-proxy") not in accounts(), "it may no longer")
