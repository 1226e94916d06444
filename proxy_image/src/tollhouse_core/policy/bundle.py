"""The policies of one Connection as one immutable, content-addressed thing.

A bundle is made by who has all objects (operator, supervisor), travels as JSON, and is compiled
again by who enforces it. The JSON is the source in a normal form: no status, no metadata beyond
names, rules in order of name, and nothing secret (objects only name secrets). Its SHA-256 is
the revision, so the same content has the same revision wherever it is made.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tollhouse_core.api import AnyObject, InvalidObject, Problem, parse_object, to_document
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.api.revocation import ClusterRevocation, Revocation
from tollhouse_core.identity import Identity
from tollhouse_core.policy.applicable import Applicable, applicable_to
from tollhouse_core.policy.compile import compile_policy, language_of
from tollhouse_core.policy.language import PolicyLanguage
from tollhouse_core.policy.revocations import AnyRevocation, Revocations, revocations_of
from tollhouse_core.policy.rules import Rule
from tollhouse_core.token_issuer import TokenIssuer

FORMAT = 1
SINKS_BUILT = ("stdout", "file")
"""Sorts of AuditSinks that proxies can open."""
_VIEWS = 1024
"""Identities whose rules are kept at hand; beyond it all are worked out anew."""


class BadBundle(Exception):
    """The text is no bundle that can be enforced. `str()` says why, bounded."""


@dataclass(frozen=True, slots=True)
class PolicyBundle:
    """Everything a proxy enforces. `revision` is "sha256:" and 64 hexadecimal digits."""

    connection: Connection
    providers: tuple[IdentityProvider, ...]
    sinks: tuple[AuditSink, ...]
    policies: tuple[AccessPolicy, ...]
    rules: tuple[Rule, ...]
    revoked: Revocations
    tokens: TokenIssuer | None
    revision: str
    asked_facts: frozenset[str]
    _text: str = field(repr=False)
    _views: dict[object, Applicable] = field(default_factory=dict, repr=False, compare=False)

    def to_json(self) -> str:
        """The canonical JSON text, of which the revision is the hash."""
        return self._text

    @classmethod
    def from_json(cls, text: str, languages: Mapping[str, PolicyLanguage]) -> PolicyBundle:
        """Reads and compiles. Raises BadBundle and nothing else."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise BadBundle("not a JSON document") from None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise BadBundle(f"expected a bundle of format {FORMAT}")
        try:
            connection = _read(document.get("connection"), Connection)
            policies = [_read(item, AccessPolicy) for item in _list(document, "policies")]
            providers = [_read(item, IdentityProvider) for item in _list(document, "providers")]
            sinks = [_read(item, AuditSink) for item in _list(document, "sinks")]
            tokens = TokenIssuer.read(document.get("tokens"))
            document.setdefault("revocations", [])  # made by an operator that knew none
            revocations = [_read_revocation(item) for item in _list(document, "revocations")]
        except ValueError as error:
            raise BadBundle(str(error)) from None
        except InvalidObject as invalid:
            raise BadBundle(f"an object of the bundle cannot be read: {invalid}"[:1000]) from None
        result = build_bundle(connection, policies, providers, sinks, languages, revocations, tokens)
        if result.bundle is None:
            raise BadBundle("; ".join(map(str, result.problems))[:1000])
        return result.bundle

    def applicable(self, identity: Identity) -> Applicable:
        """The rules that concern an identity."""
        key = (identity.provider, identity.name, identity.groups, identity.service_account)
        found = self._views.get(key)
        if found is None:
            if len(self._views) >= _VIEWS:
                self._views.clear()
            found = self._views[key] = applicable_to(identity, self.rules)
        return found


@dataclass(frozen=True, slots=True)
class BundleResult:
    """A bundle, or why there is none."""

    bundle: PolicyBundle | None
    problems: tuple[Problem, ...] = ()


