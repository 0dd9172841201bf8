"""F.pad and the padding layers."""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn
from microtensor.autograd import gradcheck, gradgradcheck

NUMPY_MODES = {
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("widths", [(2, 1), (1, 2, 0, 2), (1, 0, 2, 1, 0, 2)])
def test_borders_are_those_of_numpy_with_the_last_dimension_first(mode, widths):
    x = mt.randn(2, 4, 3, 5, dtype=mt.float64)
    pairs = [widths[i : i + 2] for i in range(0, len(widths), 2)][::-1]
    if mode == "constant":
        leading = 4 - len(pairs)
    else:
        x = x if len(pairs) > 1 else x[0]
        leading = x.ndim - len(pairs)
    expected = np.pad(x.numpy(), [(0, 0)] * leading + pairs, mode=NUMPY_MODES[mode])
    np.testing.assert_array_equal(F.pad(x, widths, mode=mode).numpy(), expected)


@pytest.mark.parametrize("mode", NUMPY_MODES)
@pytest.mark.parametrize("widths", [(2, 1, 0, 2), (-1, 2, 1, -1)])
def test_gradients_of_first_and_second_order(mode, widths):
    x = mt.randn(2, 3, 3, 4, dtype=mt.float64, requires_grad=True)
    assert gradcheck(lambda t: F.pad(t, widths, mode), (x,))
    assert gradgradcheck(lambda t: F.pad(t, widths, mode) ** 2, (x,))


def test_negative_widths_cut_off():
    x = mt.arange(6.0)
    assert F.pad(x, (-1, -2)).tolist() == [1.0, 2.0, 3.0]
    assert F.pad(x, (-1, 1), value=9.0).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 9.0]
    assert F.pad(x[None], (-4, 1), mode="circular").tolist() == [[4.0, 5.0, 4.0]]
    # A mirror and an edge are those of the whole tensor, before the cut.
    assert F.pad(x[None], (-4, 3), mode="reflect").tolist() == [[4.0, 5.0, 4.0, 3.0, 2.0]]


def test_integers_and_bools_are_padded_in_their_dtype():
    assert F.pad(mt.tensor([1, 2]), (1, 1), value=7).tolist() == [7, 1, 2, 7]
    padded = F.pad(mt.tensor([True]), (1, 0))
    assert padded.dtype == mt.bool and padded.tolist() == [False, True]


def test_the_result_never_shares_memory_with_the_input():
    x = mt.zeros(1, 1, 3)
    for mode in NUMPY_MODES:
        F.pad(x, (0, 0), mode).add_(1)
    assert x.tolist() == [[[0.0, 0.0, 0.0]]]


@pytest.mark.parametrize(
    ("shape", "arguments", "error", "words"),
    [
        ((3,), ((1,),), RuntimeError, "divisible by 2"),
        ((3,), ((1, 1, 1, 1),), RuntimeError, "two times the input dimension"),
        ((3,), ((-2, -2),), RuntimeError, "negative output size"),
        ((1, 3), ((1, 1), "mirror"), NotImplementedError, "'replicate'"),
        ((1, 3), ((1, 1), "reflect", 2.0), RuntimeError, "value"),
        ((1, 3), ((3, 0), "reflect"), RuntimeError, "less than the corresponding"),
        ((1, 3), ((4, 0), "circular"), RuntimeError, "more than once"),
        ((3,), ((1, 1), "replicate"), NotImplementedError, "last 1, 2 or 3"),
        ((1, 0), ((1, 1), "replicate"), RuntimeError, "nothing to repeat"),
        ((3,), (1.5,), TypeError, "'pad'"),
    ],
)
def test_bad_arguments_are_named(shape, arguments, error, words):
    with pytest.raises(error, match=words):
        F.pad(mt.zeros(*shape), *arguments)


def test_arrays_are_refused():
    with pytest.raises(TypeError, match="must be Tensor"):
        F.pad(np.zeros(3), (1, 1))


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("ConstantPad", "constant"),
        ("ZeroPad", "constant"),
        ("ReflectionPad", "reflect"),
        ("ReplicationPad", "replicate"),
        ("CircularPad", "circular"),
    ],
)
def test_layers_are_the_function(kind, mode, dims):
    x = mt.randn(*(2, 2, 3, 4, 5)[: 2 + dims])
    widths = tuple(range(2 * dims))[::-1] if mode == "constant" else (1,) * (2 * dims)
    value = (0.5,) if kind == "ConstantPad" else ()
    layer = getattr(nn, f"{kind}{dims}d")
    assert mt.equal(layer(widths, *value)(x), F.pad(x, widths, mode, *value))
    assert layer(1, *value).padding == (1,) * (2 * dims)
    with pytest.raises(ValueError, match=f"{kind}{dims}d: padding must be an int or"):
        layer((1, 2, 3), *value)
