"""Bad input: a clear error that names the op, the shapes and the cure; nothing is lost."""

import inspect

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor.ops import registry

BINARY = [
    *("add", "sub", "mul", "div", "pow", "floor_divide", "remainder", "maximum", "minimum"),
    *("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"),
]


@pytest.mark.parametrize("name", BINARY)
def test_shapes_that_do_not_broadcast(name):
    words = rf"{name}: the shapes \[2, 3\] and \[4, 3\].*\(2\).*\(4\).*dimension 0"
    with pytest.raises(RuntimeError, match=words):
        getattr(mt, name)(mt.ones(2, 3), mt.ones(4, 3))


def test_shapes_of_where_that_do_not_broadcast():
    with pytest.raises(RuntimeError, match=r"where: the shapes \[2\] and \[3\]"):
        mt.where(mt.ones(2) > 0, mt.ones(2), mt.ones(3))
    with pytest.raises(RuntimeError, match=r"where: the shapes \[4\] and \[2\]"):
        mt.where(mt.ones(4) > 0, mt.ones(2), mt.ones(2))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((2, 3), (4, 2), r"matmul: the shapes \[2, 3\] and \[4, 2\].*3 columns against 4 rows"),
        ((3,), (4,), r"matmul: the shapes \[3\] and \[4\]"),
        ((2, 3), (4,), r"matmul: the shapes \[2, 3\] and \[4\]"),
        ((3,), (4, 2), r"matmul: the shapes \[3\] and \[4, 2\]"),
        ((5, 2, 3), (4, 3, 2), r"matmul: the shapes \[5\] and \[4\]"),
        ((), (3,), "matmul: both arguments need to be at least 1D.*0D and 1D"),
    ],
)
def test_shapes_that_do_not_multiply(a, b, words):
    with pytest.raises(RuntimeError, match=words):
        mt.ones(a) @ mt.ones(b)


def test_mm_takes_matrices():
    with pytest.raises(RuntimeError, match="mm: mat2 must be a matrix, got 1D"):
        mt.mm(mt.ones(2, 3), mt.ones(3))


def test_float64_data_meeting_float32_weights():
    data = mt.from_numpy(np.ones((4, 3)))
    layer = mt.nn.Linear(3, 2)
    for call in (lambda: layer(data), lambda: F.linear(data, layer.weight)):
        with pytest.raises(RuntimeError, match=r"linear: .*float64.*float32.*\.float\(\)"):
            call()
    with pytest.raises(
        RuntimeError, match=r"bias is float32 and input is float64; convert bias with \.double\(\)"
    ):
        F.linear(data, layer.weight.double(), layer.bias)
    with pytest.raises(RuntimeError, match=r"matmul: .*float64.*float32.*\.float\(\)"):
        data @ layer.weight.T
    assert layer(data.float()).shape == (4, 2)
    assert layer.double()(data).shape == (4, 2)


def test_integer_data_meeting_weights():
    with pytest.raises(RuntimeError, match=r"linear: .*int64.*float32.*\.float\(\)"):
        mt.nn.Linear(3, 2)(mt.ones(4, 3, dtype=mt.int64))


def test_shapes_that_do_not_fit_a_linear_map():
    w, b = mt.ones(2, 3), mt.ones(2)
    with pytest.raises(RuntimeError, match=r"linear: .*\[4, 5\].*\[2, 3\].*3 features"):
        F.linear(mt.ones(4, 5), w, b)
    with pytest.raises(RuntimeError, match=r"linear: bias.*\[3\].*\[2, 3\].*\[2\]"):
        F.linear(mt.ones(4, 3), w, mt.ones(3))
    with pytest.raises(RuntimeError, match=r"linear: weight must be a matrix.*\[3\]"):
        F.linear(mt.ones(4, 3), mt.ones(3))
    with pytest.raises(RuntimeError, match=r"linear: .*\[\]"):
        F.linear(mt.tensor(1.0), w)


# ---- labels -------------------------------------------------------------------------------------

