"""The clouds over plain gradient descent, each measured beside what theory says of it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from microtensor import lab
from microtensor.lab import clouds, script
from microtensor.lab.interruption import INTERRUPTED

CLOUDS: dict[str, Callable[..., lab.Result]] = {
    "saddle": clouds.saddle,
    "deep_saddle": clouds.deep_saddle,
    "rate_too_small": clouds.rate_too_small,
    "rate_too_large": clouds.rate_too_large,
    "sharpness_in_training": clouds.sharpness_in_training,
    "ravine": clouds.ravine,
    "rippled_ravine": lambda quick, command: clouds.rippled_ravine(command=command),
}


def _run(name: str, quick: bool, _: Any) -> lab.Result:
    return CLOUDS[name](quick=quick, command=script.command())


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Measure what goes wrong with plain gradient descent: saddles, learning rates too small "
        "and too large, ravines. What is drawn by chance is drawn from seed 0."
    )
    parser.add_argument("--quick", action="store_true", help="smaller runs of a few seconds")
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
            functools.partial(_run, name, arguments.quick),
        )
        if status in (script.REFUSED, INTERRUPTED):
            return status
        worst = max(worst, status)
    return worst


if __name__ == "__main__":
    sys.exit(main())
