"""Depth without activations: what networks of any depth learn, beside logistic regression."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
from microtensor import nn
from microtensor.lab.collapse import EXACT, fold, fold_error, folded_weight
from microtensor.lab.data import Dataset, Part, as_datasets, call, split, standardise
from microtensor.lab.linear_report import ALIKE, BENT, collapse_result
from microtensor.lab.optional import require
from microtensor.lab.parallel import run_all
from microtensor.lab.plot import grid_over
from microtensor.lab.result import Result
from microtensor.lab.seeds import seed_for
from microtensor.lab.train import (
    batches,
    cosine,
    mean_loss,
    network,
    predicted,
    probabilities,
    replayed,
    tensors,
)


@dataclass(frozen=True)
class Plan:
    """What :func:`linear_collapse` trains, and how; the defaults are the demo's.

    Attributes:
        width: units of every hidden layer; at least as many as A can have ranks are used.
        penalty: λ of ½λ‖A‖², on the folded A.
        depths: Linear layers of the networks held against logistic regression.
        deepest: layers of the network that is drawn beside them, and of the deepest fold.
        bent: layers of the networks with activations.
        steps: full-batch Adam steps at most, of the networks in `depths`.
        deepest_steps: steps of the deepest network.
        bent_steps: steps of the networks with activations.
        converged: a linear network has converged when the gradient of its objective with respect
            to (A, b), the function itself, has at most this norm. The objective is λ-strongly
            convex in A, so the loss is then within converged²/2λ of the best for its b. On digits
            a norm twice as large still left probabilities 0.013 from where they end.
        folded: the depths at which a network is folded; each has been trained for a few steps.
        dtype: of all networks.
    """

    width: int = 16
    penalty: float = 0.01
    depths: tuple[int, ...] = (1, 2, 4, 8)
    deepest: int = 50
    bent: int = 8
    steps: int = 500
    deepest_steps: int = 200
    bent_steps: int = 300
    converged: float = 5e-4
    folded: tuple[int, ...] = field(default_factory=lambda: tuple(range(1, 51)))
    dtype: str = "float64"

    @classmethod
    def quick(cls) -> Plan:
        """Return a plan of a few seconds: folds at fewer depths, and fewer steps of what is drawn.

        Networks held against logistic regression have as many as ever: with fewer, those on digits
        are not there yet.
        """
        return cls(deepest_steps=60, bent_steps=120, folded=(1, 2, 3, 5, 8, 13, 21, 34, 50))

    def __str__(self) -> str:
        depths = ", ".join(map(str, self.depths))
        return (
            f"{self.width} units in each hidden layer, {self.dtype}, orthogonal initial weights; "
            "half of the rows held out\n"
            f"folded at depths {self.folded[0]} to {self.folded[-1]}; trained with full-batch Adam "
            f"at depths {depths} (at most {self.steps} steps) and {self.deepest} "
            f"({self.deepest_steps} steps)\n"
            f"objective: mean cross-entropy + λ/2 ‖A‖² of the folded A, λ = {self.penalty:g}; "
            f"converged when its gradient in (A, b) is at most {self.converged:g}\n"
            f"with ReLU and tanh: {self.bent} layers, {self.bent_steps} steps, no penalty"
        )


# Adam's rate, times 1/√depth: a step changes the product of the layers about as much at any depth.
_RATE = 0.1
_BENT_RATE = 0.01
_FOLD_STEPS, _FOLD_BATCH, _FOLD_RATE = 10, 100, 0.01
_CHECK_EVERY = 50
# Far below what counts as converged: further steps would only cost time.
_ENOUGH = 1e-7


def linear_collapse(
    datasets: Sequence[str | Dataset | tuple[Any, Any]] = ("moons", "circles", "digits"),
    *,
    plan: Plan | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
    command: str = "",
) -> Result:
    """Show that depth without activations adds nothing, and that an activation does.

    On each data set (half of it held out) networks of several depths are folded into one A·x + b
    and compared with the networks themselves; networks without activations, trained in full,
    are compared with scikit-learn's logistic regression; and on data sets of two columns the same
    network is trained with ReLU and tanh between its layers.

    Args:
        datasets: names, :class:`Dataset` objects or pairs (x, y).
        plan: sizes and steps; by default the demo's.
        seed: decides data, splits, weights and batches.
        jobs: processes; by default one per core.
        progress: whether to show a progress bar on standard error.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with three verdicts: the fold is exact; the trained functions are logistic
        regression's; with an activation the accuracy is at least 0.97.

    Raises:
        ValueError: an unknown data set, or one with NaN.
        TypeError: data that are not numbers.

    Example:
        >>> from microtensor import lab
        >>> small = lab.Plan(depths=(1, 2), deepest=3, steps=5, deepest_steps=1, folded=(1, 3))
        >>> result = lab.linear_collapse(["iris"], plan=small, jobs=1)
        >>> result.verdicts[0].status
        'holds'
    """
    plan = plan or Plan()
    chosen = as_datasets(datasets, seed)
    planned = "" if plan == Plan() else f", plan=lab.{plan!r}"
    command = command or (
        'python -c "from microtensor import lab; '
        f'print(lab.linear_collapse({call(chosen)}{planned}, seed={seed}))"'
    )
    started = time.perf_counter()
    work: list[tuple[Any, ...]] = []
    for data in chosen:
        kinds = [("linear", depth) for depth in (*plan.depths, plan.deepest)]
        if data.x.shape[1] == 2:
            kinds += [("relu", plan.bent), ("tanh", plan.bent)]
        work += [(data, plan, seed, activation, depth) for activation, depth in kinds]
        work.append((data, plan, seed, "fold", 0))
    # The long ones first, so that no core waits for the last of them at the end.
    order = sorted(range(len(work)), key=lambda index: -_weight(*work[index]))
    answers = run_all(
        _piece,
        [work[index] for index in order],
        jobs=jobs,
        progress="linear collapse" if progress else "",
    )
    pieces: list[Mapping[str, Any]] = [{} for _ in work]
    for index, answer in zip(order, answers, strict=True):
        pieces[index] = answer
    references = [_logistic(data, plan, seed) for data in chosen]
    settings = {
        "seed": seed,
        "datasets": [data.name for data in chosen],
        "plan": asdict(plan),
        "optimizer": f"Adam, full batch, rate {_RATE}/√depth ({_BENT_RATE} with "
        "activations) falling to 0 along half a cosine",
        "initial weights": "orthogonal",
        "split": "half training, half held out, by class; standardised on the training half",
        "tolerances": {"fold": EXACT, "probability": ALIKE, "accuracy": BENT},
    }
    return collapse_result(
        chosen,
        [*references, *pieces],
        plan.depths,
        settings=settings,
        seconds={"linear_collapse": time.perf_counter() - started},
        command=command,
    )


def _weight(data: Dataset, plan: Plan, seed: int, kind: str, depth: int) -> float:
    """Return about how long a piece takes, in layers times steps."""
    if kind == "fold":
        return sum(plan.folded) * _FOLD_STEPS
    return depth * _steps(plan, kind, depth) * (1 + data.x.shape[1] / 64)


def _steps(plan: Plan, kind: str, depth: int) -> int:
    if kind != "linear":
        return plan.bent_steps
    return plan.steps if depth in plan.depths else plan.deepest_steps


def _piece(data: Dataset, plan: Plan, seed: int, kind: str, depth: int) -> dict[str, Any]:
    """Do one piece of the work, in any process."""
    return (
        _fold_depths(data, plan, seed) if kind == "fold" else _train(data, plan, seed, kind, depth)
    )


def _halves(data: Dataset, seed: int) -> list[Part]:
    return standardise(data, split(data.y, (0.5, 0.5), seed_for(seed, data.name, "halves")))


def _sizes(data: Dataset, plan: Plan, depth: int) -> list[int]:
    inputs, outputs = data.x.shape[1], data.outputs
    # Narrower layers would bound the rank of A, and so forbid functions that one layer has.
    width = max(plan.width, min(inputs, outputs))
    return [inputs, *[width] * (depth - 1), outputs]


def _network(data: Dataset, plan: Plan, seed: int, kind: str, depth: int) -> nn.Sequential:
    dtype: mt.dtype = getattr(mt, plan.dtype)
    start = seed_for(seed, data.name, "weights", depth)
    return network(_sizes(data, plan, depth), kind, start, orthogonal=True, dtype=dtype)


def _fold_depths(data: Dataset, plan: Plan, seed: int) -> dict[str, Any]:
    """Fold a network of every depth, each a few steps into its training."""
    dtype: mt.dtype = getattr(mt, plan.dtype)
    training, held_out = _halves(data, seed)
    x, target = tensors(training, data.outputs, dtype)
    unseen = mt.tensor(held_out.x, dtype=dtype)
    errors = []
    for depth in plan.folded:
        model = _network(data, plan, seed, "linear", depth)
        optimizer = mt.optim.Adam(model.parameters(), lr=_FOLD_RATE)
        start = seed_for(seed, data.name, "fold batches", depth)
        for rows in batches(len(x), _FOLD_BATCH, _FOLD_STEPS, start):
            optimizer.zero_grad()
            mean_loss(model(x[rows]), target[rows]).backward()
            optimizer.step()
        with mt.no_grad():
            weight, bias = fold(model, mt.float64)
        errors.append(fold_error(model, weight, bias, unseen))
    return {"data": data.name, "kind": "fold", "depths": plan.folded, "errors": errors}


def _train(data: Dataset, plan: Plan, seed: int, kind: str, depth: int) -> dict[str, Any]:
    """Train one network in full, and measure all that the tables and pictures show of it."""
    dtype: mt.dtype = getattr(mt, plan.dtype)
    training, held_out = _halves(data, seed)
    x, target = tensors(training, data.outputs, dtype)
    unseen = mt.tensor(held_out.x, dtype=dtype)
    model = _network(data, plan, seed, kind, depth)
    rate = _RATE / math.sqrt(depth) if kind == "linear" else _BENT_RATE
    optimizer = mt.optim.Adam(model.parameters(), lr=rate)
    steps = _steps(plan, kind, depth)

    def one_step() -> mt.Tensor:
        optimizer.zero_grad()
        loss = mean_loss(model(x), target)
        if kind == "linear":
            weight = folded_weight(model)
            loss = loss + (0.5 * plan.penalty) * (weight * weight).sum()
        loss.backward()
        optimizer.step()
        return loss

    step_once = replayed(one_step)
    taken = 0
    for step in range(steps):
        if (
            kind == "linear"
            and step % _CHECK_EVERY == 0
            and function_gradient(*fold(model), x, target, plan.penalty) <= _ENOUGH
        ):
            break
        optimizer.param_groups[0]["lr"] = rate * cosine(step, steps)
        step_once()
        taken = step + 1
    with mt.no_grad():
        logits = model(unseen)
    record: dict[str, Any] = {
        "data": data.name,
        "kind": kind,
        "layers": depth,
        "steps": taken,
        "accuracy": float(np.mean(predicted(logits) == held_out.y)),
        "probabilities": probabilities(logits),
    }
    if kind == "linear":
        weight, bias = fold(model)
        record["gradient"] = function_gradient(weight, bias, x, target, plan.penalty)
        record["converged"] = record["gradient"] <= plan.converged
        record["fold_error"] = fold_error(model, *fold(model, mt.float64), unseen)
    if data.x.shape[1] == 2:
        record["regions"] = _regions(model, training, held_out, dtype)
    return record


def function_gradient(
    weight: mt.Tensor, bias: mt.Tensor, x: mt.Tensor, target: mt.Tensor, penalty: float
) -> float:
    """Return the norm of the gradient of mean cross-entropy + ½λ‖A‖² with respect to (A, b).

    It is 0 at the one function that logistic regression fits, however the function came about.

    Args:
        weight: A, (outputs, inputs).
        bias: b, (outputs,).
        x: (rows, inputs).
        target: see :func:`microtensor.lab.train.tensors`.
        penalty: λ; b is not penalised.
    """
    weight = weight.detach().clone().requires_grad_()
    bias = bias.detach().clone().requires_grad_()
    loss = mean_loss(x @ weight.T + bias, target) + (0.5 * penalty) * (weight * weight).sum()
    gradients = mt.autograd.grad(loss, [weight, bias])
    norms = [np.linalg.norm(gradient.numpy()) for gradient in gradients if gradient is not None]
    return math.hypot(*map(float, norms))


def _logistic(data: Dataset, plan: Plan, seed: int) -> dict[str, Any]:
    """Fit scikit-learn's logistic regression to the same objective.

    It minimises C·Σ losses + ½‖A‖², with b left free; divided by n·C that is the mean loss plus
    ½λ‖A‖² with λ = 1/(n·C).
    """
    training, held_out = _halves(data, seed)
    fit = require("sklearn.linear_model").LogisticRegression
    model = fit(C=1 / (len(training.y) * plan.penalty), tol=1e-10, max_iter=100_000)
    model.fit(training.x, training.y)
    x, target = tensors(training, data.outputs, mt.float64)
    weight, bias = mt.tensor(model.coef_), mt.tensor(model.intercept_)
    chances: NDArray[np.float64] = model.predict_proba(held_out.x)
    gradient = function_gradient(weight, bias, x, target, plan.penalty)
    return {
        "data": data.name,
        "kind": "logistic",
        "layers": 1,
        "steps": int(np.max(model.n_iter_)),
        "accuracy": float(np.mean(chances.argmax(1) == held_out.y)),
        "probabilities": chances,
        "gradient": gradient,
        "converged": gradient <= plan.converged,
    }


def _regions(
    model: nn.Sequential, training: Part, held_out: Part, dtype: mt.dtype
) -> dict[str, Any]:
    """Return the class that a network gives to each point of a grid over the data."""
    across, up, points = grid_over(np.vstack([training.x, held_out.x]))
    with mt.no_grad():
        logits = model(mt.tensor(points, dtype=dtype))
    shape = (len(up), len(across))
    return {
        "across": across,
        "up": up,
        "chances": probabilities(logits).reshape(*shape, -1).astype(np.float32),
        "x": held_out.x,
        "y": held_out.y,
    }
