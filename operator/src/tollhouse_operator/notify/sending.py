"""One POST to one receiver."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import aiohttp

from tollhouse_core.secret import Secret

TIMEOUT_SECONDS = 10.0


async def post(url: Secret, body: bytes, headers: Mapping[str, str], ca_pem: str | None) -> str:
    """ "" when the receiver took it, else why not, in words without its address (which may be a
    secret) and without anything it answered."""
    try:
        trusted: ssl.SSLContext | bool = ssl.create_default_context(cadata=ca_pem) if ca_pem else True
    except (ssl.SSLError, ValueError):
        return "its CA bundle (caRef) is not PEM"
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.post(
                url.reveal(), data=body, headers=dict(headers), ssl=trusted, allow_redirects=False
            ) as answer,
        ):
            return "" if 200 <= answer.status < 300 else f"it answers with HTTP status {answer.status}"
    except TimeoutError:
        return f"it did not answer within {TIMEOUT_SECONDS:g} s"
    except aiohttp.ClientSSLError:
        return "its certificate is not trusted"
    except aiohttp.InvalidURL:
        return "its address is no URL"
    except (aiohttp.ClientError, OSError):
        return "it cannot be reached"
