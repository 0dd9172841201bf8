"""Making tensors: the same lines in PyTorch, each run with ``m`` standing for either library."""

import warnings

import numpy as np
import pytest

import microtensor as mt

# a is a (2, 3) tensor of float64, k one of int64.
LINES = """
m.zeros(2, 3); m.zeros((2, 3)); m.zeros([2]); m.zeros(()); m.zeros(size=(2, 1)); m.zeros(0, 3)
m.zeros(2, dtype=m.int32); m.zeros(2, device='cpu')
m.zeros(2, device=None, layout=m.strided, pin_memory=False); m.ones(2); m.ones((1, 2), dtype=m.bool)
m.ones(2, dtype=m.float16); m.ones(m.tensor(2), 1); m.full((2,), 3); m.full((2,), 3.0)
m.full((2,), True); m.full((), 1); m.full([2, 1], 2, dtype=m.float64)
m.full((2,), -1, dtype=m.uint8); m.full((2,), 1.7, dtype=m.int64); m.full((1,), 2, dtype=m.bool)
m.full((1,), m.tensor(3)); m.full((1,), m.tensor(3.5)); m.full((1,), float('inf'))
m.full(size=(2,), fill_value=1); m.empty(2, 3).shape[0] * m.ones(1); m.empty(0, 2)
m.empty_like(a).fill_(1); m.zeros_like(a); m.zeros_like(k); m.zeros_like(k, dtype=m.float32)
m.ones_like(a, device='cpu', memory_format=m.preserve_format); m.full_like(a, 2)
m.full_like(k, 2.7); m.full_like(k, 3.5, dtype=m.float32); m.full_like(a, True); m.ones_like(a.t())
m.zeros_like(a, requires_grad=True) * 2; m.scalar_tensor(2); m.scalar_tensor(2.5, dtype=m.float64)
m.scalar_tensor(True); m.arange(5); m.arange(5.0); m.arange(1, 4); m.arange(1, 2.5, 0.5)
m.arange(0, 1, 0.1); m.arange(5, 1, -2); m.arange(3, 3); m.arange(True)
m.arange(0.5, 3, dtype=m.int32); m.arange(0, 5, 1.5, dtype=m.int64); m.arange(0, 2.7, dtype=m.int64)
m.arange(0, 5, 1.5, dtype=m.int32); m.arange(0.9, 4.2, 1.9, dtype=m.int64); m.arange(m.tensor(3))
m.arange(m.tensor(3.5)); m.arange(start=1, end=7, step=3); m.arange(end=3); m.arange(1, 0, -0.3)
m.arange(4, dtype=m.float16); m.arange(-3, 0); m.arange(0, 10, 3, dtype=m.float64)
m.arange(2**40, 2**40 + 3); m.arange(0, 2, 0.3, dtype=m.float64); m.arange(3, device='cpu')
m.arange(1e10, 1e10 + 3000, 1000); m.linspace(0, 1, 5); m.linspace(0, 10, 5, dtype=m.int64)
m.linspace(10, -3, 5, dtype=m.int64); m.linspace(0, 1, 0); m.linspace(2, 3, 1); m.linspace(-1, 1, 8)
m.linspace(start=0, end=1, steps=3); m.linspace(m.tensor(0), m.tensor(1.), 3); m.linspace(0, 1, 2)
m.linspace(3, 3, 4); m.linspace(0, 1, 7, dtype=m.float64); m.linspace(0, 1, 7, dtype=m.float16)
m.linspace(1, 0, 3, dtype=m.uint8); m.logspace(0, 3, 4); m.logspace(-1, 1, 3, base=2)
m.logspace(0, 3, 4, dtype=m.int64); m.logspace(-1, 1, 3, base=2, dtype=m.int64); m.logspace(0, 1, 0)
m.logspace(1, 2, 1); m.logspace(0, 1, 5, dtype=m.float64); m.logspace(0, 4, 5, 0.5); m.eye(3)
m.eye(2, 3); m.eye(3, 2, dtype=m.int64); m.eye(2, dtype=m.bool); m.eye(0); m.eye(n=2, m=1)
m.tril_indices(3, 4); m.tril_indices(3, 4, 1); m.tril_indices(4, 2, -1, dtype=m.int32)
m.triu_indices(3, 4); m.triu_indices(row=3, col=2, offset=-1); m.triu_indices(0, 3)
m.triu_indices(2, 2, 5); m.tensor([1, 2]); m.tensor([1, 2.5]); m.tensor([True, False]); m.tensor(3)
m.tensor([]); m.tensor([[1], [2]], dtype=m.float16); m.tensor(np.ones(2)); m.tensor(np.float32(2))
m.tensor([1.0], device='cpu'); m.tensor([m.tensor(1), m.tensor(2)]); m.tensor((1, 2))
m.tensor(range(3)); m.tensor(1.0, requires_grad=True) * 2; m.as_tensor([1, 2])
m.as_tensor(np.arange(3)); m.as_tensor(a, dtype=m.float32); m.as_tensor([1.5], dtype=m.int64)
m.as_tensor(a, device='cpu'); m.asarray([1, 2]); m.asarray(a); m.asarray(np.ones(2, np.float32))
m.asarray(3.0); m.asarray([1], dtype=m.float64, requires_grad=True) * 3; m.asarray(a, copy=True)
m.from_numpy(np.arange(3, dtype=np.int16)); m.frombuffer(bytearray(8), dtype=m.float32)
m.frombuffer(bytearray(range(8)), dtype=m.int16, count=2, offset=2); a.new_tensor([1, 2])
k.new_tensor([1.5]); a.new_zeros(2, 3); a.new_zeros((2,), dtype=m.int32); k.new_ones(2)
a.new_ones((1, 2), device='cpu'); a.new_full((2,), 3); k.new_full((2,), 3.5); a.new_empty(2, 0)
a.new_empty((0,)); k.new_zeros(()); a.new_full(size=(1,), fill_value=2, dtype=m.int64)
m.nn.functional.one_hot(m.tensor([0, 2])); m.nn.functional.one_hot(m.tensor([[0], [1]]), 3)
m.nn.functional.one_hot(m.tensor(1), num_classes=3)
m.nn.functional.one_hot(m.tensor([], dtype=m.int64), 3)
m.meshgrid(m.arange(2), m.arange(3), indexing='ij')[1]
"""
FLAT = [part.strip() for line in LINES.strip().splitlines() for part in line.split("; ")]


