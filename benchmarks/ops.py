"""Time single operations, large and small, and the memory of a training step, beside PyTorch.

python benchmarks/ops.py --threads both --output benchmarks/RESULTS.md
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable
from typing import Any

import common
import numpy as np
import peers
from common import Child, Progress, Repeat

LIBRARIES = ["microtensor", "torch"]
SIDES = {"1e6": 1000, "4e6": 2000}
# What to call with the library and one or two square matrices.
LARGE: dict[str, Callable[..., Any]] = {
    "add": lambda m, a, b: a + b,
    "mul": lambda m, a, b: a * b,
    "div": lambda m, a, b: a / b,
    "add number": lambda m, a, b: a + 1.5,
    "add row": lambda m, a, b: a + b[0],
    "exp": lambda m, a, b: m.exp(a),
    "log": lambda m, a, b: m.log(a),
    "sqrt": lambda m, a, b: m.sqrt(a),
    "sum": lambda m, a, b: a.sum(),
    "sum, rows": lambda m, a, b: a.sum(1),
    "sum, columns": lambda m, a, b: a.sum(0),
    "mean": lambda m, a, b: a.mean(),
    "mean, rows": lambda m, a, b: a.mean(1),
    "mean, columns": lambda m, a, b: a.mean(0),
    "amax": lambda m, a, b: a.amax(),
    "amax, rows": lambda m, a, b: a.amax(1),
    "amax, columns": lambda m, a, b: a.amax(0),
    "var_mean": lambda m, a, b: m.var_mean(a),
    "var_mean, rows": lambda m, a, b: m.var_mean(a, 1, correction=0),
    "var_mean, columns": lambda m, a, b: m.var_mean(a, 0, correction=0),
    "softmax, rows": lambda m, a, b: m.softmax(a, 1),
    "softmax, columns": lambda m, a, b: m.softmax(a, 0),
    "log_softmax, rows": lambda m, a, b: m.log_softmax(a, 1),
    "log_softmax, columns": lambda m, a, b: m.log_softmax(a, 0),
}
SMALL: dict[str, Callable[..., Any]] = {
    "add": lambda m: m.add,
    "mul": lambda m: m.mul,
    "relu": lambda m: m.relu,
    "matmul": lambda m: m.matmul,
    "sum": lambda m: m.sum,
}
ONE_INPUT = ("relu", "sum")
LARGE_TARGET, SMALL_TARGET, MEMORY_TARGET = 1.1, 1.0, 1.0
MEMORY_CASE = "784-2048-2048-10@256"

REPORT = """## Operations

Large operations on float32 matrices of 1000×1000 and 2000×2000 through the public API under
`no_grad`, their results' allocation included; `rows` reduces along each row (the last dimension),
`columns` along each column. Target for each: at most {target:.2f} of torch's time. Each library in
its own process, peers in turn, the minimum over {rounds} rounds.

{machine}

{large}

### Small operations

On 16×16 float32 tensors that require a gradient, the graph recorded. Target: at most torch's time.

{small}

### Memory

The peak of resident memory during a training step (zero_grad, forward, cross-entropy, backward,
Adam) of the network {case}, beyond what was resident after importing the library: parameters,
gradients, Adam's states and what the step itself needs. Target: at most torch's.

{memory}

What each ran on:

{ran}
"""


def open_peer(
    peer: str, threads: int
) -> tuple[object, Callable[[str], tuple[Repeat | None, object]]]:
    """In the child: import the library; return what it is and how to prepare a measurement."""
    library = importlib.import_module(peer)
    library.set_num_threads(threads)
    description, build = peers.PEERS[peer](threads)
    resident = memory("VmRSS")
    generator = np.random.default_rng(0)

    def matrix(side: int) -> Any:
        return generator.uniform(0.1, 3.0, (side, side)).astype(np.float32)

    def prepare(name: str) -> tuple[Repeat | None, object]:
        kind, _, operation = name.partition(" ")
        if kind == "memory":
            return None, peak_of_a_step(build, resident)
        if kind == "small":
            return small(library, operation, [matrix(16), matrix(16)]), None
        inputs = [library.tensor(matrix(SIDES[kind])) for _ in range(2)]
        function = LARGE[operation]

        def repeat(n: int) -> None:
            for _ in range(n):
                function(library, *inputs)

        return library.no_grad()(repeat), None

    return description, prepare


def small(library: Any, operation: str, arrays: list[Any]) -> Repeat:
    """Return a loop of one operation on tensors that require a gradient."""
    a, b = (library.tensor(array, requires_grad=True) for array in arrays)
    function = SMALL[operation](library)
    if operation in ONE_INPUT:

        def repeat(n: int) -> None:
            for _ in range(n):
                function(a)
    else:

        def repeat(n: int) -> None:
            for _ in range(n):
                function(a, b)

    return repeat


def memory(field: str) -> int:
    """Return a figure of this process's memory as Linux keeps it, in bytes: VmRSS or VmHWM."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"the system gives no {field}")


