"""One call of a user's `Function`: its context, its node, and how it is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.engine import Gradients, Node, output_node, recording
from microtensor.ops.algebra import TENSORS, Origin, Packed
from microtensor.ops.inplace import write
from microtensor.tensor import Tensor, node_of, wrap

if TYPE_CHECKING:
    from microtensor.autograd.function import Function


class FunctionCtx:
    """What ``forward`` notes for ``backward``; any further attribute may be set, too.

    Attributes:
        needs_input_grad: for each argument, whether its gradient is wanted.
    """

    needs_input_grad: tuple[bool, ...] = ()
    _to_save: tuple[Any, ...] = ()
    _dirty: tuple[Any, ...] = ()
    _not_differentiable: tuple[Any, ...] = ()
    _materialize = True
    _saved: tuple[Any, ...] | None = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Save tensors (inputs, outputs or others; None is passed on) for ``backward``.

        They are released with the graph, and a change in place before then is noticed.
        """
        for place, each in enumerate(tensors):
            if each is not None and not isinstance(each, Tensor):
                raise TypeError(
                    "save_for_backward can only save variables, but argument "
                    f"{place} is of type {type(each).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Accept what PyTorch saves for forward-mode differentiation, which there is not."""

    def mark_dirty(self, *args: Tensor) -> None:
        """Say which inputs ``forward`` wrote to in place; it has to return them."""
        self._dirty = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Say which outputs have no gradient."""
        self._not_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Choose whether ``backward`` gets zeros (the default) or None where no gradient came."""
        self._materialize = bool(value)

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What ``save_for_backward`` saved.

        Raises:
            RuntimeError: it was released by an earlier walk.
        """
        if self._saved is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved "
                "tensors after they have already been freed). Pass retain_graph=True to the first "
                "backward() or grad() if a second one is to follow."
            )
        return tuple(_tensor(each) for each in self._saved)


def _tensor(value: Any) -> Any:
    if type(value) is Packed:
        value = value.array()
    return wrap(value) if isinstance(value, np.ndarray) else value


class FunctionNode(Node):
    """The node of a call of a `Function`: it shows the attributes of the call's context."""

    __slots__ = ()

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What ``save_for_backward`` saved."""
        ctx = self.op.ctx
        ctx._saved = None if self.saved is None else TENSORS.lift(self)
        try:
            tensors: tuple[Tensor | None, ...] = ctx.saved_tensors
            return tensors
        finally:
            ctx._saved = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in Node.__slots__:
            raise AttributeError(name)
        return getattr(self.op.ctx, name)


class Call:
    """The op of one call: the class, its context, and what is known of its outputs."""

    saved_names: tuple[str, ...] = ()
    saved_roles: tuple[Any, ...] = ()
    add_into = None

    def __init__(self, function: type[Function], ctx: FunctionCtx) -> None:
        self.name = function.__name__
        self.node_name = f"{function.__name__}Backward"
        self.function = function
        self.ctx = ctx
        self.outputs: tuple[str, ...] = ()
        self.gradients_of: list[tuple[Any, Any] | None] = []  # shape and dtype of each output
        self.input_shapes: list[Any] = []  # of tensors; None for other arguments

    def backward(self, g: Any, parents: Any, saved: tuple[Any, ...]) -> tuple[Any, ...]:
        """Call the user's ``backward`` with tensors, and check what it returns."""
        arrays = isinstance(g, np.ndarray) or (
            type(g) is Gradients and any(isinstance(part, np.ndarray) for part in g.parts)
        )
        given = self._incoming(g)
        ctx = self.ctx
        ctx._saved = saved
        try:
            results = self.function.backward(ctx, *given)
        finally:
            ctx._saved = None
        results = self._checked(results)
        if not arrays:
            return results
        # A view, for the user may keep the tensor: the walk must not add to it in place.
        return tuple(None if each is None else each._array[...] for each in results)

    def _incoming(self, g: Any) -> tuple[Any, ...]:
        parts = g.parts if type(g) is Gradients else (g,)
        given = []
        for part, described in zip(parts, self.gradients_of, strict=True):
            if part is None and described is not None and self.ctx._materialize:
                part = np.zeros(*described)
            given.append(wrap(part) if isinstance(part, np.ndarray) else part)
        return tuple(given)

    def _checked(self, results: Any) -> tuple[Any, ...]:
        results = tuple(results) if isinstance(results, tuple | list) else (results,)
        expected = len(self.input_shapes)
        if len(results) > expected and all(each is None for each in results[expected:]):
            results = results[:expected]
        if len(results) != expected:
            raise RuntimeError(
                f"function {self.node_name} returned an incorrect number of gradients (expected "
                f"{expected}, got {len(results)})"
            )
        for place, (gradient, shape) in enumerate(zip(results, self.input_shapes, strict=True)):
            if gradient is None:
                continue
            if shape is None:
                raise RuntimeError(
                    f"function {self.node_name} returned a gradient different than None at "
                    f"position {place + 1}, but the corresponding forward input was not a Tensor"
                )
            if not isinstance(gradient, Tensor):
                raise RuntimeError(
                    f"function {self.node_name}: expected Tensor or None (got "
                    f"{type(gradient).__name__})"
                )
            if not _reduces_to(gradient._array.shape, shape):
                raise RuntimeError(
                    f"Function {self.node_name} returned an invalid gradient at index {place} - "
                    f"got {list(gradient._array.shape)} but expected shape compatible with "
                    f"{list(shape)}"
                )
        return results


def _reduces_to(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Say whether a gradient of a shape can be summed to another: undone broadcasting."""
    if len(shape) < len(target):
        return False
    ends = zip(reversed(shape), reversed(target), strict=False)
    return all(own in (length, 1) for length, own in ends)


def own_outputs(
    result: tuple[Any, ...], args: tuple[Any, ...], ctx: FunctionCtx
) -> tuple[Any, ...]:
    """Give tensors fit to be recorded: one that was there before becomes an alias of itself."""
    inputs = {id(each) for each in args if isinstance(each, Tensor)}
    dirty = {id(each) for each in ctx._dirty}
    if dirty - {id(each) for each in result}:
        raise RuntimeError(
            "Some elements marked as dirty during the forward method were not returned as output. "
            "The inputs that are modified inplace must all be outputs of the Function."
        )
    outputs = []
    for each in result:
        output = each
        if (
            isinstance(each, Tensor)
            and id(each) not in dirty
            and (node_of(each) is not None or id(each) in inputs)
        ):
            output = each.detach()
            _renamed(ctx, each, output)
        outputs.append(output)
    return tuple(outputs)


def _renamed(ctx: FunctionCtx, before: Tensor, after: Tensor) -> None:
    marked = ctx._not_differentiable
    ctx._not_differentiable = tuple(after if each is before else each for each in marked)


def record(
    function: type[Function],
    ctx: FunctionCtx,
    args: tuple[Any, ...],
    nodes: list[Node | None],
    outputs: tuple[Any, ...],
) -> None:
    """Attach the nodes of one call to its outputs."""
    constant = {id(each) for each in ctx._not_differentiable}
    op = Call(function, ctx)
    op.input_shapes = [each._array.shape if isinstance(each, Tensor) else None for each in args]
    op.gradients_of = [
        (each._array.shape, each._array.dtype) if isinstance(each, Tensor) else None
        for each in outputs
    ]
    tracked = [
        place
        for place, each in enumerate(outputs)
        if isinstance(each, Tensor) and each._array.dtype.kind == "f" and id(each) not in constant
    ]
    several = len(outputs) > 1
    if several:
        op.outputs = tuple(str(place) for place in range(len(outputs)))
    shape, dtype = (None, None) if several or not tracked else op.gradients_of[0] or (None, None)
    node = FunctionNode(op, tuple(nodes), (), (), 0, shape, dtype)
    dirty = {id(each) for each in ctx._dirty}
    # Outputs that are not new are written to first: what is saved of them is the new version.
    for place in tracked:
        own = node
        if several:
            own = output_node(node, place, len(outputs), *op.gradients_of[place])  # type: ignore
        output = outputs[place]
        if id(output) in dirty:
            _rebase(output, own)
        else:
            output._node = own
    _save(node, op, ctx._to_save, args, outputs)


def _rebase(tensor: Tensor, node: Node) -> None:
    before = node_of(tensor)
    base = tensor._base
    if (before is not None and before.op is None) or (
        base is not None and base._node is not None and base._node.op is None
    ):
        raise RuntimeError(
            "a leaf Variable that requires grad has been used in an in-place operation."
        )
    write(tensor, wrap(tensor._array, node), lambda out: None)


def _save(
    node: Node, op: Call, tensors: tuple[Any, ...], args: tuple[Any, ...], outputs: Any
) -> None:
    places = {id(each): -1 - i for i, each in enumerate(outputs) if isinstance(each, Tensor)}
    places |= {
        id(each): i
        for i, each in enumerate(args)
        if isinstance(each, Tensor) and id(each) not in places
    }
    roles: list[Any] = []
    cells = []
    for each in tensors:
        if each is None:
            roles.append(None)
            continue
        role: Any = places.get(id(each))
        if role is None or (role < 0 and each._node is None):
            role = Origin(node_of(each) if role is None else None)
        roles.append(role)
        cells.append(each._cell)
    op.saved_roles = tuple(roles)
    op.saved_names = tuple(str(place) for place in range(len(tensors)))
    node.saved = tuple(None if each is None else each._array for each in tensors)
    node.cells = tuple(cells)
    node.stamp = sum(cell[0] for cell in cells)
    if tensors and recording.enabled is not True:
        recording.enabled.pack(node)
