"""A check-up for networks: what ails them, where, and what helps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn
from microtensor.lab.data import Dataset
from microtensor.lab.doctor_report import diagnosis_parts
from microtensor.lab.probe import Floats, Trace, probe
from microtensor.lab.result import Result
from microtensor.lab.train import mean_loss

# More than this share of a layer's units is a finding; some are nothing unusual.
DEAD, SATURATED = 0.25, 0.25
# The root mean square of a layer's gradient, relative to that of the last layer.
VANISHING, EXPLODING = 1e-3, 1e3
# What the best linear map leaves of an activation, relative to its deviation.
LINEAR = 1e-3

REMEDIES = {
    "dead units": "lower the learning rate, set biases back to 0, or use a LeakyReLU, whose slope "
    "is nowhere 0",
    "saturated units": "standardise the inputs, start with smaller weights (Xavier), or lower the "
    "learning rate",
    "vanishing gradients": "use an initialisation that keeps them (He for ReLU, orthogonal with "
    "gain 1/f'(0) for sigmoids), an activation that does not saturate, or fewer layers",
    "exploding gradients": "start with smaller weights (He, Xavier or orthogonal), clip the "
    "gradient's norm, or lower the learning rate",
    "collapse": "put an activation between the two layers, or make one of them; if there is one, "
    "scale its inputs until it bends (mean 0, deviation 1)",
}

# Fewer rows cannot show whether a unit is dead, or a map linear.
_FEWEST_ROWS = 8


@dataclass(frozen=True)
class Finding:
    """An illness, where it sits, and what helps.

    Attributes:
        illness: a key of :data:`REMEDIES`.
        layer: the path of the Linear layer after which it shows, or to which gradients do not
            come well.
        number: what was measured.
        remedy: in one line.
    """

    illness: str
    layer: str
    number: float
    remedy: str


class Diagnosis(Result):
    """What :func:`diagnose` returns.

    Attributes:
        findings: what ails the network, layer by layer; empty if it is healthy.
    """

    def __init__(self, findings: Sequence[Finding], **parts: Any) -> None:
        super().__init__("diagnosis", **parts)
        self.findings = tuple(findings)

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@np.errstate(all="ignore")  # what overflows is to be reported, not warned of
def diagnose(
    model: nn.Module,
    data: Any,
    *,
    loss: Callable[[mt.Tensor, mt.Tensor], mt.Tensor] | None = None,
    command: str = "",
) -> Diagnosis:
    """Examine a network on data: dead and saturated units, gradients, layers that collapse.

    It runs forward and backward once, in evaluation mode, and leaves the model, its mode and its
    gradients as they were. What is examined are the Linear layers, and whatever stands between two
    of them, be it a module or a call in ``forward``:

    - a unit is dead if its activation's slope is 0 on every row: nothing can be learned through it;
      so are outputs, if an activation follows the last layer;
    - it is saturated if its slope is below 0.005 on at least 95 % of rows;
    - the gradient vanishes or explodes if its root mean square at a layer is under a thousandth, or
      over a thousand times, of that at the last layer;
    - two layers collapse into one linear map if what stands between them is linear on the data.

    Where parameters, signals or gradients are not finite, no verdict says that something holds.

    Args:
        model: any module with at least one Linear layer.
        data: rows for the model, (rows, ...), a tensor or an array of floating-point numbers; or a
            pair of these and targets: classes (integers, (rows,)) or numbers of the output's
            shape; or a :class:`Dataset`. Without targets the gradient is that of the
            outputs summed with random signs.
        loss: of output and targets; by default the mean cross-entropy for classes, else the mean
            squared error.
        command: what the verdicts name as the command that repeats them.

    Returns:
        A result with a row for each layer, ``findings`` with a remedy each, five verdicts, and a
        picture of signal and gradient by layer.

    Raises:
        TypeError: a model that is no module, or rows that are not floating-point numbers.
        ValueError: no Linear layer; fewer than 8 rows; NaN or infinite values in the data; targets
            that do not fit.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import lab, nn
        >>> mt.manual_seed(0)  # doctest: +ELLIPSIS
        <...>
        >>> forgotten = nn.Sequential(nn.Linear(4, 16), nn.Linear(16, 3))
        >>> [(one.illness, one.layer) for one in lab.diagnose(forgotten, mt.randn(64, 4)).findings]
        [('collapse', '0')]
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"diagnose: model must be a Module, got {type(model).__name__}")
    if not any(isinstance(module, nn.Linear) for module in model.modules()):
        raise ValueError("diagnose: the model has no Linear layer to examine")
    x, target = _checked(model, data)
    traces, _ = probe(model, x, lambda made: _loss(made, target, loss))
    if not traces:
        raise ValueError("diagnose: the model called none of its Linear layers on these data")
    findings = [finding for trace in traces for finding in _findings(trace, traces[-1])]
    return Diagnosis(findings, **diagnosis_parts(traces, findings, limits(), len(x), command))


