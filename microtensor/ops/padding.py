"""Padding: a border of a number, or of what the tensor itself continues with."""

from __future__ import annotations

from typing import Any

from microtensor import kernels
from microtensor.ops import samples
from microtensor.ops.arrays import Array, empty
from microtensor.ops.declare import declare, publish, refuse
from microtensor.ops.reshaping import sizes_of
from microtensor.ops.views import part
from microtensor.tensor import Tensor

Widths = tuple[tuple[int, int], ...]
MODES = ("constant", "reflect", "replicate", "circular")


def _padded_shape(shape: tuple[int, ...], widths: Widths) -> tuple[int, ...]:
    return tuple(n + lower + upper for n, (lower, upper) in zip(shape, widths, strict=True))


def _constant_forward(x: Array, widths: Widths, value: Any = 0) -> Array:
    out = empty(_padded_shape(x.shape, widths), x.dtype)
    kernels.pad_constant(x, widths, value, out)
    return out


def _opposite(widths: Widths) -> Widths:
    return tuple((-lower, -upper) for lower, upper in widths)


pad_constant: Any = declare(
    "pad_constant",
    "input: Tensor, widths: Any, value: Any = 0",
    _constant_forward,
    # What was added is cut off again, and what was cut off had no influence.
    rules={"input": lambda g, widths: pad_constant(g, _opposite(widths))},
    summary="Put a border of one number around a tensor; negative widths cut off.",
    integral=True,
    namespaces=(),
    samples=samples.given(
        (((3, 4),), {"widths": ((1, 2), (0, 3)), "value": 2.5}),
        (((3, 4),), {"widths": ((-1, 2), (1, -2))}),
        (((2, 0),), {"widths": ((0, 0), (1, 1))}),
    ),
)


def _border_forward(x: Array, widths: Widths, mode: str) -> Array:
    out = empty(_padded_shape(x.shape, widths), x.dtype)
    kernels.pad_border(x, widths, mode, out)
    return out


def _fold_forward(g: Array, widths: Widths, mode: str) -> Array:
    out = empty(_padded_shape(g.shape, _opposite(widths)), g.dtype)
    kernels.fold_border(g, widths, mode, out)
    return out


_BORDER = ((0, 0), (1, 2), (2, 1))
fold_border: Any = declare(
    "fold_border",
    "grad: Tensor, widths: Any, mode: str",
    _fold_forward,
    rules={"grad": lambda g, widths, mode: pad_border(g, widths, mode)},
    summary="Add up what a border repeats: the gradient of padding.",
    namespaces=(),
    samples=samples.given(
        *((((2, 6, 6),), {"widths": _BORDER, "mode": mode}) for mode in MODES[1:])
    ),
)

pad_border: Any = declare(
    "pad_border",
    "input: Tensor, widths: Any, mode: str",
    _border_forward,
    rules={"input": lambda g, widths, mode: fold_border(g, widths, mode)},
    summary="Put a border around a tensor that continues it.",
    integral=True,
    namespaces=(),
    samples=samples.given(
        *((((2, 3, 3),), {"widths": _BORDER, "mode": mode}) for mode in MODES[1:])
    ),
)


def _widths(pad: Any, shape: tuple[int, ...]) -> Widths:
    """Give both widths of every dimension from PyTorch's order: the last dimension comes first."""
    if isinstance(pad, Tensor):
        pad = pad.tolist()
    sizes = sizes_of((tuple(pad),), "pad") if isinstance(pad, list | tuple) else None
    if sizes is None:
        raise TypeError(
            f"pad(): argument 'pad' must be a tuple of integers, not {type(pad).__name__}"
        )
    if len(sizes) % 2:
        raise RuntimeError(
            f"pad: padding length must be divisible by 2, two widths a dimension, got {pad}"
        )
    if len(sizes) > 2 * len(shape):
        raise RuntimeError(
            "pad: padding length should be less than or equal to two times the input dimension: "
            f"padding {tuple(sizes)} is for {len(sizes) // 2} dimensions, and the input's shape is "
            f"{list(shape)}"
        )
    pairs = [(sizes[i], sizes[i + 1]) for i in range(0, len(sizes), 2)]
    widths = ((0, 0),) * (len(shape) - len(pairs)) + tuple(reversed(pairs))
    for dim, (length, (lower, upper)) in enumerate(zip(shape, widths, strict=True)):
        # Neither side may cut off more than there is.
        if length + lower + upper < 0 or -min(lower, 0) - min(upper, 0) > length:
            raise RuntimeError(
                f"pad: the input size {length}, plus negative padding {lower} and {upper}, "
                f"resulted in a negative output size at dimension {dim}"
            )
    return widths


