"""Elements in and out of tensors: arrays, DLPack, array-likes, Python numbers."""

import array as arrays
import http

import numpy as np
import pytest

import microtensor as mt
from microtensor.utils.dlpack import from_dlpack, to_dlpack

# ---- __array__ ----------------------------------------------------------------------------------


def test_asarray_shares_and_array_copies():
    x = mt.tensor([1.0, 2.0])
    assert np.asarray(x) is x._array and np.asarray(x, copy=False) is x._array
    assert not np.shares_memory(np.array(x), x._array)
    assert not np.shares_memory(np.asarray(x, copy=True), x._array)
    assert np.asarray(x, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="needs a copy"):
        np.asarray(x, np.float64, copy=False)


def test_arrays_of_lists_of_tensors():
    assert np.array([mt.ones(2), mt.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    assert np.array([mt.tensor(1), mt.tensor(2)]).tolist() == [1, 2]


# ---- DLPack -------------------------------------------------------------------------------------

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (2, 3)])
def test_dlpack_shares_memory_both_ways(dtype, shape):
    x = mt.ones(shape, dtype=getattr(mt, dtype))
    array = np.from_dlpack(x)
    assert array.dtype == dtype and array.shape == shape
    back = mt.from_dlpack(array)
    assert back.dtype is x.dtype and back.shape == shape
    if x.numel():
        array[...] = 0
        assert not x.any() and not back.any()
        back.fill_(1)
        assert x.all() and array.all()


def test_dlpack_keeps_gaps():
    x = mt.arange(12.0).reshape(3, 4)
    for view in (x.t(), x[::2], x[:, 1:3], x[1], x[0, 0], mt.ones(1).expand(3)):
        assert np.from_dlpack(view).strides == view._array.strides
        assert mt.from_dlpack(view._array).tolist() == view.tolist()


def test_dlpack_of_negative_strides_wants_a_copy():
    backwards = mt.from_numpy(np.arange(3.0)[::-1])
    with pytest.raises(BufferError, match="contiguous"):
        np.from_dlpack(backwards)
    assert np.from_dlpack(backwards.contiguous()).tolist() == [2, 1, 0]
    assert mt.from_dlpack(np.arange(3.0)[::-1]).tolist() == [2, 1, 0]


def test_dlpack_keeps_read_only_memory_read_only():
    array = np.ones(2)
    array.flags.writeable = False
    x = mt.from_dlpack(array)
    with pytest.raises(RuntimeError, match="read-only"):
        x.add_(1)
    assert not np.from_dlpack(x).flags.writeable
    with pytest.raises(BufferError):  # older versions of DLPack cannot say so
        x.__dlpack__()


def test_dlpack_refuses_what_it_cannot_do():
    x = mt.ones(2, requires_grad=True)
    for export in (x.__dlpack__, lambda: np.from_dlpack(x), lambda: to_dlpack(x)):
        with pytest.raises(BufferError, match=r"require gradient, use tensor.detach\(\)"):
            export()
    assert np.from_dlpack(x.detach()).tolist() == [1, 1]
    with pytest.raises(BufferError):
        mt.ones(2).__dlpack__(dl_device=(2, 0))
    with pytest.raises(RuntimeError, match="stream"):
        mt.ones(2).__dlpack__(stream=1)
    with pytest.raises(RuntimeError, match="no device 'cuda'"):
        mt.from_dlpack(np.ones(2), device="cuda")
    with pytest.raises(TypeError, match="complex64"):
        mt.from_dlpack(np.ones(2, np.complex64))
    with pytest.raises(TypeError, match="uint64"):
        mt.from_dlpack(np.ones(2, np.uint64))
    for wrong in (3, [1.0], None):
        with pytest.raises(TypeError, match="__dlpack__"):
            mt.from_dlpack(wrong)
    with pytest.raises(TypeError, match="Tensor"):
        to_dlpack(np.ones(2))


