"""What the doctor writes: the table by layer, the findings, the verdicts and the picture."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor.lab import plot
from microtensor.lab.probe import Trace, root_mean_square
from microtensor.lab.result import Column, Table, Verdict
from microtensor.lab.style import DERIVATIVE, FUNCTION, GRID, QUIET, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from microtensor.lab.doctor import Finding


def diagnosis_parts(
    traces: Sequence[Trace],
    findings: Sequence[Finding],
    limits: Mapping[str, float],
    rows: int,
    command: str,
) -> dict[str, Any]:
    """Return the tables, verdicts, pictures and settings of a diagnosis."""
    records = [_record(trace, traces[-1], findings) for trace in traces]
    return {
        "tables": [_layers(records, rows), _remedies(findings)],
        "verdicts": _verdicts(records, findings, limits, command),
        "pictures": {"diagnosis": functools.partial(_picture, records, limits)},
        "settings": {"layers": [trace.path for trace in traces], "rows": rows, **limits},
    }


def _record(trace: Trace, last: Trace, findings: Sequence[Finding]) -> dict[str, Any]:
    gradient = trace.gradient
    relative = math.inf if not math.isfinite(gradient) else math.nan
    if math.isfinite(gradient) and last.gradient:
        relative = gradient / last.gradient
    ills = [finding.illness for finding in findings if finding.layer == trace.path]
    return {
        "layer": trace.path or "(the model)",
        "maps": f"{trace.layer.in_features} → {trace.layer.out_features}",
        "signal": root_mean_square(trace.signal),
        "deviation": root_mean_square(trace.signal - trace.signal.mean(0)),
        "gradient": gradient,
        "relative_gradient": relative,
        "dead": trace.dead,
        "saturated": trace.saturated,
        "bend": trace.bend,
        "sound": all(
            np.isfinite(one.detach().numpy()).all() for one in trace.layer.parameters(recurse=False)
        ),
        "found": ", ".join(dict.fromkeys(ills)),
    }


def _layers(records: Sequence[Mapping[str, Any]], rows: int) -> Table:
    def share(key: str) -> Callable[[Mapping[str, Any]], str]:
        return lambda row: "" if math.isnan(row[key]) else f"{100 * row[key]:.0f} %"

    def size(key: str) -> Callable[[Mapping[str, Any]], str]:
        return lambda row: "" if math.isnan(row[key]) else f"{row[key]:.2g}"

    columns = [
        Column("layer", lambda row: row["layer"], right=False),
        Column("maps", lambda row: row["maps"], right=False),
        Column("signal", size("signal")),
        Column("between rows", size("deviation")),
        Column("gradient", size("gradient")),
        Column("of the last", size("relative_gradient")),
        Column("dead", share("dead")),
        Column("saturated", share("saturated")),
        Column("bend", size("bend")),
        Column("found", lambda row: row["found"], right=False),
    ]
    return Table(
        "diagnosis",
        f"The Linear layers in the order of their calls, on {rows} rows",
        records,
        columns,
        caption="Signal: root mean square of what the next layer is given; between rows: its "
        "deviation from the mean over rows. Gradient: root mean square with respect to the "
        "layer's output, also relative to the last layer's. Dead: slope 0 on every row; "
        "saturated: slope below 0.005 on 95 % of rows. Bend: what the best linear map leaves of "
        "the activation; 0 if it is linear on the data.",
    )


def _remedies(findings: Sequence[Finding]) -> Table:
    by_illness: dict[str, list[Finding]] = {}
    for finding in findings:
        by_illness.setdefault(finding.illness, []).append(finding)
    summary = [
        {
            "found": illness,
            "at": _listed(list(dict.fromkeys(one.layer or "(the model)" for one in mine))),
            "remedy": mine[0].remedy,
        }
        for illness, mine in by_illness.items()
    ]
    saved = [
        {"found": one.illness, "layer": one.layer, "number": one.number, "remedy": one.remedy}
        for one in findings
    ]
    columns = [
        Column("found", lambda row: row["found"], right=False),
        Column("after layer", lambda row: row["at"], right=False),
        Column("what helps", lambda row: row["remedy"], right=False),
    ]
    title = "Findings" if findings else "No findings: this network is healthy on these data"
    return Table("diagnosis_findings", title, summary, columns, saved=saved)


def _listed(paths: Sequence[str], most: int = 4) -> str:
    rest = len(paths) - most
    return ", ".join(paths[:most]) + (f" and {rest} more" if rest > 0 else "")


def _verdicts(
    records: Sequence[Mapping[str, Any]],
    findings: Sequence[Finding],
    limits: Mapping[str, float],
    command: str,
) -> list[Verdict]:
    remedies = {finding.illness: finding.remedy for finding in findings}
    unknown = _not_finite(records)

    def judge(illness: str, claim: str, key: str, worst: Any, relation: Any, what: str) -> Verdict:
        # The last layer is the measure of gradients, and has nothing after it.
        known = [(row[key], row["layer"]) for row in records if not math.isnan(row[key])]
        if key == "relative_gradient" and len(known) > 1:
            known = known[:-1]
        number, layer = worst(known, key=lambda one: one[0]) if known else (math.nan, "")
        remedy = f"; remedy: {remedies[illness]}" if illness in remedies else ""
        at = f", at layer {layer}" if known else ", of which there is none to judge"
        return Verdict(
            claim, number, limits[illness], relation, open_because=unknown,
            detail=what + at + remedy, command=command,
        )  # fmt: skip

    share = "largest share of a layer's units"
    size = "gradient of a layer, relative to the last"
    return [
        judge("dead units", "units are alive", "dead", max, "<=", share),
        judge("saturated units", "units are not saturated", "saturated", max, "<=", share),
        judge(
            "vanishing gradients",
            "gradients do not vanish",
            "relative_gradient",
            min,
            ">=",
            f"smallest {size}",
        ),
        judge(
            "exploding gradients",
            "gradients do not explode",
            "relative_gradient",
            max,
            "<=",
            f"largest {size}",
        ),
        judge(
            "collapse",
            "no two layers collapse into one linear map",
            "bend",
            min,
            ">=",
            "smallest bend between two layers",
        ),
    ]


def _not_finite(records: Sequence[Mapping[str, Any]]) -> str:
    """Return why nothing can be said of a network: where it first computes NaN or infinity."""
    for row in records:
        if not row["sound"]:
            return f"the parameters of layer {row['layer']} are not finite"
    for row in records:
        if not math.isfinite(row["signal"]):
            return f"what follows layer {row['layer']} is not finite"
    for row in reversed(records):  # it came from behind
        if not math.isfinite(row["gradient"]):
            return f"the gradient at layer {row['layer']} is not finite"
    return ""


def _picture(records: Sequence[Mapping[str, Any]], limits: Mapping[str, float]) -> Figure:
    """Draw signal and gradient by layer, and below them the shares of dead and saturated units."""
    with styled():
        figure = plot.new_figure(max(6.4, min(14.0, 2.6 + 0.45 * len(records))), 6.4)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        places = np.arange(len(records))
        ends = [
            _line(above, places, [row["deviation"] for row in records], "signal", FUNCTION),
            _line(above, places, [row["relative_gradient"] for row in records], "gradient",
                  DERIVATIVE),
        ]  # fmt: skip
        above.axhspan(limits["vanishing gradients"], limits["exploding gradients"], color=GRID,
                      alpha=0.5, linewidth=0)  # fmt: skip
        above.set(yscale="log", ylabel="root mean square")
        above.grid(axis="y")
        above.set_title("Signal (between rows), and gradient relative to the last layer's; "
                        "grey: healthy", loc="left")  # fmt: skip
        dead, saturated = (
            100 * np.nan_to_num([row[key] for row in records]) for key in ("dead", "saturated")
        )
        below.bar(places, dead, 0.6, color=QUIET, label="dead")
        below.bar(places, saturated, 0.6, bottom=dead, color="#e69f00", label="saturated")
        linear = [place for place, row in enumerate(records) if row["bend"] < limits["collapse"]]
        below.plot(linear, np.full(len(linear), 4.0), "x", color="#cc3311", markersize=8,
                   markeredgewidth=2, label="acts linearly")  # fmt: skip
        below.set(ylim=(0, 100), ylabel="share of units, %", xlabel="Linear layer")
        step = math.ceil(len(records) / 25)
        below.set_xticks(places[::step], [row["layer"] for row in records][::step])
        below.grid(axis="y")
        below.legend(frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
        found = dict.fromkeys(name for row in records for name in row["found"].split(", ") if name)
        figure.suptitle(
            f"Found: {', '.join(found)}" if found else "Nothing found: a healthy network",
            fontsize=12, fontweight="bold",
        )  # fmt: skip
        plot.label_line_ends(above, ends)
    return figure


def _line(
    axes: Axes, places: Any, values: Sequence[float], name: str, colour: str
) -> tuple[float, str, str]:
    # On a logarithmic axis there is no 0; what is not finite leaves a gap.
    shown = np.array([v if math.isfinite(v) and v > 0 else np.nan for v in values])
    axes.plot(places, shown, "o-", color=colour, linewidth=1.6, markersize=4)
    return float(shown[-1]), name, colour
