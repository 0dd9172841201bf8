"""Functions of functions: gradients, products with vectors, Jacobians and Hessians.

A transform replaces what is differentiated by fresh tensors, and walks from the result back to
them. Nothing's ``.grad`` is touched. Results stay connected to the graph of anything outside that
requires a gradient, and to no other: therefore transforms may be nested, and mixed with
``backward()``.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from microtensor.autograd import walk
from microtensor.engine import Node, enable_grad, recording
from microtensor.func.tree import form_of, leaves_of, mapped, rebuilt
from microtensor.ops.creation import zeros, zeros_like
from microtensor.ops.joining import stack
from microtensor.tensor import Tensor, node_of

ArgNums = int | tuple[int, ...]


def _fresh(tree: Any) -> Any:
    """Give a tree of tensors of our own, connected to those given where these want a gradient."""

    def fresh(leaf: Any) -> Tensor:
        if not isinstance(leaf, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(leaf)}")
        if leaf.requires_grad and recording.wanted:
            return leaf.view(leaf.shape)
        return leaf.detach().requires_grad_()

    with enable_grad():
        # A leaf that asks for a gradient under no_grad is not recorded: nothing outside is.
        return mapped(fresh, tree)


# Leaves of transforms that have returned: nobody can ask for their gradients any more.
_closed: weakref.WeakSet[Node] = weakref.WeakSet()


class _Level:
    """One transform at work: its fresh inputs, and whether anything outside wants a gradient."""

    def __init__(self, tree: Any) -> None:
        self.recorded = recording.wanted
        self.tree = _fresh(tree)
        self.inputs = leaves_of(self.tree)
        self._own = {node for each in self.inputs if (node := node_of(each)) and node.op is None}

    def reaches_outside(self, outputs: Iterable[Any]) -> bool:
        """Say whether outputs depend on a leaf that is not one of our own."""
        if not self.recorded:
            return False
        seen: set[Node] = set()
        waiting = [node for each in outputs if (node := _node_of(each)) is not None]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if node.op is None and node not in self._own and node not in _closed:
                return True
            waiting.extend(parent for parent in node.parents if parent is not None)
        return False

    def release(self, tree: Any) -> Any:
        """Give results for the outside: detached, unless they depend on something there."""
        _closed.update(self._own)
        return mapped(self._released, tree)

    def _released(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or node_of(leaf) is None:
            return leaf
        return leaf if self.reaches_outside([leaf]) else leaf.detach()

    def slopes(self, outputs: list[Any], starts: list[Any] | None, create_graph: bool) -> list[Any]:
        """Give the gradients of the inputs; zeros where there is none. The graph is kept."""
        starts = starts if starts is not None else [None] * len(outputs)
        used = [(o, s) for o, s in zip(outputs, starts, strict=True) if o.requires_grad]
        if not used or not self.inputs:
            return [zeros_like(each) for each in self.inputs]
        found = walk.grad(
            [output for output, _ in used],
            self.inputs,
            [start for _, start in used],
            retain_graph=True,
            create_graph=create_graph,
            materialize_grads=True,
        )
        return list(found)


def _node_of(value: Any) -> Node | None:
    return node_of(value) if isinstance(value, Tensor) else None


def _chosen(args: tuple[Any, ...], argnums: ArgNums) -> Any:
    """Give the arguments to differentiate by, in a tuple if several are named."""
    for place in (argnums,) if isinstance(argnums, int) else argnums:
        if not -len(args) <= place < len(args):
            raise RuntimeError(f"Got argnum={place}, but only {len(args)} positional inputs")
    return args[argnums] if isinstance(argnums, int) else tuple(args[place] for place in argnums)


def _replaced(args: tuple[Any, ...], argnums: ArgNums, values: Any) -> tuple[Any, ...]:
    replaced = list(args)
    if isinstance(argnums, int):
        replaced[argnums] = values
    else:
        for place, value in zip(argnums, values, strict=True):
            replaced[place] = value
    return tuple(replaced)


def _split(result: Any, has_aux: bool, name: str) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(
            f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return result


def grad_and_value(
    func: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Make a function that gives the gradient of ``func`` and its value: ``(gradient, value)``.

    Args:
        func: gives a tensor without dimensions; its arguments may be tensors or nested tuples,
            lists and dictionaries of them.
        argnums: which argument to differentiate by, or which ones.
        has_aux: whether ``func`` gives ``(output, aux)``; the result is then
            ``(gradient, (value, aux))``.
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        level = _Level(_chosen(args, argnums))
        with enable_grad():
            output, aux = _split(
                func(*_replaced(args, argnums, level.tree), **kwargs), has_aux, "grad_and_value"
            )
            if not isinstance(output, Tensor):
                raise RuntimeError(
                    f"grad: expected f(*args) to return a Tensor, got {type(output)}"
                )
            if output.ndim:
                raise RuntimeError(
                    "grad: expected f(*args) to return a scalar Tensor, got a tensor with "
                    f"{output.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            found = level.slopes([output], None, level.reaches_outside([output]))
        gradient = level.release(rebuilt(level.tree, found))
        value = level.release(output)
        return gradient, ((value, level.release(aux)) if has_aux else value)

    return wrapper


def grad(
    func: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Make a function that gives the gradient of ``func``.

    Args:
        func: gives a tensor without dimensions; its arguments may be tensors or nested tuples,
            lists and dictionaries of them.
        argnums: which argument to differentiate by, or which ones (the result is then a tuple).
        has_aux: whether ``func`` gives ``(output, aux)``; the result is then ``(gradient, aux)``.

    Example:
        >>> import microtensor as mt
        >>> cube = lambda x: x ** 3
        >>> mt.func.grad(mt.func.grad(cube))(mt.tensor(2.0))
        tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


def value_and_grad(
    func: Callable[..., Any], argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Make a function that gives the value of ``func`` and its gradient, in this order as in JAX.

    Args:
        func: as for :func:`grad_and_value`.
        argnums: likewise.
        has_aux: likewise; the result is then ``((value, aux), gradient)``.

    Example:
        >>> import microtensor as mt
        >>> mt.func.value_and_grad(lambda x: x ** 2)(mt.tensor(3.0))
        (tensor(9.), tensor(6.))
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return value, gradient

    return wrapper


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Compute a function, and give the map from a vector v to vᵀJ.

    Args:
        func: takes the primals; arguments and results may be nested containers of tensors.
        *primals: its arguments.
        has_aux: whether ``func`` gives ``(output, aux)``.

    Returns:
        ``(output, vjp_fn)``, or ``(output, vjp_fn, aux)``. ``vjp_fn`` takes something in the form
        of the output and gives a tuple with one gradient per primal.

    Example:
        >>> import microtensor as mt
        >>> output, pull = mt.func.vjp(mt.sin, mt.tensor([0.0]))
        >>> pull(mt.tensor([3.0]))
        (tensor([3.]),)
    """
    level = _Level(primals)
    with enable_grad():
        output, aux = _split(func(*level.tree), has_aux, "vjp")
    outputs = leaves_of(output)
    for each in outputs:
        if not isinstance(each, Tensor):
            raise RuntimeError(
                f"vjp: expected f(*primals) to return only tensors, got {type(each)}"
            )
    create_graph = level.reaches_outside(outputs)

    def vjp_fn(*cotangents: Any) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        if form_of(given) != form_of(output):
            raise RuntimeError(
                "vjp: expected the structure of cotangents to be that of the function's outputs"
            )
        starts = leaves_of(given)
        record = create_graph or (recording.wanted and any(s.requires_grad for s in starts))
        with enable_grad():
            found = level.slopes(outputs, starts, record)
        return rebuilt(level.tree, _kept_or_cut(level, found, record))

    released = level.release(output)
    return (released, vjp_fn, level.release(aux)) if has_aux else (released, vjp_fn)