def peak_of_a_step(build: Any, before: int) -> int:
    """Return the bytes that steps of the network need at their peak."""
    step = build(MEMORY_CASE, peers.LEARNING_RATE)
    step(2)  # makes Adam's states
    gc.collect()
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")  # the peak begins anew
    step(3)
    return memory("VmHWM") - before


def timed(children: list[Child], names: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Return the seconds of each measurement by library, the minimum over rounds in turn."""
    progress = Progress(len(names) * rounds, "operations")
    best = {}
    for name in names:
        common.build(children, name)
        times = []
        for _ in range(rounds):
            times.append(common.turn(children))
            progress.step(name)
        best[name] = common.minima(times)
    progress.close()
    return best


def large_table(found: dict[int, dict[str, dict[str, float]]], operations: list[str]) -> str:
    """Return the ratios of large operations: a row each, a column per size and thread count."""
    columns = [(threads, size) for threads in found for size in SIDES]
    header = ["operation", *(f"{size}, {count(threads)}" for threads, size in columns)]
    rows = [
        [op, *(common.ratio(found[t][f"{size} {op}"], *LIBRARIES) for t, size in columns)]
        for op in operations
    ]
    return common.table(header, rows)


def count(threads: int) -> str:
    """Name a number of threads."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def small_table(best: dict[str, dict[str, float]]) -> str:
    """Return the ratios of small operations, and their microseconds."""
    return common.table(
        ["operation", "microtensor / torch", *(f"{x}, µs" for x in LIBRARIES)],
        [
            [
                name.partition(" ")[2],
                common.ratio(times, *LIBRARIES),
                *(f"{times[x] * 1e6:.2f}" if x in times else "-" for x in LIBRARIES),
            ]
            for name, times in best.items()
        ],
    )


def memory_table(children: list[Child]) -> str:
    """Return the peaks of memory, each from a process that has done little else."""
    try:
        peaks = common.build(children, "memory")
    except common.ChildError as error:
        return f"Not measured: {error}"
    row = [
        common.ratio(peaks, *LIBRARIES),
        *(f"{peaks[x] / 1e6:.0f}" if x in peaks else "-" for x in LIBRARIES),
    ]
    return common.table(["microtensor / torch", *(f"{x}, MB" for x in LIBRARIES)], [row])


def main() -> None:
    """Parse the command line, run, print, and write the section."""
    parser = common.arguments(__doc__.splitlines()[0], rounds=12)
    parser.add_argument("--threads", choices=["1", "all", "both"], default="both")
    parser.add_argument("--operations", nargs="+", choices=list(LARGE), default=list(LARGE))
    options = parser.parse_args()

    machine = common.machine(["microtensor", "numpy", "torch"])
    large, small_found, peaks = {}, {}, ""
    names = [f"{size} {op}" for size in SIDES for op in options.operations]
    for threads in common.thread_counts(options.threads):
        children, described = common.start(__file__, LIBRARIES, threads)
        if not peaks:
            peaks = memory_table(children)
            small_found = timed(children, [f"small {op}" for op in SMALL], options.rounds)
        large[threads] = timed(children, names, options.rounds)
        for child in children:
            child.close()

    report = REPORT.format(
        target=LARGE_TARGET,
        rounds=options.rounds,
        machine=machine,
        large=large_table(large, options.operations),
        small=small_table(small_found),
        case=MEMORY_CASE,
        memory=peaks,
        ran="\n".join(f"- {peer}: {text}" for peer, text in described.items()),
    )
    print(report)
    if options.output:
        common.write_section(options.output, "ops", report)


if __name__ == "__main__":
    common.run(main, open_peer)
