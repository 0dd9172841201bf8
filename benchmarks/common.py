"""What the benchmarks share: children driven in turn, the machine's description, RESULTS.md.

Each library runs in a child process of its own, started with a clean environment and kept alive;
the parent asks one child at a time to run a block of repetitions, peer after peer, round after
round, and keeps each peer's minimum. So no library's threads or memory disturb another's, and a
slow spell of the machine hits all of them alike.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# Variables that choose a library's code path or threads: each library is to choose its own.
PIN_PREFIXES = (
    "ATEN_", "BLIS_", "DNNL_", "GLIBC_TUNABLES", "GOMP_", "GOTO_", "JAX_", "KMP_", "MALLOC_",
    "MICROTENSOR_ISA", "MKL_", "NPY_", "OMP_", "ONEDNN_", "TORCH_", "XLA_",
)  # fmt: skip
PIN_PARTS = ("BLAS",)

# A turn is long against the pipe; it consists of blocks that are long against the clock and short
# against the time slice of whatever else runs on the machine, and the fastest counts.
TURN_SECONDS = 0.03
BLOCK_SECONDS = 0.003


def clean_environment(threads: int) -> dict[str, str]:
    """Return this process's environment without pins, with every library set to `threads`."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PIN_PREFIXES) and not any(part in name for part in PIN_PARTS)
    }
    # A machine that never writes bytecode would time the compiler instead of the import.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = str(threads)
    environment["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return environment


def available_cores() -> list[int]:
    """Return the numbers of the processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def thread_counts(choice: str) -> list[int]:
    """Turn `--threads 1|all|both` into thread counts; one count on a machine with one core."""
    counts = {"1": [1], "all": [len(available_cores())], "both": [1, len(available_cores())]}
    return sorted(set(counts[choice]))


# --- the parent's side of a child ---------------------------------------------------------------


class ChildError(RuntimeError):
    """What a child reported instead of an answer."""


class Child:
    """One library in one process: `script --child peer threads`, asked through a pipe."""

    def __init__(self, script: str, peer: str, threads: int) -> None:
        self.peer = peer
        self.process = subprocess.Popen(
            [sys.executable, script, "--child", peer, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(threads),
        )

    def ask(self, question: str, name: str = "") -> Any:
        """Send a question ("describe", "build" or "run") and wait for its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"question": question, "name": name}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the empty answer below says that the child has ended
        line = self.process.stdout.readline()
        if not line:
            raise ChildError(f"{self.peer}: ended with code {self.process.wait()}")
        reply = json.loads(line)
        if "error" in reply:
            raise ChildError(f"{self.peer}: {reply['error']}")
        return reply["answer"]

    def close(self) -> None:
        """End the process; it leaves when its input does."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def start(script: str, peers: Sequence[str], threads: int) -> tuple[list[Child], dict[str, Any]]:
    """Start a child per peer; return those that could import their library, and what they are.

    The others are named on standard error with the reason and left out.

    Raises:
        SystemExit: microtensor, which all this is about, is asked for and does not import.
    """
    children, described = [], {}
    for peer in peers:
        child = Child(script, peer, threads)
        try:
            described[peer] = child.ask("describe")
        except ChildError as error:
            child.close()
            if peer == "microtensor":
                for other in children:
                    other.close()
                raise SystemExit(f"{error}; `make bench` installs what is needed") from None
            say(f"skipped {error}")
        else:
            children.append(child)
    return children, described


def build(children: Sequence[Child], name: str) -> dict[str, Any]:
    """Build case `name` in every child; return what each found when it checked its work."""
    return {child.peer: child.ask("build", name) for child in children}


def turn(children: Sequence[Child]) -> dict[str, float]:
    """Run one block in each child, one after the other; return seconds a repetition by peer."""
    return {child.peer: child.ask("run") for child in children}


def minima(rounds: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return each peer's smallest time over the rounds."""
    best: dict[str, float] = {}
    for times in rounds:
        for peer, seconds in times.items():
            best[peer] = min(seconds, best.get(peer, math.inf))
    return best


def ratio(seconds: Mapping[str, float], numerator: str, denominator: str) -> str:
    """Return one peer's time over another's, or "-" if one of them did not run."""
    if numerator in seconds and denominator in seconds:
        return f"{seconds[numerator] / seconds[denominator]:.2f}"
    return "-"


# --- the child's side ---------------------------------------------------------------------------

Repeat = Callable[[int], object]
Prepare = Callable[[str], tuple[Repeat | None, object]]
Open = Callable[[str, int], tuple[object, Prepare]]


