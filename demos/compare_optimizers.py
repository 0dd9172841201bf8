"""Optimizers on the same networks and batches, each at the learning rate that suits it best."""

from __future__ import annotations

import sys

from microtensor import lab
from microtensor.lab import script


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Compare optimizers fairly: learning rates tuned over the same grid on validation data, "
        "then fresh seeds, with the same splits, initial weights and batches for all.",
        ("moons", "digits", "breast_cancer"),
    )
    parser.add_argument(
        "--optimizers",
        nargs="+",
        choices=list(lab.OPTIMIZERS),
        metavar="NAME",
        default=list(lab.OPTIMIZERS),
        help=f"some of {', '.join(lab.OPTIMIZERS)} (default: all)",
    )
    arguments = parser.parse_args()
    budget = lab.Budget.quick() if arguments.quick else lab.Budget()
    return script.run(
        arguments,
        str(budget),
        lambda datasets: lab.compare(
            datasets,
            arguments.optimizers,
            budget,
            seed=arguments.seed,
            jobs=arguments.jobs,
            progress=True,
            command=script.command(),
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
