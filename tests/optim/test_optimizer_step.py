"""What a step touches and what it leaves alone, in the parameters and in their state."""

import numpy as np
import pytest
from optimizer_cases import (
    NAMES,
    OWN_ARGUMENTS,
    OWN_RICH,
    OWN_RICH_ID,
    RICH,
    RICH_ID,
    arrays,
    bits,
    give_gradients,
    leaf,
    make,
)

import microtensor as mt
from microtensor import kernels, nn

EVERY_RICH = pytest.mark.parametrize(
    ("name", "options"), RICH + OWN_RICH, ids=RICH_ID + OWN_RICH_ID
)


def random_params(*shapes, dtype=mt.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [leaf(rng.normal(size=shape), dtype) for shape in shapes]


def random_gradients(params, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=p.shape) for p in params]


def steps(optimizer, params, seeds):
    for seed in seeds:
        give_gradients(params, random_gradients(params, seed))
        optimizer.step()


# ---- in place -----------------------------------------------------------------------------------


@EVERY_RICH
def test_a_step_writes_into_the_parameters_own_memory(name, options):
    params = random_params((3, 2), (2,))
    optimizer = make(name, params, **options)
    held = [p.detach().numpy() for p in params]
    before = bits(params)
    steps(optimizer, params, range(3))
    for p, array, old in zip(params, held, before, strict=True):
        assert p.detach().numpy() is array
        assert array.tobytes() != old
        assert p.is_leaf and p.requires_grad and p.grad_fn is None


@EVERY_RICH
def test_a_step_does_not_change_the_gradients(name, options):
    params = random_params((3, 2), (2,))
    give_gradients(params, random_gradients(params, 1))
    grads = [p.grad for p in params]
    before = bits(grads)
    make(name, params, **options).step()
    assert all(p.grad is g for p, g in zip(params, grads, strict=True))
    assert bits(grads) == before


@pytest.mark.parametrize("name", NAMES)
def test_going_backward_through_weights_that_a_step_has_changed_raises(name):
    weight, x = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    optimizer = make(name, [weight], lr=0.1)
    loss = (weight * x).sum()
    other = (weight * weight).sum()
    other.backward()
    version = weight._version
    optimizer.step()
    assert weight._version > version
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_parameters_that_were_not_stepped_keep_their_version():
    still, moved = leaf([1.0]), leaf([1.0])
    loss = (still * still).sum()
    optimizer = mt.optim.Adam([still, moved])
    moved.grad = mt.ones(1, dtype=mt.float64)
    optimizer.step()
    loss.backward()
    assert still.grad.item() == 2.0


def test_views_and_numpy_arrays_of_a_parameter_see_the_step():
    memory = np.array([1.0, 2.0, 3.0, 4.0])
    p = mt.from_numpy(memory).requires_grad_()
    view = p.detach()[1:3]
    p.grad = mt.ones(4, dtype=mt.float64)
    mt.optim.SGD([p], lr=0.5).step()
    assert memory.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert view.tolist() == [1.5, 2.5]
    assert view._version == p._version == 1


def test_tied_weights_are_one_parameter():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    optimizer = mt.optim.SGD(model.parameters(), lr=0.1)
    assert len(optimizer.param_groups[0]["params"]) == 3
    before = first.weight.detach().numpy().copy()
    model(mt.ones(2, 3)).sum().backward()
    gradient = first.weight.grad.numpy().copy()
    optimizer.step()
    assert second.weight is first.weight
    np.testing.assert_allclose(
        first.weight.detach().numpy(), before - 0.1 * gradient, rtol=1e-6, atol=1e-7
    )


def test_a_step_is_not_recorded_and_needs_no_no_grad():
    p = leaf([1.0])
    optimizer = mt.optim.SGD([p], lr=0.1)
    p.grad = leaf([1.0]) * 2  # a gradient with a graph of its own
    optimizer.step()
    assert p.is_leaf
    assert p.item() == pytest.approx(0.8)


# ---- which parameters ---------------------------------------------------------------------------


@EVERY_RICH
def test_parameters_without_gradient_and_their_state_stay_untouched(name, options):
    params = random_params((3,), (2,), (4,))
    optimizer = make(name, params, **options)
    steps(optimizer, params, range(2))
    before = bits(params)
    state = optimizer.state_dict()["state"]
    kept = {k: v.numpy().tobytes() for k, v in state.get(1, {}).items()}
    give_gradients(params, [np.ones(3), None, np.ones(4)])
    optimizer.step()
    optimizer.step()
    after = bits(params)
    assert after[1] == before[1] and after[0] != before[0] and after[2] != before[2]
    now = optimizer.state_dict()["state"].get(1, {})
    assert {k: v.numpy().tobytes() for k, v in now.items()} == kept


REMEMBERS = ("ScheduleFreeSGD", "ScheduleFreeAdamW", "Prodigy")  # as a group, not a parameter
ALONE = [case for case in RICH + OWN_RICH if case[0] not in REMEMBERS]
ALONE_RICH = pytest.mark.parametrize(("name", "options"), ALONE, ids=str)


