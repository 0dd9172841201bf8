"""Saving and loading: what comes back, what other readers find, and files that are whole or old."""

import io
import os
import pathlib
import pickle
import stat
import subprocess
import sys
from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn, optim

safetensors = pytest.importorskip("safetensors")
from safetensors import numpy as files  # noqa: E402

DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]


def through(value):
    file = io.BytesIO()
    mt.save(value, file)
    return mt.load(io.BytesIO(file.getvalue()))


def same(a, b):
    """Compare two nested structures bit for bit, with the types of all that they contain."""
    if type(a) is not type(b):
        return False
    if isinstance(a, mt.Tensor):
        return a.requires_grad == b.requires_grad and same(a._array, b._array)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return same(list(a), list(b)) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


# ---- what comes back ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (2, 3, 4)])
def test_every_dtype_and_shape(dtype, shape, rng):
    array = np.asarray(rng.normal(size=shape) * 3).astype(dtype)
    x = mt.from_numpy(array)
    y = through({"x": x})["x"]
    assert same(x, y) and y._array.flags.writeable and y._array.dtype is x._array.dtype
    assert same(x, through(x)) and same([x], through([x]))


def test_bits_are_kept():
    x = mt.tensor([float("nan"), -0.0, 5e-324, float("-inf")], dtype=mt.float64)
    assert through(x).numpy().tobytes() == x.numpy().tobytes()


@pytest.mark.parametrize(
    "value",
    [
        *[None, True, False, 0, 1, -(2**70), 1.5, -0.0, 0.1, 1e-320, 1e308, "", "é\n\0", "\ud800"],
        *[float("nan"), float("inf"), float("-inf"), [], {}, (), [[]], ({},), mt.float16, mt.bool],
        *[mt.Size([2, 3]), mt.device("cpu:0"), {1: 2}, {None: 1, True: 2, 2.5: 3, (1, "a"): 4}],
        *[{"tensor": 1}, {"dict": {"float": "nan"}}, {"a": {"b": {"c": [1, (2, [3.0])]}}}],
        *[OrderedDict(b=1, a=2), {"b": OrderedDict(), "a": [OrderedDict(x=1)]}, {"": 1}],
        *[np.arange(3, dtype=np.uint64), np.array(1.5), np.zeros((0, 2), np.uint16)],
    ],
    ids=repr,
)
def test_plain_values(value):
    assert same(value, through(value))


def test_what_comes_back_as_a_simpler_type():
    Pair = namedtuple("Pair", "a b")
    counts = defaultdict(int, a=1)
    back = through([Pair(1, 2), counts, np.float32(1.5), np.int8(3), np.bool_(True)])
    assert same(back, [(1, 2), {"a": 1}, 1.5, 3, True])


def test_gradients_are_asked_for_but_not_saved():
    x, p = mt.ones(2, requires_grad=True), nn.Parameter(mt.zeros(3))
    frozen = nn.Parameter(mt.zeros(3), requires_grad=False)
    (x * 2).sum().backward()
    y, q, r, z = through([x, p, frozen, x * 2])
    assert y.requires_grad and y.is_leaf and y.grad is None and type(y) is mt.Tensor
    assert type(q) is nn.Parameter and q.requires_grad
    assert type(r) is nn.Parameter and not r.requires_grad
    assert z.requires_grad and z.is_leaf


def test_order_of_keys_is_kept():
    names = ["b", "a", "c", "10", "9"]
    assert list(through({n: mt.ones(1) for n in names})) == names


def test_names_that_collide_or_are_reserved():
    value = {"a": {"b": mt.ones(1)}, "a.b": mt.zeros(2), "a.b#2": mt.ones(3)}
    value |= {"__metadata__": mt.ones(4), "": mt.ones(5), "\ud800": mt.ones(6), 1: mt.ones(7)}
    value["1"] = mt.ones(8)
    assert same(value, through(value))


def test_non_contiguous_tensors_come_back_contiguous():
    x = mt.arange(12.0).reshape(3, 4)
    for view in (x.t(), x[:, ::2], mt.ones(1).expand(3), mt.from_numpy(np.arange(3.0)[::-1])):
        y = through(view)
        assert same(y, view) and y.is_contiguous()


def test_training_goes_on_where_it_was():
    def make():
        mt.manual_seed(1)
        net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        return net, optim.Adam(net.parameters(), lr=0.05, amsgrad=True)

    def step(net, optimizer):
        optimizer.zero_grad()
        net(mt.rand(5, 3)).square().sum().backward()
        optimizer.step()

    net, optimizer = make()
    for _ in range(3):
        step(net, optimizer)
    state = {
        "model": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": mt.get_rng_state(),
        "epoch": 3,
    }
    loaded = through(state)
    assert same(state, loaded)
    for _ in range(3):
        step(net, optimizer)
    twin, twin_optimizer = make()
    twin.load_state_dict(loaded["model"])
    twin_optimizer.load_state_dict(loaded["optimizer"])
    mt.set_rng_state(loaded["random"])
    for _ in range(3):
        step(twin, twin_optimizer)
    assert same(twin.state_dict(), net.state_dict())
    assert same(twin_optimizer.state_dict(), optimizer.state_dict())


