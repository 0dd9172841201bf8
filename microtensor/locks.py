"""Locks for what several threads may change at once: kernels in C run without Python's lock."""

from __future__ import annotations

import os
from threading import RLock
from typing import Any


def make_lock() -> Any:
    """Give a lock that is free in a forked child, whoever held it in the parent.

    The thread that forks takes it first, so that what it guards is whole in the child, too.
    """
    lock = RLock()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock
