"""The cloud of the saddle: plain descent's law met by plain descent, and by no other."""

import pytest

pytest.importorskip("matplotlib")

from microtensor.lab import clouds


def test_plain_descent_leaves_a_saddle_as_theory_says():
    result = clouds.saddle(("sgd",), quick=True)
    assert [verdict.status for verdict in result.verdicts] == ["holds", "holds"]
    assert result.figure.axes


def test_momentum_does_not_follow_the_law_of_plain_descent():
    assert clouds.saddle(("momentum",), judged="momentum", quick=True).verdict.status == "fails"


def test_a_saddle_that_is_not_left_in_time_decides_nothing():
    assert clouds.saddle(("sgd",), rate=1e-5, quick=True).verdict.status == "unresolved"


def test_saddle_judges_only_who_runs():
    with pytest.raises(ValueError, match="judged must be one of sgd"):
        clouds.saddle(("sgd",), judged="adam")


def test_who_never_leaves_is_marked_and_named_as_elsewhere():
    figure = clouds.saddle(("sgd", "adam"), quick=True).figure
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("Gradient descent") == texts.count("Adam") == 4
    assert texts.count("△ not left within 600 steps") == 2  # on the monkey saddles
