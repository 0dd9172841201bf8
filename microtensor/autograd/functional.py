"""Jacobians, Hessians and their products with vectors, of functions of tensors.

A function takes one tensor or several, and returns one or a tuple. Its inputs are replaced by
fresh ones, so that no ``.grad`` is touched. Unless ``create_graph``, results are constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from microtensor.autograd.walk import grad
from microtensor.engine import enable_grad
from microtensor.ops.creation import ones_like, zeros, zeros_like
from microtensor.ops.joining import stack
from microtensor.tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

_STRATEGIES = ("reverse-mode", "forward-mode")


def _tuple_of(value: Any, what: str, name: str) -> tuple[bool, tuple[Any, ...]]:
    """Give whether something is a tuple of tensors, and it as one."""
    several = isinstance(value, tuple)
    for place, each in enumerate(value if several else (value,)):
        if not isinstance(each, Tensor):
            where = f"the value at index {place} of the {what}" if several else f"the given {what}"
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but "
                f"{where} has type {type(each)}."
            )
    return several, tuple(value) if several else (value,)


def _fresh(inputs: Sequence[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    """Give inputs of our own; with ``create_graph`` connected to those given."""
    return tuple(
        each.view(each.shape)
        if create_graph and each.requires_grad
        else each.detach().requires_grad_()
        for each in inputs
    )


def _detached(tensors: tuple[Any, ...], create_graph: bool) -> tuple[Any, ...]:
    return tensors if create_graph else tuple(each.detach() for each in tensors)


def _as_given(tensors: tuple[Any, ...], several: bool) -> Any:
    return tensors if several else tensors[0]


def _require_computed(outputs: Sequence[Tensor], strict: bool) -> None:
    for place, output in enumerate(outputs):
        if strict and not output.requires_grad:
            raise RuntimeError(
                f"Output {place} of the user-provided function does not require gradients. The "
                "outputs must be computed in a differentiable manner from the input when running "
                "in strict mode."
            )


def _slopes(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    starts: Sequence[Any],
    create_graph: bool,
) -> tuple[Any, ...]:
    """Give gradients; None also where no output requires one. The graph is kept."""
    used = [(o, s) for o, s in zip(outputs, starts, strict=True) if o.requires_grad]
    if not used:
        return (None,) * len(inputs)
    slopes: tuple[Any, ...] = grad(
        [output for output, _ in used],
        inputs,
        [start for _, start in used],
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
    )
    return slopes


_HESSIAN = (
    "While computing the hessian, found that the jacobian of the user-provided function with "
    "respect to input {0} is independent of the input. This is not allowed in strict mode. You "
    "should ensure that your function is twice differentiable and that the jacobian depends on "
    "its input."
)
_UNUSED = (
    "The output of the user-provided function is independent of input {0}. This is not allowed "
    "in strict mode."
)
_CONSTANT = (
    "The jacobian of the user-provided function is independent of input {0}. This is not allowed "
    "in strict mode when create_graph=True."
)


def _filled(
    slopes: Sequence[Any],
    inputs: Sequence[Tensor],
    strict: bool,
    create_graph: bool,
    unused: str = _UNUSED,
) -> tuple[Tensor, ...]:
    """Put zeros where there is no gradient; in strict mode refuse."""
    results = []
    for place, (slope, x) in enumerate(zip(slopes, inputs, strict=True)):
        if strict and slope is None:
            raise RuntimeError(unused.format(place))
        if strict and create_graph and not slope.requires_grad:
            raise RuntimeError(_CONSTANT.format(place))
        results.append(zeros_like(x) if slope is None else slope)
    return tuple(results)


def _vectors(v: Any, like: Sequence[Tensor], several: bool, name: str, what: str) -> Any:
    """Check the vectors of a product; None stands for 1, beside a single element."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"The vector v can only be None if the {what} a single Tensor with a single "
                "element."
            )
        return tuple(ones_like(each) for each in like)
    _, vectors = _tuple_of(v, "v", name)
    if len(vectors) != len(like):
        if several:
            raise RuntimeError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}."
            )
        raise RuntimeError("The given v should contain a single Tensor.")
    for place, (vector, each) in enumerate(zip(vectors, like, strict=True)):
        if vector.shape != each.shape:
            entry = f"Entry {place} in v" if several else "v"
            raise RuntimeError(
                f"{entry} has invalid size: should be {each.shape} but got {vector.shape}."
            )
    return vectors


