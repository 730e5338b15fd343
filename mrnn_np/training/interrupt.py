"""Ctrl-C, `kill` and a closed terminal, kept waiting until nothing is lost by them.

An update must not be cut in two: half-moved parameters would be saved. So a first
signal is only noted, and whoever works looks at `asked` wherever he can stop. A second
one does what it would have done without this file, at once.

Knows: signals. Does not know: what they interrupt.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

# SIGTERM is what `kill` sends, a scheduler when the time is up, and a machine that is
# shut down; SIGHUP comes from a closed terminal or connection. Windows has no SIGHUP.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class DeferredInterrupt:
    """While active, the first signal only sets `asked`; a second one stops at once.

    A signal that is ignored stays so (`nohup` ignores SIGHUP). Only the main thread
    can receive signals: in any other this does nothing.

    Attributes
    ----------
    asked : whether a signal has come.
    """

    def __init__(self) -> None:
        self.asked = False
        self.immediate = False
        self.old: dict[int, Any] = {}  # signal -> what its handler was

    def __enter__(self) -> "DeferredInterrupt":
        if threading.current_thread() is threading.main_thread():
            for name in NAMES:
                number = getattr(signal, name, None)
                # None: a handler that is not Python's and could not be put back.
                if number and signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self.old[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exception: object) -> None:
        while self.old:
            signal.signal(*self.old.popitem())

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal stop what changes nothing: KeyboardInterrupt in this block."""
        self.immediate = True  # first: a signal between these lines must not be missed
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self.immediate = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        # Nothing is printed here: a line that is being printed at this moment cannot be
        # interrupted by another one (RuntimeError: reentrant call).
        if self.asked:
            self.__exit__()
            signal.raise_signal(number)
            return
        self.asked = True
        if self.immediate:
            raise KeyboardInterrupt
