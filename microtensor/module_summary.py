"""What a network consists of: layers, shapes, parameters, multiply-adds, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from microtensor import dtypes
from microtensor.engine.modes import no_grad
from microtensor.nn.module import Module
from microtensor.ops.creation import zeros
from microtensor.random import fork_rng
from microtensor.tensor import Tensor

Shape = tuple[int, ...]


@dataclass
class Layer:
    """One module of a summary.

    Attributes:
        name: of the attribute that holds it; the class's for the model itself.
        kind: its class.
        depth: how many modules it is within.
        calls: how often ``forward`` was called.
        output_shapes: of the tensors that the first call gave.
        parameters: numbers in its own parameters, not its children's, met here for the first time.
        trainable: of these, those that require a gradient.
        multiply_adds: of all calls, without what its children do.
        output_bytes: of all calls, unless children have made the output.
        shared: whether the module has appeared before; its numbers stand there.
    """

    name: str
    kind: str
    depth: int
    calls: int = 0
    output_shapes: list[Shape] = field(default_factory=list)
    parameters: int = 0
    trainable: int = 0
    multiply_adds: int = 0
    output_bytes: int = 0
    shared: bool = False


@dataclass
class ModelSummary:
    """The numbers of :func:`summary`; ``str()`` of it is the table.

    Attributes:
        layers: one for each module, in the order of registration, a module before its children.
        input_shapes: of the tensors that the model was called with.
        total_params: numbers in all parameters, shared ones once.
        trainable_params: of these, those that require a gradient.
        total_mult_adds: multiply-adds of one forward pass.
        total_input: bytes of the inputs.
        total_output_bytes: bytes of what layers give out, and once more for their gradients.
        total_param_bytes: bytes of the parameters.
        shown_depth: of modules within modules that the table goes to; None for all.
    """

    layers: list[Layer]
    input_shapes: list[Shape]
    total_params: int
    trainable_params: int
    total_mult_adds: int
    total_input: int
    total_output_bytes: int
    total_param_bytes: int
    shown_depth: int | None = None

    def __str__(self) -> str:
        header = ("Layer", "Output shape", "Parameters", "Multiply-adds")
        rows = [header, *self._rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
        aligned = [
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        line = "─" * (sum(widths) + 2 * (len(widths) - 1))
        frozen = self.total_params - self.trainable_params
        total = self.total_input + self.total_output_bytes + self.total_param_bytes
        facts = [
            f"Parameters: {self.total_params:,} ({self.trainable_params:,} trainable, "
            f"{frozen:,} not)",
            f"Multiply-adds: {_short(self.total_mult_adds)}",
            f"Memory: {_bytes(total)} (input {_bytes(self.total_input)}, forward and backward "
            f"{_bytes(self.total_output_bytes)}, parameters {_bytes(self.total_param_bytes)})",
        ]
        return "\n".join([line, aligned[0], line, *aligned[1:], line, *facts, line])

    def __repr__(self) -> str:
        return str(self)

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        deepest = self.shown_depth
        for place, layer in enumerate(self.layers):
            if deepest is not None and layer.depth > deepest:
                continue
            below = [layer]
            if layer.depth == deepest:  # what it hides is counted with it
                for other in self.layers[place + 1 :]:
                    if other.depth <= layer.depth:
                        break
                    below.append(other)
            parameters = sum(each.parameters for each in below)
            multiply_adds = sum(each.multiply_adds for each in below)
            shapes = ", ".join(str(list(shape)) for shape in layer.output_shapes)
            name = layer.kind if layer.depth == 0 else f"{layer.name}: {layer.kind}"
            yield (
                "  " * layer.depth + name + (" (shared)" if layer.shared else ""),
                (shapes or "-") + (f" × {layer.calls}" if layer.calls > 1 else ""),
                f"{parameters:,}" if parameters else "-",
                _short(multiply_adds) if multiply_adds else "-",
            )


def _short(count: float) -> str:
    for unit in ("", "k", "M", "G"):
        if count < 1000:
            return f"{count:.4g}{unit}"
        count /= 1000
    return f"{count:.4g}T"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.4g} {unit}"
        count /= 1000
    return f"{count:.4g} GB"


# ---- multiply-adds ------------------------------------------------------------------------------


def _of_linear(module: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    return int(module.weight.numel() * prod(outputs[0][:-1]))


def _of_bilinear(module: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    return int(module.weight.numel() * prod(outputs[0][:-1]))


def _of_convolution(module: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """Every element of the kernel once for each place that it is laid on."""
    transposed = "Transpose" in type(module).__name__
    places = inputs[0] if transposed else outputs[0]
    spatial = module.weight.ndim - 2
    batch = places[0] if len(places) == spatial + 2 else 1
    return int(module.weight.numel() * batch * prod(places[-spatial:]))


def _of_recurrence(module: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """All matrices once a step, for each sequence."""
    matrices = sum(p.numel() for name, p in module.named_parameters() if "weight" in name)
    return int(matrices * prod(inputs[0][:-1]))


def _of_attention(module: Any, inputs: list[Shape], outputs: list[Shape]) -> int:
    """The four projections, scores, and the sums of values."""
    query, key = inputs[0], inputs[min(1, len(inputs) - 1)]
    rows, columns = (
        shape[1] if module.batch_first and len(shape) == 3 else shape[0] for shape in (query, key)
    )
    batch = prod(query[:-1]) // rows if rows else 0
    width = module.embed_dim
    projections = rows * 2 * width * width + columns * width * (module.kdim + module.vdim)
    return int(batch * (projections + 2 * rows * columns * width))


_RULES: dict[str, Callable[[Any, list[Shape], list[Shape]], int]] = {
    "Linear": _of_linear,
    "Bilinear": _of_bilinear,
    **{f"Conv{d}d": _of_convolution for d in (1, 2, 3)},
    **{f"ConvTranspose{d}d": _of_convolution for d in (1, 2, 3)},
    **dict.fromkeys(("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"), _of_recurrence),
    "MultiheadAttention": _of_attention,
    # They read rows, and multiply nothing.
    **dict.fromkeys(("Embedding", "EmbeddingBag"), lambda module, inputs, outputs: 0),
}


def _rule(module: Module) -> Any:
    for kind in type(module).__mro__:
        if kind.__name__ in _RULES and kind.__module__.startswith("microtensor."):
            return _RULES[kind.__name__]
    return None


def _multiply_adds(module: Module, inputs: list[Shape], outputs: list[Shape]) -> int:
    if not inputs or not outputs:
        return 0
    rule = _rule(module)
    if rule is not None:
        return int(rule(module, inputs, outputs))
    # Scales and shifts, such as those of a norm: one for each element.
    own = any(True for _ in module.parameters(recurse=False))
    leaf = not any(True for _ in module.children())
    return prod(outputs[0]) if own and leaf else 0


# ---- running the model --------------------------------------------------------------------------


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _tensors(each)


def _shapes(value: Any) -> list[Shape]:
    return [tuple(each.shape) for each in _tensors(value)]


def _size(tensor: Tensor) -> int:
    return int(tensor.numel() * tensor._array.itemsize)


def _inputs(
    input_size: Any, input_data: Any, kinds: Sequence[dtypes.dtype] | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give what to call the model with."""
    if (input_size is None) == (input_data is None):
        raise ValueError("summary: exactly one of input_size and input_data must be given")
    if input_data is not None:
        if isinstance(input_data, Mapping):
            return (), dict(input_data)
        return (tuple(input_data) if isinstance(input_data, list | tuple) else (input_data,)), {}
    sizes = list(input_size)
    if all(isinstance(n, int) for n in sizes):
        sizes = [sizes]
    for size in sizes:
        if not all(isinstance(n, int) and n >= 0 for n in size):
            raise ValueError(
                "summary: input_size must be the shape of the input, batch and all, or a list of "
                f"such shapes, got {input_size!r}"
            )
    if kinds is not None and len(kinds) != len(sizes):
        raise ValueError(f"summary: {len(sizes)} inputs, but {len(kinds)} dtypes")
    chosen = [None] * len(sizes) if kinds is None else kinds
    return tuple(zeros(*size, dtype=kind) for size, kind in zip(sizes, chosen, strict=True)), {}


