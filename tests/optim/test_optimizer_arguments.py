"""Bad arguments: an error that names the argument, what was given and what is legal."""

import re

import numpy as np
import pytest
from optimizer_cases import NAMES, OWN_ARGUMENTS, bits, leaf, make

import microtensor as mt
from microtensor import nn

ALL = [*NAMES, *OWN_ARGUMENTS, "SparseAdam"]
WITH_EPS = ["Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam"]
WITH_EPS += ["SparseAdam", "AdaBelief", "Yogi", "LAMB", "LARS", "ScheduleFreeAdamW", "Prodigy"]

# optimizer, argument, illegal values, what the message says is legal
OUT_OF_RANGE = [
    *((name, "lr", [-0.1, float("nan"), -1], "lr >= 0") for name in ALL),
    *(
        (name, "weight_decay", [-0.1, float("nan")], "weight_decay >= 0")
        for name in ALL
        if name not in ("Rprop", "SparseAdam")
    ),
    *((name, "eps", [-1e-8, float("nan")], "eps >= 0") for name in WITH_EPS),
    ("SGD", "momentum", [-0.5, float("nan")], "momentum >= 0"),
    ("SGD", "dampening", [float("nan")], "a number"),
    ("Adagrad", "lr_decay", [-0.5], "lr_decay >= 0"),
    ("Adagrad", "initial_accumulator_value", [-0.5], "initial_accumulator_value >= 0"),
    ("Adadelta", "rho", [-0.1, 1.1, float("nan")], "0 <= rho <= 1"),
    ("RMSprop", "alpha", [-0.1], "alpha >= 0"),
    ("RMSprop", "momentum", [-0.1], "momentum >= 0"),
    ("Adam", "betas", [(1.0, 0.9), (0.9, 1.0), (-0.1, 0.9), (0.9, float("nan"))], "[0, 1)"),
    *(
        (name, "betas", [(1.0, 0.9), (0.9, -1.0)], "[0, 1)")
        for name in ("AdamW", "Adamax", "NAdam", "RAdam", "SparseAdam", "Lion", "AdaBelief", "Yogi")
    ),
    *((name, "betas", [(1.0, 0.9), (0.9, -1.0)], "[0, 1)") for name in ("LAMB", "Prodigy")),
    ("ScheduleFreeAdamW", "betas", [(0.9, 1.0)], "[0, 1)"),
    ("ASGD", "lambd", [float("nan")], "a number"),
    ("NAdam", "momentum_decay", [-1], "momentum_decay >= 0"),
    ("Adafactor", "beta2_decay", [0.1], "beta2_decay <= 0"),
    ("Adafactor", "d", [0.5], "d >= 1"),
    ("Adafactor", "weight_decay", [-1], "weight_decay >= 0"),
    ("Yogi", "initial_accumulator_value", [-0.5], "initial_accumulator_value >= 0"),
    ("LAMB", "max_trust", [-0.5, 0], "max_trust > 0, or None"),
    ("LARS", "trust_coefficient", [-0.5], "trust_coefficient >= 0"),
    ("LARS", "momentum", [-0.5], "momentum >= 0"),
    ("ScheduleFreeSGD", "momentum", [0, 1, -1], "0 < momentum < 1"),
    ("ScheduleFreeSGD", "warmup_steps", [-1], "warmup_steps >= 0"),
    ("Prodigy", "d0", [0, -1], "d0 > 0"),
    ("Prodigy", "d_coef", [0], "d_coef > 0"),
    ("Prodigy", "beta3", [1.0], "beta3 in [0, 1)"),
    ("Prodigy", "growth_rate", [0.5], "growth_rate >= 1"),
]
CASES = [(name, key, value, legal) for name, key, values, legal in OUT_OF_RANGE for value in values]


@pytest.mark.parametrize(("name", "argument", "value", "legal"), CASES)
def test_a_number_out_of_range_is_named_with_what_is_legal(name, argument, value, legal):
    given = value
    if argument == "betas":
        given = next(beta for beta in value if not 0 <= beta < 1)
    with pytest.raises(ValueError) as caught:
        make(name, [leaf([1.0])], **{argument: value})
    message = str(caught.value)
    assert legal in message and str(given) in message
    assert argument in message


READ_AT_EACH_STEP = [case for case in CASES if case[1] != "initial_accumulator_value"]


@pytest.mark.parametrize(("name", "argument", "value", "legal"), READ_AT_EACH_STEP)
def test_an_option_set_out_of_range_between_steps_is_refused(name, argument, value, legal):
    p = leaf([1.0, 2.0])
    optimizer = make(name, [p])
    p.grad = mt.ones(2, dtype=mt.float64)
    optimizer.step()
    before, version = bits([p]), p._version
    good = optimizer.param_groups[0][argument]
    optimizer.param_groups[0][argument] = value
    for _ in range(2):
        with pytest.raises(ValueError, match=re.escape(legal)):
            optimizer.step()
    assert bits([p]) == before and p._version == version
    optimizer.param_groups[0][argument] = good
    optimizer.step()
    assert bits([p]) != before


