"""What ``capture`` promises: inputs, outputs, gradients, guards, threads, errors."""

import copy as copying
import gc
import threading
import weakref

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.nn import functional as F

NATIVE = mt.kernels.backend == "native"


def small(seed=0):
    mt.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))


def training(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def batch(seed, rows=4):
    rng = np.random.default_rng(seed)
    return mt.tensor(rng.normal(size=(rows, 3)).astype("f")), mt.tensor(rng.integers(0, 2, rows))


# ---- inputs and outputs --------------------------------------------------------------------------


def test_the_function_runs_once_for_each_kind_of_arguments():
    calls = []

    @mt.capture
    def f(x, scale=1.0):
        calls.append(tuple(x.shape))
        return x * scale

    for _ in range(3):
        assert f(mt.ones(2)).tolist() == [1.0, 1.0]
    assert f(mt.ones(2) * 3).tolist() == [3.0, 3.0]
    assert f(mt.ones(3)).tolist() == [1.0] * 3
    assert f(mt.ones(2), scale=2.0).tolist() == [2.0, 2.0]
    assert f(mt.ones(2), 4.0).tolist() == [4.0, 4.0]
    assert f(mt.ones(2, dtype=mt.float64)).dtype is mt.float64
    assert f(mt.ones(2), scale=2.0).tolist() == [2.0, 2.0]
    assert calls == [(2,), (3,), (2,), (2,), (2,)]
    assert f.report().plans == 5
    assert f.__name__ == "f"


def test_plans_are_bounded_in_number():
    f = mt.capture(lambda x: x + 1)
    for n in range(1, 40):
        assert f(mt.zeros(n)).tolist() == [1.0] * n
    assert f.report().plans <= 16


def test_results_are_copies_that_later_calls_leave_alone():
    f = mt.capture(lambda x: x * 2)
    losses = [f(mt.tensor([float(i)])) for i in range(4)]
    assert [loss.item() for loss in losses] == [0.0, 2.0, 4.0, 6.0]
    again = mt.capture(lambda x: x * 2, copy_outputs=False)
    first = again(mt.tensor([1.0]))
    assert first.item() == 2.0
    second = again(mt.tensor([5.0]))
    assert first is not None and second.item() == first.item() == 10.0


def test_results_keep_their_structure():
    def f(x):
        y = x + 1
        return {"sum": y.sum(), "both": (y, [x * 2, None])}, y

    c = mt.capture(f)
    for value in (1.0, 5.0):
        first, y = c(mt.tensor([value]))
        assert first["sum"].item() == value + 1
        assert first["both"][0].item() == y.item() == value + 1
        assert first["both"][1][0].item() == 2 * value and first["both"][1][1] is None


def test_nested_arguments_and_inputs_of_any_layout():
    c = mt.capture(lambda pair, named: pair[0] @ pair[1] + named["bias"])
    rng = np.random.default_rng(0)
    for _ in range(3):
        a, b, bias = (mt.tensor(rng.normal(size=s)) for s in ((3, 3), (6, 3), (3,)))
        want = a.T.contiguous() @ b[::2].contiguous() + bias
        np.testing.assert_array_equal(c((a.T, b[::2]), {"bias": bias}).numpy(), want.numpy())


def test_a_result_that_is_an_input_or_a_parameter_is_a_copy():
    w = mt.ones(2, requires_grad=True)

    def f(x):
        (x * w).sum()
        return x, w

    c = mt.capture(f)
    for _ in range(2):
        x, given = mt.tensor([1.0, 2.0]), c(mt.tensor([1.0, 2.0]))
        assert given[0].tolist() == x.tolist() and given[1].tolist() == [1.0, 1.0]
        given[1].zero_()
    assert w.tolist() == [1.0, 1.0] and not given[1].requires_grad


def test_gradients_of_inputs_reach_the_callers_tensors():
    c = mt.capture(lambda x: (x * x).sum().backward())
    for value in (1.0, 3.0):
        x = mt.tensor([value], requires_grad=True)
        c(x)
        assert x.grad.tolist() == [2 * value]
    c(x)
    assert x.grad.tolist() == [12.0]


def test_gradients_somebody_holds_keep_their_values():
    w = mt.ones(2, requires_grad=True)

    @mt.capture
    def f(x):
        w.grad = None
        (w * x).sum().backward()
        return x.sum()

    held = []
    for value in range(5):
        f(mt.full((2,), float(value)))
        held.append(w.grad)
    assert [g.tolist() for g in held] == [[float(v)] * 2 for v in range(5)]
    f(mt.full((2,), 7.0))
    assert w.grad.tolist() == [7.0, 7.0]


def test_nothing_is_recorded_in_a_graph():
    w = mt.ones(2, requires_grad=True)
    f = mt.capture(lambda x: (x * w).sum())
    assert not f(mt.ones(2)).requires_grad and not f(mt.ones(2)).requires_grad


def test_a_plan_holds_no_more_than_it_needs():
    model = small()
    f = mt.capture(training(model, mt.optim.Adam(model.parameters())))
    f(*batch(0))
    report = f.report()
    assert report.arena_bytes <= report.temporary_bytes
    assert "captured step" in str(report) and len(report.steps) > 5
    gone = weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None


def test_numbers_of_numpys_are_numbers():
    f = mt.capture(lambda x: (x * np.sqrt(4.0) + np.float32(1)).add_(np.int64(2)))
    for value in (1.0, 5.0):
        assert f(mt.full((2,), value)).tolist() == [2 * value + 3] * 2


def test_a_module_and_a_method_can_be_captured():
    model = small()
    f = mt.capture(model)
    for seed in range(3):
        x, _ = batch(seed)
        assert (f(x) == model(x)).all()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 2)

        @mt.capture
        def forward(self, x):
            return self.inner(x)

    first, second = Net(), Net()
    for seed in range(3):
        x, _ = batch(seed)
        assert (first(x) == first.inner(x)).all() and (second(x) == second.inner(x)).all()
    copy = copying.deepcopy(first)
    with mt.no_grad():
        copy.inner.weight.zero_()
    assert (copy(x) == copy.inner.bias).all() and not (first(x) == first.inner.bias).all()


