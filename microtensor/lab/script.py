"""What the demos have in common: their arguments, and how they start, report and stop."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence

from microtensor.lab.catalogue import activation_names
from microtensor.lab.data import DATASETS, Dataset, as_datasets, load_csv
from microtensor.lab.environment import backend
from microtensor.lab.interruption import INTERRUPTED, ends_of_ctrl_c
from microtensor.lab.result import Result, check_folder

# The exit status for what cannot be done: argparse's own for wrong arguments.
REFUSED = 2
# With --strict, for claims that the run refutes.
REFUTED = 1
_STATUSES = (
    "Exit status: 0 if the work was done, whatever its verdicts say; 1 with --strict, if one of "
    "them fails; 2 for what cannot be done; 130 after Ctrl-C."
)
# What is said after Ctrl-C.
_INTERRUPTED = "\ninterrupted: no file was left half-written"


def parser(
    description: str, datasets: Sequence[str] = (), known: Sequence[str] = tuple(DATASETS)
) -> argparse.ArgumentParser:
    """Return the arguments that demos take: a folder, and what an experiment on data needs.

    Args:
        description: the demo in a sentence or two.
        datasets: names of those it uses when none are given; without any it needs no data, and
            draws nothing.
        known: names of all it can be given.
    """
    made = argparse.ArgumentParser(description=description, epilog=_STATUSES)
    made.add_argument(
        "--strict", action="store_true", help="exit status 1 if a verdict says that a claim fails"
    )
    made.add_argument(
        "--out", default="out", metavar="FOLDER", help="where pictures and tables go (default: out)"
    )
    if not datasets:
        return made
    made.set_defaults(usual=tuple(datasets))
    add_chance(made)
    made.add_argument(
        "--datasets",
        nargs="+",
        choices=list(known),
        metavar="NAME",
        default=[],
        help=f"some of {', '.join(known)} (default: {', '.join(datasets)})",
    )
    made.add_argument(
        "--data",
        nargs="+",
        metavar="FILE",
        default=[],
        help="CSV files of your own: columns of numbers, the class in the last; "
        "without --datasets, these alone",
    )
    made.add_argument(
        "--jobs", type=positive, metavar="N", help="processes (default: one per core)"
    )
    return made


def add_chance(made: argparse.ArgumentParser) -> None:
    """Add the arguments of what draws by lot and takes a while: a seed, and a smaller run."""
    made.add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="decides everything that is drawn (default: 0)",
    )
    made.add_argument("--quick", action="store_true", help="a smaller run of a few seconds")


def add_only(made: argparse.ArgumentParser, usual: str, names: Sequence[str] | None = None) -> None:
    """Add the argument that names activations.

    Args:
        made: what :func:`parser` returned.
        usual: what is taken without it, in words.
        names: the legal ones; by default of all that act on each number alone.
    """
    names = activation_names() if names is None else names
    made.add_argument(
        "--only",
        nargs="+",
        choices=names,
        metavar="NAME",
        help=f"activations, some of {', '.join(names)} (default: {usual})",
    )


def run(
    arguments: argparse.Namespace,
    settings: str,
    experiment: Callable[[list[Dataset]], Result],
    *,
    gif: bool = False,
) -> int:
    """Run an experiment as a script does, and return the exit status.

    Data and output folder are checked before the work. What is wrong with them is said in one
    line on standard error; so is Ctrl-C, which leaves no file half-written and ends the process
    within seconds.

    Args:
        arguments: what :func:`parser` parsed.
        settings: what is done, printed before the work; the same on every machine.
        experiment: the work, on the data sets that were asked for; none if it needs none.
        gif: whether moving pictures are saved as well.
    """
    try:
        with ends_of_ctrl_c(_INTERRUPTED):
            return _run(arguments, settings, experiment, gif)
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr, flush=True)
        return INTERRUPTED
    except (OSError, ImportError) as error:
        return refused(error)


def _run(
    arguments: argparse.Namespace,
    settings: str,
    experiment: Callable[[list[Dataset]], Result],
    gif: bool,
) -> int:
    try:
        folder = check_folder(arguments.out)
        datasets = _datasets(arguments)
    except (ValueError, TypeError) as error:
        return refused(error)
    print(backend())
    if datasets:
        named = ", ".join(f"{one.name} {one.x.shape}" for one in datasets)
        print(f"data: {named}; seed {arguments.seed}")
    print(f"{settings}\n", flush=True)
    result = experiment(datasets)
    print(f"{result}\n", flush=True)
    saved = result.save(folder, gif=gif)
    if result.seconds:
        print("Time, which differs from run to run:")
    for what, seconds in result.seconds.items():
        print(f"  {what}: {seconds:.1f}")
    print("Saved:", *(f"  {path}" for path in saved), sep="\n")
    refuted = any(verdict.status == "fails" for verdict in result.verdicts)
    return REFUTED if arguments.strict and refuted else 0


def _datasets(arguments: argparse.Namespace) -> list[Dataset]:
    if "datasets" not in arguments:
        return []
    names = arguments.datasets or ([] if arguments.data else arguments.usual)
    given = [*dict.fromkeys(names), *map(load_csv, arguments.data)]
    return as_datasets(given, arguments.seed)


def refused(error: Exception) -> int:
    """Say in one line on standard error what cannot be done, and return the exit status."""
    print(f"error: {error}", file=sys.stderr)
    return REFUSED


def command() -> str:
    """Return the command that this script was started with."""
    return shlex.join(["python", *sys.argv])


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None


def natural(text: str) -> int:
    """Read a whole number of at least 0 from the command line."""
    number = _integer(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must not be negative, got {number}")
    return number


def positive(text: str) -> int:
    """Read a whole number of at least 1 from the command line."""
    number = _integer(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number
