"""What optimizers are compared on: networks on data sets, and functions with a known bottom."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import microtensor as mt
from microtensor import nn
from microtensor.lab.catalogue import chosen
from microtensor.lab.data import (
    DATASETS,
    REGRESSIONS,
    Dataset,
    as_dataset,
    load,
    parts,
)
from microtensor.lab.seeds import seed_for
from microtensor.lab.train import batches, mean_loss, network, predicted

Batch = tuple[mt.Tensor, ...]


@dataclass(eq=False)
class Problem:
    """A task at the start of one run: all of it follows from the run's seed.

    Attributes:
        parameters: what the optimizer changes.
        loss: of one batch, whose tensors it is given; to be differentiated.
        batches: for a number of steps, the tensors of each; without it ``loss`` takes none.
        rows: differentiated at each call of ``loss``.
        measure: the training and the validation loss as they stand; without it, both are ``loss``.
        score: what else a reader wants to know at the end, on test data.
        model: the network, if it is one.
    """

    parameters: Sequence[mt.Tensor]
    loss: Callable[..., mt.Tensor]
    batches: Callable[[int], Sequence[Batch]] | None = None
    rows: int = 1
    measure: Callable[[], tuple[float, float]] | None = None
    score: Callable[[], float] | None = None
    model: nn.Module | None = None

    def losses(self) -> tuple[float, float]:
        """Return the training and the validation loss."""
        if self.measure is not None:
            return self.measure()
        with mt.no_grad():
            value = self.loss().item()
        return value, value


@dataclass(frozen=True, eq=False)
class Task:
    """Something to be optimized, and what counts as solved.

    Attributes:
        name: what tables, pictures and files call it.
        make: returns the :class:`Problem` of a run, from the seed of the run.
        target: a validation loss, declared before any run.
        about: a few words for readers.
        score: what ``Problem.score`` measures: ``"accuracy"``, ``"R²"``, or nothing.
        identity: tells this task from others of the same name in a file of results.

    Example:
        >>> from microtensor import lab
        >>> def bowl(run):
        ...     x = mt.tensor([3.0, 1.0 + run % 7], requires_grad=True)
        ...     return lab.Problem([x], lambda: (x * x).sum())
        >>> lab.Task("bowl", bowl, target=1e-3).name
        'bowl'
    """

    name: str
    make: Callable[[int], Problem]
    target: float
    about: str = ""
    score: str = ""
    identity: str = ""


# Hidden widths and the validation loss that counts as solved. Without hidden layers a network is
# logistic or linear regression.
_KNOWN: dict[str, tuple[tuple[int, ...], float]] = {
    "moons": ((32,), 0.05),
    "circles": ((32,), 0.1),
    "digits": ((32,), 0.2),
    "breast_cancer": ((), 0.1),
    "wine": ((32,), 0.1),
    "iris": ((32,), 0.15),
    "diabetes": ((32,), 0.58),
    "made_regression": ((32,), 0.07),
}
# For a user's own data: this share of the loss of one who knows only how frequent each class is,
# or the mean of the numbers.
_TARGET_SHARE = 0.25
_MOST_ROWS = 32


def task(
    data: str | Dataset | tuple[Any, Any],
    target: float | None = None,
    *,
    hidden: Sequence[int] | None = None,
    activation: str = "relu",
    model: Callable[[int, int], nn.Module] | None = None,
    batch: int = _MOST_ROWS,
    seed: int = 0,
) -> Task:
    """Return the task of training a network on a data set.

    Args:
        data: the name of a data set, a :class:`Dataset`, or a pair (x, y).
        target: the validation loss that counts as solved; for known data sets there is one, for
            others it is a quarter of the loss of one who knows the frequency of each class only.
        hidden: widths of the hidden layers; none for logistic or linear regression.
        activation: after each of them.
        model: a network of one's own: a function of the numbers of inputs and outputs. Its
            parameters are drawn by :func:`microtensor.manual_seed` of the run.
        batch: rows in each step.
        seed: of the comparison: decides which rows are the test rows, and data that are drawn.

    Raises:
        ValueError: an unknown data set or activation, or data with NaN.
        TypeError: data that are not numbers.
    """
    rows = as_dataset(data, seed)
    named = rows.name if _is_known(rows, seed) else None
    widths, known_target = _KNOWN[named] if named else ((_MOST_ROWS,), _guessers_share(rows))
    widths = widths if hidden is None else tuple(hidden)
    chosen(activation)
    outputs = len(rows.classes) or 1
    if model is not None:
        about = f"{getattr(model, '__name__', 'own model')} on {len(rows.y)} rows"
    else:
        sizes = "-".join(str(size) for size in (rows.x.shape[1], *widths, outputs))
        layers = f", {activation}" if widths else ", no hidden layer"
        about = f"network {sizes}{layers}, on {len(rows.y)} rows"
    digest = zlib.crc32(rows.x.tobytes() + rows.y.tobytes())
    return Task(
        rows.name,
        # Known data go by name: workers load them themselves, once.
        functools.partial(_on_data, named or rows, widths, activation, model, batch, seed),
        known_target if target is None else target,
        about,
        "accuracy" if rows.classes else "R²",
        f"{about}, {batch} each, data {digest:08x}, test {seed}, {_code(model)}",
    )


def _is_known(data: Dataset, seed: int) -> bool:
    """Tell whether a data set is the one of its name here, which workers can load themselves."""
    if data.name not in _KNOWN:
        return False
    own = _loaded(data.name, seed)
    return np.array_equal(own.x, data.x) and np.array_equal(own.y, data.y)


def _guessers_share(data: Dataset) -> float:
    if not data.classes:
        return _TARGET_SHARE  # numbers are standardised: whoever says 0 has a loss of 1
    share = np.bincount(data.y) / len(data.y)
    return float(_TARGET_SHARE * -(share * np.log(share)).sum())


@functools.lru_cache(8)
def _loaded(name: str, seed: int) -> Dataset:
    return load(name, seed)


def _on_data(
    data: str | Dataset,
    hidden: tuple[int, ...],
    activation: str,
    own: Callable[[int, int], nn.Module] | None,
    batch: int,
    seed: int,
    run: int,
) -> Problem:
    data = _loaded(data, seed) if isinstance(data, str) else data
    classes = len(data.classes)
    outputs = classes or 1
    kind = mt.int64 if classes else mt.float32
    training, validation, test = (
        (
            mt.tensor(part.x, dtype=mt.float32),
            mt.tensor(part.y if classes else part.y[:, None], dtype=kind),
        )
        for part in parts(data, seed, run)
    )
    start = seed_for(run, "weights")
    if own is not None:
        mt.manual_seed(start)
        model = own(data.x.shape[1], outputs)
    else:
        model = network(
            [data.x.shape[1], *hidden, outputs], chosen(activation)[0].make, start,
            orthogonal=False, dtype=mt.float32,
        )  # fmt: skip

    criterion = mean_loss if classes else _squared

    def loss(x: mt.Tensor, wanted: mt.Tensor) -> mt.Tensor:
        return criterion(model(x), wanted)

    def cut(steps: int) -> list[Batch]:
        x, wanted = (one.numpy() for one in training)
        drawn = batches(len(x), batch, steps, seed_for(run, "batches"))
        return [(mt.from_numpy(x[rows]), mt.from_numpy(wanted[rows])) for rows in drawn]

    def evaluated(part: Batch) -> mt.Tensor:
        training_mode = model.training
        model.eval()
        with mt.no_grad():
            answers = model(part[0])
        model.train(training_mode)
        return answers

    def measure() -> tuple[float, float]:
        first, second = (
            criterion(evaluated(part), part[1]).item() for part in (training, validation)
        )
        return first, second

    def score() -> float:
        answers, wanted = evaluated(test), test[1].numpy()
        if classes:
            return float(np.mean(predicted(answers) == wanted))
        return float(1 - np.mean((answers.numpy() - wanted) ** 2) / wanted.var())

    rows = min(batch, len(training[0]))
    return Problem(list(model.parameters()), loss, cut, rows, measure, score, model)


def _squared(given: mt.Tensor, wanted: mt.Tensor) -> mt.Tensor:
    return ((given - wanted) ** 2).mean()


def deep_linear(run: int, depth: int = 6, width: int = 8) -> Problem:
    """Return a deep linear network before a linear teacher whose directions differ in strength.

    Nothing but its depth makes the problem hard: a plateau at the start, then one direction after
    another is learned (Saxe, McClelland, Ganguli 2014).
    """
    draw = np.random.default_rng(seed_for(run, "deep linear"))
    left, right = (np.linalg.qr(draw.normal(size=(width, width)))[0] for _ in range(2))
    teacher = (left * np.logspace(0.3, -0.7, width)) @ right
    x = draw.normal(size=(512, width))
    y = x @ teacher.T
    given, wanted = (mt.tensor(one, dtype=mt.float32) for one in (x, y))
    layers = [
        mt.tensor(0.9 * draw.normal(size=(width, width)) / math.sqrt(width), dtype=mt.float32)
        for _ in range(depth)
    ]
    for layer in layers:
        layer.requires_grad_()

    def loss(rows: mt.Tensor, answers: mt.Tensor) -> mt.Tensor:
        for layer in layers:
            rows = rows @ layer
        return _squared(rows, answers)

    def cut(steps: int) -> list[Batch]:
        a, b = given.numpy(), wanted.numpy()
        drawn = batches(384, _MOST_ROWS, steps, seed_for(run, "batches"))
        return [(mt.from_numpy(a[rows]), mt.from_numpy(b[rows])) for rows in drawn]

    def measure() -> tuple[float, float]:
        with mt.no_grad():
            return (
                loss(given[:384], wanted[:384]).item(),
                loss(given[384:], wanted[384:]).item(),
            )

    return Problem(layers, loss, cut, _MOST_ROWS, measure)


def quadratic(run: int, size: int = 100) -> Problem:
    """Return a noisy quadratic: of a hundred curvatures, ten are large, and it is rotated.

    Curvatures as in DeepOBS (Schneider, Balles, Hennig 2019): nine in ten uniform in (0, 1), the
    others in (30, 60). A row is a point that pulls; the loss of a batch with mean m is
    ½ (θ − m)ᵀ Q (θ − m), so that its lowest value is 0.
    """
    # The curvatures are the task's; start, rows and batches the run's.
    fixed = np.random.default_rng(seed_for(0, "curvatures"))
    few = size // 10
    curvatures = np.concatenate([fixed.uniform(0, 1, size - few), fixed.uniform(30, 60, few)])
    turn = np.linalg.qr(fixed.normal(size=(size, size)))[0]
    matrix = mt.tensor((turn * curvatures) @ turn.T, dtype=mt.float32)
    draw = np.random.default_rng(seed_for(run, "quadratic"))
    # The minimum is away from 0, which weight decay would find without looking.
    rows = 3 * draw.normal(size=size) + 0.3 * draw.normal(size=(512, size))
    x = mt.zeros(size, dtype=mt.float32).requires_grad_()

    def loss(middle: mt.Tensor) -> mt.Tensor:
        away = x - middle
        return 0.5 * (away * (matrix @ away)).sum()

    def cut(steps: int) -> list[Batch]:
        drawn = batches(384, _MOST_ROWS, steps, seed_for(run, "batches"))
        return [(mt.tensor(rows[some].mean(0), dtype=mt.float32),) for some in drawn]

    middles = [mt.tensor(part.mean(0), dtype=mt.float32) for part in (rows[:384], rows[384:])]

    def measure() -> tuple[float, float]:
        with mt.no_grad():
            return loss(middles[0]).item(), loss(middles[1]).item()

    return Problem([x], loss, cut, _MOST_ROWS, measure)


def rosenbrock(run: int) -> Problem:
    """Return Rosenbrock's function, (1 − x)² + 100 (y − x²)², from around (−1.2, 1); float64."""
    draw = np.random.default_rng(seed_for(run, "rosenbrock"))
    start = np.array([-1.2, 1.0]) + 0.1 * draw.normal(size=2)
    x = mt.tensor(start, dtype=mt.float64, requires_grad=True)

    def loss() -> mt.Tensor:
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    return Problem([x], loss)