# ---- sharing ------------------------------------------------------------------------------------


def size_of(value):
    file = io.BytesIO()
    mt.save(value, file)
    return len(file.getvalue())


def test_one_tensor_under_two_names_stays_one():
    x = mt.zeros(1000)
    a, b, c = through([x, x, {"x": x}])
    assert a is b is c["x"]
    assert size_of([x, x, {"x": x}]) < 4000 + 1000


def test_tied_weights_stay_tied():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    state = through(net.state_dict())
    state["0.weight"].zero_()
    assert not state["1.weight"].any() and state["0.bias"].any()


@pytest.mark.parametrize(
    "views",
    [
        lambda x: [x, x[1]],
        lambda x: [x[1], x],
        lambda x: [x, x.t(), x[:, ::2], x[2:, 1:3]],
        lambda x: [x[:2], x[1:]],
        lambda x: [x[:, :2], x[:, 1:], x[0]],
        lambda x: [x[:, ::2], x[:, 1::2]],
        lambda x: [mt.from_numpy(x.numpy()[::-1, ::-1]), x[1:]],
        lambda x: [x, x.detach(), x.data],
        lambda x: [x[:0], x, x[1:1], x[1:2]],
    ],
)
def test_tensors_that_overlap_still_do(views):
    x = mt.arange(1000.0).reshape(10, 100)
    before = views(x)
    after = through(before)
    assert same(before, after)
    assert size_of(before) < 4000 + 2000
    x.mul_(2)  # the same to both
    full = [t for t in after if t.numel()]
    base = full[0]._array
    while base.base is not None and isinstance(base.base, np.ndarray):
        base = base.base
    base.view(np.float32)[...] *= 2
    assert same(before, after)
    assert len({id(t._cell) for t in full}) == 1


def test_parts_that_do_not_overlap_are_saved_without_the_rest():
    x = mt.arange(100_000.0)
    assert size_of([x[:10], x[50_000:50_010]]) < 2000


def test_the_same_memory_in_two_dtypes_is_stored_twice():
    array = np.arange(4, dtype=np.int32)
    value = [mt.from_numpy(array), mt.from_numpy(array.view(np.float32))]
    assert same(value, through(value))


# ---- what others read and write -----------------------------------------------------------------


def test_a_flat_dict_is_an_ordinary_file(tmp_path):
    state = nn.Linear(3, 2).state_dict()
    mt.save(state, tmp_path / "model.safetensors")
    theirs = files.load_file(tmp_path / "model.safetensors")
    assert set(theirs) == {"weight", "bias"}
    assert all(same(theirs[name], state[name].numpy()) for name in theirs)


def test_nested_tensors_are_called_by_their_keys(tmp_path):
    mt.save({"model": {"w": mt.ones(2)}, "list": [mt.zeros(1)]}, tmp_path / "file")
    assert set(files.load_file(tmp_path / "file")) == {"model.w", "list.0"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_files_of_others_come_as_a_dict(dtype):
    theirs = {"b": np.ones((2, 3), dtype), "a": np.array(1, dtype), "c": np.zeros((0, 2), dtype)}
    ours = mt.load(io.BytesIO(files.save(theirs, metadata={"format": "np"})))
    assert type(ours) is dict and all(same(ours[n].numpy(), theirs[n]) for n in theirs)
    ours["b"].zero_()


def test_files_of_others_may_hold_what_tensors_do_not():
    with pytest.raises(RuntimeError, match=r"tensor 'x'.*uint32"):
        mt.load(io.BytesIO(files.save({"x": np.ones(2, np.uint32)})))


def test_exchange_with_pytorch(tmp_path, torch):
    from safetensors.torch import load_file, save_file

    path = tmp_path / "model.safetensors"
    net, twin = torch.nn.Linear(3, 2), nn.Linear(3, 2)
    save_file(net.state_dict(), path)
    twin.load_state_dict(mt.load(path))
    assert same(twin.weight.detach().numpy(), net.weight.detach().numpy())
    mt.save(twin.state_dict(), path)
    net.load_state_dict(load_file(path))
    save_file({"x": torch.ones(2, dtype=torch.bfloat16)}, path)
    with pytest.raises(RuntimeError, match="'x' has the dtype BF16, which microtensor does not"):
        mt.load(path)


# ---- what cannot be saved -----------------------------------------------------------------------


class Labelled(mt.Tensor):
    pass


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, {"b": object()}]}, r"object at \[a\]\[1\]\[b\].*state_dict"),
        (nn.Linear(1, 1), r"Linear at the top.*state_dict\(\)"),
        ({"g": mt.Generator()}, r"Generator at \[g\].*get_state"),
        ({1, 2}, "set"),
        (b"bytes", "bytes"),
        (1j, "complex"),
        ({frozenset(): 1}, "key frozenset"),
        ({(1, b"a"): 1}, "bytes"),
        (np.ones(2, complex), "complex128"),
        (np.array(["a"]), "<U1"),
        (np.array([None]), "object"),
        (np.ma.masked_array([1.0]), "MaskedArray"),
        ([Labelled([1.0])], r"\[0\] is a Labelled"),
    ],
)
def test_what_cannot_be_saved_says_where(value, words, tmp_path):
    path = tmp_path / "file"
    with pytest.raises(TypeError, match=words):
        mt.save(value, path)
    assert not list(tmp_path.iterdir())