def _walk(name: str, module: Module, depth: int, seen: dict[Module, Layer]) -> Iterator[Layer]:
    layer = Layer(name, type(module).__name__, depth)
    if module in seen:
        layer.shared = True
        yield layer
        return
    seen[module] = layer
    yield layer
    for child_name, child in module._modules.items():
        if child is not None:
            yield from _walk(child_name, child, depth + 1, seen)


def _watch(module: Module, layer: Layer) -> Any:
    """Have a module note its calls; gives the handle that ends it."""
    makes_its_output = _rule(module) is not None or not any(True for _ in module.children())

    def note(module: Module, given: Any, named: Any, result: Any) -> None:
        inputs, outputs = _shapes((given, named)), _shapes(result)
        layer.calls += 1
        if layer.calls == 1:
            layer.output_shapes = outputs
        layer.multiply_adds += _multiply_adds(module, inputs, outputs)
        if makes_its_output:
            layer.output_bytes += sum(_size(each) for each in _tensors(result))

    return module.register_forward_hook(note, with_kwargs=True)


def _run(
    model: Module, seen: dict[Module, Layer], given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    modes = [(module, module.training) for module in seen]
    handles = []
    try:
        handles += [_watch(module, layer) for module, layer in seen.items()]
        model.eval()
        with no_grad(), fork_rng():
            model(*given, **named)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training


def summary(
    model: Module,
    input_size: Any = None,
    input_data: Any = None,
    *,
    dtypes: Sequence[dtypes.dtype] | None = None,
    depth: int | None = None,
    verbose: bool = True,
    **options: Any,
) -> ModelSummary:
    """Call a model once and tell, layer by layer, what it consists of.

    The call is made in evaluation mode and without recording; modes, hooks and the state of the
    default generator are afterwards what they were, whether or not the call succeeds.

    Multiply-adds are those of linear, convolutional and recurrent layers, of multi-head attention,
    and one for each element that a layer of another kind scales by its parameters; what a model
    computes by functions of its own is not seen.

    Args:
        model: any module.
        input_size: the shape of the input, batch and all, or a list of shapes; zeros are passed.
        input_data: the input itself, a tuple of inputs, or a dict of them by name.
        dtypes: of the inputs that ``input_size`` describes, one each; the default dtype otherwise.
        depth: the table goes so many modules deep; None for all. Deeper ones are counted with
            those they are in.
        verbose: whether to print the table.
        options: further named arguments of the model's ``forward``.

    Returns:
        An object with the numbers, whose ``str()`` is the table.

    Raises:
        TypeError: the model is no module.
        ValueError: not exactly one of ``input_size`` and ``input_data``, or a shape that is none.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
        >>> result = mt.summary(model, (32, 2))
        ────────────────────────────────────────────────────
        Layer        Output shape  Parameters  Multiply-adds
        ────────────────────────────────────────────────────
        Sequential   [32, 1]                -              -
          0: Linear  [32, 16]              48         1.024k
          1: Tanh    [32, 16]               -              -
          2: Linear  [32, 1]               17            512
        ────────────────────────────────────────────────────
        Parameters: 65 (65 trainable, 0 not)
        Multiply-adds: 1.536k
        Memory: 8.964 kB (input 256 B, forward and backward 8.448 kB, parameters 260 B)
        ────────────────────────────────────────────────────
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary: model must be an nn.Module, not {type(model).__name__}")
    given, named = _inputs(input_size, input_data, dtypes)
    named = {**named, **options}
    seen: dict[Module, Layer] = {}
    layers = list(_walk(type(model).__name__, model, 0, seen))
    counted: set[int] = set()
    parameters: list[Tensor] = []
    for module, layer in seen.items():
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in counted:
                counted.add(id(parameter))
                parameters.append(parameter)
                layer.parameters += parameter.numel()
                layer.trainable += parameter.numel() if parameter.requires_grad else 0
    _run(model, seen, given, named)
    result = ModelSummary(
        layers=layers,
        input_shapes=_shapes((given, named)),
        total_params=sum(layer.parameters for layer in layers),
        trainable_params=sum(layer.trainable for layer in layers),
        total_mult_adds=sum(layer.multiply_adds for layer in layers),
        total_input=sum(_size(each) for each in _tensors((given, named))),
        total_output_bytes=2 * sum(layer.output_bytes for layer in layers),
        total_param_bytes=sum(_size(each) for each in parameters),
        shown_depth=depth,
    )
    if verbose:
        print(result)
    return result
