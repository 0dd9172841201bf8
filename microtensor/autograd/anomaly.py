"""Anomaly mode: where did the first NaN of a walk come from?"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from microtensor.engine.anomaly import set_number_source, state, traced_number
from microtensor.engine.node import next_number
from microtensor.ops.declare import registry


def _switch(enabled: bool, check_nan: bool) -> tuple[bool, bool]:
    before = (state.enabled, state.check_nan)
    state.enabled, state.check_nan = enabled, check_nan
    if before[0] != enabled:
        source: Any = traced_number if enabled else next_number
        set_number_source(source)
        for op in registry.values():
            # The functions generated for ops read it among their own globals; those of ops
            # declared later find the source of that moment.
            names = op.public.__globals__
            if "_next_number" in names:
                names["_next_number"] = source
    return before


class detect_anomaly:
    """Say which operation, and which line, gave the first NaN of a walk backward.

    While the mode is on, operations remember the lines that called them, and a walk stops with a
    ``RuntimeError`` at the first derivative that is NaN. An error within a derivative gets a note
    that names the line, too. It holds for all threads, and slows everything down: it is for
    finding mistakes.

    Args:
        check_nan: whether to look for NaN; without, only errors are traced.

    Example:
        >>> import microtensor as mt
        >>> x = mt.zeros(1, requires_grad=True)
        >>> with mt.autograd.detect_anomaly():
        ...     try:
        ...         (x.sqrt() * 0).backward()
        ...     except RuntimeError as error:
        ...         print(str(error).split(". ")[0])
        Function 'SqrtBackward0' returned nan values in its 0th output
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = check_nan
        self._before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._before.append(_switch(True, self._check_nan))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _switch(*self._before.pop())


class set_detect_anomaly:
    """Switch anomaly mode on or off, as a call or a context manager; see :class:`detect_anomaly`.

    Args:
        mode: on or off.
        check_nan: whether to look for NaN.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = _switch(bool(mode), check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _switch(*self._before)


def is_anomaly_enabled() -> bool:
    """Say whether anomaly mode is on."""
    return state.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Say whether anomaly mode looks for NaN."""
    return state.check_nan
