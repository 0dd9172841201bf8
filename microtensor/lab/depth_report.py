"""What the records of :func:`activation_depth` say: tables and verdicts."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab import depth_picture
from microtensor.lab.catalogue import known
from microtensor.lab.depth_network import Start, traits_of
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.traits import normal

if TYPE_CHECKING:
    from microtensor.lab.depth import DepthPlan

Record = Mapping[str, Any]

# Rounding aside, the chain rule's bound holds exactly.
_BOUND = 1 + 1e-9
# The gradient that an orthogonally initialised sigmoid network keeps, at least, through all depths.
_KEPT = 1e-3
# How far the variance of SELU's signal may be from 1 at any layer, and its mean from 0.
_NORMAL = 0.25
# The share of ReLU's units that a large learning rate kills, at least.
_KILLED = 0.1
# A rate says something only of a network that learnt: this far below the loss of guessing.
_LEARNT = 0.9


def depth_result(
    pieces: Sequence[Record],
    plan: DepthPlan,
    *,
    settings: Mapping[str, Any],
    seconds: Mapping[str, float],
    command: str,
) -> Result:
    """Return the tables, verdicts and pictures of a run's pieces."""
    records = [piece for piece in pieces if piece["kind"] == "depth"]
    dying = [piece for piece in pieces if piece["kind"] == "dying"]
    verdicts = [
        verdict
        for verdict in (
            bound_verdict(records, command),
            cure_verdict(records, command),
            dying_verdict(dying, command),
            dead_gradient_verdict(dying, command),
            selu_verdict(records, command),
            grid_verdict(records, plan, command),
        )
        if verdict is not None
    ]
    pictures = {
        "activation_depth": functools.partial(depth_picture.overview, records),
        "activation_depth_accuracy": functools.partial(depth_picture.accuracies, records),
    }
    if {"sigmoid", "relu", "selu"} & {record["activation"] for record in records}:
        pictures["activation_depth_laws"] = functools.partial(depth_picture.laws, records, dying)
    return Result(
        "activation_depth",
        tables=[_main_table(records, plan), _laws_table(records, dying)],
        verdicts=verdicts,
        pictures=pictures,
        settings=settings,
        seconds=seconds,
    )


def ratio(start: Start) -> float:
    """Return the first hidden layer's gradient relative to the last one's."""
    last = start.gradient[-2]
    return float(start.gradient[0] / last) if last else math.nan


def per_layer(start: Start) -> float:
    """Return the factor by which a gradient grows on its way back through a hidden layer."""
    layers = len(start.gradient) - 2
    found = ratio(start)
    return found ** (1 / layers) if layers and found > 0 else math.nan


def mean_field(name: str, init: str) -> float:
    """Return the factor per layer that wide networks tend to, by mean-field theory.

    Pre-activations tend to be normal, with the variance q that a layer gives back: q = σ²·E f(√q
    z)², σ² being the variance of weights times inputs. The gradient's mean square then grows by χ =
    σ²·E f'(√q z)² on its way back through a layer (Poole et al. 2016; Schoenholz et al. 2017).

    Returns:
        √χ; NaN if q does not settle.
    """
    power = {"He": 2.0, "Xavier": 1.0, "LeCun": 1.0}[init]
    z, weight = normal()
    f, q = known()[name], power
    for _ in range(200):
        before, q = q, float(power * (weight @ f(math.sqrt(q) * z) ** 2))
        if not 1e-12 < q < 1e6:
            return math.nan
        if abs(q - before) < 1e-6 * q:
            break
    return math.sqrt(power * float(weight @ f.derivative(math.sqrt(q) * z) ** 2))


def _deepest(records: Sequence[Record], name: str, orthogonal: bool = False) -> Record | None:
    mine = [
        record
        for record in records
        if record["activation"] == name and (record["init"] == "orthogonal") == orthogonal
    ]
    return max(mine, key=lambda record: record["depth"], default=None)


def bound_verdict(records: Sequence[Record], command: str) -> Verdict | None:
    """Judge whether no sigmoid layer passes back more than a quarter of its weights' norm."""
    mine = [record for record in records if record["activation"] == "sigmoid"]
    if not mine:
        return None
    worst = max(record["start"].bound for record in mine)
    deepest = max(mine, key=lambda record: record["depth"])["depth"]
    return Verdict(
        "sigmoid passes a gradient back with at most ¼ of the weights' norm, at every layer",
        worst,
        _BOUND,
        detail="largest ‖δ‖ of a layer / (¼·‖W‖₂·‖δ‖ of the next), before training, at depths up "
        f"to {deepest}, whatever the initialisation; with n layers that is ¼ⁿ·Π‖W‖₂",
        command=command,
    )


