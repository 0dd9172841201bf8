"""Tensor itself: what it is made of, what it says about itself, and how it travels."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import microtensor as mt

NAN, INF = float("nan"), float("inf")

# ---- making -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, "float32", ()),
        (3, "int64", ()),
        (True, "bool", ()),
        ([1, 2.5], "float32", (2,)),
        ([1, True], "int64", (2,)),
        ([True, False], "bool", (2,)),
        ([[1.0], [2.0]], "float32", (2, 1)),
        (((1, 2), (3, 4)), "int64", (2, 2)),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        (range(3), "int64", (3,)),
        (np.float64(1.5), "float64", ()),
        (np.float32(1.5), "float32", ()),
        (np.int16(3), "int16", ()),
        (np.bool_(True), "bool", ()),
        ([np.float64(1.5)], "float64", (1,)),
        ([np.int32(1)], "int32", (1,)),
        (np.ones(3), "float64", (3,)),
        (np.ones((2, 2), "f4"), "float32", (2, 2)),
        ([np.ones(2), np.zeros(2)], "float64", (2, 2)),
        (np.arange(3), "int64", (3,)),
        (np.array([], "f8"), "float64", (0,)),
        (np.ones(2, ">f4"), "float32", (2,)),
    ],
)
def test_dtype_and_shape_follow_the_data(data, dtype, shape):
    x = mt.tensor(data)
    assert x.dtype.name == dtype and x.shape == shape
    np.testing.assert_array_equal(x.numpy(), np.asarray(data))


def test_a_list_may_contain_tensors():
    x = mt.tensor([mt.tensor(1.0), 2.0, mt.tensor(3)])
    assert x.tolist() == [1, 2, 3]
    assert mt.tensor([mt.ones(2), mt.zeros(2)]).shape == (2, 2)


def test_tensor_copies_and_from_numpy_shares():
    array = np.ones(3)
    copied, shared = mt.tensor(array), mt.from_numpy(array)
    array[0] = 7
    assert copied.tolist() == [1, 1, 1] and shared.tolist() == [7, 1, 1]
    shared.mul_(2)
    assert array.tolist() == [14, 2, 2]
    assert mt.as_tensor(array).numpy() is array
    assert mt.as_tensor(shared) is shared
    assert mt.as_tensor(array, dtype=mt.float32).dtype is mt.float32
    assert mt.tensor(shared).numpy() is not array


def test_data_that_shares_its_memory_is_copied_too():
    class Holder:
        def __init__(self):
            self.array = np.ones(2)

        def __array__(self, dtype=None, copy=None):
            return self.array

    holder = Holder()
    x = mt.tensor(holder)
    holder.array[0] = 5
    assert x.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("data", "dtype", "expected"),
    [
        ([1.7, -1.7], mt.int64, [1, -1]),
        ([1, 2], mt.float64, [1, 2]),
        ([0, 2], mt.bool, [False, True]),
        ([0.0, NAN], mt.bool, [False, True]),
        (3, mt.float32, 3),
        ([True], mt.uint8, [1]),
        ([1.0], "float64", [1]),
        ([1.0], np.float64, [1]),
        ([1.5], float, [1.5]),
        ([1.5], int, [1]),
        ([1.5], bool, [True]),
    ],
)
def test_dtype_may_be_given(data, dtype, expected):
    x = mt.tensor(data, dtype=dtype)
    assert x.tolist() == expected


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ("a", TypeError, "numbers or bools.*str"),
        ([None], TypeError, "object"),
        (1j, TypeError, "complex"),
        ([[1], [1, 2]], ValueError, "inhomogeneous"),
        ([2**63], ValueError, "too large"),
        ([2**70, 1], ValueError, "too large"),
        (np.ones(2, np.uint64), TypeError, "uint64.*supported: float16"),
        (np.array(["a"]), TypeError, "numbers or bools"),
        ({1: 2}, TypeError, "dict"),
    ],
)
def test_data_that_no_tensor_holds(data, error, words):
    with pytest.raises(error, match=words):
        mt.tensor(data)


@pytest.mark.parametrize("number", [NAN, INF, -INF, 1e30, 2**40])
def test_numbers_an_integer_dtype_cannot_hold(number):
    with pytest.raises(RuntimeError, match="int32 without overflow"):
        mt.tensor([number], dtype=mt.int32)
    with pytest.raises(RuntimeError, match="int32 without overflow"):
        mt.tensor(number, dtype=mt.int32)


def test_numbers_too_large_for_a_float_are_silently_infinite():
    assert mt.tensor([1e300, -1e300]).tolist() == [INF, -INF]
    assert mt.tensor(1e30, dtype=mt.float16).item() == INF
    assert mt.tensor(np.array([1e300]), dtype=mt.float32).item() == INF


def test_from_numpy_takes_native_arrays_only():
    with pytest.raises(TypeError, match="list"):
        mt.from_numpy([1.0])
    with pytest.raises(ValueError, match="byte order"):
        mt.from_numpy(np.ones(2, np.dtype("f4").newbyteorder()))
    with pytest.raises(TypeError, match="complex128"):
        mt.from_numpy(np.ones(2, complex))


def test_the_class_makes_floats():
    x = mt.Tensor([1, 2])
    assert x.dtype is mt.float32 and x.tolist() == [1, 2]
    assert mt.Tensor([1], dtype=mt.int64, requires_grad=False).dtype is mt.int64


def test_unknown_dtypes_list_the_legal_ones():
    for wrong in ("float7", "complex64", object, 3):
        with pytest.raises(TypeError, match=r"float16, float32, float64, int8.*bool"):
            mt.zeros(2, dtype=wrong)


# ---- saying what it is --------------------------------------------------------------------------


def test_properties():
    x = mt.zeros(2, 3, 4, dtype=mt.float64)
    assert x.shape == (2, 3, 4) and x.shape.numel() == 24 and isinstance(x.shape, tuple)
    assert repr(x.shape) == "microtensor.Size([2, 3, 4])"
    assert x.size() == x.shape and x.size(1) == x.size(-2) == 3
    assert x.ndim == x.dim() == 3 and x.numel() == x.nelement() == 24 and len(x) == 2
    assert x.itemsize == x.element_size() == 8 and x.nbytes == 192
    assert x.stride() == (12, 4, 1) and x.stride(0) == 12
    assert x.is_contiguous() and not x.transpose(0, 1).is_contiguous()
    assert x.is_floating_point() and not mt.tensor([1]).is_floating_point()
    assert x.data_ptr() == x.numpy().__array_interface__["data"][0]
    assert not x._is_view() and x[0]._is_view()


def test_dtypes():
    assert mt.double is mt.float64 and mt.long is mt.int64 and mt.half is mt.float16
    assert mt.float is mt.float32 and mt.int is mt.int32 and mt.short is mt.int16
    assert mt.float64.itemsize == 8 and mt.float64.is_floating_point
    assert not mt.int64.is_floating_point and not mt.float32.is_complex
    assert pickle.loads(pickle.dumps(mt.float64)) is mt.float64
    assert copy.deepcopy(mt.bool) is mt.bool


def test_elements_as_python_numbers():
    assert mt.tensor(2.5).item() == 2.5 and type(mt.tensor([2.5]).item()) is float
    assert type(mt.tensor(2).item()) is int and type(mt.tensor(True).item()) is bool
    assert mt.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert mt.tensor(1.5, requires_grad=True).item() == 1.5
    assert float(mt.tensor(2)) == 2.0 and int(mt.tensor([2.7])) == 2
    assert [10, 20, 30][mt.tensor(1)] == 20 and list(range(mt.tensor(3))) == [0, 1, 2]
    assert bool(mt.tensor([1])) and not bool(mt.tensor(0.0))


def test_several_elements_are_no_number():
    x = mt.ones(2)
    with pytest.raises(RuntimeError, match="2 elements cannot be converted to Scalar"):
        x.item()
    for convert in (float, int):
        with pytest.raises(ValueError, match="only one element"):
            convert(x)
    with pytest.raises(TypeError, match="index"):
        _ = [1, 2][mt.tensor([0, 1])]
    with pytest.raises(TypeError, match="index"):
        _ = [1, 2][mt.tensor(1.0)]
    with pytest.raises(RuntimeError, match="more than one value is ambiguous"):
        bool(x)
    with pytest.raises(RuntimeError, match="no values"):
        bool(mt.zeros(0))


def test_iteration_and_membership():
    x = mt.arange(6).reshape(3, 2)
    assert [row.tolist() for row in x] == [[0, 1], [2, 3], [4, 5]]
    assert 3 in x and 9 not in x and mt.tensor(5) in x
    for function in (len, iter, list):
        with pytest.raises(TypeError, match="0-d tensor"):
            function(mt.tensor(1.0))


def test_iteration_is_differentiable():
    x = mt.tensor([1.0, 2.0, 3.0], requires_grad=True)
    sum(v * v for v in x).backward()
    assert x.grad.tolist() == [2, 4, 6]


def test_tensors_are_hashed_by_identity():
    x, y = mt.ones(2), mt.ones(2)
    assert len({x, y, x}) == 2
    assert hash(x) != hash(y)


def test_users_may_add_attributes():
    x = mt.ones(2)
    x.note = "mine"
    assert x.note == "mine"


# ---- NumPy --------------------------------------------------------------------------------------


def test_numpy_shares_memory():
    x = mt.ones(3)
    array = x.numpy()
    array[0] = 5
    assert x.tolist() == [5, 1, 1] and np.asarray(x) is array


def test_numpy_refuses_a_tensor_with_gradient():
    x = mt.ones(2, requires_grad=True)
    for convert in (x.numpy, lambda: np.asarray(x), lambda: (x * 2).numpy(), lambda: np.array(x)):
        with pytest.raises(RuntimeError, match=r"detach\(\)\.numpy\(\)"):
            convert()
    assert x.numpy(force=True).tolist() == [1, 1]
    assert x.detach().numpy().tolist() == [1, 1]


def test_numpy_reads_tensors():
    x = mt.tensor([1.0, 2.0])
    assert np.array(x).tolist() == [1, 2] and np.array(x) is not x.numpy()
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.square(x).tolist() == [1, 4]
    with pytest.raises(ValueError, match="needs a copy"):
        np.asarray(x, dtype=np.float64, copy=False)


def test_a_tensor_beside_an_array_gives_a_tensor():
    x, array = mt.ones(2, requires_grad=True), np.array([2.0, 3.0], "f4")
    for result in (x * array, array * x, array + x - array, x @ array, array @ x, array / x):
        assert isinstance(result, mt.Tensor) and result.requires_grad
    assert (np.float64(2) * x).requires_grad and isinstance(np.float32(2) - x, mt.Tensor)
    assert isinstance(array > x, mt.Tensor)


# ---- conversions --------------------------------------------------------------------------------


def test_conversions():
    x = mt.tensor([1.7, -0.5, 0.0])
    assert x.long().tolist() == [1, 0, 0] and x.int().dtype is mt.int32
    assert x.bool().tolist() == [True, True, False]
    assert x.double().dtype is mt.float64 and x.half().dtype is mt.float16
    assert x.short().dtype is mt.int16 and x.long().float().dtype is mt.float32
    assert x.to(mt.int64).dtype is mt.int64 and x.to(dtype=mt.float64).dtype is mt.float64
    assert x.to(mt.ones(1, dtype=mt.int8)).dtype is mt.int8
    assert x.type_as(mt.ones(1, dtype=mt.float64)).dtype is mt.float64
    assert x.to("cpu") is x and x.to("cpu", mt.float64).dtype is mt.float64


def test_converting_to_the_own_dtype_gives_the_tensor_itself():
    x = mt.ones(2)
    assert x.float() is x and x.to(mt.float32) is x
    assert x.to(mt.float32, copy=True) is not x


def test_conversions_carry_gradients():
    x = mt.ones(2, requires_grad=True)
    x.double().half().float().mul(3).sum().backward()
    assert x.grad.tolist() == [3, 3] and x.grad.dtype is mt.float32


# ---- data, detach, copies -----------------------------------------------------------------------


def test_detach_shares_memory_and_version():
    x = mt.ones(2, requires_grad=True)
    y = x.detach()
    assert not y.requires_grad and np.shares_memory(y.numpy(), x._array)
    y.add_(1)
    assert x._version == 1 and x.tolist() == [2, 2]


def test_data_is_outside_the_graph():
    x = mt.ones(2, requires_grad=True)
    x.data.add_(1)
    assert x.tolist() == [2, 2] and x._version == 0
    x.data = mt.zeros(3, dtype=mt.float64)
    assert x.shape == (3,) and x.requires_grad and x.is_leaf
    (x * 2).sum().backward()
    assert x.grad.shape == (3,) and x.grad.dtype is mt.float64
    with pytest.raises(TypeError, match="must be a Tensor"):
        x.data = 3


def test_deepcopy_copies_data_and_grad():
    x = mt.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    y = copy.deepcopy(x)
    assert y.requires_grad and y.is_leaf and y.grad.tolist() == [3, 3]
    with mt.no_grad():
        y.add_(1)
        y.grad.add_(1)
    assert x.tolist() == [1, 1] and x.grad.tolist() == [3, 3]
    (y * 2).sum().backward()
    assert x.grad.tolist() == [3, 3] and y.grad.tolist() == [6, 6]


def test_deepcopy_keeps_shared_tensors_shared():
    x = mt.ones(2, requires_grad=True)
    a, b = copy.deepcopy([x, x])
    assert a is b


def test_deepcopy_of_a_computed_tensor_is_refused():
    with pytest.raises(RuntimeError, match=r"graph leaves.*detach\(\)"):
        copy.deepcopy(mt.ones(2, requires_grad=True) * 2)


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_pickle(protocol):
    for x in (
        mt.ones(2, 3, requires_grad=True),
        mt.tensor([1, 2]),
        mt.arange(6.0).reshape(2, 3).t(),
        mt.tensor(2.5, dtype=mt.float64),
        mt.zeros(0),
    ):
        y = pickle.loads(pickle.dumps(x, protocol))
        assert y.tolist() == x.tolist() and y.dtype is x.dtype and y.shape == x.shape
        assert y.requires_grad == x.requires_grad and y.is_leaf
        (y * y).sum()
    with pytest.raises(RuntimeError, match="leaf"):
        pickle.dumps(mt.ones(2, requires_grad=True) * 2)


def test_unpickled_tensors_take_part_in_everything():
    # An unpickled array has a dtype object of its own.
    x = pickle.loads(pickle.dumps(mt.tensor([[1.0, 2.0]], requires_grad=True)))
    w = mt.ones(3, 2, requires_grad=True)
    y = mt.nn.functional.linear(x, w).tanh().sum()
    y.backward()
    assert x.grad.shape == (1, 2) and w.grad.shape == (3, 2)


def test_subclasses_are_kept_by_copies():
    class Mine(mt.Tensor):
        pass

    x = Mine([1.0, 2.0])
    assert type(copy.deepcopy(x)) is Mine


# ---- non-contiguous, empty, zero-dimensional: everything at once --------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0, dtype="f4").reshape(3, 4).T,
        np.arange(24.0, dtype="f4").reshape(6, 4)[::2],
        np.arange(12.0, dtype="f4").reshape(3, 4)[::-1, ::-1],
        np.zeros((0, 4), "f4"),
        np.zeros((3, 0), "f4"),
        np.array(2.0, "f4"),
        np.broadcast_to(np.float32(1.5), (3, 4)),
        np.frombuffer(b"\0" * 49, "u1")[1:].view("f4").reshape(3, 4),
    ],
    ids=["transposed", "strided", "backwards", "no rows", "no columns", "0-d", "broadcast", "odd"],
)
def test_unusual_arrays_work(array):
    x = mt.from_numpy(array).requires_grad_() if array.flags.writeable else mt.tensor(array)
    x = x if x.requires_grad else x.requires_grad_()
    y = (x * 2 + 1).tanh().exp() / 3 - x.abs().sqrt()
    total = y.sum() + x.mean().detach() * 0 if x.numel() else y.sum()
    total.backward()
    assert x.grad.shape == x.shape
    expected = np.exp(np.tanh(array * 2 + 1)) / 3 - np.sqrt(np.abs(array))
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


# ---- importing ----------------------------------------------------------------------------------


def test_importing_brings_in_neither_plots_nor_peers():
    code = (
        "import sys, microtensor;"
        "heavy = {'torch', 'jax', 'sklearn', 'matplotlib', 'scipy', 'pandas', 'cffi.api'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="."
    )
    assert run.stdout.strip() == "[]"


def test_public_names_are_pytorchs(torch):
    own = {"capture", "ops", "show_config", "summary"}
    unknown = {n for n in set(mt.__all__) - own if not hasattr(torch, n)}
    assert unknown == set()
    methods = {n for n in dir(mt.Tensor) if not n.startswith("_")}
    assert {n for n in methods if not hasattr(torch.Tensor, n)} == set()
