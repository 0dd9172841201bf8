"""Time what is not arithmetic: import, size on disk, long chains.

python benchmarks/engine.py --output benchmarks/RESULTS.md
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import peers
from common import Child, Progress, Repeat

CHAINS = [100_000, 1_000_000]
STAGES = ["forward", "backward", "delete", "delete unwalked"]
LIBRARIES = ["microtensor", "torch"]
IMPORT_LIMIT = 0.060
SIZE_LIMIT = 2_000_000

REPORT = """## Import, size and chains

Fresh interpreters for imports, the minimum over {rounds} rounds, and for chains one process on one
core for each library, the minimum over 2; peers in turn.

{machine}

{imports}

A chain `y = y + one` of 16-element tensors: growing it, walking it backward, deleting it
afterwards, and deleting one that was never walked. Linear time means the same time a node at both
lengths.

{chains}

What each ran on:

{ran}
"""


def open_peer(
    peer: str, threads: int
) -> tuple[object, Callable[[str], tuple[Repeat | None, object]]]:
    """In the child: import the library; return what it is and how to prepare a measurement."""
    library = importlib.import_module(peer)
    library.set_num_threads(threads)
    describe = peers.describe_torch if peer == "torch" else peers.describe_microtensor

    def prepare(name: str) -> tuple[Repeat | None, object]:
        return None, chain(library, int(name))

    return describe(), prepare


def chain(library: Any, length: int) -> dict[str, float]:
    """Return the seconds a node that a chain of additions takes in each stage of its life."""
    leaf = library.ones(16, requires_grad=True)
    one = library.ones(16)

    def grow() -> Any:
        y = leaf
        for _ in range(length):
            y = y + one
        return y

    grow_and_drop = grow()
    begin = time.perf_counter()
    del grow_and_drop
    unwalked = time.perf_counter() - begin

    begin = time.perf_counter()
    y = grow()
    forward = time.perf_counter() - begin
    seed = library.ones(16)
    begin = time.perf_counter()
    y.backward(seed)
    backward = time.perf_counter() - begin
    begin = time.perf_counter()
    del y
    delete = time.perf_counter() - begin
    assert float(leaf.grad.sum()) == 16.0
    return {
        stage: seconds / length
        for stage, seconds in zip(STAGES, (forward, backward, delete, unwalked), strict=True)
    }


def import_seconds(module: str) -> float:
    """Return the seconds a fresh interpreter takes to import a module."""
    code = f"import time; b = time.perf_counter(); import {module}; print(time.perf_counter() - b)"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env=common.clean_environment(1),
    )  # fmt: skip
    return float(answer.stdout)


def installed_bytes(module: str) -> tuple[int, int]:
    """Return the bytes of a package's files, without and with compiled Python bytecode."""
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    files = [path for path in Path(spec.origin).parent.rglob("*") if path.is_file()]
    sizes = {path: path.stat().st_size for path in files}
    source = sum(size for path, size in sizes.items() if path.suffix != ".pyc")
    return source, sum(sizes.values())


def imports_report(rounds: int, libraries: list[str]) -> str:
    """Time imports in turn; return their table and the sizes."""
    modules = ["numpy", *libraries]
    for module in modules:
        import_seconds(module)  # writes bytecode and warms the file cache
    progress = Progress(rounds, "imports")
    times = []
    for _ in range(rounds):
        times.append({module: import_seconds(module) for module in modules})
        progress.step()
    progress.close()
    best = common.minima(times)
    rows = [
        [module, f"{(seconds - best['numpy']) * 1e3:.0f}", f"{seconds / best['numpy']:.2f}"]
        for module, seconds in best.items()
    ]
    text = common.table(["import", "ms beyond numpy", "/ numpy"], rows)
    source, everything = installed_bytes("microtensor")
    return (
        f"{text}\n\nTarget: microtensor at most {IMPORT_LIMIT * 1e3:.0f} ms beyond numpy.\n\n"
        f"Size of the package: {source / 1e6:.2f} MB, {everything / 1e6:.2f} MB with its bytecode; "
        f"target: under {SIZE_LIMIT / 1e6:.0f} MB."
    )


def chains_report(children: list[Child], rounds: int) -> str:
    """Grow, walk and delete long chains in turn; return the table of times a node."""
    progress = Progress(len(CHAINS) * rounds, "chains")
    rows = []
    for length in CHAINS:
        best: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for peer, stages in common.build(children, str(length)).items():
                best[peer] = common.minima([stages, best.get(peer, stages)])
            progress.step()
        for stage in STAGES:
            seconds = {peer: stages[stage] for peer, stages in best.items()}
            rows.append(
                [
                    f"{length:,} nodes, {stage}",
                    common.ratio(seconds, *LIBRARIES),
                    *(f"{seconds[x] * 1e6:.2f}" if x in seconds else "-" for x in LIBRARIES),
                ]
            )
    progress.close()
    return common.table(
        ["chain", "microtensor / torch", *(f"{x}, µs a node" for x in LIBRARIES)], rows
    )


def main() -> None:
    """Parse the command line, run, print, and write the section."""
    parser = common.arguments(__doc__.splitlines()[0], rounds=7)
    options = parser.parse_args()

    machine = common.machine(["microtensor", "numpy", "torch"])
    children, described = common.start(__file__, LIBRARIES, threads=1)
    # A fresh interpreter that imports PyTorch takes seconds, a chain of a million nodes a minute.
    imports = imports_report(options.rounds, list(described))
    chains = chains_report(children, min(options.rounds, 2))
    for child in children:
        child.close()

    ran = "\n".join(f"- {peer}: {text}" for peer, text in described.items())
    report = REPORT.format(
        rounds=options.rounds,
        machine=machine,
        imports=imports,
        chains=chains,
        ran=ran,
    )
    print(report)
    if options.output:
        common.write_section(options.output, "engine", report)


if __name__ == "__main__":
    common.run(main, open_peer)
