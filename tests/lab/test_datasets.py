"""Checking, loading, splitting and standardising data."""

import numpy as np
import pytest

from microtensor import lab
from microtensor.lab.data import as_dataset, as_datasets, split, standardise

X = [[float(row), 10.0 - row] for row in range(12)]
Y = [0, 1] * 6


def with_value(value, row=3, column=1):
    x = np.array(X)
    x[row, column] = value
    return x


def test_lists_arrays_and_other_dtypes_are_taken():
    for x in (X, np.array(X), np.array(X, np.float32), np.array(X, np.int16), np.array(X, object)):
        data = lab.dataset(x, Y, "mine")
        assert data.x.dtype == np.float64 and data.x.shape == (12, 2)
        assert data.y.dtype == np.int64 and data.outputs == 1
    assert lab.dataset(np.array(X, order="F"), Y).x.flags.c_contiguous


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["no", "yes"] * 6, ("no", "yes")),
        ([True, False] * 6, ("False", "True")),
        ([2.0, 7.0] * 6, ("2", "7")),
        (np.array([[5], [3]] * 6), ("3", "5")),
    ],
)
def test_labels_become_numbers_in_their_order(labels, classes):
    data = lab.dataset(X, labels)
    assert data.classes == classes
    flat = np.asarray(labels).reshape(-1)
    assert [classes[number] for number in data.y] == [
        str(int(label)) if flat.dtype.kind == "f" else str(label) for label in flat.tolist()
    ]


def test_more_classes_need_an_output_each():
    assert lab.dataset(X * 2, [0, 1, 2, 2] * 6).outputs == 3


def test_a_data_frame_brings_its_column_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": range(12), "height": np.linspace(1, 2, 12)})
    data = lab.dataset(frame, pandas.Series(["a", "b"] * 6))
    assert data.columns == ("age", "height")
    frame.loc[3:4, "height"] = np.nan
    with pytest.raises(ValueError, match=r"NaN in 1 of 2 columns, 2 values of 24: height \(2\)"):
        lab.dataset(frame, Y)
    frame["height"] = "tall"
    with pytest.raises(TypeError, match="do not hold numbers: height"):
        lab.dataset(frame, Y)
    with pytest.raises(ValueError, match="NaN in 1 of 12 labels"):
        lab.dataset(X, pandas.Series([pandas.NA, *Y[1:]], dtype="Int64"))


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (with_value(np.nan), Y, ValueError, r"data: NaN in 1 of 2 columns, 1 .*: column 1 \(1\)"),
        (with_value(np.inf), Y, ValueError, "data: infinite values in 1 of 2 columns"),
        (np.full((12, 9), np.nan), Y, ValueError, r"9 of 9 columns.*column 4 \(12\) and 4 more"),
        ([["a", 1.0]] * 12, Y, TypeError, "do not hold numbers: column 0"),
        (np.arange(12.0), Y, ValueError, r"x must be \(rows, columns\), got shape \(12,\)"),
        (np.empty((12, 0)), Y, ValueError, r"got shape \(12, 0\)"),
        (X, Y[:-1], ValueError, r"one label for each of 12 rows, got shape \(11,\)"),
        (X, [0] * 12, ValueError, "at least two classes are needed, found 1"),
        (X, [0, 0.5] * 6, TypeError, "labels must be classes, got fractions such as 0.5"),
        (X, [0, np.nan] * 6, ValueError, "NaN in 6 of 12 labels"),
        (X, [None, "a"] * 6, ValueError, "NaN in 6 of 12 labels"),
        (X, [0] * 11 + [1], ValueError, "class 1 has 1 rows; each class needs"),
    ],
)
def test_wrong_data_are_named(x, y, error, message):
    with pytest.raises(error, match=message):
        lab.dataset(x, y)