LOSSES = {"cross_entropy": F.cross_entropy, "nll_loss": F.nll_loss}


@pytest.mark.parametrize("name", LOSSES)
def test_float_targets_for_class_labels(name):
    with pytest.raises(RuntimeError, match=rf"{name}: .*float.*\.long\(\)"):
        LOSSES[name](mt.zeros(3, 4), mt.tensor([0.0, 1.0, 2.0]))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [mt.int32, mt.bool])
def test_labels_of_another_integer_dtype(name, dtype):
    with pytest.raises(RuntimeError, match=rf"{name}: .*int64.*{dtype.name}.*\.long\(\)"):
        LOSSES[name](mt.zeros(3, 4), mt.zeros(3, dtype=dtype))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("bad", [4, -1, 2**40, -(2**62)])
def test_labels_out_of_range(name, bad):
    logits = mt.zeros(3, 4, requires_grad=True)
    words = rf"{name}: target {bad} at row 1 is out of range for 4 classes"
    with pytest.raises(IndexError, match=words):
        LOSSES[name](logits, mt.tensor([0, bad, 2]))
    assert logits.grad is None


@pytest.mark.parametrize("name", LOSSES)
def test_labels_out_of_range_in_images(name):
    target = mt.zeros(2, 5, dtype=mt.int64)
    target[1, 2] = 9
    with pytest.raises(IndexError, match="target 9 at row 7 is out of range for 3 classes"):
        LOSSES[name](mt.zeros(2, 3, 5), target)


@pytest.mark.parametrize("name", LOSSES)
def test_labels_that_are_not_as_many_as_rows(name):
    with pytest.raises(ValueError, match=rf"{name}: .*\[2\].*\[3, 4\].*expected \[3\]"):
        LOSSES[name](mt.zeros(3, 4), mt.tensor([0, 1]))


@pytest.mark.parametrize("name", LOSSES)
def test_weights_that_do_not_fit_the_classes(name):
    labels = mt.tensor([0, 1, 2])
    with pytest.raises(RuntimeError, match=rf"{name}: .*4 classes.*\[3\]"):
        LOSSES[name](mt.zeros(3, 4), labels, mt.ones(3))
    with pytest.raises(RuntimeError, match=rf"{name}: .*float32.*float64.*\.float\(\)"):
        LOSSES[name](mt.zeros(3, 4), labels, mt.ones(4, dtype=mt.float64))


@pytest.mark.parametrize("loss", [*LOSSES.values(), F.mse_loss])
def test_unknown_reductions(loss):
    target = mt.zeros(2, dtype=mt.int64) if loss is not F.mse_loss else mt.zeros(2, 2)
    with pytest.raises(ValueError, match=r"'average'.*'none', 'mean', 'sum'"):
        loss(mt.zeros(2, 2), target, reduction="average")


def test_other_losses_refuse_other_shapes_and_dtypes():
    name = "binary_cross_entropy_with_logits"
    with pytest.raises(ValueError, match=rf"{name}: .*\[3\].*\[3, 1\]"):
        F.binary_cross_entropy_with_logits(mt.zeros(3, 1), mt.zeros(3))
    with pytest.raises(RuntimeError, match=rf"{name}: .*int64.*\.float\(\)"):
        F.binary_cross_entropy_with_logits(mt.zeros(3), mt.zeros(3, dtype=mt.int64))
    with pytest.raises(RuntimeError, match="label_smoothing"):
        F.cross_entropy(mt.zeros(2, 2), mt.tensor([0, 1]), label_smoothing=1.5)
    with pytest.raises(RuntimeError, match=r"cross_entropy: .*int64.*\.float\(\)"):
        F.cross_entropy(mt.zeros(2, 2, dtype=mt.int64), mt.tensor([0, 1]))


# ---- dtypes -------------------------------------------------------------------------------------

# sigmoid and tanh give floats, as in PyTorch.
FLOATING_ONLY = [
    n for n, op in registry.items() if op.ulp is not None and n not in ("sigmoid", "tanh")
]