def jacobian(
    func: Callable[..., Any],
    inputs: Tensor | tuple[Tensor, ...],
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Compute the Jacobian of a function: one walk backward per element of its outputs.

    Args:
        func: takes the inputs, returns a tensor or a tuple of tensors.
        inputs: one tensor or a tuple.
        create_graph: let the result be differentiated in turn.
        strict: refuse an output that does not depend on an input, instead of giving zeros.
        vectorize: accepted for PyTorch's sake; rows are computed one by one.
        strategy: accepted likewise: "reverse-mode", or "forward-mode" with ``vectorize=True``,
            which gives the same.

    Returns:
        For one input and output a tensor of shape output.shape + input.shape; a tuple over
        inputs, or over outputs, or over outputs of tuples over inputs, where there are tuples.

    Example:
        >>> import microtensor as mt
        >>> mt.autograd.functional.jacobian(lambda x: x ** 2, mt.tensor([1.0, 3.0]))
        tensor([[2., 0.],
                [0., 6.]])
    """
    _check_strategy(strategy, strict, vectorize, "jacobian")
    several_in, given = _tuple_of(inputs, "inputs", "jacobian")
    with enable_grad():
        own = _fresh(given, create_graph)
        several_out, outputs = _tuple_of(
            func(*own), "outputs of the user-provided function", "jacobian"
        )
        _require_computed(outputs, strict)
        rows = []
        for place, output in enumerate(outputs):
            unused = (
                f"Output {place} of the user-provided function is independent of input {{0}}. "
                "This is not allowed in strict mode."
            )
            rows.append(_jacobian_of(output, own, create_graph, strict, unused))
    rows = [_detached(row, create_graph) for row in rows]
    return _as_given(tuple(_as_given(row, several_in) for row in rows), several_out)


def _jacobian_of(
    output: Tensor, inputs: Sequence[Tensor], create_graph: bool, strict: bool, unused: str
) -> tuple[Tensor, ...]:
    columns: list[list[Tensor]] = [[] for _ in inputs]
    flat = output.reshape(-1)
    for element in flat:
        slopes = _slopes([element], inputs, [None], create_graph)
        filled = _filled(slopes, inputs, strict, create_graph, unused)
        for column, slope in zip(columns, filled, strict=True):
            column.append(slope)
    return tuple(
        stack(column).reshape((*output.shape, *x.shape))
        if column
        else zeros(*output.shape, *x.shape, dtype=x.dtype)
        for column, x in zip(columns, inputs, strict=True)
    )


def _check_strategy(strategy: str, strict: bool, vectorize: bool, name: str) -> None:
    if strategy not in _STRATEGIES:
        raise AssertionError(
            f"{name}: expected strategy to be 'forward-mode' or 'reverse-mode', got {strategy!r}"
        )
    if strict and (vectorize or strategy == "forward-mode"):
        raise RuntimeError(
            f"{name}: strict=True goes neither with vectorize=True nor with the strategy "
            "'forward-mode'"
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(f"{name}: the strategy 'forward-mode' needs vectorize=True")


def hessian(
    func: Callable[..., Any],
    inputs: Tensor | tuple[Tensor, ...],
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Compute the Hessian of a function of one element: the Jacobian of its gradient.

    Args:
        func: takes the inputs, returns a tensor of one element.
        inputs: one tensor or a tuple.
        create_graph: let the result be differentiated in turn.
        strict: refuse a gradient that does not depend on an input, instead of giving zeros.
        vectorize: accepted for PyTorch's sake.
        outer_jacobian_strategy: accepted likewise, as `jacobian`'s strategy.

    Returns:
        For one input a tensor of shape input.shape + input.shape; for several a tuple of tuples.

    Example:
        >>> import microtensor as mt
        >>> mt.autograd.functional.hessian(lambda x: (x ** 3).sum(), mt.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    _check_strategy(outer_jacobian_strategy, strict, vectorize, "hessian")
    several, given = _tuple_of(inputs, "inputs", "hessian")

    def gradient(*own: Tensor) -> tuple[Tensor, ...]:
        output = _single_output(func(*own), "hessian", strict)
        slopes = _slopes([output], own, [ones_like(output)], True)
        filled = _filled(slopes, own, strict, False)
        if strict:
            for place, slope in enumerate(filled):
                if not slope.requires_grad:
                    raise RuntimeError(_HESSIAN.format(place))
        return filled

    rows = jacobian(gradient, given, create_graph, strict)
    return rows if several else rows[0][0]


def _single_output(output: Any, name: str, strict: bool) -> Tensor:
    if not isinstance(output, Tensor):
        if isinstance(output, tuple):
            raise RuntimeError(f"The function given to {name} should return a single Tensor")
        _tuple_of(output, "outputs of the user-provided function", name)
    _require_computed([output], strict)
    if output.numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )
    scalar: Tensor = output
    return scalar


def vjp(
    func: Callable[..., Any],
    inputs: Tensor | tuple[Tensor, ...],
    v: Tensor | tuple[Tensor, ...] | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Compute the product of a vector and the Jacobian, vᵀJ: one walk backward.

    Args:
        func: takes the inputs, returns a tensor or a tuple of tensors.
        inputs: one tensor or a tuple.
        v: of the outputs' shapes; may be None where the output is a single element.
        create_graph: let the results be differentiated in turn.
        strict: refuse an output that does not depend on an input, instead of giving zeros.

    Returns:
        The function's outputs, and the product, like the inputs.

    Raises:
        RuntimeError: v does not fit the outputs.
    """
    several_in, given = _tuple_of(inputs, "inputs", "vjp")
    with enable_grad():
        own = _fresh(given, create_graph)
        several_out, outputs = _tuple_of(func(*own), "outputs of the user-provided function", "vjp")
        _require_computed(outputs, strict)
        vectors = _vectors(v, outputs, several_out, "vjp", "user-provided function returns")
        slopes = _slopes(outputs, own, vectors, create_graph)
        products = _filled(slopes, own, strict, create_graph)
    return (
        _as_given(_detached(outputs, create_graph), several_out),
        _as_given(_detached(products, create_graph), several_in),
    )


def jvp(
    func: Callable[..., Any],
    inputs: Tensor | tuple[Tensor, ...],
    v: Tensor | tuple[Tensor, ...] | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Compute the product of the Jacobian and a vector, Jv, by two walks backward.

    uᵀJ is linear in u, whatever u is: its derivative along v with respect to u is Jv.

    Args:
        func: takes the inputs, returns a tensor or a tuple of tensors.
        inputs: one tensor or a tuple.
        v: of the inputs' shapes; may be None where the input is a single element.
        create_graph: let the results be differentiated in turn.
        strict: refuse an output that does not depend on an input, instead of giving zeros.

    Returns:
        The function's outputs, and the product, like the outputs.

    Raises:
        RuntimeError: v does not fit the inputs.
    """
    several_in, given = _tuple_of(inputs, "inputs", "jvp")
    vectors = _vectors(v, given, several_in, "jvp", "input to the user-provided function is")
    with enable_grad():
        own = _fresh(given, create_graph)
        several_out, outputs = _tuple_of(func(*own), "outputs of the user-provided function", "jvp")
        _require_computed(outputs, strict)
        products = _pushed(outputs, own, vectors, create_graph, strict)
    return (
        _as_given(_detached(outputs, create_graph), several_out),
        _as_given(_detached(products, create_graph), several_out),
    )


def _pushed(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    vectors: Sequence[Tensor],
    create_graph: bool,
    strict: bool,
) -> tuple[Tensor, ...]:
    starts = [zeros_like(each).requires_grad_() for each in outputs]
    slopes = _filled(_slopes(outputs, inputs, starts, True), inputs, strict, False)
    pushed = _slopes(slopes, starts, vectors, create_graph)
    if strict and create_graph:
        for place, slope in enumerate(_slopes(slopes, inputs, vectors, False)):
            if slope is None:
                raise RuntimeError(_CONSTANT.format(place))
    return _filled(pushed, outputs, strict, False)


def vhp(
    func: Callable[..., Any],
    inputs: Tensor | tuple[Tensor, ...],
    v: Tensor | tuple[Tensor, ...] | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Compute the product of a vector and the Hessian, vᵀH, of a function of one element.

    Args:
        func: takes the inputs, returns a tensor of one element.
        inputs: one tensor or a tuple.
        v: of the inputs' shapes; may be None where the input is a single element.
        create_graph: let the results be differentiated in turn.
        strict: refuse a gradient that does not depend on an input, instead of giving zeros.

    Returns:
        The function's output, and the product, like the inputs.

    Raises:
        RuntimeError: the output is not a single element, or v does not fit the inputs.
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Callable[..., Any],
    inputs: Tensor | tuple[Tensor, ...],
    v: Tensor | tuple[Tensor, ...] | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Compute the product of the Hessian and a vector, Hv, of a function of one element.

    The Hessian being symmetric, it is :func:`vhp`, which costs the least.

    Args:
        func: takes the inputs, returns a tensor of one element.
        inputs: one tensor or a tuple.
        v: of the inputs' shapes; may be None where the input is a single element.
        create_graph: let the results be differentiated in turn.
        strict: refuse a gradient that does not depend on an input, instead of giving zeros.

    Returns:
        The function's output, and the product, like the inputs.

    Raises:
        RuntimeError: the output is not a single element, or v does not fit the inputs.
    """
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(
    name: str, func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool
) -> tuple[Any, Any]:
    several, given = _tuple_of(inputs, "inputs", name)
    vectors = _vectors(v, given, several, name, "input to the user-provided function is")
    with enable_grad():
        own = _fresh(given, create_graph)
        output = _single_output(func(*own), name, strict)
        slopes = _slopes([output], own, [ones_like(output)], True)
        gradient = _filled(slopes, own, strict, False)
        if strict:
            for place, slope in enumerate(gradient):
                if not slope.requires_grad:
                    raise RuntimeError(_HESSIAN.format(place))
        seconds = _slopes(gradient, own, vectors, create_graph)
        products = _filled(seconds, own, strict, create_graph, _HESSIAN)
    return (
        _detached((output,), create_graph)[0],
        _as_given(_detached(products, create_graph), several),
    )
