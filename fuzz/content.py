"""What is to be masked in a value does not come out of it: `python -m fuzz.content --seconds 60 --seed 1`.

Values are put together of things that must be found and things that must not, in text and in JSON. What was
put in may not be in what comes out, what is harmless stays, JSON stays JSON, and no value takes more than a
bounded time for each byte of it.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

from fuzz.campaign import Campaign, main
from tollhouse_core.masks import Detector, DetectorName, Redact
from tollhouse_proxy.kits.content import ContentScanner

_ISSUERS = ("4", "51", "55", "2221", "2720", "34", "37", "36", "38", "3528", "3589", "6011", "65", "62", "50")
_LENGTHS = {"4": (13, 16, 19), "34": (15,), "37": (15,), "36": (14, 16, 19), "38": (14, 16, 19)}
_SECONDS_EACH = 1e-5
_SECONDS_ALWAYS = 0.25


def card(rng: random.Random) -> str:
    """A number that an issuer could have given out, with or without separators."""
    issuer = rng.choice(_ISSUERS)
    length = rng.choice(_LENGTHS.get(issuer, (16,)))
    digits = issuer + "".join(rng.choices("0123456789", k=length - 1 - len(issuer)))
    total = sum(
        (int(digit) * 2 - 9 if int(digit) > 4 else int(digit) * 2) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    digits += str(-total % 10)
    blank = rng.choice(("", "", " ", "-", "."))
    return blank.join(digits[at : at + 4] for at in range(0, length, 4))


def email(rng: random.Random) -> str:
    """An address."""
    word = "".join(rng.choices("abcdefgéxyz0123456789", k=rng.randrange(1, 12)))
    domain = rng.choice(("example.com", "a.b-c.co.uk", "münchen.de"))
    return f"{word}{rng.choice(('', '.x', '+tag', '_y', '%z'))}@{domain}"


def iban(rng: random.Random) -> str:
    """An account number of Germany that proves itself."""
    account = "".join(rng.choices("0123456789", k=18))
    check = 98 - int(account + "131400") % 97
    plain = f"DE{check:02}{account}"
    blank = rng.choice(("", " "))
    return blank.join(plain[at : at + 4] for at in range(0, len(plain), 4))


def access_key(rng: random.Random) -> str:
    """A cloud's key."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return rng.choice(("AKIA", "ASIA")) + "".join(rng.choices(letters, k=16))


def private_key(rng: random.Random) -> str:
    """The frame of a key with something in it."""
    kind = rng.choice(("", "RSA ", "EC ", "OPENSSH "))
    body = "\n".join("".join(rng.choices("abcABC012+/", k=rng.randrange(1, 64))) for _ in range(3))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


def phone(rng: random.Random) -> str:
    """A number with a country's code."""
    return f"+49 {rng.randrange(100, 999)} {rng.randrange(1000000, 9999999)}"


def own(rng: random.Random) -> str:
    """What the pattern of a policy finds."""
    return f"EMP-{rng.randrange(100000, 999999)}"


SECRETS: dict[str, tuple[Detector, Callable[[random.Random], str]]] = {
    "card": (Detector(DetectorName.PAYMENT_CARD), card),
    "email": (Detector(DetectorName.EMAIL), email),
    "iban": (Detector(DetectorName.IBAN), iban),
    "access key": (Detector(DetectorName.ACCESS_KEY), access_key),
    "private key": (Detector(DetectorName.PRIVATE_KEY), private_key),
    "phone": (Detector(DetectorName.PHONE), phone),
    "own": (Detector(pattern=r"EMP-\d{6}"), own),
}
_HARMLESS = (
    "",
    " ",
    "a",
    "the quick",
    "\n",
    "\t",
    "é",
    "日本",
    ":",
    "(",
    ")",
    "/",
    "\\n",
    '"',
    "{}",
    "null",
    "1",
    "42.5",
)
_HEAVY = (
    *("4 ", "41", "a@", "a.", "+49", "DE", "-----BEGIN ", "EMP-", "eyJ", "0", "9-", "é", "\\n"),
    *("AKIAIOSFODNN7EXAMPLE", "glpat-", "PRIVATE KEY", "-----", "a@b.co", "DE89", "aaaaaaaaaa."),
)


class Target:
    """One scanner for each kind, and one for all."""

    name = "content"
    steps = 50

    def __init__(self) -> None:
        every = [detector for detector, _ in SECRETS.values()]
        self._scanners = {
            name: ContentScanner((detector,), Redact("[x]")) for name, (detector, _) in SECRETS.items()
        }
        self._all = ContentScanner(every, Redact("[x]"))

    def step(self, rng: random.Random, campaign: Campaign) -> None:
        """One value of each sort."""
        name = rng.choice(tuple(SECRETS))
        secret = SECRETS[name][1](rng)
        before, behind = _noise(rng), _noise(rng)
        campaign.tried(3)
        scanner = rng.choice((self._scanners[name], self._all))
        text = f"{before} {secret} {behind}"
        shown = scanner.scan(text)
        document = json.dumps({"k": [before, secret, {secret: 1}]}, ensure_ascii=rng.random() < 0.5)
        if any(part in shown or self._shows(scanner, document, part) for part in (secret[:9], secret[-9:])):
            campaign.found(f"{name}\n{text}".encode())
        if rng.random() < 0.01:
            campaign.tried(1)
            self._heavy(rng, campaign)

    @staticmethod
    def _shows(scanner: ContentScanner, document: str, secret: str) -> bool:
        shown = scanner.scan_json(document)
        try:
            return secret in json.dumps(json.loads(shown), ensure_ascii=False)
        except ValueError:
            return True

    def _heavy(self, rng: random.Random, campaign: Campaign) -> None:
        unit = "".join(rng.choices(_HEAVY, k=rng.randrange(1, 4)))
        text = (unit * (200_000 // len(unit)))[: rng.randrange(1, 200_000)]
        look = rng.choice((self._all.scan, lambda text: self._all.scan_json(f'["{text}"]')))
        begun = time.thread_time()
        look(text)
        if time.thread_time() - begun > _SECONDS_ALWAYS + _SECONDS_EACH * len(text):
            campaign.found(f"slow\n{unit} {len(text)}".encode())


def _noise(rng: random.Random) -> str:
    return "".join(rng.choices(_HARMLESS, k=rng.randrange(6)))


def replay(data: bytes) -> bool:
    """Whether a kept value is still shown."""
    name, _, text = data.decode().partition("\n")
    return Target()._scanners[name].scan(text) == text


if __name__ == "__main__":
    main(Target())
