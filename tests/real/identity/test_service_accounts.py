"""ServiceAccount tokens of a real API server, verified by the keys it publishes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kit.control_plane import ControlPlane
from kit.issuer import issuing
from kit.tokens import signing_key
from kit.trusting import Trust, provider, trust
from kit.wait import until_async
from tollhouse_core.identity import Identity, Proof, ServiceAccountName
from tollhouse_core.secret import Secret
from tollhouse_identity.key_cache import KeySettings
from tollhouse_identity.prover import ProverSettings, TokenProver
from tollhouse_identity.review import AGAIN_SECONDS
from tollhouse_proxy.adapters.clock import SystemClock
from tollhouse_proxy.adapters.kubernetes.client import Api
from tollhouse_proxy.ports.identity import NotProven, ProofUnavailable

pytestmark = pytest.mark.apiserver


class Asking:
    """A prover as a proxy of that cluster has it; its account may do nothing but read the issuer's keys."""

    def __init__(self, plane: ControlPlane, proxy_token: str, bundle: Trust) -> None:
        kubeconfig = plane.write_kubeconfig(f"proxy-{id(self)}", {"token": proxy_token})
        self._api = Api("proxy", str(kubeconfig))
        settings = ProverSettings(KeySettings(timeout_seconds=3.0, retry_seconds=0.0), self._api)
        self.bundle = bundle
        self._prover = TokenProver(lambda: self.bundle, SystemClock(), settings)

    async def prove(self, token: str) -> Identity:
        return await self._prover.prove(Secret(token))

    async def close(self) -> None:
        await self._prover.close()
        await self._api.close()


@pytest.fixture
def agents(control_plane: ControlPlane, namespace: str) -> str:
    control_plane.service_account(namespace, "triage")
    control_plane.service_account(namespace, "proxy")
    return namespace


@pytest.fixture
async def asking(control_plane: ControlPlane, agents: str) -> AsyncIterator[Asking]:
    made = Asking(control_plane, control_plane.token(agents, "proxy"), trust())
    yield made
    await made.close()


async def test_an_account_is_known_as_the_api_server_knows_it(
    asking: Asking, control_plane: ControlPlane, agents: str
) -> None:
    identity = await asking.prove(control_plane.token(agents, "triage", audience="tollhouse"))
    assert identity.proof is Proof.SERVICE_ACCOUNT
    assert identity.provider == "kubernetes"
    assert identity.name == identity.kubernetes_user == f"system:serviceaccount:{agents}:triage"
    assert identity.service_account == ServiceAccountName(agents, "triage")
    assert identity.groups == ("system:serviceaccounts", f"system:serviceaccounts:{agents}")
    assert identity.expires_at is not None
    assert identity.token_id


async def test_a_token_for_the_api_server_itself_is_not_for_us(
    asking: Asking, control_plane: ControlPlane, agents: str
) -> None:
    with pytest.raises(NotProven, match="somebody else"):
        await asking.prove(control_plane.token(agents, "triage"))


async def test_a_provider_may_name_the_clusters_issuer(
    asking: Asking, control_plane: ControlPlane, agents: str
) -> None:
    asking.bundle = trust(provider("cluster", kubernetes={"issuer": "https://kubernetes.default.svc"}))
    identity = await asking.prove(control_plane.token(agents, "triage", audience="tollhouse"))
    assert identity.provider == "cluster"
    assert identity.service_account == ServiceAccountName(agents, "triage")


async def test_accounts_of_another_cluster_are_nobody_of_this_one(
    asking: Asking, control_plane: ControlPlane, agents: str
) -> None:
    async with issuing(signing_key("RS256", "other-cluster")) as other:
        asking.bundle = trust(
            provider("east", kubernetes={"issuer": other.url}), provider("here", kubernetes={})
        )
        now = SystemClock().now().timestamp()
        token = other.keys[0].sign(
            {
                "iss": other.url,
                "sub": f"system:serviceaccount:{agents}:triage",
                "aud": ["tollhouse"],
                "exp": now + 600,
                "kubernetes.io": {"namespace": agents, "serviceaccount": {"name": "triage", "uid": "u"}},
            }
        )
        identity = await asking.prove(token)
        assert identity.name == f"east:system:serviceaccount:{agents}:triage"
        assert identity.groups[0] == "east:system:serviceaccounts"
        assert identity.service_account is None
        assert identity.kubernetes_user is None
        ours = await asking.prove(control_plane.token(agents, "triage", audience="tollhouse"))
        assert ours.provider == "here"


