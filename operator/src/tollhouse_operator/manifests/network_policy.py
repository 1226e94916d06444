"""Who may reach a Connection's proxies, and what they may reach."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tollhouse_core.api.connection import Connection
from tollhouse_operator.manifests.naming import Manifest, metadata_of, names_of, selector_labels
from tollhouse_operator.manifests.proxy_environment import HEALTH_PORT, container_port

_ANYWHERE = ({"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}})
_EVERY_POD: dict[str, object] = {"namespaceSelector": {}}


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """A host (a DNS name or an address) and TCP port that proxies must reach."""

    host: str
    port: int


def network_policy(
    connection: Connection, destinations: Iterable[Destination], api_server_ports: Sequence[int]
) -> Manifest:
    """In: clients and metrics from pods of the cluster. Out: DNS, the API server, `destinations`."""
    names = names_of(connection)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata_of(connection, names.proxy),
        "spec": {
            "podSelector": {"matchLabels": selector_labels(names)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [_EVERY_POD], "ports": _tcp(container_port(connection))},
                {"from": [_EVERY_POD], "ports": _tcp(HEALTH_PORT)},
            ],
            "egress": [
                {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]},
                {"to": list(_ANYWHERE), "ports": _tcp(*sorted(set(api_server_ports)))},
                *_egress(names.namespace, destinations),
            ],
        },
    }


def _egress(namespace: str, destinations: Iterable[Destination]) -> list[dict[str, object]]:
    rules: list[dict[str, object]] = []
    for destination in sorted(set(destinations)):
        rules += [rule for rule in _rules(namespace, destination) if rule not in rules]
    return rules


def _rules(namespace: str, destination: Destination) -> list[dict[str, object]]:
    """A Service is translated to its pods before policies are asked, and pods may listen on other
    ports than their Service: inside the cluster a rule names the namespace, outside the port."""
    ports = _tcp(destination.port)
    try:
        address = ipaddress.ip_address(destination.host)
    except ValueError:
        pass
    else:
        return [{"to": [{"ipBlock": {"cidr": f"{address}/{address.max_prefixlen}"}}], "ports": ports}]
    outside: dict[str, object] = {"to": list(_ANYWHERE), "ports": ports}
    match destination.host.rstrip(".").lower().split("."):
        case [_]:
            return [_namespace(namespace)]
        case [_, found, "svc"] | [_, found, "svc", "cluster", "local"]:
            return [_namespace(found)]
        case [_, found]:
            # `orders.shop` may be a Service, `orders.internal` a machine: both must work.
            return [_namespace(found), outside]
        case _:
            return [outside]


def _namespace(name: str) -> dict[str, object]:
    return {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}]}


def _tcp(*ports: int) -> list[dict[str, object]]:
    return [{"protocol": "TCP", "port": port} for port in ports]
