"""backward(): what it starts from, what it accumulates into, and how often it may run."""

import warnings

import numpy as np
import pytest

import microtensor as mt


def leaf(*values):
    return mt.tensor(values or (1.0, 2.0), requires_grad=True)


# ---- where it starts ----------------------------------------------------------------------------


def test_a_scalar_starts_from_one():
    x = leaf()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
def test_one_element_of_any_shape_counts_as_scalar(shape):
    x = mt.ones(shape, requires_grad=True)
    (x * 3).backward()
    assert x.grad.shape == shape and x.grad.item() == 3


def test_a_leaf_may_itself_be_the_root():
    x = mt.tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1


def test_several_elements_need_a_gradient():
    x = leaf()
    with pytest.raises(RuntimeError, match=r"only for scalar outputs.*\[2\].*gradient="):
        (x * 3).backward()
    (x * 3).backward(mt.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [3, 30]


def test_an_empty_tensor_needs_a_gradient_too():
    x = mt.zeros(0, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="scalar outputs"):
        (x * 2).backward()
    (x * 2).backward(mt.zeros(0, 3))
    assert x.grad.shape == (0, 3)


def test_gradient_must_have_the_shape():
    x = leaf()
    with pytest.raises(RuntimeError, match=r"grad_output\[0\].*\[3\].*output\[0\].*\[2\]"):
        (x * 3).backward(mt.ones(3))


def test_gradient_must_be_a_tensor():
    x = leaf()
    for wrong in (2.0, np.ones(2), [1.0]):
        with pytest.raises(TypeError, match="Tensors or None"):
            (x * 3).backward(wrong)


def test_gradient_of_another_dtype_is_cast():
    x = leaf()
    (x * 3).backward(mt.ones(2, dtype=mt.float64))
    assert x.grad.dtype is mt.float32


def test_a_tensor_without_a_graph_is_refused():
    with pytest.raises(RuntimeError, match=r"element 0.*does not require grad"):
        mt.ones(2).sum().backward()
    x = leaf()
    with mt.no_grad():
        y = (x * 2).sum()
    with pytest.raises(RuntimeError, match=r"no_grad\(\)"):
        y.backward()
    with pytest.raises(RuntimeError, match="element 1"):
        mt.autograd.backward([x.sum(), mt.ones(1)])


def test_roots_are_summed():
    x = leaf()
    y = x * 2
    mt.autograd.backward([y, y.sum(), y], [mt.ones(2), None, mt.tensor([10.0, 20.0])])
    assert x.grad.tolist() == [24, 44]


def test_a_root_inside_the_graph_of_another():
    x = mt.tensor(1.0, requires_grad=True)
    y = x * x
    z = y * 2
    mt.autograd.backward([y, z])
    assert x.grad.item() == 6


def test_roots_and_gradients_must_be_as_many():
    x = leaf()
    with pytest.raises(RuntimeError, match="1 tensors and 2 gradients"):
        mt.autograd.backward([x.sum()], [None, None])


def test_roots_must_be_tensors():
    with pytest.raises(TypeError, match="element 0"):
        mt.autograd.backward([3.0])


# ---- how often ----------------------------------------------------------------------------------


def test_twice_through_a_freed_graph_raises_and_says_what_to_do():
    x = leaf()
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"second time.*retain_graph=True"):
        y.backward()


def test_a_part_of_a_freed_graph_raises_and_names_the_op():
    x = leaf()
    hidden = x.exp()
    hidden.sum().backward()
    with pytest.raises(RuntimeError, match=r"^exp: .*second time"):
        (hidden * 2).sum().backward()


def test_retain_graph_allows_another_walk():
    x = leaf()
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4, 8]


def test_retain_graph_defaults_to_create_graph():
    x = leaf()
    y = (x * x).sum()
    y.backward(create_graph=True)
    y.backward()
    assert x.grad.tolist() == [4, 8]


def test_retain_graph_false_with_create_graph_frees():
    x = leaf()
    y = (x * x).sum()
    y.backward(create_graph=True, retain_graph=False)
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_a_failed_walk_frees_nothing_before_the_failing_node():
    x = leaf()
    hidden = x.log()
    y = (hidden * 2).sum()
    with mt.no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        y.backward()
    assert x.grad is None


