"""Anomaly mode names the operation, and the line, that the first NaN came from."""

import sys
import threading

import pytest

import microtensor as mt
from microtensor import nn
from microtensor.autograd import (
    detect_anomaly,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_detect_anomaly,
)


def here():
    return sys._getframe(1).f_lineno


def zero():
    return mt.zeros(2, requires_grad=True)


def test_the_first_nan_is_named_with_its_line():
    x = zero()
    with detect_anomaly():
        y = x + 1
        z = x.sqrt() * 0.0; line = here()  # noqa: E702  # fmt: skip
        loss = (z * y).sum()
        with pytest.raises(RuntimeError) as error:
            loss.backward()
    text = str(error.value)
    assert text.startswith("Function 'SqrtBackward0' returned nan values in its 0th output.")
    assert f'File "{__file__}", line {line}, in test_the_first_nan_is_named_with_its_line' in text
    assert "z = x.sqrt() * 0.0" in text


def test_the_output_is_counted_by_inputs():
    x, y = mt.ones(1, requires_grad=True), zero()[:1]
    with detect_anomaly(), pytest.raises(RuntimeError, match=r"'MulBackward0'.* in its 1th output"):
        (y * (mt.tensor([float("inf")]) * x))[0].backward()


def test_the_line_is_the_users_also_through_modules_and_helpers():
    net = nn.Sequential(nn.Linear(1, 1))

    def forward():
        return net(mt.tensor([[float("nan")]]))

    with detect_anomaly(), pytest.raises(RuntimeError, match=r"Linear") as error:
        forward().sum().backward()
    assert "in forward" in str(error.value)
    assert "site-packages/microtensor" not in str(error.value)
    assert "microtensor/nn/" not in str(error.value)


def test_second_derivatives_are_watched_too():
    x = zero()
    with detect_anomaly():
        (slope,) = mt.autograd.grad((x**1.5).sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="returned nan values"):
            (slope * 0.0).sum().backward()


def test_ops_with_several_outputs_views_and_writes_are_traced():
    x = mt.tensor([4.0, 0.0], requires_grad=True)
    with detect_anomaly():
        y = x * 1
        y[1:].sqrt_()
        with pytest.raises(RuntimeError, match=r"'SqrtBackward0'(?s:.*)y\[1:\]\.sqrt_\(\)"):
            (y * mt.tensor([1.0, 0.0])).sum().backward()


def test_errors_within_a_derivative_get_a_note_with_the_line():
    class Fails(mt.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("mine")

    with detect_anomaly():
        y = Fails.apply(zero())
        with pytest.raises(KeyError, match="mine") as error:
            y.sum().backward()
    (note,) = error.value.__notes__
    assert "FailsBackward" in note and "y = Fails.apply(zero())" in note


def test_a_change_in_place_is_traced():
    x = mt.ones(2, requires_grad=True)
    with detect_anomaly():
        y = x * 1
        z = y.log()
        y.add_(1)
        with pytest.raises(RuntimeError, match=r"modified by an inplace(?s:.*)z = y\.log\(\)"):
            z.sum().backward()


def test_a_graph_made_before_is_watched_without_lines():
    y = (zero().sqrt() * 0.0).sum()
    with detect_anomaly(), pytest.raises(RuntimeError, match="during the forward pass to see"):
        y.backward()


def test_without_check_nan_only_errors_are_traced():
    x = zero()
    with detect_anomaly(check_nan=False):
        assert is_anomaly_enabled() and not is_anomaly_check_nan_enabled()
        (x.sqrt() * 0.0).sum().backward()
    assert x.grad.isnan().all()


def test_off_it_costs_nodes_nothing_and_raises_nothing():
    x = zero()
    with detect_anomaly():
        traced = x * 2
    plain = x * 2
    assert type(plain.grad_fn.number) is int and type(traced.grad_fn.number) is not int
    (x.sqrt() * 0.0).sum().backward()
    assert x.grad.isnan().all()


def test_switching_by_call_and_block():
    try:
        set_detect_anomaly(True)
        assert is_anomaly_enabled()
        with set_detect_anomaly(False):
            assert not is_anomaly_enabled()
        assert is_anomaly_enabled()
        with detect_anomaly(), detect_anomaly():
            pass
        assert is_anomaly_enabled()
    finally:
        set_detect_anomaly(False)
    assert not is_anomaly_enabled()


def test_it_holds_for_all_threads_as_in_pytorch():
    found = []

    def work():
        try:
            (zero().sqrt() * 0.0).sum().backward()
        except RuntimeError as error:
            found.append("'SqrtBackward0'" in str(error))

    with detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [True]
