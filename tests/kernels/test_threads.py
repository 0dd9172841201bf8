"""Threads change neither results nor manners."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from kernel_cases import GRADIENTS, UNARY, call, each_dtype, needs_native, numbers

from microtensor import kernels
from microtensor.kernels.threads import initial
from microtensor.kernels.twin_steps import RULES

LARGE = (301, 700)  # beyond the size from which threads share the work


@pytest.fixture(autouse=True)
def _same_threads_afterwards():
    before = kernels.get_num_threads()
    yield
    kernels.set_num_threads(before)


def _each_thread_count(run):
    """Give what run() returns for 1, 2 and 5 threads, as bytes."""
    found = []
    for threads in (1, 2, 5):
        kernels.set_num_threads(threads)
        assert kernels.get_num_threads() == threads
        found.append([np.asarray(array).tobytes() for array in run()])
    return found


def _all_alike(found):
    return all(each == found[0] for each in found)


@needs_native
@each_dtype
@pytest.mark.parametrize("name", [*UNARY, *GRADIENTS])
def test_elementwise_bits_do_not_depend_on_threads(dtype, name):
    x = np.abs(numbers(LARGE, dtype))
    arrays = (x, x) if name in GRADIENTS else (x,)
    assert _all_alike(_each_thread_count(lambda: [call("native", name, *arrays)]))


@needs_native
@each_dtype
def test_reductions_bits_do_not_depend_on_threads(dtype):
    x, target = numbers(LARGE, dtype), np.arange(LARGE[0]) % LARGE[1]

    def run():
        sums, log_sum = np.empty(LARGE[1], dtype), np.empty(LARGE[0], dtype)
        total, loss, gradient = np.empty(1, dtype), np.empty(1, dtype), np.empty_like(x)
        kernels.sum(x, (0,), sums)
        kernels.cross_entropy(x, target, None, -100, 0.1, 1, log_sum, total, loss)
        kernels.cross_entropy_backward(
            loss, x, target, None, -100, 0.1, 1, log_sum, total, gradient
        )
        softmax, log_softmax = np.empty_like(x), np.empty_like(x)
        kernels.softmax(x, softmax)
        kernels.log_softmax(x, log_softmax)
        backward = np.empty_like(x)
        kernels.softmax_backward(x, softmax, backward)
        return [sums, log_sum, total, loss, gradient, softmax, log_softmax, backward]

    assert _all_alike(_each_thread_count(run))


@needs_native
@each_dtype
@pytest.mark.parametrize("rule", [rule for rule, form in RULES.items() if not form.sizes])
def test_steps_bits_do_not_depend_on_threads(dtype, rule):
    form = RULES[rule]
    settings = np.resize([0.01, 0.9, 0.1, 0.5, 0.2, 1, 1, 0], form.hyper).astype(np.float64)
    shapes = [LARGE, (3,), (100_000,), (0,)]

    def run():
        parameters = [numbers(shape, dtype, i) for i, shape in enumerate(shapes)]
        gradients = [numbers(shape, dtype, 9 + i) for i, shape in enumerate(shapes)]
        states = [np.zeros(shape, dtype) for shape in shapes for _ in range(form.states)]
        steps = np.zeros((len(shapes), form.numbers))
        hyper = settings.copy()  # a step may advance it
        tables = [kernels.ArrayTable(each) for each in (parameters, gradients, states)]
        for _ in range(3):
            kernels.step(rule, *tables, steps, hyper)
        return [*parameters, *states, steps]

    assert _all_alike(_each_thread_count(run))


@needs_native
@each_dtype
def test_random_bits_do_not_depend_on_threads(dtype):
    def run():
        state = np.array([4, 2], np.uint64)
        u, x = np.empty(LARGE, dtype), np.ones(LARGE, dtype)
        mask, out = np.empty_like(x), np.empty_like(x)
        kernels.random_uniform(state, u)
        kernels.dropout(x, 0.4, state, mask, out)
        return [state, u, mask, out]

    assert _all_alike(_each_thread_count(run))


@needs_native
def test_many_callers_at_once():
    kernels.set_num_threads(2)
    x = numbers((400, 400), np.float32)
    expected = call("native", "tanh", x)
    wrong = []

    def work():
        for _ in range(40):
            if not np.array_equal(call("native", "tanh", x), expected):
                wrong.append(1)

    callers = [threading.Thread(target=work) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


FORKING = """
import os, sys
import numpy as np
from microtensor import kernels

kernels.set_num_threads(3)
x = np.linspace(-3, 3, 500_000, dtype=np.float32)
expected = np.empty_like(x)
kernels.tanh(x, expected)
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        out = np.empty_like(x)
        for _ in range(20):
            kernels.tanh(x, out)
        grandchild = os.fork()
        if grandchild == 0:
            kernels.tanh(x, out)
            os._exit(0 if np.array_equal(out, expected) else 1)
        status = os.waitpid(grandchild, 0)[1]
        os._exit(0 if np.array_equal(out, expected) and status == 0 else 1)
    children.append(child)
    out = np.empty_like(x)
    kernels.tanh(x, out)
    assert np.array_equal(out, expected)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


@needs_native
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_children_run_threaded_kernels():
    done = subprocess.run([sys.executable, "-c", FORKING], timeout=120, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_set_num_threads_sets_both_pools():
    kernels.set_num_threads(1)
    config = kernels.config()
    assert config["threads"] == 1
    assert config["blas_threads"] in (1, None)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_numbers_of_threads_that_cannot_be(threads):
    with pytest.raises(ValueError, match="set_num_threads: expected a positive integer"):
        kernels.set_num_threads(threads)


@needs_native
def test_more_threads_than_the_pool_takes():
    before = kernels.get_num_threads()
    with pytest.raises(ValueError, match="set_num_threads: at most"):
        kernels.set_num_threads(10_000)
    assert kernels.get_num_threads() == before


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("4,2", 4), (" 2 ", 2)])
def test_the_environment_says_how_many_threads_to_start_with(monkeypatch, value, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert initial() == threads


@pytest.mark.parametrize("value", ["", "0", "many", "-1"])
def test_without_a_number_the_processors_count(monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert 1 <= initial() <= (os.cpu_count() or 1)
