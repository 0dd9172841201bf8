"""What captured steps take for granted, and when it last changed.

Modes of modules, which tensors stand behind their names, which tensors require a gradient: whoever
changes one of these counts the epoch on. While it stands still, a captured step need not look.
"""

from __future__ import annotations

from typing import Any


class Epoch:
    """How often something has changed that a captured step may have taken for granted.

    Attributes:
        count: grows with each change.
        watched: by id, the arrays that captured steps read or write.
        changed: of those, at which count their tensor was last given a flag or other memory.
    """

    __slots__ = ("changed", "count", "watched")

    def __init__(self) -> None:
        self.count = 0
        self.watched: dict[int, int] = {}
        self.changed: dict[int, int] = {}

    def note(self, array: Any) -> None:
        """Count a change of the tensor of an array, if a captured step knows that array."""
        if id(array) in self.watched:
            self.count += 1
            self.changed[id(array)] = self.count

    def watch(self, arrays: set[int]) -> None:
        """Have changes of these arrays' tensors counted."""
        for key in arrays:
            self.watched[key] = self.watched.get(key, 0) + 1

    def forget(self, arrays: set[int]) -> None:
        """Undo :meth:`watch`."""
        for key in arrays:
            left = self.watched.get(key, 1) - 1
            if left:
                self.watched[key] = left
            else:
                self.watched.pop(key, None)
                self.changed.pop(key, None)


epoch = Epoch()
