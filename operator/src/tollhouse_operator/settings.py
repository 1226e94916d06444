"""What the operator is told from outside: environment variables, read once at start."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from tollhouse_operator.proxy_settings import ProxySettings

_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_VOTES = ("policies", "webhook")


class BadSettings(Exception):
    """A setting is missing or malformed; `str()` names it, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings.

    namespace: where it runs and keeps its certificate authority (TOLLHOUSE_OPERATOR_NAMESPACE).
    account: its own user name at the API server (TOLLHOUSE_OPERATOR_USER); who may write statuses.
    instance: this process in Events (TOLLHOUSE_INSTANCE, default: host name).
    watch_namespaces: only these (TOLLHOUSE_WATCH_NAMESPACES, by commas); empty: all of the cluster.
    proxies: see ProxySettings (TOLLHOUSE_PROXY_IMAGE and others).
    admission_host, admission_port: where the webhooks are served (TOLLHOUSE_ADMISSION_LISTEN,
    default 0.0.0.0:9443).
    admission_names: the names in the webhooks' certificate (TOLLHOUSE_ADMISSION_NAMES, by commas).
    webhook_configuration: the name of the webhook configurations whose caBundle is kept right
    (TOLLHOUSE_WEBHOOK_CONFIGURATION); empty: there are none.
    votes: who stamps and fences votes: "policies" in the API server, or our "webhook"
    (TOLLHOUSE_VOTES).
    health_port: /healthz and /readyz over plain HTTP (TOLLHOUSE_HEALTH_PORT, default 8080).
    resync_seconds: how often everything is looked at without being told
    (TOLLHOUSE_RESYNC_SECONDS, default 60): certificates end, and a watch may miss a deletion.
    request_ttl_seconds: how long a finished ApprovalRequest is kept
    (TOLLHOUSE_APPROVAL_TTL_SECONDS, default a day); its outcome is in the audit trail.
    token_reviewers: the ClusterRoleBinding that lets proxies review tokens, whose subjects are kept
    right (TOLLHOUSE_TOKEN_REVIEWERS); empty: none may.
    tokens_host, tokens_port: where the token endpoint is served (TOLLHOUSE_TOKENS_LISTEN, such as
    0.0.0.0:8443); no setting: there is none.
    tokens_issuer: the URL under which clients reach it, which its tokens name as their issuer
    (TOLLHOUSE_TOKENS_ISSUER).
    tokens_audiences: whom tokens given in exchange may be meant for, and those traded must be meant for
    (TOLLHOUSE_TOKENS_AUDIENCES, by commas, default tollhouse).
    tokens_seconds: how long its tokens live at most (TOLLHOUSE_TOKENS_SECONDS, default 900).
    kubeconfig: how to reach the API server (TOLLHOUSE_KUBECONFIG); None: the pod's own account.
    """

    namespace: str
    account: str
    proxies: ProxySettings
    instance: str = "tollhouse-operator"
    watch_namespaces: tuple[str, ...] = ()
    admission_host: str = "0.0.0.0"  # noqa: S104 - the API server comes from outside the pod
    admission_port: int = 9443
    admission_names: tuple[str, ...] = ("tollhouse-operator",)
    webhook_configuration: str = ""
    votes: str = "policies"
    health_port: int = 8080
    resync_seconds: float = 60.0
    request_ttl_seconds: float = 86400.0
    token_reviewers: str = ""
    tokens_host: str = ""
    tokens_port: int = 0
    tokens_issuer: str = ""
    tokens_audiences: tuple[str, ...] = ("tollhouse",)
    tokens_seconds: int = 900
    kubeconfig: str | None = None


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables. Raises BadSettings."""
    namespace = _required(environment, "TOLLHOUSE_OPERATOR_NAMESPACE")
    host, port = _address(environment, "TOLLHOUSE_ADMISSION_LISTEN", "0.0.0.0:9443")
    tokens = environment.get("TOLLHOUSE_TOKENS_LISTEN", "")
    tokens_host, tokens_port = _address(environment, "TOLLHOUSE_TOKENS_LISTEN", "") if tokens else ("", 0)
    return Settings(
        namespace=namespace,
        account=environment.get(
            "TOLLHOUSE_OPERATOR_USER", f"system:serviceaccount:{namespace}:tollhouse-operator"
        ),
        proxies=_proxies(environment),
        instance=environment.get("TOLLHOUSE_INSTANCE") or socket.gethostname(),
        watch_namespaces=_listed(environment, "TOLLHOUSE_WATCH_NAMESPACES", ""),
        admission_host=host,
        admission_port=port,
        admission_names=_listed(environment, "TOLLHOUSE_ADMISSION_NAMES", "tollhouse-operator"),
        webhook_configuration=environment.get("TOLLHOUSE_WEBHOOK_CONFIGURATION", ""),
        votes=_one_of(environment, "TOLLHOUSE_VOTES", "policies", _VOTES),
        health_port=_whole(environment, "TOLLHOUSE_HEALTH_PORT", 8080, 0, 65535),
        resync_seconds=float(_whole(environment, "TOLLHOUSE_RESYNC_SECONDS", 60, 1, 86400)),
        request_ttl_seconds=float(_whole(environment, "TOLLHOUSE_APPROVAL_TTL_SECONDS", 86400, 60, 31536000)),
        token_reviewers=environment.get("TOLLHOUSE_TOKEN_REVIEWERS", ""),
        tokens_host=tokens_host,
        tokens_port=tokens_port,
        tokens_issuer=_issuer(environment) if tokens else "",
        tokens_audiences=_listed(environment, "TOLLHOUSE_TOKENS_AUDIENCES", "tollhouse"),
        tokens_seconds=_whole(environment, "TOLLHOUSE_TOKENS_SECONDS", 900, 30, 3600),
        kubeconfig=environment.get("TOLLHOUSE_KUBECONFIG") or None,
    )


