"""The page of published figures: what agrees, and what would not."""

import dataclasses

import pytest

from microtensor import lab
from microtensor.lab.published import FIGURES, published

# The figures themselves are tested beside the optimizers.
BOOK = FIGURES[:3]


def test_ours_stand_beside_theirs():
    result = published(BOOK)
    assert [row["theirs"] for row in result.table.records] == [
        "-0.943467; -0.000073", "0.007188; 0.002553", "-2.382563; -0.158591",
    ]  # fmt: skip
    assert [row["ours"] for row in result.table.records] == [
        row["theirs"] for row in result.table.records
    ]
    assert result.verdict.status == "holds" and "lab.published()" in result.verdict.command
    assert result.table.frame()["off"].max() < 1
    assert len(FIGURES) == 9 and lab.published is published


@pytest.mark.parametrize("change", [1e-6, float("nan")])
def test_a_figure_that_differs_fails(change):
    wrong = dataclasses.replace(BOOK[0], ours=lambda: (-0.943467 + change, -0.000073))
    result = published([BOOK[1], wrong])
    assert result.verdict.status == "fails"
    assert "gradient descent, η 0.4" in result.verdict.detail


def test_the_picture_says_where_the_paths_end(monkeypatch):
    figure = published(BOOK).figure
    assert "(-0.943467, -0.000073)" in figure.axes[0].get_title(loc="left")
    assert "to where the book says" in figure._suptitle.get_text()
    wrong = dataclasses.replace(BOOK[0], theirs=(1.0, 1.0))
    monkeypatch.setitem(published.__globals__, "FIGURES", (wrong,))
    assert "not where the book says" in published(BOOK).figure._suptitle.get_text()
