"""What the kernels do with arrays that C cannot take, or that nobody may write."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import (
    GRADIENTS,
    IMPLEMENTATIONS,
    INPUT_LAYOUTS,
    LAYOUTS,
    UNARY,
    call,
    each_dtype,
    each_implementation,
    layout_pairs,
    needs_native,
    numbers,
    parameters,
    tolerance,
)


def _close(actual, expected):
    np.testing.assert_allclose(actual, expected, **tolerance(np.float32))


@each_implementation
@each_dtype
@layout_pairs
def test_any_layout_gives_the_same_values(implementation, dtype, layout, out_layout):
    x, g = numbers((6, 8), dtype), numbers((6, 8), dtype, seed=1)
    if layout == "broadcast":
        x, g = np.repeat(x[:1], 6, axis=0), np.repeat(g[:1], 6, axis=0)
    odd_x, odd_g = INPUT_LAYOUTS[layout](x), INPUT_LAYOUTS[layout](g)
    kernel = IMPLEMENTATIONS[implementation]
    out = LAYOUTS[out_layout](np.full_like(x, 7))
    kernel["tanh"](odd_x, out)
    _close(out, np.tanh(x))
    out = LAYOUTS[out_layout](np.full_like(x, 7))
    kernel["silu_backward"](odd_g, odd_x, out)
    _close(out, call("numpy", "silu_backward", g, x))
    out = LAYOUTS[out_layout](np.full_like(x, 7))
    kernel["softmax"](odd_x, out)
    _close(out, np.exp(x) / np.exp(x).sum(axis=1, keepdims=True))


@each_implementation
@each_dtype
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (1, 1, 1), (2, 3, 4, 5)])
@pytest.mark.parametrize("name", [*UNARY, *GRADIENTS])
def test_any_shape(implementation, dtype, shape, name):
    x = np.abs(numbers(shape, dtype)) + dtype(0.1)
    x = np.asarray(x, dtype).reshape(shape)
    arrays = (np.full_like(x, 2), x) if name in GRADIENTS else (x,)
    out = call(implementation, name, *arrays)
    flat = call("numpy", name, *(array.reshape(-1) for array in arrays))
    np.testing.assert_allclose(out.reshape(-1), flat, **tolerance(dtype))


@each_implementation
@pytest.mark.parametrize("name", UNARY)
def test_float16_is_computed_wider_and_rounded_once(implementation, name):
    x = np.array([0.25, 0.5, 1.0, 2.0, 4.0], np.float16)
    exact = call("numpy", name, x.astype(np.float64))
    np.testing.assert_array_equal(call(implementation, name, x), exact.astype(np.float16))


@each_implementation
@each_dtype
def test_scalars_of_numpy_are_read(implementation, dtype):
    out = np.empty((), dtype)
    IMPLEMENTATIONS[implementation]["tanh"](dtype(0.5), out)
    _close(out, np.tanh(0.5))


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", [*UNARY, *GRADIENTS])
def test_the_output_may_be_an_input(implementation, dtype, name):
    x = np.abs(numbers((70, 70), dtype)) + dtype(0.1)
    arrays = (numbers(x.shape, dtype, seed=1), x) if name in GRADIENTS else (x,)
    expected = call(implementation, name, *arrays)
    for place in range(len(arrays)):
        own = [array.copy() for array in arrays]
        IMPLEMENTATIONS[implementation][name](*own, own[place], *parameters(name))
        np.testing.assert_array_equal(own[place], expected)


@each_implementation
@each_dtype
@given(
    size=st.integers(1, 300),
    shift=st.integers(-300, 300),
    name=st.sampled_from(["tanh", "relu", "gelu"]),
)
@settings(max_examples=60, deadline=None)
def test_overlapping_arrays_are_as_good_as_apart(implementation, dtype, size, shift, name):
    memory = numbers(1000, dtype)
    x, out = memory[350 : 350 + size], memory[350 + shift : 350 + shift + size]
    expected = call(implementation, name, x.copy())
    before = memory.copy()
    IMPLEMENTATIONS[implementation][name](x, out)
    np.testing.assert_allclose(out, expected, **tolerance(dtype))
    untouched = np.ones(1000, bool)
    untouched[350 + shift : 350 + shift + size] = False
    np.testing.assert_array_equal(memory[untouched], before[untouched])


@each_implementation
@each_dtype
def test_gradients_with_both_inputs_overlapping_the_output(implementation, dtype):
    memory = numbers(400, dtype)
    g, x, out = memory[:200], memory[100:300], memory[50:250]
    expected = call(implementation, "silu_backward", g.copy(), x.copy())
    IMPLEMENTATIONS[implementation]["silu_backward"](g, x, out)
    np.testing.assert_allclose(out, expected, **tolerance(dtype))


@needs_native
@each_dtype
@pytest.mark.parametrize("name", [*UNARY, *GRADIENTS])
def test_bits_do_not_depend_on_where_an_element_lies(dtype, name):
    """Vectors and what is left over must round alike, or alignment would show in results."""
    x, g = numbers((6000,), dtype, scale=4.0), numbers((6000,), dtype, seed=1)
    arrays = (g, x) if name in GRADIENTS else (x,)
    whole, parts = np.empty_like(x), np.empty_like(x)
    kernel = IMPLEMENTATIONS["native"][name]
    kernel(*arrays, whole, *parameters(name))
    for first in range(0, 6000, 7):
        piece = slice(first, first + 7)
        kernel(*(array[piece] for array in arrays), parts[piece], *parameters(name))
    np.testing.assert_array_equal(parts, whole)


WRITERS = {
    "tanh": lambda kernel, x, out: kernel["tanh"](x, out),
    "silu_backward": lambda kernel, x, out: kernel["silu_backward"](x, x, out),
    "softmax": lambda kernel, x, out: kernel["softmax"](x, out),
    "softmax_backward": lambda kernel, x, out: kernel["softmax_backward"](x, x, out),
    "matmul": lambda kernel, x, out: kernel["matmul"](x, x, out),
    "linear": lambda kernel, x, out: kernel["linear"](x, x, x[0].copy(), out),
    "sum": lambda kernel, x, out: kernel["sum"](x, (0,), out[:1]),
    "random_uniform": lambda kernel, x, out: kernel["random_uniform"](_state(), out),
    "dropout": lambda kernel, x, out: kernel["dropout"](x, 0.5, _state(), x.copy(), out),
    "cross_entropy_backward": lambda kernel, x, out: kernel["cross_entropy_backward"](
        x[0, :1], x, np.zeros(5, np.int64), None, -100, 0.0, 2, x[0], x[0, :1], out
    ),
}


def _state():
    return np.array([1, 0], np.uint64)


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", WRITERS)
def test_a_read_only_output_is_refused_and_unharmed(implementation, dtype, name):
    x, out = numbers((5, 5), dtype), np.zeros((5, 5), dtype)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        WRITERS[name](IMPLEMENTATIONS[implementation], x, out)
    assert not out.any()


@each_implementation
def test_a_read_only_memory_map_is_refused(implementation, tmp_path):
    """Writing into one kills the process."""
    path = tmp_path / "numbers"
    np.zeros(4096, np.float32).tofile(path)
    mapped = np.memmap(path, np.float32, mode="r")
    with pytest.raises(ValueError, match="read-only"):
        IMPLEMENTATIONS[implementation]["tanh"](np.ones(4096, np.float32), mapped)


@each_implementation
@each_dtype
@pytest.mark.parametrize("name", [name for name in WRITERS if name != "random_uniform"])
def test_an_output_of_another_size_is_refused(implementation, dtype, name):
    x, out = numbers((5, 5), dtype), np.zeros((2, 3), dtype)
    with pytest.raises(ValueError):
        WRITERS[name](IMPLEMENTATIONS[implementation], x, out)


@each_implementation
def test_unpickled_arrays_are_taken(implementation):
    x = pickle.loads(pickle.dumps(numbers((3, 4), np.float32)))
    _close(call(implementation, "tanh", x), np.tanh(x))


@needs_native
@each_dtype
def test_another_dtype_object_still_runs_in_c(dtype, monkeypatch):
    from microtensor.kernels import native_border

    x = INPUT_LAYOUTS["another dtype object"](numbers((3, 4), dtype))
    seen = []
    real = native_border.canonical
    assert real(x).dtype is np.dtype(dtype)
    monkeypatch.setattr(native_border, "canonical", lambda a: seen.append(a) or real(a))
    np.testing.assert_array_equal(
        call("native", "tanh", x), call("native", "tanh", np.array(x, dtype))
    )
    assert seen


@each_implementation
@pytest.mark.parametrize("name", ["tanh", "exp", "gelu"])
def test_warnings_of_numpy_stay_silent(implementation, name):
    with np.errstate(all="raise"):
        call(implementation, name, np.array([1e300, -1e300, np.nan, np.inf]))
        call(implementation, name, np.array([1e300, -1e300])[::-1])
