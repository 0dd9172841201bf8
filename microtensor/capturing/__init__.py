"""Captured steps: a function's first call is written down, later ones are replayed from C.

The package is not called ``capture`` because the function is: ``microtensor.capture(step)``. What
it needs is imported when something is captured, not by who imports microtensor.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["capture"]


def capture(
    function: Callable[..., Any] | None = None, *, check: int = 0, copy_outputs: bool = True
) -> Any:
    """Let a function's first call be written down, and later ones be replayed from C.

    The first call runs the function in eager mode and records which kernels it calls on which
    memory; later calls with arguments of the same kind copy these in and replay that. The numbers
    are those of eager mode. What is captured, what is frozen and what raises is in docs/capture.md.

    Args:
        function: what to capture: forward, backward, clipping, optimizer step, schedule, metrics;
            anything made of operations on tensors. None makes a decorator with options.
        check: how many of the first replays to compare with what the function does in eager mode
            from the same state, parameters included.
        copy_outputs: False gives the plan's own buffers, which the next call overwrites, instead of
            copies.

    Returns:
        A callable that takes what the function takes; ``report()`` says what its latest plan
        consists of.

    Raises:
        TypeError: what is captured is no function; when called, an argument that is neither a
            tensor nor hashable, or a NumPy array.
        ValueError: ``check`` is no whole number, or negative.
        RuntimeError: when called, something that a replay could not do again: a value is read, an
            argument written to, something else than tensors returned, nothing computed; or, with
            ``check``, a replay that gives something else than eager mode does.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0, 2.0], requires_grad=True)
        >>> optimizer = mt.optim.SGD([w], lr=0.25)
        >>> @mt.capture
        ... def step(x):
        ...     optimizer.zero_grad()
        ...     loss = ((w - x) ** 2).sum()
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> [step(mt.zeros(2)).item() for _ in range(3)]
        [5.0, 1.25, 0.3125]
        >>> step.report().steps[-1]
        'SGD'
    """
    if function is None:
        return functools.partial(capture, check=check, copy_outputs=copy_outputs)
    if isinstance(check, bool) or not isinstance(check, int) or check < 0:
        raise ValueError(f"capture: check must be a whole number of calls, at least 0, got {check}")
    if not callable(function):
        raise TypeError(f"capture: expected a function, not {type(function).__name__}")
    from microtensor.capturing.captured import Captured

    return Captured(function, check, copy_outputs)
