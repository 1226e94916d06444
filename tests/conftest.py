"""Every test may ask for the real parts of the kit (see `kit.fixtures`)."""

from __future__ import annotations

from kit.fixtures import (  # noqa: F401 - pytest finds fixtures by their names here
    any_postgres,
    control_plane,
    database,
    keycloak,
    namespace,
    node,
    openbao,
    postgres,
    postgres15,
    postgres18,
    tls_postgres,
)
