"""Time the steps of the optimizers, one thread: microtensor beside PyTorch and a plain copy.

Three sets of float32 parameters: one tensor of 4 million numbers, a thousand of a thousand, and the
six of a small network. A step is ``optimizer.step()`` with gradients that are there. PyTorch's
``foreach`` and ``fused`` variants both run, and the better one counts; optimizers that it does not
have run beside the copy alone, which moves as many bytes as the step must, in as much memory.

    python benchmarks/optimizers.py --output benchmarks/RESULTS.md
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import common
import numpy as np
import peers
from common import Progress, Repeat

# The options of each; how many arrays of the parameter's size a step reads or writes (the parameter
# twice, the gradient once, each state twice; more where a rule must look twice); how many it holds.
OPTIMIZERS: dict[str, tuple[dict[str, Any], int, int]] = {
    "SGD": ({"lr": 1e-4}, 3, 2),
    "SGD momentum": ({"lr": 1e-4, "momentum": 0.9}, 5, 3),
    "ASGD": ({"lr": 1e-4}, 5, 3),
    "Rprop": ({"lr": 1e-4}, 7, 4),
    "Adagrad": ({"lr": 1e-4}, 5, 3),
    "Adadelta": ({"lr": 1e-4}, 7, 4),
    "RMSprop": ({"lr": 1e-4}, 5, 3),
    "RMSprop centered": ({"lr": 1e-4, "momentum": 0.9, "centered": True}, 9, 5),
    "Adam": ({"lr": 1e-4}, 7, 4),
    "Adam amsgrad": ({"lr": 1e-4, "amsgrad": True}, 9, 5),
    "AdamW": ({"lr": 1e-4}, 7, 4),
    "Adamax": ({"lr": 1e-4}, 7, 4),
    "NAdam": ({"lr": 1e-4}, 7, 4),
    "RAdam": ({"lr": 1e-4}, 7, 4),
    "SparseAdam": ({"lr": 1e-4}, 7, 4),
    "Adafactor": ({"lr": 1e-4}, 6, 2),
    "Muon": ({"lr": 1e-4}, 5, 3),
    "LBFGS": ({"lr": 1e-4, "max_iter": 4, "history_size": 4}, 1, 2),
    "Lion": ({"lr": 1e-4}, 5, 3),
    "LAMB": ({"lr": 1e-4}, 11, 4),
    "LARS": ({"lr": 1e-4}, 7, 3),
    "AdaBelief": ({"lr": 1e-4}, 7, 4),
    "Yogi": ({"lr": 1e-4}, 7, 4),
    "ScheduleFreeSGD": ({"lr": 1e-4}, 5, 3),
    "ScheduleFreeAdamW": ({"lr": 1e-4}, 7, 4),
    "Prodigy": ({"lr": 1e-4}, 13, 6),
    "Lookahead": ({"lr": 1e-4}, 7, 3),
    "EMA": ({}, 3, 2),
}
NO_TORCH = {
    "SparseAdam", "Lion", "LAMB", "LARS", "AdaBelief", "Yogi", "ScheduleFreeSGD",
    "ScheduleFreeAdamW", "Prodigy", "Lookahead",
}  # fmt: skip
# The shapes of a case; where a matrix has another rule than a vector, all are matrices.
CASES = {
    "4e6": [(2000, 2000)],
    "1000 of 1000": [(40, 25)] * 1000,
    "MLP": [(16, 2), (16,), (16, 16), (16,), (2, 16), (2,)],
}
# The largest acceptable ratio to the better of torch's; at 4e6 also 1.3 of the copy.
TARGETS = {"4e6": 1.0, "1000 of 1000": 0.2, "MLP": 0.15}
COPY_TARGET = 1.3
COPY = "copy"
PEERS = ["microtensor", "torch foreach", "torch fused", COPY]
EXPLANATION = """`optimizer.step()` on float32 parameters whose gradients are there, one thread, in
turn; the minimum over {rounds} rounds. torch: the better of `foreach=True` and `fused=True` where
it has them. The copy reads and writes as many bytes as the step must (parameter and states twice,
gradient once; LAMB, LARS and Prodigy look twice), within as much memory. Muon's and L-BFGS's steps
are matrix and vector products: no copy is their limit, and torch's Muon multiplies in bfloat16.
SparseAdam finds every row touched; torch's takes sparse gradients only. Where torch has nothing,
the ratio is "-"."""


def parameters(library: Any, case: str, name: str) -> list[Any]:
    """Return a case's parameters with gradients; matrices only for Muon."""
    generator = np.random.default_rng(0)
    made = []
    for shape in CASES[case]:
        if name == "Muon" and len(shape) < 2:
            continue
        p = library.tensor(generator.standard_normal(shape, dtype=np.float32))
        p.requires_grad_()
        p.grad = library.tensor(generator.standard_normal(shape, dtype=np.float32))
        made.append(p)
    return made


def stepper(library: Any, name: str, params: list[Any], variant: str) -> Callable[[], Any] | None:
    """Return what makes a step, or None where the library has no such optimizer or variant."""
    kind, options = name.split()[0], dict(OPTIMIZERS[name][0])
    if name == "EMA":
        return averager(library, params)
    if name == "Lookahead":
        return library.optim.Lookahead(library.optim.SGD(params, **options), k=1).step
    make = getattr(library.optim, kind)
    if variant and variant in inspect.signature(make).parameters:
        options[variant] = True
    elif variant == "fused":
        return None
    optimizer = make(params, **options)
    if name == "LBFGS":
        loss = library.tensor(1.0)
        return lambda: optimizer.step(lambda: loss)
    return optimizer.step


