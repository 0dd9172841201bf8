"""Shapes, views, joining and rearranging: beside NumPy, and their derivatives."""

import itertools

import numpy as np
import pytest

import microtensor as mt
from microtensor.autograd import gradcheck, gradgradcheck

A = np.arange(12.0).reshape(3, 4) + 0.5
T = np.arange(24.0).reshape(2, 3, 4) - 3
V = np.array([3.0, -1.0, np.nan, np.inf, -0.0])

# ours, NumPy's
VALUES = {
    "flip": (lambda: mt.flip(mt.tensor(T), (0, -1)), lambda: np.flip(T, (0, -1))),
    "fliplr": (lambda: mt.fliplr(mt.tensor(A)), lambda: np.fliplr(A)),
    "flipud": (lambda: mt.flipud(mt.tensor(V)), lambda: np.flipud(V)),
    "roll": (lambda: mt.roll(mt.tensor(T), (2, -1), (0, 2)), lambda: np.roll(T, (2, -1), (0, 2))),
    "roll flat": (lambda: mt.roll(mt.tensor(A).t(), 5), lambda: np.roll(A.T, 5)),
    "rot90": (lambda: mt.rot90(mt.tensor(T), 1, (2, 0)), lambda: np.rot90(T, 1, (2, 0))),
    "rot90 back": (lambda: mt.rot90(mt.tensor(A), -1), lambda: np.rot90(A, -1)),
    "tile": (lambda: mt.tile(mt.tensor(A), (2, 1, 3)), lambda: np.tile(A, (2, 1, 3))),
    "repeat": (lambda: mt.tensor(V).repeat(2, 2), lambda: np.tile(V, (2, 2))),
    "repeat_interleave": (
        lambda: mt.repeat_interleave(mt.tensor(A), mt.tensor([2, 0, 3]), 0),
        lambda: np.repeat(A, [2, 0, 3], 0),
    ),
    "tril": (lambda: mt.tril(mt.tensor(T), 1), lambda: np.tril(T, 1)),
    "triu": (lambda: mt.triu(mt.tensor(T), -1), lambda: np.triu(T, -1)),
    "tril of infinities": (
        lambda: mt.tril(mt.full((2, 2), float("inf"))),
        lambda: np.array([[np.inf, 0], [np.inf, np.inf]]),
    ),
    "diag": (lambda: mt.diag(mt.tensor(V), -2), lambda: np.diag(V, -2)),
    "diagonal": (lambda: mt.tensor(T).diagonal(1, 2, 1), lambda: T.diagonal(1, 2, 1)),
    "diagflat": (lambda: mt.diagflat(mt.tensor(A), 1), lambda: np.diagflat(A, 1)),
    "movedim": (
        lambda: mt.movedim(mt.tensor(T), (0, 1), (-1, 0)),
        lambda: np.moveaxis(T, (0, 1), (-1, 0)),
    ),
    "hstack": (
        lambda: mt.hstack([mt.tensor(A), mt.tensor(A)]),
        lambda: np.hstack([A, A]),
    ),
    "vstack": (lambda: mt.vstack([mt.tensor(A), mt.ones(4)]), lambda: np.vstack([A, np.ones(4)])),
    "dstack": (lambda: mt.dstack([mt.tensor(A)] * 2), lambda: np.dstack([A, A])),
    "column_stack": (
        lambda: mt.column_stack([mt.tensor(V), mt.tensor(V)]),
        lambda: np.column_stack([V, V]),
    ),
    "stack": (lambda: mt.stack([mt.tensor(A)] * 3, 1), lambda: np.stack([A] * 3, 1)),
    "unfold": (
        lambda: mt.tensor(A).unfold(1, 3, 1),
        lambda: np.lib.stride_tricks.sliding_window_view(A, 3, 1),
    ),
    "vander": (
        lambda: mt.vander(mt.tensor([1.5, -2.0]), 4),
        lambda: np.vander([1.5, -2.0], 4),
    ),
    "atleast_3d": (lambda: mt.atleast_3d(mt.tensor(A)), lambda: np.atleast_3d(A)),
    "tril_indices": (lambda: mt.tril_indices(4, 3, 1), lambda: np.array(np.tril_indices(4, 1, 3))),
    "triu_indices": (
        lambda: mt.triu_indices(4, 3, -1),
        lambda: np.array(np.triu_indices(4, -1, 3)),
    ),
    "cartesian_prod": (
        lambda: mt.cartesian_prod(mt.tensor([1, 2]), mt.tensor([3, 4, 5])),
        lambda: np.array(list(itertools.product([1, 2], [3, 4, 5]))),
    ),
    "combinations": (
        lambda: mt.combinations(mt.arange(5), 3),
        lambda: np.array(list(itertools.combinations(range(5), 3))),
    ),
    "combinations with replacement": (
        lambda: mt.combinations(mt.arange(4), 2, True),
        lambda: np.array(list(itertools.combinations_with_replacement(range(4), 2))),
    ),
    "logspace": (lambda: mt.logspace(-2, 3, 7, 3.0), lambda: np.logspace(-2, 3, 7, base=3.0)),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_numpys(name):
    ours, numpys = VALUES[name]
    np.testing.assert_allclose(ours().numpy(), numpys(), rtol=1e-6)


@pytest.mark.parametrize("indexing", ["ij", "xy"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_grids_are_numpys(count, indexing):
    vectors = [np.arange(2.0), np.arange(3.0) * 7, np.arange(4.0) - 9][:count]
    ours = mt.meshgrid(*map(mt.tensor, vectors), indexing=indexing)
    numpys = np.meshgrid(*vectors, indexing=indexing)
    assert len(ours) == count
    for mine, theirs in zip(ours, numpys, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs)


@pytest.mark.parametrize("dtype", [mt.float16, mt.uint8, mt.int64, mt.bool])
def test_every_dtype_can_be_rearranged(dtype):
    x = mt.tensor([[1, 0, 1], [0, 1, 1]]).to(dtype)
    array = x.numpy()
    for ours, theirs in [
        (x.flip(1), np.flip(array, 1)),
        (x.roll(1, 0), np.roll(array, 1, 0)),
        (x.tril(), np.tril(array)),
        (x.repeat(2, 2), np.tile(array, (2, 2))),
        (mt.diag(x), np.diag(array)),
        (mt.cat([x, x], 1), np.concatenate([array, array], 1)),
        (mt.block_diag(x, x)[:2, :3], array),
        (x.unfold(1, 2, 1)[:, 1], array[:, 1:]),
        (x.repeat_interleave(2, 1), np.repeat(array, 2, 1)),
    ]:
        assert ours.dtype is dtype
        np.testing.assert_array_equal(ours.numpy(), theirs)


# ---- derivatives of what is put together from ops -----------------------------------------------

COMPOSITES = {
    "roll": lambda x, y: mt.roll(x, (1, -1), (0, 1)),
    "rot90": lambda x, y: mt.rot90(x, 3),
    "tile": lambda x, y: mt.tile(x, (2, 1, 2)),
    "repeat_interleave": lambda x, y: x.repeat_interleave(2, 1),
    "repeat_interleave by tensor": lambda x, y: x.repeat_interleave(mt.tensor([2, 0]), 0),
    "diag": lambda x, y: mt.diag(y),
    "diag of a matrix": lambda x, y: mt.diag(x, 1),
    "diag_embed": lambda x, y: mt.diag_embed(x, -1, 0, 2),
    "diagflat": lambda x, y: mt.diagflat(x),
    "block_diag": lambda x, y: mt.block_diag(x, y, y[0]),
    "hstack": lambda x, y: mt.hstack([y, y, y[:1]]),
    "vstack": lambda x, y: mt.vstack([x, y]),
    "dstack": lambda x, y: mt.dstack([x, x]),
    "column_stack": lambda x, y: mt.column_stack([x.t(), y]),
    "meshgrid": lambda x, y: mt.stack(mt.meshgrid(y, x[0], indexing="xy")),
    "cartesian_prod": lambda x, y: mt.cartesian_prod(y, x[0]),
    "combinations": lambda x, y: mt.combinations(y, 2, True),
    "vander": lambda x, y: mt.vander(y, 4),
    "as_strided": lambda x, y: (x * x).as_strided((2, 3, 2), (1, 1, 2)),
    "as_strided of a view": lambda x, y: (x * x).t()[1:].as_strided((2, 2), (1, 3)),
    "as_strided of an expanded view": lambda x, y: (y * y).expand(2, 3).as_strided((3, 2), (1, 0)),
    "unfold of a transposed view": lambda x, y: (x * x).t().unfold(0, 2, 1),
    "tensor_split": lambda x, y: mt.tensor_split(x, 2, 1)[0],
    "unbind": lambda x, y: x.unbind(1)[1] * x.unbind(1)[2],
    "broadcast_tensors": lambda x, y: mt.broadcast_tensors(y, x)[0],
    "tril_ of a view": lambda x, y: (x * 2).t().tril_(),
    "a write through strides": lambda x, y: _written(x * x, y),
    "a write through windows": lambda x, y: _written_windows(x * x, y),
}


def _written(x, y):
    x.as_strided((3,), (2,)).mul_(y)
    x[1:].as_strided((2,), (2,)).sin_()
    return x


def _written_windows(x, y):
    x.unfold(1, 1, 2)[:, 1].copy_(y[:2].unsqueeze(1))
    x.diagonal(1).mul_(3)
    return x


@pytest.mark.parametrize("name", COMPOSITES)
def test_first_and_second_derivatives(name):
    rng = np.random.default_rng(3)
    x = mt.tensor(rng.normal(size=(2, 3)), requires_grad=True)
    y = mt.tensor(rng.normal(size=3), requires_grad=True)

    def squared(x, y):
        return COMPOSITES[name](x, y).square()

    assert gradcheck(squared, [x, y])
    assert gradgradcheck(squared, [x, y])


# ---- views --------------------------------------------------------------------------------------


def test_windows_that_overlap_are_not_written_to():
    """PyTorch writes, and gives what depends on the order."""
    x = mt.arange(5.0)
    with pytest.raises(RuntimeError, match="several elements share"):
        x.unfold(0, 3, 1).add_(1)
    with pytest.raises(RuntimeError, match="several elements share"):
        x.as_strided((2, 2), (1, 1)).add_(1)
    x.unfold(0, 2, 2).add_(1)
    assert x.tolist() == [1, 2, 3, 4, 4]


def test_strides_that_interleave_without_overlap_are_written_to():
    x = mt.zeros(8)
    x.as_strided((3, 2), (2, 3)).add_(1)  # the places 0 3, 2 5, 4 7
    assert x.tolist() == [1, 0, 1, 1, 1, 1, 0, 1]


def test_read_only_memory_stays_read_only():
    array = np.arange(6.0).reshape(2, 3)
    array.flags.writeable = False
    x = mt.from_numpy(array)
    for view in (x.expand(2, 2, 3), x.diagonal(), x.unfold(1, 1, 1), x.as_strided((2,), (1,))):
        with pytest.raises(RuntimeError, match="read-only"):
            view[0].zero_()


def test_parts_of_an_expanded_tensor_are_written_to():
    x = mt.zeros(3)
    expanded = x.expand(2, 3)
    expanded[1].add_(1)
    assert x.tolist() == [1, 1, 1] and expanded.tolist() == [[1, 1, 1]] * 2
    with pytest.raises(RuntimeError, match="several elements share"):
        expanded.add_(1)


def test_another_dtype_on_the_same_bytes_sees_every_write():
    x = mt.zeros(2, 2)
    bits = x.view(mt.int32)
    bits[0, 0] = 0x3F800000
    assert x.tolist() == [[1, 0], [0, 0]]
    assert x._version == bits._version == 1
    assert x.view(mt.uint8).shape == (2, 8) and x.view(mt.float64).shape == (2, 1)
    y = mt.ones(2, requires_grad=True)
    assert not y.view(mt.int32).requires_grad


def test_strides_of_what_does_not_lie_in_memory_contiguously():
    """Writing through would need a record that follows the base's own strides."""
    base = mt.from_numpy(np.arange(6.0).reshape(2, 3).T)
    view = base.as_strided((2, 2), (3, 1))
    assert view.tolist() == [[0, 1], [3, 4]]
    with pytest.raises(RuntimeError, match="read-only"):
        view.zero_()
    with pytest.raises(RuntimeError, match="gaps"):
        mt.from_numpy(np.ndarray((2, 2), "f8", bytearray(64), 0, (32, 8))).as_strided((1,), (1,))


def test_sizes_may_be_given_as_pytorch_takes_them():
    x = mt.arange(6)
    for call in (
        lambda: x.reshape(2, 3),
        lambda: x.reshape((2, 3)),
        lambda: x.reshape([2, 3]),
        lambda: x.view(mt.zeros(2, 3).shape),
        lambda: x.view(np.int64(2), mt.tensor(3)),
    ):
        assert call().shape == (2, 3)
    with pytest.raises(TypeError, match=r"reshape\(\): sizes must be integers, got float, int"):
        x.reshape(2.0, 3)
    with pytest.raises(TypeError, match="bool"):
        x.reshape(True, 6)
