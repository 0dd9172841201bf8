"""After rates too small and too large: one that is suggested before training."""

from __future__ import annotations

import microtensor as mt
from microtensor.lab.data import as_dataset, parts
from microtensor.lab.lr_find import RateSearch, lr_find
from microtensor.lab.seeds import seed_for
from microtensor.lab.train import mean_loss, network


def rate_suggested(
    *, hidden: int = 32, high: float = 100.0, quick: bool = False, seed: int = 0, command: str = ""
) -> RateSearch:
    """Let :func:`microtensor.lab.lr_find` suggest a rate for a small network on digits.

    Args:
        hidden: width of the one hidden layer, with ReLU.
        high: the rate at which the range test ends; if it is too low the suggestion is, too.
        quick: whether 60 steps will do instead of 100.
        seed: decides everything that is drawn.
        command: what repeats it, for the verdict.

    Example:
        >>> rate_suggested(quick=True).verdict.status
        'holds'
    """
    data = as_dataset("digits", seed)
    training = parts(data, seed, seed_for(seed, "rate"))[0]
    model = network([data.x.shape[1], hidden, data.outputs], "relu", seed_for(seed, "weights"),
                    orthogonal=False, dtype=mt.float32)  # fmt: skip
    steps = 60 if quick else 100
    return lr_find(model, mean_loss, (training.x, training.y), high=high, steps=steps, seed=seed,
                   command=command)  # fmt: skip
