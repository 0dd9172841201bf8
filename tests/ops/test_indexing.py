"""Indexing: values, views, gradients, and assignment, against NumPy."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.autograd import gradcheck, gradgradcheck

ARRAY = np.arange(24.0).reshape(2, 3, 4)

BASIC = {
    "0": 0,
    "-1": -1,
    "np.int64": np.int64(1),
    "slice": slice(1, None),
    "step": (slice(None), slice(0, 3, 2)),
    "empty slice": slice(2, 1),
    "slice beyond the end": slice(0, 99),
    "None": None,
    "None between": (slice(None), None, 1),
    "Ellipsis": ...,
    "Ellipsis and integer": (..., 2),
    "integers": (1, 2, 3),
    "integer, Ellipsis, integer": (0, ..., 1),
    "()": (),
}
ADVANCED = {
    "list": [1, 0, 1],
    "array": np.array([1, 0]),
    "matrix": np.array([[0, 1], [1, 1]]),
    "negative": np.array([-1, -2]),
    "two arrays": (np.array([0, 1, 1]), np.array([2, 0, 2])),
    "arrays that broadcast": (np.array([[0], [1]]), np.array([2, 0, 1])),
    "mask": ARRAY > 7,
    "mask of rows": np.array([True, False]),
    "mask of two dimensions": np.array([[True, False, True], [False, False, True]]),
    "list of bools": [False, True],
    "slice and array": (slice(None), np.array([2, 0])),
    "array and slice": (np.array([1, 0]), slice(1, 3)),
    "Ellipsis and array": (..., np.array([3, 0, 3])),
    "arrays apart": (np.array([0, 1]), slice(None), np.array([3, 1])),
    "None and array": (None, np.array([1, 1])),
    "array and None": (np.array([1, 1]), None, slice(0, 2)),
    "array and integer": (np.array([1, 0]), 2),
    "integer and array": (1, np.array([2, 0])),
    "empty": np.array([], np.int64),
    "empty list": [],
    "range": range(2),
    "tuple within a tuple": ((1, 0),),
    "int32": np.array([1, 0], np.int32),
    "int8": np.array([1, 0], np.int8),
    "True": True,
    "False": False,
}


def tensors(index):
    """The same index with tensors for arrays."""
    if isinstance(index, tuple):
        return tuple(part if isinstance(part, tuple) else tensors(part) for part in index)
    return mt.from_numpy(index) if isinstance(index, np.ndarray) else index


def numpys(index):
    """The same index as NumPy has to be told: an empty list is no index of floats."""
    return np.array([], np.int64) if isinstance(index, list) and not index else index


@pytest.mark.parametrize("name", BASIC)
def test_basic_indices_give_views(name):
    x = mt.from_numpy(ARRAY.copy())
    part = x[BASIC[name]]
    np.testing.assert_array_equal(part.numpy(), ARRAY[BASIC[name]])
    assert part.shape == ARRAY[BASIC[name]].shape
    assert np.shares_memory(part.numpy(), x.numpy()) or part.numel() == 0


@pytest.mark.parametrize("name", ADVANCED)
@pytest.mark.parametrize("convert", [lambda i: i, tensors], ids=["arrays", "tensors"])
def test_advanced_indices_give_copies(name, convert):
    x = mt.from_numpy(ARRAY.copy())
    part = x[convert(ADVANCED[name])]
    expected = ARRAY[numpys(ADVANCED[name])]
    np.testing.assert_array_equal(part.numpy(), expected)
    assert part.shape == expected.shape
    assert not np.shares_memory(part.numpy(), x.numpy())


@pytest.mark.parametrize("name", BASIC | ADVANCED)
def test_derivatives(name):
    index = tensors((BASIC | ADVANCED)[name])
    x = mt.from_numpy(ARRAY / 7).requires_grad_()
    assert gradcheck(lambda x: x[index] * 2, x)
    assert gradgradcheck(lambda x: x[index].square(), x)


@pytest.mark.parametrize("name", BASIC | ADVANCED)
@pytest.mark.parametrize("kind", ["number", "one", "whole"])
def test_assignment(name, kind, rng):
    index = (BASIC | ADVANCED)[name]
    expected = ARRAY.copy()
    shape = expected[numpys(index)].shape
    value = {"number": 5.0, "one": np.array([7.0]), "whole": rng.normal(size=shape)}[kind]
    if kind == "one" and not shape:
        value = np.array(7.0)
    expected[numpys(index)] = value
    x = mt.from_numpy(ARRAY.copy())
    x[tensors(index)] = tensors(np.asarray(value)) if kind != "number" else value
    np.testing.assert_array_equal(x.numpy(), expected)


# Where a place is written to twice, which value stays is not defined, as in PyTorch.
TWICE = ("list", "matrix", "Ellipsis and array", "None and array", "array and None")


@pytest.mark.parametrize("name", [n for n in BASIC | ADVANCED if n not in TWICE])
def test_derivatives_of_assignment(name):
    index = tensors((BASIC | ADVANCED)[name])
    x = mt.from_numpy(ARRAY / 7).requires_grad_()
    w = mt.tensor(ARRAY[numpys((BASIC | ADVANCED)[name])] / 5 + 1).requires_grad_()

    def function(x, w):
        y = x * 1
        y[index] = w.square()
        return y.square()

    assert gradcheck(function, [x, w])
    assert gradgradcheck(function, [x, w])


def test_repeated_indices_add_their_gradients():
    x = mt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[mt.tensor([2, 2, 0])].backward(mt.tensor([1.0, 10.0, 100.0]))
    assert x.grad.tolist() == [100, 0, 11]


def test_integers_are_applied_before_arrays_as_in_pytorch():
    # NumPy would broadcast them with the arrays, and put the dimension of the arrays first.
    x = mt.from_numpy(ARRAY.copy())
    part = x[0, :, mt.tensor([1, 2])]
    np.testing.assert_array_equal(part.numpy(), ARRAY[0][:, [1, 2]])
    x[0, :, mt.tensor([1, 2])] = mt.zeros(3, 2, dtype=mt.float64)
    expected = ARRAY.copy()
    expected[0][:, [1, 2]] = 0
    np.testing.assert_array_equal(x.numpy(), expected)
    part = x[mt.tensor([1, 0]), ..., 3]
    np.testing.assert_array_equal(part.numpy(), expected[[1, 0]][..., 3])


def test_zero_dimensional_integer_tensors_are_integers():
    x = mt.from_numpy(ARRAY.copy())
    part = x[mt.tensor(1), :, mt.tensor(2)]
    np.testing.assert_array_equal(part.numpy(), ARRAY[1, :, 2])
    assert np.shares_memory(part.numpy(), x.numpy())
    np.testing.assert_array_equal(x[: mt.tensor(1)].numpy(), ARRAY[:1])


def test_integers_and_bools_can_be_indexed_too():
    x = mt.arange(6).reshape(2, 3)
    assert x[1].tolist() == [3, 4, 5] and x[x > 3].tolist() == [4, 5]
    x[0] = 9
    x[1, 2] = True
    assert x.tolist() == [[9, 9, 9], [3, 4, 1]]
    mask = x > 3
    mask[0] = False
    assert mask.tolist() == [[False] * 3, [False, True, False]]


def test_leading_ones_of_the_value_are_dropped():
    x = mt.zeros(2, 3)
    w = mt.ones(1, 1, 3, requires_grad=True)
    x[1] = w
    x.sum().backward()
    assert w.grad.shape == (1, 1, 3) and w.grad.sum().item() == 3


def test_assigning_python_sequences_and_arrays():
    x = mt.zeros(2, 3)
    x[0] = [1, 2, 3]
    x[1] = np.array([4.0, 5.0, 6.0])
    assert x.tolist() == [[1, 2, 3], [4, 5, 6]] and x.dtype is mt.float32


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (5, r"index 5 is out of bounds.*\[2, 3, 4\]"),
        (-3, "out of bounds"),
        ((0, 0, 0, 0), "too many indices"),
        (1.5, "only integers, slices.*float"),
        ("a", "str"),
        (np.array([0.5]), "must be integer or bool.*float64"),
        (np.array([0, 2]), "out of bounds"),
        (np.array([True, False, True]), "boolean index did not match"),
        (np.array([0, 1], np.uint8), r"uint8.*\.bool\(\) or \.long\(\)"),
        ((..., ...), "ellipsis"),
    ],
)
def test_impossible_indices(index, words):
    x = mt.from_numpy(ARRAY.copy())
    with pytest.raises(IndexError, match=words):
        x[tensors(index)]
    with pytest.raises(IndexError):
        x[tensors(index)] = 0.0


def test_steps_must_be_positive_as_in_pytorch():
    x = mt.arange(4)
    with pytest.raises(ValueError, match="step must be greater than zero"):
        x[::-1]
    with pytest.raises(ValueError, match="step must be greater than zero"):
        x[::-1] = 0


def test_slices_take_integers_only():
    with pytest.raises(TypeError):
        mt.arange(4)[0:1.5]


def test_values_that_do_not_fit_are_refused():
    x = mt.zeros(2, 3)
    with pytest.raises(RuntimeError, match=r"\[2\].*\[3\]"):
        x[0] = mt.ones(2)
    with pytest.raises(RuntimeError, match=r"\[4\].*\[1, 2\]"):
        x[mt.tensor([True, False]), :2] = mt.ones(4)
    assert (x == 0).all()
