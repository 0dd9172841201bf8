"""Time a training step of networks people write beside PyTorch, and the memory both take.

A step is zero_grad, forward, cross-entropy, backward and Adam, through each library's public API;
microtensor's is timed eagerly and captured.
Every library runs in a child process of its own, peers take turns, and each one's minimum over the
rounds counts. With one thread, all children are bound to the same core.

    python benchmarks/layers.py --threads both --output benchmarks/RESULTS.md
"""

from __future__ import annotations

import sys
from typing import Any

import common
from common import Progress, say
from networks import NETWORKS, training
from peers import (
    CHECK_LEARNING_RATE,
    CHECK_STEPS,
    LEARNING_RATE,
    describe_microtensor,
    describe_torch,
)

# The largest acceptable ratio to PyTorch at one thread, by case; None where there is none.
TARGETS: dict[str, float | None] = {
    "GPT@16": 1.0,
    "LSTM@32": 1.0,
    "LeNet@64": 1.5,
    "ResNet-8@32": 1.5,
    "ResNet-8-bare@32": None,
}
MEMORY_TARGET = 1.2
PEERS = ("microtensor", "captured", "torch")
REFERENCE = "torch"
EXPLANATION = """One training step: zero_grad, forward, cross-entropy, backward, Adam (GPT:
AdamW), float32, one fixed batch (`LeNet@64`: batch size 64). GPT of 4 layers, 128 wide, on 64
characters; LSTM 128 wide on 50 characters; LeNet on 28×28 and ResNet-8 on 32×32 images (bare:
without batch normalization). Captured: the same step replayed by `microtensor.capture`, to be
no slower than the eager one. Each library in its own process, peers in turn, the minimum over
{rounds} rounds; one thread means one core. Ratios are times divided by torch's in the same run.
Memory is by how much the largest resident size of the process grew from before the network was
built to after {steps} steps."""


def peak_memory() -> int:
    """Return the largest resident size so far in bytes, 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def open_peer(peer: str, threads: int) -> tuple[object, Any]:
    """In the child: import the library; return what it is and how to build a case."""
    options: dict[str, Any] = {}
    if peer == "torch":
        import torch as library

        options["fused"] = True
        describe = describe_torch
    else:
        import microtensor as library  # type: ignore[no-redef]

        options["captured"] = peer == "captured"
        describe = describe_microtensor
    library.set_num_threads(threads)

    def prepare(case: str) -> Any:
        before = peak_memory()
        loss = training(library, case, CHECK_LEARNING_RATE, **options)(CHECK_STEPS)
        grown = peak_memory() - before
        return training(library, case, LEARNING_RATE, **options), [loss, grown]

    return describe(), prepare


def compare(
    cases: list[str], peers: list[str], threads: int, rounds: int
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]], dict[str, str]]:
    """Return seconds a step and bytes by case and peer, and what each peer ran on."""
    results, memory, described = {}, {}, {}
    progress = Progress(len(cases) * rounds, f"{threads} thread(s)")
    try:
        for case in cases:
            # A process of its own for each case: a peak is never taken back.
            children, described = common.start(__file__, peers, threads)
            try:
                built = common.build(children, case)
                warn_if_different(case, {peer: answer[0] for peer, answer in built.items()})
                memory[case] = {peer: answer[1] for peer, answer in built.items()}
                times = []
                for _ in range(rounds):
                    times.append(common.turn(children))
                    progress.step(f"{threads} thread(s), {case}")
                results[case] = common.minima(times)
            finally:
                for child in children:
                    child.close()
    finally:
        progress.close()
    return results, memory, described


def warn_if_different(case: str, losses: dict[str, float]) -> None:
    """Say so if the peers, from the same weights, do not arrive at the same loss."""
    if losses and max(losses.values()) - min(losses.values()) > 1e-3 * max(losses.values()):
        found = ", ".join(f"{peer} {loss:.6f}" for peer, loss in losses.items())
        say(f"{case}: losses after {CHECK_STEPS} steps differ, the work is not the same: {found}")


def rows(
    results: dict[str, dict[str, float]], memory: dict[str, dict[str, float]], threads: int
) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: ratios of time and memory, the target, torch's own numbers."""
    ours = "microtensor"
    header = ["case", "time", "target", "captured", "memory", "torch, µs", "torch, MB"]
    lines = []
    for case, seconds in results.items():
        target = TARGETS.get(case) if threads == 1 else None
        taken = {peer: size for peer, size in memory[case].items() if size > 0}
        lines.append(
            [
                case,
                common.ratio(seconds, ours, REFERENCE),
                f"≤ {target:.2f}" if target else "-",
                common.ratio(seconds, "captured", REFERENCE),
                common.ratio(taken, ours, REFERENCE),
                f"{seconds[REFERENCE] * 1e6:.0f}" if REFERENCE in seconds else "-",
                f"{taken[REFERENCE] / 2**20:.1f}" if REFERENCE in taken else "-",
            ]
        )
    return header, lines


def main() -> None:
    """Parse the command line, run, print, and write the section."""
    parser = common.arguments(__doc__.splitlines()[0], rounds=20)
    parser.add_argument(
        "--cases", nargs="+", default=list(TARGETS), metavar="CASE", type=case_name,
        help=f"network @ batch size; default: {' '.join(TARGETS)}",
    )  # fmt: skip
    parser.add_argument("--threads", choices=["1", "all", "both"], default="both")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    options = parser.parse_args()

    report = [
        f"## Layers\n\n{EXPLANATION.format(rounds=options.rounds, steps=CHECK_STEPS)} "
        f"It is to be at most {MEMORY_TARGET} times torch's."
    ]
    report.append(common.machine(["microtensor", "numpy", "torch"]))
    for threads in common.thread_counts(options.threads):
        results, memory, described = compare(options.cases, options.peers, threads, options.rounds)
        title = "One thread" if threads == 1 else f"{threads} threads"
        ran = "\n".join(f"- {peer}: {text}" for peer, text in described.items())
        ratios = common.table(*rows(results, memory, threads))
        print(f"\n{title}\n{ran}\n\n{ratios}", flush=True)
        report.append(f"### {title}\n\n{ratios}\n\nWhat each ran on:\n\n{ran}")
    if options.output:
        common.write_section(options.output, "layers", "\n\n".join(report))


def case_name(text: str) -> str:
    """Check that a case reads like LeNet@64."""
    name, _, batch = text.partition("@")
    if name not in NETWORKS or not batch.isdigit() or int(batch) < 1:
        raise ValueError(text)
    return text


if __name__ == "__main__":
    common.run(main, open_peer)