def limits() -> dict[str, float]:
    """Return for each illness the number from which on it is one."""
    return {
        "dead units": DEAD,
        "saturated units": SATURATED,
        "vanishing gradients": VANISHING,
        "exploding gradients": EXPLODING,
        "collapse": LINEAR,
    }


def _findings(trace: Trace, last: Trace) -> list[Finding]:
    relative = relative_gradient(trace, last)
    measured = {
        "dead units": (trace.dead, trace.dead > DEAD),
        "saturated units": (trace.saturated, trace.saturated > SATURATED),
        "vanishing gradients": (relative, relative < VANISHING),
        "exploding gradients": (relative, relative > EXPLODING),
        "collapse": (trace.bend, trace.bend < LINEAR),
    }
    return [
        Finding(illness, trace.path, number, REMEDIES[illness])
        for illness, (number, found) in measured.items()
        if found
    ]


def relative_gradient(trace: Trace, last: Trace) -> float:
    """Return a layer's gradient relative to the last layer's; infinite if it is not finite."""
    if not math.isfinite(trace.gradient):
        return math.inf
    return trace.gradient / last.gradient if last.gradient else math.nan


def _checked(model: nn.Module, data: Any) -> tuple[mt.Tensor, mt.Tensor | None]:
    """Return rows in the model's dtype, and targets, or say what is wrong with them."""
    if isinstance(data, Dataset):
        given, labels = data.x, data.y
    elif isinstance(data, tuple):
        if len(data) != 2:
            raise ValueError(f"diagnose: data must be x or (x, y), got {len(data)} parts")
        given, labels = data
    else:
        given, labels = data, None
    values = _array(given)
    if values.dtype.kind != "f":
        raise TypeError(
            f"diagnose: the rows must be floating-point numbers, got {values.dtype.name}"
        )
    if values.ndim < 2 or len(values) < _FEWEST_ROWS:
        raise ValueError(
            f"diagnose: at least {_FEWEST_ROWS} rows are needed, (rows, ...), "
            f"got shape {values.shape}"
        )
    for what, wrong in (("NaN", np.isnan(values)), ("infinite values", np.isinf(values))):
        if wrong.any():
            columns = np.flatnonzero(wrong.any(tuple(range(values.ndim - 1)))).tolist()
            raise ValueError(
                f"diagnose: {what} in {wrong.sum()} values of {wrong.size}, "
                f"columns {', '.join(map(str, columns[:5]))}{' ...' if columns[5:] else ''}"
            )
    dtypes = [one.dtype for one in model.parameters() if one.is_floating_point()]
    x = mt.tensor(values, dtype=dtypes[0] if dtypes else mt.float32)
    if labels is None:
        return x, None
    target = mt.tensor(_array(labels))
    if not len(target.shape) or len(target) != len(x):
        raise ValueError(f"diagnose: {len(x)} rows, but targets of shape {tuple(target.shape)}")
    return x, target


def _array(given: Any) -> Floats:
    array: Floats = given.detach().numpy() if isinstance(given, mt.Tensor) else np.asarray(given)
    return array


def _loss(
    output: mt.Tensor,
    target: mt.Tensor | None,
    loss: Callable[[mt.Tensor, mt.Tensor], mt.Tensor] | None,
) -> mt.Tensor:
    if target is None:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=tuple(output.shape))
        return (output * mt.tensor(signs, dtype=output.dtype)).sum() / len(output)
    if loss is not None:
        return loss(output, target)
    if target.is_floating_point():
        if target.shape != output.shape:
            raise ValueError(
                f"diagnose: the output has shape {tuple(output.shape)}, "
                f"the targets {tuple(target.shape)}"
            )
        return F.mse_loss(output, target.to(output.dtype))
    if len(output.shape) != 2 or len(target.shape) != 1:
        raise ValueError(
            f"diagnose: classes (rows,) need outputs (rows, classes), got output "
            f"{tuple(output.shape)} and targets {tuple(target.shape)}; or give a loss"
        )
    classes = max(2, output.shape[1])
    if not 0 <= int(target.min()) <= int(target.max()) < classes:
        raise ValueError(
            f"diagnose: classes must be from 0 to {classes - 1} for {output.shape[1]} outputs, "
            f"got {int(target.min())} to {int(target.max())}"
        )
    if output.shape[1] == 1:
        target = target.to(output.dtype).unsqueeze(1)
    return mean_loss(output, target)
