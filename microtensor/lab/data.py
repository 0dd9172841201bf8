"""Data sets: scikit-learn's own and the user's, checked before anything is computed from them."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microtensor.lab.optional import require
from microtensor.lab.seeds import seed_for

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

# Fewer rows of a class than this cannot be spread over training, validation and test parts.
_FEWEST_PER_CLASS = 6


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of numbers and the class of each.

    Attributes:
        name: what tables and pictures call it.
        x: float64, (rows, columns).
        y: int64, (rows,), from 0 to ``len(classes) - 1``; float64 if numbers are to be predicted.
        columns: a name per column.
        classes: the labels as they were given, in the order of their numbers; none for numbers.
    """

    name: str
    x: Floats
    y: NDArray[Any]
    columns: tuple[str, ...]
    classes: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """The outputs a network needs: one number, one logit for two classes, else one each."""
        return 1 if len(self.classes) in (0, 2) else len(self.classes)

    @property
    def strata(self) -> Labels:
        """What has the same shares in every part: the classes, if there are any."""
        return self.y.astype(np.int64) if self.classes else np.zeros(len(self.y), np.int64)


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a data set, standardised."""

    x: Floats
    y: NDArray[Any]


def dataset(x: Any, y: Any, name: str = "data", columns: Sequence[str] | None = None) -> Dataset:
    """Check a table of numbers and its labels, and make a data set of them.

    Args:
        x: rows of numbers, (rows, columns): an array, nested lists or a DataFrame.
        y: a class for each row: integers, strings or booleans, at least two different ones.
        name: what tables and pictures call it.
        columns: a name per column; a DataFrame brings its own.

    Raises:
        TypeError: values that are not numbers, or labels that are not classes.
        ValueError: wrong shapes, NaN or infinite values (counted by column), fewer than two
            classes, or too few rows of one.

    Example:
        >>> flowers = dataset([[0.1, 2.0]] * 6 + [[0.3, 1.0]] * 6, ["a"] * 6 + ["b"] * 6)
        >>> flowers.classes, flowers.outputs
        (('a', 'b'), 1)
    """
    numbers, names = _table(x, name, columns)
    classes, labels = _classes(name, np.asarray(y), len(numbers))
    return Dataset(name, numbers, labels, names, classes)


def regression(x: Any, y: Any, name: str = "data", columns: Sequence[str] | None = None) -> Dataset:
    """Check a table of numbers and a number to predict for each row, and make a data set of them.

    Args:
        x: rows of numbers, (rows, columns): an array, nested lists or a DataFrame.
        y: a number for each row, (rows,) or (rows, 1).
        name: what tables and pictures call it.
        columns: a name per column; a DataFrame brings its own.

    Raises:
        TypeError: values that are not numbers.
        ValueError: wrong shapes, NaN or infinite values, too few rows, or numbers all the same.

    Example:
        >>> line = regression([[float(k)] for k in range(12)], [2.0 * k for k in range(12)])
        >>> line.classes, line.outputs
        ((), 1)
    """
    numbers, names = _table(x, name, columns)
    wanted = np.asarray(y)
    if wanted.shape not in ((len(numbers),), (len(numbers), 1)):
        raise ValueError(
            f"{name}: y must hold one number for each of {len(numbers)} rows, "
            f"got shape {wanted.shape}"
        )
    if len(numbers) < 2 * _FEWEST_PER_CLASS:
        raise ValueError(f"{name}: {len(numbers)} rows; {2 * _FEWEST_PER_CLASS} are needed")
    values = _numbers(name, wanted.reshape(-1, 1), ("y",))[:, 0]
    if np.ptp(values) == 0:
        raise ValueError(f"{name}: y is {values[0]:g} in every row; there is nothing to predict")
    return Dataset(name, numbers, values, names, ())


def _table(x: Any, name: str, columns: Sequence[str] | None) -> tuple[Floats, tuple[str, ...]]:
    """Return rows of numbers as float64, and the names of their columns."""
    values = np.asarray(x)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"{name}: x must be (rows, columns), got shape {values.shape}")
    if columns is None:
        columns = getattr(x, "columns", [f"column {index}" for index in range(values.shape[1])])
    names = tuple(str(column) for column in columns)
    if len(names) != values.shape[1]:
        raise ValueError(f"{name}: {len(names)} names for {values.shape[1]} columns")
    return _numbers(name, values, names), names


def _numbers(name: str, values: NDArray[Any], columns: Sequence[str]) -> Floats:
    """Return the values as float64, or say which columns are not finite numbers."""
    if values.dtype.kind not in "fiub":
        bad = [
            column for column, one in zip(columns, values.T, strict=True) if not _is_numeric(one)
        ]
        if bad:
            raise TypeError(f"{name}: these columns do not hold numbers: {_listed(bad)}")
    values = np.ascontiguousarray(values, np.float64)
    for what, wrong in (("NaN", np.isnan(values)), ("infinite values", np.isinf(values))):
        counts = wrong.sum(0)
        if counts.any():
            found = [
                f"{columns[index]} ({counts[index]})" for index in np.flatnonzero(counts).tolist()
            ]
            raise ValueError(
                f"{name}: {what} in {len(found)} of {len(columns)} columns, "
                f"{counts.sum()} values of {values.size}: {_listed(found)}"
            )
    return values


def _is_numeric(column: NDArray[Any]) -> bool:
    try:
        column.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return True


def _classes(name: str, labels: NDArray[Any], rows: int) -> tuple[tuple[str, ...], Labels]:
    """Return the distinct labels and each row's number among them."""
    if labels.ndim == 2 and labels.shape[1] == 1:  # a DataFrame of one column
        labels = labels[:, 0]
    if labels.shape != (rows,):
        raise ValueError(
            f"{name}: y must hold one label for each of {rows} rows, got shape {labels.shape}"
        )
    missing = sum(_is_missing(label) for label in labels.tolist())
    if missing:
        raise ValueError(f"{name}: NaN in {missing} of {rows} labels")
    if labels.dtype.kind == "f":
        if not np.all(labels == np.round(labels)):
            raise TypeError(
                f"{name}: labels must be classes, got fractions such as "
                f"{labels[labels != np.round(labels)][0]}"
            )
        labels = labels.astype(np.int64)
    found, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(found) < 2:
        raise ValueError(f"{name}: at least two classes are needed, found {len(found)}")
    if counts.min() < _FEWEST_PER_CLASS:
        rare = found[counts.argmin()]
        raise ValueError(
            f"{name}: class {rare} has {counts.min()} rows; each class needs {_FEWEST_PER_CLASS}"
        )
    return tuple(str(label) for label in found.tolist()), numbers.astype(np.int64)


