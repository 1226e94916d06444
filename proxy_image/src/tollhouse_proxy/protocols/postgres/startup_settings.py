"""The settings in a startup packet: which go to the backend, and which are refused in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tollhouse_proxy.protocols.postgres.sql.statement import NotUnderstood

PINNED = {"client_encoding": "UTF8", "standard_conforming_strings": "on"}
_UTF8 = frozenset({"utf8", "utf-8", "unicode", "utf_8"})
_OWN = frozenset({"user", "database", "replication", "options"})
AUTH = "tollhouse.auth"
"""How a client says, among its settings, which way it gives its token where the Connection takes both."""

_OPTION_PREFIX = "_pq_."
MaySet = Callable[[str, str | None], bool]


class StartupRefused(Exception):
    """The session cannot begin so. `code` is the SQLSTATE."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a startup packet asks for. `settings` are those the backend gets; `unknown` are protocol
    options that are not spoken here; `bearer`: the client says that it gives its token by OAUTHBEARER."""

    user: str
    database: str
    application_name: str
    settings: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    bearer: bool = False


def read_wishes(pairs: tuple[tuple[str, str], ...], may_set: MaySet) -> Wishes:
    """Judges a startup packet. Raises StartupRefused."""
    own: dict[str, str] = {}
    settings: dict[str, str] = {}
    unknown: list[str] = []
    seen: set[str] = set()
    for name, value in pairs:
        folded = name if name in _OWN else name.lower()
        if folded in seen:
            raise StartupRefused("08P01", f"the startup packet names {name!r} twice")
        seen.add(folded)
        if name in _OWN:
            own[name] = value
        elif name.startswith(_OPTION_PREFIX):
            unknown.append(name)
        else:
            settings[folded] = value
    _refuse_replication(own.get("replication", ""))
    if not own.get("user"):
        raise StartupRefused("28000", "the startup packet names no user")
    for name, value in _options(own.get("options", "")):
        settings.setdefault(name, value)
    bearer = _wants_bearer(settings.pop(AUTH, "password"))
    kept = dict(_judged(settings, may_set))
    application = settings.get("application_name", "")
    return Wishes(own["user"], own.get("database", ""), application, kept, tuple(unknown), bearer)


def _wants_bearer(value: str) -> bool:
    if value not in {"password", "oauth"}:
        raise StartupRefused("22023", f"{AUTH} {value!r} is not known", "It is password or oauth.")
    return value == "oauth"


def _refuse_replication(value: str) -> None:
    if value.lower() not in {"", "false", "off", "no", "0"}:
        raise StartupRefused(
            "0A000", "replication connections are not served", "Connect without `replication`."
        )


def _judged(settings: dict[str, str], may_set: MaySet) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if name == "client_encoding":
            if value.strip("'\" ").lower() not in _UTF8:
                raise StartupRefused("22023", f"client_encoding {value!r} is not served", "Use UTF8.")
            continue
        try:
            allowed = may_set(name, value)
        except NotUnderstood as found:
            raise StartupRefused("42501", found.message, found.hint) from None
        if not allowed:
            hint = "Leave it out of the startup packet; a rule may allow SET afterwards."
            raise StartupRefused("42501", f'the setting "{name}" cannot be given at startup', hint)
        if name not in PINNED:
            yield name, value


def _options(text: str) -> Iterator[tuple[str, str]]:
    """`-c name=value` and `--name=value`, with backslashes as libpq writes them."""
    words = iter(_words(text))
    for word in words:
        if word == "-c":
            word = next(words, "")
        elif word.startswith(("-c", "--")):
            word = word[2:]
        else:
            raise StartupRefused("42501", f"the option {word!r} is not served", "Use -c name=value.")
        name, sign, value = word.partition("=")
        if not name or not sign:
            raise StartupRefused("22023", "an option must be -c name=value")
        yield name.replace("-", "_").lower(), value


def _words(text: str) -> list[str]:
    words: list[str] = []
    word, begun, escaped = "", False, False
    for char in text:
        if escaped:
            word, escaped = word + char, False
        elif char == "\\":
            begun = escaped = True
        elif char.isspace():
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + char, True
    return [*words, word] if begun else words
