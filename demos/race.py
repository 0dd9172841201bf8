"""Optimizers race over a function of two variables, each at the rate that suits it best."""

from __future__ import annotations

import sys

from microtensor import lab
from microtensor.lab import script
from microtensor.lab.optimizers import BEYOND


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Race optimizers over a surface: rates tuned under one budget from starts nearby, shown "
        "from an unseen one; stills, a moving picture, and who arrives when."
    )
    surfaces, known = lab.surface_names(), [*lab.OPTIMIZERS, *BEYOND]
    parser.add_argument(
        "--surface", choices=surfaces, metavar="NAME", default="beale",
        help=f"one of {', '.join(surfaces)} (default: beale)",
    )  # fmt: skip
    parser.add_argument(
        "--optimizers", nargs="+", choices=known, metavar="NAME", default=list(lab.RACERS),
        help=f"some of {', '.join(known)} (default: {', '.join(lab.RACERS)})",
    )  # fmt: skip
    parser.add_argument(
        "--steps", type=script.positive, metavar="N", default=300, help="of each (default: 300)"
    )
    parser.add_argument(
        "--seed", type=script.natural, default=0, metavar="N",
        help="decides the other starts, and batches (default: 0)",
    )  # fmt: skip
    parser.add_argument("--gif", action="store_true", help="write a moving picture as well")
    arguments = parser.parse_args()
    return script.run(
        arguments,
        f"{len(arguments.optimizers)} optimizers, {arguments.steps} steps, "
        f"{len(lab.RACE_RATES)} rates from {lab.RACE_RATES[0]:g} to {lab.RACE_RATES[-1]:g}, "
        "16 starts of tuning, 16 unseen; float64",
        lambda _: lab.race(
            arguments.surface,
            arguments.optimizers,
            steps=arguments.steps,
            seed=arguments.seed,
            command=script.command(),
        ),
        gif=arguments.gif,
    )


if __name__ == "__main__":
    sys.exit(main())
