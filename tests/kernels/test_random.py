"""Philox4x32-10 and what is made of it."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_cases import (
    IMPLEMENTATIONS,
    LAYOUTS,
    each_dtype,
    each_implementation,
    needs_native,
    numbers,
)

SIZES = [0, 1, 2, 3, 4, 5, 127, 128, 129, 1000, 70001]


def _philox(seed, counter):
    """Give the four words of a counter: the paper's rounds in Python's integers."""
    c, k = [counter % 2**32, counter >> 32, 0, 0], [seed % 2**32, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b % 2**32, a >> 32 ^ c[3] ^ k[1], a % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def _state(seed, offset=0):
    return np.array([seed, offset], np.uint64)


def _bits(implementation, state, size):
    out = np.empty(size, np.uint32)
    IMPLEMENTATIONS[implementation]["random_bits"](state, out)
    return out


def _uniform(implementation, state, size, dtype):
    out = np.full(size, 7, dtype)
    IMPLEMENTATIONS[implementation]["random_uniform"](state, out)
    return out


@each_implementation
def test_known_answer(implementation):
    """The vector of the authors' Random123 for counter and key 0."""
    words = _bits(implementation, _state(0), 4)
    assert [hex(word) for word in words] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]


@each_implementation
@pytest.mark.parametrize("seed", [1, 2**32, 2**63 + 12345, 2**64 - 1])
@pytest.mark.parametrize("offset", [0, 1, 2**32 - 2, 2**40 + 17, 2**64 - 3])
def test_words_follow_the_paper(implementation, seed, offset):
    state = _state(seed, offset)
    words = _bits(implementation, state, 30)
    counters = [(offset + i) % 2**64 for i in range(8)]
    expected = [word for counter in counters for word in _philox(seed, counter)]
    assert words.tolist() == expected[:30]
    assert state.tolist() == [seed, (offset + 8) % 2**64]


@each_implementation
@each_dtype
def test_uniform_numbers_are_made_of_the_words_exactly(implementation, dtype):
    numbers_ = _uniform(implementation, _state(42, 5), 300, dtype)
    words = _bits("numpy", _state(42, 5), 600).astype(object)
    if dtype == np.float32:
        expected = [int(word) >> 8 for word in words[:300]]
        assert (numbers_.astype(np.float64) * 2**24).tolist() == expected
    else:
        expected = [
            (int(words[2 * i]) >> 5) * 2**26 + (int(words[2 * i + 1]) >> 6) for i in range(300)
        ]
        assert (numbers_ * 2**53).tolist() == expected


@each_implementation
@each_dtype
def test_uniform_numbers_are_uniform(implementation, dtype):
    u = _uniform(implementation, _state(7), 200_000, dtype)
    assert u.min() >= 0 and u.max() < 1
    counts = np.bincount((u * 100).astype(int), minlength=100)
    # χ² of 99 degrees of freedom is below 180 with probability 1 - 1e-6; the seed is fixed
    assert ((counts - 2000) ** 2 / 2000).sum() < 180
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.01


@needs_native
@each_dtype
@pytest.mark.parametrize("size", SIZES)
def test_both_implementations_draw_the_same(dtype, size):
    native, numpy = _state(99, 3), _state(99, 3)
    for _ in range(2):
        np.testing.assert_array_equal(_bits("native", native, size), _bits("numpy", numpy, size))
        np.testing.assert_array_equal(
            _uniform("native", native, size, dtype), _uniform("numpy", numpy, size, dtype)
        )
        x, results = numbers(size, dtype), []
        for name, state in (("native", native), ("numpy", numpy)):
            mask, out = np.empty(size, dtype), np.empty(size, dtype)
            IMPLEMENTATIONS[name]["dropout"](x, 0.3, state, mask, out)
            results += [mask, out]
        np.testing.assert_array_equal(results[0], results[2])
        np.testing.assert_array_equal(results[1], results[3])
        assert native.tolist() == numpy.tolist()


@each_implementation
@each_dtype
@pytest.mark.parametrize("p", [0.0, 0.25, 0.9])
def test_dropout_keeps_its_share_and_the_mean(implementation, dtype, p):
    x = np.ones((300, 300), dtype)
    mask, out = np.empty_like(x), np.empty_like(x)
    IMPLEMENTATIONS[implementation]["dropout"](x, p, _state(1), mask, out)
    scale = dtype(1) / (dtype(1) - dtype(p))
    assert set(np.unique(mask)) <= {0, scale}
    np.testing.assert_array_equal(out, mask)
    assert abs((mask == 0).mean() - p) < 0.005
    np.testing.assert_array_equal(
        mask == 0, _uniform(implementation, _state(1), x.shape, dtype) < dtype(p)
    )


@each_implementation
@each_dtype
def test_dropout_of_everything(implementation, dtype):
    x = numbers(1000, dtype)
    mask, out = np.empty_like(x), np.empty_like(x)
    IMPLEMENTATIONS[implementation]["dropout"](x, 1.0, _state(1), mask, out)
    assert not mask.any() and not out.any()


@each_implementation
@each_dtype
def test_the_offset_replays(implementation, dtype):
    state = _state(5)
    _uniform(implementation, state, 10, dtype)
    kept = state.copy()
    first = _uniform(implementation, state, 1000, dtype)
    again = _uniform(implementation, kept, 1000, dtype)
    np.testing.assert_array_equal(first, again)
    assert state.tolist() == kept.tolist()


@each_implementation
@each_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_is_filled_in_the_same_order(implementation, dtype, layout):
    out = LAYOUTS[layout](np.zeros((6, 8), dtype))
    IMPLEMENTATIONS[implementation]["random_uniform"](_state(3), out)
    np.testing.assert_array_equal(out, _uniform(implementation, _state(3), (6, 8), dtype))
    x, mask = numbers((6, 8), dtype), LAYOUTS[layout](np.zeros((6, 8), dtype))
    IMPLEMENTATIONS[implementation]["dropout"](x, 0.5, _state(3), mask, out)
    np.testing.assert_array_equal(out, x * mask)


@each_implementation
def test_other_dtypes_are_refused(implementation):
    with pytest.raises(TypeError, match="float32 or float64, got float16"):
        _uniform(implementation, _state(1), 3, np.float16)


@each_implementation
def test_the_state_must_be_writable(implementation):
    state = _state(1)
    state.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        _bits(implementation, state, 3)
