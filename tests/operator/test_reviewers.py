"""Who may ask the API server to review tokens."""

from __future__ import annotations

from kit.policies import connection_of
from kit.trusting import provider
from tollhouse_operator.reconcile.reviewers import reviewers


def test_only_proxies_whose_connection_wants_it_may_review_tokens() -> None:
    providers = [
        provider("reviewed", kubernetes={"tokenReview": True}),
        provider("signed", kubernetes={}),
        provider("corp", oidc={"issuer": "https://id.corp.example"}),
    ]
    connections = [
        connection_of("identity: {providers: [signed, reviewed]}", name="b"),
        connection_of("identity: {providers: [reviewed]}", name="a"),
        connection_of("identity: {providers: [signed, corp]}", name="c"),
        connection_of(name="d"),
    ]
    assert reviewers(connections, providers) == [
        {"kind": "ServiceAccount", "name": "a-proxy", "namespace": "shop"},
        {"kind": "ServiceAccount", "name": "b-proxy", "namespace": "shop"},
    ]
    assert reviewers(connections, providers[1:]) == []
