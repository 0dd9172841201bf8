"""Checkpointing: the same gradients, and less that is kept."""

import gc
import weakref

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.autograd import graph_of
from microtensor.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def leaf(*values):
    return mt.tensor(values or (1.0, 2.0), dtype=mt.float64, requires_grad=True)


def function(x, w=None):
    return (x.exp() * x.sin()).tanh() * (1.0 if w is None else w)


def gradients(compute):
    x, w = leaf(), leaf(3.0, 4.0)
    compute(x, w).sum().backward()
    return x.grad.tolist(), w.grad.tolist()


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradients_are_those_without(reentrant):
    expected = gradients(function)
    assert gradients(lambda x, w: checkpoint(function, x, w, use_reentrant=reentrant)) == expected


def test_keyword_arguments_and_several_outputs():
    def both(x, *, w):
        return x * w, {"also": (x * w).exp()}

    def through(call):
        x, w = leaf(), leaf(0.3, 0.4)
        a, b = call(x, w)
        (a * b["also"]).sum().backward()
        return x.grad.tolist(), w.grad.tolist()

    plain = through(lambda x, w: both(x, w=w))
    assert through(lambda x, w: checkpoint(both, x, w=w, use_reentrant=False)) == plain


@pytest.mark.parametrize("reentrant", [False, True])
def test_dropout_draws_the_same_numbers_and_the_stream_goes_on(reentrant):
    def drop(x):
        return nn.functional.dropout(x.exp(), 0.5) * x

    def run(call):
        mt.manual_seed(3)
        x = mt.ones(100, requires_grad=True)
        y = call(x)
        mt.rand(1)
        y.sum().backward()
        return y.tolist(), x.grad.tolist(), mt.rand(2).tolist()

    assert run(lambda x: checkpoint(drop, x, use_reentrant=reentrant)) == run(drop)


def test_without_preserved_numbers_it_draws_anew():
    def drop(x):
        return nn.functional.dropout(x.exp(), 0.5) * x

    mt.manual_seed(0)
    x = mt.ones(200, requires_grad=True)
    y = checkpoint(drop, x, use_reentrant=False, preserve_rng_state=False)
    y.sum().backward()
    assert ((y.detach() == 0) != (x.grad == 0)).any()


def arrays_saved(tensor):
    return graph_of(tensor).saved_nbytes


def test_what_is_kept_falls():
    def deep(x):
        for _ in range(20):
            x = x.sin()
        return x

    x = mt.ones(1000, requires_grad=True)
    plain, saved = deep(x), checkpoint(deep, x, use_reentrant=False)
    assert arrays_saved(plain) == 20 * 4000
    assert arrays_saved(saved) == 0


def test_intermediate_arrays_really_go_and_come_again_one_segment_at_a_time():
    made, peak = [], []

    def alive():
        return sum(reference() is not None for reference in made)

    class Watched(mt.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp() * 0.1
            made.append(weakref.ref(y._array))
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            peak.append(alive())
            (y,) = ctx.saved_tensors
            return g * y

    def segment(x):
        for _ in range(5):
            x = Watched.apply(x)
        return x

    def run(call):
        made.clear()
        peak.clear()
        x = mt.ones(10, requires_grad=True)
        y = x
        for _ in range(4):
            y = call(y)
        count = alive()
        y.sum().backward()
        return count, max(peak), x.grad.tolist()

    gc.collect()
    many, many_peak, plain = run(segment)
    few, few_peak, saved = run(lambda y: checkpoint(segment, y, use_reentrant=False))
    assert saved == plain
    assert many == 20 and many_peak == 20
    assert few <= 4 and few_peak <= 4 + 5


def test_it_is_computed_once_more_and_only_as_far_as_needed():
    calls = []

    def counted(x):
        calls.append("start")
        y = x.exp().sin()
        calls.append("end")
        return y + 1

    x = leaf()
    y = checkpoint(counted, x, use_reentrant=False)
    assert calls == ["start", "end"]
    y.sum().backward(retain_graph=True)
    assert calls == ["start", "end", "start"]
    y.sum().backward()
    assert calls == ["start", "end", "start", "start"]
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()
    calls.clear()
    checkpoint(counted, x, use_reentrant=False, early_stop=False).sum().backward()
    assert calls == ["start", "end"] * 2


def test_nested():
    calls = []

    def inner(x):
        calls.append("inner")
        return x.sin().exp()

    def outer(x, w):
        y = (x * w).cos()
        return checkpoint(inner, y, use_reentrant=False) * checkpoint(inner, w, use_reentrant=False)

    x, w = leaf(), leaf(0.5, 0.7)
    y = checkpoint(outer, x, w, use_reentrant=False)
    assert arrays_saved(y) == 0
    y.sum().backward()
    expected = gradients_of(lambda x, w: (x * w).cos().sin().exp() * w.sin().exp(), x, w)
    np.testing.assert_allclose([x.grad.tolist(), w.grad.tolist()], expected, rtol=1e-12)


def gradients_of(compute, *tensors):
    own = [t.detach().requires_grad_() for t in tensors]
    return [g.tolist() for g in mt.autograd.grad(compute(*own).sum(), own)]


def test_second_derivatives():
    x = leaf()
    y = checkpoint(function, x, use_reentrant=False)
    (slope,) = mt.autograd.grad(y.sum(), x, create_graph=True)
    slope.sum().backward()
    own = leaf()
    (expected,) = mt.autograd.grad(function(own).sum(), own, create_graph=True)
    expected.sum().backward()
    np.testing.assert_allclose(slope.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), own.grad.numpy(), rtol=1e-12)


