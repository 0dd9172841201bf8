"""Transforms of functions beside PyTorch's: the same programs in both libraries."""

import warnings

import numpy as np
import pytest

import microtensor as mt
import microtensor.func

# m is either library, f its module of transforms. x (2,), y (2, 2), s (): constants. r is x, but
# requires a gradient.
LINES = """
f.grad(lambda a: (a * a).sum())(x); f.grad(lambda a: a.sin().exp().sum())(y)
f.grad(lambda a, b: (a * b.sin()).sum(), argnums=1)(x, y)
f.grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(x, y)
f.grad(lambda a, b: (a * b).sum(), argnums=(1,))(x, y); f.grad(lambda a, b: (a * b).sum(), -1)(x, y)
f.grad(lambda a: ((a * a).sum(), {'twice': a * 2, 'n': (a,)}), has_aux=True)(x)
f.grad(lambda a, b: (a * a).sum(), argnums=(0, 1))(x, y); f.grad(lambda a: m.ones(()))(x)
f.grad(lambda p: (p['w'] * p['rest'][0]).sum())({'w': x, 'rest': [y]}); f.grad(lambda p: s)({})
f.grad_and_value(lambda a: (a**3).sum())(x)
f.grad_and_value(lambda a: ((a**3).sum(), a), has_aux=True)(x)
f.grad(f.grad(lambda a: a**4))(s); f.grad(f.grad(f.grad(lambda a: a**4)))(s)
f.grad(lambda a: a * f.grad(lambda b: a + b)(s))(s)
f.grad(lambda a: a * f.grad(lambda b: a * b * b)(a))(s)
f.grad(lambda a: f.grad(lambda b: (a * b * b).sum())(x).sum())(x)
f.grad(lambda a: (a * r).sum())(x); f.grad(lambda a: (a * a).sum())(r)
f.grad_and_value(lambda a: (a * a + r).sum())(x); f.grad(lambda a: (a * a + r).sum())(x)
f.grad(lambda a: f.vjp(lambda b: a * b, a)[1](a)[0].sum())(x)
f.vjp(lambda a: a.sin(), x)[0]; f.vjp(lambda a: a.sin(), x)[1](x)
f.vjp(lambda a, b: (a * 2, {'k': b @ b}), x, y)[1]((x, {'k': y}))
f.vjp(lambda a: (a * 2, a), x, has_aux=True)[2]; f.jvp(lambda a: a.sin(), (x,), (x,))
f.jvp(lambda a, b: (b @ a, {'s': a.sum()}), (x, y), (x, y))
f.jvp(lambda a: (a * a, a), (x,), (x,), has_aux=True); f.jvp(lambda a: m.ones(2) * 1.0, (x,), (x,))
f.jvp(lambda a: a * r, (x,), (x,))
f.grad(lambda a: f.jvp(lambda b: b**3, (a,), (m.ones_like(a),))[1].sum())(x)
f.jvp(f.grad(lambda a: (a**3).sum()), (x,), (x,)); f.jacrev(lambda a: a**3)(x)
f.jacrev(lambda a, b: (b @ a, {'s': a.sum()}), argnums=(0, 1))(x, y)
f.jacrev(lambda a: (a**2, a), has_aux=True)(x); f.jacrev(lambda a: m.ones(2) * 1.0)(x)
f.jacfwd(lambda a: a.sin())(x); f.jacrev(f.jacrev(lambda a: a**3))(x)
f.jacrev(lambda p: p['a'] * p['b'])({'a': x, 'b': x}); f.hessian(lambda a: (a**3).sum())(x)
f.hessian(lambda a, b: (a * b @ a).sum(), argnums=(0, 1))(x, y); f.hessian(lambda a: a.sum())(x)
f.grad(lambda a: f.hessian(lambda b: (b**3).sum())(a).sum())(x)
f.vmap(lambda a, b: (a * b, a.sum()), in_dims=(0, None), out_dims=(1, 0))(y, x)
f.vmap(lambda a: a * 2, in_dims=1)(y); f.vmap(lambda a: a * 2, in_dims=-1, out_dims=-1)(y)
f.vmap(lambda d, b: {'o': d['i'] * b}, in_dims=({'i': 0}, 1))({'i': y}, y)
f.vmap(f.grad(lambda a: (a**3).sum()))(y); f.grad(lambda a: f.vmap(lambda b: b @ b)(a).sum())(y)
f.vmap(f.vmap(lambda a: a * 2))(y); f.vmap(lambda a, k=1: a * k)(y, k=3)
m.vmap(lambda a, b: a @ b, in_dims=(0, None))(y, x)
"""

