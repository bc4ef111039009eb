"""Interrupts: Ctrl-C, and the SIGTERM that a batch system sends at the end of its time limit."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

_REPEATS = 2.0  # s within which a further interrupt counts as the same: a terminal sends it to every process


class Interrupts:
    """Both signals as one KeyboardInterrupt that is not lost.

    Python drops a KeyboardInterrupt that occurs in a finalizer or a library's callback. `check`, which the
    steps of a progress bar call, raises it again. An immediately following interrupt is ignored, so that it
    does not interrupt the cleanup; later ones are raised again.
    """

    def __init__(self) -> None:
        self._last: float | None = None

    @property
    def asked(self) -> bool:
        """Whether an interrupt occurred."""
        return self._last is not None

    def check(self) -> None:
        """Raise KeyboardInterrupt if an interrupt occurred."""
        if self.asked:
            raise KeyboardInterrupt

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._last is None or now - self._last > _REPEATS:
            self._last = now
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Handle the signals during a with block, which starts without an interrupt."""
        self._last = None
        if threading.current_thread() is not threading.main_thread():  # only this thread receives signals
            yield
            return
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                # A process that was told to end is ending: a third Ctrl-C would change its exit code.
                signal.signal(number, signal.SIG_IGN if self.asked else handler)


interrupts = Interrupts()
