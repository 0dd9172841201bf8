"""Reading, writing, gathering and scattering as PyTorch does it: the same lines in both.

Values, dtypes, shapes, first and second gradients and classes of exceptions.
"""

import warnings

import numpy as np
import pytest

import microtensor as mt

# Inputs, all differentiated: a, b (3, 4); s (2, 3); v (3,); r (4,); z (); t (2, 3, 4); o (1, 3).
# Constants: i, of shape (2, 3), places along either dimension of a; j, a vector with a place twice;
# k (3, 4) a mask; n (3,) integers; u (3,) bools.
SHAPES = {
    **{"a": (3, 4), "b": (3, 4), "s": (2, 3), "v": (3,), "r": (4,), "z": ()},
    **{"t": (2, 3, 4), "o": (1, 3)},
}

READ = """
a[1]; a[-1]; a[1, 2]; a[:, 1]; a[..., -1]; a[None]; a[:, None, 1:]; a[()]; a[...]; a[1:, ::2]
a[j]; a[:, j]; a[j, j]; a[[2, 0]]; a[(2, 0),]; a[range(2)]; a[:, range(3)]; a[[]]; a[:, []]
a[np.array([2, 0])]; a[np.array(1)]; a[np.int64(1)]; a[np.int32(1), 2]; a[k]; a[u]
a[[True, False, True]]; a[u, 1]; a[1, k[1]]; a[:, k[0]]; a[True]; a[False]; a[:, True]
a[True, [0, 1]]; a[[0, 1], True]; a[True, False]; a[1, True]; a[m.tensor(True)]; a[m.tensor(1)]
z[True]; z[m.tensor(True)]; z[None]; a[[[0, 1], [1, 0]],]; a[j.int()]; a[j, None, 1:]
a[j, None, j]; t[0, :, j]; t[:, 0, j]; t[j[1:] - 1, :, 1]; t[1, j, None, j]; t[..., j]
t[j[1:] - 1, ..., j[1:]]; t[:, k]; t[0, k]; t[:, u, 1:]; t[:, :, [1, 1]]; t[m.tensor(0), :, j]
t[0, None, j]; t[None, j[1:] - 1]; t[[0, 1], j[1:]]; t[[[0], [1]], [0, 2]]; a[0:m.tensor(2)]
a[m.zeros(0, 2, dtype=m.int64)]; t[:, 1, :, None][:, j]; a.T[j]; a[:, 1:].T[j, 1]; a.gather(0, i)
a.gather(1, i); a.gather(-1, i[:, :1]); m.gather(a, 1, i.int()); v.gather(0, j)
z.gather(0, m.tensor(0)); z.gather(0, m.tensor([0, 0])); v.gather(0, m.tensor(1))
a.T.gather(0, i); a.gather(1, m.tensor([], dtype=m.int64)); a.index_select(0, j)
a.index_select(1, j.int()); m.index_select(t, -1, m.tensor(1)); z.index_select(0, m.tensor([0]))
a.index_select(0, j[:0]); a.take(i); a.take(i - 5); m.take(t, m.tensor(3)); a.T.take(i)
z.take(m.tensor([0, -1])); m.take_along_dim(a, m.tensor([[0], [1], [-1]]), 1)
m.take_along_dim(a, i); a.take_along_dim(m.tensor([[2, 0, 1, 1]]), 0)
m.take_along_dim(o, m.tensor([[0, 0], [2, 1]]), 1); m.masked_select(a, k)
a.masked_select(u[:, None]); m.masked_select(r, k); z.masked_select(m.tensor(True))
v.masked_select(m.zeros(3) > 1); m.nonzero(k); m.nonzero(a); k.nonzero(as_tuple=True)[1]
m.nonzero(m.tensor(1.0)); m.nonzero(m.tensor(0.0)); m.nonzero(m.tensor(1.0), as_tuple=True)[0]
m.argwhere(k); m.argwhere(m.tensor(1.0)); m.ones(2, 0).nonzero()
"""

