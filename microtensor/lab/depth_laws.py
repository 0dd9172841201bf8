"""Three laws of deep networks: the theory, and verdicts on what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from microtensor.lab.catalogue import known
from microtensor.lab.depth_network import Start, gain_of, traits_of
from microtensor.lab.result import Column, Table, Verdict
from microtensor.lab.traits import normal

Record = Mapping[str, Any]

# Rounding aside, the chain rule's bound holds exactly.
_BOUND = 1 + 1e-9
# The gradient that an orthogonally initialised sigmoid network keeps, at least, through all depths.
_KEPT = 1e-3
# How far the variance of SELU's signal may be from 1 at any layer, and its mean from 0.
_NORMAL = 0.25
# The share of ReLU's units that a large learning rate kills, at least.
_KILLED = 0.1


def ratio(start: Start) -> float:
    """Return the first hidden layer's gradient relative to the last one's."""
    last = start.gradient[-2]
    return float(start.gradient[0] / last) if last else math.nan


def per_layer(start: Start) -> float:
    """Return the factor by which a gradient grows on its way back through a hidden layer."""
    layers = len(start.gradient) - 2
    found = ratio(start)
    return found ** (1 / layers) if layers and found > 0 else math.nan


def mean_field(name: str, init: str, depth: int) -> float:
    """Return the factor per layer that a gradient grows by in wide networks, by mean-field theory.

    Pre-activations are normal there; their variance q goes through a layer as q ← σ²·E f(√q z)²,
    where σ² is the variance of a weight times the number of inputs, and q starts at σ² for
    standardised data. On its way back a gradient's mean square grows by χ = σ²·E f'(√q z)² (Poole
    et al. 2016; Schoenholz et al. 2017). With ``"measured"`` weights q is 1 from the start on.

    Returns:
        The geometric mean of √χ over all hidden layers but the last; NaN if q leaves all bounds,
        or there are no two layers.
    """
    power = gain_of(traits_of(name), init) ** 2
    z, weight = normal()
    f, q, logarithms = known()[name], 1.0 if init == "measured" else power, []
    for _ in range(depth - 1):
        if not 1e-12 < q < 1e6:
            return math.nan
        grown = power * float(weight @ f.derivative(math.sqrt(q) * z) ** 2)
        if grown == 0:
            return 0.0
        logarithms.append(math.log(grown) / 2)
        q = float(power * (weight @ f(math.sqrt(q) * z) ** 2))
    return math.exp(math.fsum(logarithms) / len(logarithms)) if logarithms else math.nan


def deepest(records: Sequence[Record], name: str, orthogonal: bool = False) -> Record | None:
    """Return the deepest record of an activation, of the suited or the orthogonal start."""
    mine = [
        record
        for record in records
        if record["activation"] == name and (record["init"] == "orthogonal") == orthogonal
    ]
    return max(mine, key=lambda record: record["depth"], default=None)


def accuracy(record: Record) -> float:
    """Return the mean test accuracy of a record's runs; NaN if one diverged, or none was made."""
    outcomes = record.get("outcomes", ())
    return float(np.mean([one.accuracy for one in outcomes])) if outcomes else math.nan


def bound_verdict(records: Sequence[Record], command: str) -> Verdict | None:
    """Judge whether no sigmoid layer passes back more than a quarter of its weights' norm."""
    mine = [record for record in records if record["activation"] == "sigmoid"]
    if not mine:
        return None
    worst = max(record["start"].bound for record in mine)
    most = max(record["depth"] for record in mine)
    return Verdict(
        "sigmoid passes a gradient back with at most ¼ of the weights' norm, at every layer",
        worst,
        _BOUND,
        detail="largest ‖δ‖ of a layer / (¼·‖W‖₂·‖δ‖ of the next), before training, at depths up "
        f"to {most}, whatever the initialisation; with n layers that is ¼ⁿ·Π‖W‖₂",
        command=command,
    )


def cure_verdict(records: Sequence[Record], command: str) -> Verdict | None:
    """Judge whether an orthogonal initialisation keeps the gradient of a deep sigmoid network."""
    cured, plain = deepest(records, "sigmoid", True), deepest(records, "sigmoid")
    if cured is None or plain is None or cured["depth"] < 2:
        return None
    return Verdict(
        "orthogonal weights of gain 4, centred, keep sigmoid's gradient at "
        f"{cured['depth']} layers",
        ratio(cured["start"]),
        _KEPT,
        ">=",
        detail="gradient of the first hidden layer relative to the last, before training; with "
        f"{plain['init']}'s initialisation {ratio(plain['start']):.1e}; test accuracy "
        f"{100 * accuracy(cured):.1f} %, with {plain['init']}'s {100 * accuracy(plain):.1f} %",
        command=command,
    )


