"""L-BFGS: torch's way, its line search, its state; and full-batch optima."""

import copy
import warnings

import numpy as np
import pytest

import microtensor as mt
from microtensor import kernels
from microtensor.optim.line_search import Point, cubic_minimum, strong_wolfe

OPTIONS = [
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 7},
    {"line_search_fn": "strong_wolfe", "lr": 0.3, "max_eval": 7},
    {"line_search_fn": "strong_wolfe", "tolerance_grad": 1.0},
    {"line_search_fn": "strong_wolfe", "tolerance_change": 1e-2},
    {"lr": 1e-3},
    {"lr": 1e-2, "max_iter": 4},
    {"lr": 1e-3, "max_eval": 3, "history_size": 1},
]
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


class Problem:
    """Rosenbrock's function and a flat bowl, over two parameters; a third has no gradient."""

    def __init__(self, library, options):
        def leaf(x):
            return library.tensor(x, dtype=library.float64).requires_grad_()

        self.w, self.b = leaf([[-2.0, 2.0], [1.0, 0.5]]), leaf([0.5])
        self.params = [self.w, self.b, leaf([1.0, 2.0])]
        self.optimizer = library.optim.LBFGS(self.params, **options)

    def closure(self):
        self.optimizer.zero_grad()
        w, b = self.w, self.b
        loss = (1 - w[0, 0]) ** 2 + 100 * (w[0, 1] - w[0, 0] ** 2) ** 2
        loss = loss + ((w[1] - b) ** 4).sum() + (b**2).sum()
        loss.backward()
        return loss

    def run(self, steps):
        return [self.optimizer.step(self.closure).item() for _ in range(steps)]

    def values(self):
        return np.concatenate([p.detach().numpy().reshape(-1) for p in self.params])

    def memory(self):
        return self.optimizer.state_dict()["state"][0]


@every_option
def test_the_way_is_torchs(options):
    torch = pytest.importorskip("torch")
    ours, theirs = Problem(mt, options), Problem(torch, options)
    for tolerance in (1e-10, 1e-8, 1e-6, 1e-5):  # some twenty iterations each, on a bent valley
        assert ours.run(1) == pytest.approx(theirs.run(1), abs=tolerance)
        np.testing.assert_allclose(ours.values(), theirs.values(), rtol=0, atol=tolerance)
        for name in ("func_evals", "n_iter"):
            assert ours.memory()[name] == theirs.memory()[name]


@every_option
def test_saving_in_the_middle_and_resuming_gives_the_same_bits(options):
    straight, first = Problem(mt, options), Problem(mt, options)
    straight.run(5)
    first.run(2)
    second = Problem(mt, options)
    for p, q in zip(second.params, first.params, strict=True):
        p.data.copy_(q.data)
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    second.run(3)
    assert second.values().tobytes() == straight.values().tobytes()


def test_states_go_from_torch_to_here_and_back():
    torch = pytest.importorskip("torch")
    options = OPTIONS[0]
    theirs, ours, again = Problem(torch, options), Problem(mt, options), Problem(torch, options)
    theirs.run(2)
    for p, q in zip(ours.params, theirs.params, strict=True):
        p.data.copy_(mt.from_numpy(q.detach().numpy()))
    ours.optimizer.load_state_dict(copy.deepcopy(theirs.optimizer.state_dict()))
    theirs.run(1)
    ours.run(1)
    np.testing.assert_allclose(ours.values(), theirs.values(), atol=1e-9)

    def to_torch(value):
        if isinstance(value, mt.Tensor):
            return torch.from_numpy(value.numpy().copy())
        return [to_torch(each) for each in value] if isinstance(value, list) else value

    saved = ours.optimizer.state_dict()
    saved["state"] = {0: {name: to_torch(value) for name, value in saved["state"][0].items()}}
    with torch.no_grad():
        for p, q in zip(again.params, ours.params, strict=True):
            p.copy_(torch.from_numpy(q.detach().numpy()))
    again.optimizer.load_state_dict(saved)
    again.run(1)
    ours.run(1)
    np.testing.assert_allclose(ours.values(), again.values(), atol=1e-8)


def test_a_state_of_another_size_is_refused_and_nothing_changed():
    small, large = Problem(mt, OPTIONS[0]), Problem(mt, OPTIONS[0])
    small.optimizer = mt.optim.LBFGS(small.params[:2], **OPTIONS[0])
    small.run(1)
    large.run(1)
    before = large.memory()
    saved = small.optimizer.state_dict()
    saved["param_groups"][0]["params"] = [0, 1, 2]
    with pytest.raises(ValueError, match=r"d of shape \[5\] for 7 parameters"):
        large.optimizer.load_state_dict(saved)
    assert large.memory()["d"] is before["d"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"line_search_fn": "armijo"}, "None or 'strong_wolfe'"),
        ({"lr": -1}, "lr >= 0"),
        ({"max_iter": 0}, "max_iter >= 1"),
        ({"history_size": 0}, "history_size >= 1"),
        ({"tolerance_grad": -1}, "tolerance_grad >= 0"),
    ],
)
def test_options_out_of_range_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        mt.optim.LBFGS([mt.ones(2)], **options)


def test_one_group_one_dtype_and_a_closure_are_asked_for():
    with pytest.raises(ValueError, match="empty parameter list"):
        mt.optim.LBFGS([{"params": []}])
    with pytest.raises(ValueError, match="parameter groups"):
        mt.optim.LBFGS([{"params": [mt.ones(1)]}, {"params": [mt.ones(1)]}])
    with pytest.raises(ValueError, match="one dtype"):
        mt.optim.LBFGS([mt.ones(1), mt.ones(1, dtype=mt.float64)])
    with pytest.raises(TypeError, match="closure"):
        mt.optim.LBFGS([mt.ones(1)]).step()


