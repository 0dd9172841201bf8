"""One number that grows whenever something changes that a captured step took for granted."""

from __future__ import annotations


class _Epoch:
    """Where ``count`` stands still, no module, parameter or flag has changed since."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


epoch = _Epoch()