def test_inference_mode():
    model = small()
    f = mt.capture(model)
    with mt.inference_mode():
        for seed in range(3):
            x, _ = batch(seed)
            assert f(x).is_inference() and (f(x) == model(x)).all()
        with pytest.raises(RuntimeError, match="writes into one of its inputs"):
            mt.capture(lambda x: x.add_(1))(mt.ones(2))


# ---- state ---------------------------------------------------------------------------------------


def test_state_between_calls_is_the_users_own():
    found = []
    for wrap in (lambda f: f, mt.capture):
        model = small()
        optimizer = mt.optim.Adam(model.parameters(), lr=0.1)
        step = wrap(training(model, optimizer))
        values = []
        for i in range(12):
            if i == 3:
                saved = {k: v.clone() for k, v in model.state_dict().items()}
            if i == 5:
                model.load_state_dict(saved)
            if i == 6:
                with mt.no_grad():
                    model[0].weight.mul_(0.5)
            if i == 7:
                optimizer.load_state_dict(optimizer.state_dict())
            if i == 8:
                model.load_state_dict(saved, assign=True)
                optimizer.param_groups[0]["params"] = list(model.parameters())
            if i == 10:
                eager = training(model, optimizer)
                values.append(eager(*batch(99)).item())
            values.append(step(*batch(i)).item())
            with mt.no_grad():
                values.append(model(batch(50)[0]).sum().item())
        values.append([float(s["step"]) for s in optimizer.state.values()])
        found.append(values)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda model, optimizer: model.eval(),
        lambda model, optimizer: model[0].requires_grad_(False),
        lambda model, optimizer: setattr(model[0], "bias", None),
        lambda model, optimizer: setattr(model[0], "weight", nn.Parameter(mt.ones(5, 3))),
        lambda model, optimizer: model.append(nn.Linear(2, 2)),
        lambda model, optimizer: setattr(model[0].weight, "data", mt.ones(5, 3)),
        lambda model, optimizer: optimizer.add_param_group({"params": [mt.ones(2)]}),
        lambda model, optimizer: optimizer.param_groups[0].update(weight_decay=0.5),
        lambda model, optimizer: optimizer.param_groups[0].update(amsgrad=True),
        lambda model, optimizer: optimizer.state[model[0].weight]["exp_avg"].zero_(),
        lambda model, optimizer: optimizer.state.clear(),
        lambda model, optimizer: mt.manual_seed(5),
        lambda model, optimizer: model[0].register_forward_hook(lambda m, a, out: out * 2),
    ],
)
def test_what_changes_between_calls_counts(change):
    found = []
    for wrap in (lambda f: f, mt.capture):
        mt.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Dropout(0.3), nn.Linear(5, 2))
        optimizer = mt.optim.Adam(model.parameters(), lr=0.1)
        step = wrap(training(model, optimizer))
        losses = []
        for i in range(6):
            if i == 3:
                change(model, optimizer)
            losses.append(step(*batch(i)).item())
        found.append(losses)
    assert found[0] == found[1]


