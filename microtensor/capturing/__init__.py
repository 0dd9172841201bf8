"""Captured steps: a function's first call is written down, later ones are replayed from C.

The package is not called ``capture`` because the function is: ``microtensor.capture(step)``.
"""

from __future__ import annotations

from microtensor.capturing.captured import Captured, capture

__all__ = ["Captured", "capture"]