# ---- the line search ----------------------------------------------------------------------------


def test_the_cubic_through_two_points_has_its_minimum_where_algebra_says():
    def point(t):  # t³ - 3t: least at 1
        return Point(t, t**3 - 3 * t, None, 3 * t**2 - 3)

    for a, b in [(0.0, 3.0), (3.0, 0.0), (0.5, 1.5)]:
        assert cubic_minimum(point(a), point(b)) == pytest.approx(1.0, abs=1e-12)
    assert cubic_minimum(point(2.0), point(3.0)) == 2.0  # the nearest allowed
    assert cubic_minimum(point(0.0), point(3.0), (1.5, 2.0)) == 1.5
    line = Point(0.0, 0.0, None, 1.0), Point(1.0, 1.0, None, 1.0)
    assert 0 <= cubic_minimum(*line) <= 1


@pytest.mark.parametrize("first", [1e-4, 0.1, 1.0, 10.0, 300.0])
@pytest.mark.parametrize("c2", [0.1, 0.9])
def test_the_step_found_meets_both_conditions(first, c2):
    def at(t):  # falls from 0, wavy, least near 5
        value = (t - 5) ** 2 / 10 + np.sin(3 * t) / 5
        return Point(t, value, None, (t - 5) / 5 + 0.6 * np.cos(3 * t))

    start = at(0.0)
    found = strong_wolfe(at, start, first, 1.0, c2=c2, max_evaluations=50)
    assert found.value <= start.value + 1e-4 * found.t * start.slope
    assert abs(found.slope) <= c2 * abs(start.slope)


# ---- full-batch optima --------------------------------------------------------------------------


def logistic(name, penalty=1.0):
    """Give a closure's parts: the objective scikit-learn minimises, over the number of rows."""
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    classes = len(np.unique(y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best = LogisticRegression(C=1 / penalty, tol=1e-12, max_iter=100000).fit(x, y)
    outputs = 1 if classes == 2 else classes
    inputs, labels = mt.tensor(x, dtype=mt.float64), mt.tensor(y.astype(np.int64))
    half = penalty / (2 * len(x))

    def objective(weight, bias):
        scores = inputs @ weight.T + bias
        if outputs == 1:
            loss = mt.nn.functional.binary_cross_entropy_with_logits(
                scores.reshape(-1), mt.tensor(y, dtype=mt.float64)
            )
        else:
            loss = mt.nn.functional.cross_entropy(scores, labels)
        return loss + half * (weight * weight).sum()

    optimum = objective(
        mt.tensor(best.coef_, dtype=mt.float64), mt.tensor(best.intercept_, dtype=mt.float64)
    ).item()
    weight = mt.zeros(outputs, x.shape[1], dtype=mt.float64).requires_grad_()
    return objective, [weight, mt.zeros(outputs, dtype=mt.float64).requires_grad_()], optimum


@pytest.mark.parametrize("data", ["breast_cancer", "digits"])
@pytest.mark.parametrize(
    ("name", "options", "steps"),
    [
        ("LBFGS", {"max_iter": 300, "line_search_fn": "strong_wolfe"}, 3),
        ("Rprop", {"lr": 0.01, "step_sizes": (1e-9, 50)}, 2000),
    ],
    ids=["LBFGS", "Rprop"],
)
def test_full_batches_reach_the_optimum_scikit_learn_finds(name, options, steps, data):
    objective, params, optimum = logistic(data)
    optimizer = getattr(mt.optim, name)(params, **options)

    def closure():
        optimizer.zero_grad()
        loss = objective(*params)
        loss.backward()
        return loss

    for step in range(steps):
        optimizer.step(closure)
        if step % 100 == 99 and objective(*params).item() - optimum < 1e-8:
            break
    assert objective(*params).item() == pytest.approx(optimum, abs=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_parameters_of_any_layout_move_as_contiguous_ones(dtype):
    start = np.arange(6.0).reshape(2, 3).astype(dtype)
    wide = np.zeros((2, 6), dtype)
    wide[:, ::2] = start
    ends = []
    for values in (start.copy(), wide[:, ::2], start.T.copy().T):
        w = mt.from_numpy(values).requires_grad_()
        rest = mt.tensor(np.array(2.0, dtype), requires_grad=True)
        optimizer = mt.optim.LBFGS([w, rest, mt.zeros(0, dtype=w.dtype)], lr=0.5, max_iter=3)

        def closure(w=w, rest=rest, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (w * w / 2 - w).sum() + rest * rest
            loss.backward()
            return loss

        optimizer.step(closure)
        w.data = w.detach().clone()  # from here on another array
        optimizer.step(closure)
        assert np.abs(w.detach().numpy() - 1).max() < 0.5
        ends.append([*w.detach().numpy().ravel().tolist(), rest.item()])
    np.testing.assert_allclose(ends[1:], ends[:1] * 2, rtol=1e-3 if dtype == "float16" else 1e-6)


def test_all_parameters_move_in_one_kernel_call(monkeypatch):
    calls = []
    step = kernels.step
    monkeypatch.setattr(kernels, "step", lambda *args: (calls.append(args[0]), step(*args)))
    params = [mt.ones(3).requires_grad_() for _ in range(5)]
    optimizer = mt.optim.LBFGS(params, max_iter=1)

    def closure():
        optimizer.zero_grad()
        loss = sum((p * p).sum() for p in params)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert calls == ["sgd"] and params[0].tolist() != [1.0, 1.0, 1.0]