def test_parameters_inside_get_their_gradient_though_no_input_wants_one():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    x = mt.ones(4, 2)
    checkpoint(net, x, use_reentrant=False).sum().backward()
    saved = [p.grad.tolist() for p in net.parameters()]
    net.zero_grad()
    net(x).sum().backward()
    assert saved == [p.grad.tolist() for p in net.parameters()]


def test_under_no_grad_it_is_a_plain_call():
    x = leaf()
    with mt.no_grad():
        assert not checkpoint(function, x, use_reentrant=False).requires_grad
        assert not checkpoint(function, x, use_reentrant=True).requires_grad


def test_reentrant_without_an_input_that_wants_a_gradient_warns():
    with pytest.warns(UserWarning, match="None of the inputs"):
        checkpoint(function, mt.ones(2), use_reentrant=True)


def test_a_function_that_does_otherwise_is_found_out():
    count = []

    def less(x):
        count.append(1)
        return x.exp().sin() if len(count) == 1 else x.exp()

    def other_shape(x):
        count.append(1)
        return x.exp() if len(count) == 1 else x[:1].exp()

    for wrong in (less, other_shape):
        count.clear()
        y = checkpoint(wrong, leaf(), use_reentrant=False, early_stop=False)
        with pytest.raises(CheckpointError):
            y.sum().backward()


def test_an_argument_changed_since_is_noticed():
    x = leaf() * 1
    y = checkpoint(function, x, use_reentrant=False)
    x.add_(1)
    with pytest.raises(RuntimeError, match="argument has been modified"):
        y.sum().backward()


def test_context_managers_around_either_call():
    log = []

    class Noted:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            log.append(self.name)

        def __exit__(self, *_):
            log.append(f"end {self.name}")

    pair = (Noted("first"), Noted("again"))
    y = checkpoint(function, leaf(), use_reentrant=False, context_fn=lambda: pair)
    y.sum().backward()
    assert log == ["first", "end first", "again", "end again"]
    with pytest.raises(ValueError, match="context_fn"):
        checkpoint(function, leaf(), use_reentrant=True, context_fn=lambda: pair)
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(function, leaf(), use_reentrant=False, determinism_check="some")


@pytest.mark.parametrize("segments", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_sequence_in_segments(segments, reentrant):
    mt.manual_seed(0)
    net = nn.Sequential(*[m for _ in range(4) for m in (nn.Linear(3, 3), nn.Tanh())])
    x = mt.randn(5, 3, requires_grad=True)
    net(x).sum().backward()
    expected = [x.grad.tolist()] + [p.grad.tolist() for p in net.parameters()]
    net.zero_grad()
    x.grad = None
    y = checkpoint_sequential(net, segments, x, use_reentrant=reentrant)
    y.sum().backward()
    assert [x.grad.tolist()] + [p.grad.tolist() for p in net.parameters()] == expected


def test_nothing_is_left_for_the_collector():
    def step():
        x = leaf()
        checkpoint(function, x, use_reentrant=False).sum().backward()

    step()
    gc.collect()
    gc.disable()
    try:
        step()
        assert gc.collect() == 0
    finally:
        gc.enable()
