"""Tensor: an array, its gradient, and its place in the graph.

What can be computed with tensors is declared in :mod:`microtensor.ops`, which attaches its
functions here as methods; walking the graph is attached by :mod:`microtensor.autograd`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor import dtypes, kernels
from microtensor.conversion import to_array as to_array
from microtensor.copying import copy_array, parts_of, whole_of
from microtensor.description import Description
from microtensor.description import Size as Size
from microtensor.description import checked_dim as checked_dim
from microtensor.engine import INFERENCE_CELL, Node, RemovableHandle, epoch, recording
from microtensor.interop import Elements
from microtensor.locks import make_lock
from microtensor.printing import format_tensor

if TYPE_CHECKING:
    from microtensor.ops.methods import TensorMethods
else:
    TensorMethods = object


_accumulating = make_lock()
"""Held while a gradient is added: walks in two threads may end at one leaf."""


class Leaf(Node):
    """The node of a tensor the user made: where gradients end.

    It refers to its tensor weakly: a graph does not keep alive what only the user named.
    """

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(None, (), (), (), 0, tensor._array.shape, tensor._array.dtype)
        self.tensor = weakref.ref(tensor)

    @property
    def variable(self) -> Tensor | None:
        """The tensor whose ``.grad`` this is for, while it lives."""
        return self.tensor()

    def accumulate(self, gradient: Any, owned: bool, create_graph: bool) -> None:
        """Add the gradient of one whole walk to the tensor's ``.grad``."""
        tensor = self.tensor()
        if tensor is None or tensor._node is None:  # gone, or no longer asking for gradients
            return
        with _accumulating:
            self._add_to_grad(tensor, gradient, owned, create_graph)
        after = tensor.__dict__.get("_after_accumulate")
        if after:
            for hook in list(after.values()):
                hook(tensor)

    def _add_to_grad(self, tensor: Tensor, gradient: Any, owned: bool, create_graph: bool) -> None:
        earlier = tensor._grad
        if create_graph:
            # Never the walk's own tensor: another leaf, or the caller, may hold it.
            tensor._grad = gradient.clone() if earlier is None else earlier + gradient
        elif earlier is None:
            # What only the walk could see becomes .grad itself; anything else is copied.
            array = gradient
            if not (owned and gradient.flags.c_contiguous):
                array = np.empty(gradient.shape, gradient.dtype)
                kernels.cast(gradient, array)
            tensor._grad = wrap(array)
        elif earlier._node is None and earlier._array.flags.writeable:
            kernels.add(earlier._array, gradient, earlier._array)
            earlier._cell[0] += 1
        else:
            array = np.empty(gradient.shape, gradient.dtype)
            kernels.add(earlier._array, gradient, array)
            tensor._grad = wrap(array)


class RetainGrad:
    """The hook behind ``retain_grad()``: it puts the gradient that arrives into ``.grad``."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)

    def __call__(self, gradient: Tensor) -> None:
        """Add the gradient to the tensor's, if the tensor still lives."""
        tensor = self.tensor()
        if tensor is not None:
            tensor._grad = gradient.clone() if tensor._grad is None else tensor._grad + gradient


