"""The small GPT: what a tiny run returns, that it repeats, what is measured, what is refused."""

import math
import warnings

import numpy as np
import pytest

import microtensor as mt
from microtensor.lab.char_gpt import Gpt, GptPlan, _held_against, char_gpt, read_text, surprises

TINY = GptPlan(steps=40, width=16, layers=1, heads=2, context=16, batch=4, characters=6000)


def test_a_tiny_run_learns_and_repeats(tmp_path):
    before, threads = mt.get_rng_state().numpy().copy(), mt.get_num_threads()
    result, again = char_gpt(TINY), char_gpt(TINY)
    np.testing.assert_array_equal(mt.get_rng_state().numpy(), before)
    assert mt.get_num_threads() == threads
    assert result.table.saved == again.table.saved
    first, last = result.table.saved[0], result.table.saved[-1]
    assert last["step"] == 40 and last["test"] < first["test"] < math.log2(27) + 0.5
    assert [one.status for one in result.verdicts] == ["fails", "fails"]
    assert result.verdict.number > 0  # nobody knows more than the grammar
    pytest.importorskip("matplotlib")
    assert {path.name for path in result.save(tmp_path)} >= {"char_gpt.png", "char_gpt.json"}


@pytest.mark.parametrize("line", ["abcd\n", "abcd "])
def test_a_text_of_ones_own_is_held_against_pairs(line, tmp_path):
    result = char_gpt(TINY, line * 300)
    assert result.verdict.claim.endswith("than pairs of characters do")
    # Here the pair says all, and the least there can be is 0.
    assert result.verdict.tolerance == pytest.approx(0, abs=0.05)
    pytest.importorskip("matplotlib")
    assert "char_gpt.png" in {path.name for path in result.save(tmp_path)}


def test_a_text_of_odd_letters_is_shown_without_warnings_and_commands_no_terminal(tmp_path):
    result = char_gpt(TINY, "a\x1b[31m\t\u51eb\U0001f600\n" * 300)
    shown = "".join(map(str, result.tables))
    assert "\\x1b" in shown and "\x1b" not in shown and "\u51eb" in shown
    pytest.importorskip("matplotlib")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result.save(tmp_path)


def test_a_short_text_is_not_read_a_hundred_times():
    assert GptPlan().for_text("a" * 10_000_000) == GptPlan()
    assert GptPlan(batch=10, context=50).for_text("a" * 5000).steps == 200


@pytest.mark.parametrize("length", [2, 7, 8, 9, 40, 41])
def test_every_character_is_foretold_once_from_half_a_window_or_all_before(length):
    mt.manual_seed(0)
    model = Gpt(5, GptPlan(width=8, layers=1, heads=2, context=8))
    codes = np.random.default_rng(0).integers(0, 5, length)
    found = surprises(model, codes)
    assert found.shape == (length - 1,) and np.isfinite(found).all()
    first = min(8, length - 1)
    with mt.no_grad():
        logits = model(mt.tensor(codes[None, :first]))
        chances = mt.log_softmax(logits, dim=-1)[0].numpy()
    wanted = -chances[np.arange(first), codes[1 : first + 1]] / math.log(2)
    np.testing.assert_allclose(found[:first], wanted, rtol=1e-5)


def test_a_network_sees_nothing_that_comes_later():
    mt.manual_seed(0)
    model = Gpt(5, GptPlan(width=8, layers=2, heads=2, context=8))
    codes = np.arange(8) % 5
    other = codes.copy()
    other[4:] = 0
    with mt.no_grad():
        one, two = (model(mt.tensor(each[None])).numpy() for each in (codes, other))
    np.testing.assert_array_equal(one[:, :4], two[:, :4])
    assert (one[:, 4:] != two[:, 4:]).any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "at least 1940 characters are needed, got 0"),
        (b"too short", "at least 1940 characters are needed, got 9"),
        (b"a" * 5000, "a single character, 'a'"),
        (b"\xff\xfe" + b"a" * 5000, "must be text in UTF-8; byte 0 is 0xff"),
    ],
)
def test_texts_that_teach_nothing_are_refused(content, message, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"mine.txt: {message}"):
        read_text(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"heads": 3}, "heads must divide width, got 3 and 64"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        GptPlan(**settings)


@pytest.mark.parametrize(
    ("right", "of", "status"), [(156, 182, "unresolved"), (470, 546, "holds"), (5, 16, "fails")]
)
def test_a_share_of_sentences_is_held_against_what_was_asked_with_its_interval(right, of, status):
    rows = [{"accepted": number < right, "read": False} for number in range(of)]
    assert _held_against(0.47, 0.48, "", rows, "")[1].status == status
