"""What the operator is told about the proxies it makes; see `tollhouse_operator.settings`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Settings of all proxies.

    image: the proxy's image.
    pull_policy: Always | IfNotPresent | Never.
    pull_secrets: names of Secrets with registry credentials, looked up in each Connection's namespace.
    api_server_ports: the TCP ports on which pods reach the API server; NetworkPolicies open them to
    every address, because no selector can name an API server outside the pod network.
    drain_seconds: how long running statements may go on once a pod is told to stop.
    user_id: the numeric user proxies run as; None leaves it to the image (OpenShift assigns one).
    """

    image: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    api_server_ports: tuple[int, ...] = (443, 6443)
    drain_seconds: int = 30
    user_id: int | None = 65532