@ALONE_RICH
def test_gradients_that_come_and_go_equal_optimizers_of_their_own(name, options):
    together, apart = random_params((3,), (2,)), random_params((3,), (2,))
    one = make(name, together, **options)
    each = [make(name, [p], **options) for p in apart]
    for step, present in enumerate(["01", "0", "1", "", "01", "1", "1", "01", "0"]):
        gradients = [
            g if str(i) in present else None for i, g in enumerate(random_gradients(together, step))
        ]
        give_gradients(together, gradients)
        give_gradients(apart, gradients)
        one.step()
        for optimizer in each:
            optimizer.step()
        assert bits(together) == bits(apart)


def test_a_step_without_any_gradient_does_nothing():
    params = random_params((3,), (2,))
    before = bits(params)
    optimizer = mt.optim.Adam(params)
    optimizer.step()
    assert bits(params) == before
    assert optimizer.state_dict()["state"] == {}
    assert all(p._version == 0 for p in params)


def test_parameters_that_require_no_gradient_may_be_given_and_are_skipped():
    frozen, free = mt.ones(2), leaf([1.0])
    optimizer = mt.optim.SGD([frozen, free], lr=0.5)
    free.sum().backward()
    optimizer.step()
    assert frozen.tolist() == [1.0, 1.0] and free.item() == 0.5


# ---- kinds of parameters ------------------------------------------------------------------------


@EVERY_RICH
@pytest.mark.parametrize("layout", ["transposed", "strided", "reversed", "offset"])
def test_memory_layout_makes_no_difference(name, options, layout):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(4, 3)), rng.normal(size=(3, 4, 3))
    plain = leaf(start)
    room = np.zeros((12, 9))
    place = {
        "transposed": room[:3, :4].T,
        "strided": room[::3, ::3],
        "reversed": room[3::-1, 2::-1],
        "offset": room.reshape(-1)[5:17].reshape(4, 3),
    }[layout]
    place[...] = start
    odd = mt.from_numpy(place).requires_grad_()
    one, other = make(name, [plain], **options), make(name, [odd], **options)
    for g in gradients:
        plain.grad = mt.tensor(g)
        odd.grad = mt.tensor(g)
        one.step()
        other.step()
    np.testing.assert_allclose(place, plain.detach().numpy(), rtol=1e-13)
    place[...] = 0
    assert not room.any()  # nothing beside the parameter was written


@EVERY_RICH
@pytest.mark.parametrize("layout", ["transposed", "expanded", "read-only", "strided"])
def test_gradients_of_any_layout_are_read(name, options, layout):
    rng = np.random.default_rng(0)
    plain, other = leaf(rng.normal(size=(4, 4))), leaf(np.random.default_rng(0).normal(size=(4, 4)))
    one, two = make(name, [plain], **options), make(name, [other], **options)
    for _ in range(3):
        source = rng.normal(size=(8, 8))
        odd = {
            "transposed": source[:4, :4].T,
            "expanded": np.broadcast_to(source[0, :4], (4, 4)),
            "read-only": source[:4, :4].copy(),
            "strided": source[::2, ::2],
        }[layout]
        odd.flags.writeable = layout in ("transposed", "strided")
        plain.grad = mt.tensor(odd)
        other.grad = mt.zeros(4, 4, dtype=mt.float64)
        other.grad._array = odd
        one.step()
        two.step()
    np.testing.assert_allclose(other.detach().numpy(), plain.detach().numpy(), rtol=1e-13)


@EVERY_RICH
def test_scalars_and_empty_parameters_are_parameters(name, options):
    scalar, empty, vector = leaf(2.0), leaf(np.zeros((0, 3))), leaf([2.0])
    optimizer = make(name, [empty, scalar, vector], **options)
    for _ in range(3):
        give_gradients([empty, scalar, vector], [np.zeros((0, 3)), 1.5, [1.5]])
        optimizer.step()
    assert scalar.shape == () and empty.shape == (0, 3)
    assert scalar.item() == vector.item() != 2.0
    alone = make(name, [empty], **options)
    alone.step()
    assert empty.detach().numpy().size == 0


@pytest.mark.parametrize("name", REMEMBERS)
def test_what_a_group_remembers_wants_one_dtype(name):
    mixed = [leaf([1.0, 2.0], d) for d in (mt.float32, mt.float64)]
    optimizer = make(name, mixed)
    give_gradients(mixed, [[1.0, 1.0]] * 2)
    before = bits(mixed)
    with pytest.raises(ValueError, match=r"one dtype; got float32, float64"):
        optimizer.step()
    assert bits(mixed) == before


