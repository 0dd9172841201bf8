"""The small parts: optional libraries, seeds, statistics, parallel work, drawing, training."""

import itertools
import sys

import numpy as np
import pytest

import microtensor as mt
from microtensor import lab
from microtensor.lab import plot
from microtensor.lab.optional import require
from microtensor.lab.parallel import run_all
from microtensor.lab.seeds import seed_for
from microtensor.lab.statistics import holm, mean_interval, paired_p, share_interval
from microtensor.lab.style import OPTIMIZERS, styled
from microtensor.lab.train import batches, cosine, mean_loss, network, predicted, probabilities


def test_a_missing_library_is_named_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.delitem(sys.modules, "sklearn.datasets", raising=False)
    with pytest.raises(ImportError, match=r"needs sklearn.*pip install scikit-learn"):
        lab.load("moons")


def test_a_library_that_is_broken_keeps_its_own_message(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("import something_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_there"):
        require("broken_library")


def test_importing_the_lab_imports_no_optional_library():
    import subprocess

    code = (
        "import sys; from microtensor import lab; "
        "print([n for n in ('sklearn', 'matplotlib', 'rich', 'scipy', 'joblib', 'pandas', 'torch')"
        " if n in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_seeds_differ_by_name_and_not_by_call():
    names = list(itertools.product(("a", "b"), ("weights", "batches"), (0, 1)))
    seeds = {seed_for(seed, *name) for seed in (0, 1) for name in names}
    assert len(seeds) == 16
    assert seed_for(3, "a", 1) == seed_for(3, "a", 1) != seed_for(4, "a", 1)
    with pytest.raises(ValueError, match="must not be negative"):
        seed_for(-1, "a")


def test_mean_interval_and_paired_p_are_scipys(rng):
    stats = pytest.importorskip("scipy.stats")
    first, second = rng.normal(0, 1, 7), rng.normal(0.5, 1, 7)
    mean, half = mean_interval(first)
    low, high = stats.t.interval(0.95, 6, loc=first.mean(), scale=stats.sem(first))
    np.testing.assert_allclose([mean - half, mean + half], [low, high], rtol=1e-12)
    expected = stats.ttest_rel(first, second).pvalue
    np.testing.assert_allclose(paired_p(first, second), expected, rtol=1e-10)


def test_runs_that_diverged_are_not_left_out():
    mean, half = mean_interval([1.0, np.inf, 2.0])
    assert mean == np.inf and np.isnan(half)
    assert paired_p([1.0, np.inf], [2.0, 1.0]) == 1.0


def test_differences_that_are_all_equal():
    assert paired_p([1, 2, 3], [1, 2, 3]) == 1.0
    assert paired_p([1, 2, 3], [2, 3, 4]) == 0.0


def test_holm_against_its_definition(rng):
    p = rng.random(9) * 0.1
    corrected = holm(p)
    ranked = np.sort(p)
    expected = [min(1.0, max((9 - i) * ranked[i] for i in range(k + 1))) for k in range(9)]
    np.testing.assert_allclose(np.array(corrected)[np.argsort(p)], expected)


def seven_times(number, fail=False):
    if fail:
        raise ArithmeticError(f"at {number}")
    return 7 * number, mt.get_num_threads()


@pytest.mark.parametrize("jobs", [1, 2])
def test_answers_come_in_the_order_of_the_questions(jobs):
    answers = run_all(seven_times, [(number,) for number in range(20)], jobs=jobs)
    assert answers == [(7 * number, 1) for number in range(20)]


def test_an_error_in_the_work_comes_out():
    with pytest.raises(ArithmeticError, match="at 3"):
        run_all(seven_times, [(1,), (3, True)], jobs=1)
    with pytest.raises(ValueError, match="jobs must be at least 1"):
        run_all(seven_times, [(1,)], jobs=0)
    assert run_all(seven_times, [], jobs=1) == []


def test_a_progress_bar_writes_to_standard_error_only(capsys):
    run_all(seven_times, [(1,), (2,)], jobs=1, progress="sevens")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("seed", range(20))
def test_spread_keeps_order_gap_and_bounds(seed):
    wanted = np.random.default_rng(seed).random(8)
    gap = 0.1
    placed = plot.spread(wanted, gap)
    assert (np.diff(np.sort(placed)) >= gap - 1e-12).all()
    assert placed.min() >= 0 and placed.max() <= 1 + 1e-12
    np.testing.assert_array_equal(np.argsort(placed), np.argsort(wanted))
    np.testing.assert_allclose(plot.spread(np.array([0.1, 0.5, 0.9]), gap), [0.1, 0.5, 0.9])


def test_labels_at_line_ends_do_not_overlap_and_stay_on_the_figure():
    with styled():
        figure = plot.new_figure(4, 3)
        axes = figure.subplots()
        ends = []
        for index, (name, (colour, dash)) in enumerate(OPTIMIZERS.items()):
            axes.plot([0, 1], [1, 2 + index / 100], dash, color=colour)
            ends.append((2 + index / 100, name, colour))
        plot.label_line_ends(axes, ends)
        figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 8
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    whole = figure.bbox
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 for box in boxes)
    assert all(whole.y0 <= box.y0 and box.y1 <= whole.y1 for box in boxes)


def test_every_optimizer_has_its_own_colour():
    assert set(OPTIMIZERS) == set(lab.OPTIMIZERS)
    assert len({colour for colour, _ in OPTIMIZERS.values()}) == len(OPTIMIZERS)


def test_styling_leaves_matplotlib_as_it_was():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with styled():
        assert matplotlib.rcParams["axes.spines.top"] is False
    assert dict(matplotlib.rcParams) == before


def test_batches_use_every_row_equally_often_and_repeat_with_the_seed():
    taken = list(batches(10, 4, 15, seed=1))
    assert all(len(rows) == 4 for rows in taken)
    counts = np.bincount(np.concatenate(taken), minlength=10)
    assert (counts == 6).all()
    again = list(batches(10, 4, 15, seed=1))
    assert all(np.array_equal(one, other) for one, other in zip(taken, again, strict=True))
    assert len(next(batches(3, 32, 1, seed=0))) == 3


@pytest.mark.parametrize("orthogonal", [True, False])
def test_networks_of_one_seed_start_alike_whatever_stands_between(orthogonal):
    sizes = (2, 16, 16, 1)
    nets = [
        network(sizes, kind, 5, orthogonal=orthogonal, dtype=mt.float64)
        for kind in ("linear", "relu", "tanh")
    ]
    assert [len(net) for net in nets] == [3, 5, 5]
    for parameters in zip(*(net.parameters() for net in nets), strict=True):
        for other in parameters[1:]:
            assert bool((parameters[0] == other).all())
    other_seed = network(sizes, "linear", 6, orthogonal=orthogonal, dtype=mt.float64)
    assert not bool((other_seed[0].weight == nets[0][0].weight).all())
    if orthogonal:
        middle = nets[0][1].weight.detach().numpy()
        np.testing.assert_allclose(middle @ middle.T, np.eye(16), atol=1e-12)


def test_one_logit_and_two_outputs_mean_the_same():
    logits = mt.tensor([[0.3], [-2.0], [800.0]], dtype=mt.float64)
    two = mt.cat([mt.zeros(3, 1, dtype=mt.float64), logits], dim=1)
    np.testing.assert_allclose(probabilities(logits), probabilities(two), rtol=1e-15)
    np.testing.assert_array_equal(predicted(logits), predicted(two))
    labels = mt.tensor([1, 0, 1])
    one_loss = mean_loss(logits, labels.to(mt.float64).unsqueeze(1)).item()
    np.testing.assert_allclose(one_loss, mean_loss(two, labels).item(), rtol=1e-14)
    np.testing.assert_allclose(probabilities(logits)[0, 1], 1 / (1 + np.exp(-0.3)), rtol=1e-15)


def test_the_rate_falls_along_half_a_cosine():
    assert cosine(0, 100) == 1
    np.testing.assert_allclose(cosine(50, 100), 0.5)
    assert 0 < cosine(99, 100) < 0.001


@pytest.mark.parametrize(("hits", "of"), [(0, 12), (7, 9), (156, 182), (12, 12)])
def test_the_interval_of_a_share_is_scipys(hits, of):
    test = pytest.importorskip("scipy.stats").binomtest(hits, of)
    expected = test.proportion_ci(0.95, method="wilson")
    assert share_interval(hits, of) == pytest.approx((expected.low, expected.high), abs=1e-6)
    assert share_interval(0, 0) == (0.0, 1.0)  # nothing was counted, and nothing is known
