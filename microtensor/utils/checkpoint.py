"""Checkpointing: compute again in the walk backward what would have to be kept for it."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from microtensor import random
from microtensor.autograd.function import Function
from microtensor.autograd.graph import packing, saved_tensors_hooks
from microtensor.autograd.walk import backward
from microtensor.engine import enable_grad, recording
from microtensor.ops.algebra import Packed
from microtensor.tensor import Tensor, wrap

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential"]


class CheckpointError(RuntimeError):
    """What was computed again is not what was computed at first."""


class _Enough(BaseException):
    """All that is needed has been computed again."""


class _Holder:
    """What stands for a saved tensor until it is needed."""

    __slots__ = ("__weakref__", "described", "place", "value")

    def __init__(self, place: int, tensor: Tensor) -> None:
        self.place = place
        self.described = (tensor._array.shape, tensor._array.dtype)
        self.value: Tensor | None = None


class _Argument:
    """A tensor given to the function: kept as it is, or as the hooks around it would have it."""

    def __init__(self, tensor: Tensor) -> None:
        self.requires_grad = tensor.requires_grad
        self.version = tensor._cell, tensor._cell[0]
        outer = packing()
        self.content: Any = tensor._array if outer is None else outer.pack_array(tensor._array)

    def fresh(self) -> Tensor:
        """Give a tensor of its values, outside the graph."""
        array = self.content.array() if type(self.content) is Packed else self.content
        cell, version = self.version
        if type(self.content) is not Packed and cell[0] != version:
            raise RuntimeError(
                "checkpoint: an argument has been modified by an inplace operation since the "
                "function was called with it, so that its result cannot be computed again"
            )
        return wrap(array).requires_grad_(self.requires_grad)


class _Frame:
    """One call of a checkpointed function: what is needed to make it again."""

    def __init__(
        self, function: Any, args: Any, kwargs: Any, preserve: bool, check: bool, early_stop: bool
    ) -> None:
        self.function = function
        self.args = [_Argument(a) if isinstance(a, Tensor) else a for a in args]
        self.kwargs = {
            name: _Argument(a) if isinstance(a, Tensor) else a for name, a in kwargs.items()
        }
        self.state = random.get_rng_state() if preserve else None
        self.check = check
        self.early_stop = early_stop
        self.holders: list[weakref.ref[_Holder]] = []

    def pack(self, tensor: Tensor) -> _Holder:
        """Keep a mark in place of a saved tensor."""
        holder = _Holder(len(self.holders), tensor)
        self.holders.append(weakref.ref(holder))
        return holder

    def unpack(self, holder: _Holder) -> Tensor:
        """Give the tensor, computing all of them again where needed; each is given once."""
        if holder.value is None:
            self.compute_again()
        value, holder.value = holder.value, None
        if value is None:
            raise CheckpointError(
                "checkpoint: a tensor that was saved in the first computation was not saved when "
                "it was made again: the function must do the same each time"
            )
        return value

    def compute_again(self) -> None:
        """Call the function again, and put what it saves where it is waited for."""
        args = [a.fresh() if type(a) is _Argument else a for a in self.args]
        kwargs = {n: a.fresh() if type(a) is _Argument else a for n, a in self.kwargs.items()}
        count = 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal count
            self._deliver(count, tensor)
            count += 1
            if self.early_stop and count == len(self.holders):
                raise _Enough
            return tensor

        now = random.get_rng_state()
        if self.state is not None:
            random.set_rng_state(self.state)
        try:
            with enable_grad(), saved_tensors_hooks(pack, lambda tensor: tensor):
                self.function(*args, **kwargs)
        except _Enough:
            pass
        finally:
            if self.state is not None:
                random.set_rng_state(now)
        if count < len(self.holders):
            raise CheckpointError(
                f"checkpoint: {len(self.holders)} tensors were saved in the first computation, "
                f"{count} when it was made again: the function must do the same each time"
            )

    def _deliver(self, place: int, tensor: Tensor) -> None:
        if place >= len(self.holders):
            raise CheckpointError(
                f"checkpoint: {len(self.holders)} tensors were saved in the first computation, "
                "more when it was made again: the function must do the same each time"
            )
        holder = self.holders[place]()
        if holder is None:
            return
        found = (tensor._array.shape, tensor._array.dtype)
        if self.check and found != holder.described:
            raise CheckpointError(
                f"checkpoint: the tensor saved at place {place} had shape and dtype "
                f"{holder.described} in the first computation, {found} when it was made again"
            )
        holder.value = tensor


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    context_fn: Callable[[], tuple[Any, Any]] | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Call a function without keeping what its gradient needs; compute that again backward.

    It trades time for memory: of what happens inside, only the arguments are kept. In the walk
    backward the function is called once more, up to the last tensor needed.

    Args:
        function: takes the arguments, returns anything; does the same whenever it is called.
        *args: its arguments. Tensors within containers are used as they are.
        use_reentrant: False is the way described, and the default, unlike in PyTorch. True is
            its older way: the function is first called without recording, and a walk of its own
            runs within the walk; gradients then flow only to ``args`` and parameters, only
            through ``backward()``, and only if one of ``args`` requires a gradient.
        preserve_rng_state: draw the same random numbers again, for dropout.
        context_fn: gives two context managers, around the first call and around the second.
        determinism_check: "none" leaves out the comparison of shapes and dtypes.
        debug: accepted for PyTorch's sake.
        early_stop: stop the second call as soon as all that is needed is there.
        **kwargs: keyword arguments of the function.

    Returns:
        What the function returned.

    Raises:
        CheckpointError: in the walk backward, if the function did not do the same again.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor([1.0, 2.0], requires_grad=True)
        >>> y = mt.utils.checkpoint.checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False)
        >>> y.sum().backward()
        >>> x.grad
        tensor([-2.4783,  3.3129])
    """
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"checkpoint: determinism_check must be 'default' or 'none', got {determinism_check!r}"
        )
    if use_reentrant:
        if kwargs or context_fn is not None:
            raise ValueError(
                "checkpoint: use_reentrant=True takes neither keyword arguments nor context_fn"
            )
        if recording.enabled and not any(isinstance(a, Tensor) and a.requires_grad for a in args):
            warnings.warn(
                "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
            )
        return _Reentrant.apply(function, preserve_rng_state, *args)
    if not recording.enabled:
        return function(*args, **kwargs)
    again = function
    if context_fn is not None:
        around, around_again = context_fn()

        def again(*args: Any, **kwargs: Any) -> Any:
            with around_again:
                return function(*args, **kwargs)

    check = determinism_check == "default"
    frame = _Frame(again, args, kwargs, preserve_rng_state, check, early_stop)
    with saved_tensors_hooks(frame.pack, frame.unpack):
        if context_fn is None:
            return function(*args, **kwargs)
        with around:
            return function(*args, **kwargs)


