"""What a comparison says: each verdict both ways, ranks, the profile, and the pictures."""

import dataclasses
import math

import numpy as np
import pytest

from microtensor import lab
from microtensor.lab.compare_report import (
    Entry,
    Profile,
    Ranking,
    ahead_verdict,
    comparison_result,
    default_verdict,
    dominance_verdict,
    draws_verdict,
    edge_verdict,
)
from microtensor.lab.trial import Choice, Trial, late_loss

BASE = [0.10, 0.20, 0.30, 0.40, 0.50]
WORSE = [loss * 1.2 + 0.001 * index for index, loss in enumerate(BASE)]
SCATTERED = [0.35, 0.55, 0.15, 0.65, 0.05]
BUDGET = lab.Budget(steps=10, every=5, rates=(0.01, 0.1), runs=5)


def made(losses, reached=math.inf, score=0.9):
    return Trial(
        tuple(range(len(losses))), tuple(losses), tuple(losses), score, reached, 320,
        32 * reached, 1.0, reached / 10, 0.1, 10,
    )  # fmt: skip


def entry(task, name, losses, *, reached=math.inf, default=(), edges=()):
    runs = [made([1.0, loss], reached) for loss in losses]
    standard = [made([1.0, loss]) for loss in default]
    recipe = {**lab.OPTIMIZERS}[name]
    tries = [(Choice(rate), [made([1.0, loss])]) for rate, loss in ((0.01, 0.5), (0.1, losses[0]))]
    return Entry(
        task, recipe, "constant", tries[1][0], tuple(edges), runs, standard, tries, losses[0]
    )


def task(name="bowl"):
    return lab.Task(name, None, target=0.3)


def ranking(where="bowl", **finals):
    here = task(where)
    return Ranking([entry(here, name, losses) for name, losses in finals.items()])


def test_ahead_holds_for_paired_differences_and_not_for_scattered_ones():
    # The same spread between seeds; only the pairing tells the two cases apart.
    ahead = ahead_verdict(ranking(sgd=BASE, adam=WORSE), "")
    assert ahead.status == "holds" and ahead.number < 0.001
    open_one = ahead_verdict(ranking(sgd=BASE, adam=SCATTERED), "")
    assert open_one.status == "unresolved" and "not told apart from" in open_one.detail


def test_ahead_is_corrected_for_the_number_of_pairs():
    wobble = np.array(BASE) * [1.2, 1.4, 1.1, 1.3, 1.1]
    two = ahead_verdict(ranking(sgd=BASE, adam=wobble), "")
    assert two.status == "holds"
    three = ranking(sgd=BASE, adam=wobble, nag=wobble * 1.001)
    assert ahead_verdict(three, "").number > two.number


def test_unresolved_pairs_share_a_rank():
    assert ranking(sgd=BASE, adam=WORSE).ranks == [1, 2]
    assert ranking(sgd=BASE, adam=SCATTERED).ranks == [1, 1]
    # Neither end is told from the middle: all three share, though the ends are told apart.
    three = ranking(sgd=BASE, nag=SCATTERED, adam=[one * 1.9 for one in BASE])
    assert three.apart(0, 2) or three.apart(0, 1) or three.apart(1, 2)
    assert three.ranks == [1, 1, 1]


def test_a_run_that_diverged_counts_as_one_that_stayed():
    lost = ranking(sgd=BASE, adam=[math.inf] * 5)
    assert lost.ranks == [1, 2] and lost.best[1].order == 0.0


def test_edges_hold_and_fail():
    assert edge_verdict([entry(task(), "sgd", BASE)], "").status == "holds"
    flagged = entry(task(), "sgd", BASE, edges=("rate 0.1",))
    verdict = edge_verdict([flagged], "")
    assert verdict.status == "fails" and "SGD on bowl, constant (rate 0.1)" in verdict.detail


def test_drawn_values_may_lie_at_ends_as_often_as_chance_puts_them_there():
    drawn = [
        dataclasses.replace(
            entry(task(), "adam", BASE, edges=("betas.0 0.5",) * (index < 3)),
            choice=Choice(0.1, "constant", {"betas.0": 0.5, "betas.1": 0.99}),
        )
        for index in range(20)
    ]
    assert draws_verdict([entry(task(), "sgd", BASE)], "") is None
    some = draws_verdict(drawn, "")  # 3 of 40, where 2.4 are to be expected
    assert some.status == "holds" and 0.4 < some.number < 0.5
    assert draws_verdict(drawn[5:], "").number == 1
    many = draws_verdict(drawn[:3], "")  # 3 of 6
    assert many.status == "fails" and "Adam on bowl, constant (betas.0 0.5)" in many.detail
    assert edge_verdict(drawn, "").status == "holds"