def test_dlpack_copies_when_asked():
    x = mt.ones(2)
    for copied in (mt.from_dlpack(x, copy=True), np.from_dlpack(x, copy=True)):
        copied[0] = 5.0
    assert x.tolist() == [1, 1]
    shared = mt.from_dlpack(x, copy=False, device="cpu")
    shared[0] = 5.0
    assert x.tolist() == [5, 1] and x.__dlpack_device__() == (1, 0)


def test_capsules_are_taken_once():
    x = mt.zeros(2)
    capsule = to_dlpack(x)
    y = from_dlpack(capsule)
    del x
    y[0] = 7.0
    assert y.tolist() == [7, 0]
    with pytest.raises(RuntimeError, match="taken already"):
        from_dlpack(capsule)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_with_pytorch(dtype, torch):
    theirs = torch.ones(2, 3, dtype=getattr(torch, dtype))
    x = mt.from_dlpack(theirs)
    x.zero_()
    assert not theirs.any() and x.dtype.name == dtype
    theirs.fill_(1)
    assert x.all()
    back = torch.from_dlpack(x)
    assert back.data_ptr() == theirs.data_ptr() == x.data_ptr()
    transposed = torch.from_dlpack(mt.ones(2, 3).t()[::2])
    assert transposed.stride() == (2, 3)
    taken = torch.utils.dlpack.from_dlpack(to_dlpack(mt.arange(3)))
    assert taken.tolist() == [0, 1, 2]
    assert from_dlpack(torch.utils.dlpack.to_dlpack(taken)).tolist() == [0, 1, 2]


# ---- making tensors of things -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([mt.tensor(1.0, dtype=mt.float64), 2], "float64"),
        ([2, mt.tensor(1.0, dtype=mt.float64)], "float64"),
        ([mt.tensor(1), 2.5], "float32"),
        ([mt.tensor(True), 2], "int64"),
        ([[mt.tensor(1, dtype=mt.int8)], [mt.tensor(2, dtype=mt.int8)]], "int8"),
        ([2.5, np.float64(1)], "float64"),
        ([1, np.float64(1)], "float64"),
        ((np.int32(1), 2.5), "float32"),
        ([np.float32(1), 2.5], "float32"),
        ([np.int8(1), np.int16(2)], "int16"),
        ([np.int8(1), np.uint8(2)], "int16"),
        ([np.float16(1), 2], "float16"),
        ([np.bool_(True), True], "bool"),
        ([np.ones(2), [1, 2]], "float64"),
        ([[1, 2], [3, 4.0]], "float32"),
        ([True, 2], "int64"),
        ([http.HTTPStatus.OK, np.int8(1)], "int64"),
        ([http.HTTPStatus.OK, 1.5], "float32"),
        (arrays.array("d", [1.0, 2.0]), "float64"),
        (bytearray(b"ab"), "uint8"),
        (memoryview(b"ab"), "uint8"),
        (np.ones(3)[::-1], "float64"),
        (np.ones((2, 3), order="F"), "float64"),
        (np.ones(2, ">i2"), "int16"),
        (np.array(1.5, ">f8"), "float64"),
    ],
)
def test_dtypes_of_all_that_a_list_contains_are_promoted(data, dtype):
    x = mt.tensor(data)
    assert x.dtype.name == dtype and type(x._array) is np.ndarray
    np.testing.assert_array_equal(x.numpy(), np.array(data, dtype))


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (np.ones(2, [("a", "f4")]), TypeError, "numbers or bools"),
        (np.array([object()]), TypeError, "object"),
        (np.array(["a"]), TypeError, "<U1"),
        (np.array([b"a"]), TypeError, "S1"),
        (np.array(["2020-01-01"], "M8[D]"), TypeError, "datetime64"),
        (np.ones(2, np.longdouble), TypeError, "float128|longdouble"),
        (np.ones(2, complex), TypeError, "complex128"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), TypeError, "no masks.*filled"),
        ("abc", TypeError, "str"),
        (b"abc", TypeError, "bytes"),
        (["a", 1], TypeError, "list"),
        ([1.0, None], TypeError, "list"),
        ([1, "a", np.float64(2)], TypeError, "list"),
        (iter([1]), TypeError, "iterator"),
        ({1}, TypeError, "set"),
        (object(), TypeError, "object"),
        ([[mt.ones(2)], [mt.ones(3)]], ValueError, "inhomogeneous"),
        ([np.uint64(1)], TypeError, "uint64"),
    ],
)
def test_what_no_tensor_holds_says_so(data, error, words):
    for make in (mt.tensor, mt.as_tensor):
        with pytest.raises(error, match=words):
            make(data)