class Tensor(Elements, Description, TensorMethods):
    """An n-dimensional array that remembers how it was computed.

    Args:
        data: numbers, nested sequences of numbers, an array or a tensor; copied. Whole numbers, or
            a shape, ask for a tensor of that shape with no particular elements.
        sizes: the lengths of the further dimensions, if ``data`` is that of the first.
        dtype: the data type; the default floating-point dtype unless given.
        requires_grad: whether to record what is computed from it, for ``backward()``.

    Raises:
        TypeError: the data is not numeric.
        RuntimeError: an integer or bool tensor is to require a gradient; a negative size.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    _array: np.ndarray[Any, Any]
    _node: Node | None  # None: no gradient wanted; a Leaf: the user's; else how it was computed
    _cell: list[int]  # the version: one number, shared by all views of the same memory
    _base: Tensor | None  # what this is a view of, never itself a view
    _grad: Tensor | None = None
    _path: tuple[tuple[Callable[..., Any], tuple[Any, ...]], ...] = ()  # from the base to here
    _base_node: Node | None = None  # the base's node when ours was derived from it
    _base_version: int = 0  # and the version of the memory

    # Our operators come before NumPy's when a tensor meets an array.
    __array_priority__ = 1000

    def __init__(
        self, data: Any = (), *sizes: int, dtype: Any = None, requires_grad: bool = False
    ) -> None:
        chosen = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        if type(data) is int or isinstance(data, Size):
            shape = data if isinstance(data, Size) else (data, *sizes)
            if min(shape, default=0) < 0:
                raise RuntimeError(f"Tensor(): there are no negative sizes, got {list(shape)}")
            self._array = np.empty(shape, chosen.numpy)
        elif sizes:
            raise TypeError(f"Tensor(): expected data or whole numbers, got {(data, *sizes)}")
        else:
            self._array = to_array(data, chosen.numpy, copy=True)
        self._cell = new_cell()
        self._base = None
        self._node = None
        if requires_grad:
            self.requires_grad = True

    # ---- its place in the graph -------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether what is computed from this is recorded. Settable on leaves."""
        return node_of(self) is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        node = node_of(self)
        if node is not None and node.op is not None:
            if not value:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to "
                    "use a computed variable in a subgraph that doesn't require differentiation "
                    "use var_no_grad = var.detach()."
                )
            return
        if not value:
            if node is not None:
                epoch.note(self._array)
            self._node = None
        elif node is None:
            if self._cell is INFERENCE_CELL and recording.enabled is not None:
                raise RuntimeError(
                    "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                    "allowed. Make a clone() to get a normal tensor."
                )
            if self._array.dtype.kind != "f":
                raise RuntimeError(
                    "only tensors of floating point dtype can require gradients; this one is "
                    f"{self.dtype.name}. Convert it first, with .float()."
                )
            epoch.note(self._array)
            self._node = Leaf(self)
        self._base_node = self._base._node if self._base is not None else None

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set ``requires_grad`` and give the tensor back."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user (or needs no gradient), not computed in the graph."""
        node = node_of(self)
        return node is None or node.op is None

    @property
    def grad_fn(self) -> Node | None:
        """The node that recorded how this was computed; None for a leaf."""
        node = node_of(self)
        return None if node is None or node.op is None else node

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward walks have accumulated, of this shape and dtype."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"assigned grad expected to be a Tensor or None but got {type(value).__name__}"
                )
            if value._array.shape != self._array.shape:
                raise RuntimeError(
                    f"assigned grad has data of a different size: {list(value._array.shape)} for "
                    f"a tensor of {list(self._array.shape)}"
                )
            if value._array.dtype != self._array.dtype:
                raise RuntimeError(
                    f"assigned grad has data of a different type: {value.dtype.name} for a "
                    f"tensor of {self.dtype.name}"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    @property
    def _version(self) -> int:
        """How often the memory has been written to in place."""
        if self._cell is INFERENCE_CELL:
            raise RuntimeError("Inference tensors do not track version counter.")
        return self._cell[0]

    def is_inference(self) -> bool:
        """Say whether it was made in inference mode."""
        return self._cell is INFERENCE_CELL

    def _is_view(self) -> bool:
        return self._base is not None

    def retain_grad(self) -> None:
        """Keep the gradient of a computed tensor in ``.grad``, as leaves do."""
        node = node_of(self)
        if node is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if node.op is not None and not any(isinstance(h, RetainGrad) for h in node.hooks or ()):
            node.hooks = [*(node.hooks or ()), RetainGrad(self)]

    @property
    def retains_grad(self) -> bool:
        """Whether ``retain_grad()`` was called on it; of leaves, which do so unasked, False."""
        node = node_of(self)
        return node is not None and any(isinstance(h, RetainGrad) for h in node.hooks or ())

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call ``hook(gradient)`` when the gradient of this tensor is known.

        Args:
            hook: gets the whole gradient; a tensor it returns replaces it.

        Returns:
            A handle whose ``remove()`` takes the hook away.

        Raises:
            RuntimeError: the tensor requires no gradient.
        """
        node = node_of(self)
        if node is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        hooks = node.hooks = node.hooks if node.hooks is not None else []
        # A retained gradient is the one after all other hooks.
        place = next((i for i, h in enumerate(hooks) if isinstance(h, RetainGrad)), len(hooks))

        # A bound wrapper of its own makes the same function registered twice two hooks.
        def entry(gradient: Tensor) -> Tensor | None:
            return hook(gradient)

        hooks.insert(place, entry)
        reference = weakref.ref(node)

        def remove() -> None:
            owner = reference()
            if owner is not None and owner.hooks and entry in owner.hooks:
                # An empty list stays: a leaf may need one (see post accumulate hooks).
                owner.hooks = [h for h in owner.hooks if h is not entry]

        return RemovableHandle(remove)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Call ``hook(tensor)`` after a walk has added to this leaf's ``.grad``."""
        if not self.is_leaf or not self.requires_grad:
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        hooks = self.__dict__.setdefault("_after_accumulate", {})
        # With a list of hooks, if an empty one, a leaf is given its whole gradient at once.
        if self._node is not None and self._node.hooks is None:
            self._node.hooks = []
        key = object()
        hooks[key] = hook
        return RemovableHandle(lambda: hooks.pop(key, None))

    # ---- its data ---------------------------------------------------------------------------

    @property
    def data(self) -> Tensor:
        """The same memory outside the graph; writing to it is not noticed by autograd."""
        return wrap(self._array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data must be a Tensor, not {type(value).__name__}")
        epoch.note(self._array)
        self._array = value._array
        if isinstance(self._node, Leaf):
            self._node.shape = self._array.shape
            self._node.dtype = self._array.dtype

    def detach(self) -> Tensor:
        """Give a tensor of the same memory that is cut off from the graph."""
        result = wrap(self._array)
        result._cell = self._cell
        return result

    def detach_(self) -> Tensor:
        """Cut this tensor off from the graph."""
        if self._base is not None:
            raise RuntimeError("can't detach views in-place; use detach() instead")
        self._node = None
        return self

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self._array)))

    def __reversed__(self) -> Tensor:
        if self._array.ndim == 0:
            return self
        return self[np.arange(len(self._array))[::-1]]

    def __contains__(self, element: Any) -> bool:
        if isinstance(element, Tensor):
            return bool((self == element).any())
        if not isinstance(element, int | float | complex | np.number | np.bool_):
            raise RuntimeError(
                "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
                f"{type(element)}."
            )
        return bool(wrap(np.asarray((self._array == element).any())))

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        node = node_of(self)
        grad_fn = None if node is None else (node.name() if node.op is not None else "")
        return format_tensor(self._array, grad_fn)

    def __format__(self, specification: str) -> str:
        # As in PyTorch: a single number formats as Python's, anything else takes no format.
        if self._array.ndim == 0 and type(self) is Tensor:
            return format(self.item(), specification)
        return object.__format__(self, specification)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self._deep_copy(memo, with_grad=True)

    def _deep_copy(self, memo: dict[int, Any], with_grad: bool) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment. Detach it first: x.detach()."
            )
        array = copy_array(self._array, memo)
        cell = new_cell() if self._cell is INFERENCE_CELL else deepcopy(self._cell, memo)
        result = _rebuild(type(self), array, None, self.requires_grad, cell)
        memo[id(self)] = result
        if with_grad and self._grad is not None:
            result._grad = deepcopy(self._grad, memo)
        result.__dict__.update(deepcopy(self._own_attributes(), memo))
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.is_leaf:
            raise RuntimeError(
                "only leaf tensors can be pickled: a graph does not travel. Detach it first: "
                "x.detach()."
            )
        cell = [0] if self._cell is INFERENCE_CELL else self._cell
        parts = (type(self), *parts_of(self._array), self.requires_grad, cell)
        return _rebuild, parts, self._own_attributes() or None

    def _own_attributes(self) -> dict[str, Any]:
        """Give what users have attached."""
        return {k: v for k, v in self.__dict__.items() if k not in _FIELDS}


