"""Tensor: an array, its gradient, and its place in the graph.

What can be computed with tensors is declared in :mod:`microtensor.ops`, which attaches its
functions here as methods; walking the graph is attached by :mod:`microtensor.autograd`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor import dtypes, kernels
from microtensor.engine import INFERENCE_CELL, Node, RemovableHandle, recording
from microtensor.printing import format_tensor

if TYPE_CHECKING:
    from microtensor.ops.methods import TensorMethods
else:
    TensorMethods = object


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple that prints as PyTorch's does.

    Example:
        >>> import microtensor as mt
        >>> mt.zeros(2, 3).shape, mt.zeros(2, 3).shape.numel()
        (microtensor.Size([2, 3]), 6)
    """

    __slots__ = ()

    def numel(self) -> int:
        """Give the number of elements."""
        count = 1
        for length in self:
            count *= length
        return count

    def __repr__(self) -> str:
        return f"microtensor.Size({list(self)})"


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
        earlier = tensor._grad
        if create_graph:
            # Never the walk's own tensor: another leaf, or the caller, may hold it.
            tensor._grad = gradient.clone() if earlier is None else earlier + gradient
        elif earlier is None:
            # What only the walk could see becomes .grad itself; anything else is copied.
            array = gradient
            if not (owned and gradient.flags.c_contiguous):
                array = np.array(gradient, order="C")
            tensor._grad = wrap(array)
        elif earlier._node is None and earlier._array.flags.writeable:
            kernels.add(earlier._array, gradient, earlier._array)
            earlier._cell[0] += 1
        else:
            array = np.empty(gradient.shape, gradient.dtype)
            kernels.add(earlier._array, gradient, array)
            tensor._grad = wrap(array)
        after = tensor.__dict__.get("_after_accumulate")
        if after:
            for hook in list(after.values()):
                hook(tensor)


class RetainGrad:
    """The hook behind ``retain_grad()``: it puts the gradient that arrives into ``.grad``."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)

    def __call__(self, gradient: Tensor) -> None:
        """Add the gradient to the tensor's, if the tensor still lives."""
        tensor = self.tensor()
        if tensor is not None:
            tensor._grad = gradient.clone() if tensor._grad is None else tensor._grad + gradient


