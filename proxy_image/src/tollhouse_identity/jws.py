"""The signature alone (RFC 7515 section 5.2). The one importer of PyJWT.

PyJWT is asked one question with one algorithm and one key. All that surrounds the signature is
decided by `form`, `keys` and `checks`.
"""

from __future__ import annotations

from functools import cache

from jwt import PyJWK
from jwt.api_jws import PyJWS

from tollhouse_identity.keys import Jwk


def signature_holds(token: str, key: Jwk, algorithm: str) -> bool:
    """Whether `key` made the signature of `token` by `algorithm`. False for an unusable key."""
    try:
        _knowing(algorithm).decode(token, PyJWK(dict(key), algorithm), algorithms=[algorithm])
    except Exception:
        # Not only PyJWT's own errors: whatever goes wrong in there, nothing has been proved.
        return False
    return True


@cache
def _knowing(algorithm: str) -> PyJWS:
    """One that knows nothing but this algorithm; there are as many as `trust.ALGORITHMS`."""
    return PyJWS(algorithms=[algorithm])
