"""Function: an operation with a derivative of the user's own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from microtensor.autograd.function_call import FunctionCtx, FunctionNode, own_outputs, record
from microtensor.engine import Node, recording, set_mode
from microtensor.tensor import Tensor, node_of, wrap

__all__ = ["Function", "FunctionCtx", "FunctionNode", "once_differentiable"]


class Function:
    """An operation whose derivative you write yourself.

    Subclass it with static methods ``forward`` and ``backward``, and call ``apply``. ``forward`` is
    not recorded. It takes a context first, ``forward(ctx, *args)``; or, with a further method
    ``setup_context(ctx, inputs, output)``, the arguments alone. ``backward(ctx, *grad_outputs)``
    gives as many gradients as ``forward`` has arguments, None for those that have none; written
    with tensor operations, it can be differentiated in turn.

    Example:
        >>> import microtensor as mt
        >>> class Cube(mt.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x * x
        ...     @staticmethod
        ...     def backward(ctx, grad_output):
        ...         (x,) = ctx.saved_tensors
        ...         return grad_output * 3 * x * x
        >>> x = mt.tensor(2.0, requires_grad=True)
        >>> y = Cube.apply(x)
        >>> y
        tensor(8., grad_fn=<CubeBackward>)
        >>> mt.autograd.grad(y, x)
        (tensor(12.),)
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: functions are called through ``apply``."""
        raise RuntimeError(
            f"{type(self).__name__}: a Function is not called as an object; use "
            f"{type(self).__name__}.apply(...) with static forward and backward methods."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs; to be overridden."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Note what ``backward`` needs; may be overridden."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients of the arguments; to be overridden."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @classmethod
    def vjp(cls, ctx: Any, *grad_outputs: Any) -> Any:
        """Stand for ``backward``, which may be overridden under this name as well."""
        return cls.backward(ctx, *grad_outputs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "vjp" in cls.__dict__ and "backward" not in cls.__dict__:
            cls.backward = cls.__dict__["vjp"]  # type: ignore[method-assign]

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs and record the call.

        Args:
            *args: for ``forward``; tensors among them may require gradients.
            **kwargs: for ``forward``; what they hold has no gradient.

        Returns:
            What ``forward`` returned.

        Raises:
            RuntimeError: an input marked as dirty is a leaf that requires a gradient, or was not
                returned.
        """
        ctx = FunctionCtx()
        nodes = [node_of(each) if isinstance(each, Tensor) else None for each in args]
        ctx.needs_input_grad = tuple(node is not None for node in nodes)
        wanted = recording.wanted
        set_mode(False)
        try:
            if cls.setup_context is Function.setup_context:
                result = cls.forward(ctx, *args, **kwargs)
            else:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, result)
        finally:
            set_mode(wanted)
        several = isinstance(result, tuple)
        recorded = bool(recording.enabled) and any(node is not None for node in nodes)
        try:
            outputs = own_outputs(result if several else (result,), args, ctx)
            if recorded:
                record(cls, ctx, args, nodes, outputs)
        finally:  # an output within its own context would be a cycle
            ctx._to_save = ctx._dirty = ctx._not_differentiable = ()
        if not several:
            return outputs[0]
        return outputs if type(result) is tuple else type(result)(*outputs)


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a ``backward`` that must not itself be differentiated; doing so raises."""

    @functools.wraps(fn)
    def wrapper(ctx: Any, *grad_outputs: Any) -> Any:
        wanted = recording.wanted
        set_mode(False)
        try:
            results = fn(ctx, *grad_outputs)
        finally:
            set_mode(wanted)
        if not wanted:
            return results
        saved = ctx._saved or ()
        origins = [
            node_of(each)
            for each in (*grad_outputs, *saved)
            if isinstance(each, Tensor) and node_of(each) is not None
        ]
        if not origins:
            return results
        several = isinstance(results, tuple | list)
        guarded = [_guarded(each, tuple(origins)) for each in (results if several else [results])]
        return tuple(guarded) if several else guarded[0]

    return wrapper


def _guarded(gradient: Any, origins: tuple[Any, ...]) -> Any:
    if not isinstance(gradient, Tensor):
        return gradient
    array = gradient._array
    return wrap(array, Node(_Refusal(), origins, (), (), 0, array.shape, array.dtype))


class _Refusal:
    """The op of what was computed by a ``backward`` that is only once differentiable."""

    name = "error"
    node_name = "Error"
    saved_names: tuple[str, ...] = ()
    saved_roles: tuple[Any, ...] = ()
    add_into = None

    def backward(self, g: Any, parents: Any, saved: Any) -> tuple[Any, ...]:
        """Refuse."""
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )
