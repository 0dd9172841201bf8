"""What activations do to deep networks: at initialisation, and after training at a tuned rate."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from microtensor.lab.catalogue import chosen, known
from microtensor.lab.data import Dataset, as_dataset, call
from microtensor.lab.depth_network import (
    Outcome,
    measure_start,
    suited,
    train_deep,
    traits_of,
)
from microtensor.lab.depth_report import depth_result
from microtensor.lab.parallel import run_all
from microtensor.lab.result import Result
from microtensor.lab.seeds import seed_for

DEEPEST = 200
# Sigmoid is what the orthogonal initialisation is to cure; with it, it is trained as well.
_CURED = "sigmoid"
# Beside ReLU, whose units can die, one whose slope is nowhere 0.
_DYING = ("relu", "leaky_relu")
# A few that differ, for a quick look.
_FAMILIAR = ("identity", "relu", "leaky_relu", "sigmoid", "tanh", "elu", "selu", "gelu", "silu")


@dataclass(frozen=True)
class DepthPlan:
    """What :func:`activation_depth` measures and trains; the defaults are the demo's.

    Attributes:
        depths: hidden layers, upward.
        width: units of each.
        starts: untrained networks of each kind, for what is measured before training.
        rates: learning rates of SGD, upward; each is tried once for every activation and depth,
            and the one with the lowest validation loss is kept.
        steps: of each run.
        batch: rows in each step.
        momentum: of SGD.
        runs: runs with the rate that was kept, on fresh seeds.
        dying_depth: hidden layers of the networks that show dying units, trained without momentum.
        dying_rates: their learning rates.
        dying_runs: networks at each of these.
    """

    depths: tuple[int, ...] = (2, 5, 10, 20, 50)
    width: int = 64
    starts: int = 3
    rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    steps: int = 100
    batch: int = 64
    momentum: float = 0.9
    runs: int = 2
    dying_depth: int = 2
    dying_rates: tuple[float, ...] = (0.1, 0.3, 1.0, 1.5, 2.0)
    dying_runs: int = 3

    def __post_init__(self) -> None:
        for name in ("width", "starts", "steps", "batch", "runs", "dying_depth", "dying_runs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        check_depths(self.depths)
        for name in ("rates", "dying_rates"):
            rates = getattr(self, name)
            if not rates or list(rates) != sorted(set(rates)) or rates[0] <= 0:
                raise ValueError(f"{name} must be positive and rise, got {rates}")

    @classmethod
    def quick(cls) -> DepthPlan:
        """Return a plan of less than half a minute for the familiar activations."""
        rates = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
        return cls(depths=(2, 10, 50), rates=rates, runs=1)

    @staticmethod
    def familiar() -> tuple[str, ...]:
        """Return the names of a few activations that differ."""
        return tuple(name for name in _FAMILIAR if name in known())

    def __str__(self) -> str:
        return (
            f"depths {', '.join(map(str, self.depths))}: hidden layers of {self.width} units; "
            "float32; a quarter of the rows for the test, a quarter of the rest for validation\n"
            f"before training: {self.starts} networks of each kind, float64, initialised as suits "
            "the activation, and orthogonally\n"
            f"budget: SGD, momentum {self.momentum:g}, {self.steps} steps of {self.batch} rows, "
            "rate falling to 0 along half a cosine; 1 run at each of "
            f"{', '.join(f'{rate:g}' for rate in self.rates)}; "
            f"then {self.runs} on fresh seeds at the best"
        )


def check_depths(depths: Sequence[int]) -> tuple[int, ...]:
    """Return depths as a tuple, upward, each once.

    Raises:
        ValueError: none, or one that is no whole number from 1 to 200.
    """
    if not depths:
        raise ValueError("no depth given: at least one hidden layer is needed")
    for depth in depths:
        if isinstance(depth, bool) or not isinstance(depth, int) or not 1 <= depth <= DEEPEST:
            raise ValueError(f"depths must be whole numbers from 1 to {DEEPEST}, got {depth!r}")
    if list(depths) != sorted(set(depths)):
        raise ValueError(f"depths must rise, got {', '.join(map(str, depths))}")
    return tuple(depths)


def activation_depth(
    names: Sequence[str] | None = None,
    data: str | Dataset | tuple[Any, Any] = "digits",
    *,
    plan: DepthPlan | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
    command: str = "",
) -> Result:
    """Measure what each activation does to signal, gradient and accuracy as networks get deep.

    Before training, the gradient's norm and the signal's variance are measured at every layer,
    with the initialisation that suits the activation (He, Xavier, LeCun or its own, from its
    measured properties), and with orthogonal weights. Then every network is trained at the
    learning rate that suits it, all under one budget.

    Three laws are held against what is measured: sigmoid's slope is at most ¼, so that n layers
    scale a gradient by at most ¼ⁿ times the weights' norms; a ReLU unit that a large step has
    killed gets no gradient; and SELU keeps mean 0 and variance 1.

    Args:
        names: activations, by their names in ``nn.functional``; by default all that act on each
            number alone (:func:`activation_names`).
        data: a data set's name, a :class:`Dataset` or a pair (x, y).
        plan: depths, sizes and budget; by default the demo's.
        seed: decides everything that is drawn.
        jobs: processes; by default one per core. Their number changes nothing but the time.
        progress: whether to show a progress bar on standard error.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with the table of activations, the table of laws, verdicts and pictures.

    Raises:
        ValueError: an unknown activation or data set, or data with NaN.
        TypeError: data that are not numbers.

    Example:
        >>> from microtensor import lab
        >>> plan = lab.DepthPlan(depths=(1, 2), steps=5, rates=(0.1,), starts=1, runs=1)
        >>> result = lab.activation_depth(["tanh"], plan=plan, jobs=1)
        >>> result.table.records[0]["init"]
        'Xavier'
    """
    plan = plan or DepthPlan()
    activations = chosen(names)
    rows = as_dataset(data, seed)
    planned = "" if plan == DepthPlan() else f", plan=lab.{plan!r}"
    command = command or (
        'python -c "from microtensor import lab; '
        f"print(lab.activation_depth({[one.name for one in activations]}, {call([rows])[1:-1]}"
        f'{planned}, seed={seed}))"'
    )
    started = time.perf_counter()
    work: list[tuple[Any, ...]] = []
    for one in activations:
        fitting = suited(traits_of(one.name))
        for depth in plan.depths:
            work.append((rows, plan, seed, one.name, depth, fitting, True))
            work.append((rows, plan, seed, one.name, depth, "orthogonal", one.name == _CURED))
    if any(one.name == "relu" for one in activations):
        for name in _DYING:
            if name in known():
                work += [(rows, plan, seed, name, 0, rate, True) for rate in plan.dying_rates]
    # The long ones first, so that no core waits for the last of them at the end.
    order = sorted(range(len(work)), key=lambda index: -_weight(*work[index]))
    answers = run_all(
        _piece,
        [work[index] for index in order],
        jobs=jobs,
        progress="activations and depth" if progress else "",
    )
    pieces: list[Mapping[str, Any]] = [{} for _ in work]
    for index, answer in zip(order, answers, strict=True):
        pieces[index] = answer
    settings = {
        "seed": seed,
        "data": rows.name,
        "activations": [one.name for one in activations],
        "plan": asdict(plan),
        "optimizer": "SGD, rate falling to 0 along half a cosine",
        "tuning": "the rate with the lowest validation loss after the last step",
        "parts": "a quarter for the test; of the rest, a quarter for validation, anew in each run",
    }
    return depth_result(
        pieces,
        plan,
        settings=settings,
        seconds={"activation_depth": time.perf_counter() - started},
        command=command,
    )


def _weight(
    data: Dataset, plan: DepthPlan, seed: int, name: str, depth: int, how: Any, trained: bool
) -> float:
    """Return about how long a piece takes, in layers times steps."""
    runs = len(plan.rates) + plan.runs if depth and trained else 1
    return (depth or plan.dying_depth) * runs


def _piece(
    data: Dataset, plan: DepthPlan, seed: int, name: str, depth: int, how: Any, trained: bool
) -> dict[str, Any]:
    """Do one piece of the work, in any process; depth 0 stands for units that die at rate `how`."""
    if not depth:
        fitting = suited(traits_of(name))
        plain = replace(plan, momentum=0.0)
        outcomes = [
            _train(data, plain, seed, name, plan.dying_depth, fitting, how, ("dying", index), True)
            for index in range(plan.dying_runs)
        ]
        return {
            "kind": "dying",
            "activation": name,
            "label": known()[name].label,
            "rate": how,
            "outcomes": outcomes,
        }
    record: dict[str, Any] = {
        "kind": "depth",
        "activation": name,
        "label": known()[name].label,
        "depth": depth,
        "init": how,
        "trained": trained,
        "guessing": math.log(len(data.classes)),
        "start": measure_start(data, plan.width, depth, name, how, plan.starts, seed),
    }
    if trained:
        losses = [
            _train(data, plan, seed, name, depth, how, rate, ("tuning",), False).loss
            for rate in plan.rates
        ]
        best = min(range(len(losses)), key=losses.__getitem__)
        rate = plan.rates[best]
        record["losses"] = losses
        record["rate"] = rate
        record["on_edge"] = rate in (plan.rates[0], plan.rates[-1])
        record["outcomes"] = [
            _train(data, plan, seed, name, depth, how, rate, ("run", index), True)
            for index in range(plan.runs)
        ]
    return record


def _train(
    data: Dataset, plan: DepthPlan, seed: int, name: str, depth: int, scheme: str, rate: float,
    run: tuple[str | int, ...], examine: bool,
) -> Outcome:  # fmt: skip
    return train_deep(
        data, plan.width, depth, name, scheme, rate=rate, steps=plan.steps, batch=plan.batch,
        momentum=plan.momentum, seed=seed, run=seed_for(seed, data.name, *run), examine=examine,
    )  # fmt: skip
