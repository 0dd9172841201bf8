"""The chapters of the report, in order: each a function that runs an experiment."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import microtensor as mt
from microtensor import nn
from microtensor.lab import clouds
from microtensor.lab.atlas import atlas
from microtensor.lab.bends import bends
from microtensor.lab.compare import compare
from microtensor.lab.curve_fit import curve_fit
from microtensor.lab.data import as_dataset, standardise
from microtensor.lab.depth import DepthPlan, activation_depth
from microtensor.lab.doctor import diagnose
from microtensor.lab.landscape import loss_landscape
from microtensor.lab.linear import Plan, linear_collapse
from microtensor.lab.local_map import collapse_at
from microtensor.lab.page import Part
from microtensor.lab.parallel import run_all
from microtensor.lab.published import published
from microtensor.lab.race import race
from microtensor.lab.regions import regions
from microtensor.lab.result import Result
from microtensor.lab.surfaces import surface_names
from microtensor.lab.train import mean_loss, replayed
from microtensor.lab.trial import RATES, Budget
from microtensor.lab.unfold import unfold


@dataclass(frozen=True)
class Setting:
    """How a report is made.

    Attributes:
        quick: whether a smaller run will do.
        seed: decides everything that is drawn.
        jobs: processes; None for one per core.
        command: what repeats the report; chapters with a command of their own name that.
    """

    quick: bool = False
    seed: int = 0
    jobs: int | None = None
    command: str = ""


@dataclass(frozen=True)
class Chapter:
    """A chapter of the report.

    Attributes:
        name: for ``--only``, and the address within the page.
        title: its heading.
        text: what is shown, for a reader who knows none of it.
        run: does the work; returns a result, several by heading, or parts.
    """

    name: str
    title: str
    text: str
    run: Callable[[Setting], Result | Sequence[Result | Part] | Mapping[str, Result]]


def _linear(setting: Setting) -> list[Part]:
    plan = Plan.quick() if setting.quick else Plan()
    names = ("moons", "circles", "digits", "breast_cancer")
    return [
        Part(linear_collapse(names, plan=plan, seed=setting.seed, jobs=setting.jobs)),
        Part(bends(datasets=names, seed=setting.seed), "Every activation beside none"),
    ]


def _sheet(setting: Setting) -> list[Part]:
    # Trained to the end, a sheet is pulled into a thread: nothing could be seen of it.
    bent, plane = _small_network(nn.Tanh, (2, 2), setting.seed, steps=120)
    flat, _ = _small_network(nn.Identity, (2, 2), setting.seed, steps=30)
    return [
        Part(unfold(flat, plane, command=_repeat("sheet", setting)), "Without activations"),
        Part(unfold(bent, plane, command=_repeat("sheet", setting)), "With tanh"),
    ]


def _pieces(setting: Setting) -> list[Part]:
    model, plane = _small_network(nn.ReLU, (12, 12), setting.seed)
    command = _repeat("pieces", setting)
    return [
        Part(regions(model, plane, command=command), "The pieces of a trained ReLU network"),
        Part(collapse_at(model, plane[0][0], command=command), "One piece is one matrix"),
    ]


def _curves(setting: Setting) -> Result:
    # Fewer steps would not do for a quick report: ELU and SiLU need most of them.
    return curve_fit("wave", seed=setting.seed, jobs=setting.jobs)


def _atlas(setting: Setting) -> Result:
    return atlas()


def _depth(setting: Setting) -> Result:
    names = ("identity", "relu", "sigmoid", "tanh", "selu", "gelu")[: 4 if setting.quick else None]
    return activation_depth(names, plan=DepthPlan.quick(), seed=setting.seed, jobs=setting.jobs)


def _doctor(setting: Setting) -> list[Part]:
    x, y = _moons(setting.seed, 256)
    command = _repeat("doctor", setting)

    def deep(activation: type[nn.Module], shift: float) -> nn.Sequential:
        generator = mt.Generator().manual_seed(setting.seed)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise((2, *[24] * 8, 2)):
            layer = nn.Linear(inputs, outputs, dtype=mt.float64)
            if activation is nn.Sigmoid:
                nn.init.normal_(layer.weight, 0.0, shift, generator=generator)
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            layers += [_unbiased(layer), activation()]
        return nn.Sequential(*layers[:-1])

    return [
        Part(diagnose(deep(nn.Sigmoid, 0.2), (x, y), command=command),
             "Eight layers of sigmoid, weights too small"),
        Part(diagnose(deep(nn.ReLU, 0.0), (x, y), command=command),
             "Eight layers of ReLU, initialised after He"),
    ]  # fmt: skip


_BEST_KNOWN = ("beale", "saddle_rotated", "long_valley_rotated", "noisy_moons")


def _race(setting: Setting) -> list[Part]:
    names = _BEST_KNOWN if setting.quick else surface_names()
    steps = 120 if setting.quick else 300
    work = [(name, setting.seed, steps) for name in names]
    return run_all(_one_race, work, jobs=setting.jobs)


def _one_race(name: str, seed: int, steps: int) -> Part:
    part = Part(race(name, steps=steps, seed=seed), folded=True)
    _ = part.pictures  # drawn here, on whichever core this runs
    return part


def _speed(setting: Setting) -> Result:
    return clouds.speed(
        quick=setting.quick, seed=setting.seed, jobs=setting.jobs,
        command=_repeat("speed", setting),
    )  # fmt: skip


def _accuracy(setting: Setting) -> list[Part]:
    return [
        Part(
            clouds.accuracy(
                quick=setting.quick, seed=setting.seed, jobs=setting.jobs,
                command=_repeat("accuracy", setting),
            ),
            "Where batches of each size end",
        ),
        Part(
            clouds.gradient_noise(
                quick=setting.quick, seed=setting.seed, command=_repeat("accuracy", setting)
            ),
            "How noisy their gradients are",
        ),
    ]  # fmt: skip


def _rate(setting: Setting) -> Result:
    return clouds.rate_suggested(
        quick=setting.quick, seed=setting.seed, command=_repeat("rate", setting)
    )


def _rare(setting: Setting) -> Result:
    return clouds.rare_parameters(
        quick=setting.quick, seed=setting.seed, jobs=setting.jobs, command=_repeat("rare", setting)
    )


def _saddle(setting: Setting) -> list[Part]:
    command = _repeat("saddle", setting)
    deep = clouds.deep_saddle(quick=setting.quick, seed=setting.seed, command=command)
    return [
        Part(clouds.saddle(quick=setting.quick, command=command), "Two variables"),
        Part(deep, "A deep linear network"),
    ]


def _small_rate(setting: Setting) -> Result:
    return clouds.rate_too_small(quick=setting.quick, command=_repeat("small_rate", setting))


def _large_rate(setting: Setting) -> list[Part]:
    quick, command = setting.quick, _repeat("large_rate", setting)
    digits = clouds.sharpness_in_training(quick=quick, seed=setting.seed, command=command)
    return [
        Part(clouds.rate_too_large(quick=quick, command=command), "A quadratic"),
        Part(digits, "A network on digits"),
    ]


def _ravine(setting: Setting) -> list[Part]:
    command = _repeat("ravine", setting)
    return [
        Part(clouds.ravine(quick=setting.quick, command=command), "Quadratics"),
        Part(clouds.rippled_ravine(seed=setting.seed, command=command), "With ripples across"),
    ]


def _landscape(setting: Setting) -> Result:
    model, plane = _small_network(nn.Tanh, (12, 12), setting.seed)
    start, _ = _small_network(nn.Tanh, (12, 12), setting.seed, steps=0)
    return loss_landscape(
        model, mean_loss, plane, start=start, points=21 if setting.quick else 31,
        steps=60 if setting.quick else 150, seed=setting.seed,
        command=_repeat("landscape", setting),
    )  # fmt: skip


def _moons(seed: int, rows: int) -> tuple[Any, Any]:
    data = as_dataset("moons", seed)
    return standardise(data, [np.arange(rows)])[0].x, data.y[:rows]


def _unbiased(layer: nn.Linear) -> nn.Linear:
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _small_network(
    activation: type[nn.Module], widths: Sequence[int], seed: int, steps: int = 300
) -> tuple[nn.Sequential, tuple[Any, Any]]:
    """Return a network trained on moons, with little decay, and the rows it was trained on."""
    plane = _moons(seed, 240)
    generator = mt.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise((2, *widths, 2)):
        layer = nn.Linear(inputs, outputs, dtype=mt.float64)
        nn.init.orthogonal_(layer.weight, gain=1.2, generator=generator)
        layers += [_unbiased(layer), activation()]
    model = nn.Sequential(*layers[:-1])
    optimizer = mt.optim.AdamW(model.parameters(), lr=0.03, weight_decay=0.3)
    x, target = mt.tensor(plane[0]), mt.tensor(plane[1])

    def one_step() -> mt.Tensor:
        optimizer.zero_grad()
        loss = mean_loss(model(x), target)
        loss.backward()
        optimizer.step()
        return loss

    step_once = replayed(one_step)
    for _ in range(steps):
        step_once()
    return model, plane


def _repeat(name: str, setting: Setting) -> str:
    quick = " --quick" if setting.quick else ""
    seed = f" --seed {setting.seed}" if setting.seed else ""
    return f"python -m microtensor.lab report --only {name}{quick}{seed}"


def _compare(setting: Setting) -> Result:
    budget = Budget(
        steps=60, every=10, rates=RATES[::2], draws=2, finalists=1, finalist_runs=2, runs=3
    )
    if setting.quick:
        return compare(
            ("moons", "diabetes", "rosenbrock"), ("sgd", "momentum", "adagrad", "adam"), budget,
            seed=setting.seed, jobs=setting.jobs, command=_repeat("compare", setting),
        )  # fmt: skip
    return compare(
        budget=budget, seed=setting.seed, jobs=setting.jobs, command=_repeat("compare", setting)
    )


def _published(setting: Setting) -> Result:
    return published(command=_repeat("published", setting))


CHAPTERS: list[Chapter] = [
    Chapter(
        "collapse", "Depth without activations adds nothing",
        "However many layers, without an activation between them they fold into one A·x + b. Here "
        "networks of 1 to 50 layers are folded and compared with themselves, and trained and "
        "compared with logistic regression; with an activation the same network does what no "
        "straight line can.",
        _linear,
    ),
    Chapter(
        "sheet", "What a layer does to the plane",
        "A sheet of graph paper with the data on it goes through a network: z¹ after the first "
        "layer, a¹ after its activation, and so on. A layer alone can shear, stretch and turn it. "
        "An activation folds it, and in the end a straight cut does.",
        _sheet,
    ),
    Chapter(
        "pieces", "A ReLU network is a patchwork of flat pieces",
        "Every unit of the first layer creases the plane along a straight line; units of later "
        "layers along lines that bend at earlier creases. Within a piece nothing bends: there the "
        "whole network is one matrix again, and that matrix is its Jacobian. The pieces are "
        "counted exactly, by cutting polygons.",
        _pieces,
    ),
    Chapter(
        "curves", "Every activation has its own manner",
        "One hidden layer fits a curve of one variable. ReLU builds it of straight pieces, tanh "
        "and sigmoid of soft steps; without an activation there is only a line.",
        _curves,
    ),
    Chapter(
        "atlas", "The activations",
        "Every activation that acts on each number alone, with its derivative and what can be "
        "measured of them.",
        _atlas,
    ),
    Chapter(
        "depth", "Activations in deep networks",
        "What happens to signal and gradient on their way through many layers before training, and "
        "what networks reach after it, each at the learning rate that suits it.",
        _depth,
    ),
    Chapter(
        "doctor", "The network doctor",
        "The doctor looks for dead and saturated units, for gradients that vanish or explode, and "
        "for layers that collapse into one, and names a remedy. Two patients: the first is ill, "
        "so that verdicts about it fail, as they should.",
        _doctor,
    ),
    Chapter(
        "speed", "A cloud: a whole pass for one step",
        "Batch gradient descent (BGD) looks at every row before it takes a step; stochastic "
        "gradient descent (SGD) at one; mini-batches at some. The learning rate is chosen for each "
        "size. Few large steps or many small ones: what is cheap depends on what is counted.",
        _speed,
    ),
    Chapter(
        "accuracy", "A cloud: the noise of few rows",
        "The gradient of one row points almost anywhere, and with more rows its error shrinks. A "
        "small rate averages it out over many steps instead: so how well training ends hangs on "
        "the rate more than on the batch, as long as there are steps enough.",
        _accuracy,
    ),
    Chapter(
        "saddle", "A cloud: saddles",
        "On a saddle every slope vanishes, and it is no optimum. How long descent stays there "
        "depends on how near to the ridge it comes. In the weights of a deep network there are "
        "saddles even if it computes one matrix: at zero, and wherever it has learned one part of "
        "the data and not yet the next.",
        _saddle,
    ),
    Chapter(
        "small_rate", "A cloud: a learning rate too small",
        "With a small rate every step is safe, and there are a great many of them.",
        _small_rate,
    ),
    Chapter(
        "large_rate", "A cloud: a learning rate too large",
        "Above a threshold, which the steepest curvature sets, every step leads farther away on a "
        "quadratic. A network's loss is none: while it is trained its sharpness moves, and what is "
        "measured here is where it goes, beside the line 2/η; no threshold is claimed.",
        _large_rate,
    ),
    Chapter(
        "rate", "Which rate, then?",
        "A rate suggested before training: three sweeps from a rate far too small to one far too "
        "large show where the loss begins to rise, and the steepest curvature at the start says "
        "how far a step may lead. Then it is tried, beside smaller and larger ones.",
        _rate,
    ),
    Chapter(
        "ravine", "A cloud: ravines",
        "Flat along the way and steep across it: the steep side limits the rate, and so the flat "
        "one takes long. Momentum makes the price a square root. Methods that scale each parameter "
        "by itself do well where the ravine lies along an axis: so it is shown as written, and "
        "turned.",
        _ravine,
    ),
    Chapter(
        "rare", "A cloud: weights that are rarely asked",
        "A column of zeros and few ones moves its weight only in the rows where it is one. A rate "
        "that suits the frequent columns leaves the rare ones far from where they should be. "
        "Optimizers with a rate for each weight are one cure; to standardise the columns is "
        "another, at the price of rows in which a rare column is large.",
        _rare,
    ),
    Chapter(
        "race", "Optimizers race",
        "Ten optimizers set out from one start. Each had the same budget for its learning rate: "
        "one grid, tried from sixteen starts nearby; the start shown is one that no tuning saw. "
        "On saddles, where a larger rate always leaves sooner, all race at one. Play, scrub, or "
        "step; tap a name to hide it. A winner here is a winner on this surface.",
        _race,
    ),
    Chapter(
        "landscape", "The loss around a trained network",
        "A network has as many directions as weights; two of them make a picture. One plane "
        "through the trained network holds the paths of several optimizers from the same start, "
        "the other is spanned by random directions and shows how sharp the minimum is.",
        _landscape,
    ),
    Chapter(
        "compare", "Optimizers under one budget",
        "Every optimizer has the same number of tuning runs on each task, over a stated space of "
        "learning rates and its other values, with a constant and a cosine schedule. What was "
        "chosen on validation data is run on fresh seeds, on which all start from the same weights "
        "and see the same batches. Who cannot be told "
        "apart shares a rank.",
        _compare,
    ),
    Chapter(
        "published", "Figures from the literature",
        "Numbers that others have published of these optimizers, and what this library gives.",
        _published,
    ),
]  # fmt: skip


def chapter_names() -> tuple[str, ...]:
    """Return the names of the chapters, for ``--only``."""
    return tuple(chapter.name for chapter in CHAPTERS)