def test_known_data_sets_have_the_shapes_they_are_known_for():
    pytest.importorskip("sklearn")
    shapes = {name: lab.load(name).x.shape for name in lab.DATASETS}
    assert shapes == {
        "moons": (2000, 2),
        "circles": (2000, 2),
        "digits": (1797, 64),
        "breast_cancer": (569, 30),
        "wine": (178, 13),
        "iris": (150, 4),
    }
    numbers = {name: lab.load(name) for name in lab.REGRESSIONS}
    assert {name: data.x.shape for name, data in numbers.items()} == {
        "diabetes": (442, 10),
        "made_regression": (800, 20),
    }
    assert all(data.classes == () and data.y.dtype == np.float64 for data in numbers.values())
    assert not np.array_equal(lab.load("moons", 1).x, lab.load("moons", 2).x)
    np.testing.assert_array_equal(lab.load("moons", 1).x, lab.load("moons", 1).x)


def test_unknown_names_and_kinds_are_refused_with_the_legal_ones():
    legal = "moons, circles, digits, breast_cancer"
    with pytest.raises(ValueError, match=f"unknown data set 'suns'; known are: {legal}"):
        lab.load("suns")
    with pytest.raises(TypeError, match=legal):
        as_dataset(7, 0)
    with pytest.raises(ValueError, match=legal):
        as_datasets([], 0)
    with pytest.raises(ValueError, match="different names"):
        as_datasets([(X, Y), (X, Y)], 0)


def test_split_deals_every_row_once_and_each_class_in_the_same_shares():
    labels = np.repeat([0, 1, 2], [40, 20, 20])
    parts = split(labels, (0.5, 0.25, 0.25), seed=3)
    assert sorted(np.concatenate(parts)) == list(range(80))
    assert [np.bincount(labels[part]).tolist() for part in parts] == [
        [20, 10, 10],
        [10, 5, 5],
        [10, 5, 5],
    ]
    again = split(labels, (0.5, 0.25, 0.25), seed=3)
    assert all(np.array_equal(one, other) for one, other in zip(parts, again, strict=True))
    assert not np.array_equal(parts[0], split(labels, (0.5, 0.25, 0.25), seed=4)[0])


def test_standardising_knows_the_first_part_only(rng):
    x = np.column_stack([rng.normal(5, 3, 60), np.full(60, 0.1), np.full(60, 0.0)])
    x[40:, 0] += 100
    data = lab.dataset(x, [0, 1] * 30)
    first, second = standardise(data, [np.arange(40), np.arange(40, 60)])
    np.testing.assert_allclose(first.x[:, 0].mean(), 0, atol=1e-12)
    np.testing.assert_allclose(first.x[:, 0].std(), 1)
    assert second.x[:, 0].mean() > 20
    # columns that are constant in the first part are centred, not blown up
    np.testing.assert_allclose(first.x[:, 1:], 0, atol=1e-12)


def test_csv_with_and_without_header(tmp_path):
    rows = "\n".join(f"{row},{10 - row},{'ab'[row % 2]}" for row in range(12))
    path = tmp_path / "mine.csv"
    path.write_text(rows)
    data = lab.load_csv(path)
    assert (data.name, data.columns, data.classes) == ("mine", ("column 0", "column 1"), ("a", "b"))
    path.write_text("age,height,kind\n" + rows + "\n\n")
    data = lab.load_csv(path)
    assert data.columns == ("age", "height")
    np.testing.assert_array_equal(data.x[:, 0], np.arange(12))


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ValueError, "numbers and, last, the class"),
        ("1,2,a\n1,a", ValueError, "line 2: 2 cells where 3 are expected"),
        ("age,height,kind\n1,,a\n3,nan,b", ValueError, r"NaN in 1 of 2 columns.*height \(2\)"),
        ("1,2,a\n3,4,", ValueError, "NaN in 1 of 2 labels"),
        ("1,2,a\n3,tall,b", TypeError, "do not hold numbers: column 1"),
    ],
)
def test_wrong_csv_is_named(tmp_path, text, error, message):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(error, match=message):
        lab.load_csv(path)