def test_nesting_has_an_end():
    deep, around = [], []
    for _ in range(99):
        deep = [deep]
    assert same(through(deep), deep)
    around.append(around)
    for value in ([[deep]], around):
        with pytest.raises(ValueError, match="deeper than 100 levels, or containing itself"):
            through(value)


def test_a_file_that_could_not_be_loaded_is_not_written(monkeypatch, tmp_path):
    monkeypatch.setattr(mt.utils.serialization, "_LARGEST_HEADER", 1000)
    mt.save([1] * 100, tmp_path / "file")
    with pytest.raises(ValueError, match=r"1,000 bytes.*as tensors"):
        mt.save([1] * 1000, tmp_path / "file")
    assert mt.load(tmp_path / "file") == [1] * 100


def test_arguments_are_checked(tmp_path):
    with pytest.raises(TypeError, match="path or a file"):
        mt.save("path", {"x": mt.ones(1)})
    with pytest.raises(TypeError, match="path or a file"):
        mt.load(3)
    with pytest.raises(TypeError, match="'rb'"):
        mt.load(io.StringIO("text"))
    with pytest.raises(RuntimeError, match="no device 'cuda'"):
        mt.load(io.BytesIO(), map_location="cuda")
    with pytest.raises(FileNotFoundError):
        mt.load(tmp_path / "nowhere")
    with pytest.raises(OSError):
        mt.save({}, tmp_path / "no folder" / "file")
    with pytest.raises(IsADirectoryError):
        mt.save({}, tmp_path)
    mt.save({"x": mt.ones(1)}, str(tmp_path / "file"))
    with open(tmp_path / "file", "rb") as file:
        assert mt.load(file, map_location=mt.device("cpu"), weights_only=False)["x"] == 1


def test_without_the_library_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for use in (lambda: mt.save({}, io.BytesIO()), lambda: mt.load(io.BytesIO())):
        with pytest.raises(ImportError, match="pip install safetensors"):
            use()


def test_importing_the_package_imports_no_library_for_files():
    code = "import sys, microtensor; print(sorted({'safetensors', 'json'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# ---- whole or old -------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    mt.save({"x": mt.ones(2)}, path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, lambda *_: full(0))
            with pytest.raises(OSError, match="No space left"):
                mt.save({"x": mt.zeros(2)}, path)
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="kills a process by signal")
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_process_killed_while_writing_leaves_the_old_file(tmp_path, moment):
    path = tmp_path / "file"
    mt.save({"x": mt.ones(2)}, path)
    before = path.read_bytes()
    code = (
        "import os, signal, sys, microtensor as mt;"
        f"os.{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "mt.save({'x': mt.zeros(100_000)}, sys.argv[1])"
    )
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=False)
    assert run.returncode == -9
    assert path.read_bytes() == before and mt.load(path)["x"].tolist() == [1, 1]
    mt.save({"x": mt.zeros(2)}, path)  # what the killed one left is in nobody's way
    assert mt.load(path)["x"].tolist() == [0, 0]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX'")
def test_permissions_are_those_of_the_old_file_or_the_umask(tmp_path):
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        mt.save({}, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    mt.save({}, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


@pytest.mark.skipif(os.name != "posix", reason="links and devices are POSIX'")
def test_links_stay_links_and_devices_devices(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    mt.save({"x": mt.ones(1)}, link)
    assert link.is_symlink() and mt.load(target)["x"] == 1
    mt.save({"x": mt.ones(1)}, "/dev/null")
    assert not pathlib.Path("/dev/null").is_file()


def test_the_error_says_where_and_why_and_can_be_pickled(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(mt.utils.serialization.CheckpointError) as caught:
        mt.load(path)
    error = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(error, RuntimeError) and error.path == str(path)
    assert error.reason == "it is empty" and str(error) == f"cannot load {path}: it is empty"
