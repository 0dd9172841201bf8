"""Time every activation, forward and with its gradient: microtensor beside PyTorch and a copy.

Float32; the public calls, so that the allocation of results counts too. PyTorch runs its own op, or
the composite that its user would write. The copy of the same bytes goes into memory that is there
already, which is the least any kernel can take: an input's for forward, and two more arrays' for
backward (the gradient that comes in and the one that goes out).

    python benchmarks/activations.py --output benchmarks/RESULTS.md
"""

from __future__ import annotations

import argparse
import importlib
import math
import re
from collections.abc import Callable
from typing import Any

import common
import numpy as np
import peers
from common import Progress, Repeat

from microtensor.ops import published
from microtensor.ops.activations import ACTIVATIONS, Activation

SIZES = (1_000, 100_000, 4_000_000)
COPY = "copy"

# What PyTorch's user writes for an activation that PyTorch has not: m is the library, F its
# functional module, x the input, w, low and high tensors of one number. All else follows from the
# declarations.
COMPOSITES: dict[str, str] = {
    "step": "(x >= 0).to(x.dtype)",
    "identity": "x * 1",
    "srelu": "m.where(x >= high, high + w * (x - high), m.where(x <= low, low + w * (x - low), x))",
    "lecun_tanh": "1.7159 * m.tanh(x * (2 / 3))",
    "arctan": "m.atan(x)",
    "signum": "m.sign(x)",
    "bent_identity": "(m.sqrt(x * x + 1) - 1) / 2 + x",
    "symmetrical_sigmoid": "m.tanh(x / 2)",
    "log_log": "1 - m.exp(-m.exp(x))",
    "gaussian": "m.exp(-x * x)",
    "absolute": "m.abs(x)",
    "sinusoid": "m.sin(x)",
    "cosine": "m.cos(x)",
    "sinc": "m.sinc(x / 3.141592653589793)",
    "maxout": "x.view(-1, 50, 2).amax(2)",
    "geglu": "(lambda a, b: a * F.gelu(b))(*x.view(-1, 100).chunk(2, 1))",
    "swiglu": "(lambda a, b: a * F.silu(b))(*x.view(-1, 100).chunk(2, 1))",
    "reglu": "(lambda a, b: a * F.relu(b))(*x.view(-1, 100).chunk(2, 1))",
    "squared_relu": "F.relu(x).square()",
    "star_relu": "w * F.relu(x).square() + low",
    "snake": "x + m.sin(w * x).square() / w",
    "serf": "x * m.erf(F.softplus(x))",
    "apl": "F.relu(x) + w * F.relu(low - x)",
    "soft_exponential": "m.expm1(w * x) / w + w",
    "elish": "m.where(x >= 0, x, m.expm1(m.clamp(x, max=0.0))) * m.sigmoid(x)",
    "tanh_exp": "x * m.tanh(m.exp(x))",
}
# What is given for parameters without a default, where it is not the tensor w.
GIVEN = {
    **{"lower_threshold": "low", "upper_threshold": "high", "bias": "low", "pieces": "2"},
    **{"slopes": "w.view(1, 1)", "hinges": "low.view(1, 1)", "threshold": "0.1", "value": "20.0"},
}
# Those whose record does not say how they are called: one gives its input back, one is a choice.
CALLS = {"identity": "F.identity(x) * 1", "gelu_tanh": "F.gelu(x, approximate='tanh')"}


def call_of(name: str, record: Activation) -> str:
    """Write the public call of an activation, which is PyTorch's too where it has the same."""
    if name in CALLS:
        return CALLS[name]
    named = {p.name for p in record.parameters}
    arguments = ["x.view(-1, 100)" if "dim" in named else "x"]
    for p in record.parameters:
        if p.default is None and p.name != "dim":
            arguments.append(GIVEN.get(p.name, "w"))
    if "dim" in named:
        arguments.append("dim=1")
    library = "F" if name in published["nn.functional"] else "m"
    return f"{library}.{name}({', '.join(arguments)})"