def build_bundle(
    connection: Connection,
    policies: Iterable[AccessPolicy],
    providers: Iterable[IdentityProvider],
    sinks: Iterable[AuditSink],
    languages: Mapping[str, PolicyLanguage],
    revocations: Iterable[AnyRevocation] = (),
    tokens: TokenIssuer | None = None,
) -> BundleResult:
    """Builds from any number of objects: what the Connection does not select is left out.

    Any problem means no bundle: half of a set of policies must never be enforced as if it were
    the whole.
    """
    language = language_of(connection, languages)
    if isinstance(language, Problem):
        return BundleResult(None, (language,))
    chosen = sorted((p for p in policies if selects(p, connection)), key=lambda policy: policy.name)
    compiled = [compile_policy(policy, connection, language) for policy in chosen]
    named_providers, problems = _named_providers(connection, providers)
    named_sinks, more = _named_sinks(connection, sinks)
    problems += more
    problems += _token_problems(connection, named_providers, tokens)
    wanted_tokens = tokens if any(_takes_our_tokens(one) for one in named_providers) else None
    problems += [problem for each in compiled for problem in each.problems]
    if problems:
        return BundleResult(None, tuple(problems))
    turned_out = [one for one in revocations if concerns(one, connection)]
    text = _canonical(connection, chosen, named_providers, named_sinks, turned_out, wanted_tokens)
    rules = sorted((rule for each in compiled for rule in each.rules), key=_order)
    bundle = PolicyBundle(
        connection=connection,
        providers=tuple(named_providers),
        sinks=tuple(named_sinks),
        policies=tuple(chosen),
        rules=tuple(rules),
        revoked=revocations_of(turned_out),
        tokens=wanted_tokens,
        revision=revision_of(text),
        asked_facts=language.asked_facts,
        _text=text,
    )
    return BundleResult(bundle)


def selects(policy: AccessPolicy, connection: Connection) -> bool:
    """Whether a policy is for a Connection: same namespace, and named or matched by label."""
    if policy.namespace != connection.namespace:
        return False
    return policy.spec.connections.matches(connection.name, connection.metadata.labels)


def concerns(revocation: AnyRevocation, connection: Connection) -> bool:
    """Whether a Revocation is for a Connection: of the whole cluster, or of the same namespace."""
    return isinstance(revocation, ClusterRevocation) or revocation.namespace == connection.namespace


def with_revocations(text: str, revocations: Iterable[AnyRevocation], unread: Container[str]) -> str:
    """The JSON text of a bundle with these Revocations instead of its own.

    For a bundle that stays in force because no newer one can be made: what is wrong with a policy
    must not keep anybody in who has been turned out. `unread` holds the titles of those that are there
    and cannot be read now: they stay as the bundle has them. Raises BadBundle.
    """
    try:
        document = json.loads(text)
        connection = _read(document["connection"], Connection)
        before = [_read_revocation(item) for item in document.get("revocations", [])]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, InvalidObject):
        raise BadBundle("not a bundle that Revocations can be put into") from None
    found = {one.title: one for one in revocations if concerns(one, connection)}
    kept = [one for one in before if one.title in unread and one.title not in found]
    return _written({**document, "revocations": _turned_out([*found.values(), *kept])})