NUMBERS = {
    "SGD": ["lr", "momentum", "dampening", "weight_decay"],
    "Adagrad": ["lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps"],
    "Adadelta": ["lr", "rho", "eps", "weight_decay"],
    "RMSprop": ["lr", "alpha", "eps", "weight_decay", "momentum"],
    "Adam": ["lr", "eps", "weight_decay"],
    "AdamW": ["lr", "eps", "weight_decay"],
    "ASGD": ["lr", "lambd", "alpha", "t0", "weight_decay"],
    "Rprop": ["lr"],
    "Adamax": ["lr", "eps", "weight_decay"],
    "NAdam": ["lr", "eps", "weight_decay", "momentum_decay"],
    "RAdam": ["lr", "eps", "weight_decay"],
    "Adafactor": ["lr", "beta2_decay", "d", "weight_decay"],
}


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name in NAMES for argument in NUMBERS[name]]
)
def test_what_is_no_number_is_named(name, argument):
    for value in ("0.1", None, [0.1], np.ones(2)):
        with pytest.raises(TypeError, match=rf"^{argument} must be a number, not"):
            make(name, [leaf([1.0])], **{argument: value})


@pytest.mark.parametrize("betas", [0.9, (0.9,), (0.9, 0.99, 0.999), None, "ab", ("0.9", 0.9)])
def test_betas_that_are_no_pair_of_numbers_are_named(betas):
    with pytest.raises(TypeError, match=r"^betas must be a"):
        mt.optim.Adam([leaf([1.0])], betas=betas)


def test_nesterov_without_momentum_or_with_dampening_is_refused():
    for options in ({"momentum": 0}, {"momentum": 0.9, "dampening": 0.1}):
        with pytest.raises(ValueError, match=f"Nesterov.*momentum={options['momentum']}"):
            mt.optim.SGD([leaf([1.0])], nesterov=True, **options)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "Adafactor"])
def test_differentiable_steps_are_refused(name):
    with pytest.raises(ValueError, match="differentiable=True"):
        make(name, [leaf([1.0])], differentiable=True)


@pytest.mark.parametrize("name", NAMES)
def test_limits_are_legal_and_numbers_of_any_kind_serve(name):
    p = leaf([1.0])
    p.grad = mt.ones(1, dtype=mt.float64)
    before = bits([p])
    if name != "Rprop":  # whose steps have a least size
        make(name, [p], lr=0).step()
        assert bits([p]) == before
    for lr in (np.float32(0.5), mt.tensor(0.5), 1, True, np.array(0.5)):
        make(name, [p], lr=lr).step()
        assert bits([p]) != before
        before = bits([p])


@pytest.mark.parametrize("name", NAMES)
def test_switches_follow_truth_not_number(name):
    ways = []
    for off in (False, None, 0, ""):
        p = leaf([1.0])
        p.grad = mt.ones(1, dtype=mt.float64)
        make(name, [p], lr=0.1, maximize=off).step()
        ways.append(p.item())
    assert len(set(ways)) == 1 and ways[0] < 1


# ---- the parameters -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("empty", [[], (), iter([])], ids=["list", "tuple", "iterator"])
def test_an_empty_parameter_list_is_refused(name, empty):
    with pytest.raises(ValueError, match="empty parameter list"):
        make(name, empty)


def test_a_group_needs_its_params():
    with pytest.raises(TypeError, match="must have 'params'"):
        mt.optim.SGD([{"lr": 0.1}])


