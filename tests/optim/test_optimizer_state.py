"""Saving, loading, copying and replacing what an optimizer remembers."""

import copy
import pickle
from collections import defaultdict

import numpy as np
import pytest
from optimizer_cases import (
    NAMES,
    OWN_RICH,
    OWN_RICH_ID,
    RICH,
    RICH_ID,
    bits,
    give_gradients,
    leaf,
    make,
    state_bits,
)

import microtensor as mt
from microtensor import nn

EVERY_RICH = pytest.mark.parametrize(("name", "options"), RICH, ids=RICH_ID)
ALL_RICH = pytest.mark.parametrize(("name", "options"), RICH + OWN_RICH, ids=RICH_ID + OWN_RICH_ID)
STATEFUL = pytest.mark.parametrize(("name", "options"), RICH[1:], ids=RICH_ID[1:])
SHAPES = [(3, 2), (4,), ()]


def fresh(name, options, dtype=mt.float32):
    """Give parameters, always the same, and an optimizer of them."""
    rng = np.random.default_rng(0)
    params = [leaf(rng.normal(size=shape), dtype) for shape in SHAPES]
    return params, make(name, params, **options)


def train(params, optimizer, first, last):
    for step in range(first, last):
        rng = np.random.default_rng(step)
        give_gradients(params, [rng.normal(size=p.shape) + p.detach().numpy() for p in params])
        optimizer.step()


def copy_values(source, target):
    for a, b in zip(source, target, strict=True):
        b.data = a.data.clone()


# ---- layout -------------------------------------------------------------------------------------

KEYS = {
    "SGD": ["momentum_buffer"],
    "Adagrad": ["step", "sum"],
    "Adadelta": ["step", "square_avg", "acc_delta"],
    "RMSprop": ["step", "square_avg", "momentum_buffer", "grad_avg"],
    "Adam": ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
    "AdamW": ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
    "ASGD": ["step", "eta", "mu", "ax"],
    "Rprop": ["step", "prev", "step_size"],
    "Adamax": ["step", "exp_avg", "exp_inf"],
    "NAdam": ["step", "mu_product", "exp_avg", "exp_avg_sq"],
    "RAdam": ["step", "exp_avg", "exp_avg_sq"],
    "Adafactor": ["step", "row_var", "col_var", "variance"],
}


def used_keys(name, options):
    left_out = {
        "momentum_buffer": not options.get("momentum"),
        "grad_avg": not options.get("centered"),
        "max_exp_avg_sq": not options.get("amsgrad"),
    }
    return [key for key in KEYS[name] if not left_out.get(key)]


NUMBERS = {"step", "eta", "mu", "mu_product"}
FACTORS = {(3, 2): {"row_var": (3, 1), "col_var": (1, 2)}}


@EVERY_RICH
def test_the_state_has_the_keys_shapes_and_dtypes_it_should(name, options):
    params, optimizer = fresh(name, options)
    train(params, optimizer, 0, 3)
    saved = optimizer.state_dict()
    assert list(saved) == ["state", "param_groups"]
    assert saved["param_groups"][0]["params"] == [0, 1, 2]
    keys = used_keys(name, options)
    assert list(saved["state"]) == ([0, 1, 2] if keys else [])
    for number, values in saved["state"].items():
        shape, expected = tuple(params[number].shape), keys
        if name == "Adafactor":
            vector = len(shape) < 2
            expected = ["step", *(["variance"] if vector else ["row_var", "col_var"])]
        assert list(values) == expected
        for key, value in values.items():
            if key in NUMBERS:
                assert value.shape == () and value.dtype == mt.float64
            else:
                assert value.shape == FACTORS.get(shape, {}).get(key, shape)
                assert value.dtype == mt.float32
        if "step" in values:
            assert values["step"].item() == 3


def test_parameters_are_numbered_through_all_groups():
    a, b, c = leaf([1.0]), leaf([2.0]), leaf([3.0])
    optimizer = mt.optim.Adam([{"params": [b]}, {"params": [a, c], "lr": 0.5}])
    give_gradients([a, b, c], [[1.0], None, [3.0]])
    optimizer.step()
    saved = optimizer.state_dict()
    assert [g["params"] for g in saved["param_groups"]] == [[0], [1, 2]]
    assert [g["lr"] for g in saved["param_groups"]] == [1e-3, 0.5]
    assert list(saved["state"]) == [1, 2]
    assert saved["state"][2]["exp_avg"].item() == pytest.approx(0.3)


def test_names_of_parameters_travel_along():
    model = nn.Linear(2, 1)
    optimizer = mt.optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    assert optimizer.param_groups[0]["params"] == list(model.parameters())