WRITE = """
a.scatter(0, i, s); a.scatter(1, i, s); a.scatter(1, i[:, :2], s.detach()); a.scatter(0, i, 1.5)
a.scatter(0, i, value=2); m.scatter(a, 1, i, src=s); a.scatter(0, i.int(), s)
a.scatter(0, m.zeros(0, 3, dtype=m.int64), s.detach()); n.scatter(0, j, 1.5)
z.scatter(0, m.tensor([0]), 1.0); z.scatter(0, m.tensor(0), z * 2)
n.scatter(0, j, 2, reduce='add'); n.scatter(0, j, 2, reduce='multiply'); a.scatter_add(0, i, s)
a.scatter_add(1, i, s); v.scatter_add(0, j, v * 2); v.scatter_add(0, j[:2], v.detach())
a.T.scatter_add(0, i, s); n.scatter_add(0, j, n)
t.scatter_add(2, m.tensor([[[1, 1, 0]]]), t.detach()); a.scatter_reduce(0, i, s, 'sum')
a.scatter_reduce(1, i, s, 'sum', include_self=False); a.scatter_reduce(0, i, s, 'mean')
a.scatter_reduce(1, i, s, reduce='mean', include_self=False); a.scatter_reduce(0, i, s, 'prod')
a.scatter_reduce(1, i, s, 'prod', include_self=False); a.scatter_reduce(0, i, s, 'amax')
a.scatter_reduce(1, i, s, 'amax', include_self=False); a.scatter_reduce(0, i, s, 'amin')
v.scatter_reduce(0, j, v * 0 + 1, 'amin', include_self=False)
v.scatter_reduce(0, j, v * 0 + 1, 'amax')
v.scatter_reduce(0, j, v * m.tensor([1.0, 0, 1]), 'prod'); v.scatter_reduce(0, j, v * 0, 'prod')
(v * 0).scatter_reduce(0, j, v, 'prod'); n.scatter_reduce(0, j, n * 3, 'mean')
n.scatter_reduce(0, j, -n, 'mean', include_self=False); n.scatter_reduce(0, j, n, 'prod')
n.scatter_reduce(0, j, n, 'amax', include_self=False)
n.scatter_reduce(0, j, -n, 'amin', include_self=False); u.scatter_reduce(0, j, u, 'sum')
u.scatter_reduce(0, j, ~u, 'prod'); u.scatter_reduce(0, j, u, 'amax')
v.scatter_reduce(0, j, v / 0, 'amax'); v.scatter_reduce(0, j, (v - v) / 0, 'amax')
a.index_add(0, j, a); a.index_add(1, j, a[:, :3], alpha=2.5); m.index_add(t, 1, j, t)
z.index_add(0, m.tensor([0]), z); a.index_add(0, m.tensor(1), a[:1]); a.index_add(0, j.int(), b)
a.T.index_add(0, j, b.T[:3]); n.index_add(0, j, n, alpha=2); a.index_copy(0, j, b)
a.index_copy(1, j, b[:, :3]); v.index_copy(0, m.tensor([1]), z)
z.index_copy(0, m.tensor([0]), z * 2); a.index_fill(0, j, 7); a.index_fill(1, j, z)
n.index_fill(0, j - 3, 2); a.index_fill(0, m.tensor(1), 2.5); n.index_fill(0, j, 1.5)
z.index_fill(0, m.tensor([0]), 7); a.index_reduce(0, j, b, 'mean')
a.index_reduce(1, j, b[:, :3], 'prod'); a.index_reduce(0, j, b, 'amax', include_self=False)
a.index_reduce(0, j, b, 'amin'); a.index_reduce(0, j, b, 'mean', include_self=False)
z.index_reduce(0, m.tensor([0]), z * 2, 'prod')
m.zeros(2, dtype=m.uint8).masked_fill(m.tensor([True, False]), -1)
m.zeros(2, dtype=m.uint8).fill_(-1); n.clone().fill_(-2.9); a.masked_fill(k, 2.0)
a.masked_fill(k, z); r.masked_fill(k, 1); z.masked_fill(k, 3.0); n.masked_fill(u, 1.5)
u.masked_fill(u, 0); a.masked_fill(u[:, None], m.tensor(2)); (a / 0).masked_fill(k, 0)
a.masked_scatter(k, b); r.masked_scatter(k, b); a.masked_scatter(u[:, None], t); a.put(j, v)
a.put(j - 3, v, accumulate=True); a.T.put(j, v); a.put(i, s); z.put(m.tensor([0]), v[:1])
z.put(m.tensor([0, 0]), v[:2], accumulate=True); m.put(n, j, n); a.index_put((j,), r)
a.index_put((j, j), v); a.index_put([j, j], z); a.index_put((k,), z)
a.index_put((j,), b, accumulate=True); a.index_put((j, j), v, accumulate=True)
a.index_put((m.tensor(1),), r); a.index_put((j,), o.T, True); a.index_put((u,), r)
m.select_scatter(a, r, 0, 1); m.select_scatter(a, v, 1, -1); a.select_scatter(r, 0, -3)
m.slice_scatter(a, a[:, :2], 1, 0, None, 2); m.slice_scatter(a, s.T.reshape(3, 2), 1, -2)
m.slice_scatter(a, b); a.slice_scatter(o.expand(1, 3).T.expand(3, 1), 1, 2, 3)
m.diagonal_scatter(a, v); m.diagonal_scatter(a, v, 1); a.diagonal_scatter(v[:2], -1)
m.diagonal_scatter(t, s, 0, 1, 2); m.diagonal_scatter(t, r[:, None].expand(4, 2), 0, 1, 0)
"""