def _is_missing(label: Any) -> bool:
    # NaN differs from itself; pandas' own NA refuses to answer, so it is known by its type.
    return label is None or type(label).__name__ == "NAType" or bool(label != label)


def _listed(items: Sequence[str], most: int = 5) -> str:
    rest = len(items) - most
    return ", ".join(items[:most]) + (f" and {rest} more" if rest > 0 else "")


def _moons(seed: int) -> tuple[Any, Any, Sequence[str]]:
    x, y = require("sklearn.datasets").make_moons(2000, noise=0.1, random_state=seed)
    return x, y, ("x1", "x2")


def _circles(seed: int) -> tuple[Any, Any, Sequence[str]]:
    make_circles = require("sklearn.datasets").make_circles
    x, y = make_circles(2000, noise=0.1, factor=0.5, random_state=seed)
    return x, y, ("x1", "x2")


def _digits(seed: int) -> tuple[Any, Any, Sequence[str]]:
    bunch = require("sklearn.datasets").load_digits()
    return bunch.data, bunch.target, bunch.feature_names


def _breast_cancer(seed: int) -> tuple[Any, Any, Sequence[str]]:
    bunch = require("sklearn.datasets").load_breast_cancer()
    return bunch.data, bunch.target, tuple(bunch.feature_names)


