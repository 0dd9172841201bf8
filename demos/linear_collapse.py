"""Depth without activations adds nothing: the proof by folding, by training, and by picture."""

from __future__ import annotations

import sys

from microtensor import lab
from microtensor.lab import script


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Fold deep networks without activations into one A·x + b, compare what they learn with "
        "logistic regression, and see what ReLU and tanh change.",
        ("moons", "circles", "digits"),
    )
    arguments = parser.parse_args()
    plan = lab.Plan.quick() if arguments.quick else lab.Plan()
    return script.run(
        arguments,
        str(plan),
        lambda datasets: lab.linear_collapse(
            datasets,
            plan=plan,
            seed=arguments.seed,
            jobs=arguments.jobs,
            progress=True,
            command=script.command(),
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
