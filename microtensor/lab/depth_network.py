"""Deep networks for one activation: how they start, what is measured then, and their training."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import microtensor as mt
from microtensor import nn
from microtensor.lab.catalogue import known
from microtensor.lab.data import Dataset, Part, parts
from microtensor.lab.probe import Floats, probe
from microtensor.lab.seeds import seed_for
from microtensor.lab.train import batches, cosine, mean_loss, predicted, replayed, tensors
from microtensor.lab.traits import Traits, traits


@functools.cache
def traits_of(name: str) -> Traits:
    """Return the measured properties of an activation."""
    return traits(known()[name], known()[name].derivative)


def suited(measured: Traits) -> str:
    """Return the initialisation that suits an activation, from its measured properties.

    LeCun's for one that keeps mean 0 and variance 1 of normal inputs by itself; Xavier's for one
    that is bounded on both sides; for the others what He's is to ReLU, weights that undo the
    measured mean square (:func:`gain_of`), if these also keep the gradient's within a quarter per
    layer. For ReLU that is He's itself, which is left for what no weights suit, like softplus.
    """
    if measured.zero_centred and abs(measured.power - 1) < 1e-3:
        return "LeCun"
    if math.isfinite(measured.lowest) and math.isfinite(measured.highest):
        return "Xavier"
    if abs(measured.power - 0.5) < 1e-3:
        return "He"
    return "measured" if 0.8 < measured.slope_power / measured.power < 1.25 else "He"


def gain_of(measured: Traits, scheme: str) -> float:
    """Return a weight's deviation times √inputs in a wide network, by scheme.

    √2 for He's, 1 for Xavier's and LeCun's; for ``"measured"`` 1/√(mean of f(z)²), z normal, with
    which the mean square of the pre-activations stays 1 from layer to layer.
    """
    fixed = {"He": math.sqrt(2), "Xavier": 1.0, "LeCun": 1.0}
    return fixed[scheme] if scheme in fixed else 1 / math.sqrt(measured.power)


def orthogonal_gain(measured: Traits) -> float:
    """Return the gain at which orthogonal weights keep gradients.

    1/|f'(0)| for a bounded activation that is steepest near the origin, where centred signals
    then stay; else 1/√(mean of f'(z)²), z normal, which keeps the mean square; 1 if f' is 0.
    """
    bounded = math.isfinite(measured.lowest) and math.isfinite(measured.highest)
    if bounded and abs(measured.slope_at_zero) > 0.5 * measured.steepest:
        return 1 / abs(measured.slope_at_zero)
    return 1 / math.sqrt(measured.slope_power) if measured.slope_power else 1.0


def deep_network(
    inputs: int, width: int, depth: int, outputs: int, name: str, scheme: str, seed: int,
    dtype: mt.dtype,
) -> nn.Sequential:  # fmt: skip
    """Return `depth` hidden layers, each Linear and activation, and a Linear for the outputs.

    Args:
        inputs: columns of the data.
        width: units of each hidden layer.
        depth: hidden layers.
        outputs: of the last layer.
        name: of the activation.
        scheme: ``"He"``, ``"Xavier"``, ``"LeCun"``, ``"measured"`` (of :func:`gain_of`, after a
            first layer that is LeCun's, as the data are standardised) or ``"orthogonal"``; the
            last with biases that centre: b = -W·f(0). All other biases are 0, and the last layer
            is LeCun's.
        seed: of the weights.
        dtype: of the parameters.
    """
    generator = mt.Generator().manual_seed(seed)
    measured = traits_of(name)
    layers: list[nn.Module] = []
    sizes = [inputs, *[width] * depth, outputs]
    for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        with mt.random.fork_rng():  # it draws weights of its own, which nothing here is to notice
            layer = nn.Linear(fan_in, fan_out, dtype=dtype)
        shift = 0.0
        if index == depth or scheme in ("LeCun", "measured"):
            inner = scheme == "measured" and 0 < index < depth
            gain = gain_of(measured, scheme) if inner else 1.0
            nn.init.normal_(layer.weight, std=gain / math.sqrt(fan_in), generator=generator)
        elif scheme == "He":
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        elif scheme == "Xavier":
            nn.init.xavier_normal_(layer.weight, generator=generator)
        else:
            gain = orthogonal_gain(measured)
            nn.init.orthogonal_(layer.weight, gain if index else 1.0, generator=generator)
            shift = measured.at_zero if index else 0.0
        with mt.no_grad():
            if layer.bias is not None:  # a Linear has one, but its type does not know
                layer.bias.copy_(layer.weight.sum(1) * -shift)
        layers.append(layer)
        if index < depth:
            layers.append(known()[name].make().to(dtype))
    return nn.Sequential(*layers)


@dataclass(frozen=True, eq=False)
class Start:
    """What was measured of networks before training, layer by layer, mean over several starts.

    Attributes:
        gradient: norm of the gradient with respect to what each hidden Linear computes, and last
            the output, (depth + 1,); the mean is geometric.
        mean: of what each activation hands on, over rows and units, (depth,).
        variance: likewise.
        between: the share of the variance that is between rows; the rest is the same for all.
        weight: spectral norms of the weights, geometric means, (depth + 1,).
        bound: the largest gradient of a layer, relative to the one after it times that layer's
            spectral norm times max |f'|, which by the chain rule it cannot exceed.
    """

    gradient: Floats
    mean: Floats
    variance: Floats
    between: Floats
    weight: Floats
    bound: float


@np.errstate(all="ignore")  # signals that explode are what is to be seen
def measure_start(
    data: Dataset, width: int, depth: int, name: str, scheme: str, starts: int, seed: int
) -> Start:
    """Measure networks that have not been trained, in float64, on training rows."""
    found = []
    for index in range(starts):
        training, *_ = parts(data, seed, seed_for(seed, data.name, "start", index))
        some = Part(training.x[:256], training.y[:256])
        x, target = tensors(some, len(data.classes), mt.float64)
        model = deep_network(
            x.shape[1], width, depth, len(data.classes), name, scheme,
            seed_for(seed, "start weights", depth, index), mt.float64,
        )  # fmt: skip
        loss = functools.partial(_mean_loss_of, target)
        traces, _ = probe(model, x, loss)
        gradient = np.array([np.linalg.norm(trace.delta) for trace in traces])
        weight = np.array(
            [np.linalg.norm(trace.layer.weight.detach().numpy(), 2) for trace in traces]
        )
        signals = [trace.signal for trace in traces[:-1]]
        mean = np.array([one.mean() for one in signals])
        variance = np.array([one.var() for one in signals])
        between = np.array([one.var(0).mean() for one in signals]) / variance
        reach = traits_of(name).steepest * weight[1:] * gradient[1:]
        bound = float(np.max(gradient[:-1] / np.where(reach == 0, np.inf, reach)))
        found.append(Start(gradient, mean, variance, between, weight, bound))
    return Start(
        gradient=np.exp(np.mean([np.log(one.gradient) for one in found], 0)),
        mean=np.mean([one.mean for one in found], 0),
        variance=np.mean([one.variance for one in found], 0),
        between=np.mean([one.between for one in found], 0),
        weight=np.exp(np.mean([np.log(one.weight) for one in found], 0)),
        bound=max(one.bound for one in found),
    )


def _mean_loss_of(target: mt.Tensor, output: mt.Tensor) -> mt.Tensor:
    return mean_loss(output, target)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one training run came to.

    Attributes:
        loss: mean cross-entropy on the validation rows after the last step; infinite if the run
            diverged.
        accuracy: on the test rows; NaN if it diverged.
        dead: the share of hidden units whose slope is 0 on every training row.
        saturated: the share of those that are flat on most training rows, without being dead.
        dead_gradient: the largest gradient of a weight into a dead unit; NaN if there is none.
    """

    loss: float
    accuracy: float
    dead: float = math.nan
    saturated: float = math.nan
    dead_gradient: float = math.nan


def train_deep(
    data: Dataset, width: int, depth: int, name: str, scheme: str, *, rate: float, steps: int,
    batch: int, momentum: float, seed: int, run: int, examine: bool,
) -> Outcome:  # fmt: skip
    """Train once; everything follows from the arguments.

    Args:
        data: what on.
        width: units of each hidden layer.
        depth: hidden layers.
        name: of the activation.
        scheme: of the weights; see :func:`deep_network`.
        rate: the learning rate of SGD, falling to 0 along half a cosine.
        steps: of `batch` rows.
        batch: rows in each step.
        momentum: of SGD.
        seed: of the experiment; decides the test rows.
        run: seed of the run; split, weights and batches, the same for every activation and rate.
        examine: whether units are to be counted.
    """
    training, validation, test = parts(data, seed, run)
    classes = len(data.classes)
    x, target = (one.numpy() for one in tensors(training, classes, mt.float32))
    weights = seed_for(run, "weights", depth)
    model = deep_network(x.shape[1], width, depth, classes, name, scheme, weights, mt.float32)
    optimizer = mt.optim.SGD(model.parameters(), lr=rate, momentum=momentum)

    def one_step(some: mt.Tensor, wanted: mt.Tensor) -> mt.Tensor:
        optimizer.zero_grad()
        loss = mean_loss(model(some), wanted)
        loss.backward()
        optimizer.step()
        return loss

    step_once = replayed(one_step)
    with mt.random.fork_rng():  # randomised ReLU draws from the default generator
        mt.manual_seed(seed_for(run, "slopes"))
        for step, rows in enumerate(batches(len(x), batch, steps, seed_for(run, "batches"))):
            optimizer.param_groups[0]["lr"] = rate * cosine(step, steps)
            loss = step_once(mt.from_numpy(x[rows]), mt.from_numpy(target[rows]))
            if not math.isfinite(loss.item()):
                return Outcome(math.inf, math.nan)
    model.eval()
    with mt.no_grad():
        unseen, wanted = tensors(validation, classes, mt.float32)
        late = mean_loss(model(unseen), wanted).item()
        accuracy = float(np.mean(predicted(model(mt.tensor(test.x, dtype=mt.float32))) == test.y))
    if not math.isfinite(late):
        return Outcome(math.inf, math.nan)
    return Outcome(late, accuracy, *(_units(model, x, target) if examine else ()))


def _units(model: nn.Sequential, x: Any, target: Any) -> tuple[float, float, float]:
    """Return the shares of dead and saturated units, and what gradient reaches the dead ones."""
    whole: Callable[[mt.Tensor], mt.Tensor] = functools.partial(
        _mean_loss_of, mt.from_numpy(target)
    )
    traces, output = probe(model, mt.from_numpy(x), whole)
    if not np.isfinite(output.numpy()).all():
        return math.nan, math.nan, math.nan
    hidden = traces[:-1]
    reaching = [
        float(np.abs(trace.delta[:, (trace.slope == 0).all(0)]).max(initial=0.0))
        for trace in hidden
        if trace.slope is not None and trace.dead
    ]
    return (
        float(np.mean([trace.dead for trace in hidden])),
        float(np.mean([trace.saturated for trace in hidden])),
        max(reaching, default=math.nan),
    )
