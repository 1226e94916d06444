"""One table of wrong objects, cut by what is wrong: tried on the models and on a real API server.

Each row says what is done to a good object, where the problem is, and some of the words people
read. `server` are the API server's words where they differ; None: only the models see it.
"""

from __future__ import annotations

from kit.wrong_objects.connections import CONNECTIONS
from kit.wrong_objects.obligations import OBLIGATIONS
from kit.wrong_objects.others import OTHERS
from kit.wrong_objects.policies import POLICIES
from kit.wrong_objects.wrong import EXAMPLES, SAME, Wrong

WRONG = [*CONNECTIONS, *POLICIES, *OBLIGATIONS, *OTHERS]

__all__ = ["EXAMPLES", "SAME", "WRONG", "Wrong"]