def _wine(seed: int) -> tuple[Any, Any, Sequence[str]]:
    bunch = require("sklearn.datasets").load_wine()
    return bunch.data, bunch.target, tuple(bunch.feature_names)


def _iris(seed: int) -> tuple[Any, Any, Sequence[str]]:
    bunch = require("sklearn.datasets").load_iris()
    return bunch.data, bunch.target, tuple(bunch.feature_names)


def _diabetes(seed: int) -> tuple[Any, Any, Sequence[str]]:
    bunch = require("sklearn.datasets").load_diabetes()
    return bunch.data, bunch.target, tuple(bunch.feature_names)


def _made_regression(seed: int) -> tuple[Any, Any, Sequence[str]]:
    # Ten columns of twenty matter, and their effective rank of five makes for a ravine.
    x, y = require("sklearn.datasets").make_regression(
        800, 20, n_informative=10, effective_rank=5, noise=0.5, random_state=seed
    )
    return x, y, [f"x{column}" for column in range(1, 21)]


DATASETS: dict[str, Callable[[int], tuple[Any, Any, Sequence[str]]]] = {
    "moons": _moons,
    "circles": _circles,
    "digits": _digits,
    "breast_cancer": _breast_cancer,
    "wine": _wine,
    "iris": _iris,
}

# Where a number is predicted.
REGRESSIONS: dict[str, Callable[[int], tuple[Any, Any, Sequence[str]]]] = {
    "diabetes": _diabetes,
    "made_regression": _made_regression,
}


def load(name: str, seed: int = 0) -> Dataset:
    """Load one of scikit-learn's data sets.

    Args:
        name: moons (2000 rows, noise 0.1), circles (2000 rows, noise 0.1, factor 0.5), digits,
            breast_cancer, wine or iris; or, where a number is predicted, diabetes or
            made_regression (800 rows).
        seed: for the ones that are drawn.

    Raises:
        ValueError: an unknown name; the message lists the known ones.
        ImportError: scikit-learn is not installed.

    Example:
        >>> load("iris").x.shape, load("iris").outputs
        ((150, 4), 3)
    """
    if name in REGRESSIONS:
        x, y, columns = REGRESSIONS[name](seed_for(seed, name, "drawn"))
        return regression(x, y, name, columns)
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; known are: {', '.join(DATASETS)}")
    x, y, columns = DATASETS[name](seed_for(seed, name, "drawn"))
    return dataset(x, y, name, columns)


def load_csv(path: str | Path) -> Dataset:
    """Read a data set from a CSV file: numbers, and the class in the last column.

    A first line that holds names instead of numbers is taken as the header. Empty cells count as
    NaN, which is then reported by column.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line of another length (its number is named), or what :func:`dataset` raises.
    """
    path = Path(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row]
    if not lines or len(lines[0][1]) < 2:
        raise ValueError(f"{path}: a CSV file with numbers and, last, the class is needed")
    width = len(lines[0][1])
    for number, row in lines:
        if len(row) != width:
            raise ValueError(f"{path}, line {number}: {len(row)} cells where {width} are expected")
    header: list[str] = []
    if not any(_is_number(cell) for cell in lines[0][1][:-1]):
        header = lines.pop(0)[1]
    cells = np.array([row for _, row in lines], dtype=object).reshape(len(lines), width)
    empty = np.vectorize(_is_empty, otypes=[bool])(cells)
    cells[empty] = math.nan
    return dataset(cells[:, :-1], cells[:, -1], path.stem, header[:-1] or None)


def _is_empty(cell: str) -> bool:
    return cell.strip().lower() in ("", "na", "nan")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return _is_empty(cell)
    return True