def averager(library: Any, params: list[Any]) -> Callable[[], Any]:
    """Return what moves an exponential average of some weights."""
    averages = [p.detach().clone() for p in params]
    weights = [p.detach() for p in params]
    move = library.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    count = library.tensor(1)
    return lambda: move(averages, weights, count)


def open_peer(peer: str, threads: int) -> tuple[object, Callable[[str], tuple[Repeat | None, Any]]]:
    """In the child: import the library; return what it is and how to prepare a case."""
    if peer == COPY:
        return "np.copyto", lambda text: (copier(*text.split(": ")), None)
    library_name, _, variant = peer.partition(" ")
    library = importlib.import_module(library_name)
    library.set_num_threads(threads)
    describe = peers.describe_torch if library_name == "torch" else peers.describe_microtensor

    def prepare(text: str) -> tuple[Repeat | None, object]:
        name, case = text.split(": ")
        if library_name == "torch" and name in NO_TORCH:
            return None, None
        step = stepper(library, name, parameters(library, case, name), variant)
        return (None if step is None else repeated(step)), None

    return describe(), prepare


def copier(name: str, case: str) -> Repeat:
    """Return copies within as much memory as a step holds that move as many bytes as it moves."""
    _, moved, held = OPTIMIZERS[name]
    size = sum(int(np.prod(shape)) for shape in CASES[case])
    source = np.ones(size * held // 2, np.float32)
    target = np.empty_like(source)
    times, rest = divmod(size * moved // 2, source.size)
    part, whole = slice(0, rest), slice(None)

    def copy() -> None:
        for where in [whole] * times + [part]:
            np.copyto(target[where], source[where])

    return repeated(copy)


def repeated(function: Callable[[], Any]) -> Repeat:
    """Return a function that calls `function` n times."""

    def repeat(n: int) -> None:
        for _ in range(n):
            function()

    return repeat


def main() -> None:
    """Parse the command line, run, print, and write the section."""
    parser = common.arguments(__doc__.splitlines()[0], rounds=10)
    parser.add_argument("--optimizers", nargs="+", choices=list(OPTIMIZERS), metavar="NAME",
                        default=list(OPTIMIZERS))  # fmt: skip
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    options = parser.parse_args()

    machine = common.machine(["microtensor", "numpy", "torch"])
    children, described = common.start(__file__, PEERS, threads=1)
    progress = Progress(len(options.optimizers) * len(options.cases) * options.rounds, "optimizers")
    results: dict[str, dict[str, dict[str, float]]] = {case: {} for case in options.cases}
    for case in options.cases:
        for name in options.optimizers:
            common.build(children, f"{name}: {case}")
            times = []
            for _ in range(options.rounds):
                # A peer that has no such optimizer answers nothing.
                answers = common.turn(children)
                times.append({peer: seconds for peer, seconds in answers.items() if seconds})
                progress.step(f"{case}, {name}")
            results[case][name] = with_best(common.minima(times))
    progress.close()
    for child in children:
        child.close()

    ran = "\n".join(f"- {peer}: {text}" for peer, text in described.items())
    tables = [f"### {case}\n\n{common.table(*rows(case, results[case]))}" for case in results]
    print(f"\n{ran}\n")
    for case, section in zip(results, tables, strict=True):
        print(f"{case}\n{microseconds(results[case])}\n\n{section}\n")
    if options.output:
        explanation = EXPLANATION.format(rounds=options.rounds)
        parts = ["## Optimizer steps", explanation, machine, *tables, "What each ran on:", ran]
        common.write_section(options.output, "optimizers", "\n\n".join(parts))


def with_best(seconds: dict[str, float]) -> dict[str, float]:
    """Add the better of torch's variants, under its library's name."""
    torchs = [s for peer, s in seconds.items() if peer.startswith("torch")]
    return {**seconds, "torch": min(torchs)} if torchs else seconds


def rows(case: str, results: dict[str, dict[str, float]]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of ratios."""
    pairs = [("microtensor", "torch"), ("microtensor", COPY), ("torch", COPY)]
    target = f"≤ {TARGETS[case]:.2f}"
    if case == "4e6":
        target += f", ≤ {COPY_TARGET:.1f} copy"
    header = ["optimizer", *(f"{a} / {b}" for a, b in pairs), "target (/ torch)"]
    if case != "4e6":  # where calls are what costs, the copy says nothing
        header, pairs = [header[0], header[1], header[-1]], pairs[:1]
    return header, [
        [name, *(common.ratio(seconds, a, b) for a, b in pairs), target]
        for name, seconds in results.items()
    ]


def microseconds(results: dict[str, dict[str, float]]) -> str:
    """Return the table of microseconds a step."""
    return common.table(
        ["optimizer", *(f"{peer}, µs" for peer in PEERS)],
        [
            [name, *(f"{seconds[p] * 1e6:.1f}" if p in seconds else "-" for p in PEERS)]
            for name, seconds in results.items()
        ],
    )


if __name__ == "__main__":
    common.run(main, open_peer)