@ALONE_RICH
def test_a_group_of_two_dtypes_equals_two_groups(name, options):
    mixed = [leaf([1.0, 2.0], d) for d in (mt.float32, mt.float64, mt.float32)]
    single = [leaf([1.0, 2.0], d) for d in (mt.float32, mt.float64, mt.float32)]
    one = make(name, mixed, **options)
    each = [make(name, [p], **options) for p in single]
    for step in range(4):
        gradients = random_gradients(mixed, step)
        if step == 2:
            gradients[0] = None
        give_gradients(mixed, gradients)
        give_gradients(single, gradients)
        one.step()
        for optimizer in each:
            optimizer.step()
    assert [p.dtype for p in mixed] == [mt.float32, mt.float64, mt.float32]
    assert bits(mixed) == bits(single)


@EVERY_RICH
def test_data_replaced_between_steps_is_stepped_from_then_on(name, options):
    plain, replaced = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    one, other = make(name, [plain], **options), make(name, [replaced], **options)
    steps(one, [plain], range(2))
    steps(other, [replaced], range(2))
    old = replaced.detach().numpy()
    kept = old.copy()
    replaced.data = replaced.data.clone()
    steps(one, [plain], range(2, 4))
    steps(other, [replaced], range(2, 4))
    assert bits([replaced]) == bits([plain])
    assert old.tolist() == kept.tolist()


def test_a_read_only_parameter_is_refused_and_nothing_is_written():
    memory = np.array([1.0, 2.0])
    free = leaf([1.0])
    p = mt.from_numpy(memory).requires_grad_()
    memory.flags.writeable = False
    give_gradients([free, p], [[1.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match="read-only"):
        mt.optim.SGD([free, p], lr=0.1).step()
    assert memory.tolist() == [1.0, 2.0] and free.item() == 1.0


# ---- how many calls -----------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """Count the kernel calls, each by how many parameters it gets."""
    made, step = [], kernels.step

    def counting(rule, parameters, *rest):
        made.append((rule, len(parameters.arrays)))
        return step(rule, parameters, *rest)

    monkeypatch.setattr(kernels, "step", counting)
    return made


@pytest.mark.parametrize("name", [*NAMES, *OWN_ARGUMENTS, "SparseAdam"])
def test_one_kernel_call_a_group_and_step(name, calls):
    rule = getattr(mt.optim, name)._rule
    params = random_params((3, 2), (2,), (), (4,), (1, 1))
    optimizer = make(name, [{"params": params[:3]}, {"params": params[3:], "lr": 0.5}], lr=0.1)
    for step in range(3):
        calls.clear()
        steps(optimizer, params, [step])
        assert calls == [(rule, 3), (rule, 2)]
    calls.clear()
    give_gradients(params, [None, np.ones(2), None, None, None])
    optimizer.step()
    assert calls == [(rule, 1)]


def test_one_kernel_call_a_dtype(calls):
    params = [leaf([1.0], d) for d in (mt.float32, mt.float64, mt.float32, mt.float64)]
    steps(mt.optim.Adam(params), params, range(2))
    assert calls == [("adam", 2), ("adam", 2)] * 2


# ---- the closure and zero_grad ------------------------------------------------------------------


def test_the_closure_runs_with_gradients_on_and_its_loss_is_returned():
    p = leaf([3.0])
    optimizer = mt.optim.SGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with mt.no_grad():
        loss = optimizer.step(closure)
        assert not mt.is_grad_enabled()
    assert loss.item() == 9.0
    assert p.item() == pytest.approx(3 - 0.1 * 6)
    assert mt.optim.SGD([p]).step() is None


def test_a_closure_that_fails_leaves_everything_as_it_was():
    p = leaf([3.0])
    optimizer = mt.optim.Adam([p])
    p.grad = mt.ones(1, dtype=mt.float64)

    def closure():
        raise ArithmeticError("no loss today")

    with pytest.raises(ArithmeticError):
        optimizer.step(closure)
    assert p.item() == 3.0 and optimizer.state_dict()["state"] == {}


def test_zero_grad_drops_or_clears_the_gradients():
    params = random_params((3,), (2,))
    optimizer = mt.optim.SGD([{"params": params[:1]}, {"params": params[1:]}], lr=0.1)
    give_gradients(params, random_gradients(params, 0))
    held = [p.grad for p in params]
    optimizer.zero_grad(set_to_none=False)
    assert all(p.grad is g for p, g in zip(params, held, strict=True))
    assert all(not g.numpy().any() for g in held)
    optimizer.zero_grad()
    assert [p.grad for p in params] == [None, None]
    optimizer.zero_grad(set_to_none=False)
    assert [p.grad for p in params] == [None, None]


def test_zeroed_gradients_cut_the_graph_they_had_and_may_be_expanded():
    p = leaf([1.0, 2.0])
    optimizer = mt.optim.SGD([p], lr=0.1, weight_decay=1.0)
    p.sum().backward(create_graph=True)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0] and not p.grad.requires_grad
    (p**3).sum().backward(create_graph=True)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0] and not p.grad.requires_grad
    optimizer.step()
    assert arrays([p])[0].tolist() == pytest.approx([0.9, 1.8])