def _proxies(environment: Mapping[str, str]) -> ProxySettings:
    user = environment.get("TOLLHOUSE_PROXY_USER", "65532")
    if user and not user.isdigit():
        raise BadSettings(f"TOLLHOUSE_PROXY_USER must be a number or empty, not {user!r}")
    ports = _listed(environment, "TOLLHOUSE_API_SERVER_PORTS", "443,6443")
    if not all(port.isdigit() for port in ports):
        raise BadSettings(f"TOLLHOUSE_API_SERVER_PORTS must be numbers by commas, not {','.join(ports)!r}")
    return ProxySettings(
        image=_required(environment, "TOLLHOUSE_PROXY_IMAGE"),
        pull_policy=_one_of(environment, "TOLLHOUSE_PROXY_PULL_POLICY", "IfNotPresent", _PULL_POLICIES),
        pull_secrets=_listed(environment, "TOLLHOUSE_PROXY_PULL_SECRETS", ""),
        api_server_ports=tuple(int(port) for port in ports),
        drain_seconds=_whole(environment, "TOLLHOUSE_PROXY_DRAIN_SECONDS", 30, 0, 86400),
        user_id=int(user) if user else None,
    )


def _issuer(environment: Mapping[str, str]) -> str:
    value = _required(environment, "TOLLHOUSE_TOKENS_ISSUER").rstrip("/")
    if not value.startswith("https://"):
        raise BadSettings(f"TOLLHOUSE_TOKENS_ISSUER must be an https URL, not {value!r}")
    return value


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise BadSettings(f"{name} is missing")
    return value


def _listed(environment: Mapping[str, str], name: str, default: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environment.get(name, default).split(",") if part.strip())


def _one_of(environment: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = environment.get(name) or default
    if value not in choices:
        raise BadSettings(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    return value


def _address(environment: Mapping[str, str], name: str, default: str) -> tuple[str, int]:
    value = environment.get(name) or default
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise BadSettings(f"{name} must be host:port, not {value!r}")
    return host.strip("[]"), int(port)


def _whole(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = environment.get(name, "")
    if not value:
        return default
    if not value.isdigit() or not low <= int(value) <= high:
        raise BadSettings(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return int(value)
