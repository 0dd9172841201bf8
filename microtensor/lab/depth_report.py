"""What the records of :func:`activation_depth` say: tables and verdicts."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab import depth_picture
from microtensor.lab.depth_laws import (
    Record,
    accuracy,
    bound_verdict,
    cure_verdict,
    dead_gradient_verdict,
    deepest,
    dying_verdict,
    laws_table,
    mean_field,
    per_layer,
    ratio,
    selu_verdict,
)
from microtensor.lab.depth_network import Start, traits_of
from microtensor.lab.result import Column, Result, Table, Verdict

if TYPE_CHECKING:
    from microtensor.lab.depth import DepthPlan

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
        tables=[_main_table(records, plan), laws_table(records, dying)],
        verdicts=verdicts,
        pictures=pictures,
        settings=settings,
        seconds=seconds,
    )


def grid_verdict(records: Sequence[Record], plan: DepthPlan, command: str) -> Verdict:
    """Judge whether the grid of learning rates was wide enough for all that learnt."""
    learnt = [
        record
        for record in records
        if record["trained"] and min(record["losses"]) < _LEARNT * record["guessing"]
    ]
    edges = [
        f"{one['label']} ({one['init']}) at depth {one['depth']} (rate {one['rate']:g})"
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
        orthogonal = deepest(records, record["activation"], True)
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
        "over the last one's, the factor per layer, what mean-field theory gives for wide "
        "networks, the factor with orthogonal weights, the variance of the last layer's signal. "
        f"After training at {plan.depths[-1]} layers: dead and saturated units. Mean test "
        f"accuracy of {plan.runs} run{'s' if plan.runs > 1 else ''} at the tuned rate; * on an "
        "end of the grid.",
        saved=[_saved(record) for record in records],
    )


def _theory(record: Record) -> float:
    if record["init"] == "orthogonal":
        measured = traits_of(record["activation"])
        return 1.0 if measured.steepest * measured.slope_at_zero > 0 else math.nan
    return mean_field(record["activation"], record["init"], record["depth"])


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