class Tensor(TensorMethods):
    """An n-dimensional array that remembers how it was computed.

    Args:
        data: numbers, nested sequences of numbers, an array or a tensor; copied.
        dtype: the data type; the default floating-point dtype unless given.
        requires_grad: whether to record what is computed from it, for ``backward()``.

    Raises:
        TypeError: the data is not numeric.
        RuntimeError: an integer or bool tensor is to require a gradient.

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

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        chosen = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
        self._array = to_array(data, chosen.numpy, copy=True)
        self._cell = new_cell()
        self._base = None
        self._node = None
        if requires_grad:
            self.requires_grad = True

    # ---- what it is -------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The lengths of the dimensions."""
        return Size(self._array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """The data type."""
        return dtypes.from_numpy_dtype(self._array.dtype)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes

    def dim(self) -> int:
        """Give the number of dimensions."""
        return self._array.ndim

    def size(self, dim: int | None = None) -> Any:
        """Give the shape, or the length of one dimension."""
        if dim is None:
            return self.shape
        return self._array.shape[_checked_dim(dim, self._array.ndim)]

    def numel(self) -> int:
        """Give the number of elements."""
        return self._array.size

    nelement = numel

    def element_size(self) -> int:
        """Give the bytes per element."""
        return self._array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Give how many elements lie between neighbours along each dimension, or along one."""
        strides = tuple(step // self._array.itemsize for step in self._array.strides)
        return strides if dim is None else strides[_checked_dim(dim, self._array.ndim)]

    def is_contiguous(self) -> bool:
        """Say whether the elements lie in memory in row-major order without gaps."""
        return self._array.flags.c_contiguous

    def is_floating_point(self) -> bool:
        """Say whether the dtype is a floating-point one."""
        return self._array.dtype.kind == "f"

    def data_ptr(self) -> int:
        """Give the address of the first element."""
        return self._array.ctypes.data

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

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """Give the array itself, sharing memory.

        Args:
            force: detach first, instead of refusing a tensor that requires a gradient.

        Raises:
            RuntimeError: the tensor requires a gradient (which NumPy would drop silently).
        """
        if node_of(self) is not None and not force:
            raise RuntimeError(
                "can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        if dtype is not None and np.dtype(dtype) != array.dtype:
            if copy is False:
                raise ValueError(f"converting {array.dtype} to {np.dtype(dtype)} needs a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def item(self) -> Any:
        """Give the only element as a Python number.

        Raises:
            RuntimeError: there is not exactly one element.
        """
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        return self._array.item()

    def tolist(self) -> Any:
        """Give the elements as nested lists of Python numbers."""
        return self._array.tolist()

    def __bool__(self) -> bool:
        if self._array.size != 1:
            count = "no values" if self._array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {count} is ambiguous")
        return bool(self._array.item())

    def __float__(self) -> float:
        self._check_single()
        return float(self._array.item())

    def __int__(self) -> int:
        self._check_single()
        return int(self._array.item())

    def _check_single(self) -> None:
        if self._array.size != 1:
            raise ValueError(
                "only one element tensors can be converted to Python scalars; this one has "
                f"{self._array.size}"
            )

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub" or self._array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self._array)))

    def __contains__(self, element: Any) -> bool:
        if isinstance(element, Tensor):
            element = element._array
        return bool((self._array == element).any())

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        node = node_of(self)
        grad_fn = None if node is None else (node.name() if node.op is not None else "")
        return format_tensor(self._array, grad_fn)

    def __format__(self, specification: str) -> str:
        if self._array.ndim == 0 and specification:
            return format(self.item(), specification)
        return format(str(self), specification)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment. Detach it first: x.detach()."
            )
        # cls.__new__ and not __init__: a subclass's own constructor may want other arguments.
        result = type(self).__new__(type(self))
        memo[id(self)] = result
        _fill(result, self._array.copy(), self.requires_grad)
        if self._grad is not None:
            result._grad = self._grad.__deepcopy__(memo)
        return result

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.is_leaf:
            raise RuntimeError(
                "only leaf tensors can be pickled: a graph does not travel. Detach it first: "
                "x.detach()."
            )
        return _rebuild, (type(self), self._array, self.requires_grad)


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


def to_array(data: Any, dtype: Any = None, copy: bool = False) -> np.ndarray[Any, Any]:
    """Make an array of whatever a tensor can be made of.

    Python floats become the default dtype; arrays keep theirs, in native byte order.

    Raises:
        TypeError: the data is not numeric, or complex.
        ValueError: nested sequences of unequal length, an integer beyond 64 bits.
        RuntimeError: a Python number that an integer dtype cannot hold.
    """
    if isinstance(data, Tensor):
        data = data._array
    elif isinstance(data, list | tuple) and data:
        data = _without_tensors(data)
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    numeric = hasattr(first, "dtype")  # of an array or a NumPy number; Python's have none
    array = np.asarray(data) if isinstance(data, np.ndarray) and not copy else np.array(data)
    beyond = array.dtype.kind == "u" or (array.dtype == object and isinstance(first, int))
    if beyond and not numeric:
        raise ValueError("an integer is too large: tensors hold at most 64-bit signed ones")
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"tensors hold real numbers or bools; got data of type "
            f"{getattr(data, 'dtype', None) or type(data).__name__} (as an array: {array.dtype})"
        )
    if dtype is None:
        if (not numeric and array.dtype.kind == "f") or (array.size == 0 and not numeric):
            dtype = dtypes.get_default_dtype().numpy
        else:
            # The canonical object: newbyteorder makes an equal one, and kernels compare identity.
            dtype = dtypes.from_numpy_dtype(array.dtype.newbyteorder("=")).numpy
    if array.dtype is dtype:
        return array
    if not numeric and dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        # Written so that NaN, which compares false, is refused too.
        if not (array.min() >= limits.min and array.max() <= limits.max):
            raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")
    with np.errstate(all="ignore"):
        return array.astype(dtype)


def _without_tensors(data: Any) -> Any:
    if isinstance(data, Tensor):
        # Python numbers, so that [tensor(1.0), 2] follows the default dtype like [1.0, 2].
        return data.tolist()
    if isinstance(data, list | tuple):
        return [_without_tensors(each) for each in data]
    return data


def _fill(tensor: Tensor, array: np.ndarray[Any, Any], requires_grad: bool) -> None:
    tensor._array = array
    tensor._cell = new_cell()
    tensor._base = None
    tensor._node = Leaf(tensor) if requires_grad else None


def _rebuild(kind: type[Tensor], array: np.ndarray[Any, Any], requires_grad: bool) -> Tensor:
    tensor = kind.__new__(kind)
    _fill(tensor, array, requires_grad)
    return tensor


def _checked_dim(dim: int, ndim: int) -> int:
    """Give a dimension counted from the front; IndexError names the legal range."""
    extent = max(ndim, 1)
    if not -extent <= dim < extent:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-extent}, {extent - 1}], but "
            f"got {dim})"
        )
    return dim % extent


checked_dim = _checked_dim
