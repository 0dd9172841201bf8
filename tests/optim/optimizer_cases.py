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
    "ASGD": {
        "lr": [0.02],
        "lambd": [1e-4, 0.1],
        "alpha": [0.75, 0.5],
        "t0": [1e6, 5],
        **_SWITCHES,
    },
    "Rprop": {
        "lr": [0.02],
        "etas": [(0.5, 1.2), (0.3, 1.5)],
        "step_sizes": [(1e-6, 50), (1e-3, 0.1)],
        "maximize": [False, True],
    },
    "Adamax": {"lr": [0.05], "betas": [(0.8, 0.95)], "eps": [1e-8, 1e-2], **_SWITCHES},
    "NAdam": {
        "lr": [0.05],
        "betas": [(0.8, 0.95)],
        "eps": [1e-3],
        "momentum_decay": [0, 4e-3],
        "decoupled_weight_decay": [False, True],
        **_SWITCHES,
    },
    "RAdam": {
        "lr": [0.05],
        "betas": [(0.8, 0.95), (0.9, 0.6)],
        "eps": [1e-3],
        "decoupled_weight_decay": [False, True],
        **_SWITCHES,
    },
    "Adafactor": {
        "lr": [0.05],
        "beta2_decay": [-0.8, -0.5],
        "eps": [(None, 1e-3), (1e-2, 1e-1)],
        "d": [1.0, 2.0],
        **_SWITCHES,
    },
}

# Those that PyTorch does not have.
OWN_ARGUMENTS = {
    "Lion": {"lr": [0.01], "betas": [(0.9, 0.99), (0.5, 0.8)], **_SWITCHES},
    "AdaBelief": {
        "lr": [0.01],
        "betas": [(0.8, 0.95)],
        "eps": [1e-3],
        "decoupled_weight_decay": [False, True],
        **_SWITCHES,
    },
    "Yogi": {
        "lr": [0.01],
        "betas": [(0.8, 0.95)],
        "initial_accumulator_value": [1e-6, 0.5],
        "bias_correction": [False, True],
        **_SWITCHES,
    },
    "LAMB": {
        "lr": [0.01],
        "betas": [(0.8, 0.95)],
        "bias_correction": [False, True],
        "max_trust": [None, 0.5],
        **_SWITCHES,
    },
    "LARS": {
        "lr": [1.0],
        "momentum": [0, 0.9],
        "dampening": [0, 0.5],
        "nesterov": [False, True],
        "rate_inside": [False, True],
        **_SWITCHES,
    },
    "ScheduleFreeSGD": {
        "lr": [0.02],
        "momentum": [0.9, 0.5],
        "warmup_steps": [0, 10],
        "r": [0.0, 1.0],
        "weight_lr_power": [2.0, 0.0],
        **_SWITCHES,
    },
    "ScheduleFreeAdamW": {
        "lr": [0.02],
        "betas": [(0.9, 0.95), (0.5, 0.9)],
        "eps": [1e-3],
        "warmup_steps": [0, 10],
        "r": [0.0, 1.0],
        **_SWITCHES,
    },
    "Prodigy": {
        "d0": [1e-3],
        "betas": [(0.8, 0.95)],
        "beta3": [None, 0.9],
        "decouple": [False, True],
        "use_bias_correction": [False, True],
        "safeguard_warmup": [False, True],
        "growth_rate": [float("inf"), 1.02],
        **_SWITCHES,
    },
}


def _is_legal(name, options):
    return (
        name == "LARS"
        or not options.get("nesterov")
        or (options["momentum"] > 0 and options["dampening"] == 0)
    )


def _text(name, options):
    return f"{name}({', '.join(f'{key}={value}' for key, value in options.items())})"


def combinations(table):
    """Give (name, options) for every combination of arguments."""
    for name, arguments in table.items():
        for values in itertools.product(*arguments.values()):
            options = dict(zip(arguments, values, strict=True))
            if _is_legal(name, options):
                yield name, options


EVERY = list(combinations(ARGUMENTS))
EVERY_ID = [_text(*each) for each in EVERY]
OWN_EVERY = list(combinations(OWN_ARGUMENTS))
OWN_EVERY_ID = [_text(*each) for each in OWN_EVERY]

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
    ("ASGD", {"lr": 0.02, "t0": 2}),
    ("Rprop", {"lr": 0.01}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.02}),
    ("RAdam", {"lr": 0.02, "weight_decay": 0.1}),
    ("Adafactor", {"lr": 0.05, "weight_decay": 0.1}),
]
RICH_ID = [_text(*each) for each in RICH]

OWN_RICH = [
    ("Lion", {"lr": 0.01, "weight_decay": 0.1}),
    ("AdaBelief", {"lr": 0.01}),
    ("Yogi", {"lr": 0.01, "weight_decay": 0.1}),
    ("LAMB", {"lr": 0.01, "weight_decay": 0.1}),
    ("LARS", {"lr": 1.0, "weight_decay": 0.1}),
    ("ScheduleFreeSGD", {"lr": 0.02, "warmup_steps": 3}),
    ("ScheduleFreeAdamW", {"lr": 0.02, "weight_decay": 0.1}),
    ("Prodigy", {"d0": 1e-3, "weight_decay": 0.1}),
    ("SparseAdam", {"lr": 0.02}),
]
OWN_RICH_ID = [_text(*each) for each in OWN_RICH]

# Those whose parameters move apart from one another, element by element.
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
