"""Inference mode: nothing is recorded, and what is made stays out of graphs."""

import threading

import pytest

import microtensor as mt
from microtensor import nn


def made():
    with mt.inference_mode():
        return mt.ones(2) * 3


def test_everything_made_inside_is_an_inference_tensor():
    x = mt.ones(2, 2, requires_grad=True)
    with mt.inference_mode():
        results = [
            mt.zeros(2), mt.tensor([1.0]), mt.Tensor([1.0]), x * 2, x.sum(), x > 0, x.argmax(),
            x @ x, mt.cat([x, x]), x.max(0).values, x.clone(), x.exp().neg_(), mt.randn(2),
            nn.functional.linear(x, x), nn.Parameter(mt.ones(2)), x.long(),
        ]  # fmt: skip
        assert all(each.is_inference() for each in results)
        assert not any(each.requires_grad for each in results[:-2])
    assert not x.is_inference() and not (x * 2).is_inference()


def test_views_of_ordinary_tensors_stay_ordinary_and_writes_are_noticed():
    x = mt.ones(4)
    with mt.inference_mode():
        view = x[1:]
        view.add_(1)
    assert not view.is_inference() and x._version == 1
    y = mt.ones(4, requires_grad=True) * x
    with mt.inference_mode():
        x.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        y.sum().backward()


def test_views_of_inference_tensors_are_such_wherever_they_are_taken():
    y = made()
    assert y[0].is_inference() and y.reshape(1, 2).is_inference() and y.detach().is_inference()
    with mt.inference_mode():
        y[0].add_(1)
    assert y.tolist() == [4, 3]


def test_inference_tensors_may_be_read_outside():
    y, x = made(), mt.ones(2, requires_grad=True)
    (x + y).sum().backward()
    assert x.grad.tolist() == [1, 1]
    assert not (y * 2).is_inference()
    (x * y.clone()).sum().backward()
    assert x.grad.tolist() == [4, 4]


@pytest.mark.parametrize(
    "save",
    [
        lambda x, y: x * y,
        lambda x, y: nn.functional.linear(x[None], y[None]),
        lambda x, y: mt.where(y > 0, x, x * y),
    ],
)
def test_saving_one_for_a_gradient_is_refused(save):
    with pytest.raises(RuntimeError, match=r"cannot be saved for backward.*clone\(\)"):
        save(mt.ones(2, requires_grad=True), made())


def test_the_way_a_module_is_used():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Dropout(0.5), nn.Linear(3, 1))
    with mt.inference_mode():
        y = net(mt.ones(4, 2))
    assert y.is_inference() and y.shape == (4, 1)
    net(mt.ones(4, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_a_graph_made_before_may_be_walked_inside():
    x = mt.ones(2, requires_grad=True)
    y = (x * x).sum()
    with mt.inference_mode():
        y.backward()
    assert x.grad.tolist() == [2, 2]


def test_mode_false_leaves_it():
    x = mt.ones(2, requires_grad=True)
    with mt.inference_mode():
        with mt.inference_mode(False):
            y = x * 2
        assert mt.is_inference_mode_enabled()
    with mt.no_grad(), mt.inference_mode(mode=False):
        z = x * 2
    assert y.requires_grad and z.requires_grad and not mt.is_inference_mode_enabled()
    assert mt.is_grad_enabled()


def test_other_switches_inside_record_nothing_and_leave_the_mode_on():
    x = mt.ones(2, requires_grad=True)
    with mt.inference_mode():
        with mt.enable_grad():
            assert mt.is_grad_enabled()
            assert not (x * 2).requires_grad
        with mt.no_grad():
            assert (x * 2).is_inference()
        mt.set_grad_enabled(True)
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


@pytest.mark.parametrize("decorator", [mt.inference_mode, mt.inference_mode(), mt.inference_mode()])
def test_it_decorates_functions_methods_and_generators(decorator):
    class Thing:
        @decorator
        def method(self, x):
            return x * 2

    @decorator
    def generate(x):
        yield x * 2
        yield mt.is_inference_mode_enabled()

    x = mt.ones(2, requires_grad=True)
    assert Thing().method(x).is_inference()
    first, second = generate(x)
    assert first.is_inference() and second
    assert not mt.is_inference_mode_enabled()


def test_it_is_per_thread():
    seen = []
    with mt.inference_mode():
        thread = threading.Thread(target=lambda: seen.append(mt.ones(2).is_inference()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_it_ends_with_an_exception():
    with pytest.raises(KeyError), mt.inference_mode():
        raise KeyError
    assert not mt.is_inference_mode_enabled() and mt.is_grad_enabled()
