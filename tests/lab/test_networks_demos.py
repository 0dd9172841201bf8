"""The network demos: what a tiny run returns, that it repeats, and what is refused."""

import numpy as np
import pytest

import microtensor as mt
from microtensor.lab.digits_cnn import DigitsPlan, digits_cnn, moved

pytest.importorskip("sklearn")

TINY = DigitsPlan(epochs=2, width=2)


def test_the_digits_are_learnt_and_a_run_repeats(tmp_path):
    before = mt.get_rng_state().numpy().copy()
    result, again = digits_cnn(TINY), digits_cnn(TINY)
    np.testing.assert_array_equal(mt.get_rng_state().numpy(), before)
    assert result.table.saved == again.table.saved
    first, last = result.table.saved
    assert last["train_loss"] < first["train_loss"]
    digits = result.tables[1].records
    right = sum(row["right"] for row in digits) / sum(row["images"] for row in digits)
    assert result.verdict.number == pytest.approx(right) == pytest.approx(last["test_accuracy"])
    assert result.verdict.status == ("holds" if right >= 0.985 else "fails")
    pytest.importorskip("matplotlib")
    assert {path.name for path in result.save(tmp_path)} >= {"digits_cnn.png", "digits_cnn.json"}


def test_moved_images_are_shifted_by_a_pixel_at_most():
    image = np.zeros((50, 1, 8, 8), np.float32)
    image[:, 0, 3, 4] = 1.0
    _, _, down, right = np.nonzero(moved(image, np.random.default_rng(0)))
    assert len(down) == 50 and set(down) == {2, 3, 4} and set(right) == {3, 4, 5}


def test_a_plan_without_epochs_is_refused():
    with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
        DigitsPlan(epochs=0)
