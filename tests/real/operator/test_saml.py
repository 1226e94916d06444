"""SAML at the token endpoint of a running operator: the grant, and the browser's way."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from kit.saml import ENTITY, SamlIssuer
from real.operator.installed import NAMESPACE, Installed, connection
from real.operator.test_tokens import Counter, prove
from tollhouse_core.identity import Proof
from tollhouse_operator.cluster import Cluster, ClusterError
from tollhouse_operator.tokens.saml import GRANT
from tollhouse_operator.tokens.saml_document import BadAssertion
from tollhouse_operator.tokens.used_once import UsedAssertions

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]


class Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are looked at, not followed."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass
class Place:
    """A namespace whose Connection takes what a SAML provider's people get."""

    namespace: str
    name: str
    issuer: SamlIssuer
    counter: Counter
    base: str

    def grant(self, response: str, **form: str) -> tuple[int, Any]:
        form = {"grant_type": GRANT, "provider": self.name, "assertion": response, **form}
        return self.counter.post(form)  # type: ignore[no-any-return]

    def open(self, path: str, form: dict[str, str] | None = None, cookie: str = "") -> Any:
        opener = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=self.counter.context), Stay()
        )
        body = None if form is None else urlencode(form).encode()
        request = urllib.request.Request(f"{self.base}{path}", body, {"Cookie": cookie} if cookie else {})
        try:
            return opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            return error


@pytest.fixture
def place(tollhouse: Installed) -> Iterator[Place]:
    namespace = tollhouse.plane.namespace("saml")
    name = f"idp-{namespace}"
    base = f"{tollhouse.tokens_issuer}/saml/{name}"
    issuer = SamlIssuer(f"{base}/acs", "tollhouse")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": {"idp.xml": issuer.metadata},
    }
    provider = {
        "apiVersion": "tollhouse.dev/v1alpha1",
        "kind": "IdentityProvider",
        "metadata": {"name": name},
        "spec": {"saml": {"metadataRef": {"secret": name, "key": "idp.xml"}}},
    }
    tollhouse.plane.apply(secret, provider, connection(namespace, identity={"providers": [name]}))
    tollhouse.until(lambda: tollhouse.bundle(namespace), "the bundle is there")
    counter = Counter(tollhouse)
    yield Place(namespace, name, issuer, counter, base)
    tollhouse.plane.kubectl("delete", "identityprovider", name, check=True)


async def test_a_signed_response_becomes_a_token_once(tollhouse: Installed, place: Place) -> None:
    response = place.issuer.response()
    status, answer = place.grant(response, scope="*:read")
    assert status == 200, answer
    identity = await prove(tollhouse, place.namespace, answer["access_token"])
    assert (identity.name, identity.provider, identity.proof) == ("ann", place.name, Proof.SAML)
    assert identity.groups == ("managers",)
    assert identity.scope == ("*:read",)
    status, answer = place.grant(response)
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert "used already" in answer["error_description"]


async def test_a_response_counts_once_in_all_processes_together(tollhouse: Installed) -> None:
    def process() -> UsedAssertions:
        return UsedAssertions(Cluster(str(tollhouse.plane.kubeconfig("operator"))), NAMESPACE)

    first, second = process(), process()
    await first.take("corp", "_1")
    for one in (first, second):
        with pytest.raises(BadAssertion, match="used already"):
            await one.take("corp", "_1")
    await second.take("partners", "_1")
    at_once = [one.take("corp", "_2") for _ in range(5) for one in (first, second)]
    outcomes = await asyncio.gather(*at_once, return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["BadAssertion"] * 9 + ["NoneType"]
    await asyncio.gather(first.close(), second.close())


async def test_what_is_remembered_of_responses_goes_when_they_can_count_no_more(
    tollhouse: Installed,
) -> None:
    def kept() -> int:
        asked = ["get", "leases", "-l", "tollhouse.dev/used-assertion=true", "-o", "name", "-n", NAMESPACE]
        return len(tollhouse.plane.kubectl(*asked, check=True).stdout.split())

    cluster = Cluster(str(tollhouse.plane.kubeconfig("operator")))
    await UsedAssertions(cluster, NAMESPACE).take("corp", "_3")
    assert kept() >= 1
    await UsedAssertions(cluster, NAMESPACE, kept_seconds=-5.0).take("corp", "_4")
    assert kept() == 0
    await cluster.close()


async def test_without_an_api_server_no_response_counts(tmp_path: Path) -> None:
    with pytest.raises(ClusterError):
        await UsedAssertions(Cluster(str(tmp_path / "none")), NAMESPACE).take("corp", "_5")


def test_a_response_of_somebody_else_is_refused(place: Place) -> None:
    mallory = SamlIssuer(place.issuer.consumer, place.issuer.audience)
    status, answer = place.grant(mallory.response())
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert place.grant("x", provider="nobody")[0] == 404


async def test_a_browser_logs_in_where_it_began_and_nowhere_else(tollhouse: Installed, place: Place) -> None:
    with place.open("/metadata") as answer:
        text = answer.read().decode()
    assert f'Location="{place.issuer.consumer}"' in text
    assert 'WantAssertionsSigned="true"' in text

    with place.open("/login") as answer:
        assert answer.code == 302
        target, cookie = answer.headers["Location"], SimpleCookie(answer.headers["Set-Cookie"])
    assert target.startswith(f"{ENTITY}/sso?SAMLRequest=")
    packed = base64.b64decode(parse_qs(urlsplit(target).query)["SAMLRequest"][0])
    request = zlib.decompress(packed, -15).decode()
    request_id = request.partition('ID="')[2].partition('"')[0]
    assert f'AssertionConsumerServiceURL="{place.issuer.consumer}"' in request
    ((name, morsel),) = cookie.items()
    assert name.startswith("__Host-")
    assert morsel["secure"]
    assert morsel["httponly"]
    assert morsel.value not in request
    sent = f"{name}={morsel.value}"

    answered = {"SAMLResponse": place.issuer.response(in_response_to=request_id)}
    with place.open("/acs", answered) as answer:
        assert answer.code == 400  # another browser
    with place.open("/acs", answered, f"{name}=other") as answer:
        assert answer.code == 400
    with place.open("/acs", {"SAMLResponse": place.issuer.response()}, sent) as answer:
        assert answer.code == 400  # a response nobody asked for
    somewhere = {**answered, "RelayState": "https://mallory.example/"}
    with place.open("/acs", somewhere, sent) as answer:
        assert answer.code == 200
        assert "Location" not in answer.headers
        assert "mallory" not in str(answer.headers)
        token = json.loads(answer.read())["access_token"]
    assert (await prove(tollhouse, place.namespace, token)).name == "ann"
    with place.open("/acs", answered, sent) as answer:
        assert answer.code == 400