def test_train_and_eval_mode_have_plans_of_their_own():
    calls = []
    model = nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5))

    @mt.capture
    def f(x):
        calls.append(model.training)
        return model(x)

    for _ in range(3):
        model.train()
        f(mt.ones(2, 3))
        model.eval()
        assert (f(mt.ones(2, 3)) == model(mt.ones(2, 3))).all()
    assert calls == [True, False]


def test_gradient_mode_and_default_dtype_are_part_of_the_signature():
    w = mt.ones(2, requires_grad=True)
    f = mt.capture(lambda x: x + mt.ones(2))
    assert f(mt.ones(2)).tolist() == [2.0, 2.0]
    with mt.no_grad():
        f(mt.ones(2))
    assert f.report().plans == 2
    mt.set_default_dtype(mt.float64)
    try:
        assert f(mt.ones(2, dtype=mt.float32)).dtype is mt.float64
    finally:
        mt.set_default_dtype(mt.float32)
    assert w.grad is None


def test_a_constant_tensor_outside_is_read_anew():
    outside = mt.ones(2)
    f = mt.capture(lambda x: x * outside)
    assert f(mt.ones(2)).tolist() == [1.0, 1.0]
    outside.fill_(3.0)
    assert f(mt.ones(2)).tolist() == [3.0, 3.0]
    outside.requires_grad_()
    assert f(mt.ones(2)).tolist() == [3.0, 3.0]
    outside.data = mt.full((2,), 4.0)
    assert f(mt.ones(2)).tolist() == [4.0, 4.0]


def test_in_place_operations_of_every_sort():
    def f(x, index, mask):
        y = x.clone()
        y += 1
        y[0] = 5.0
        y[1, 1:] = x[0, 1:]
        y[index] = 7.0
        y[mask] = 9.0
        y.mul_(2.0).clamp_(-20, 20)
        y.T[0].zero_()
        y.index_add_(0, index, x[:2])
        y.masked_fill_(mask, -1.0)
        z = mt.zeros(4, 3)
        z.copy_(y)
        z.fill_diagonal_(0.5)
        z.scatter_(0, index[:, None], x[:2, :1])
        x.requires_grad_(False)
        return y, z, mt.cat([y, z]), mt.stack([y[0], z[0]]).sum()

    c = mt.capture(f)
    rng = np.random.default_rng(0)
    for _ in range(3):
        given = (
            mt.tensor(rng.normal(size=(4, 3)).astype("f")),
            mt.tensor(rng.permutation(4)[:2]),
            mt.tensor(rng.normal(size=(4, 3)) > 0),
        )
        for want, got in zip(f(*given), c(*given), strict=True):
            np.testing.assert_array_equal(want.numpy(), got.numpy())