CASES: dict[str, tuple[str, str]] = {
    name: (call_of(name, record), COMPOSITES.get(name, "")) for name, record in ACTIVATIONS.items()
}
"""Every activation: its call, and PyTorch's if that is another."""

# At 4 million on one thread, over the copy of the same bytes: what is a few operations an element,
# and what needs an exponential or its like, or divides by what it computed.
DEMANDING = re.compile(r"eˣ|e⁻ˣ|e\^|exp|ln|tanh|sin|cos|√|arctan|erf|[σΦΣ]|/\(")
SIMPLE = {name for name, record in ACTIVATIONS.items() if not DEMANDING.search(record.formula)}
GEOMETRIC_MEAN = 0.33
EXPLANATION = """Every activation on float32, through the public functions, beside torch's op or the
composite its user would write, and beside a plain copy of the same bytes, in turn; the minimum over
{rounds} rounds. `x grad` is forward and backward together, the gradient recorded."""


def open_peer(peer: str, threads: int) -> tuple[object, Callable[[str], tuple[Repeat, object]]]:
    """In the child: import the library; return what it is and how to prepare a case."""
    if peer == COPY:
        return "np.copyto", prepare_copy
    library: Any = importlib.import_module(peer)
    functional = importlib.import_module(f"{peer}.nn.functional")
    library.set_num_threads(threads)
    describe = peers.describe_torch if peer == "torch" else peers.describe_microtensor

    def prepare(case: str) -> tuple[Repeat, object]:
        name, size, mode = case.split()
        text = CASES[name][peer == "torch"] or CASES[name][0]
        function = eval(f"lambda m, F, x, w, low, high: {text}")
        gradient = mode == "backward"
        numbers = np.random.default_rng(0).standard_normal(int(size), dtype=np.float32)
        x = library.tensor(numbers, requires_grad=gradient)
        given = [library.tensor([v], requires_grad=gradient) for v in (0.25, -0.5, 1.5)]
        if not gradient:
            return repeated(lambda: function(library, functional, x, *given), library.no_grad), None
        probe = function(library, functional, x, *given)
        ones = library.ones(*probe.shape)
        if not probe.requires_grad:  # PyTorch has no gradient, not a zero one, for comparisons
            return repeated(lambda: function(library, functional, x, *given), None), None
        inputs = [x, *given]

        def both() -> None:
            function(library, functional, x, *given).backward(ones)
            for tensor in inputs:
                tensor.grad = None

        return repeated(both, None), None

    return describe(), prepare


def prepare_copy(case: str) -> tuple[Repeat, object]:
    """Prepare a copy of as many bytes: for the gradient, of what is read and written besides."""
    _, size, mode = case.split()
    x = np.random.default_rng(0).standard_normal(int(size), dtype=np.float32)
    out, g = np.empty_like(x), np.ones_like(x)
    if mode == "forward":
        return repeated(lambda: np.copyto(out, x), None), None
    return repeated(lambda: (np.copyto(out, x), np.add(x, g, out=out)), None), None


def repeated(function: Callable[[], Any], no_grad: Any) -> Repeat:
    """Return a function that calls `function` n times, without recording where there is a graph."""

    def repeat(n: int) -> None:
        for _ in range(n):
            function()

    return no_grad()(repeat) if no_grad else repeat