def cure_verdict(records: Sequence[Record], command: str) -> Verdict | None:
    """Judge whether an orthogonal initialisation keeps the gradient of a deep sigmoid network."""
    cured, plain = _deepest(records, "sigmoid", True), _deepest(records, "sigmoid")
    if cured is None or plain is None or cured["depth"] < 2:
        return None
    return Verdict(
        f"orthogonal weights of gain 4, centred, keep sigmoid's gradient at {cured['depth']} layers",
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
        detail=f"largest gradient at a dead unit, in {len(reached)} trained networks that have some",
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
    mine = _deepest(records, "selu")
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


def grid_verdict(records: Sequence[Record], plan: DepthPlan, command: str) -> Verdict:
    """Judge whether the grid of learning rates was wide enough for all that learnt."""
    learnt = [
        record
        for record in records
        if record["trained"] and min(record["losses"]) < _LEARNT * record["guessing"]
    ]
    edges = [
        f"{one['label']} at depth {one['depth']} ({one['rate']:g})"
        for one in learnt
        if one["on_edge"]
    ]
    shown = ", ".join(edges[:6]) + (f" and {len(edges) - 6} more" if len(edges) > 6 else "")
    return Verdict(
        f"every tuned learning rate lies inside the grid, {plan.rates[0]:g} to {plan.rates[-1]:g}",
        len(edges),
        0,
        otherwise="unresolved",
        detail=f"number of {len(learnt)} rates, of networks that learnt, on an end of the grid"
        + (f": {shown}; with a wider grid these might do better" if edges else ""),
        command=command,
    )


def accuracy(record: Record) -> float:
    """Return the mean test accuracy of a record's runs; NaN if one diverged, or none was made."""
    outcomes = record.get("outcomes", ())
    return float(np.mean([one.accuracy for one in outcomes])) if outcomes else math.nan


def _main_table(records: Sequence[Record], plan: DepthPlan) -> Table:
    rows = []
    for record in records:
        if not record["trained"] or record["depth"] != plan.depths[-1]:
            continue
        same = [
            one
            for one in records
            if (one["activation"], one["init"]) == (record["activation"], record["init"])
        ]
        orthogonal = _deepest(records, record["activation"], True)
        rows.append(
            {
                "activation": record["label"],
                "init": record["init"],
                "start": record["start"],
                "theory": _theory(record),
                "orthogonal": orthogonal["start"] if orthogonal else record["start"],
                "dead": np.mean([one.dead for one in record["outcomes"]]),
                "saturated": np.mean([one.saturated for one in record["outcomes"]]),
                **{str(one["depth"]): one for one in same},
            }
        )

    def reached(depth: int) -> Any:
        def show(row: Record) -> str:
            one = row[str(depth)]
            if math.isnan(accuracy(one)):
                return "diverged"
            return f"{100 * accuracy(one):.1f} %{' *' if one['on_edge'] else '  '}"

        return show

    def share(key: str) -> Any:
        return lambda row: "" if math.isnan(row[key]) else f"{100 * row[key]:.0f} %"

    columns = [
        Column("activation", lambda row: row["activation"], right=False),
        Column("init", lambda row: row["init"], right=False),
        Column("∇ first/last", lambda row: _short(ratio(row["start"]))),
        Column("per layer", lambda row: _plain(per_layer(row["start"]))),
        Column("theory", lambda row: _plain(row["theory"])),
        Column("orthogonal", lambda row: _plain(per_layer(row["orthogonal"]))),
        Column("variance", lambda row: _short(row["start"].variance[-1])),
        Column("dead", share("dead")),
        Column("saturated", share("saturated")),
        *(Column(f"{depth} layers", reached(depth)) for depth in plan.depths),
    ]
    return Table(
        "activation_depth",
        f"Activations in deep networks: before training at {plan.depths[-1]} layers, and test "
        "accuracies by depth",
        rows,
        columns,
        caption=f"At {plan.depths[-1]} layers before training: the first hidden layer's gradient "
        "over the last one's, the factor per layer, what mean-field theory gives for wide networks, "
        "the factor with orthogonal weights, the variance of the last layer's signal. After "
        f"training at {plan.depths[-1]} layers: dead and saturated units. Mean test accuracy of "
        f"{plan.runs} run{'s' if plan.runs > 1 else ''} at the tuned rate; * on an end of the grid.",
        saved=[_saved(record) for record in records],
    )


def _theory(record: Record) -> float:
    if record["init"] == "orthogonal":
        measured = traits_of(record["activation"])
        return 1.0 if measured.steepest * measured.slope_at_zero > 0 else math.nan
    return mean_field(record["activation"], record["init"])


def _short(value: float) -> str:
    if math.isnan(value):
        return ""
    return "0" if value == 0 else f"{value:.1e}"


def _plain(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


def _saved(record: Record) -> dict[str, Any]:
    start: Start = record["start"]
    outcomes = record.get("outcomes", ())
    return {
        "activation": record["activation"],
        "depth": record["depth"],
        "init": record["init"],
        "gradient_first_over_last": ratio(start),
        "gradient_per_layer": per_layer(start),
        "signal_mean": start.mean[-1],
        "signal_variance": start.variance[-1],
        "signal_between_rows": start.between[-1],
        "rate": record.get("rate", ""),
        "on_edge": record.get("on_edge", ""),
        "validation_loss": np.mean([one.loss for one in outcomes]) if outcomes else "",
        "test_accuracy": accuracy(record) if outcomes else "",
        "dead": np.mean([one.dead for one in outcomes]) if outcomes else "",
        "saturated": np.mean([one.saturated for one in outcomes]) if outcomes else "",
    }


def _laws_table(records: Sequence[Record], dying: Sequence[Record]) -> Table:
    laws = []
    plain, cured = _deepest(records, "sigmoid"), _deepest(records, "sigmoid", True)
    if plain and cured and plain["depth"] > 1:
        start, layers = plain["start"], plain["depth"] - 1
        norms = float(np.exp(np.log(0.25 * start.weight[1:-1]).mean()))
        laws += [
            {
                "law": f"sigmoid, {plain['init']}: gradient per layer, {plain['depth']} layers",
                "theory": f"at most ¼·‖W‖₂ = {norms:.3g}; {mean_field('sigmoid', plain['init']):.3g}"
                " in wide networks",
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
    selu = _deepest(records, "selu")
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
