"""Where in the user's code something happened, for errors."""

from __future__ import annotations

import linecache
import os
import sys
from typing import Any

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OWN = os.path.dirname(os.path.abspath(__file__))
# What stands between a user's line and the array of a number in it.
_BETWEEN = (
    *("generated.py", "promotion.py", "operators.py", "writing.py", "inplace.py"),
    *("arithmetic.py", "arrays.py", "pointwise.py"),
)
_WORDS = {"__bool__": "bool()", "__float__": "float()", "__int__": "int()"}


def called(name: str) -> str:
    """Give what a user calls, of the name of a method."""
    return _WORDS.get(name, f"{name.strip('_')}()")


def of_user() -> bool:
    """Say whether the operation that runs was called from outside of this package."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((_OWN, "<microtensor")) and os.path.basename(name) not in _BETWEEN:
            return not name.startswith(_PACKAGE)
        frame = frame.f_back
    return False


def user_line() -> str:
    """Give file, line and text of the innermost line that is not of this package."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<microtensor")):
        frame = frame.f_back
    if frame is None:
        return "an unknown line"
    code = frame.f_code
    text = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f"{code.co_filename}:{frame.f_lineno}" + (f": {text}" if text else "")