# Statements on y, computed from a or n; then y is the result.
IN_PLACE = """
y[1] = r; y[1] = 2; y[1, 2] = z; y[:, 1] = v; y[...] = r; y[None] = b; y[1:1] = 3.0; y[j] = b
y[j] = r; y[j, j] = v; y[:, j] = z; y[k] = z; y[k] = 2.5; y[u] = r; y[True] = b; y[False] = 1.0
y[u, 1] = v[:2]; y[1, k[1]] = 2.0; y[1] = o.T[0].expand(4); y[0] = r[None, None]
y[m.tensor(1)] = r; y[:, None, 1] = v[:, None]; y[np.array([0, 2])] = 1.0; y[[0, 2]] = r
y[range(2), 1] = 7; y[0, j] = v; y[..., j] = v; y[()] = 3; y[k] *= 2; y[k] += z; y[1] += r
y[:, 1] -= v; y[1:, 1:] /= 2; y[j] += 1; y.T[0] = v; y.T[j] = b.T[:3]; y.T[1:][0] = v
y[1:].T[0, 1] = z; y[1:][:, 2] = 5.0; y.reshape(-1)[2] = z; y.reshape(2, 6)[:, j] = s
y.T.masked_fill_(k.T, z); y[1].fill_(z); y[1].zero_(); y.fill_(z); y.T.copy_(b.T); y.copy_(r)
y.copy_(5); y[1].copy_(z); y.copy_(b.double()); y.T.scatter_(0, i, s); y.scatter_(0, i, s)
y.scatter_(1, i, 2.0); y.scatter_add_(0, i, s); y.scatter_reduce_(0, i, s, 'prod')
y.scatter_reduce_(0, i, s, 'mean', include_self=False); y.scatter_reduce_(1, i, s, 'amax')
y.scatter_reduce_(0, i, s, 'sum'); y.index_add_(0, j, b); y.index_add_(1, j, b[:, :3], alpha=-1)
y[:, :3].index_add_(1, j, s.T.reshape(3, 2)[:, [0, 1, 1]]); y.index_copy_(0, j, b)
y.index_fill_(0, j, z); y.index_fill_(1, j - 1, 2); y.index_reduce_(0, j, b, 'mean')
y[1].index_add_(0, j, v); y.masked_fill_(k, 1.0); y.masked_fill_(u[:, None], z)
y.masked_scatter_(k, b); y.masked_scatter_(u[:, None], t); y[1:].masked_scatter_(k[1:], b)
y.put_(j, v); y.put_(j - 3, v, accumulate=True); y.T.put_(j, v); y.index_put_((j,), r)
y.index_put_((j, j), v, accumulate=True); y.T.index_put_((j,), v); y.fill_diagonal_(2.0)
y.T.fill_diagonal_(2.0); y.T.fill_diagonal_(1.0, wrap=True); y.add_(b); y.add_(b, alpha=2)
y.sub_(r); y.mul_(b); y.div_(b); y.mul_(2); y.pow_(2); y.neg_(); y.abs_(); y.exp_(); y.sin_()
y.sqrt_(); y.tanh_(); y.sigmoid_(); y.clamp_(-0.5, 0.5); y.relu_(); y += b; y -= 1; y *= r; y /= 2
y **= 2; y.T.mul_(b.T); y[1:].add_(r); y[:, ::2].exp_(); y.add_(z); y.add_(y.T.T); y[:, 0].mul_(v)
y.detach().zero_(); y.mul_(b.double()); y.add_(n[:, None]); y.mul_(u[:, None]); y[0].add_(y[1])
y.expand(2, 3, 4)[1].add_(1.0); y.unsqueeze(0)[0, 1] = r; y.zero_(); y.remainder_(0.7)
"""