# ---- accumulation and who owns what -------------------------------------------------------------


def test_gradients_accumulate_over_walks():
    x = leaf()
    for _ in range(3):
        (x * 2).sum().backward()
    assert x.grad.tolist() == [6, 6]


def test_accumulating_keeps_the_grad_tensor():
    x = leaf()
    (x * 2).sum().backward()
    gradient = x.grad
    (x * 2).sum().backward()
    assert x.grad is gradient
    assert gradient.tolist() == [4, 4]


def test_accumulating_into_infinities_is_silent():
    x = leaf()
    x.grad = mt.tensor([float("inf"), 3e38])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (x * mt.tensor([float("-inf"), 3e38])).sum().backward()
    assert np.isnan(x.grad.numpy()[0]) and np.isinf(x.grad.numpy()[1])


def test_gradient_that_overflows_the_input_dtype_is_silently_infinite():
    x = leaf()
    (x * mt.tensor([1e300, 1.0], dtype=mt.float64)).sum().backward()
    assert x.grad.tolist() == [float("inf"), 1]


def test_grad_has_the_shape_and_dtype_of_its_tensor():
    x = mt.ones(3, 1, dtype=mt.float16, requires_grad=True)
    (x * mt.ones(2, 1, 4, dtype=mt.float64)).sum().backward()
    assert x.grad.shape == (3, 1) and x.grad.dtype is mt.float16
    assert x.grad.tolist() == [[8]] * 3


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_alias_neither_each_other_nor_the_incoming_one(create_graph):
    x, y, z = leaf(), leaf(), leaf()
    incoming = mt.tensor([1.0, 1.0])
    (x + y + z.reshape(2)).backward(incoming, create_graph=create_graph)
    arrays = [incoming, x.grad, y.grad, z.grad]
    for i, a in enumerate(arrays):
        for b in arrays[i + 1 :]:
            assert a is not b
            assert not np.shares_memory(a._array, b._array)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda x: x.clone(),
        lambda x: x + 1,
        lambda x: x.reshape(2, 1),
        lambda x: x.expand(3, 2),
        lambda x: mt.cat([x, x]),
        lambda x: mt.stack([x, x]),
        lambda x: x[mt.tensor([0, 1])],
        lambda x: x.unsqueeze(0).t(),
        lambda x: x.to(mt.float64),
        lambda x: x.clamp(-10, 10),
        lambda x: x.sum(0, keepdim=True).expand(2),
    ],
)
def test_changing_grad_in_place_changes_nothing_else(function, create_graph):
    x, other = leaf(), leaf()
    y = function(x) + function(other)
    incoming = mt.ones_like(y)
    y.backward(incoming, create_graph=create_graph)
    before = other.grad.tolist()
    with mt.no_grad():
        x.grad.fill_(99)
    assert other.grad.tolist() == before
    assert (incoming == 1).all()


def test_grad_does_not_alias_a_saved_array():
    x = leaf()
    constant = mt.tensor([3.0, 4.0])
    y = (x * constant).sum()
    y.backward(retain_graph=True)
    x.grad.fill_(0)
    y.backward()
    assert constant.tolist() == [3, 4]
    assert x.grad.tolist() == [3, 4]


def test_a_grad_the_user_assigned_is_added_to():
    x = leaf()
    x.grad = mt.tensor([10.0, 20.0])
    (x * 2).sum().backward()
    assert x.grad.tolist() == [12, 22]


def test_a_grad_that_cannot_be_written_to_is_replaced():
    x = leaf()
    x.grad = mt.ones(1).expand(2)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_a_grad_that_is_itself_recorded_is_replaced():
    x = leaf()
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    (x * 2).sum().backward()
    assert x.grad is not first
    assert first.tolist() == [3, 12] and x.grad.tolist() == [5, 14]


def test_grad_is_contiguous():
    w = mt.ones(3, 2, requires_grad=True)
    (w.t() * mt.arange(6.0).reshape(2, 3)).sum().backward()
    assert w.grad.is_contiguous()
    assert w.grad.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_input_that_does_not_require_a_gradient_gets_none():
    x, constant = leaf(), mt.ones(2)
    (x * constant).sum().backward()
    assert constant.grad is None


