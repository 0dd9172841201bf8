"""What activations do to deep networks: gradient and signal before training, accuracy after."""

from __future__ import annotations

import dataclasses
import sys

from microtensor import lab
from microtensor.lab import script


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Measure gradient and signal in deep networks before training, and what they reach after "
        "it, each activation and depth at the learning rate that suits it best.",
        ("digits",),
    )
    script.add_only(parser, f"all; with --quick {', '.join(lab.DepthPlan.familiar())}")
    parser.add_argument(
        "--depths",
        nargs="+",
        type=script.positive,
        metavar="N",
        help="numbers of hidden layers, 1 to 200 (default: 2 5 10 20 50; with --quick 2 10 50)",
    )
    arguments = parser.parse_args()
    plan = lab.DepthPlan.quick() if arguments.quick else lab.DepthPlan()
    if arguments.depths:
        try:
            plan = dataclasses.replace(plan, depths=tuple(sorted(set(arguments.depths))))
        except ValueError as error:
            parser.error(f"argument --depths: {error}")
    if len(arguments.datasets) + len(arguments.data) > 1:
        parser.error("one data set at a time: give one name or one file")
    names = arguments.only or (lab.DepthPlan.familiar() if arguments.quick else None)
    return script.run(
        arguments,
        str(plan),
        lambda datasets: lab.activation_depth(
            names,
            datasets[0],
            plan=plan,
            seed=arguments.seed,
            jobs=arguments.jobs,
            progress=True,
            command=script.command(),
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