def parts(text):
    return [part.strip() for line in text.strip().splitlines() for part in line.split("; ")]


def names_in(m, dtype):
    rng = np.random.default_rng(5)
    names = {
        name: m.tensor(np.asarray(rng.normal(size=shape)).astype(dtype), requires_grad=True)
        for name, shape in SHAPES.items()
    }
    constants = {
        "i": m.tensor([[0, 2, 1], [2, 0, 1]]),
        "j": m.tensor([2, 1, 2]) if dtype == "float32" else m.tensor([2, 1, 0]),
        "k": m.tensor(np.random.default_rng(1).random((3, 4)) > 0.5),
        "n": m.tensor([5, -3, 8]),
        "u": m.tensor([True, False, True]),
    }
    return names, constants


def evaluate(m, line, dtype, statement=False):
    """Give the result, its dtype, and first and second gradients."""
    names, constants = names_in(m, dtype)
    scope = {"m": m, "np": np, **names, **constants}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if statement:
            scope["y"] = names["a"] * 1.3
            exec(line, scope)
            result = scope["y"]
        else:
            result = eval(line, scope)
        found = {}
        if result.requires_grad:
            weights = np.linspace(0.5, 1.5, result.numel()).reshape(tuple(result.shape))
            loss = (result * result * m.tensor(weights).to(result.dtype)).sum()
            leaves = list(names.values())
            first = m.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
            total = sum((g * g).sum() for g in first if g is not None)
            second = [None] * len(leaves)
            if getattr(total, "requires_grad", False):
                try:
                    second = m.autograd.grad(total, leaves, allow_unused=True)
                except RuntimeError as error:  # products of several zeros: PyTorch has no second
                    assert "Double backward is unsupported" in str(error)
                    second = "none"
            found = {"first": first, "second": second}
    return result.detach().numpy(), str(result.dtype).split(".")[1], found


def check(torch, line, dtype, statement=False):
    ours, our_dtype, our_grads = evaluate(mt, line, dtype, statement)
    theirs, their_dtype, their_grads = evaluate(torch, line, dtype, statement)
    tolerance = {"rtol": 1e-10, "atol": 1e-12}
    if dtype == "float32":
        tolerance = {"rtol": 2e-5, "atol": 1e-5}
    assert our_dtype == their_dtype
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, **tolerance)
    assert set(our_grads) == set(their_grads)
    for order, gradients in our_grads.items():
        if their_grads[order] == "none":
            continue
        for name, a, b in zip(SHAPES, gradients, their_grads[order], strict=True):
            # A gradient of zeros may be given or not, in a second walk.
            values = [0.0 if g is None else g.detach().numpy() for g in (a, b)]
            assert order == "second" or (a is None) == (b is None), name
            np.testing.assert_allclose(*values, **tolerance, err_msg=f"{order} of {name}")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("line", parts(READ))
