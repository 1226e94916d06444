"""Everything a Connection owns except what takes secrets or compiled policies to make."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from tollhouse_core.api.audit_sink import AuditSinkSpec
from tollhouse_core.api.connection import Connection
from tollhouse_operator.manifests.config_maps import reports_config_map
from tollhouse_operator.manifests.deployment import deployment
from tollhouse_operator.manifests.disruption_budget import disruption_budget
from tollhouse_operator.manifests.naming import Manifest
from tollhouse_operator.manifests.network_policy import network_policy
from tollhouse_operator.manifests.references import destinations, secret_names
from tollhouse_operator.manifests.role import role, role_binding
from tollhouse_operator.manifests.service import service
from tollhouse_operator.manifests.service_account import service_account
from tollhouse_operator.proxy_settings import ProxySettings


def manifests_of(
    connection: Connection, others: Sequence[BaseModel], settings: ProxySettings
) -> tuple[Manifest, ...]:
    """In the order in which they should come to be: rights before pods, guards before pods.

    `others`: the specs of the Connection's IdentityProviders and AuditSinks.
    """
    return (
        service_account(connection),
        role(connection, secret_names(connection, others)),
        role_binding(connection),
        reports_config_map(connection),
        network_policy(connection, destinations(connection, others), settings.api_server_ports),
        disruption_budget(connection),
        service(connection),
        deployment(connection, settings, [other for other in others if isinstance(other, AuditSinkSpec)]),
    )
