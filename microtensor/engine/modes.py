"""Whether operations are recorded: switches of the running thread."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class _Recording(threading.local):
    """The modes of the running thread; a new thread starts with recording on.

    Attributes:
        wanted: the gradient mode, as users see it.
        on: what ``enabled`` is while recording: True, or what is to be told of each node.
        off: what ``enabled`` is while not: False, or None in inference mode.
        enabled: ``on`` or ``off``: the one thing an operation reads. True, or something true that
            has a method ``pack(node)``, to record; False not to; None also to mark results.
    """

    wanted: bool = True
    on: Any = True
    off: Any = False
    enabled: Any = True


recording = _Recording()


def set_mode(wanted: bool) -> None:
    """Switch recording on or off in this thread."""
    recording.wanted = wanted
    recording.enabled = recording.on if wanted else recording.off


class _Mode:
    """A context manager and decorator that holds a mode for a block; it may be nested."""

    def _switch(self) -> Callable[[], None]:
        """Set the mode; give what brings back the one before."""
        raise NotImplementedError

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        self._undo.append(self._switch())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.pop()()

    def __call__(self, function: F) -> F:
        """Decorate a function, or a generator function: its own code runs in this mode."""
        return _decorate(function, self._switch)


class set_grad_enabled(_Mode):
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
        self._before = recording.wanted
        super().__init__()
        set_mode(self._wanted)

    def _switch(self) -> Callable[[], None]:
        return _switched(self._wanted)

    def __enter__(self) -> None:
        set_mode(self._wanted)

    def __exit__(self, *_: object) -> None:
        set_mode(self._before)

    def __call__(self, function: F) -> F:
        """Decorate a function: its calls run in this mode."""
        # As a decorator the switch belongs to the calls, not to this line.
        set_mode(self._before)
        return super().__call__(function)


class _Switch(_Mode):
    """One of the two gradient modes; ``@no_grad`` without parentheses decorates too."""

    _wanted: bool

    def __init__(self) -> None:
        self._before: list[bool] = []

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        if function is not None:
            return _decorate(function, functools.partial(_switched, cls._wanted))
        return super().__new__(cls)

    def _switch(self) -> Callable[[], None]:
        return _switched(self._wanted)

    # As _Mode's, with less ado: these two are used around many a small step.
    def __enter__(self) -> None:
        self._before.append(recording.wanted)
        set_mode(self._wanted)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        set_mode(self._before.pop())


def _switched(wanted: bool) -> Callable[[], None]:
    undo = functools.partial(set_mode, recording.wanted)
    set_mode(wanted)
    return undo


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


class inference_mode(_Mode):
    """Record nothing, and make tensors that never take part in a graph.

    Such inference tensors have no version counter. Outside the mode they may be read, but not
    written to, not required to have a gradient, and not saved for one; a ``clone()`` may. Views of
    ordinary tensors stay ordinary tensors.

    Args:
        mode: False leaves the mode for a block.

    Example:
        >>> import microtensor as mt
        >>> with mt.inference_mode():
        ...     y = mt.ones(2) * 3
        >>> y.is_inference(), y.clone().is_inference()
        (True, False)
    """

    def __new__(cls, mode: Any = True) -> Any:  # noqa: D102
        if not isinstance(mode, bool):  # ``@inference_mode`` without parentheses
            return _decorate(mode, functools.partial(_switched_inference, True))
        return super().__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self._wanted = mode

    def _switch(self) -> Callable[[], None]:
        return _switched_inference(self._wanted)


def _switched_inference(wanted: bool) -> Callable[[], None]:
    before = (recording.wanted, recording.on, recording.off)

    def undo() -> None:
        enabled, recording.on, recording.off = before
        set_mode(enabled)

    # In inference mode nothing is recorded even where gradients are enabled again.
    recording.on, recording.off = (None, None) if wanted else (recording.on or True, False)
    set_mode(not wanted)
    return undo


def is_inference_mode_enabled() -> bool:
    """Say whether this thread is in inference mode."""
    return recording.off is None


class _InferenceCell(list[int]):
    """The version cell of all inference tensors: it has no number to give.

    What an operation saves for its gradient it saves with its version, so reading one is the
    place to refuse, and costs ordinary tensors nothing.
    """

    def __getitem__(self, place: Any) -> Any:
        if recording.off is None:
            return 0
        raise RuntimeError(
            "Inference tensors cannot be saved for backward. Make a clone() to get a normal "
            "tensor and use that in what autograd records, or compute it under no_grad() instead "
            "of inference_mode()."
        )

    def __setitem__(self, place: Any, value: Any) -> None:
        pass


INFERENCE_CELL: list[int] = _InferenceCell()


def is_grad_enabled() -> bool:
    """Say whether this thread records operations for differentiation."""
    return recording.wanted


def _decorate(function: Any, switch: Callable[[], Callable[[], None]]) -> Any:
    if inspect.isgeneratorfunction(function):
        return _decorate_generator(function, switch)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        undo = switch()
        try:
            return function(*args, **kwargs)
        finally:
            undo()

    return wrapper


def _decorate_generator(function: Any, switch: Callable[[], Callable[[], None]]) -> Any:
    """Hold the mode only while the generator's own code runs, not between its values."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            undo = switch()
            try:
                value = resume()
            except StopIteration as stop:
                return stop.value
            finally:
                undo()
            try:
                sent = yield value
            except GeneratorExit:
                undo = switch()
                try:
                    generator.close()
                finally:
                    undo()
                raise
            except BaseException as error:
                resume = functools.partial(generator.throw, error)
            else:
                resume = functools.partial(generator.send, sent)

    return wrapper
