"""Time one training step of small networks: microtensor beside PyTorch, JAX and scikit-learn.

A step is zero_grad, forward, cross-entropy, backward and Adam, through each library's public API.
Every library runs in a child process of its own, peers take turns, and each one's minimum over the
rounds counts. With one thread, all children are bound to the same core.

    python benchmarks/step.py --threads both --output benchmarks/RESULTS.md
"""

from __future__ import annotations

from typing import Any

import common
from common import Progress, say
from peers import CHECK_LEARNING_RATE, CHECK_STEPS, INFERENCE, LEARNING_RATE, PEERS

# The largest acceptable ratio to PyTorch at one thread, by case.
TARGETS = {
    "2-16-16-2@32": 0.35,
    "64-64-10@32": 0.35,
    "64-128-128-10@64": 0.50,
    "784-512-256-10@128": 0.65,
    "784-2048-2048-10@256": 0.85,
}
# Of a captured step, to JAX's jit; of inference by a captured function, in microseconds.
CAPTURED_TARGETS = {
    "2-16-16-2@32": 0.12,
    "64-64-10@32": 0.30,
    "64-128-128-10@64": 0.70,
    "784-512-256-10@128": 0.95,
    "784-2048-2048-10@256": 1.00,
}
INFERENCE_CASE, INFERENCE_TARGET = f"{INFERENCE}64-64-10@1", 3.0
REFERENCE = "torch"
EXPLANATION = """One training step: zero_grad, forward, cross-entropy, backward, Adam. MLPs with
ReLU, float32, one fixed batch (`2-16-16-2@32`: layer sizes at batch 32); `infer:` is one forward
call without gradients. Peers: the same microtensor code in `microtensor.capture`; torch eager with
`Adam(fused=True)`; JAX with the whole step under `jit`, its buffers donated; scikit-learn's
`MLPClassifier.fit` with one batch an epoch (for two classes it has one logistic output). Each
library in its own process, peers in turn, the minimum over {rounds} rounds; one thread means one
core. Ratios are times divided by torch's in the same run; torch's own µs tell the scale."""


def open_peer(peer: str, threads: int) -> tuple[object, Any]:
    """In the child: import the library; return what it is and how to build a case."""
    description, build = PEERS[peer](threads)

    def prepare(case: str) -> Any:
        # scikit-learn draws its own initial weights, so its losses cannot be compared.
        loss = None if peer == "sklearn" else build(case, CHECK_LEARNING_RATE)(CHECK_STEPS)
        return build(case, LEARNING_RATE), loss

    return description, prepare


def compare(
    cases: list[str], peers: list[str], threads: int, rounds: int
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Return seconds a step by case and peer, and what each peer ran on."""
    children, described = common.start(__file__, peers, threads)
    results = {}
    progress = Progress(len(cases) * rounds, f"{threads} thread(s)")
    try:
        for case in cases:
            losses = common.build(children, case)
            warn_if_different(case, {peer: x for peer, x in losses.items() if x is not None})
            times = []
            for _ in range(rounds):
                times.append(common.turn(children))
                progress.step(f"{threads} thread(s), {case}")
            results[case] = common.minima(times)
    finally:
        progress.close()
        for child in children:
            child.close()
    return results, described


def warn_if_different(case: str, losses: dict[str, float]) -> None:
    """Say so if the peers, from the same weights, do not arrive at the same loss."""
    if losses and max(losses.values()) - min(losses.values()) > 1e-3 * max(losses.values()):
        found = ", ".join(f"{peer} {loss:.6f}" for peer, loss in losses.items())
        say(f"{case}: losses after {CHECK_STEPS} steps differ, the work is not the same: {found}")


def rows(results: dict[str, dict[str, float]], threads: int) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: ratios to the reference, its µs, and the target at one thread."""
    others = [peer for peer in next(iter(results.values()), {}) if peer != REFERENCE]
    captured = "captured" in others
    header = ["case", *(f"{peer} / {REFERENCE}" for peer in others), "target", f"{REFERENCE}, µs"]
    if captured:
        header += ["captured / jax", "target", "captured, µs"]
    lines = []
    for case, seconds in results.items():
        target = TARGETS.get(case) if threads == 1 else None
        lines.append(
            [
                case,
                *(common.ratio(seconds, peer, REFERENCE) for peer in others),
                f"≤ {target:.2f}" if target else "-",
                f"{seconds[REFERENCE] * 1e6:.1f}" if REFERENCE in seconds else "-",
            ]
        )
        if captured:
            lines[-1] += captured_columns(case, seconds, threads)
    return header, lines


def captured_columns(case: str, seconds: dict[str, float], threads: int) -> list[str]:
    """Return the captured step's ratio to JAX's jit, what it is to be, and its microseconds."""
    target = CAPTURED_TARGETS.get(case) if threads == 1 else None
    wanted = f"≤ {target:.2f}" if target else "-"
    if case == INFERENCE_CASE and threads == 1:
        wanted = f"≤ {INFERENCE_TARGET:.0f} µs"
    ratio = common.ratio(seconds, "captured", "jax") if "jax" in seconds else "-"
    return [ratio, wanted, f"{seconds['captured'] * 1e6:.1f}"]


def microseconds(results: dict[str, dict[str, float]]) -> str:
    """Return the table of times that goes to the terminal alone."""
    peers = list(next(iter(results.values()), {}))
    header = ["case", *(f"{peer}, µs" for peer in peers)]
    return common.table(
        header,
        [
            [case, *(f"{seconds[peer] * 1e6:.1f}" for peer in peers)]
            for case, seconds in results.items()
        ],
    )


def main() -> None:
    """Parse the command line, run, print, and write the section."""
    parser = common.arguments(__doc__.splitlines()[0], rounds=20)
    parser.add_argument(
        "--cases", nargs="+", default=[*TARGETS, INFERENCE_CASE], metavar="CASE", type=case_name,
        help=f"layer sizes @ batch size; with {INFERENCE} in front one forward "
        f"call; default: {' '.join(TARGETS)} {INFERENCE_CASE}",
    )  # fmt: skip
    parser.add_argument("--threads", choices=["1", "all", "both"], default="both")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    options = parser.parse_args()

    report = [f"## Training step\n\n{EXPLANATION.format(rounds=options.rounds)}"]
    report.append(common.machine(["microtensor", "numpy", "torch", "jax", "optax", "scikit-learn"]))
    for threads in common.thread_counts(options.threads):
        results, described = compare(options.cases, options.peers, threads, options.rounds)
        title = "One thread" if threads == 1 else f"{threads} threads"
        ran = "\n".join(f"- {peer}: {text}" for peer, text in described.items())
        ratios = common.table(*rows(results, threads))
        print(f"\n{title}\n{ran}\n\n{microseconds(results)}\n\n{ratios}", flush=True)
        report.append(f"### {title}\n\n{ratios}\n\nWhat each ran on:\n\n{ran}")
    if options.output:
        common.write_section(options.output, "step", "\n\n".join(report))


def case_name(text: str) -> str:
    """Check that a case reads like 64-128-10@32."""
    layers, at, batch = text.removeprefix(INFERENCE).partition("@")
    numbers = [*layers.split("-"), batch]
    if not at or len(numbers) < 3 or not all(n.isdigit() and int(n) > 0 for n in numbers):
        raise ValueError(text)
    return text


if __name__ == "__main__":
    common.run(main, open_peer)