ERRORS = """
f.grad(lambda a: a * 2.0)(x); f.grad(lambda a: 3.0)(x); f.grad(lambda a: a * 2)(3.0)
f.grad(lambda a: (a * 2.0).sum())(m.tensor([1, 2])); f.grad(lambda a: (a * a).sum(), argnums=3)(x)
f.grad(lambda a: (a * a).sum(), has_aux=True)(x); f.vjp(lambda a: a * 2, x)[1](y)
f.vjp(lambda a: a * 2, x)[1]((x, x)); f.jvp(lambda a: a, x, x); f.vmap(lambda a, b: a)(y, x[:1])
f.vmap(lambda a, b: a)(y, 3.0); f.vmap(lambda a: a)(s); f.vmap(lambda a: a, in_dims=None)(y)
f.vmap(lambda a: 3.0)(y); f.vmap(lambda a: a, in_dims=5)(y); f.vmap(lambda a: m.rand(2))(y)
f.vmap(lambda a: a, in_dims=(0, 0))(y); f.vmap(lambda a: a, in_dims=(None,))(y)
f.vmap(lambda a: a, randomness='some')(y)
"""


def split(text):
    return [part.strip() for line in text.strip().splitlines() for part in line.split("; ")]


def evaluate(m, line):
    x, y, s = m.tensor([1.0, 2.0]), m.tensor([[1.0, -2.0], [3.0, 0.5]]), m.tensor(1.5)
    r = m.tensor([1.0, 2.0], requires_grad=True)
    names = {"m": m, "f": m.func, "x": x, "y": y, "s": s, "r": r}
    try:
        with warnings.catch_warnings():
            if m is not mt:  # PyTorch's forward mode warns of its own parts
                warnings.simplefilter("ignore")
            return eval(line, names)
    finally:
        assert all(t.grad is None for t in (x, y, s, r))


def same(ours, theirs):
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(ours, list | tuple):
        assert type(ours) is type(theirs) and len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
        return
    assert ours.requires_grad == theirs.requires_grad
    assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("line", split(LINES))
def test_line_gives_what_pytorch_gives(line, torch):
    same(evaluate(mt, line), evaluate(torch, line))


@pytest.mark.parametrize("line", split(ERRORS))
def test_line_raises_what_pytorch_raises(line, torch):
    with pytest.raises(Exception) as theirs:
        evaluate(torch, line)
    with pytest.raises(Exception) as ours:
        evaluate(mt, line)
    assert type(ours.value) is theirs.type
    assert str(ours.value)


def test_no_grad_around_a_transform_makes_constants_and_within_one_counts(torch):
    def within(m, a):
        with m.no_grad():
            b = a * a
        return (a * b).sum()

    for m in (mt, torch):
        x = m.tensor([1.0, 2.0], requires_grad=True)
        with m.no_grad():
            outside = m.func.grad(lambda a: (a * a).sum())(x)
        assert outside.tolist() == [2, 4] and not outside.requires_grad
        inside = m.func.grad(lambda a, m=m: within(m, a))(m.tensor([1.0, 2.0]))
        assert inside.tolist() == [1, 4]


def test_value_and_grad_gives_the_value_first():
    value, slopes = microtensor.func.value_and_grad(lambda a, b: (a * b).sum(), (0, 1))(
        mt.tensor([1.0, 2.0]), mt.tensor([3.0, 4.0])
    )
    assert value.item() == 11 and [s.tolist() for s in slopes] == [[3, 4], [1, 2]]
    (value, aux), slope = mt.func.value_and_grad(lambda a: (a**2, "aux"), has_aux=True)(
        mt.tensor(3.0)
    )
    assert (value.item(), aux, slope.item()) == (9, "aux", 6)


def test_results_are_connected_to_what_is_outside():
    w = mt.tensor([3.0, 4.0], dtype=mt.float64, requires_grad=True)
    x = mt.tensor([1.0, 2.0], dtype=mt.float64)

    def through(w):
        return mt.func.grad(lambda a: (a * a * w).sum())(x)

    assert mt.autograd.gradcheck(through, w)
    through(w).sum().backward()
    assert w.grad.tolist() == [2, 4]


def test_a_first_derivative_records_nothing():
    seen = []

    def function(a):
        y = a * a
        y.register_hook(lambda g: seen.append(g.requires_grad))
        return (y * y).sum()

    mt.func.grad(function)(mt.ones(2))
    mt.func.grad(lambda a: mt.func.grad(function)(a).sum())(mt.ones(2))
    assert seen[:2] == [False, True]


def test_vmap_draws_the_same_numbers_if_asked():
    rows = mt.ones(3, 2)
    same_numbers = mt.vmap(lambda a: a * mt.rand(2), randomness="same")(rows).tolist()
    assert same_numbers[0] == same_numbers[1] == same_numbers[2]
    different = mt.vmap(lambda a: a * mt.rand(2), randomness="different")(rows).tolist()
    assert different[0] != different[1]
