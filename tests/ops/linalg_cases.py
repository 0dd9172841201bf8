"""What the tests of linear algebra share: matrices by leading shape, and closeness."""

import numpy as np

import microtensor as mt


def matrices(rng, lead, m, n):
    return rng.normal(size=(*lead, m, n))


def squares(rng, lead, n):
    return matrices(rng, lead, n, n) + 3.0 * np.eye(n)


def wide(array):
    return mt.tensor(array, requires_grad=True)


def close(found, expected, rtol=1e-10, atol=1e-12):
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=rtol, atol=atol)