def test_as_tensor_shares_with_array_likes():
    class Holder:
        def __init__(self):
            self.array = np.ones(2)

        def __array__(self, dtype=None, copy=None):
            return self.array

    holder = Holder()
    x = mt.as_tensor(holder)
    x.add_(1)
    assert holder.array.tolist() == [2, 2] and x.dtype is mt.float64
    buffer = bytearray(b"\0\0")
    mt.as_tensor(buffer).add_(1)
    assert buffer == b"\1\1"


def test_what_speaks_only_dlpack_is_understood():
    class Exporter:
        def __init__(self):
            self.array = np.arange(3, dtype=np.int16)

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    source = Exporter()
    shared, copied = mt.as_tensor(source), mt.tensor(source)
    source.array[0] = 9
    assert shared.tolist() == [9, 1, 2] and copied.tolist() == [0, 1, 2]
    assert shared.dtype is mt.int16


def test_read_only_arrays_stay_read_only():
    array = np.ones(2)
    array.flags.writeable = False
    for x in (mt.from_numpy(array), mt.as_tensor(array)):
        assert (x * 2).tolist() == [2, 2]
        with pytest.raises(RuntimeError, match="read-only"):
            x.add_(1)
    copied = mt.tensor(array)
    copied.add_(1)
    assert copied.tolist() == [2, 2]


def test_negative_strides_are_shared():
    array = np.arange(4.0)
    x = mt.from_numpy(array[::-1])
    x.mul_(2)
    assert array.tolist() == [0, 2, 4, 6] and (x + 1).tolist() == [7, 5, 3, 1]


def test_from_numpy_takes_only_what_tensors_hold():
    for wrong in (np.ones(2, [("a", "f4")]), np.array(["a"]), np.array([object()])):
        with pytest.raises(TypeError, match="supported: float16"):
            mt.from_numpy(wrong)


def test_pandas_data_becomes_tensors():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([1.5, 2.0])
    assert mt.tensor(series).dtype is mt.float64 and mt.tensor(series).tolist() == [1.5, 2]
    assert mt.as_tensor(pandas.Series([1, 2])).dtype is mt.int64
    frame = pandas.DataFrame({"a": [1.5, 2], "b": [3, 4]})
    assert mt.tensor(frame).tolist() == [[1.5, 3], [2, 4]]
    assert mt.tensor(frame, dtype=mt.float32).dtype is mt.float32
    for wrong in (pandas.Series(["a"]), pandas.DataFrame({"a": [1], "b": ["x"]})):
        with pytest.raises(TypeError, match="numbers or bools"):
            mt.tensor(wrong)


def test_pytorch_tensors_become_ours(torch):
    theirs = torch.arange(3.0)
    shared, copied = mt.as_tensor(theirs), mt.tensor(theirs)
    theirs[0] = 9
    assert shared.tolist() == [9, 1, 2] and copied.tolist() == [0, 1, 2]
    assert mt.tensor([theirs[1], 2]).dtype is mt.float32
    with pytest.raises(RuntimeError, match="requires grad"):
        mt.tensor(torch.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match="BFloat16"):
        mt.tensor(torch.ones(2, dtype=torch.bfloat16))


# ---- Python numbers -----------------------------------------------------------------------------


def test_reversed_turns_the_first_dimension():
    x = mt.arange(6).reshape(3, 2)
    assert reversed(x).tolist() == [[4, 5], [2, 3], [0, 1]]
    scalar = mt.tensor(3)
    assert reversed(scalar) is scalar and reversed(mt.zeros(0)).shape == (0,)
    y = mt.tensor([1.0, 2.0], requires_grad=True)
    (reversed(y) * mt.tensor([3.0, 4.0])).sum().backward()
    assert y.grad.tolist() == [4, 3]


