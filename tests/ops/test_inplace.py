"""Writing into tensors: values, gradients, views, and what is refused.

Each gradient is compared with that of the same function written without a write.
"""

import numpy as np
import pytest

import microtensor as mt
import microtensor.nn.functional as F
from microtensor.autograd import gradcheck, gradgradcheck
from microtensor.ops import methods, signatures
from microtensor.ops.declare import parse_signature


def leaf(*values):
    return mt.tensor(values or (1.0, 2.0, 3.0), dtype=mt.float64, requires_grad=True)


# ---- views --------------------------------------------------------------------------------------

VIEWS = {
    "x[0]": lambda x: x[0],
    "x[1:, ::2]": lambda x: x[1:, ::2],
    "x[None]": lambda x: x[None],
    "x[...]": lambda x: x[...],
    "x[mt.tensor(1)]": lambda x: x[mt.tensor(1)],
    "reshape": lambda x: x.reshape(4, 3),
    "view": lambda x: x.view(-1),
    "transpose": lambda x: x.transpose(0, 1),
    "T": lambda x: x.T,
    "permute": lambda x: x.permute(1, 0),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "squeeze": lambda x: x.unsqueeze(1).squeeze(1),
    "expand": lambda x: x.unsqueeze(0).expand(2, 3, 4),
    "flatten": lambda x: x.flatten(),
    "split": lambda x: x.split(2, 1)[0],
    "chunk": lambda x: x.chunk(2)[1],
    "unbind": lambda x: x.unbind(1)[2],
    "movedim": lambda x: x.movedim(0, 1),
    "detach": lambda x: x.detach(),
    "iteration": lambda x: list(x)[1],
}
COPIES = {
    "x[[0, 1]]": lambda x: x[[0, 1]],
    "x[mask]": lambda x: x[x > 0],
    "clone": lambda x: x.clone(),
    "transposed reshape": lambda x: x.T.reshape(-1),
    "to": lambda x: x.to(mt.float32),
    "contiguous": lambda x: x.T.contiguous(),
    "mt.tensor": lambda x: mt.tensor(x.numpy()),
    "x + 0": lambda x: x + 0,
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_share_memory_and_version(name):
    x = mt.arange(12.0, dtype=mt.float64).reshape(3, 4).clone()
    view = VIEWS[name](x)
    assert np.shares_memory(view.numpy(), x.numpy())
    assert view._version == x._version
    x.mul_(2)
    assert view._version == x._version == 1


@pytest.mark.parametrize("name", COPIES)
def test_copies_share_nothing(name):
    x = mt.arange(12.0, dtype=mt.float64).reshape(3, 4).clone()
    copy = COPIES[name](x)
    assert not np.shares_memory(copy.numpy(), x.numpy())
    copy.fill_(5)
    assert x._version == 0


@pytest.mark.parametrize("name", [n for n in VIEWS if n not in ("expand", "detach")])
def test_writing_through_a_view_reaches_the_base_and_its_gradient(name):
    x = mt.arange(1.0, 13.0, dtype=mt.float64).reshape(3, 4).clone().requires_grad_()

    def written(x):
        y = x * 2
        VIEWS[name](y).mul_(3)
        return y.square()

    mask = mt.ones(3, 4, dtype=mt.float64)
    VIEWS[name](mask).fill_(3)

    def plain(x):
        return (x * 2 * mask).square()

    np.testing.assert_array_equal(written(x).detach().numpy(), plain(x).detach().numpy())
    assert gradcheck(written, x)
    assert gradgradcheck(written, x)


def test_view_of_a_view_of_a_view():
    def function(x):
        y = x * 1
        a = y.reshape(2, 3)
        b = a.t()
        c = b[1]
        c.mul_(x[0])
        a.add_(1)
        return c * y.sum() + b.sum()

    assert gradcheck(function, leaf(1, 2, 3, 4, 5, 6))
    assert gradgradcheck(function, leaf(1, 2, 3, 4, 5, 6))


def test_two_views_of_one_base_see_each_others_writes():
    x = leaf(1, 2, 3, 4)
    y = x * 1
    first, rest = y[:2], y[1:]
    first.mul_(10)
    rest.add_(1)
    assert y.tolist() == [10, 21, 4, 5]
    assert first.tolist() == [10, 21] and rest.tolist() == [21, 4, 5]
    (first * first).sum().backward()
    assert x.grad.tolist() == [200, 420, 0, 0]


def test_a_view_taken_before_a_write_has_the_gradient_of_after():
    x = leaf()
    y = x * 1
    view = y[1]
    y.mul_(y.detach() * 1)
    assert view.item() == 4
    view.backward()
    assert x.grad.tolist() == [0, 2, 0]


def test_a_view_caught_up_under_no_grad_keeps_its_gradient():
    x = leaf()
    y = x * 1
    view = y[0]
    y.mul_(2)
    with mt.no_grad():
        assert view.requires_grad
    view.backward()
    assert x.grad.tolist() == [2, 0, 0]


def test_writing_to_a_base_without_gradient_makes_it_and_its_views_require_one():
    w = leaf(1, 2)
    base = mt.zeros(2, 2, dtype=mt.float64)
    column = base[:, 0]
    base[1].add_(w)
    assert base.requires_grad and column.requires_grad and not base.is_leaf
    (base * mt.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward(retain_graph=True)
    assert w.grad.tolist() == [3, 4]
    w.grad = None
    column.sum().backward()
    assert w.grad.tolist() == [1, 0]


def test_each_write_counts_in_order():
    x = leaf()
    y = x * 1
    y[0] = y[1] * 2
    y[1] = y[0] * 3
    y[2].fill_(7)
    assert y.tolist() == [4, 12, 7]
    y.sum().backward()
    assert x.grad.tolist() == [0, 8, 0]


def test_detaching_the_base_does_not_detach_its_views():
    x = leaf()
    y = x * 2
    view = y[0]
    y.detach_()
    assert view.requires_grad
    view.backward()
    assert x.grad.tolist() == [2, 0, 0]


def test_writing_to_a_detached_base_detaches_its_views():
    x = leaf()
    y = x * 2
    view = y[0]
    y.detach_()
    y.mul_(5)  # what the view shows is no longer what was recorded
    assert view.item() == 10 and not view.requires_grad


def test_a_view_taken_before_its_base_required_a_gradient_is_not_recorded():
    x = mt.ones(3)
    view = x[0]
    x.requires_grad_()
    assert not view.requires_grad
    assert x[0].requires_grad


# ---- in-place methods ---------------------------------------------------------------------------

WRITES = {
    "add_": lambda y, w: y.add_(w),
    "sub_": lambda y, w: y.sub_(w),
    "mul_": lambda y, w: y.mul_(w),
    "div_": lambda y, w: y.div_(w),
    "pow_": lambda y, w: y.pow_(w),
    "remainder_": lambda y, w: y.remainder_(w),
    "neg_": lambda y, w: y.neg_(),
    "abs_": lambda y, w: y.abs_(),
    "square_": lambda y, w: y.square_(),
    "exp_": lambda y, w: y.exp_(),
    "log_": lambda y, w: y.log_(),
    "sqrt_": lambda y, w: y.sqrt_(),
    "reciprocal_": lambda y, w: y.reciprocal_(),
    "sin_": lambda y, w: y.sin_(),
    "cos_": lambda y, w: y.cos_(),
    "clamp_": lambda y, w: y.clamp_(1.5, 2.5),
    "relu_": lambda y, w: y.relu_(),
    "sigmoid_": lambda y, w: y.sigmoid_(),
    "tanh_": lambda y, w: y.tanh_(),
    "masked_fill_": lambda y, w: y.masked_fill_(mt.tensor([True, False, False]), 5.0),
    "+=": lambda y, w: y.__iadd__(w),
    "*=": lambda y, w: y.__imul__(w),
    "relu inplace": lambda y, w: F.relu(y, inplace=True),
    "leaky_relu inplace": lambda y, w: F.leaky_relu(y, 0.1, inplace=True),
    "elu inplace": lambda y, w: F.elu(y, inplace=True),
    "silu inplace": lambda y, w: F.silu(y, inplace=True),
    "copy_": lambda y, w: y.copy_(w),
    "copy_ broadcast": lambda y, w: y.copy_(w[1]),
    "setitem": lambda y, w: y.__setitem__(slice(1, 3), w[:2]) or y,
    "setitem number": lambda y, w: y.__setitem__(0, 3.0) or y,
    "setitem mask": lambda y, w: y.__setitem__(y.detach() > 1.5, w[1:]) or y,
    "setitem index": lambda y, w: y.__setitem__(mt.tensor([2, 0]), w[:2]) or y,
    "fill_": lambda y, w: y.fill_(3.0),
    "zero_": lambda y, w: y.zero_(),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("through", ["tensor", "view"])
def test_derivatives_of_writes(name, through):
    """First and second derivatives, for what is written to and for what is written."""

    def function(x, w):
        if through == "tensor":
            y = x * 1.3
            result = WRITES[name](y, w)
            assert result is y
        else:
            y = mt.stack([x * 1.3, x.sin(), x]).t()
            WRITES[name](y[:, 0], w)
        return y.square()

    x, w = leaf(1.1, 1.7, 2.4), leaf(0.7, 2.2, 1.6)
    assert gradcheck(function, [x, w])
    assert gradgradcheck(function, [x, w])


# Fills with random numbers, tested with these; they have no out-of-place form.
RANDOM_FILLS = ("uniform_", "normal_", "bernoulli_", "random_", "exponential_", "log_normal_")
RANDOM_FILLS += ("geometric_", "cauchy_")
# They take matrices: tested with these.
OF_MATRICES = ("addbmm_", "addmm_", "addmv_", "addr_", "baddbmm_")


@pytest.mark.parametrize(
    "name",
    sorted(set(n for n in methods if n[-1] == "_" != n[0]) - {*OF_MATRICES, *RANDOM_FILLS}),
)
def test_in_place_method_gives_what_the_out_of_place_one_gives(name):
    plain = getattr(mt.Tensor, name[:-1], None)
    whole, one = mt.tensor([5.0, 6.0]), mt.tensor([1])
    arguments = {
        "masked_fill_": (mt.tensor([True, False]), 9.0),
        "masked_scatter_": (mt.tensor([True, False]), whole),
        "clamp_": (0.5, 1.5),
        "clip_": (0.5, 1.5),
        "copy_": (whole,),
        "fill_": (4.0,),
        "fill_diagonal_": (4.0,),
        "cumsum_": (0,),
        "cumprod_": (0,),
        "renorm_": (2.0, 0, 1.0),
        "put_": (one, whole[:1]),
        "index_put_": ((one,), whole[:1]),
        "scatter_": (0, one, whole),
        "scatter_add_": (0, one, whole),
        "scatter_reduce_": (0, one, whole, "mean"),
        "index_add_": (0, one, whole[:1]),
        "index_copy_": (0, one, whole[:1]),
        "index_fill_": (0, one, 4.0),
        "index_reduce_": (0, one, whole[:1], "amax"),
    }.get(name)
    integers = name.startswith("bitwise") or name in ("gcd_", "lcm_")
    x = mt.tensor([6, 3]) if integers else mt.tensor([0.7, 2.4])
    if name == "float_power_":
        x = x.double()
    if name in ("tril_", "triu_", "renorm_", "fill_diagonal_"):
        x = mt.tensor([[1.0, 2.0], [3.0, 4.0]])
    if arguments is None:
        # One tensor for each argument that must be given; an order for what is no tensor.
        required = [p for p in parse_signature(signatures[methods[name]])[1:] if p.default is None]
        second = mt.tensor([2, 1]).to(x.dtype)
        arguments = tuple(second if p.is_input else 2 for p in required)
    if plain is not None:
        expected = plain(x, *arguments)
    else:
        expected = {
            "fill_": mt.tensor([4.0, 4.0]),
            "copy_": whole,
            "zero_": mt.zeros(2),
            "fill_diagonal_": mt.tensor([[4.0, 2.0], [3.0, 4.0]]),
        }[name]
    y = x.clone()
    array, version = y._array, y._version
    assert getattr(y, name)(*arguments) is y
    assert y._array is array and y._version == version + 1
    np.testing.assert_array_equal(y.numpy(), expected.numpy())


@pytest.mark.parametrize(
    "statement",
    ["y += 2", "y -= 2", "y *= 2", "y /= 2", "y **= 2", "y //= 2", "y %= 2"],
)
def test_augmented_assignment_writes_in_place(statement):
    y = mt.tensor([5.0, 7.0])
    names = {"y": y}
    exec(statement, names)
    assert names["y"] is y
    assert y.tolist() == eval(f"[v {statement[2:-3]} 2 for v in (5.0, 7.0)]")


def test_augmented_assignment_of_bits_writes_in_place():
    y = kept = mt.tensor([6, 3])
    y &= 2
    y |= 8
    y ^= mt.tensor([1, 1])
    assert y is kept and y.tolist() == [11, 11]


def test_write_of_a_tensor_to_itself():
    x = leaf()
    y = x * 1
    y.mul_(y)
    y.add_(y)
    assert y.tolist() == [2, 8, 18]
    y.sum().backward()
    assert x.grad.tolist() == [4, 8, 12]


def test_a_write_keeps_a_copy_only_where_a_rule_reads_the_old_value():
    x = leaf()
    y = x * 1
    old = y._array
    y.mul_(2.0)
    assert all(value is not old for value in y.grad_fn.saved)
    y.add_(1.0)
    assert not [v for v in y.grad_fn.saved if isinstance(v, np.ndarray)]


def test_overlapping_copies_read_before_they_write():
    y = mt.arange(5)
    y[1:] = y[:-1]
    assert y.tolist() == [0, 0, 1, 2, 3]
    y = mt.arange(5)
    y[:-1].copy_(y[1:])
    assert y.tolist() == [1, 2, 3, 4, 4]
    y = mt.arange(4.0)
    y.copy_(y.detach()[mt.tensor([3, 2, 1, 0])])
    assert y.tolist() == [3, 2, 1, 0]


def test_overwritten_tensor_gives_a_gradient_of_zero():
    x = leaf()
    y = x * 2
    y.fill_(3)
    assert y.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]
    x.grad = None
    y = x + 2
    y.copy_(mt.ones(3, dtype=mt.float64))
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_copying_does_not_make_hooks_of_one_those_of_the_other():
    x, seen = leaf(), []
    source = x * 2
    target = mt.zeros(3, dtype=mt.float64)
    target.copy_(source)
    target.register_hook(lambda g: seen.append(g.tolist()))
    (target.sum() + (source * 10).sum()).backward()
    assert seen == [[1, 1, 1]]
    assert x.grad.tolist() == [22, 22, 22]


def test_copy_casts_and_broadcasts():
    w = mt.ones(2, requires_grad=True)
    x = mt.zeros(3, 2, dtype=mt.float64)
    x.copy_(w)
    (x * mt.arange(6).reshape(3, 2)).sum().backward()
    assert w.grad.tolist() == [6, 9] and w.grad.dtype is mt.float32
    assert mt.zeros(2, dtype=mt.int64).copy_(mt.tensor([1.7, -1.7])).tolist() == [1, -1]


def test_write_casts_to_the_tensors_dtype():
    x = mt.ones(2, requires_grad=True)
    y = x * 1
    y.mul_(mt.tensor([1.5, 2.5], dtype=mt.float64))
    assert y.dtype is mt.float32 and y.tolist() == [1.5, 2.5]
    y.sum().backward()
    assert x.grad.tolist() == [1.5, 2.5] and x.grad.dtype is mt.float32


# ---- refusals -----------------------------------------------------------------------------------

LEAF_WRITES = {
    "add_": lambda x: x.add_(1),
    "+=": lambda x: x.__iadd__(1),
    "zero_": lambda x: x.zero_(),
    "setitem": lambda x: x.__setitem__(0, 1.0),
    "copy_": lambda x: x.copy_(mt.zeros(3)),
    "relu inplace": lambda x: F.relu(x, inplace=True),
    "dropout inplace": lambda x: F.dropout(x, inplace=True),
    "view": lambda x: x[0].add_(1),
    "view of a view": lambda x: x.reshape(3, 1).t().zero_(),
}


@pytest.mark.parametrize("name", LEAF_WRITES)
def test_writing_to_a_leaf_that_requires_a_gradient_is_refused(name):
    x = leaf()
    with pytest.raises(RuntimeError, match=r"leaf Variable that requires grad.*no_grad\(\)"):
        LEAF_WRITES[name](x)
    assert x.tolist() == [1, 2, 3] and x._version == 0


@pytest.mark.parametrize("name", [n for n in LEAF_WRITES if n != "dropout inplace"])
def test_writing_to_a_leaf_is_allowed_under_no_grad(name):
    x = leaf()
    with mt.no_grad():
        LEAF_WRITES[name](x)
    assert x._version == 1
    assert x.is_leaf and x.requires_grad
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_shapes_may_not_grow():
    with pytest.raises(RuntimeError, match=r"add_: output with shape \[3\].*\[2, 3\]"):
        mt.ones(3).add_(mt.ones(2, 3))
    with pytest.raises(RuntimeError, match=r"size \(3\).*size \(2\)"):
        mt.ones(3).copy_(mt.ones(2))


def test_dtypes_may_not_lose_their_category():
    with pytest.raises(RuntimeError, match=r"add_: result type float32 can't be cast.*int64"):
        mt.ones(2, dtype=mt.int64).add_(1.5)
    with pytest.raises(RuntimeError, match=r"float32.*int64"):
        mt.ones(2, dtype=mt.int64).div_(2)
    with pytest.raises(RuntimeError, match=r"int64.*bool"):
        mt.ones(2, dtype=mt.bool).add_(1)
    with pytest.raises(RuntimeError, match=r"dtypes match.*int64.*float32.*\.to\("):
        mt.ones(2, dtype=mt.int64)[mt.tensor([0])] = mt.tensor(1.5)


def test_what_is_assigned_to_a_view_is_cast_as_copy_does():
    x = mt.ones(2, dtype=mt.int64)
    x[0] = mt.tensor(3.5)
    x[1:] = -2.5
    assert x.tolist() == [3, -2]


def test_a_failed_write_changes_nothing():
    x = mt.ones(3)
    with pytest.raises(RuntimeError):
        x.add_(mt.ones(2))
    with pytest.raises(RuntimeError):
        x[0] = mt.ones(2)
    with pytest.raises(IndexError):
        x[5] = 1
    assert x.tolist() == [1, 1, 1] and x._version == 0


def test_expanded_memory_cannot_be_written_to():
    with pytest.raises(RuntimeError, match=r"several elements share.*clone\(\)"):
        mt.ones(1).expand(3).add_(1)


def test_read_only_memory_cannot_be_written_to():
    array = np.ones(3)
    array.flags.writeable = False
    x = mt.from_numpy(array)
    for write in (lambda: x.add_(1), lambda: x.zero_(), lambda: x.__setitem__(0, 1)):
        with pytest.raises(RuntimeError, match="read-only"):
            write()
    assert array.tolist() == [1, 1, 1]
