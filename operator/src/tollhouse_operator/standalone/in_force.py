"""What is in force now, read from the bundles in `state/`."""

from __future__ import annotations

import json

from tollhouse_core.api import InvalidObject, parse_object
from tollhouse_core.api.connection import Connection
from tollhouse_operator.standalone.layout import Folder


def with_target_in_force(folder: Folder, connection: Connection) -> Connection:
    """The Connection with the target of its bundle in force (an embedded database is elsewhere than
    its YAML says); as it is where there is none."""
    try:
        document = json.loads(folder.bundle(connection.namespace, connection.name).read_text())
        known = parse_object(document["connection"])
    except (OSError, ValueError, KeyError, TypeError, InvalidObject):
        return connection
    if not isinstance(known, Connection) or known.protocol != connection.protocol:
        return connection
    spec = connection.spec.model_copy(update={connection.protocol: known.target})
    return connection.model_copy(update={"spec": spec})