def test_membership_takes_numbers_and_tensors():
    x = mt.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert 3 in x and np.float32(2) in x and 5 not in x and mt.tensor([1.0, 7.0]) in x
    assert float("nan") not in mt.tensor([float("nan")])
    for wrong in ("a", None, [1.0], np.ones(2)):
        with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
            _ = wrong in x


LINES = """
m.tensor(2.5).item(); m.tensor([[3]]).item(); m.tensor(True).item(); m.ones(0).item()
m.ones(2).item(); m.tensor(1.5, dtype=m.float16).item(); m.tensor([0.1]).tolist()
m.ones(2, 0).tolist(); m.ones(0, 2).tolist(); m.tensor(1).tolist(); m.tensor([[True]]).tolist()
m.tensor([True]).__index__(); m.tensor([[3]]).__index__(); m.tensor(2.0).__index__()
m.ones(2, dtype=m.int64).__index__(); int(m.tensor(2.7)); int(m.tensor(-2.7)); int(m.ones(0))
float(m.tensor([[2]])); int(m.tensor(float('nan'))); int(m.tensor(float('inf')))
complex(m.tensor(2.0)); complex(m.tensor([2])); complex(m.ones(2)); bool(m.tensor(float('nan')))
bool(m.tensor([[0.0]])); bool(m.zeros(0)); bool(m.ones(2)); len(m.ones(0, 3)); len(m.tensor(1))
list(m.ones(0)); [x.tolist() for x in m.ones(2, 2)]; list(m.tensor(1)); iter(m.tensor(1))
'a' in m.ones(2); None in m.ones(2); [1.0] in m.ones(2); 1.0 in m.ones(2); 2 in m.ones(2)
m.ones(3) in m.ones(2); m.ones(2) in m.ones(3, 2); m.tensor(1) in m.ones(2); True in m.ones(2)
1 in m.zeros(0); reversed(m.tensor([[1, 2], [3, 4]])).tolist(); reversed(m.tensor(3)).tolist()
[x.item() for x in reversed(m.tensor([1, 2]))]; round(m.tensor(2.5)); hash(m.ones(1)) == 0
len({m.ones(1), m.ones(1)}); {m.tensor(1): 2}.get(1)
f"{m.tensor(2.0)}"; f"{m.tensor([2.0])}"; f"{m.tensor(2.0):.3f}"; f"{m.tensor(7):>5d}"
format(m.tensor([2.0]), '.3f'); format(m.tensor(2.0, requires_grad=True), '.1f')
f"{m.nn.Parameter(m.tensor(2.0))}"; f"{m.nn.Parameter(m.tensor(2.0)):.1f}"; f"{m.tensor(True)}"
str(m.tensor(2.0)); range(m.tensor(3)); [1, 2, 3][m.tensor(1):]; 'ab' * m.tensor(2)
m.tensor(2).__int__(); divmod(7, 2); abs(m.tensor(-2)).item(); m.ones(2).is_cuda
m.ones(2).is_cpu; m.ones(2).is_sparse; m.ones(2).get_device(); str(m.ones(2).device)
m.ones(2).cpu().tolist(); m.ones(2).to(m.device('cpu')).tolist(); m.ones(2).to('cpu').tolist()
m.ones(2).to(m.device('cpu'), m.float64).dtype.itemsize; m.cuda.is_available()
m.cuda.device_count()
"""


@pytest.mark.parametrize(
    "line", [part.strip() for line in LINES.strip().splitlines() for part in line.split("; ")]
)
def test_line_is_as_in_pytorch(line, torch):
    results = []
    for m in (mt, torch):
        try:
            result = eval(line, {"m": m})
            kind = type(result)
            results.append((result, kind) if kind.__name__ != "list_iterator" else "iterator")
        except Exception as error:
            results.append(type(error))
    assert results[0] == results[1]