FUNCTIONS: dict[str, Task] = {
    one.name: one
    for one in (
        Task("deep_linear", deep_linear, 0.05, "six linear layers of 8, 512 rows"),
        Task("quadratic", quadratic, 3.0, "100 curvatures, ten of them large, rotated, noisy"),
        Task("rosenbrock", rosenbrock, 0.1, "a bent valley in two variables, no noise"),
    )
}

# What is compared on when nothing is said.
TASKS = ("moons", "digits", "breast_cancer", "diabetes", "made_regression", *FUNCTIONS)


def task_names() -> tuple[str, ...]:
    """Return the names of the tasks that :func:`compare` knows.

    Example:
        >>> task_names()[-3:]
        ('deep_linear', 'quadratic', 'rosenbrock')
    """
    return (*DATASETS, *REGRESSIONS, *FUNCTIONS)


def tasks_for(
    given: Sequence[str | Dataset | Task | tuple[Any, Any]], seed: int, batch: int
) -> list[Task]:
    """Return the tasks of a list of names, data sets and tasks.

    Raises:
        ValueError: an unknown name, none, or two of the same name.
        TypeError: something else than these.
    """
    if isinstance(given, (str, Dataset, Task)):
        given = (given,)
    if not given:
        raise ValueError(f"no task given; known are: {', '.join(task_names())}")
    found = []
    for one in given:
        if isinstance(one, str) and one not in task_names():
            raise ValueError(f"unknown task {one!r}; known are: {', '.join(task_names())}")
        if isinstance(one, str) and one in FUNCTIONS:
            one = FUNCTIONS[one]
        found.append(one if isinstance(one, Task) else task(one, batch=batch, seed=seed))
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise ValueError(f"tasks must have different names, got {', '.join(names)}")
    return found


def identity(one: Task) -> str:
    """Return what tells a task from others of its name: for one's own, its code counts."""
    return one.identity or f"{one.name}, {_code(one.make)}"


def _code(function: Any) -> str:
    """Return a number that changes with the code of a function, and not from run to run."""
    code = getattr(function, "__code__", None)
    if code is None:
        return getattr(function, "__qualname__", "")
    return f"{zlib.crc32(repr(_parts_of(code)).encode()):08x}"


def _parts_of(code: Any) -> tuple[Any, ...]:
    constants = tuple(
        _parts_of(one) if hasattr(one, "co_code") else repr(one) for one in code.co_consts
    )
    return code.co_code, code.co_names, constants