@pytest.mark.parametrize("name", NAMES)
def test_one_of_several_groups_may_have_no_parameters(name):
    # So that weights with and without decay can be told apart whatever the model.
    w, alone = leaf([1.0]), leaf([1.0])
    optimizer = make(name, [{"params": []}, {"params": [w], "lr": 0.1}], lr=0.5)
    other = make(name, [alone], lr=0.1)
    optimizer.add_param_group({"params": iter([])})
    for _ in range(3):
        for each in (w, alone):
            each.grad = mt.ones_like(each)
        optimizer.step()
        other.step()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.zero_grad()
    assert w.item() == alone.item() != 1.0 and w.grad is None
    assert "param_names" not in optimizer.param_groups[0]


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        (lambda: leaf([1.0]), TypeError, "got a Tensor: put it into a list"),
        (lambda: {leaf([1.0])}, TypeError, "not in sets"),
        (lambda: [{"params": {leaf([1.0])}}], TypeError, "not in sets"),
        (lambda: nn.Linear(1, 1).parameters, TypeError, "iterable of Tensors or dicts, not method"),
        (lambda: 3.0, TypeError, "not float"),
        (lambda: [np.ones(2)], TypeError, r"number 0\) is ndarray"),
        (lambda: [leaf([1.0]), "weight"], TypeError, r"number 1\) is str"),
        (lambda: [{"params": 5}], TypeError, "must have 'params', an iterable"),
        (lambda: [{"params": [leaf([1.0])]}, leaf([1.0])], TypeError, "must be a dict"),
        (lambda: [leaf([1.0]) * 2], ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: [mt.tensor([1, 2])], ValueError, r"int64 \(number 0\): it must be floating"),
        (lambda: [mt.tensor([True])], ValueError, "bool"),
        (lambda: [leaf([1.0])] * 2, ValueError, "duplicate parameters"),
        (lambda: [("a", leaf([1.0])), leaf([1.0])], ValueError, "with/without names"),
    ],
)
def test_what_cannot_be_optimized_is_named(params, error, words):
    with pytest.raises(error, match=words):
        mt.optim.SGD(params(), lr=0.1)


def test_a_parameter_whose_elements_share_memory_is_refused():
    expanded = mt.ones(1).expand(3).detach().requires_grad_()
    with pytest.raises(ValueError, match=r"number 1\).*clone\(\) it"):
        mt.optim.SGD([leaf([1.0]), expanded])
    mt.optim.SGD([mt.ones(1).expand(1, 1).detach().requires_grad_()])


def test_a_parameter_in_two_groups_is_refused():
    p = leaf([1.0])
    with pytest.raises(ValueError, match="more than one parameter group"):
        mt.optim.SGD([{"params": [p]}, {"params": [leaf([1.0]), p]}])


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_refused_but_a_group_may_carry_keys_of_its_own(name):
    optimizer = make(name, [{"params": [leaf([1.0])], "name": "encoder"}])
    assert optimizer.param_groups[0]["name"] == "encoder"
    with pytest.raises(TypeError, match="learning_rate"):
        make(name, [leaf([1.0])], learning_rate=0.1)


@pytest.mark.parametrize(
    "group",
    [
        lambda p: {"params": [p]},
        lambda p: {"params": [p * 2]},
        lambda p: {"params": [leaf([1.0])], "lr": -1},
        lambda p: {"params": [leaf([1.0]), 3]},
        lambda p: [leaf([1.0])],
    ],
)
@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_a_refused_group_leaves_the_optimizer_as_it_was(name, group):
    p = leaf([1.0])
    optimizer = make(name, [p], lr=0.5)
    before = len(optimizer.state_dict()["state"])
    given = group(p)
    shown = dict(given) if isinstance(given, dict) else None
    with pytest.raises((ValueError, TypeError)):
        optimizer.add_param_group(given)
    assert len(optimizer.param_groups) == 1
    assert len(optimizer.state_dict()["state"]) == before
    if shown is not None:
        assert given.keys() == shown.keys()  # the caller's dict is not written to
    p.grad = mt.ones(1, dtype=mt.float64)
    optimizer.step()
    assert p.item() == pytest.approx(0.5)


def test_one_tensor_makes_a_group():
    p = leaf([1.0])
    optimizer = mt.optim.SGD([{"params": p, "lr": 0.25}], lr=0.5)
    p.grad = mt.ones(1, dtype=mt.float64)
    optimizer.step()
    assert p.item() == 0.75 and optimizer.param_groups[0]["params"] == [p]


def test_generators_serve_as_parameters():
    model = nn.Linear(2, 1)
    optimizer = mt.optim.SGD((p for p in model.parameters()), lr=0.5)
    model(mt.ones(1, 2)).sum().backward()
    before = bits(list(model.parameters()))
    optimizer.step()
    assert all(a != b for a, b in zip(bits(list(model.parameters())), before, strict=True))


def test_a_bad_group_stops_the_step_before_any_group_moves():
    first, second = leaf([1.0]), leaf([1.0])
    optimizer = mt.optim.SGD([{"params": [first]}, {"params": [second]}], lr=0.1)
    first.grad = second.grad = mt.tensor([1.0], dtype=first.dtype)
    optimizer.param_groups[1]["lr"] = -1
    with pytest.raises(ValueError, match="learning rate"):
        optimizer.step()
    assert first.item() == second.item() == 1.0


def test_a_dict_that_is_no_state_dict_is_refused():
    with pytest.raises(ValueError, match="'state' and 'param_groups'"):
        mt.optim.SGD([leaf([1.0])]).load_state_dict({"a": 1})
