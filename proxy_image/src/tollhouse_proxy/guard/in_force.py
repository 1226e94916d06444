"""The bundle in force, and who must know when it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tollhouse_core.policy.bundle import BadBundle, PolicyBundle
from tollhouse_core.policy.language import PolicyLanguage

Listener = Callable[[PolicyBundle], None]


class InForce:
    """Holds the newest good bundle of one Connection; None until the first one came."""

    def __init__(self, languages: Mapping[str, PolicyLanguage]) -> None:
        self._languages = languages
        self.bundle: PolicyBundle | None = None
        """The bundle in force. Only `offer` sets it."""
        self._listeners: list[Listener] = []
        self.problem = ""
        """Why the last bundle that came was not taken; "" when it was."""

    @property
    def revision(self) -> str:
        """Its revision; "" when there is none."""
        return self.bundle.revision if self.bundle else ""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` after each change, in the order of registration; returns the way to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def offer(self, text: str) -> bool:
        """Takes a bundle's JSON text. A bad one changes nothing but `problem`. True: it is new."""
        try:
            bundle = PolicyBundle.from_json(text, self._languages)
        except BadBundle as error:
            self.problem = str(error)
            return False
        except Exception as error:
            # Our own fault, and no reason to hear of no later bundle either.
            self.problem = f"it could not be compiled ({type(error).__name__})"
            return False
        self.problem = ""
        if bundle.revision == self.revision:
            return False
        self.bundle = bundle
        for listener in tuple(self._listeners):
            listener(bundle)
        return True
