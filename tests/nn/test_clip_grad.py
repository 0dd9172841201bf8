"""Clipping gradients: values, what is left alone, and torch's answers."""

import math

import numpy as np
import pytest

import microtensor as mt

GRADIENTS = [[[3.0, -4.0], [0.5, 0.0]], [12.0], 2.0]
ORDERS = [2.0, 1.0, 3.5, math.inf, -math.inf, 0.0, 0.5]


def parameters(library=mt, gradients=GRADIENTS):
    """Give parameters with these gradients, and one without."""
    made = []
    for values in [*gradients, None]:
        p = library.ones(np.shape([0.0] if values is None else values), dtype=library.float64)
        p.requires_grad_()
        if values is not None:
            p.grad = library.tensor(values, dtype=library.float64)
        made.append(p)
    return made


def gradients(params):
    return [p.grad.tolist() for p in params if p.grad is not None]


@pytest.mark.parametrize("order", [1.0, 2.0, math.inf, 3.5])
def test_the_norm_is_that_of_one_long_vector(order):
    flat = np.array([3.0, -4.0, 0.5, 0.0, 12.0, 2.0])
    total = mt.nn.utils.get_total_norm([p.grad for p in parameters()[:3]], order)
    assert total.shape == () and total.dtype == mt.float64
    assert total.item() == pytest.approx(np.linalg.norm(flat, order), rel=1e-14)


def test_clipping_keeps_the_direction_and_gives_the_norm_before():
    params = parameters()
    before = gradients(params)
    norm = mt.nn.utils.clip_grad_norm_(params, 1.0)
    assert norm.item() == pytest.approx(math.sqrt(9 + 16 + 0.25 + 144 + 4))
    factor = 1.0 / (norm.item() + 1e-6)
    for now, old in zip(gradients(params), before, strict=True):
        np.testing.assert_allclose(now, np.array(old) * factor, rtol=1e-14)
    assert params[-1].grad is None


def test_short_gradients_stay_bit_for_bit():
    params = parameters()
    before, held = gradients(params), [p.grad for p in params]
    mt.nn.utils.clip_grad_norm_(params, 100.0)
    assert gradients(params) == before
    assert all(p.grad is g for p, g in zip(params, held, strict=True))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite_is_refused_where_asked_and_nothing_changed(bad):
    params = parameters(gradients=[[1.0, bad], [2.0]])
    with pytest.raises(RuntimeError, match=r"non-finite.*error_if_nonfinite=False"):
        mt.nn.utils.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert gradients(params)[1] == [2.0]
    norm = mt.nn.utils.clip_grad_norm_(params, 1.0)
    assert not math.isfinite(norm.item())


def test_values_are_brought_between_the_limits():
    params = parameters()
    mt.nn.utils.clip_grad_value_(params, 2.5)
    assert gradients(params) == [[[2.5, -2.5], [0.5, 0.0]], [2.5], 2.0]


def test_one_tensor_generators_and_nothing_serve_as_parameters():
    w = parameters()[1]
    assert mt.nn.utils.clip_grad_norm_(w, 1.0).item() == 12.0
    mt.nn.utils.clip_grad_value_(w, 0.25)
    assert w.grad.tolist() == [0.25]
    assert mt.nn.utils.clip_grad_norm_((p for p in [w]), 1.0).item() == 0.25
    assert mt.nn.utils.clip_grad_norm_([], 1.0).item() == 0.0


def test_an_expanded_gradient_is_clipped_in_memory_of_its_own():
    w = mt.ones(3).requires_grad_()
    w.sum().backward(create_graph=True)
    mt.nn.utils.clip_grad_value_([w], 0.5)
    assert w.grad.tolist() == [0.5] * 3


def test_clipping_counts_as_a_change_in_place():
    w = mt.ones(2).requires_grad_()
    (w * w).sum().backward()
    x = mt.ones(2).requires_grad_()
    kept = (w.grad * x).sum()
    mt.nn.utils.clip_grad_value_([w], 0.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        kept.backward()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("special", [None, math.nan, math.inf])
def test_norms_and_clipped_gradients_are_torchs(order, special):
    torch = pytest.importorskip("torch")
    given = GRADIENTS if special is None else [*GRADIENTS, [special, 1.0]]
    ours, theirs = parameters(mt, given), parameters(torch, given)
    one = mt.nn.utils.clip_grad_norm_(ours, 1.5, order)
    other = torch.nn.utils.clip_grad_norm_(theirs, 1.5, order)
    np.testing.assert_allclose(one.item(), other.item(), rtol=1e-12, equal_nan=True)
    for a, b in zip(gradients(ours), gradients(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, equal_nan=True)
    ours, theirs = parameters(mt, given), parameters(torch, given)
    mt.nn.utils.clip_grad_value_(ours, 1.0)
    torch.nn.utils.clip_grad_value_(theirs, 1.0)
    for a, b in zip(gradients(ours), gradients(theirs), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("size", [200.0, 1e-3])
def test_float16_gradients_are_clipped_by_the_norm_their_squares_have_no_room_for(order, size):
    w = mt.zeros(4, dtype=mt.float16).requires_grad_()
    w.grad = mt.full((4,), size, dtype=mt.float16)
    norm = mt.nn.utils.clip_grad_norm_([w], size / 2, order)
    expected = size * 4 ** (1 / order)
    assert norm.dtype is mt.float16 and norm.item() == pytest.approx(expected, rel=1e-3)
    assert w.grad.tolist() == pytest.approx([size * size / 2 / expected] * 4, rel=2e-3)


def test_the_old_name_warns_and_clips():
    x = mt.ones(4, requires_grad=True)
    x.sum().backward()
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        assert mt.nn.utils.clip_grad_norm(x, 1.0) == 2
    assert x.grad.norm().item() == pytest.approx(1, abs=1e-5)
