"""Ctrl-C between two steps, not in the middle of one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any


class Interrupts:
    """Lets Ctrl-C wait until a step has ended; a second one does not wait.

    In other threads than the main one, which alone gets signals, it does nothing.
    """

    def __init__(self) -> None:
        self._handler: Callable[..., Any] | None = None
        self._waiting: tuple[Any, ...] | None = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            if callable(handler):
                self._handler = handler
                signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
        if kind is None:
            self.pass_on()

    def _note(self, *given: Any) -> None:
        if self._waiting is not None:
            self.pass_on()
        else:
            self._waiting = given

    def pass_on(self) -> None:
        """Do what Ctrl-C does, if it was pressed."""
        given, self._waiting = self._waiting, None
        if given is not None and self._handler is not None:
            self._handler(*given)