# ---- saving and resuming ------------------------------------------------------------------------


@ALL_RICH
@pytest.mark.parametrize("through", ["pickle", "deepcopy", "directly"])
def test_resuming_from_the_middle_gives_the_same_bits(name, options, through):
    params, optimizer = fresh(name, options)
    train(params, optimizer, 0, 5)
    pack = {
        "pickle": lambda saved: pickle.loads(pickle.dumps(saved)),
        "deepcopy": copy.deepcopy,
        "directly": lambda saved: saved,
    }[through]
    later, resumed = fresh(name, {"lr": 123.0})
    copy_values(params, later)
    resumed.load_state_dict(pack(optimizer.state_dict()))
    train(params, optimizer, 5, 10)
    train(later, resumed, 5, 10)
    assert bits(later) == bits(params)
    assert state_bits(resumed) == state_bits(optimizer)


@STATEFUL
def test_loaded_state_is_a_copy(name, options):
    params, optimizer = fresh(name, options)
    train(params, optimizer, 0, 3)
    saved = optimizer.state_dict()
    later, resumed = fresh(name, options)
    resumed.load_state_dict(saved)
    before = state_bits(optimizer)
    train(later, resumed, 0, 3)
    assert state_bits(optimizer) == before


def test_loading_casts_the_state_to_the_parameters_dtype():
    params, optimizer = fresh("Adam", {})
    train(params, optimizer, 0, 3)
    later, resumed = fresh("Adam", {}, mt.float64)
    resumed.load_state_dict(optimizer.state_dict())
    train(later, resumed, 3, 5)
    state = resumed.state_dict()["state"][0]
    assert state["exp_avg"].dtype == mt.float64 and state["step"].item() == 5


