"""The clouds over plain gradient descent, each measured beside what theory says of it."""

from __future__ import annotations

import argparse
import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any

from microtensor import lab
from microtensor.lab import clouds, script
from microtensor.lab.interruption import INTERRUPTED

CLOUDS: dict[str, Callable[..., lab.Result]] = {
    "speed": clouds.speed,
    "accuracy": clouds.accuracy,
    "gradient_noise": clouds.gradient_noise,
    "saddle": clouds.saddle,
    "deep_saddle": clouds.deep_saddle,
    "rate_too_small": clouds.rate_too_small,
    "rate_too_large": clouds.rate_too_large,
    "sharpness_in_training": clouds.sharpness_in_training,
    "rate_suggested": clouds.rate_suggested,
    "ravine": clouds.ravine,
    "rippled_ravine": clouds.rippled_ravine,
    "rare_parameters": clouds.rare_parameters,
}


def _run(name: str, arguments: argparse.Namespace, _: Any) -> lab.Result:
    cloud = CLOUDS[name]
    # Some clouds follow from arithmetic alone, and take no seed; some are quick anyway.
    taken = inspect.signature(cloud).parameters
    given = {"quick": arguments.quick, "seed": arguments.seed}
    return cloud(command=script.command(), **{k: v for k, v in given.items() if k in taken})


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Measure what goes wrong with plain gradient descent: steps that cost a pass over all "
        "rows, the noise of few rows, saddles, learning rates too small and too large, ravines, "
        "and weights that are rarely asked."
    )
    script.add_chance(parser)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(CLOUDS),
        metavar="NAME",
        default=list(CLOUDS),
        help=f"some of {', '.join(CLOUDS)} (default: all)",
    )
    arguments = parser.parse_args()
    worst = 0
    for name in dict.fromkeys(arguments.only):
        status = script.run(
            arguments,
            name,
            functools.partial(_run, name, arguments),
        )
        if status in (script.REFUSED, INTERRUPTED):
            return status
        worst = max(worst, status)
    return worst


if __name__ == "__main__":
    sys.exit(main())
