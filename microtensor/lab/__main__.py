"""The laboratory from the command line: ``python -m microtensor.lab report``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from microtensor.lab.chapters import CHAPTERS
from microtensor.lab.interruption import INTERRUPTED
from microtensor.lab.report import Interrupted, report
from microtensor.lab.script import REFUSED, natural, positive


def main(arguments: Sequence[str] | None = None, program: str = "python -m microtensor.lab") -> int:
    """Run a command; see ``--help``."""
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = commands.add_parser("report", help="run the experiments and write them as one HTML page")
    names = [chapter.name for chapter in CHAPTERS]
    made.add_argument(
        "--out", default="out", metavar="FOLDER", help="where report.html goes (default: out)"
    )
    made.add_argument("--quick", action="store_true", help="smaller runs, in a third of the time")
    made.add_argument(
        "--only", nargs="+", choices=names, metavar="CHAPTER", default=[],
        help=f"some of {', '.join(names)} (default: all)",
    )  # fmt: skip
    made.add_argument(
        "--seed", type=natural, default=0, metavar="N",
        help="decides everything that is drawn (default: 0)",
    )  # fmt: skip
    made.add_argument(
        "--jobs", type=positive, metavar="N", help="processes (default: one per core)"
    )
    given = parser.parse_args(arguments)
    try:
        path = report(
            given.out, only=given.only, quick=given.quick, seed=given.seed, jobs=given.jobs,
            progress=True,
        )  # fmt: skip
    except Interrupted as stopped:
        kept = f"; what is finished is in {stopped.path}" if stopped.path else ""
        print(f"\ninterrupted{kept}", file=sys.stderr)
        return INTERRUPTED
    except (OSError, ImportError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    print(path.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