def main() -> None:
    """Parse the command line, run, print, and write the section."""
    parser = common.arguments(__doc__.splitlines()[0], rounds=5)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--sizes", nargs="+", type=common.positive, default=list(SIZES))
    parser.add_argument("--threads", choices=("1", "all", "both"), default="both")
    options = parser.parse_args()
    if any(size % 100 for size in options.sizes):
        parser.error("sizes must be multiples of 100: rows of 100 are for softmax and its like")

    parts = [common.machine(["microtensor", "numpy", "torch"])]
    for threads in common.thread_counts(options.threads):
        described, results = measure(options, threads)
        for size in options.sizes:
            title = f"### {size:,} elements, {threads} thread{'s' if threads > 1 else ''}"
            parts += [title, *report(results, size, threads)]
    parts += ["What each ran on:", "\n".join(f"- {peer}: {t}" for peer, t in described.items())]
    print("\n\n".join(parts))
    if options.output:
        explanation = EXPLANATION.format(rounds=options.rounds)
        text = "\n\n".join(["## Activations", explanation, *parts])
        common.write_section(options.output, "activations", text)


def measure(
    options: argparse.Namespace, threads: int
) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Time all cases at one thread count; return what the peers are, and seconds by case."""
    children, described = common.start(__file__, ["microtensor", "torch", COPY], threads)
    cases = [
        f"{name} {size} {mode}"
        for name in options.only
        for size in options.sizes
        for mode in ("forward", "backward")
    ]
    progress = Progress(len(cases), f"{threads} threads")
    results = {}
    for case in cases:
        common.build(children, case)
        results[case] = common.minima(common.turn(children) for _ in range(options.rounds))
        progress.step(case)
    progress.close()
    for child in children:
        child.close()
    return described, results


def report(results: dict[str, dict[str, float]], size: int, threads: int) -> list[str]:
    """Return the table of one size, then its geometric means and the rows that miss a target."""
    rows: list[list[str]] = []
    means: dict[str, list[float]] = {"forward": [], "backward": []}
    missed = []
    for name in CASES:
        cells, flags = [name], []
        for mode in ("forward", "backward"):
            seconds = results.get(f"{name} {size} {mode}")
            if seconds is None:
                break
            cells += [common.ratio(seconds, "microtensor", peer) for peer in ("torch", COPY)]
            if "torch" in seconds:
                means[mode].append(seconds["microtensor"] / seconds["torch"])
            flags += misses(name, size, mode, threads, seconds)
        else:
            rows.append([*cells, ", ".join(flags)])
            missed += [f"{name}: {', '.join(flags)}"] if flags else []
    header = ["activation", "/ torch", "/ copy", "x grad / torch", "x grad / copy", "misses"]
    if all(means.values()):
        rows.append(mean_row(means, size, threads))
    count = len(rows) - bool(all(means.values()))
    return [common.table(header, rows), f"{len(missed)} of {count} activations miss a target."]


def mean_row(means: dict[str, list[float]], size: int, threads: int) -> list[str]:
    """Return the row of the geometric means over torch, with those that miss their target."""
    cells, flags = ["geometric mean"], []
    for mode, ratios in means.items():
        mean = math.exp(math.fsum(map(math.log, ratios)) / len(ratios))
        cells += [f"{mean:.2f}", ""]
        if size == SIZES[-1] and threads == 1 and mean > GEOMETRIC_MEAN:
            flags.append(f"{'' if mode == 'forward' else 'x grad '}mean > {GEOMETRIC_MEAN:g}")
    return [*cells, ", ".join(flags)]


def misses(name: str, size: int, mode: str, threads: int, seconds: dict[str, float]) -> list[str]:
    """Return the targets a row misses: those for 4 million on one thread, and for 1000 any."""
    found = []
    own = seconds["microtensor"]
    over_torch = own / seconds["torch"] if "torch" in seconds else 0.0
    what = "" if mode == "forward" else "x grad "
    if size == SIZES[0] and threads == 1 and mode == "backward" and over_torch > 1.0:
        found.append(f"{what}torch > 1")
    if size == SIZES[-1] and threads == 1:
        if over_torch > 1.1:
            found.append(f"{what}torch > 1.1")
        limit = 1.15 if name in SIMPLE else 2.5
        if mode == "forward" and own / seconds[COPY] > limit:
            found.append(f"copy > {limit:g}")
    return found


if __name__ == "__main__":
    common.run(main, open_peer)
