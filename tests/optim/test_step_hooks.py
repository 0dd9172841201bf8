"""Hooks around a step, and what an Inspector sees through them."""

import copy
import math
import pickle

import numpy as np
import pytest
from optimizer_cases import give_gradients, leaf, make

import microtensor as mt
from microtensor.optim.inspect import Inspector


def watched(library):
    """Give what hooks of an optimizer saw, in order."""
    w = library.tensor([2.0], requires_grad=True)
    optimizer = library.optim.SGD([w], lr=1.0)
    seen = []
    first = optimizer.register_step_pre_hook(lambda o, a, k: seen.append((len(a), k, w.item())))
    second = optimizer.register_step_pre_hook(lambda o, a, k: ((o, lambda: seen.append("new")), {}))
    optimizer.register_step_post_hook(lambda o, a, k: seen.append((o is optimizer, k, w.item())))
    w.grad = library.tensor([0.5])
    optimizer.step()
    second.remove()
    optimizer.step(closure=None)
    first.remove()
    optimizer.step()
    return seen


def test_hooks_are_called_as_torchs(torch):
    assert watched(mt) == watched(torch)


def test_hooks_run_around_steps_of_every_kind():
    w = leaf([1.0])
    for optimizer in (
        make("Adam", [w]),
        make("LBFGS", [w]),
        make("ScheduleFreeSGD", [w]),
        mt.optim.Lookahead(make("SGD", [w]), k=1),
    ):
        seen = []
        before = optimizer.register_step_pre_hook(lambda *_, seen=seen: seen.append("before"))
        after = optimizer.register_step_post_hook(lambda *_, seen=seen: seen.append("after"))

        def closure(seen=seen):
            seen.append("closure")
            w.grad = mt.zeros_like(w)
            return mt.tensor(1.0)

        assert optimizer.step(closure).item() == 1.0
        before.remove()
        after.remove()
        after.remove()
        optimizer.step(closure)
        assert seen == ["before", "closure", "after", "closure"]
        assert "step" not in vars(optimizer)


def test_a_hook_that_returns_no_pair_stops_the_step():
    w = leaf([1.0])
    give_gradients([w], [[1.0]])
    optimizer = make("SGD", [w], lr=1.0)
    optimizer.register_step_pre_hook(lambda *_: 3)
    with pytest.raises(RuntimeError, match="pair of new args and kwargs, not 3"):
        optimizer.step()
    assert w.item() == 1.0


@pytest.mark.parametrize("way", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@pytest.mark.parametrize("wrapped", [False, True])
def test_copies_have_no_hooks_and_move_parameters_of_their_own(way, wrapped):
    w = leaf([1.0])
    optimizer = make("SGD", [w], lr=1.0)
    if wrapped:
        optimizer = mt.optim.Lookahead(optimizer, k=1, alpha=1.0)
    seen = []
    optimizer.register_step_post_hook(lambda *_: seen.append("step"))
    twin = way(optimizer)
    other = twin.param_groups[0]["params"][0]
    give_gradients([other], [[0.25]])
    twin.step()
    assert seen == [] and w.item() == 1.0 and other.item() == 0.75


# ---- what an Inspector sees ---------------------------------------------------------------------


def test_size_direction_and_rate_of_the_last_update():
    names = [("weight", leaf([[3.0, 4.0]])), ("bias", leaf([0.0]))]
    optimizer = make("SGD", names, lr=0.1)
    optimizer.add_param_group({"params": [("rest", leaf([1.0, 1.0]))], "lr": 0.5})
    with Inspector(optimizer) as inspector:
        assert inspector.updates == []
        give_gradients([p for _, p in names], [[[3.0, 4.0]], [-2.0]])
        optimizer.step()
    weight, bias, rest = inspector.updates
    assert [each.name for each in inspector.updates] == ["weight", "bias", "rest"]
    assert weight.size == pytest.approx(0.5) and weight.relative_size == pytest.approx(0.1)
    np.testing.assert_allclose(weight.change.numpy(), [[-0.3, -0.4]])
    np.testing.assert_allclose(weight.direction.numpy(), [[-0.6, -0.8]])
    np.testing.assert_allclose(weight.rate.numpy(), [[0.1, 0.1]])
    assert weight.alignment == pytest.approx(1.0)
    assert bias.direction.tolist() == [1.0] and bias.relative_size == math.inf
    # No gradient: it has not moved.
    assert rest.size == 0.0 and rest.direction.tolist() == [0.0, 0.0]
    assert math.isnan(rest.alignment) and all(math.isnan(each) for each in rest.rate.tolist())
    optimizer.step()
    assert inspector.updates[0] is weight


def test_adam_walks_as_far_where_the_slope_is_gentle_and_so_not_straight_down():
    w = leaf([0.0, 0.0])
    optimizer = make("Adam", [w], lr=0.1)
    inspector = Inspector(optimizer)
    give_gradients([w], [[100.0, 1.0]])
    optimizer.step()
    (update,) = inspector.updates
    np.testing.assert_allclose(update.rate.numpy(), [1e-3, 0.1], rtol=1e-6)
    assert update.alignment == pytest.approx(101 / math.hypot(100, 1) / math.sqrt(2))
    assert update.size == pytest.approx(0.1 * math.sqrt(2))


def test_lookahead_is_seen_with_its_step_back():
    w = leaf([0.0])
    optimizer = mt.optim.Lookahead(make("SGD", [w], lr=1.0), alpha=0.5, k=2)
    inspector = Inspector(optimizer)
    give_gradients([w], [[1.0]])
    moved = []
    for _ in range(2):
        optimizer.step()
        moved.append(inspector.updates[0].change.item())
    assert moved == [-1.0, 0.0]  # to -1, then to -2 and half the way back


@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_scalars_and_empty_parameters_are_seen(shape):
    w = leaf(np.ones(shape))
    give_gradients([w], [np.full(shape, 2.0)])
    optimizer = make("SGD", [w], lr=0.25)
    inspector = Inspector(optimizer)
    optimizer.step()
    (update,) = inspector.updates
    assert update.change.shape == update.direction.shape == update.rate.shape == shape
    assert update.size == (0.5 if shape == () else 0.0)


def test_only_optimizers_are_watched():
    with pytest.raises(TypeError, match="list"):
        Inspector([])