def _check_border(mode: str, shape: tuple[int, ...], count: int, widths: Widths) -> None:
    """Refuse what PyTorch refuses: which dimensions may be padded, and by how much."""
    if not 1 <= count <= 3 or not count + 1 <= len(shape) <= count + 2:
        raise NotImplementedError(
            f"pad: mode {mode!r} pads the last 1, 2 or 3 dimensions of a tensor that has 1 or 2 "
            f"more; got an input of shape {list(shape)} and {2 * count} widths"
        )
    for dim, (length, both) in enumerate(zip(shape, widths, strict=True)):
        widest = max(both)
        if mode != "circular" and length + both[0] + both[1] < 1 and both != (0, 0):
            raise RuntimeError(
                f"pad: padding {both} leaves nothing of dimension {dim} of input {list(shape)}"
            )
        if widest <= 0:
            continue
        if not length:
            raise RuntimeError(f"pad: dimension {dim} of shape {list(shape)} has nothing to repeat")
        if mode == "reflect" and widest >= length:
            raise RuntimeError(
                "pad: padding size should be less than the corresponding input dimension, but got "
                f"padding {both} at dimension {dim} of input {list(shape)}"
            )
        if mode == "circular" and widest > length:
            raise RuntimeError(
                f"pad: padding {both} causes wrapping around more than once at dimension {dim} of "
                f"input {list(shape)}"
            )


def _cut(x: Any, widths: Widths) -> Any:
    """Cut off what negative widths say."""
    for dim, (lower, upper) in enumerate(widths):
        if lower < 0 or upper < 0:
            x = part(x, dim, max(0, -lower), x.shape[dim] + min(0, upper))
    return x


@publish(
    "input: Tensor, pad: Sequence[int], mode: str = 'constant', value: float | None = None",
    namespaces=("nn.functional",),
)
def pad(input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Tensor:
    """Put a border around a tensor.

    Args:
        input: any tensor; for modes other than ``"constant"``, with one or two dimensions more than
            are padded.
        pad: two widths a dimension, before and behind, **the last dimension first**:
            ``(left, right, top, bottom, front, back)``. Negative widths cut off.
        mode: ``"constant"``, ``"reflect"`` (mirrored at the outermost element, which is not
            repeated), ``"replicate"`` (that element again and again) or ``"circular"`` (from the
            other end).
        value: what a constant border consists of; 0 unless given.

    Returns:
        A new tensor.

    Raises:
        TypeError: widths that are no integers.
        ValueError: a value for another mode than ``"constant"``.
        NotImplementedError: an unknown mode, or dimensions that the mode is not for.
        RuntimeError: an odd number of widths, more than there are dimensions, or wider than the
            mode can fill.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.functional.pad(mt.tensor([[1.0, 2.0, 3.0]]), (2, 1), mode="reflect")
        tensor([[3., 2., 1., 2., 3., 2.]])
    """
    if not isinstance(input, Tensor):
        refuse("pad", "input", input)
    if mode not in MODES:
        raise NotImplementedError(
            f"pad: unrecognised padding mode {mode!r}; legal: {', '.join(map(repr, MODES))}"
        )
    shape = input._array.shape
    widths = _widths(pad, shape)
    if mode == "constant":
        result: Tensor = pad_constant(input, widths, 0 if value is None else value)
        return result
    if value:
        raise RuntimeError(f"pad: padding mode {mode!r} doesn't take in a value, got {value}")
    if mode == "circular":  # goes around what is left
        input = _cut(input, widths)
        shape = input._array.shape
    _check_border(mode, shape, len(tuple(pad)) // 2, widths)
    wider = tuple((max(0, lower), max(0, upper)) for lower, upper in widths)
    if any(lower or upper for lower, upper in wider):
        input = pad_border(input, wider, mode)
    else:
        input = input.clone()
    return input if mode == "circular" else _cut(input, widths)