class _Reentrant(Function):
    """PyTorch's older checkpoint: a walk within the walk."""

    @staticmethod
    def forward(ctx: Any, function: Any, preserve: bool, *args: Any) -> Any:
        ctx.function = function
        ctx.state = random.get_rng_state() if preserve else None
        ctx.places = [i for i, each in enumerate(args) if isinstance(each, Tensor)]
        ctx.args = [None if isinstance(each, Tensor) else each for each in args]
        ctx.save_for_backward(*(args[i] for i in ctx.places))
        return function(*args)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        args = list(ctx.args)
        for place, saved in zip(ctx.places, ctx.saved_tensors, strict=True):
            args[place] = saved.detach().requires_grad_(ctx.needs_input_grad[place + 2])
        now = random.get_rng_state()
        if ctx.state is not None:
            random.set_rng_state(ctx.state)
        try:
            with enable_grad():
                outputs = ctx.function(*args)
        finally:
            if ctx.state is not None:
                random.set_rng_state(now)
        if not isinstance(outputs, tuple):
            outputs = (outputs,)
        pairs = [
            (output, gradient)
            for output, gradient in zip(outputs, grad_outputs, strict=True)
            if isinstance(output, Tensor) and output.requires_grad
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        backward([output for output, _ in pairs], [gradient for _, gradient in pairs])
        return (None, None, *(a.grad if isinstance(a, Tensor) else None for a in args))


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
) -> Any:
    """Call functions one after another, in segments of which all but the last are checkpointed.

    Args:
        functions: modules or functions of one argument, in a list or a ``Sequential``.
        segments: how many parts to divide them into.
        input: the first one's argument.
        use_reentrant: as for :func:`checkpoint`.
        preserve_rng_state: as for :func:`checkpoint`.

    Returns:
        What the last one returned.
    """
    chain: list[Callable[[Any], Any]] = list(
        functions.children() if hasattr(functions, "children") else functions
    )

    def run(part: Iterable[Callable[[Any], Any]]) -> Callable[[Any], Any]:
        def segment(value: Any) -> Any:
            for function in part:
                value = function(value)
            return value

        return segment

    size = max(len(chain) // segments, 1)
    start = 0
    for _ in range(segments - 1):
        part = chain[start : start + size]
        start += size
        if part:
            input = checkpoint(
                run(part),
                input,
                use_reentrant=use_reentrant,
                preserve_rng_state=preserve_rng_state,
            )
    return run(chain[start:])(input)