def serve(open_peer: Open, peer: str, threads: int) -> None:
    """Answer the parent's questions until its end of the pipe closes.

    `open_peer(peer, threads)` imports the library and returns its description and a function that
    takes the name of a case and returns `repeat`, where `repeat(n)` does the work n times (or None
    if there is nothing to repeat), and whatever the parent may want to know of it.
    """
    # Libraries may print; the pipe is for answers alone.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    if threads == 1 and hasattr(os, "sched_setaffinity"):
        # JAX knows no thread count but the number of processors it may use; so all share one.
        os.sched_setaffinity(0, {available_cores()[-1]})
    description, prepare, repeat, count = None, None, None, 1
    for line in sys.stdin:
        request = json.loads(line)
        answer: object = None
        try:
            if prepare is None:
                description, prepare = open_peer(peer, threads)
            if request["question"] == "describe":
                answer = description
            elif request["question"] == "build":
                repeat = None  # the last case's memory goes before the next one's comes
                repeat, answer = prepare(request["name"])
                count = calibrate(repeat) if repeat else 0
            elif repeat is not None:
                answer = turn_of(repeat, count)
        except Exception as error:
            answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        else:
            answers.write(json.dumps({"answer": answer}) + "\n")


def turn_of(repeat: Repeat, count: int) -> float:
    """Return the seconds a repetition takes in the fastest block of `count` within a turn."""
    repeat(max(1, count // 4))  # brings the case back into the caches
    best = math.inf
    end = time.perf_counter() + TURN_SECONDS
    while True:
        begin = time.perf_counter()
        repeat(count)
        now = time.perf_counter()
        best = min(best, now - begin)
        if now >= end:
            return best / count


def calibrate(repeat: Repeat) -> int:
    """Return how many repetitions fill a block; `repeat.block_seconds` asks for a longer one."""
    wanted = getattr(repeat, "block_seconds", BLOCK_SECONDS)
    repeat(1)
    count = 1
    while True:
        seconds = turn_of(repeat, count) * count
        if seconds >= wanted / 2:
            return max(1, round(count * wanted / seconds))
        count *= 4


# --- reports ------------------------------------------------------------------------------------


def say(text: str = "") -> None:
    """Write a line to standard error."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """A bar on standard error: tqdm's where it is installed, else a counter on one line."""

    def __init__(self, total: int, label: str) -> None:
        self.total, self.done, self.label, self.bar = total, 0, label, None
        try:
            from tqdm import tqdm
        except ImportError:
            return
        self.bar = tqdm(total=total, desc=label, file=sys.stderr, leave=False)

    def step(self, label: str = "") -> None:
        """Count one unit of work."""
        self.done += 1
        if self.bar is not None:
            self.bar.set_description(label or self.label, refresh=False)
            self.bar.update()
        elif sys.stderr.isatty():
            print(f"\r{label or self.label} {self.done}/{self.total} ", end="", file=sys.stderr)

    def close(self) -> None:
        """End the bar's line."""
        if self.bar is not None:
            self.bar.close()
        elif sys.stderr.isatty():
            say()


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are aligned, so that it reads as plain text too."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        first, *rest = [
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join([first, *rest]) + " |"

    rule = "|" + "|".join(
        "-" * (width + 2) if i == 0 else "-" * (width + 1) + ":" for i, width in enumerate(widths)
    )
    return "\n".join([line(cells[0]), rule + "|", *(line(row) for row in cells[1:])])


def _own_version(package: str) -> str:
    """Return the version of a package that was imported from a folder, not installed."""
    try:
        return str(importlib.import_module(package).__version__)
    except ImportError:
        return "absent"


def machine(packages: Sequence[str]) -> str:
    """Return one paragraph: processor, cores, load, system, Python, versions of `packages`, date.

    To be called before anything is measured: what else runs is part of the result.
    """
    cores = len(available_cores())
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    if load > cores / 2:
        say(f"load {load:.1f} on {cores} cores: other programs run, do not trust these numbers")
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} {_own_version(package)}")
    return (
        f"Machine: {processor()}, {cores} cores, load {load:.1f} at the start, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}; "
        f"{', '.join(versions)}; {datetime.date.today().isoformat()}."
    )


def processor() -> str:
    """Return the processor's name as its maker writes it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


RESULTS_HEADER = """# Results

Each section is written by one benchmark (`python benchmarks/<name>.py --output
benchmarks/RESULTS.md`, or `make bench` for all), with the machine it ran on. Times differ from
machine to machine and from hour to hour; ratios taken in turn in the same run differ much less, so
ratios stand here. A smaller ratio is a faster microtensor.
"""


def write_section(path: Path, name: str, text: str) -> None:
    """Put `text` between the marks of section `name` of a file, made if it is missing."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    old = path.read_text() if path.exists() else RESULTS_HEADER
    body = f"{begin}\n{text.strip()}\n{end}"
    if begin in old and end in old:
        head, _, rest = old.partition(begin)
        new = head + body + rest.partition(end)[2]
    else:
        new = old.rstrip("\n") + "\n\n" + body + "\n"
    path.write_text(new)
    say(f"wrote section '{name}' of {path}")


def arguments(description: str, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--rounds", type=positive, default=rounds, help=f"rounds to take the minimum of ({rounds})"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="also write the ratios into this Markdown file"
    )
    return parser


def positive(text: str) -> int:
    """Parse a whole number of at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def run(main: Callable[[], None], open_peer: Open) -> None:
    """Run a benchmark's `main`, or, when the parent started this process as a child, serve."""
    if sys.argv[1:2] == ["--child"]:
        serve(open_peer, sys.argv[2], int(sys.argv[3]))
    else:
        main()