def as_dataset(given: str | Dataset | tuple[Any, Any], seed: int) -> Dataset:
    """Return a data set from its name, from (x, y), or as it is."""
    if isinstance(given, Dataset):
        return given
    if isinstance(given, str):
        return load(given, seed)
    if isinstance(given, tuple) and len(given) == 2:
        return dataset(*given)
    raise TypeError(
        f"a data set must be a name ({', '.join(DATASETS)}), a pair (x, y) or a lab.Dataset, "
        f"got {type(given).__name__}"
    )


def as_datasets(given: Sequence[str | Dataset | tuple[Any, Any]], seed: int) -> list[Dataset]:
    """Return the data sets of a list, each name once."""
    if isinstance(given, str):
        given = (given,)
    found = [as_dataset(one, seed) for one in given]
    names = [one.name for one in found]
    if not found:
        raise ValueError(f"no data set given; known are: {', '.join(DATASETS)}")
    if len(set(names)) < len(names):
        raise ValueError(f"data sets must have different names, got {', '.join(names)}")
    return found


def call(datasets: Sequence[Dataset]) -> str:
    """Return data sets as a call names them: scikit-learn's by name, others as variables."""
    shown = [repr(one.name) if one.name in DATASETS else one.name for one in datasets]
    return f"[{', '.join(shown)}]"


def split(labels: Labels, shares: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Deal rows out by lot, each class in the same shares.

    Args:
        labels: the class of each row.
        shares: positive numbers whose sum is 1.
        seed: the lot.

    Returns:
        For each share the numbers of its rows, in random order.

    Example:
        >>> first, second = split(np.array([0, 0, 0, 0, 1, 1]), (0.5, 0.5), seed=0)
        >>> len(first), len(second), sorted([*first, *second]) == [0, 1, 2, 3, 4, 5]
        (3, 3, True)
    """
    draw = np.random.default_rng(seed)
    ends = np.cumsum(shares)[:-1]
    dealt = []
    for label in np.unique(labels):
        rows = draw.permutation(np.flatnonzero(labels == label))
        dealt.append(np.split(rows, np.round(ends * len(rows)).astype(int)))
    return [draw.permutation(np.concatenate(part)) for part in zip(*dealt, strict=True)]


def standardise(data: Dataset, rows: Sequence[NDArray[np.int64]]) -> list[Part]:
    """Return parts with mean 0 and deviation 1 in the first; the others follow its scale.

    A column that is constant in the first part is centred only. Numbers to be predicted are
    standardised likewise.
    """
    mean, deviation = scale_of(data.x[rows[0]])
    y = data.y
    if not data.classes:
        middle, spread = scale_of(y[rows[0]])
        y = (y - middle) / spread
    return [Part((data.x[part] - mean) / deviation, y[part]) for part in rows]


def parts(data: Dataset, seed: int, run: int) -> list[Part]:
    """Return the training, validation and test parts of a run, standardised by the first."""
    return standardise(data, part_rows(data, seed, run))


def scale_of(values: Floats) -> tuple[Floats, Floats]:
    """Return the mean of each column, and its deviation, or 1 where it is constant."""
    mean, deviation = values.mean(0), values.std(0)
    # Rounding leaves a constant column a deviation of about 1e-16 times its size, not zero.
    constant = deviation <= 1e-12 * np.abs(values).max(0, initial=0.0)
    return mean, np.where(constant, 1.0, deviation)


def part_rows(data: Dataset, seed: int, run: int) -> list[NDArray[np.int64]]:
    """Return the numbers of the training, validation and test rows of a run.

    The test rows depend on the seed of the comparison only, so that no run, of tuning neither,
    sees one of them; the other rows are dealt out anew for each run.
    """
    strata = data.strata
    rest, test = split(strata, (0.75, 0.25), seed_for(seed, data.name, "test"))
    training, validation = split(strata[rest], (0.75, 0.25), seed_for(run, "split"))
    return [rest[training], rest[validation], test]
