"""Whether operations are recorded: one switch per thread."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class _Recording(threading.local):
    """The gradient mode of the running thread; a new thread starts with recording on."""

    enabled = True


recording = _Recording()


class set_grad_enabled:
    """Switch the recording of gradients on or off, as a call, a context manager or a decorator.

    As a plain call it takes effect at once; used with ``with`` it is undone at the end.

    Args:
        mode: True to record, False not to.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor(2.0, requires_grad=True)
        >>> with mt.set_grad_enabled(False):
        ...     y = x * 3
        >>> y.requires_grad
        False
    """

    def __init__(self, mode: bool) -> None:
        self._wanted = bool(mode)
        self._previous = recording.enabled
        recording.enabled = self._wanted

    def __enter__(self) -> None:
        recording.enabled = self._wanted

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        recording.enabled = self._previous

    def __call__(self, function: F) -> F:
        """Decorate a function: its calls run in this mode."""
        # As a decorator the switch belongs to the calls, not to this line.
        recording.enabled = self._previous
        return _decorate(function, self._wanted)


class _Switch:
    """A context manager and decorator that sets the mode for a block; it may be nested."""

    _wanted: bool

    def __init__(self) -> None:
        self._previous: list[bool] = []

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        # ``@no_grad`` without parentheses decorates too, as in PyTorch.
        if function is not None:
            return _decorate(function, cls._wanted)
        return super().__new__(cls)

    def __enter__(self) -> None:
        self._previous.append(recording.enabled)
        recording.enabled = self._wanted

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        recording.enabled = self._previous.pop()

    def __call__(self, function: F) -> F:
        return _decorate(function, self._wanted)


class no_grad(_Switch):
    """Do not record what happens inside: a context manager and a decorator.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor(2.0, requires_grad=True)
        >>> with mt.no_grad():
        ...     y = x * 3
        >>> y.requires_grad
        False
    """

    _wanted = False


class enable_grad(_Switch):
    """Record again inside a block where recording was off: a context manager and a decorator.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor(2.0, requires_grad=True)
        >>> with mt.no_grad(), mt.enable_grad():
        ...     y = x * 3
        >>> y.requires_grad
        True
    """

    _wanted = True


def is_grad_enabled() -> bool:
    """Say whether this thread records operations for differentiation."""
    return recording.enabled


def _decorate(function: Any, wanted: bool) -> Any:
    if inspect.isgeneratorfunction(function):
        return _decorate_generator(function, wanted)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        previous = recording.enabled
        recording.enabled = wanted
        try:
            return function(*args, **kwargs)
        finally:
            recording.enabled = previous

    return wrapper


def _decorate_generator(function: Any, wanted: bool) -> Any:
    """Hold the mode only while the generator's own code runs, not between its values."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            previous = recording.enabled
            recording.enabled = wanted
            try:
                value = resume()
            except StopIteration as stop:
                return stop.value
            finally:
                recording.enabled = previous
            try:
                sent = yield value
            except GeneratorExit:
                previous = recording.enabled
                recording.enabled = wanted
                try:
                    generator.close()
                finally:
                    recording.enabled = previous
                raise
            except BaseException as error:
                resume = functools.partial(generator.throw, error)
            else:
                resume = functools.partial(generator.send, sent)

    return wrapper