def test_sigmoid_and_tanh_of_integers_are_floating_point():
    assert mt.sigmoid(mt.tensor([0])).tolist() == [0.5]
    assert mt.tanh(mt.tensor([0])).dtype is mt.float32


# Those that take more than the input are in test_activations.py.
MORE_ARGUMENTS = {"apl", "prelu", "snake", "soft_exponential", "srelu", "star_relu", "threshold"}


@pytest.mark.parametrize("name", sorted({*FLOATING_ONLY} - {"sigmoid", "tanh"} - MORE_ARGUMENTS))
def test_activations_refuse_integers_and_name_the_cure(name):
    with pytest.raises(RuntimeError, match=rf"{name}.*int64.*\.float\(\)"):
        registry[name].public(mt.tensor([1, 2]))


def test_means_and_softmax_of_integers_name_the_cure():
    with pytest.raises(RuntimeError, match=r"mean.*int64.*\.float\(\)"):
        mt.ones(2, dtype=mt.int64).mean()
    for function in (mt.softmax, mt.log_softmax):
        with pytest.raises(RuntimeError, match=r"int64.*\.float\(\)"):
            function(mt.tensor([1, 2]), 0)


def test_division_of_integers_by_zero():
    for divide in (lambda: mt.tensor([1, 2]) // 0, lambda: mt.tensor([1]) % mt.tensor([0])):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            divide()
    assert (mt.tensor([1.0]) // 0).tolist() == [float("inf")]
    assert (mt.zeros(0, dtype=mt.int64) // mt.zeros(0, dtype=mt.int64)).shape == (0,)


def test_negative_powers_of_integers():
    with pytest.raises(RuntimeError, match="negative integer powers"):
        mt.tensor([2]) ** -1
    assert (mt.tensor([2.0]) ** -1).item() == 0.5


def test_what_bools_cannot_do():
    flags = mt.tensor([True, False])
    for name, function in {
        "sub": lambda: flags - flags,
        "neg": lambda: -flags,
        "abs": lambda: mt.abs(flags),
        "round": lambda: mt.round(flags),
        "floor": lambda: mt.floor(flags),
        "fmod": lambda: mt.fmod(flags, flags),
        "bitwise_left_shift": lambda: flags << flags,
        "gcd": lambda: mt.gcd(flags, flags),
        "positive": lambda: +flags,
        "floor_divide": lambda: flags // flags,
        "remainder": lambda: flags % flags,
    }.items():
        with pytest.raises(RuntimeError, match=f"{name}: .*bool"):
            function()


def test_what_floats_cannot_do():
    x = mt.ones(2)
    for function in (lambda: x & x, lambda: x | 1, lambda: x ^ x):
        with pytest.raises(RuntimeError, match=r"bitwise.*floating-point"):
            function()
    with pytest.raises(TypeError, match=r"bitwise_not.*floating-point"):
        _ = ~x


# ---- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n, op in registry.items() if op.namespaces == ("mt",)])
def test_arrays_are_refused_and_the_cure_named(name):
    if name in ("view_put", "index_put", "overwrite"):
        return
    function = getattr(mt, name)
    required = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
    with pytest.raises(TypeError, match=r"must be (Tensor|tuple of Tensors)"):
        function(np.ones(2), *[1] * (len(required) - 1))


def test_the_cure_for_arrays():
    with pytest.raises(TypeError, match=r"exp\(\): .*'input'.*ndarray.*mt.from_numpy"):
        mt.exp(np.ones(2))


@pytest.mark.parametrize("other", ["a", None, [1.0], 1j, object()])
def test_operators_refuse_what_is_no_number(other):
    x = mt.ones(1)
    for operate in (
        lambda: x + other,
        lambda: other * x,
        lambda: x / other,
        lambda: x @ other,
        lambda: x < other,
        lambda: mt.add(x, other),
    ):
        with pytest.raises(TypeError):
            operate()


def test_comparing_with_anything_else_is_just_false():
    x = mt.ones(1)
    assert (x == None) is False and (x == "a") is False  # noqa: E711
    assert (x != None) is True  # noqa: E711


def test_clamp_bounds():
    with pytest.raises(RuntimeError, match="at least one"):
        mt.ones(2).clamp()
    with pytest.raises(TypeError, match=r"'max' must be a Tensor, as the other bound, not float"):
        mt.ones(2).clamp(mt.zeros(2), 1.0)
    with pytest.raises(TypeError, match=r"'min' must be Tensor or a number, not str"):
        mt.ones(2).clamp("a")
    with pytest.raises(RuntimeError, match="uint8 without overflow"):
        mt.ones(2, dtype=mt.uint8).clamp(max=300)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum(2),
        lambda x: x.mean(-3),
        lambda x: x.amax((0, 2)),
        lambda x: x.argmax(5),
        lambda x: x.max(2),
        lambda x: x.all(2),
        lambda x: x.softmax(2),
        lambda x: x.log_softmax(-3),
        lambda x: x.transpose(0, 2),
        lambda x: x.unsqueeze(4),
        lambda x: x.squeeze(2),
        lambda x: x.flatten(0, 2),
        lambda x: x.permute(0, 2),
        lambda x: x.size(2),
        lambda x: x.unbind(2),
        lambda x: x.split(1, 2),
        lambda x: mt.cat([x, x], 2),
        lambda x: mt.stack([x, x], 3),
        lambda x: x[0, 0].sum(1),
        lambda x: x[0, 0].softmax(1),
        lambda x: x[0, 0].size(0),
    ],
)
def test_dimensions_out_of_range(function):
    with pytest.raises(IndexError, match=r"[Dd]imension|index out of range"):
        function(mt.ones(2, 3))


def test_dimensions_named_twice():
    for function in (lambda x: x.sum((0, 0)), lambda x: x.mean((1, -1))):
        with pytest.raises(RuntimeError, match="twice"):
            function(mt.ones(2, 3))
    with pytest.raises(RuntimeError, match="permute"):
        mt.ones(2, 3).permute(0, 0)


def test_dimensions_must_be_integers():
    with pytest.raises(TypeError):
        mt.ones(2, 3).sum(1.5)


def test_shapes_that_do_not_fit():
    x = mt.ones(2, 3)
    with pytest.raises(RuntimeError, match=r"reshape: shape \[4\].*size 6.*\[2, 3\]"):
        x.reshape(4)
    with pytest.raises(RuntimeError, match="reshape"):
        x.reshape(-1, -1)
    with pytest.raises(RuntimeError, match=r"Use \.reshape"):
        x.t().view(6)
    with pytest.raises(RuntimeError, match=r"expand: .*\(4\).*\(3\).*\[2, 4\].*\[2, 3\]"):
        x.expand(2, 4)
    with pytest.raises(RuntimeError, match="expand: the number of sizes"):
        x.expand(3)
    with pytest.raises(RuntimeError, match="expand: -1"):
        x.expand(-1, 2, 3)
    with pytest.raises(RuntimeError, match="<= 2 dimensions"):
        mt.ones(1, 1, 1).t()
    with pytest.raises(RuntimeError, match="mT is only"):
        _ = mt.ones(2).mT
    with pytest.raises(TypeError, match="integers"):
        x.reshape(2.0, 3)


def test_joining_what_does_not_fit():
    with pytest.raises(RuntimeError, match=r"cat: .*\[2, 3\].*\[2, 2\].*number 1"):
        mt.cat([mt.ones(2, 3), mt.ones(2, 2)])
    with pytest.raises(RuntimeError, match=r"stack.*\[2\] at entry 0 and \[3\] at entry 1"):
        mt.stack([mt.ones(2), mt.ones(3)])
    with pytest.raises(RuntimeError, match="zero-dimensional"):
        mt.cat([mt.tensor(1.0)])
    with pytest.raises(ValueError, match="non-empty"):
        mt.cat([])
    with pytest.raises(RuntimeError, match="non-empty"):
        mt.stack([])
    with pytest.raises(TypeError, match="tuple of Tensors"):
        mt.cat(mt.ones(2))
    with pytest.raises(TypeError, match="must be Tensor, not ndarray"):
        mt.cat([np.ones(2)])
    with pytest.raises(RuntimeError, match=r"sum exactly to 3.*\[1, 1\]"):
        mt.ones(3).split([1, 1])
    with pytest.raises(RuntimeError, match="positive"):
        mt.ones(3).split(0)
    with pytest.raises(RuntimeError, match="greater than 0"):
        mt.ones(3).chunk(0)


def test_extremes_of_nothing():
    with pytest.raises(RuntimeError, match=r"max\(\).*\[0\]"):
        mt.zeros(0).max()
    with pytest.raises(RuntimeError, match=r"min\(\).*\[0, 3\]"):
        mt.zeros(0, 3).min()
    with pytest.raises(RuntimeError, match=r"amin\(\).*\[0\]"):
        mt.zeros(0).amin()
    for function in (
        lambda: mt.zeros(2, 0).max(1),
        lambda: mt.zeros(2, 0).amax(1),
        lambda: mt.zeros(0).argmax(),
        lambda: mt.zeros(0).amin(0),
    ):
        with pytest.raises(IndexError, match="non-zero size"):
            function()


def test_dropout_and_activation_parameters():
    for p in (-0.1, 1.1):
        with pytest.raises(ValueError, match=f"between 0 and 1, but got {p}"):
            F.dropout(mt.ones(2), p)
    with pytest.raises(RuntimeError, match=r"dropout.*int64.*\.float\(\)"):
        F.dropout(mt.tensor([1, 2]))
    with pytest.raises(RuntimeError, match="'none' or 'tanh'"):
        F.gelu(mt.ones(2), approximate="erf")
    with pytest.raises(ValueError, match="beta"):
        F.softplus(mt.ones(2), beta=0)


def test_conversions():
    with pytest.raises(RuntimeError, match="'cuda'"):
        mt.ones(2).to("cuda")
    with pytest.raises(RuntimeError, match="'float64'"):
        mt.ones(2).to("float64")
    with pytest.raises(TypeError, match=r"float16.*complex64"):
        mt.ones(2).to(np.complex64)
    with pytest.raises(TypeError, match="expected a dtype, a tensor or a device, not int"):
        mt.ones(2).to(1)
    with pytest.raises(TypeError, match="non_blocking"):
        mt.ones(2).to(mt.int8, mt.int8)
    with pytest.raises(ValueError, match=r"'float64'.*FloatTensor"):
        mt.ones(2).type("float64")


def test_largest_along_several_dimensions_is_amax():
    x = mt.zeros(2, 4)
    for call in (lambda: x.max(dim=(0, 1)), lambda: x.argmax((0, 1)), lambda: x.min(dim=[])):
        with pytest.raises(TypeError, match=r"dim must be one integer.*amax"):
            call()
    with pytest.raises(IndexError, match=r"max\(\): .*dim 0 .*\[0, 4\]"):
        mt.zeros(0, 4).max(dim=0)


def test_powers_of_bools_are_refused():
    flags = mt.tensor([True])
    with pytest.raises(RuntimeError, match="pow: not defined for two bool tensors"):
        flags**flags


def test_a_power_has_higher_derivatives_at_zero():
    x = mt.tensor(0.0, dtype=mt.float64, requires_grad=True)
    slope = x**2
    for expected in (0.0, 2.0, 0.0, 0.0):
        (slope,) = mt.autograd.grad(slope, x, create_graph=True)
        assert slope.item() == expected


def test_nan_does_not_vanish_in_the_gradient_of_elu():
    for function in (mt.nn.functional.elu, mt.selu):
        x = mt.tensor([float("nan")], requires_grad=True)
        function(x).sum().backward()
        assert bool(x.grad.isnan().all())
