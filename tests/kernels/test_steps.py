"""The optimizer steps, against torch.optim's algorithms written out for one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernel_cases import (
    IMPLEMENTATIONS,
    LAYOUTS,
    each_dtype,
    each_implementation,
    needs_native,
    numbers,
)

from microtensor.kernels.twin_steps import RULES


def _sgd(x, g, s, t, h):
    lr, momentum, dampening, decay, nesterov, maximize, _ = h
    g = (-g if maximize else g) + decay * x
    if momentum:
        s[0] = g if t == 1 else momentum * s[0] + (1 - dampening) * g
        g = g + momentum * s[0] if nesterov else s[0]
    return x - lr * g


def _adagrad(x, g, s, t, h):
    lr, lr_decay, decay, eps, maximize, _ = h
    g = (-g if maximize else g) + decay * x
    s[0] += g * g
    return x - lr / (1 + (t - 1) * lr_decay) * g / (math.sqrt(s[0]) + eps)


def _adadelta(x, g, s, t, h):
    lr, rho, eps, decay, maximize = h
    g = (-g if maximize else g) + decay * x
    s[0] = rho * s[0] + (1 - rho) * g * g
    delta = math.sqrt(s[1] + eps) / math.sqrt(s[0] + eps) * g
    s[1] = rho * s[1] + (1 - rho) * delta * delta
    return x - lr * delta


def _rmsprop(x, g, s, t, h):
    lr, alpha, decay, eps, momentum, centered, maximize, _ = h
    g = (-g if maximize else g) + decay * x
    s[0] = alpha * s[0] + (1 - alpha) * g * g
    v = s[0]
    if centered:
        s[2] = alpha * s[2] + (1 - alpha) * g
        v -= s[2] * s[2]
    delta = g / (math.sqrt(v) + eps)
    if momentum:
        s[1] = momentum * s[1] + delta
        delta = s[1]
    return x - lr * delta


def _adam(x, g, s, t, h):
    lr, beta1, beta2, eps, decay, decoupled, amsgrad, maximize, _ = h
    g = -g if maximize else g
    if decoupled:
        x -= lr * decay * x
    else:
        g += decay * x
    s[0] = beta1 * s[0] + (1 - beta1) * g
    s[1] = beta2 * s[1] + (1 - beta2) * g * g
    s[2] = max(s[2], s[1])
    v = s[2] if amsgrad else s[1]
    m_hat, v_root = s[0] / (1 - beta1**t), math.sqrt(v / (1 - beta2**t))
    return x - lr * m_hat / (v_root + eps)


REFERENCES = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "adadelta": _adadelta,
    "rmsprop": _rmsprop,
    "adam": _adam,
}

HYPERS = [
    ("sgd", [0.1, 0, 0, 0, 0, 0, 0]),
    ("sgd", [0.1, 0, 0, 0.2, 0, 1, 0]),
    ("sgd", [0.1, 0.9, 0, 0, 0, 0, 0]),
    ("sgd", [0.1, 0.9, 0.3, 0.1, 0, 1, 0]),
    ("sgd", [0.1, 0.9, 0, 0.1, 1, 0, 0]),
    ("adagrad", [0.1, 0, 0, 1e-10, 0, 0]),
    ("adagrad", [0.1, 0.5, 0.1, 1e-6, 1, 0]),
    ("adadelta", [1.0, 0.9, 1e-6, 0, 0]),
    ("adadelta", [0.5, 0.7, 1e-3, 0.1, 1]),
    ("rmsprop", [0.01, 0.99, 0, 1e-8, 0, 0, 0, 0]),
    ("rmsprop", [0.01, 0.9, 0.1, 1e-4, 0.8, 0, 1, 0]),
    ("rmsprop", [0.01, 0.9, 0, 1e-4, 0, 1, 0, 0]),
    ("rmsprop", [0.01, 0.9, 0.1, 1e-4, 0.8, 1, 0, 0]),
    ("adam", [0.01, 0.9, 0.999, 1e-8, 0, 0, 0, 0, 0]),
    ("adam", [0.01, 0.9, 0.999, 1e-8, 0.1, 0, 0, 1, 0]),
    ("adam", [0.01, 0.8, 0.9, 1e-4, 0.1, 1, 1, 0, 0]),
    ("adam", [0.01, 0, 0.9, 1e-4, 0, 0, 1, 0, 0]),
]
each_rule = pytest.mark.parametrize(
    ("rule", "hyper"), HYPERS, ids=lambda value: value if isinstance(value, str) else ""
)
SHAPES = [(3, 4), (), (1,), (0, 5), (17,), (4, 9)]


class Problem:
    """Parameters, gradients and states as a step takes them."""

    def __init__(self, implementation, rule, hyper, dtype, shapes=SHAPES, layout="contiguous"):
        self.kernel = IMPLEMENTATIONS[implementation]
        self.rule, self.hyper = rule, np.array(hyper, np.float64)
        self.change = LAYOUTS[layout]
        make = self.change if layout != "contiguous" else np.copy
        self.parameters = [make(numbers(s, dtype, i, 1.0)) for i, s in enumerate(shapes)]
        self.states = [
            make(np.zeros(p.shape, dtype))
            for p in self.parameters
            for _ in range(RULES[rule].states)
        ]
        self.steps = np.zeros(len(shapes))  # the only number of these rules
        table = self.kernel["ArrayTable"]
        self.tables = table(self.parameters), table([None] * len(shapes)), table(self.states)

    def gradients(self, seed):
        return [
            numbers(p.shape, p.dtype, 100 * seed + i, 1.0) for i, p in enumerate(self.parameters)
        ]

    def step(self, gradients):
        parameters, table, states = self.tables
        table.update(gradients)
        parameters.update(self.parameters)
        states.update(self.states)
        self.kernel["step"](self.rule, parameters, table, states, self.steps, self.hyper)


@each_implementation
@each_dtype
@each_rule
def test_five_steps(implementation, dtype, rule, hyper):
    problem = Problem(implementation, rule, hyper, dtype)
    expected = [[float(v) for v in p.reshape(-1)] for p in problem.parameters]
    states = [[[0.0] * 4 for _ in p] for p in expected]
    counts = [0] * len(expected)
    for k in range(5):
        gradients = problem.gradients(k)
        if k == 2:
            gradients[0] = None  # passed over, its count too
        problem.step(gradients)
        for i, g in enumerate(gradients):
            if g is None:
                continue
            counts[i] += 1
            for j, value in enumerate(g.reshape(-1)):
                expected[i][j] = REFERENCES[rule](
                    expected[i][j], float(value), states[i][j], counts[i], hyper
                )
    rtol = 2e-5 if dtype == np.float32 else 1e-12
    for got, wanted in zip(problem.parameters, expected, strict=True):
        np.testing.assert_allclose(got.reshape(-1), wanted, rtol=rtol, atol=rtol)
    assert problem.steps.tolist() == counts
    for i, count in enumerate(RULES[rule].states * [None] for _ in expected):
        for j in range(len(count)):
            got = problem.states[i * len(count) + j].reshape(-1)
            wanted = [state[j] for state in states[i]]
            if rule == "adam" and not hyper[6] and j == 2:
                wanted = [0.0] * len(wanted)  # not kept unless amsgrad
            np.testing.assert_allclose(got, wanted, rtol=20 * rtol, atol=rtol)


@each_implementation
def test_the_first_momentum_is_the_gradient_whatever_the_buffer_holds(implementation):
    problem = Problem(implementation, "sgd", [0.1, 0.9, 0.5, 0, 0, 0, 0], np.float64, [(40,)])
    problem.states[0][...] = np.nan
    gradients = problem.gradients(0)
    problem.step(gradients)
    np.testing.assert_array_equal(problem.states[0], gradients[0])


@each_implementation
@pytest.mark.parametrize("amsgrad", [0, 1])
def test_adam_starts_with_a_step_of_the_learning_rate(implementation, amsgrad):
    problem = Problem(
        implementation, "adam", [0.01, 0.9, 0.999, 1e-12, 0, 0, amsgrad, 0, 0], np.float64
    )
    before = [p.copy() for p in problem.parameters]
    gradients = problem.gradients(1)
    problem.step(gradients)
    for p, old, g in zip(problem.parameters, before, gradients, strict=True):
        np.testing.assert_allclose(p, old - 0.01 * np.sign(g), rtol=1e-9)


@each_implementation
@each_dtype
def test_hyper_parameters_are_read_at_each_call(implementation, dtype):
    problem = Problem(implementation, "sgd", [0.0, 0, 0, 0, 0, 0, 0], dtype, [(3,)])
    before = problem.parameters[0].copy()
    problem.step([np.ones(3, dtype)])
    np.testing.assert_array_equal(problem.parameters[0], before)
    problem.hyper[0] = 0.5
    problem.step([np.ones(3, dtype)])
    np.testing.assert_allclose(problem.parameters[0], before - 0.5)


@each_implementation
@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("where", ["gradients", "everything"])
def test_any_layout(implementation, dtype, layout, where):
    hyper = [0.01, 0.8, 0.9, 1e-4, 0.1, 1, 1, 0, 0]
    shapes = [(4, 6), (5, 3)]
    plain = Problem("numpy", "adam", hyper, dtype, shapes)
    own = layout if where == "everything" else "contiguous"
    odd = Problem(implementation, "adam", hyper, dtype, shapes, own)
    for k in range(3):
        gradients = plain.gradients(k)
        plain.step(gradients)
        odd.step([LAYOUTS[layout](g) for g in gradients])
    for a, b in zip(odd.parameters + odd.states, plain.parameters + plain.states, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


@each_implementation
def test_broadcast_and_read_only_gradients_are_read(implementation):
    problem = Problem(implementation, "sgd", [1.0, 0, 0, 0, 0, 0, 0], np.float64, [(3, 4)])
    before = problem.parameters[0].copy()
    for _ in range(2):
        problem.step([np.broadcast_to(np.float64(2.0), (3, 4))])
    np.testing.assert_allclose(problem.parameters[0], before - 4)


@each_implementation
def test_a_gradient_changed_in_place_counts_as_it_is_now(implementation):
    """Also where the table holds a copy because C could not take the array itself."""
    for make in (np.ones, lambda n: np.ones(2 * n)[::2]):
        problem = Problem(implementation, "sgd", [1.0, 0, 0, 0, 0, 0, 0], np.float64, [(4,)])
        before = problem.parameters[0].copy()
        gradient = make(4)
        problem.step([gradient])
        gradient *= 10
        problem.step([gradient])
        np.testing.assert_allclose(problem.parameters[0], before - 11)


@each_implementation
def test_tables_grow_and_shrink(implementation):
    table = IMPLEMENTATIONS[implementation]["ArrayTable"]([np.ones(2)])
    arrays = [np.ones(3), None, np.ones(1)]
    table.update(arrays)
    assert all(mine is given for mine, given in zip(table.arrays, arrays, strict=True))
    table.update([])
    assert list(table.arrays) == []


def _break(problem, what):
    if what == "gradient size":
        return [np.ones(5), np.ones(2)]
    if what == "state size":
        problem.states[0] = np.zeros(1)
    elif what == "missing state":
        problem.states[1] = None
    elif what == "read-only parameter":
        problem.parameters[1].flags.writeable = False
        problem.parameters[1] = problem.parameters[1][...]
    elif what == "too few states":
        problem.states.pop()
    elif what == "steps":
        problem.steps = np.zeros(3)
    elif what == "hyper":
        problem.hyper = problem.hyper[:4]
    elif what == "rule":
        problem.rule = "adamw"
    return [np.ones(3), np.ones(2)]


@each_implementation
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("gradient size", "parameter 0 has 3 elements, its gradient 5"),
        ("state size", "parameter 0 has 3 elements, state 0 1"),
        ("missing state", "state 1 of parameter 0 is None"),
        ("read-only parameter", "parameter 1 or its state is read-only"),
        ("too few states", "expected 6 states, got 5"),
        ("steps", "expected 2 numbers, got 3"),
        ("hyper", "expected 9 hyper, got 4"),
        ("rule", "unknown rule 'adamw'; the legal ones are sgd"),
    ],
)
@pytest.mark.parametrize("after_a_good_step", [False, True])
def test_what_no_step_can_be_made_of_is_refused(implementation, what, message, after_a_good_step):
    problem = Problem(
        implementation, "adam", [0.01, 0.9, 0.999, 1e-8, 0, 0, 0, 0, 0], np.float64, [(3,), (2,)]
    )
    if after_a_good_step:
        problem.step([np.ones(3), np.ones(2)])
    before = [p.copy() for p in problem.parameters]
    counts = problem.steps.copy()
    gradients = _break(problem, what)
    with pytest.raises(ValueError, match=message):
        problem.step(gradients)
    for p, old in zip(problem.parameters, before, strict=True):
        np.testing.assert_array_equal(p, old)
    assert not problem.steps[:2].any() or (problem.steps == counts).all()


@needs_native
def test_the_c_table_and_the_rules_agree_on_states_and_numbers():
    from microtensor import _native
    from microtensor.kernels.native_elementwise import names

    states = {name: _native.lib.mt_step_states(op) for op, name in enumerate(names("step"))}
    assert states == {name: rule.states for name, rule in RULES.items()}
    numbers = {name: _native.lib.mt_step_numbers(op) for op, name in enumerate(names("step"))}
    assert numbers == {name: rule.numbers for name, rule in RULES.items()}


@needs_native
@pytest.mark.parametrize("dtype", [np.float16, np.longdouble])
def test_other_dtypes_go_to_the_twin(dtype):
    native, numpy = (
        Problem(name, "adam", HYPERS[-2][1], dtype, [(7,)]) for name in ("native", "numpy")
    )
    for k in range(2):
        native.step(native.gradients(k))
        numpy.step(numpy.gradients(k))
    np.testing.assert_array_equal(native.parameters[0], numpy.parameters[0])


@needs_native
def test_parameters_of_two_dtypes_in_one_table_go_to_the_twin():
    results = {}
    for name in ("native", "numpy"):
        problem = Problem(name, "sgd", [0.1, 0.9, 0, 0, 0, 0, 0], np.float32, [(3,), (4,)])
        problem.parameters[1] = problem.parameters[1].astype(np.float64)
        problem.states[1] = problem.states[1].astype(np.float64)
        for k in range(3):
            problem.step(problem.gradients(k))
        results[name] = problem.parameters
    for a, b in zip(*results.values(), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-6)


# ---- rules that sum, and those that look at shapes ----------------------------------------------

# A rule, its hyper-parameters, and the shapes it takes.
OTHERS = [
    ("lamb", [0.01, 0.9, 0.99, 1e-6, 0.1, 1, np.inf, 0], SHAPES),
    ("lars", [1.0, 0.9, 0, 0.1, 1e-3, 1e-8, 0, 0, 1], SHAPES),
    (
        "prodigy",
        [1.0, 0.9, 0.99, 0.995, 1e-8, 0.1, 1, 1, np.inf, 0, 0, 1e-2, 0, 0, 1e-2, 1e-2, 0, 0],
        SHAPES,
    ),
    ("sparse_adam", [0.01, 0.9, 0.99, 1e-8, 0], SHAPES),
    ("adafactor", [0.01, -0.8, -1, 1e-3, 1, 0.1, 0], [*SHAPES, (2, 3, 4), (300, 257)]),
    ("muon", [0.02, 0.1, 0.9, 1, 3.4445, -4.775, 2.0315, 1e-7, 5, 0, 0], [(3, 4), (9, 2), (5, 5)]),
    ("schedule_free_sgd", [0.1, 0.9, 0, 3, 1, 2, 0, 0, 0, 0, 0, 0], SHAPES),
    ("average", [0.25, 1], SHAPES),
]


class Whole(Problem):
    """The same with states of the sizes each rule asks for."""

    def __init__(self, implementation, rule, hyper, dtype, shapes):
        super().__init__(implementation, rule, hyper, dtype, shapes)
        form = RULES[rule]
        self.states = []
        for p in self.parameters:
            sizes = form.sizes(p.shape) if form.sizes else [p.size] * form.states
            views = [np.zeros(n, dtype) for n in sizes]
            if rule == "adafactor" and p.ndim > 1:
                views[0] = views[0].reshape(*p.shape[:-1], 1)
                views[1] = views[1].reshape(*p.shape[:-2], 1, p.shape[-1])
            elif rule != "muon":
                views = [v.reshape(p.shape) if v.size == p.size else v for v in views]
            else:
                views[0] = views[0].reshape(p.shape)
            self.states += views


@needs_native
@each_dtype
@pytest.mark.parametrize(("rule", "hyper", "shapes"), OTHERS, ids=[each[0] for each in OTHERS])
def test_the_twins_agree_on_rules_that_see_more_than_an_element(rule, hyper, shapes, dtype):
    native, numpy = (Whole(name, rule, hyper, dtype, shapes) for name in ("native", "numpy"))
    for k in range(20):
        gradients = native.gradients(k)
        if k == 3:
            gradients[0] = None
        native.step(gradients)
        numpy.step(gradients)
    rtol = 1e-4 if dtype == np.float32 else 1e-10
    for a, b in zip(native.parameters, numpy.parameters, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    np.testing.assert_array_equal(native.steps, numpy.steps)
    np.testing.assert_allclose(native.hyper, numpy.hyper, rtol=rtol)


@needs_native
@pytest.mark.parametrize("rule", ["lamb", "prodigy", "sparse_adam", "adafactor", "adam"])
def test_large_parameters_get_the_same_bits_from_any_number_of_threads(rule):
    import microtensor as mt

    hyper = dict((name, numbers) for name, numbers, _ in OTHERS) | {
        "adam": [0.01, 0.9, 0.999, 1e-8, 0, 0, 0, 0, 0]
    }
    found, before = [], mt.get_num_threads()
    for threads in (1, 2):
        mt.set_num_threads(threads)
        try:
            problem = Whole("native", rule, hyper[rule], np.float32, [(300, 400), (7,), (90000,)])
            for k in range(3):
                problem.step(problem.gradients(k))
        finally:
            mt.set_num_threads(before)
        found.append([p.tobytes() for p in problem.parameters])
    assert found[0] == found[1]


@each_implementation
def test_states_of_other_sizes_are_refused(implementation):
    problem = Whole(implementation, "adafactor", OTHERS[4][1], np.float64, [(3, 4)])
    problem.states[0] = np.zeros((4, 1))
    with pytest.raises(ValueError, match="state 0 4"):
        problem.step([np.ones((3, 4))])


@each_implementation
@each_dtype
def test_numbers_and_hyper_of_other_memory_are_read_from_the_next_call_on(implementation, dtype):
    kernel, w = IMPLEMENTATIONS[implementation], np.zeros(2, dtype)
    tables = [kernel["ArrayTable"](each) for each in ([w], [np.ones(2, dtype)], [None])]
    steps = []
    kinds = {0.5: np.float64, 0.25: np.float64, 2.0: np.float32, 4.0: np.float64}
    for rate, kind in kinds.items():
        hyper, numbers = np.array([rate, *[0.0] * 6], kind), np.zeros((1, 1))
        before = w.copy()
        kernel["step"]("sgd", *tables, numbers, hyper)
        assert numbers.item() == 1.0
        steps += (before - w).tolist()
    assert steps == [0.5, 0.5, 0.25, 0.25, 2.0, 2.0, 4.0, 4.0]
