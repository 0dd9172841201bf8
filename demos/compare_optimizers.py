"""Optimizers under one budget: tuned alike on eight tasks, then run on fresh seeds."""

from __future__ import annotations

import sys
from pathlib import Path

from microtensor import lab
from microtensor.lab import script
from microtensor.lab.optimizers import BEYOND, COMPARED
from microtensor.lab.problems import FUNCTIONS


def main() -> int:
    """Run the demo; see ``--help``."""
    parser = script.parser(
        "Compare optimizers fairly: each tuned with the same number of runs on validation data, "
        "then run on fresh seeds, with the same splits, initial weights and batches for all. "
        "Stopped and started again, it goes on where it was.",
        [name for name in lab.TASKS if name not in FUNCTIONS],
        [*lab.DATASETS, *lab.REGRESSIONS],
    )
    parser.add_argument(
        "--functions",
        nargs="+",
        choices=list(FUNCTIONS),
        metavar="NAME",
        help=f"some of {', '.join(FUNCTIONS)} (default: all, or none if data are named)",
    )
    known = [*lab.OPTIMIZERS, *BEYOND]
    parser.add_argument(
        "--optimizers",
        nargs="+",
        choices=known,
        metavar="NAME",
        default=list(COMPARED),
        help=f"some of {', '.join(known)} (default: {', '.join(COMPARED)})",
    )
    parser.add_argument(
        "--results",
        metavar="FILE",
        help="finished runs, a line each, which are not done again "
        "(default: compare_optimizers.jsonl in the folder)",
    )
    arguments = parser.parse_args()
    budget = lab.Budget.quick() if arguments.quick else lab.Budget()
    named = arguments.datasets or arguments.data
    functions = arguments.functions or ([] if named else list(FUNCTIONS))
    results = arguments.results or str(Path(arguments.out) / "compare_optimizers.jsonl")
    return script.run(
        arguments,
        f"functions: {', '.join(functions) or 'none'}\n{budget}\nFinished runs:\n  {results}",
        lambda datasets: lab.compare(
            [*datasets, *functions],
            arguments.optimizers,
            budget,
            seed=arguments.seed,
            results=results,
            jobs=arguments.jobs,
            progress=True,
            command=script.command(),
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