def test_integer_inputs_take_part_without_gradient():
    x = leaf()
    (x * mt.tensor([2, 3])).sum().backward()
    assert x.grad.tolist() == [2, 3] and x.grad.dtype is mt.float32


# ---- inputs= ------------------------------------------------------------------------------------


def test_inputs_restricts_what_is_touched():
    x, w = leaf(), leaf()
    (x * w).sum().backward(inputs=[w])
    assert x.grad is None
    assert w.grad.tolist() == [1, 2]


def test_inputs_may_be_computed_tensors():
    x = leaf()
    y = x * 2
    (y * 3).sum().backward(inputs=[y], retain_graph=True)
    assert x.grad is None
    assert y.grad.tolist() == [3, 3]
    (y * 3).sum().backward(inputs=y)
    assert y.grad.tolist() == [6, 6]


def test_inputs_must_not_be_empty():
    with pytest.raises(RuntimeError, match="inputs"):
        leaf().sum().backward(inputs=[])


def test_an_input_that_requires_no_gradient_is_refused():
    with pytest.raises(RuntimeError, match="does not require grad"):
        leaf().sum().backward(inputs=[mt.ones(2)])


def test_an_input_named_twice_counts_once():
    x = leaf()
    (x * 2).sum().backward(inputs=[x, x])
    assert x.grad.tolist() == [2, 2]


# ---- leaves -------------------------------------------------------------------------------------


def test_leaf_rules():
    x = mt.ones(2)
    assert x.is_leaf and not x.requires_grad
    assert x.requires_grad_() is x
    assert x.is_leaf and x.requires_grad
    y = x * 2
    assert not y.is_leaf and y.requires_grad
    assert y.detach().is_leaf
    assert (mt.ones(2) * 2).is_leaf


def test_requires_grad_of_a_computed_tensor_cannot_be_switched_off():
    y = leaf() * 2
    with pytest.raises(RuntimeError, match=r"leaf variables.*detach"):
        y.requires_grad = False
    y.requires_grad = True  # as it is


def test_requires_grad_of_a_leaf_can_be_switched():
    x = leaf()
    y = x * 2
    x.requires_grad = False
    assert not (x * 2).requires_grad
    assert y.requires_grad
    x.requires_grad = True
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


@pytest.mark.parametrize("freeze", [lambda x: x.requires_grad_(False), lambda x: x.detach_()])
def test_a_leaf_frozen_before_the_walk_gets_no_gradient(freeze):
    x, w = leaf(), leaf()
    y = (x * w).sum()
    freeze(x)
    y.backward()
    assert x.grad is None
    assert w.grad.tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [mt.int64, mt.int32, mt.uint8, mt.bool])
def test_only_floating_point_tensors_may_require_a_gradient(dtype):
    with pytest.raises(RuntimeError, match=rf"floating point.*{dtype.name}.*\.float\(\)"):
        mt.ones(2, dtype=dtype).requires_grad_()
    with pytest.raises(RuntimeError, match="floating point"):
        mt.tensor([1], dtype=dtype, requires_grad=True)
    mt.ones(2, dtype=dtype).requires_grad_(False)


def test_assigned_grad_must_fit():
    x = leaf()
    with pytest.raises(RuntimeError, match=r"size.*\[3\].*\[2\]"):
        x.grad = mt.ones(3)
    with pytest.raises(RuntimeError, match=r"float64.*float32"):
        x.grad = mt.ones(2, dtype=mt.float64)
    with pytest.raises(TypeError, match="int"):
        x.grad = 3
    x.grad = mt.ones(2)
    del x.grad
    assert x.grad is None


def test_detach_inplace_cuts_off():
    x = leaf()
    y = x * 2
    assert y.detach_() is y
    assert y.is_leaf and not y.requires_grad
    with pytest.raises(RuntimeError, match="views"):
        (x * 2)[0].detach_()


def test_deleting_the_leaf_is_no_trouble_for_the_rest():
    x, w = leaf(), leaf()
    y = (x * w).sum()
    del x
    y.backward()
    assert w.grad.tolist() == [1, 2]
