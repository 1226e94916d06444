"""The objects people write, as types.

Belongs here: the models of `tollhouse.dev/v1alpha1`, reading and writing them as plain documents,
and what is generated from them (CRDs, the API reference). Not here: what the objects mean (see
`policy` and `approvals`), and YAML, files or API servers: whoever has those gives mappings.
"""

from tollhouse_core.api.documents import API_OBJECTS, AnyObject, parse_object, to_document
from tollhouse_core.api.problems import InvalidObject, Problem

__all__ = ["API_OBJECTS", "AnyObject", "InvalidObject", "Problem", "parse_object", "to_document"]
