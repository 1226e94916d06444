"""From a folder's documents to the Connections in it and their bundles. Pure.

The rule for what is broken: a bundle is made only of the whole truth. A policy that cannot be
read holds back the bundles of the Connections it may select; a file that is no YAML holds back
all, since nobody knows what is in it. What is held back keeps its last good bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tollhouse_core.api import API_OBJECTS, InvalidObject, Problem, parse_object
from tollhouse_core.api.access_policy import AccessPolicy
from tollhouse_core.api.audit_sink import AuditSink
from tollhouse_core.api.connection import Connection
from tollhouse_core.api.identity_provider import IdentityProvider
from tollhouse_core.api.meta import GROUP
from tollhouse_core.api.revocation import ClusterRevocation, Revocation
from tollhouse_operator.compiling import BundleOutcome, Key, compile_namespace
from tollhouse_operator.gather import Read, Situation, desired
from tollhouse_operator.standalone.documents import Complaint, Document, Files

T = TypeVar("T", Connection, AccessPolicy, AuditSink, IdentityProvider, Revocation, ClusterRevocation)
Adjust = Callable[[Connection], Connection]
"""Changes a Connection before it is compiled (an embedded database has an address of its own)."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """connections: the good ones. bundles: an outcome for each of them. held: Connections that
    may be there though they cannot be read now; `held_all`: any may be. policies: how many. situations:
    what was read, by namespace."""

    connections: Mapping[Key, Connection] = field(default_factory=dict)
    bundles: Mapping[Key, BundleOutcome] = field(default_factory=dict)
    providers: tuple[IdentityProvider, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    held: frozenset[Key] = frozenset()
    held_all: bool = False
    policies: int = 0
    situations: Mapping[str, Situation] = field(default_factory=dict)


def compile_files(files: Files, languages: Mapping[str, Any], adjust: Adjust = lambda same: same) -> Compiled:
    """Never raises for what people wrote."""
    ours, complaints = _ours(files)
    spoiled = files.unreadable or bool(complaints)
    connections = _read(ours, Connection)
    adjusted = Read(tuple((document, adjust(one)) for document, one in connections.good), connections.bad)
    policies, sinks = _read(ours, AccessPolicy), _read(ours, AuditSink)
    providers = _read(ours, IdentityProvider)
    revocations, cluster_revocations = _read(ours, Revocation), _read(ours, ClusterRevocation)
    situations: dict[str, Situation] = {}
    bundles: dict[Key, BundleOutcome] = {}
    problems = [
        problem
        for kind in (connections, policies, sinks, providers, revocations, cluster_revocations)
        for _, group in kind.bad
        for problem in group
    ]
    for namespace in sorted({one.namespace for one in connections.models}):
        situation = situations[namespace] = Situation(
            _within(namespace, adjusted),
            _within(namespace, policies),
            _within(namespace, sinks),
            providers,
            _within(namespace, revocations),
            cluster_revocations,
        )
        made = compile_namespace(situation, languages)
        for name, outcome in made.bundles.items():
            bundles[namespace, name] = outcome if not spoiled else _held(outcome)
            problems += outcome.problems
    return Compiled(
        connections={(one.namespace, one.name): one for one in adjusted.models},
        bundles=bundles,
        providers=providers.models,
        complaints=(*files.complaints, *complaints, *_located(ours, problems)),
        held=frozenset((_namespace(document), _name(document)) for document, _ in connections.bad),
        held_all=spoiled,
        policies=len(policies.good),
        situations=situations,
    )


def _ours(files: Files) -> tuple[list[Document], list[Complaint]]:
    """The documents that are Tollhouse's; complaints about those that cannot even be named."""
    ours: list[Document] = []
    complaints: list[Complaint] = []
    known: dict[str, Document] = {}
    for document in files.documents:
        version = document.data.get("apiVersion")
        if document.kind not in API_OBJECTS and not (isinstance(version, str) and GROUP in version):
            if not document.kind:
                complaints.append(document.complain("required, but missing", "kind"))
            continue
        if document.kind == "ApprovalRequest":
            complaints.append(document.complain("is made by proxies; it has no place in a folder", "kind"))
        elif document.kind not in API_OBJECTS or not document.name:
            complaints += _refused(document)
        elif document.title in known:
            first = known[document.title]
            complaints.append(
                document.complain(f"is there already: {first.path}:{first.line}", "metadata.name")
            )
        else:
            known[document.title] = document
            ours.append(document)
    return ours, complaints


def _refused(document: Document) -> list[Complaint]:
    try:
        parse_object(document.data)
    except InvalidObject as error:
        return [document.complain(problem.message, problem.path) for problem in error.problems]
    return [document.complain("required, but missing", "metadata.name")]


def _read(documents: list[Document], model: type[T]) -> Read[T]:
    good: list[tuple[dict[str, Any], T]] = []
    bad: list[tuple[dict[str, Any], tuple[Problem, ...]]] = []
    for document in documents:
        if API_OBJECTS[document.kind] is not model:
            continue
        data = desired(document.data)
        try:
            parsed = parse_object(data)
        except InvalidObject as error:
            bad.append((data, error.problems))
            continue
        assert isinstance(parsed, model)
        good.append((data, parsed))
    return Read(tuple(good), tuple(bad))


def _within(namespace: str, read: Read[T]) -> Read[T]:
    good = tuple((document, one) for document, one in read.good if one.namespace == namespace)
    bad = tuple((document, group) for document, group in read.bad if _namespace(document) == namespace)
    return Read(good, bad)


def _held(outcome: BundleOutcome) -> BundleOutcome:
    return BundleOutcome(outcome.policies, problems=outcome.problems)


def _located(documents: list[Document], problems: list[Problem]) -> list[Complaint]:
    """Problems at their lines; each once, though several Connections may have met it."""
    by_title = {document.title: document for document in documents}
    found: list[Complaint] = []
    for problem in dict.fromkeys(problems):
        document = by_title.get(problem.object)
        if document is not None:
            found.append(document.complain(problem.message, problem.path))
        elif documents:
            found.append(Complaint(documents[0].path.parent, 0, str(problem)))
    return found


def _namespace(document: Mapping[str, Any]) -> str:
    return str(document["metadata"].get("namespace") or "default")


def _name(document: Mapping[str, Any]) -> str:
    return str(document["metadata"].get("name"))