def test_reading(line, dtype, torch):
    check(torch, line, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("line", parts(WRITE))
def test_writing_out_of_place(line, dtype, torch):
    check(torch, line, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("line", parts(IN_PLACE))
def test_writing_in_place(line, dtype, torch):
    check(torch, line, dtype, statement=True)


# ---- what is refused ----------------------------------------------------------------------------

# x is (2, 3) of floats, l (2,) of integers, e its expansion.
WRONG = """
x[2]; x[0, 3]; x[0, 0, 0]; x[1.5]; x[m.tensor(1.5)]; x[m.tensor([0.5])]; x[np.float64(1)]
x[np.bool_(True)]; x[{1}]; x[::-1]; x[::0]; x[:'a']; x[m.tensor([0, 2])]; x[m.tensor([-3])]
x[m.tensor([True, False, True])]; x[m.tensor([[True, False, True]])]
x[m.tensor([0, 1]), m.tensor([0, 1, 2])]; x[m.tensor([0]), 0, 0]; m.tensor(3.0)[0]
m.tensor(3.0)[m.tensor(0)]; m.tensor(3.0)[[0]]; x[m.tensor([])]; x[0:m.tensor([0, 1])]
x.gather(0, m.tensor([[0, 2]])); x.gather(0, m.tensor([[0, -1]])); x.gather(2, m.tensor([[0, 1]]))
x.gather(0, m.tensor([0, 1])); x.gather(0, m.tensor([[0.0, 1]]))
x.gather(0, m.tensor([[0, 1, 0, 0]])); x.gather(1, m.tensor([[0, 1], [0, 1], [0, 1]]))
x.gather(0, 1); x.gather(0, m.tensor([[0, 1]], dtype=m.int16))
x.index_select(0, m.tensor([0, 2])); x.index_select(0, m.tensor([0, -1])); x.index_select(0, [0])
x.index_select(0, m.tensor([[0, 1]])); x.index_select(0, m.tensor([0.0]))
m.tensor(3.0).index_select(0, m.tensor([0, 0])); x.index_select(2, m.tensor([0]))
x.take(m.tensor([6])); x.take(m.tensor([-7])); x.take(m.tensor([0], dtype=m.int32))
m.empty(0).take(m.tensor([0])); m.take_along_dim(x, m.tensor([[0, 1]]), 0)
m.take_along_dim(x, m.tensor([0, -1])); m.take_along_dim(x, m.tensor([0]), 0)
m.take_along_dim(x, m.tensor([[0]], dtype=m.int32), 0); m.masked_select(x, m.tensor([1, 0, 1]))
m.masked_select(x, m.tensor([True, False])); x.masked_fill(m.tensor([1, 0, 1]), 2)
x.masked_fill(x > 0, 'a'); x.masked_fill(x > 0, None); x.masked_fill(x > 0, x)
x.masked_fill(m.tensor([True, False]), 1); l.masked_fill_(m.ones(2, 2) > 0, 1)
m.ones(2, dtype=m.int8).masked_fill(l > 0, 300); x.masked_scatter(x > 0, m.ones(1))
x.masked_scatter(x, x); x.masked_scatter(x > 0, l); l.masked_scatter_(m.ones(2, 2) > 0, l)
x.scatter(0, m.tensor([[0, 1]]), m.ones(1, 1))
x.scatter(0, m.tensor([[0, 1]]), m.tensor([[9, 8]])); x.scatter(0, m.tensor([[0, 2]]), 1.0)
x.scatter(0, m.tensor([[0, -1]]), 1.0); x.scatter(0, m.tensor([[0, 1, 0, 0]]), 1.0)
x.scatter(0, m.tensor([[0, 1]]), m.tensor(1.0))
x.scatter(0, m.tensor([[0, 1]]), 1, reduce='mean'); x.scatter(2, m.tensor([[0, 1]]), 1.0)
x.scatter(0, m.tensor([[0, 1]])); x.scatter(0, m.tensor([[0, 1]]), 'a')
x.scatter_add(0, m.tensor([[0, 1]]), m.tensor([[9, 8]]))
x.scatter_add(0, m.tensor([[0, 1]]), m.ones(1, 1)); x.scatter_add(0, m.tensor([[0, 2]]), x)
x.scatter_add(0, m.tensor([[0, 1]]), 1.0); x.scatter_reduce(0, m.tensor([[0, 1]]), x, 'add')
x.scatter_reduce(0, m.tensor([[0, 2]]), x, 'sum')
x.scatter_reduce(0, m.tensor([[0, 1]]), x.double(), 'sum')
(x > 0).scatter_reduce(0, m.tensor([[0, 1]]), x > 0, 'mean'); x.index_add(0, m.tensor([0, 2]), x)
x.index_add(0, m.tensor([0, -1]), x); x.index_add(0, l, m.ones(3, 3))
x.index_add(0, l, m.ones(2, 2)); x.index_add(0, l, m.ones(2))
x.index_add(0, m.tensor([[0, 0]]), x); x.index_add(0, m.tensor([0, 0], dtype=m.int16), x)
x.index_add(0, l, x.double()); x.index_add(0, m.tensor(0), m.ones(3))
m.tensor(1.0).index_add(0, m.tensor([0]), m.ones(1)); x.index_copy(0, m.tensor([0, 2]), x)
x.index_copy(0, m.tensor([0, -1]), x); x.index_copy(0, l, m.ones(3, 3))
x.index_copy(0, l, m.ones(2, 2)); x.index_copy(0, m.tensor([0]), m.ones(1))
x.index_copy(0, m.tensor([0], dtype=m.int32), x[:1]); x.index_copy(0, l, x.double())
m.ones(3).index_copy(0, m.tensor([0, 1]), m.tensor(5.0)); x.index_fill(0, m.tensor([2]), 7)
x.index_fill(0, m.tensor([0]), m.ones(1)); x.index_fill(0, m.tensor([0], dtype=m.int32), 7)
x.index_fill(0, m.tensor([[0]]), 7); x.index_reduce(0, l, x, 'sum')
x.index_reduce(0, m.tensor([0, 2]), x, 'amax'); x.index_reduce(0, l, m.ones(2, 2), 'amax')
x.index_reduce(0, l, x.double(), 'amax'); x.put(m.tensor([6]), m.ones(1))
x.put(m.tensor([0, 1]), m.ones(1)); x.put(m.tensor([0]), m.tensor([8]))
x.put(m.tensor([0], dtype=m.int32), m.ones(1)); x.index_put((l,), m.ones(2))
x.index_put((l,), m.tensor([8, 9, 7])); x.index_put((None, l), m.ones(2))
x.index_put(l, m.ones(1)); x.index_put((m.tensor([5]),), m.ones(1))
m.select_scatter(x, m.ones(1), 0, 1); m.select_scatter(x, m.ones(3), 0, 2)
m.slice_scatter(x, m.ones(1, 2), 1); m.diagonal_scatter(x, m.ones(1), 1)
m.diagonal_scatter(x, m.ones(2), 0, 1, 1); m.zeros(3).fill_diagonal_(1)
m.zeros(3, 3, 2).fill_diagonal_(1); x.fill_(m.ones(1)); m.ones(1, dtype=m.int8).fill_(300)
l.fill_(float('nan')); e.copy_(m.tensor(1.0)); e.add_(m.tensor(1.0))
e.scatter_(0, m.tensor([0]), 5.0); x.copy_(m.ones(3, 1)); x.copy_(np.ones(3)); l.copy_('a')
x.__setitem__(l, m.tensor([1])); x.__setitem__(l, x.double()); l.__setitem__(l, m.ones(1))
x.__setitem__(0, 'a'); x.__setitem__(0, None); m.ones(2, dtype=m.int8).__setitem__(0, 300)
m.tensor(1.0).__setitem__(0, 5); x.__setitem__(2, 1.0); x.__setitem__(m.tensor([2]), 1.0)
x.__setitem__(0, m.ones(2)); x.__setitem__(l, m.ones(2)); g.scatter_(0, m.tensor([0]), 1.0)
g.index_add_(0, m.tensor([0]), m.ones(1)); g.masked_fill_(g > 0, 1)
g.put_(m.tensor([0]), m.ones(1)); g[0].index_fill_(0, m.tensor([0]), 1)
g.__setitem__(m.tensor([0]), 1.0); g.fill_diagonal_(1); x.__setitem__(0, 1e300); x.fill_(1e300)
m.zeros(2, dtype=m.half).fill_(1e5); l.__setitem__(0, float('inf')); l.masked_fill(l < 1, 1e30)
l.__setitem__(m.tensor([0]), float('nan')); m.zeros(2, dtype=m.uint8).__setitem__(0, 256)
l.mul_(1.5); l.mul_(m.tensor(1.5)); (x > 0).add_(1); x.add_(m.ones(2, 2, 3)); l.div_(2)
"""


@pytest.mark.parametrize("line", parts(WRONG))
def test_what_fails_fails_in_the_same_class(line, torch):
    classes = []
    for m in (torch, mt):
        scope = {"m": m, "np": np, "x": m.ones(2, 3), "l": m.tensor([0, 0])}
        scope["e"], scope["g"] = m.ones(1).expand(3), m.ones(3, requires_grad=True)
        with warnings.catch_warnings(), pytest.raises(Exception) as error:
            warnings.simplefilter("ignore")
            eval(line, scope)
        classes.append(error.type)
        if m is mt:
            assert (scope["x"] == 1).all() and scope["x"]._version == 0
    theirs, ours = classes
    # Who catches PyTorch's exception catches ours, or its NotImplementedError's base.
    assert issubclass(ours, theirs) or issubclass(theirs, ours), classes
