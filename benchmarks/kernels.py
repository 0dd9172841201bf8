"""Time the forward kernels on 4 million float32, one thread: microtensor beside PyTorch and a copy.

Both are called through their public functional API under no_grad, so the allocation of the result
counts too; the copy goes into memory that is there already, which is the least any kernel can take.

    python benchmarks/kernels.py --output benchmarks/RESULTS.md
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import common
import numpy as np
import peers
from common import Progress, Repeat

SIZE = 4_000_000
# The largest acceptable ratio to PyTorch: never slower, and twice as fast where PyTorch is slow.
TARGETS = {
    "relu": 1.0,
    "leaky_relu": 1.0,
    "elu": 0.5,
    "selu": 1.0,
    "sigmoid": 1.0,
    "tanh": 0.5,
    "softplus": 0.5,
    "softsign": 1.0,
    "gelu": 1.0,
    "gelu (tanh)": 0.5,
    "silu": 1.0,
    "exp": 1.0,
    "log": 1.0,
}
COPY = "copy"
EXPLANATION = """Forward kernels on 4 million float32, one thread, through the public functional API
under `no_grad`, beside torch's op of the same name and beside a plain copy of the same memory, in
turn; the minimum over {rounds} rounds."""


def open_peer(peer: str, threads: int) -> tuple[object, Callable[[str], tuple[Repeat, object]]]:
    """In the child: import the library; return what it is and how to prepare a kernel."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal(SIZE, dtype=np.float32)
    if peer == COPY:
        out = np.empty_like(x)
        return "np.copyto", lambda kernel: (calls(lambda: np.copyto(out, x), no_grad=None), None)

    library = importlib.import_module(peer)
    functional = importlib.import_module(f"{peer}.nn.functional")
    library.set_num_threads(threads)
    describe = peers.describe_torch if peer == "torch" else peers.describe_microtensor

    def prepare(kernel: str) -> tuple[Repeat, object]:
        values = library.tensor(np.abs(x) if kernel == "log" else x)
        if kernel == "gelu (tanh)":
            return calls(lambda: functional.gelu(values, approximate="tanh"), library.no_grad), None
        function = getattr(
            library if kernel in ("exp", "log", "sigmoid", "tanh") else functional, kernel
        )
        return calls(lambda: function(values), library.no_grad), None

    return describe(), prepare


def calls(function: Callable[[], Any], no_grad: Any) -> Repeat:
    """Return a function that calls `function` n times, without recording where there is a graph."""

    def repeat(n: int) -> None:
        for _ in range(n):
            function()

    return no_grad()(repeat) if no_grad else repeat


def main() -> None:
    """Parse the command line, run, print, and write the section."""
    parser = common.arguments(__doc__.splitlines()[0], rounds=15)
    parser.add_argument("--kernels", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    options = parser.parse_args()

    machine = common.machine(["microtensor", "numpy", "torch"])
    children, described = common.start(__file__, ["microtensor", "torch", COPY], threads=1)
    progress = Progress(len(options.kernels) * options.rounds, "kernels")
    results = {}
    for kernel in options.kernels:
        common.build(children, kernel)
        times = []
        for _ in range(options.rounds):
            times.append(common.turn(children))
            progress.step(kernel)
        results[kernel] = common.minima(times)
    progress.close()
    for child in children:
        child.close()

    ran = "\n".join(f"- {peer}: {text}" for peer, text in described.items())
    ratios = common.table(*rows(results))
    print(f"\n{ran}\n\n{nanoseconds(results)}\n\n{ratios}")
    if options.output:
        explanation = EXPLANATION.format(rounds=options.rounds)
        parts = ["## Forward kernels", explanation, machine, ratios, "What each ran on:", ran]
        common.write_section(options.output, "kernels", "\n\n".join(parts))


def rows(results: dict[str, dict[str, float]]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of ratios."""
    pairs = [("microtensor", "torch"), ("microtensor", COPY), ("torch", COPY)]
    header = ["kernel", *(f"{a} / {b}" for a, b in pairs), "target (/ torch)"]
    return header, [
        [kernel, *(common.ratio(seconds, a, b) for a, b in pairs), f"≤ {TARGETS[kernel]:.2f}"]
        for kernel, seconds in results.items()
    ]


def nanoseconds(results: dict[str, dict[str, float]]) -> str:
    """Return the table of nanoseconds an element."""
    found = list(next(iter(results.values())))
    return common.table(
        ["kernel", *(f"{peer}, ns" for peer in found)],
        [
            [kernel, *(f"{seconds[peer] / SIZE * 1e9:.3f}" for peer in found)]
            for kernel, seconds in results.items()
        ],
    )


if __name__ == "__main__":
    common.run(main, open_peer)
