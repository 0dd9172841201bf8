"""How tensors print: as in PyTorch, also where PyTorch is not installed."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.printing import get_printoptions, printoptions

NAN, INF = float("nan"), float("inf")


def test_what_a_few_tensors_look_like():
    assert repr(mt.tensor([1.0, 2.0])) == "tensor([1., 2.])"
    assert repr(mt.tensor([1.5, -2.0])) == "tensor([ 1.5000, -2.0000])"
    assert repr(mt.tensor([1, -20])) == "tensor([  1, -20])"
    assert repr(mt.tensor([True, False])) == "tensor([ True, False])"
    assert repr(mt.tensor(3.25)) == "tensor(3.2500)"
    assert repr(mt.tensor(7)) == "tensor(7)"
    assert repr(mt.tensor([NAN, INF, -1.0])) == "tensor([nan, inf, -1.])"
    assert repr(mt.tensor([1e-8, 1.0])) == "tensor([1.0000e-08, 1.0000e+00])"
    assert repr(mt.zeros(0)) == "tensor([])"
    assert repr(mt.zeros(2, 0)) == "tensor([], size=(2, 0))"
    assert str(mt.tensor([[1.0, 2.0], [3.0, 4.0]])) == "tensor([[1., 2.],\n        [3., 4.]])"


def test_what_is_not_the_default_is_said():
    assert repr(mt.tensor([1.0], dtype=mt.float64)) == "tensor([1.], dtype=microtensor.float64)"
    assert repr(mt.tensor([1], dtype=mt.int32)) == "tensor([1], dtype=microtensor.int32)"
    assert repr(mt.zeros(0, dtype=mt.int64)) == "tensor([], dtype=microtensor.int64)"
    x = mt.tensor([1.0], requires_grad=True)
    assert repr(x) == "tensor([1.], requires_grad=True)"
    assert repr(x * 2) == "tensor([2.], grad_fn=<MulBackward0>)"
    assert repr(x.detach()) == "tensor([1.])"


def test_the_default_dtype_is_not_said():
    mt.set_default_dtype(mt.float64)
    try:
        assert repr(mt.tensor([1.0])) == "tensor([1.])"
        assert repr(mt.tensor([1.0], dtype=mt.float32)) == "tensor([1.], dtype=microtensor.float32)"
        assert repr(mt.zeros(0)) == "tensor([])"
    finally:
        mt.set_default_dtype(mt.float32)


def test_long_tensors_are_cut_short():
    text = repr(mt.arange(2000))
    assert text == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"
    assert repr(mt.zeros(50, 50)).count("\n") == 6


def test_parts_of_the_text_stay_on_their_lines():
    assert all(len(line) <= 80 for line in repr(mt.rand(300)).split("\n"))


def test_single_numbers_take_formats():
    assert f"{mt.tensor(3.14159):.2f}" == "3.14"
    assert f"{mt.tensor(7):>4d}" == "   7"
    assert f"{mt.tensor([1.0])}" == "tensor([1.])"
    assert f"{mt.tensor(2.0)}" == "2.0"


def test_printing_changes_nothing():
    x = mt.tensor([1.0, NAN, 1e30], requires_grad=True)
    y = x * 2
    version = y._version
    with np.errstate(all="raise"):
        repr(y)
    assert y._version == version and y.requires_grad


RNG = np.random.default_rng(0)
ARRAYS = [
    *[np.float32(v) for v in (1.5, 3, 1e10, 1e-10, NAN, INF, -0.0, 16777216)],
    *[
        np.array(v, "f4")
        for v in (
            [1.0, 2.0, 3.0],
            [1.5, 2.0, 3.0],
            [1e-5, 1.0],
            [1e5, 1.5],
            [1e8, 1.0],
            [2e8, 1.0],
            [1e9, 1.5],
            [NAN, 1.0],
            [NAN, INF, -INF],
            [NAN, 1.5, -INF],
            [-1.0, 2.0],
            [0.0],
            [0.0, 0.001],
            [0.0, 0.00001],
            [1000.0, 1.0],
            [1001.5, 1.0],
            [1e38, 1.0],
            [0.1, 1000.0],
            [99999.0, 100000.0],
            [],
        )
    ],
    *[np.zeros(s, t) for s in ((0, 3), (2, 0), (0,)) for t in ("f4", "f8", "i8", "?", "u1")],
    *[np.arange(5), np.array([-1, 10, 100]), np.array(7), np.array(3, "u1"), np.array(2.5)],
    *[np.array([True, False]), np.array(True), np.array([[True, False], [False, False]])],
    *[np.arange(n, dtype=t) for n in (3, 30) for t in ("i1", "u1", "i2", "i4", "i8", "f2", "f8")],
    *[np.arange(6.0).reshape(2, 3), np.arange(24, dtype="f4").reshape(2, 3, 2, 2) / 3],
    *[np.array([1.5, 2], "f2"), np.array([65504, 1], "f2"), np.array([1e-7, 1], "f2")],
    *[np.array([1e300, 1.0]), np.array([1e-300, 1.0]), np.array([123456.789, 1.0])],
    *[np.array([12345.678]), np.array([99999999.0, 1.0]), np.array([100000001.0, 1.0])],
    *[np.array([123456789.5]), np.array([0.5, 499.0]), np.array([[NAN, 1], [2, 3.0]])],
    *[np.ones((7, 7), "f4"), np.full((3, 3), -1.25), np.zeros((1, 1, 1), "f4")],
    *[RNG.normal(size=s).astype("f4") for s in ((3, 3), (30,), (4, 30), (1, 200), (2, 2, 2))],
    *[RNG.normal(size=s).astype("f4") for s in (1000, 1001, (40, 40), (8, 8, 8, 8), (3, 500))],
    *[RNG.normal(size=(2, 3)) * scale for scale in (1e6, 1e-6, 1e12, 1.0)],
    *[RNG.integers(-1000, 1000, s) for s in ((3, 4), (25,), (2000,))],
    *[RNG.integers(0, 2, s).astype(bool) for s in ((3, 4), (40,), (30, 40))],
    *[np.arange(2000).reshape(2, 1000), np.arange(1200, dtype="f4").reshape(3, 4, 100)],
]


@pytest.mark.parametrize("place", range(len(ARRAYS)))
def test_prints_as_in_pytorch(place, torch):
    array = np.asarray(ARRAYS[place])
    for requires_grad in {False, array.dtype.kind == "f"}:
        ours = repr(mt.tensor(array, requires_grad=requires_grad))
        theirs = repr(torch.tensor(array, requires_grad=requires_grad))
        assert ours.replace("microtensor.", "torch.") == theirs


def test_computed_tensors_print_as_in_pytorch(torch):
    for m in (mt, torch):
        x = m.ones(30, requires_grad=True)
        texts = [repr(x * 2), repr(x.sum()), repr((x / 3).sqrt())]
        if m is mt:
            ours = texts
    assert ours == texts


# ---- options ------------------------------------------------------------------------------------

DEFAULTS = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}


def test_options_can_be_set_and_read():
    x = mt.tensor([1.123456, 20.0])
    assert get_printoptions() == DEFAULTS
    with printoptions(precision=2):
        assert repr(x) == "tensor([ 1.12, 20.00])"
        with printoptions(sci_mode=True):
            assert repr(x) == "tensor([1.12e+00, 2.00e+01])"
        assert get_printoptions() == {**DEFAULTS, "precision": 2}
    assert get_printoptions() == DEFAULTS
    with printoptions(threshold=2, edgeitems=1):
        assert repr(mt.arange(9)) == "tensor([0,  ..., 8])"
    with printoptions(linewidth=20):
        assert repr(mt.arange(6)) == "tensor([0, 1, 2, 3,\n        4, 5])"
    with printoptions(profile="full"):
        assert "..." not in repr(mt.arange(2000))
    with printoptions(profile="short"):
        assert repr(x) == "tensor([ 1.12, 20.00])"


def test_options_come_back_after_an_exception():
    with pytest.raises(KeyError), printoptions(precision=1):
        raise KeyError
    assert get_printoptions() == DEFAULTS
    with pytest.raises(ValueError, match=r"default, short, full.*'long'"):
        mt.set_printoptions(profile="long")


def test_a_mode_lasts_until_the_next_call_only():
    try:
        mt.set_printoptions(sci_mode=True)
        mt.set_printoptions(precision=3)
        assert get_printoptions() == {**DEFAULTS, "precision": 3}
    finally:
        mt.set_printoptions(profile="default")


# ---- anything at all ----------------------------------------------------------------------------


def anything(rng):
    """Give an array of any dtype and shape, with numbers of any size and strange ones."""
    dimensions = rng.integers(0, 5)
    shape = tuple(rng.integers(0, 9, dimensions))
    if rng.random() < 0.3:
        shape = tuple(rng.integers(1, 60, min(dimensions, 2)))
    dtype = str(rng.choice(["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "?"]))
    values = np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-8, 10))
    if rng.random() < 0.3:
        values = values * 10.0 ** rng.integers(-6, 6, size=shape)
    if rng.random() < 0.3:
        values = np.round(values)
    if dtype[0] == "f" and rng.random() < 0.4:
        strange = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
        values = np.where(rng.random(shape) < 0.3, strange, values)
    with np.errstate(all="ignore"):
        return np.asarray(np.asarray(values).astype(dtype))


def any_options(rng):
    choices = {
        "profile": lambda: str(rng.choice(["default", "short", "full"])),
        "precision": lambda: int(rng.integers(0, 9)),
        "threshold": lambda: int(rng.integers(0, 60)),
        "edgeitems": lambda: int(rng.integers(0, 5)),
        "linewidth": lambda: int(rng.integers(1, 120)),
        "sci_mode": lambda: bool(rng.integers(0, 2)),
    }
    return {name: draw() for name, draw in choices.items() if rng.random() < 0.4}


@pytest.mark.parametrize("with_options", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_anything_prints_as_in_pytorch(seed, with_options, torch):
    rng = np.random.default_rng(seed)
    for _ in range(100):
        array, options = anything(rng), any_options(rng) if with_options else {}
        gradient = bool(array.dtype.kind == "f" and rng.random() < 0.4)
        kind = rng.choice(["leaf", "computed", "parameter"]) if gradient else "plain"
        texts = []
        for m in (mt, torch):
            x = m.tensor(array, requires_grad=kind == "leaf")
            if kind == "parameter":
                x = m.nn.Parameter(x)
            elif kind == "computed":
                x = x.requires_grad_() * 1
            m.set_printoptions(profile="default")
            m.set_printoptions(**options)
            try:
                texts.append(repr(x).replace("microtensor.", "torch."))
            finally:
                m.set_printoptions(profile="default")
        assert texts[0] == texts[1], (options, array.dtype, array.shape)