def test_gradients_through_in_place_operations():
    def f(x):
        y = x * 1.0
        y[0] = y[1] * 2
        view = y[:, 1]
        view.mul_(3.0)
        (y * y).sum().backward()
        return y

    c = mt.capture(f)
    rng = np.random.default_rng(0)
    for _ in range(3):
        values = rng.normal(size=(3, 2))
        a, b = (mt.tensor(values, requires_grad=True) for _ in range(2))
        np.testing.assert_array_equal(f(a).detach().numpy(), c(b).numpy())
        np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())


# ---- threads -------------------------------------------------------------------------------------


def test_threads_replay_plans_at_the_same_time_and_share_one():
    def work(c, seed, out):
        rng = np.random.default_rng(seed)
        for _ in range(100):
            x = mt.tensor(rng.normal(size=(8, 8)))
            out.append(bool((c(x) == (x @ x).tanh()).all()))

    shared = mt.capture(lambda x: (x @ x).tanh())
    found = []
    threads = [
        threading.Thread(target=work, args=(c, i, found))
        for i, c in enumerate([shared, shared, mt.capture(lambda x: (x @ x).tanh())])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 300 and all(found)


def test_other_threads_go_on_while_one_captures():
    entered, leave = threading.Event(), threading.Event()
    f = mt.capture(lambda x: (x + 1, entered.set(), leave.wait(10))[0])
    thread = threading.Thread(target=lambda: f(mt.ones(2)))
    thread.start()
    assert entered.wait(10)
    x = mt.tensor([3.0], requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.item() == 6.0 and x.item() == 3.0
    leave.set()
    thread.join()
    assert f(mt.ones(2)).tolist() == [2.0, 2.0]
    assert "mul" not in f.report().steps


# ---- what cannot be captured ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "named"),
    [
        (lambda t: t.item(), "item()"),
        (lambda t: float(t), "float()"),
        (lambda t: bool(t > 0), "bool()"),
        (lambda t: int(t), "int()"),
        (lambda t: t.tolist(), "tolist()"),
        (lambda t: t.numpy(), "numpy()"),
        (lambda t: np.asarray(t), "array()"),
        (lambda t: f"{t:.2f}", "item()"),
        (lambda t: range(5)[(t * 0).long()], "index()"),
    ],
)
def test_reading_a_value_raises_with_the_line(read, named):
    f = mt.capture(lambda x: x * read(x.sum() * 1.0))
    with pytest.raises(RuntimeError, match="reads a value inside") as caught:
        f(mt.ones(2))
    assert named in str(caught.value) and "test_capture.py:" in str(caught.value)


def boom(x):
    raise ZeroDivisionError("in the middle")


def nested(x):
    return mt.capture(lambda y: y + 1)(x)


def into_input(x):
    x += 1
    return x


def second_order(x):
    w = mt.ones(2, requires_grad=True)
    (g,) = mt.autograd.grad((w * w * x).sum(), w, create_graph=True)
    return g


def option(x):
    optimizer = mt.optim.SGD([mt.ones(2, requires_grad=True)], lr=0.1)
    optimizer.zero_grad()
    optimizer.param_groups[0]["lr"] = 0.5
    return x + 1


outside = nn.Dropout(0.5)


def module_state(x):
    x = outside.train()(x)
    outside.eval()
    return x + 1


def initialised(x):
    return nn.Linear(2, 2)(x)


def lbfgs(x):
    w = mt.ones(2, requires_grad=True)
    mt.optim.LBFGS([w]).step(lambda: (w * x).sum())


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (boom, ZeroDivisionError, "in the middle"),
        (lambda x: None, RuntimeError, "did nothing"),
        (lambda x: (x + 1, 3.0), RuntimeError, "returned 3.0"),
        (lambda x: "text", RuntimeError, "returned 'text'"),
        (nested, RuntimeError, "while another one is being captured"),
        (into_input, RuntimeError, "writes into one of its inputs"),
        (second_order, RuntimeError, "create_graph=True"),
        (option, RuntimeError, "option of SGD was changed"),
        (module_state, RuntimeError, "changes the mode"),
        (initialised, RuntimeError, "nn.init"),
        (lbfgs, RuntimeError, "LBFGS"),
    ],
)
def test_what_cannot_be_captured_says_so_and_leaves_nothing(function, error, message):
    f = mt.capture(function)
    for _ in range(2):
        with pytest.raises(error, match=message):
            f(mt.ones(2))
    with pytest.raises(RuntimeError, match="no plan yet"):
        f.report()
    assert mt.ones(1).item() == 1.0
    assert mt.capture(lambda x: x + 1)(mt.ones(1)).item() == 2.0


