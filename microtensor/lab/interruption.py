"""Ctrl-C: workers that are deaf to it, and a script that always ends of it."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# A shell's exit status for a command that was ended by Ctrl-C.
INTERRUPTED = 130
# How long an orderly end may take: workers to be killed, threads to be joined.
_SECONDS = 5.0
# Their processes, which clean up after workers, are started along with the first worker, and that
# unblocks the signal. So they are started beforehand.
_TRACKERS = ("multiprocessing.resource_tracker", "joblib.externals.loky.backend.resource_tracker")
# They warn of all that they clean up after workers that were killed, which is nobody's worry.
_SILENCE = "ignore:resource_tracker"


@contextmanager
def workers_deaf_to_ctrl_c() -> Iterator[None]:
    """Let processes that are started here never see SIGINT, and lose none that comes meanwhile.

    Ctrl-C goes to every process of a terminal. Workers would each print a traceback; it is for
    this process to stop, and to stop them. They inherit that the signal is blocked. Ignoring it
    would do as well for them, but a Ctrl-C that comes while they are started would be lost; so it
    is noted instead, and sent again once they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no other thread may say what a signal does, nor will it get this one
        return
    noted: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: noted.append(number))
    try:
        with _blocked():
            yield
    finally:
        signal.signal(signal.SIGINT, before)
        if noted:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    sys.warnoptions.append(_SILENCE)
    for name in _TRACKERS:
        with suppress(ImportError, AttributeError):  # at worst, workers print tracebacks
            importlib.import_module(name).ensure_running()
    sys.warnoptions.remove(_SILENCE)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def ends_of_ctrl_c(message: str) -> Iterator[None]:
    """Make sure that a script ends within seconds of a Ctrl-C, whatever it is doing.

    KeyboardInterrupt is raised as ever, once: a second Ctrl-C does not disturb the end. But an
    exception can be swallowed (one raised in a finalizer is), and what it meets on its way out can
    wait for something that will not come. If the process has not ended after 5 seconds, workers
    are killed and it ends without further ado.

    Args:
        message: what is then said on standard error.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Nothing is to be read of exceptions that are swallowed, nor of those of threads whose
        # work is taken away under them: joblib's, which feeds workers, looks up jobs that are gone.
        sys.unraisablehook = lambda _: None
        threading.excepthook = lambda _: None
        watchdog = threading.Timer(_SECONDS, _end, (message,))
        watchdog.daemon = True
        watchdog.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, before)


def _end(message: str) -> None:
    kill_workers()
    print(message, file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)


def kill_workers() -> None:
    """Kill every process that this one has started through multiprocessing or joblib."""
    for child in multiprocessing.active_children():
        if child.pid is not None:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