_FIELDS = frozenset([*Tensor.__annotations__, "_after_accumulate"])
_new = object.__new__


def wrap(array: np.ndarray[Any, Any], node: Node | None = None) -> Tensor:
    """Make a tensor of an array, sharing its memory."""
    tensor = _new(Tensor)
    tensor._array = array
    tensor._node = node
    tensor._cell = [0] if recording.enabled is not None else INFERENCE_CELL
    tensor._base = None
    return tensor


def new_cell() -> list[int]:
    """Give the version cell of a new tensor: in inference mode that of all inference tensors."""
    return [0] if recording.enabled is not None else INFERENCE_CELL


def node_of(tensor: Tensor) -> Node | None:
    """Give the tensor's node, deriving a view's anew if its base has changed since."""
    base = tensor._base
    if base is None or base._node is tensor._base_node:
        return tensor._node
    if base._node is None or base._node.op is None:
        # The base was cut off from the graph, or made a leaf: its own affair, until a write.
        if base._node is None and tensor._cell[0] != tensor._base_version:
            tensor._node = tensor._base_node = None
        return tensor._node
    tensor._base_node = base._node
    tensor._base_version = tensor._cell[0]
    previous = recording.enabled
    recording.enabled = True  # the change that is caught up with was recorded, whatever is now
    try:
        fresh = base
        for function, arguments in tensor._path:
            fresh = function(fresh, *arguments)
    finally:
        recording.enabled = previous
    before, tensor._node = tensor._node, fresh._node
    move_retained(before, tensor._node)
    return tensor._node


def move_retained(before: Node | None, after: Node | None) -> None:
    """Let ``retain_grad()`` go with a tensor, to the node it has after a write."""
    if before is None or after is None or before is after or not before.hooks:
        return
    for hook in before.hooks:
        if isinstance(hook, RetainGrad):
            before.hooks = [each for each in before.hooks if each is not hook]
            after.hooks = [hook]


def _rebuild(
    kind: type[Tensor],
    array: np.ndarray[Any, Any],
    layout: tuple[Any, ...] | None,
    requires_grad: bool,
    cell: list[int],
) -> Tensor:
    # __new__ and not __init__: a subclass's own constructor may want other arguments.
    tensor = kind.__new__(kind)
    array = whole_of(array, layout)
    dtype = dtypes.from_numpy_dtype(array.dtype).numpy
    # An unpickled array has a dtype object of its own, and kernels compare identity.
    tensor._array = array if array.dtype is dtype else array.view(dtype)
    tensor._cell = cell
    tensor._base = None
    tensor._node = Leaf(tensor) if requires_grad else None
    return tensor