def revision_of(text: str) -> str:
    """The revision of a bundle's JSON text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _order(rule: Rule) -> tuple[str, str]:
    return rule.head.ref.policy, rule.head.ref.rule


def _named_providers(
    connection: Connection, providers: Iterable[IdentityProvider]
) -> tuple[list[IdentityProvider], list[Problem]]:
    known = {provider.name: provider for provider in providers}
    wanted = connection.spec.identity.providers
    return [known[name] for name in sorted(wanted) if name in known], [
        Problem(f"spec.identity.providers[{index}]", f"there is no IdentityProvider {name}", connection.title)
        for index, name in enumerate(wanted)
        if name not in known
    ]


def _takes_our_tokens(provider: IdentityProvider) -> bool:
    return provider.spec.tollhouse is not None or provider.spec.saml is not None


def _token_problems(
    connection: Connection, providers: Iterable[IdentityProvider], tokens: TokenIssuer | None
) -> list[Problem]:
    """Providers whose tokens come from the token endpoint, where there is none; and one that hides it."""
    if tokens is not None:
        why = "takes the token endpoint for any OIDC issuer, and would pass over scopes: make it `tollhouse`"
        return [
            Problem("spec.identity.providers", f"IdentityProvider {one.name} {why}", connection.title)
            for one in providers
            if one.spec.oidc is not None and one.spec.oidc.issuer.rstrip("/") == tokens.url.rstrip("/")
        ]
    why = "takes tokens of Tollhouse's token endpoint, and there is none here (chart: tokens.enabled)"
    return [
        Problem("spec.identity.providers", f"IdentityProvider {provider.name} {why}", connection.title)
        for provider in providers
        if _takes_our_tokens(provider)
    ]


def _named_sinks(connection: Connection, sinks: Iterable[AuditSink]) -> tuple[list[AuditSink], list[Problem]]:
    known = {sink.name: sink for sink in sinks if sink.namespace == connection.namespace}
    wanted = connection.spec.audit.sinks
    return [known[name] for name in sorted(wanted) if name in known], [
        Problem(f"spec.audit.sinks[{index}]", trouble, connection.title)
        for index, name in enumerate(wanted)
        if (trouble := _sink_trouble(name, known.get(name), connection.namespace))
    ]


def _sink_trouble(name: str, sink: AuditSink | None, namespace: str) -> str:
    """A sink that proxies cannot open must not be taken for one that records."""
    if sink is None:
        return f"there is no AuditSink {name} in namespace {namespace}"
    if sink.spec.sort not in SINKS_BUILT:
        return f"AuditSink {name}: {sink.spec.sort} is not built yet; use {' or '.join(SINKS_BUILT)}"
    return ""


def _canonical(
    connection: Connection,
    policies: Iterable[AccessPolicy],
    providers: Iterable[IdentityProvider],
    sinks: Iterable[AuditSink],
    revocations: Iterable[AnyRevocation],
    tokens: TokenIssuer | None,
) -> str:
    """The normal form. Sorted: policies and their rules by name, and all keys."""
    document = {
        "format": FORMAT,
        "connection": _connection_document(connection),
        "policies": [_policy_document(policy, connection) for policy in policies],
        "providers": [_document(provider) for provider in providers],
        "sinks": [_document(sink) for sink in sinks],
        "revocations": _turned_out(revocations),
        **({"tokens": tokens.document()} if tokens else {}),
    }
    return _written(document)


def _turned_out(revocations: Iterable[AnyRevocation]) -> list[dict[str, Any]]:
    return [_document(one) for one in sorted(revocations, key=lambda item: item.title)]


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _document(item: AnyObject) -> dict[str, Any]:
    whole = to_document(item)
    metadata = {"name": item.name}
    if item.namespace:
        metadata["namespace"] = item.namespace
    return {
        "apiVersion": whole["apiVersion"],
        "kind": whole["kind"],
        "metadata": metadata,
        "spec": whole["spec"],
    }


def _connection_document(connection: Connection) -> dict[str, Any]:
    """Without what only the operator needs: more replicas are not another policy."""
    document = _document(connection)
    proxy = document["spec"].get("proxy")
    if isinstance(proxy, dict):
        kept = {key: value for key, value in proxy.items() if key not in {"replicas", "resources"}}
        document["spec"] = {**document["spec"], "proxy": kept}
    return document


def _policy_document(policy: AccessPolicy, connection: Connection) -> dict[str, Any]:
    """How the policy came to select this Connection is no part of what it says here."""
    document = _document(policy)
    spec = dict(document["spec"])
    spec["connections"] = {"names": [connection.name]}
    spec["rules"] = sorted(spec["rules"], key=lambda rule: str(rule["name"]))
    return {**document, "spec": spec}


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        raise BadBundle(f"{key} must be a list")
    return value


def _read_revocation(document: Any) -> AnyRevocation:
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind == "ClusterRevocation":
        return _read(document, ClusterRevocation)
    return _read(document, Revocation)


_Model = TypeVar(
    "_Model", Connection, AccessPolicy, IdentityProvider, AuditSink, Revocation, ClusterRevocation
)


def _read(document: Any, kind: type[_Model]) -> _Model:
    if not isinstance(document, dict):
        raise BadBundle(f"expected a {kind.__name__}")
    item = parse_object(document)
    if not isinstance(item, kind):
        raise BadBundle(f"expected a {kind.__name__}, found a {item.kind}")
    return item
