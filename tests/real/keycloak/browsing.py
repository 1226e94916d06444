"""A person at a browser, as far as log-in pages need one."""

from __future__ import annotations

import html
import re
import ssl
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar, DefaultCookiePolicy


class Browser:
    """As much of one as Keycloak's log-in pages need: cookies and forms."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        # Browsers send cookies that are for TLS alone to this machine without it as well.
        policy = DefaultCookiePolicy(secure_protocols=("https", "http"))
        cookies = urllib.request.HTTPCookieProcessor(CookieJar(policy))
        self._opener = urllib.request.build_opener(cookies, urllib.request.HTTPSHandler(context=context))

    def open(self, url: str, form: dict[str, str] | None = None) -> str:
        body = None if form is None else urllib.parse.urlencode(form).encode()
        with self._opener.open(url, body, timeout=120) as answer:
            self.at = answer.url
            return str(answer.read().decode())

    def submit(self, page: str, **fields: str) -> str:
        action = re.search(r'<form[^>]*action="([^"]+)"', page)
        assert action is not None, page
        hidden = dict(re.findall(r'type="hidden"[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page))
        where = urllib.parse.urljoin(self.at, html.unescape(action[1]))
        return self.open(where, {**hidden, **fields})
