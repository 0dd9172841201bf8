"""The optimizers with every combination of their arguments, and small helpers, for these tests."""

import itertools

import numpy as np

import microtensor as mt

_SWITCHES = {"weight_decay": [0, 0.1], "maximize": [False, True]}

# For each optimizer the values each argument takes; those of one value are not the defaults.
ARGUMENTS = {
    "SGD": {
        "lr": [0.02],
        "momentum": [0, 0.9],
        "dampening": [0, 0.5],
        "nesterov": [False, True],
        **_SWITCHES,
    },
    "Adagrad": {
        "lr": [0.1],
        "lr_decay": [0, 0.01],
        "initial_accumulator_value": [0, 0.5],
        "eps": [1e-3],
        **_SWITCHES,
    },
    "Adadelta": {"lr": [0.5], "rho": [0.9, 0.5], "eps": [1e-3], **_SWITCHES},
    "RMSprop": {
        "lr": [0.03],
        "alpha": [0.9],
        "eps": [1e-3],
        "momentum": [0, 0.9],
        "centered": [False, True],
        **_SWITCHES,
    },
    "Adam": {
        "lr": [0.05],
        "betas": [(0.8, 0.95)],
        "eps": [1e-3],
        "amsgrad": [False, True],
        "decoupled_weight_decay": [False, True],
        **_SWITCHES,
    },
    "AdamW": {
        "lr": [0.05],
        "betas": [(0.8, 0.95)],
        "eps": [1e-3],
        "amsgrad": [False, True],
        **_SWITCHES,
    },
}


def _is_legal(name, options):
    return not options.get("nesterov") or (options["momentum"] > 0 and options["dampening"] == 0)


def _text(name, options):
    return f"{name}({', '.join(f'{key}={value}' for key, value in options.items())})"


def combinations():
    """Give (name, options) for every combination of arguments."""
    for name, arguments in ARGUMENTS.items():
        for values in itertools.product(*arguments.values()):
            options = dict(zip(arguments, values, strict=True))
            if _is_legal(name, options):
                yield name, options


EVERY = list(combinations())
EVERY_ID = [_text(*each) for each in EVERY]

# A few that are otherwise at their defaults, and use every state array there is.
RICH = [
    ("SGD", {"lr": 0.02}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01}),
    ("Adadelta", {"lr": 1.0, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "centered": True}),
    ("Adam", {"lr": 0.05}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.1}),
]
RICH_ID = [_text(*each) for each in RICH]

NAMES = list(ARGUMENTS)


def make(name, params, **options):
    """Give an optimizer of ours by its name."""
    return getattr(mt.optim, name)(params, **options)


def leaf(values, dtype=mt.float64):
    """Give a tensor to be optimized."""
    return mt.tensor(np.array(values), dtype=dtype, requires_grad=True)


def give_gradients(params, gradients):
    """Set the gradients, None for none."""
    for p, g in zip(params, gradients, strict=True):
        p.grad = None if g is None else mt.tensor(np.array(g), dtype=p.dtype)


def arrays(params):
    """Give copies of the parameters' values."""
    return [p.detach().numpy().copy() for p in params]


def bits(params):
    """Give the parameters' values as bytes."""
    return [p.detach().numpy().tobytes() for p in params]


def state_bits(optimizer):
    """Give all that an optimizer remembers as plain comparable values."""
    saved = optimizer.state_dict()
    state = {
        number: {name: (str(v.dtype), v.numpy().tobytes()) for name, v in values.items()}
        for number, values in saved["state"].items()
    }
    return state, saved["param_groups"]