async def test_a_token_with_another_signature_or_issuer_is_refused(
    asking: Asking, control_plane: ControlPlane, agents: str
) -> None:
    token = control_plane.token(agents, "triage", audience="tollhouse")
    mallory = signing_key("RS256", "mallory")
    head, body, _ = token.split(".")
    with pytest.raises(NotProven, match="signature does not hold"):
        await asking.prove(f"{head}.{body}.{'A' * 342}")
    forged = mallory.sign({"iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:a:b"})
    with pytest.raises(NotProven, match="does not publish"):
        await asking.prove(forged)
    with pytest.raises(NotProven, match="not trusted here"):
        await asking.prove(mallory.sign({"iss": "https://evil.example"}))


async def test_an_api_server_that_is_away_costs_only_those_who_were_never_seen(
    control_plane: ControlPlane, agents: str
) -> None:
    token = control_plane.token(agents, "triage", audience="tollhouse")
    proxy = control_plane.token(agents, "proxy")
    seen, unseen = Asking(control_plane, proxy, trust()), Asking(control_plane, proxy, trust())
    try:
        await seen.prove(token)
        control_plane.pause()
        try:
            assert (await seen.prove(token)).service_account is not None
            with pytest.raises(ProofUnavailable, match="cannot be asked now"):
                await unseen.prove(token)
        finally:
            control_plane.resume()
        assert (await unseen.prove(token)).service_account is not None
    finally:
        await seen.close()
        await unseen.close()


REVIEWED = trust(provider("cluster", kubernetes={"tokenReview": True}))
REVIEW_ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "kit-token-reviewer"},
    "rules": [{"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}],
}


def may_review(plane: ControlPlane, namespace: str) -> None:
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"kit-token-reviewer-{namespace}"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "kit-token-reviewer",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "proxy", "namespace": namespace}],
    }
    plane.apply(REVIEW_ROLE, binding)


async def test_a_reviewed_token_ends_with_what_it_is_bound_to_and_another_with_its_time(
    asking: Asking, control_plane: ControlPlane, agents: str
) -> None:
    may_review(control_plane, agents)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "agent", "namespace": agents},
        "spec": {"serviceAccountName": "triage", "containers": [{"name": "a", "image": "a"}]},
    }
    control_plane.apply(pod)
    asked = ["create", "token", "triage", "--audience", "tollhouse", "--bound-object-kind", "Pod"]
    asked += ["--bound-object-name", "agent"]
    of_the_pod = control_plane.kubectl("-n", agents, *asked, check=True).stdout.strip()
    of_the_account = control_plane.token(agents, "triage", audience="tollhouse")
    asking.bundle = REVIEWED
    identity = await asking.prove(of_the_pod)
    assert identity.provider == "cluster"
    assert identity.prove_again_seconds == AGAIN_SECONDS
    await asking.prove(of_the_account)

    async def gone(token: str) -> bool:
        try:
            await asking.prove(token)
        except NotProven as refusal:
            return "does not vouch" in str(refusal)
        return False

    # The API server remembers for 10 s that a token was good.
    control_plane.kubectl("-n", agents, "delete", "pod", "agent", "--grace-period=0", "--force", check=True)
    await asking.prove(of_the_account)
    control_plane.kubectl("-n", agents, "delete", "serviceaccount", "triage", check=True)
    await until_async(lambda: gone(of_the_pod), within=30, every=0.3)
    await until_async(lambda: gone(of_the_account), within=30, every=0.3)
    asking.bundle = trust()
    assert (await asking.prove(of_the_account)).prove_again_seconds is None


async def test_while_the_api_server_is_away_nobody_vouches_and_that_is_no_refusal(
    asking: Asking, control_plane: ControlPlane, agents: str
) -> None:
    may_review(control_plane, agents)
    asking.bundle = REVIEWED
    token = control_plane.token(agents, "triage", audience="tollhouse")
    other = control_plane.token(agents, "proxy", audience="tollhouse")
    await asking.prove(token)
    control_plane.pause()
    try:
        with pytest.raises(ProofUnavailable, match="cannot be asked now"):
            await asking.prove(other)
    finally:
        control_plane.resume()
    assert (await asking.prove(other)).service_account is not None


async def test_a_proxy_without_the_right_to_review_turns_away_and_says_what_is_missing(
    asking: Asking, control_plane: ControlPlane, agents: str
) -> None:
    asking.bundle = REVIEWED
    with pytest.raises(ProofUnavailable, match=r"tokenReview\.enabled"):
        await asking.prove(control_plane.token(agents, "triage", audience="tollhouse"))
