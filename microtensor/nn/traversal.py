"""Walking over a tree of modules: listing, finding, switching and converting what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from microtensor import devices, dtypes
from microtensor.engine import no_grad
from microtensor.tensor import Tensor

if TYPE_CHECKING:
    from microtensor.nn.module import Module
    from microtensor.nn.parameter import Parameter


class Traversal:
    """The part of :class:`Module` that walks over the module and its descendants."""

    training: bool
    _parameter_names: dict[str, None]
    _buffer_names: dict[str, bool]
    _module_names: dict[str, None]

    # ---- modules ------------------------------------------------------------------------------

    def named_modules(
        self,
        memo: set[Module] | None = None,
        prefix: str = "",
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it, each before its children, with full names.

        Args:
            memo: modules to leave out; those yielded are added.
            prefix: the name of this module.
            remove_duplicate: whether a module used twice is yielded once.
        """
        memo = set() if memo is None else memo
        waiting: list[tuple[str, Any]] = [(prefix, self)]
        while waiting:
            name, module = waiting.pop()
            if remove_duplicate:
                if module in memo:
                    continue
                memo.add(module)
            yield name, module
            values = module.__dict__
            stem = f"{name}." if name else ""
            for child in reversed(module._module_names):
                if values[child] is not None:
                    waiting.append((stem + child, values[child]))

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """Yield this module and all below it, each once unless `remove_duplicate` is False."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the immediate children with their names, each module once."""
        seen = set()
        values = self.__dict__
        for name in self._module_names:
            module = values[name]
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the immediate children, each once."""
        for _, module in self.named_children():
            yield module

    def get_submodule(self, target: str) -> Module:
        """Return the module of the full name `target`; the empty name is this module.

        Raises:
            AttributeError: there is no such attribute, or it is not a module.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Traversal):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn(module)`` on every descendant, then on this module, and return it."""
        for module in self.children():
            module.apply(fn)
        fn(self)  # type: ignore[arg-type]
        return self

    # ---- parameters and buffers ---------------------------------------------------------------

    def _tensors(self, kind: str, recurse: bool) -> list[Any]:
        """Return the registered tensors of one kind, each once, in the order of their names.

        It is what :meth:`_named_tensors` yields, without the cost of making up names.
        """
        found: dict[int, Any] = {}
        seen = set()
        waiting: list[Any] = [self]
        while waiting:
            module = waiting.pop()
            if module in seen:
                continue
            seen.add(module)
            values = module.__dict__
            for name in getattr(module, kind):
                tensor = values[name]
                if tensor is not None:
                    found.setdefault(id(tensor), tensor)
            children = module._module_names
            if children and recurse:
                waiting += [values[name] for name in reversed(children) if values[name] is not None]
        return list(found.values())

    def _named_tensors(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        owners = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else ((prefix, self),)
        )
        for owner_name, owner in owners:
            values = owner.__dict__
            stem = f"{owner_name}." if owner_name else ""
            for name in getattr(owner, kind):
                tensor = values[name]
                if tensor is None or (remove_duplicate and tensor in seen):
                    continue
                seen.add(tensor)
                yield stem + name, tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield parameters with their full names.

        Args:
            prefix: put before every name, with a dot.
            recurse: whether to include those of the modules below.
            remove_duplicate: whether a parameter with several names is yielded once.
        """
        return self._named_tensors("_parameter_names", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, each once: what an optimizer takes.

        Args:
            recurse: whether to include those of the modules below.
        """
        return iter(self._tensors("_parameter_names", recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield buffers with their full names; arguments as in :meth:`named_parameters`."""
        return self._named_tensors("_buffer_names", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers, each once.

        Args:
            recurse: whether to include those of the modules below.
        """
        return iter(self._tensors("_buffer_names", recurse))

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter of the full name `target`.

        Raises:
            AttributeError: there is no such attribute, or it is not a parameter.
        """
        found: Parameter = self._get_tensor(target, "_parameter_names", "nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer of the full name `target`.

        Raises:
            AttributeError: there is no such attribute, or it is not a buffer.
        """
        found: Tensor = self._get_tensor(target, "_buffer_names", "buffer")
        return found

    def _get_tensor(self, target: str, kind: str, expected: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        if name not in getattr(owner, kind):
            raise AttributeError(f"`{name}` is not a {expected}")
        return owner.__dict__[name]

    # ---- switches -----------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set training mode (or evaluation mode) here and in all modules below.

        Raises:
            ValueError: `mode` is not a bool.
        """
        if not isinstance(mode, bool):
            raise ValueError(f"training mode is expected to be boolean, got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode here and in all modules below."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether the parameters require a gradient."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Args:
            set_to_none: drop them; False fills them with zeros instead.
        """
        for parameter in self._tensors("_parameter_names", True):
            gradient = parameter.grad
            if gradient is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                if gradient.requires_grad:
                    gradient = parameter.grad = gradient.detach()
                gradient.zero_()

    # ---- conversion ---------------------------------------------------------------------------

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Convert floating-point parameters and buffers to a dtype, in place.

        Parameters stay the same objects, so optimizers keep working on them.

        Args:
            *args: in any order a floating-point dtype, a tensor whose dtype to take, or the only
                device, ``"cpu"``, which changes nothing.
            **kwargs: the same as ``dtype``, ``tensor`` and ``device``; PyTorch's ``non_blocking``
                and ``copy`` are ignored.

        Raises:
            TypeError: the dtype is not a floating-point one.
            RuntimeError: a device other than the CPU is named.

        Example:
            >>> import microtensor as mt
            >>> from microtensor import nn
            >>> nn.Linear(2, 1).to(mt.float64).weight.dtype
            microtensor.float64
        """
        wanted = _wanted_dtype(*args, **kwargs)
        return self if wanted is None else self._convert(wanted)

    def float(self) -> Self:
        """Convert floating-point parameters and buffers to float32."""
        return self._convert(dtypes.float32)

    def double(self) -> Self:
        """Convert floating-point parameters and buffers to float64."""
        return self._convert(dtypes.float64)

    def half(self) -> Self:
        """Convert floating-point parameters and buffers to float16."""
        return self._convert(dtypes.float16)

    def cpu(self) -> Self:
        """Return the module: everything is on the CPU."""
        return self

    def type(self, dst_type: dtypes.dtype | str) -> Self:
        """Convert floating-point parameters and buffers to a dtype."""
        return self.to(dtype=dtypes.as_dtype(dst_type))

    def cuda(self, device: Any = None) -> Self:
        """Raise: there is no such device.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("cuda(): there is no device 'cuda': microtensor runs on 'cpu'")

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Leave parameters and buffers as they are: what PyTorch calls to fill in a bare module.

        Raises:
            RuntimeError: a device other than the CPU is named.
        """
        _wanted_dtype(device=device)
        return self

    def share_memory(self) -> Self:
        """Return the module; worker processes of a DataLoader are sent copies."""
        return self

    def _convert(self, wanted: dtypes.dtype) -> Self:
        with no_grad():
            for parameter in self._tensors("_parameter_names", True):
                if parameter.is_floating_point():
                    gradient = parameter.grad
                    parameter.data = parameter.data.to(wanted)
                    if gradient is not None:
                        parameter.grad = gradient.to(wanted)
            for module in self.modules():
                values = module.__dict__
                for name in module._buffer_names:
                    buffer = values[name]
                    if buffer is not None and buffer.is_floating_point():
                        values[name] = buffer.to(wanted)
        return self


def _wanted_dtype(
    *args: Any,
    device: Any = None,
    dtype: Any = None,
    tensor: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
) -> dtypes.dtype | None:
    """Read the arguments of ``Module.to`` in all the forms PyTorch allows."""
    for value in args:
        if isinstance(value, Tensor):
            tensor = value
        elif isinstance(value, str | devices.device):
            device = value
        elif isinstance(value, dtypes.dtype):
            dtype = value
        elif value is not None and not isinstance(value, bool):
            dtype = dtypes.as_dtype(value)
    if device is not None and str(device).split(":")[0] != "cpu":
        raise RuntimeError(f"to(): device must be 'cpu', the only one there is; got {device!r}")
    if dtype is None and tensor is not None:
        dtype = tensor.dtype
    if dtype is None:
        return None
    chosen = dtypes.as_dtype(dtype)
    if not chosen.is_floating_point:
        raise TypeError(
            "nn.Module.to only accepts floating point dtypes (float32, float64), but got desired "
            f"dtype={chosen}"
        )
    return chosen