def _kept_or_cut(level: _Level, found: list[Any], record: bool) -> list[Any]:
    return [level.release(each) for each in found] if record else found


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """Compute a function, and the product of its Jacobian with a vector, by two walks backward.

    Args:
        func: takes the primals; arguments and results may be nested containers of tensors.
        primals: its arguments, in a tuple.
        tangents: the vector, in the primals' form.
        strict: refuse an output that does not depend on the primals.
        has_aux: whether ``func`` gives ``(output, aux)``.

    Returns:
        ``(output, product)`` in one form, or ``(output, product, aux)``.
    """
    for name, each in (("primals", primals), ("tangents", tangents)):
        if not isinstance(each, tuple):
            raise RuntimeError(f"jvp: expected {name} to be a tuple, got {type(each)}")
    if form_of(primals) != form_of(tangents):
        raise RuntimeError("jvp: expected primals and tangents to have the same structure")
    vectors = leaves_of(tangents)
    for x, v in zip(leaves_of(primals), vectors, strict=True):
        if isinstance(x, Tensor) and isinstance(v, Tensor) and x.shape != v.shape:
            raise RuntimeError(
                f"jvp: expected a tangent of the shape of its primal, {list(x.shape)}, got "
                f"{list(v.shape)}"
            )
    level = _Level(primals)
    with enable_grad():
        output, aux = _split(func(*level.tree), has_aux, "jvp")
        outputs = leaves_of(output)
        if strict and not all(each.requires_grad for each in outputs):
            raise RuntimeError("jvp: an output does not depend on the primals, and strict is True")
        starts = [zeros_like(each).requires_grad_() for each in outputs]
        slopes = [
            (slope, vector)
            for slope, vector in zip(level.slopes(outputs, starts, True), vectors, strict=True)
            if slope.requires_grad
        ]
        outside = level.reaches_outside([*outputs, *vectors])
        if slopes:
            products = walk.grad(
                [slope for slope, _ in slopes],
                starts,
                [vector for _, vector in slopes],
                create_graph=outside,
                materialize_grads=True,
            )
        else:
            products = [zeros_like(each) for each in outputs]
    # The starts are leaves of ours as well: what depends on them alone is cut off.
    level._own |= {node for each in starts if (node := node_of(each)) is not None}
    result = (level.release(output), level.release(rebuilt(output, products)))
    return (*result, level.release(aux)) if has_aux else result


