"""TLS for the operator's own HTTP servers: certificates from its authority, renewed while they serve."""

from __future__ import annotations

import logging
import ssl
import tempfile
from datetime import datetime
from pathlib import Path

from tollhouse_operator.authority import Authority
from tollhouse_operator.certificates import KeyPair, new_serving_certificate, why_renew

log = logging.getLogger(__name__)


class ServingTls:
    """A context whose certificate can be renewed; connections made from then on get the new one."""

    def __init__(self, what: str, names: tuple[str, ...]) -> None:
        self._what = what
        self._names = names
        self._pair: KeyPair | None = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2

    @property
    def ready(self) -> bool:
        """Whether there is a certificate."""
        return self._pair is not None

    def renew(self, authority: Authority, now: datetime) -> None:
        """Makes a certificate if there is none, or the one in use is near its end."""
        why = why_renew(self._pair, authority.pair.certificate_pem, self._names, now)
        if why is None:
            return
        log.info("a certificate for %s is made: %s", self._what, why)
        pair = new_serving_certificate(authority.pair, self._names, now)
        _load(self.context, pair)
        self._pair = pair


def _load(context: ssl.SSLContext, pair: KeyPair) -> None:
    # The ssl module reads keys from files only; this one lives as long as the call.
    with tempfile.TemporaryDirectory(prefix="tollhouse-") as folder:
        path = Path(folder) / "pair.pem"
        path.touch(mode=0o600)
        path.write_text(pair.key_pem.reveal() + pair.certificate_pem)
        context.load_cert_chain(path)