def test_loading_changes_options_and_keeps_those_the_saved_one_does_not_know():
    _, optimizer = fresh("SGD", {"lr": 0.5, "momentum": 0.25})
    saved = optimizer.state_dict()
    del saved["param_groups"][0]["nesterov"]
    _, other = fresh("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True})
    other.load_state_dict(saved)
    group = other.param_groups[0]
    assert (group["lr"], group["momentum"], group["nesterov"]) == (0.5, 0.25, True)


REJECTED = {
    "another number of groups": lambda s: s["param_groups"].append(dict(s["param_groups"][0])),
    "fewer parameters": lambda s: s["param_groups"][0].update(params=[0, 1]),
    "a shape that does not match": lambda s: s["state"][2].update(exp_avg=mt.zeros(5)),
    "the same number of elements in another shape": lambda s: s["state"][0].update(
        exp_avg_sq=mt.zeros(2, 3)
    ),
    "another optimizer's state": lambda s: s["state"][1].update(momentum_buffer=mt.zeros(4)),
    "an unknown parameter": lambda s: s["state"].update({7: s["state"][0]}),
    "an option out of range": lambda s: s["param_groups"][0].update(lr=-1.0),
}


@pytest.mark.parametrize("reason", REJECTED)
def test_a_rejected_load_changes_nothing(reason):
    params, optimizer = fresh("Adam", {"lr": 0.05})
    others, source = fresh("Adam", {"lr": 0.7})
    train(params, optimizer, 0, 3)
    train(others, source, 0, 6)
    saved = copy.deepcopy(source.state_dict())
    REJECTED[reason](saved)
    before, groups = state_bits(optimizer), optimizer.param_groups
    with pytest.raises(ValueError):
        optimizer.load_state_dict(saved)
    assert state_bits(optimizer) == before
    assert optimizer.param_groups is groups
    same, untouched = fresh("Adam", {"lr": 0.05})
    train(same, untouched, 0, 5)
    train(params, optimizer, 3, 5)
    assert bits(params) == bits(same)


# ---- copies -------------------------------------------------------------------------------------


WAYS = {"deepcopy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}


@ALL_RICH
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_of_parameters_and_optimizer_goes_on_alone(name, options, way):
    params, optimizer = fresh(name, options)
    train(params, optimizer, 0, 4)
    together = {"params": params, "optimizer": optimizer}
    twin = WAYS[way](together)
    values, state = bits(params), state_bits(optimizer)
    assert bits(twin["params"]) == values and state_bits(twin["optimizer"]) == state
    assert all(
        p is q
        for p, q in zip(twin["params"], twin["optimizer"].param_groups[0]["params"], strict=True)
    )
    train(twin["params"], twin["optimizer"], 4, 7)
    assert bits(params) == values and state_bits(optimizer) == state
    train(params, optimizer, 4, 7)
    assert bits(twin["params"]) == bits(params)
    assert state_bits(twin["optimizer"]) == state_bits(optimizer)


def test_a_copied_optimizer_has_parameters_of_its_own():
    params, optimizer = fresh("Adam", {})
    train(params, optimizer, 0, 2)
    other = copy.deepcopy(optimizer)
    train(other.param_groups[0]["params"], other, 2, 4)
    train(params, optimizer, 2, 4)
    assert bits(other.param_groups[0]["params"]) == bits(params)


# ---- state in the user's hands ------------------------------------------------------------------


def restarted(name, options, forget):
    """Train, forget the state, and train again; beside a new optimizer of the same parameters."""
    params, optimizer = fresh(name, options)
    train(params, optimizer, 0, 3)
    same, _ = fresh(name, options)
    copy_values(params, same)
    anew = make(name, same, **options)
    forget(optimizer)
    train(params, optimizer, 3, 6)
    train(same, anew, 3, 6)
    return bits(params) == bits(same)


FORGETTING = {
    "state.clear()": lambda o: o.state.clear(),
    "state = defaultdict(dict)": lambda o: setattr(o, "state", defaultdict(dict)),
    "state[p].clear()": lambda o: [o.state[p].clear() for p in o.param_groups[0]["params"]],
    "state[p] = {}": lambda o: [o.state.update({p: {}}) for p in o.param_groups[0]["params"]],
    "del state[p]": lambda o: [o.state.pop(p) for p in list(o.state)],
}


@STATEFUL
@pytest.mark.parametrize("way", FORGETTING)
def test_forgetting_the_state_starts_anew(name, options, way):
    assert restarted(name, options, FORGETTING[way])


def test_state_reached_before_the_first_step_is_watched_too():
    params, optimizer = fresh("Adam", {})
    state = optimizer.state
    train(params, optimizer, 0, 2)
    state[params[0]]["exp_avg"] = mt.zeros(3, 2)
    state[params[0]]["exp_avg_sq"] = mt.full((3, 2), 1e30)
    before = bits(params)
    train(params, optimizer, 2, 3)
    assert bits(params)[0] == before[0]  # divided by 1e15
    assert bits(params)[1] != before[1]


REPLACING = {
    "another tensor": lambda own, key, value: own.update({key: value}),
    "its data": lambda own, key, value: setattr(own[key], "data", value),
    "in place": lambda own, key, value: own[key].copy_(value),
}


@STATEFUL
@pytest.mark.parametrize("way", REPLACING)
def test_replaced_state_is_used_from_the_next_step_on(name, options, way):
    params, optimizer = fresh(name, options)
    train(params, optimizer, 0, 4)
    others, source = fresh(name, options)
    train(others, source, 10, 17)
    copy_values(others, params)
    for p, q in zip(params, others, strict=True):
        for key, value in source.state[q].items():
            REPLACING[way](optimizer.state[p], key, value.clone())
    train(params, optimizer, 20, 23)
    train(others, source, 20, 23)
    assert bits(params) == bits(others)
    assert state_bits(optimizer) == state_bits(source)


def test_a_step_count_may_be_a_plain_number():
    params, optimizer = fresh("Adam", {})
    others, source = fresh("Adam", {})
    train(params, optimizer, 0, 4)
    train(others, source, 0, 4)
    for p in params:
        optimizer.state[p]["step"] = 4
    train(params, optimizer, 4, 6)
    train(others, source, 4, 6)
    assert bits(params) == bits(others)


def test_replaced_state_of_a_wrong_shape_or_kind_is_refused():
    params, optimizer = fresh("SGD", {"momentum": 0.9})
    train(params, optimizer, 0, 2)
    for wrong in (mt.zeros(2, 3), np.zeros((3, 2))):
        optimizer.state[params[0]]["momentum_buffer"] = wrong
        before = bits(params)
        give_gradients(params, [np.ones(p.shape) for p in params])
        with pytest.raises(ValueError, match=r"'momentum_buffer'.*\[3, 2\]"):
            optimizer.step()
        assert bits(params) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_shown_state_dict_does_not_change_what_follows(name):
    params, optimizer = fresh(name, {"lr": 0.1})
    others, quiet = fresh(name, {"lr": 0.1})
    for step in range(4):
        train(params, optimizer, step, step + 1)
        train(others, quiet, step, step + 1)
        optimizer.state_dict()
        assert len(optimizer.state) == len(quiet.state_dict()["state"])
    assert bits(params) == bits(others)


# ---- groups in the user's hands -----------------------------------------------------------------


def test_momentum_switched_on_later_starts_from_the_gradient_and_off_keeps_the_buffer():
    p = leaf([0.0])
    optimizer = mt.optim.SGD([p], lr=1.0, dampening=0.5)
    seen = []
    for momentum, gradient in [(0, 1.0), (0.5, 1.0), (0.5, 1.0), (0, 1.0), (0.5, 1.0)]:
        optimizer.param_groups[0]["momentum"] = momentum
        give_gradients([p], [[gradient]])
        optimizer.step()
        seen.append(p.item())
    # buffers: none, 1 (the gradient, undamped), 0.5 + 0.5, kept, 0.5 + 0.5
    assert seen == [-1.0, -2.0, -3.0, -4.0, -5.0]
    assert optimizer.state[p]["momentum_buffer"].item() == 1.0


def test_amsgrad_and_centered_switched_on_later_get_their_state():
    for name, option, key in [
        ("Adam", "amsgrad", "max_exp_avg_sq"),
        ("RMSprop", "centered", "grad_avg"),
    ]:
        params, optimizer = fresh(name, {"lr": 0.01})
        train(params, optimizer, 0, 3)
        optimizer.param_groups[0][option] = True
        train(params, optimizer, 3, 4)
        state = optimizer.state_dict()["state"][0]
        assert state["step"].item() == 4 and state[key].numpy().any()


def test_param_groups_changed_by_hand_are_followed():
    a, b, c = leaf([1.0]), leaf([1.0]), leaf([1.0])
    optimizer = mt.optim.SGD([a, b], lr=0.5)
    give_gradients([a, b, c], [[1.0]] * 3)
    optimizer.step()
    del optimizer.param_groups[0]["params"][1]
    optimizer.param_groups.append({**optimizer.param_groups[0], "params": [c], "lr": 0.25})
    optimizer.step()
    assert [a.item(), b.item(), c.item()] == [0.0, 0.5, 0.75]
    optimizer.param_groups.reverse()
    optimizer.step()
    assert [a.item(), b.item(), c.item()] == [-0.5, 0.5, 0.5]
    del optimizer.param_groups[1]
    optimizer.step()
    assert [a.item(), b.item(), c.item()] == [-0.5, 0.5, 0.25]


ANOTHERS = [
    ("Adam", "NAdam", "mu_product"),
    ("Adam", "Prodigy", "p0"),
    ("RAdam", "SGD", "exp_avg"),
    ("Adagrad", "Adadelta", "sum"),
    ("Adamax", "Adam", "exp_inf"),
    ("SGD", "Lion", "momentum_buffer"),
    ("Rprop", "ASGD", "prev"),
]


@pytest.mark.parametrize(("saved", "loading", "word"), ANOTHERS)
def test_a_state_of_another_optimizer_is_refused_whole(saved, loading, word):
    params, source = fresh(saved, {"momentum": 0.9} if saved == "SGD" else {})
    train(params, source, 0, 2)
    others, target = fresh(loading, {})
    train(others, target, 0, 2)
    before = state_bits(target)
    with pytest.raises(ValueError, match=f"another optimizer.*{word}"):
        target.load_state_dict(source.state_dict())
    assert state_bits(target) == before


RELATED = [
    ("Adam", "RAdam", "amsgrad"),
    ("RAdam", "Adam", "amsgrad"),
    ("Adam", "SparseAdam", "weight_decay"),
    ("LAMB", "AdamW", "max_trust"),
    ("Lion", "Adam", "eps"),
    ("SGD", "Adam", "betas"),
    ("SGD", "LBFGS", "max_iter"),
    ("Muon", "SGD", "dampening"),
    ("LARS", "SGD", "trust_coefficient"),
]


@pytest.mark.parametrize(("saved", "loading", "word"), RELATED)
def test_another_optimizer_of_the_same_state_is_known_by_its_options(saved, loading, word):
    source = make(saved, [leaf(np.ones((2, 2)))])
    give_gradients(source.param_groups[0]["params"], [np.ones((2, 2))])
    source.step()
    target = make(loading, [leaf(np.ones((2, 2)))])
    before = state_bits(target)
    with pytest.raises(ValueError, match=f"another optimizer.*{word}"):
        target.load_state_dict(source.state_dict())
    assert state_bits(target) == before


def test_keys_of_the_users_and_of_schedules_are_no_options_of_another():
    source = make("Adam", [{"params": [leaf([1.0])], "name": "first", "layer": 3}])
    mt.optim.lr_scheduler.OneCycleLR(source, 0.1, total_steps=5)
    target = make("Adam", [leaf([1.0])])
    target.load_state_dict(source.state_dict())
    assert target.param_groups[0]["layer"] == 3 and "max_lr" in target.param_groups[0]