def jacrev(
    func: Callable[..., Any],
    argnums: ArgNums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Make a function that gives the Jacobian of ``func``: one walk backward per output element.

    Args:
        func: gives tensors, which may be in nested containers.
        argnums: which argument to differentiate by, or which ones.
        has_aux: whether ``func`` gives ``(output, aux)``; the result is then ``(jacobian, aux)``.
        chunk_size: accepted for PyTorch's sake; rows are computed one by one.

    Returns:
        In place of each output the Jacobian, of shape output.shape + input.shape, in the form of
        the argument; a tuple of these for several ``argnums``.

    Example:
        >>> import microtensor as mt
        >>> mt.func.jacrev(mt.square)(mt.tensor([1.0, 3.0]))
        tensor([[2., 0.],
                [0., 6.]])
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        level = _Level(_chosen(args, argnums))
        with enable_grad():
            output, aux = _split(
                func(*_replaced(args, argnums, level.tree), **kwargs), has_aux, "jacrev"
            )
            outputs = leaves_of(output)
            create_graph = level.reaches_outside(outputs)
            parts = [_rows(level, each, create_graph) for each in outputs]
        jacobian = rebuilt(output, [level.release(rebuilt(level.tree, part)) for part in parts])
        return (jacobian, level.release(aux)) if has_aux else jacobian

    return wrapper


def _rows(level: _Level, output: Any, create_graph: bool) -> list[Tensor]:
    if not isinstance(output, Tensor):
        raise RuntimeError(f"jacrev: expected f to return only tensors, got {type(output)}")
    rows = [level.slopes([element], None, create_graph) for element in output.reshape(-1)]
    return [
        stack([row[i] for row in rows]).reshape((*output.shape, *x.shape))
        if rows
        else zeros(*output.shape, *x.shape, dtype=x.dtype)
        for i, x in enumerate(level.inputs)
    ]


jacfwd = jacrev


def hessian(func: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """Make a function that gives the Hessian of ``func``: the Jacobian of its Jacobian.

    Args:
        func: gives a tensor.
        argnums: which argument to differentiate by, or which ones.

    Example:
        >>> import microtensor as mt
        >>> mt.func.hessian(lambda x: (x ** 3).sum())(mt.tensor([1.0, 2.0]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    return jacrev(jacrev(func, argnums), argnums)