def run(m, line):
    a = m.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=m.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(line, {"m": m, "np": np, "a": a, "k": a.long()})
    return result.detach().numpy(), str(result.dtype).split(".")[1], result.requires_grad


@pytest.mark.parametrize("line", FLAT)
def test_line_makes_what_pytorch_makes(line, torch):
    ours, our_dtype, our_flag = run(mt, line)
    theirs, their_dtype, their_flag = run(torch, line)
    assert (our_dtype, ours.shape, our_flag) == (their_dtype, theirs.shape, their_flag)
    if "logspace" in line:  # a power, whose last bit is the library's
        np.testing.assert_allclose(ours, theirs, rtol=3e-7)
    else:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ranges_of_many_lengths_are_pytorchs_to_the_last_bit_or_so(dtype, torch):
    """PyTorch's own last bit depends on how its vectors cut the range."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        start, end = (float(v) for v in rng.uniform(-100, 100, 2))
        steps = int(rng.integers(1, 200))
        ours = mt.linspace(start, end, steps, dtype=getattr(mt, dtype)).numpy()
        theirs = torch.linspace(start, end, steps, dtype=getattr(torch, dtype)).numpy()
        scale = max(abs(start), abs(end)) * np.finfo(dtype).eps
        assert ours[0] == theirs[0] and ours[-1] == theirs[-1]
        assert np.abs(ours - theirs).max() <= scale
        step = (end - start) / steps
        ours = mt.arange(start, end, step, dtype=getattr(mt, dtype)).numpy()
        theirs = torch.arange(start, end, step, dtype=getattr(torch, dtype)).numpy()
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= scale


WRONG = """
m.zeros(-1); m.zeros(2.0); m.zeros(True); m.zeros(); m.zeros('a'); m.ones(2, -3)
m.full((2,), 300, dtype=m.uint8); m.full((1,), float('nan'), dtype=m.int64)
m.full((1,), m.tensor([3])); m.full((1,), 1e39); m.full(2); m.full((-1,), 0)
m.full_like(m.tensor([1], dtype=m.int8), 200); m.zeros_like([1]); m.ones_like(3)
m.zeros(2, requires_grad=True, dtype=m.int64); m.arange(0, 5, 0.5, dtype=m.int64)
m.arange(5, dtype=m.bool); m.arange(3, 1); m.arange(float('nan')); m.arange(0, float('inf'))
m.arange(0, 1, 0); m.arange(0, 1, -1); m.arange('a'); m.linspace(0, 1, -1)
m.linspace(0, 1, 2, dtype=m.bool); m.linspace(0, 1, 2.5); m.linspace(0, 1); m.logspace(0, 1, -2)
m.eye(-1); m.eye(2, -1); m.tril_indices(-1, 3); m.tril_indices(2, 3, dtype=m.float32)
m.triu_indices(1, -1); m.tensor('a'); m.tensor([1], requires_grad=True); m.from_numpy([1])
m.asarray([1], copy=False); m.frombuffer(b'', dtype=m.float32)
m.frombuffer(bytearray(3), dtype=m.int16); m.frombuffer(bytearray(4), dtype=m.int16, count=5)
m.ones(2).new_zeros(-1); m.ones(2).new_full((2,)); m.zeros(2, nonsense=1)
m.nn.functional.one_hot(m.tensor([0, 2]), 2); m.nn.functional.one_hot(m.tensor([0, -2]))
m.nn.functional.one_hot(m.tensor([0.])); m.nn.functional.one_hot(m.tensor([], dtype=m.int64))
m.nn.functional.one_hot(m.tensor([1], dtype=m.int32)); m.nn.functional.one_hot(m.tensor([1]), 0)
m.tensor([1, 2], 3); m.scalar_tensor('a')
"""
FLAT_WRONG = [part.strip() for line in WRONG.strip().splitlines() for part in line.split("; ")]


@pytest.mark.parametrize("line", FLAT_WRONG)
def test_line_fails_as_in_pytorch(line, torch):
    caught = []
    for m in (mt, torch):
        with warnings.catch_warnings(), pytest.raises(Exception) as info:
            warnings.simplefilter("ignore")
            eval(line, {"m": m})
        # What PyTorch has no kernel for is a kind of RuntimeError, too.
        caught.append(RuntimeError if info.type is NotImplementedError else info.type)
    assert caught[0] is caught[1]


# ---- what is ours alone -------------------------------------------------------------------------

MAKERS = [
    lambda **o: mt.zeros(2, **o),
    lambda **o: mt.tensor([1.0], **o),
    lambda **o: mt.full_like(mt.ones(1), 2.0, **o),
    lambda **o: mt.arange(3.0, **o),
    lambda **o: mt.randn(2, **o),
    lambda **o: mt.normal(0.0, 1.0, (2,), **o),
    lambda **o: mt.ones(1).new_zeros(2, **o),
]


@pytest.mark.parametrize("make", MAKERS)
def test_the_cpu_is_the_only_device_and_its_memory_the_only_one(make):
    assert make(device="cpu", layout=mt.strided, pin_memory=False).shape
    assert make(device=None).requires_grad is False
    assert make(requires_grad=True, dtype=mt.float64).requires_grad
    with pytest.raises(RuntimeError, match=r"there is no device 'cuda:1'"):
        make(device="cuda:1")
    with pytest.raises(RuntimeError, match="pin_memory"):
        make(pin_memory=True)
    with pytest.raises(RuntimeError, match="layout"):
        make(layout="sparse")


def test_other_memory_formats_are_refused():
    with pytest.raises(RuntimeError, match="channels_last"):
        mt.zeros_like(mt.ones(2), memory_format=mt.channels_last)
    with pytest.raises(RuntimeError, match="channels_last"):
        mt.ones(2).contiguous(memory_format=mt.channels_last)


def test_what_shares_memory_and_what_does_not():
    array = np.zeros(3)
    for share in (mt.from_numpy, mt.as_tensor, mt.asarray):
        share(array).fill_(1)
        assert array.tolist() == [1, 1, 1]
        array[:] = 0
    for copy in (mt.tensor, lambda a: mt.asarray(a, copy=True), mt.ones(1).new_tensor):
        copy(array).fill_(1)
        assert array.tolist() == [0, 0, 0]
    buffer = bytearray(8)
    mt.frombuffer(buffer, dtype=mt.int32).fill_(-1)
    assert buffer == b"\xff" * 8
    x = mt.ones(2)
    assert mt.as_tensor(x) is x and mt.asarray(x) is x


def test_functions_carry_their_signature_name_and_documentation():
    assert mt.zeros.__name__ == "zeros" and mt.zeros.__module__ == "microtensor.ops.creation"
    for name in ("zeros", "arange", "rand", "tensor"):
        assert getattr(mt, name).__doc__
