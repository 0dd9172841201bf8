"""Every declared op, captured on some values and replayed on others, against eager mode."""

import numpy as np
import pytest
from op_cases import DECLARED, NOT_ALONE, cases_of

import microtensor as mt

# Functions that only look at memory in another way do nothing that could be captured; dropout is
# given a state that the test makes anew each time; strides lead to indices made with NumPy.
NOTHING_TO_DO = "did nothing"
# The random ones are given a state, which no operation has made.
REFUSED = dict.fromkeys(("dropout", "rrelu_in_training", "strided"), "computed outside")


def run(case, gradient, names):
    def f(*tensors):
        given = dict(zip(names, tensors, strict=True))
        y = case.call(*(given.get(i) for i in range(len(case.inputs))))
        if not gradient:
            return [y]
        leaves = [t for t in tensors if t.requires_grad]
        start = mt.full_like(y, 0.7)
        found = mt.autograd.grad(y, leaves, start, allow_unused=True)
        return [y, *(g for g in found if g is not None)]

    return f


def attempt(first, second, gradient):
    names = [i for i, value in enumerate(first.inputs) if value is not None]
    f = run(first, gradient, names)
    dtype = mt.float64 if gradient else mt.float32
    a, b, again = (
        [t for t in case.tensors(gradient, dtype) if t is not None]
        for case in (first, second, second)
    )
    if [t.shape for t in a] != [t.shape for t in b]:
        return
    try:
        want = f(*again)
    except RuntimeError:  # not defined for these dtypes
        return
    captured = mt.capture(f)
    captured(*a)
    for one, other in zip(want, captured(*b), strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), other.numpy())


@pytest.mark.parametrize("name", [name for name in DECLARED if name not in NOT_ALONE])
def test_an_op_replayed_on_other_values(name):
    first, second = cases_of(name, 0)[:2], cases_of(name, 1)[:2]
    for a, b in zip(first, second, strict=True):
        gradient = bool(a.op.rules) and a.has_gradient()
        try:
            attempt(a, b, gradient)
        except RuntimeError as error:
            assert NOTHING_TO_DO in str(error) or REFUSED.get(name, "?") in str(error)