def test_dominance_holds_and_fails():
    one, two = ranking("a", sgd=BASE, adam=WORSE), ranking("b", sgd=BASE, adam=WORSE)
    assert dominance_verdict([one, two], "").status == "fails"
    other = ranking("b", sgd=WORSE, adam=BASE)
    verdict = dominance_verdict([one, other], "")
    assert verdict.status == "holds" and verdict.number == 1
    nobody = ranking("b", sgd=BASE, adam=SCATTERED)
    assert dominance_verdict([nobody, nobody], "").number == 0


def test_tuned_against_default_holds_and_fails():
    better = Ranking([entry(task(), "sgd", BASE, default=WORSE)])
    assert default_verdict([better], "").status == "holds"
    assert "better in 1" in default_verdict([better], "").detail
    worse = Ranking([entry(task(), "sgd", WORSE, default=BASE)])
    verdict = default_verdict([worse], "")
    assert verdict.status == "fails" and "SGD on bowl" in verdict.detail


def test_the_better_schedule_in_tuning_is_ranked_whatever_fresh_seeds_say():
    here, lucky = task(), entry(task(), "sgd", [0.5] * 5)
    constant = Entry(here, lucky.recipe, "constant", Choice(0.1), (), lucky.runs, tuning_loss=0.2)
    cosine = Entry(
        here, lucky.recipe, "cosine", Choice(0.1), (), [made([1.0, 0.1])] * 5, tuning_loss=0.3
    )
    assert Ranking([constant, cosine]).best == [constant]


def test_the_profile_counts_what_is_solved_within_a_multiple_of_the_quickest():
    one = Ranking([
        entry(task("a"), "sgd", BASE, reached=10), entry(task("a"), "adam", BASE, reached=25),
    ])  # fmt: skip
    two = Ranking([entry(task("b"), "sgd", BASE), entry(task("b"), "adam", BASE, reached=4)])
    profile = Profile([one, two], BUDGET)
    assert [profile.share("sgd", within) for within in (1, 2, 1e300)] == [0.5, 0.5, 0.5]
    assert [profile.share("adam", within) for within in (1, 2, 2.5)] == [0.5, 0.5, 1.0]
    assert profile.table().records[0]["optimizer"] == "Adam"
    unsolved = Ranking([entry(task("c"), "sgd", BASE), entry(task("c"), "adam", BASE)])
    assert Profile([unsolved], BUDGET).share("sgd", 1e300) == 0


def test_late_loss_is_the_mean_of_the_last_quarter():
    assert late_loss(made([9, 9, 9, 9, 9, 9, 1, 3])) == 2
    assert late_loss(made([9, 9, 1])) == 1
    assert late_loss(made([9, 9, 9, 9, math.inf, math.inf])) == math.inf


def result(*rankings):
    entries = [one for found in rankings for one in found.entries]
    return comparison_result(entries, BUDGET, settings={}, seconds={}, command="")


@pytest.mark.parametrize(
    ("finals", "found"),
    [
        ({"sgd": BASE, "adam": WORSE}, "SGD ahead of all others"),
        ({"sgd": BASE, "adam": SCATTERED}, "none clearly ahead"),
        (
            {"sgd": BASE, "adam": WORSE, "nag": [2 * one for one in SCATTERED]},
            "SGD lowest, ahead of 1 of 2",
        ),
    ],
)
def test_titles_say_what_the_verdict_says(finals, found):
    curves = result(ranking(**finals)).figures["compare_curves"]
    assert curves.axes[0].get_title(loc="left") == f"bowl\n{found}"


def test_the_headline_counts_winners():
    def headline(*rankings):
        return result(*rankings).figure._suptitle.get_text()

    mine, yours = ranking("a", sgd=BASE, adam=WORSE), ranking("b", sgd=WORSE, adam=BASE)
    assert "2 of 2 tasks, and it is not always the same" in headline(mine, yours)
    assert "SGD is ahead of all others on every" in headline(mine, ranking(sgd=BASE, adam=WORSE))
    assert headline(ranking(sgd=BASE, adam=SCATTERED)).startswith("On none of the tasks")


def test_pictures_cut_nothing_off():
    many = {name: [one * (1 + place) for one in BASE] for place, name in enumerate(lab.OPTIMIZERS)}
    figures = result(ranking("a", **many), ranking("a_longer_name", **many)).figures
    assert set(figures) == {
        "compare_optimizers", "compare_curves", "compare_rates", "compare_profile",
    }  # fmt: skip
    for figure in figures.values():
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()
        assert drawn.x0 >= -0.01 and drawn.x1 <= figure.get_figwidth() + 0.01
        assert drawn.y0 >= -0.01 and drawn.y1 <= figure.get_figheight() + 0.01