def dying_verdict(dying: Sequence[Record], command: str) -> Verdict | None:
    """Judge whether a large learning rate kills ReLU units."""
    shares = dead_shares(dying, "relu")
    if not shares:
        return None
    rate, most = max(shares.items(), key=lambda one: one[1])
    low = min(shares)
    beside = [
        f"{known()[name].label} {100 * max(dead_shares(dying, name).values(), default=0):.0f} % "
        "at most"
        for name in dict.fromkeys(one["activation"] for one in dying)
        if name != "relu"
    ]
    return Verdict(
        "a large learning rate kills ReLU units",
        most,
        _KILLED,
        ">=",
        detail=f"share of hidden units dead after training at rate {rate:g}; at {low:g} "
        f"{100 * shares[low]:.1f} %; " + ", ".join(beside),
        command=command,
    )


def dead_gradient_verdict(dying: Sequence[Record], command: str) -> Verdict | None:
    """Judge whether dead ReLU units get no gradient at all, and so cannot come back."""
    reached = [
        outcome.dead_gradient
        for one in dying
        if one["activation"] == "relu"
        for outcome in one["outcomes"]
        if not math.isnan(outcome.dead_gradient)
    ]
    if not dying:
        return None
    return Verdict(
        "a dead ReLU unit gets no gradient, so training cannot wake it",
        max(reached, default=math.nan),
        0,
        detail=f"largest gradient at a dead unit, in {len(reached)} networks that have some",
        command=command,
    )


def dead_shares(dying: Sequence[Record], name: str) -> dict[float, float]:
    """Return the mean share of dead units by learning rate, over runs that did not diverge.

    A rate at which all runs diverged is left out.
    """
    shares = {}
    for one in dying:
        finite = [outcome.dead for outcome in one["outcomes"] if not math.isnan(outcome.dead)]
        if one["activation"] == name and finite:
            shares[one["rate"]] = float(np.mean(finite))
    return shares


def selu_verdict(records: Sequence[Record], command: str) -> Verdict | None:
    """Judge whether SELU keeps mean 0 and variance 1 from layer to layer."""
    mine = deepest(records, "selu")
    if mine is None:
        return None
    start: Start = mine["start"]
    off = np.maximum(abs(start.variance - 1), abs(start.mean))
    return Verdict(
        f"SELU keeps mean 0 and variance 1 through {mine['depth']} layers",
        float(off.max()),
        _NORMAL,
        detail=f"largest |mean| or |variance - 1| of a layer's signal before training, at layer "
        f"{int(off.argmax()) + 1}; at the last, mean {start.mean[-1]:.3f} and variance "
        f"{start.variance[-1]:.3f}",
        command=command,
    )


def laws_table(records: Sequence[Record], dying: Sequence[Record]) -> Table:
    """Return the table of laws; what goes into the file is every measurement by layer."""
    laws = []
    plain, cured = deepest(records, "sigmoid"), deepest(records, "sigmoid", True)
    if plain and cured and plain["depth"] > 1:
        start, layers = plain["start"], plain["depth"] - 1
        norms = float(np.exp(np.log(0.25 * start.weight[1:-1]).mean()))
        laws += [
            {
                "law": f"sigmoid, {plain['init']}: gradient per layer, {plain['depth']} layers",
                "theory": f"at most ¼·‖W‖₂ = {norms:.3g}; "
                f"{mean_field('sigmoid', plain['init'], plain['depth']):.3g} in wide networks",
                "measured": f"{per_layer(start):.3g}",
            },
            {
                "law": f"sigmoid, {plain['init']}: gradient, all {layers} layers",
                "theory": f"¼ⁿ = {0.25**layers:.1e}, times Π‖W‖₂ = {(4 * norms) ** layers:.1e}",
                "measured": f"{ratio(start):.1e}",
            },
            {
                "law": "sigmoid, orthogonal of gain 4, centred: gradient per layer",
                "theory": "1 at the origin, less beside it",
                "measured": f"{per_layer(cured['start']):.3g}",
            },
        ]
    for rate, share in dead_shares(dying, "relu").items():
        laws.append(
            {
                "law": f"ReLU: units dead after training at rate {rate:g}",
                "theory": "grows with the rate; a dead unit's gradient is 0",
                "measured": f"{100 * share:.1f} %",
            }
        )
    selu = deepest(records, "selu")
    if selu:
        start = selu["start"]
        laws.append(
            {
                "law": f"SELU, {selu['init']}: mean and variance at layer {selu['depth']}",
                "theory": "0 and 1",
                "measured": f"{start.mean[-1]:.3f} and {start.variance[-1]:.3f}",
            }
        )
    columns = [
        Column("law", lambda row: row["law"], right=False),
        Column("theory", lambda row: row["theory"], right=False),
        Column("measured", lambda row: row["measured"], right=False),
    ]
    title = "Theory beside measurement" if laws else "No law to test: no sigmoid, ReLU or SELU"
    saved = [
        {
            "activation": record["activation"],
            "init": record["init"],
            "depth": record["depth"],
            "layer": layer + 1,
            "gradient": record["start"].gradient[layer],
            "signal_mean": record["start"].mean[layer],
            "signal_variance": record["start"].variance[layer],
            "signal_between_rows": record["start"].between[layer],
        }
        for record in records
        for layer in range(record["depth"])
    ]
    return Table("activation_depth_layers", title, laws, columns, saved=saved)