def test_bad_arguments_of_capture():
    with pytest.raises(TypeError, match="expected a function, not int"):
        mt.capture(3)
    f = mt.capture(lambda x: x + 1)
    with pytest.raises(TypeError, match="NumPy array"):
        f(np.ones(2))
    with pytest.raises(TypeError, match="no hash"):
        f({1, 2})
    with pytest.raises(RuntimeError, match="detach"):
        f(mt.ones(2, requires_grad=True) * 2)
    with pytest.raises(TypeError):
        f()


def test_shapes_that_depend_on_the_data():
    f = mt.capture(lambda x: x[x > 0].sum())
    assert f(mt.tensor([1.0, -1.0, 2.0])).item() == 3.0
    assert f(mt.tensor([5.0, 1.0, -2.0])).item() == 6.0
    with pytest.raises(RuntimeError, match="changes shapes with the data"):
        f(mt.tensor([1.0, 1.0, 1.0]))


def test_values_computed_outside_of_operations_are_refused():
    f = mt.capture(lambda x: x + mt.Tensor._wrapped(x) if False else x + hidden(x))
    with pytest.raises(RuntimeError, match="computed outside of operations"):
        f(mt.ones(2))


def hidden(x):
    from microtensor.tensor import wrap

    return wrap(np.cumsum(x._array))


def test_labels_out_of_range_raise_as_in_eager_mode():
    f = mt.capture(lambda x, y: F.cross_entropy(x, y))
    x = mt.zeros(3, 2)
    f(x, mt.tensor([0, 1, 1]))
    with pytest.raises(IndexError, match="5"):
        f(x, mt.tensor([0, 5, 1]))
    assert f(x, mt.tensor([0, 1, 1])).item() == F.cross_entropy(x, mt.tensor([0, 1, 1])).item()


def test_eager_effects_of_a_failed_capture_stay():
    w = mt.zeros(2)

    @mt.capture
    def f(x):
        w.add_(x)
        return w.sum().item()

    with pytest.raises(RuntimeError, match="reads a value"):
        f(mt.ones(2))
    assert w.tolist() == [1.0, 1.0]


# ---- kernels that write into several arrays ------------------------------------------------------


@pytest.mark.parametrize("layer", [nn.BatchNorm1d, nn.InstanceNorm1d])
def test_running_statistics_move_once_a_call(layer):
    made = [layer(3, track_running_stats=True) for _ in range(2)]
    step = mt.capture(made[0])
    for seed in range(4):
        x = mt.tensor(np.random.default_rng(seed).normal(1.0, 2.0, (4, 3, 5)))
        one, other = (f(x.float()) for f in (step, made[1]))
        assert one.tolist() == other.tolist()
    for name, value in made[1].state_dict().items():
        assert made[0].state_dict()[name].tolist() == value.tolist(), name


def test_trying_a_kernel_leaves_all_its_arrays_as_they_were():
    from microtensor.capturing.calls import filled

    def kernel(x, total, out):
        total += x
        out[...] = x

    x, total, out = np.ones(3), np.zeros(3), np.ones(3)
    assert filled("kernel", kernel, (x, total, out), {}) is None
    assert total.tolist() == [0.0] * 3
    assert out.tolist() == [1.0] * 3
