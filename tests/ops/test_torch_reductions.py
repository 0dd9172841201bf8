"""Reductions, scans, orders and counts, line by line as in PyTorch.

Each line is run in both libraries, with ``m`` standing for either and ``F`` for its functional
module; a tuple is compared part by part, and the gradient of its floating-point parts.
"""

import warnings

import numpy as np
import pytest

import microtensor as mt

nan, inf = float("nan"), float("inf")

# Inputs, all float64 or float32 and differentiated: a (3, 4), b (3, 4), p (3, 4) positive,
# t (2, 3, 4), v (5,), s (), e (0, 4), z (2, 4) with zeros, d (6,) with equal elements.
# Constants: n (2, 3) with NaN, i (2, 3) int64, o (5,) bool, j infinities.
SHAPES = {"a": (3, 4), "b": (3, 4), "p": (3, 4), "t": (2, 3, 4), "v": (5,), "s": (), "e": (0, 4)}
FIXED = {
    "z": [[2.0, 0.0, 3.0, -1.5], [0.0, 1.0, 0.0, 2.0]],
    "d": [2.0, 3.0, 3.0, 1.0, 3.0, 1.0],
    "k": [[1.0, -2.0, 0.5], [1.0, -2.0, 0.5], [0.0, 0.0, 0.0]],
}
CONSTANTS = {
    "n": [[1.0, nan, 3.0], [nan, nan, 2.0]],
    "j": [[-inf, -inf, -inf], [inf, 1.0, -inf], [0.0, -inf, 2.0]],
}

LINES = """
a.sum(()); a.sum([0, 1]); o.sum(); i.sum(1); i.sum(dtype=m.int32); i.sum(dtype=m.float64)
(a.detach() * 300).sum(dtype=m.int8); o.sum(dtype=m.bool); o.sum(dtype=m.float32); a.half().sum(0)
a.sum(None, True); a.mean(()); i.mean(dtype=m.float64); a.mean((0, 1), True, dtype=m.float64)
a.prod(); a.prod(1); a.prod(0, True); z.prod(); z.prod(1); z.prod(0); s.prod(); s.prod(0)
e.prod(); e.prod(0); e.prod(1); i.prod(); i.prod(1, dtype=m.float64); o.prod()
a.prod(dtype=m.float64); a.prod(1, dtype=m.float64); t.prod(-2); v.half().prod()
i.prod(dtype=m.int32); a.nansum(); n.nansum(1); i.nansum(); o.nansum(); n.nansum(dtype=m.float64)
n.nansum((0, 1), True); n.nansum(dtype=m.int64); n.nanmean(); n.nanmean(0); n.nanmean(1, True)
e.nanmean(); e.nanmean(0); n.nanmean(dtype=m.float64); a.nanmean((0, 1)); e.nansum(0); a.var()
a.var(1); t.var((0, 2)); a.var(False); a.var(0, False); a.var(1, True, True); s.var()
a.var(dim=1, unbiased=False); a.var(unbiased=False); a.var(correction=0); a.var(0, correction=2)
a.var(1, keepdim=True, correction=1.5); a.var(keepdim=True); a.var(()).detach(); a.var(None)
e.var(); e.var(0); e.var(1); v[:1].var(); v[:1].var(correction=0); (d * 0 + 2).var(); a.std()
a.std(1); t.std((0, 2), keepdim=True); a.std(False); a.std(0, False); s.std(); a.std(correction=0)
(d * 0 + 2).std(); (d * 0 + 2).std(0, correction=0); v[:1].std(); n.std(1); j.var(1)
a.half().var(1); a.half().std(); m.var(a, 1); m.std(a, 1); m.var_mean(a); m.var_mean(a, 1)
m.var_mean(a, False); m.var_mean(a, 0, keepdim=True); m.std_mean(a, (0, 1))
m.std_mean(t, 1, False); m.std_mean(a, correction=0); a.amax(()); a.amin(-1, True)
t.amax((0, -1)); s.amax(0); n.amax(1); j.amin(0); i.amax(); o.amin(); d.amax(); d.amin(0)
e.amax(1); m.aminmax(a); m.aminmax(d); a.aminmax(dim=1); d.aminmax(dim=0)
a.aminmax(dim=-1, keepdim=True); a.aminmax(keepdim=True); s.aminmax(dim=0); o.aminmax()
n.aminmax(dim=1); d.max(); d.min(); d.max(0); d.min(0); n.max(); n.min(1); n.max(0, True)
s.max(0); i.max(1); o.max(); o.max(0); e.max(1); e.min(1, True); a.max(b); m.max(a, b)
m.min(a, other=b); m.max(a, dim=1, keepdim=True); m.min(a, 1); n.argmax(1); n.argmin(); d.argmax()
d.argmin(0); j.argmax(); i.argmin(1, True); a.argmax(None, True); a.argmax(keepdim=True)
s.argmax(0); e.argmax(1); a.median(); a.median(1).values; a.median(0, True).values; d.median()
d.median(0).values; s.median(); s.median(0); n.median(); n.median(1); i.median()
i.median(1).values; e.median(); e.median(1); n.nanmedian(); n.nanmedian(1); n.nanmedian(0, True)
a.nanmedian(1); a.nanmedian(); v.median(-1); m.median(a, 1); m.nanmedian(d); a.half().median()
m.tensor([nan, nan]).nanmedian(); m.tensor([nan, nan]).nanmedian(0).values; d.mode(); i.mode()
i.mode(0, True); o.mode(); s.mode(); a.mode(1); e.mode(1); m.mode(d, 0)
m.tensor([3, 1, 3, 1, 5]).mode(); m.tensor([1, 2, 2, 1]).mode(); a.quantile(0.3)
a.quantile(0.3, 1); a.quantile(m.tensor([0.0, 0.25, 0.9, 1.0]).to(a.dtype), 1)
a.quantile(m.tensor([0.1, 0.5]).to(a.dtype), 0, True); a.quantile(0.5, keepdim=True)
a.quantile(m.tensor([0.1, 0.5]).to(a.dtype), keepdim=True)
a.quantile(m.tensor(0.4).to(a.dtype), -1); t.quantile(m.tensor([0.1, 0.5]).to(t.dtype), 1)
s.quantile(0.5); s.quantile(0.5, 0); s.quantile(m.tensor([0.1, 0.5]).to(s.dtype), keepdim=True)
a.quantile(0.3, 1, interpolation='lower'); a.quantile(0.3, 1, interpolation='higher')
a.quantile(0.3, 1, interpolation='midpoint'); a.quantile(0.3, 1, interpolation='nearest')
v.quantile(0.125, interpolation='nearest'); v.quantile(0.375, interpolation='nearest')
v.quantile(0.5, interpolation='midpoint'); d.quantile(0.5); d.quantile(0.9); n.quantile(0.5)
n.quantile(0.5, 1); n.quantile(0.5, 0); n.nanquantile(0.5); n.nanquantile(0.4, 1)
n.nanquantile(m.tensor([0.2, 0.7]).to(n.dtype), 0, True); a.nanquantile(0.3, 1)
m.tensor([nan, nan]).nanquantile(0.5); m.quantile(a, 0.5, 0); m.nanquantile(n, 0.5, dim=-1)
m.quantile(a, m.zeros(0).to(a.dtype), 1); a.logsumexp(1); a.logsumexp((0, 1))
t.logsumexp([0, 2], True); s.logsumexp(0); e.logsumexp(0); e.logsumexp(1); j.logsumexp(1)
(a * 500).logsumexp(1); i.logsumexp(1); o.logsumexp(0); a.half().logsumexp(0); n.logsumexp(1)
m.logsumexp(a, dim=0, keepdim=True); a.norm(); a.norm(1); a.norm(2, 1); a.norm(3, 0)
a.norm(0.5, 1); a.norm(1.5); a.norm(-1, 1); a.norm(0, 1); a.norm(inf, 1); a.norm(-inf, 0)
a.norm('fro'); a.norm('fro', 1, True); s.norm(); a.norm(dim=(0, 1)); t.norm(1, (0, 2))
t.norm(dim=1); a.norm(2, 1, False, m.float64); e.norm(); e.norm(1); e.norm(dim=0); e.norm(inf, 1)
z.norm(3, 0); z.norm(1, 0); z.norm(2, 0); z.norm(0.5, 0); z.norm(-1, 1); z.norm(inf, 0)
z.norm(-inf, 0); (z * 0).norm(); (z * 0).norm(3, 1); (z * 0).norm(1); (z * 0).norm(inf, 0)
d.norm(inf); d.norm(-inf); n.norm(dim=1); n.norm(inf, 1); j.norm(2, 1); j.norm(3); j.norm(inf)
a.half().norm(); a.norm(dtype=m.float64); a.norm(None); m.norm(a, 2, 0); m.norm(a)
m.norm(a, p=1, dim=1, keepdim=True); a.norm(2, ()); a.dist(b); a.dist(b, 1); a.dist(b, inf)
a.dist(b.detach(), 0).detach(); a.dist(a); m.dist(a, b[0], 3); a.renorm(2, 0, 1.0)
a.renorm(1, 1, 2.5); t.renorm(inf, 1, 0.5); m.renorm(z, 2, 0, 3.0); m.cdist(a, b)
m.cdist(a, b, 1); m.cdist(a, b, 0); m.cdist(a, b, 3.0); m.cdist(a, b, inf); m.cdist(a, b, 0.5)
m.cdist(a, b, 1.5); m.cdist(k, k); m.cdist(k, k, 1); m.cdist(k, k, 3); m.cdist(k, k, inf)
m.cdist(k, k, 0.5); m.cdist(k, k, 1.5); m.cdist(t, b); m.cdist(t, t[:1], 1)
m.cdist(t.unsqueeze(1), t); m.cdist(e, b); m.cdist(a[:, :0], b[:, :0])
m.cdist(a, b, compute_mode='donot_use_mm_for_euclid_dist'); m.cdist(z, k @ b)
F.cosine_similarity(a, b); F.cosine_similarity(a, b, 0); m.cosine_similarity(t, b, -1)
F.cosine_similarity(a, v[:4]); F.cosine_similarity(a * 0, b); F.cosine_similarity(a * 1e-9, b)
F.cosine_similarity(s, s, 0); F.cosine_similarity(a, b, eps=2.0)
F.cosine_similarity(i, i.float()); F.cosine_similarity(a, b.double()); F.cosine_similarity(k, k)
F.pairwise_distance(a, b); F.pairwise_distance(a, a); F.pairwise_distance(a, b[0], 1)
F.pairwise_distance(t, b, inf, keepdim=True); m.pairwise_distance(a, b, 3.0, 0.1)
F.pairwise_distance(a, b, p=0); F.pairwise_distance(v, v * 2); a.cumsum(0); a.cumsum(-1)
t.cumsum(1); s.cumsum(0); e.cumsum(0); e.cumsum(1); i.cumsum(1); o.cumsum(0); i.int().cumsum(0)
a.cumsum(1, dtype=m.float64); i.cumsum(0, dtype=m.float32); m.cumsum(a, dim=1); n.cumsum(1)
j.cumsum(1); a.half().cumsum(0); a.cumprod(0); a.cumprod(-1); t.cumprod(1); z.cumprod(1)
z.cumprod(0); s.cumprod(0); e.cumprod(0); i.cumprod(1); o.cumprod(0)
a.cumprod(1, dtype=m.float64); m.cumprod(v, 0); n.cumprod(1); a.cummax(1); a.cummin(0)
d.cummax(0); d.cummin(0); n.cummax(1); n.cummin(0); s.cummax(0); e.cummax(0); e.cummin(1)
o.cummax(0); i.cummin(1); j.cummax(1); m.cummax(t, 1); m.cummin(t, -1); a.logcumsumexp(1)
a.logcumsumexp(0); (a * 300).logcumsumexp(1); s.logcumsumexp(0); j.logcumsumexp(1)
m.logcumsumexp(t, 1); e.logcumsumexp(0); n.logcumsumexp(1); t.logcumsumexp(-1)
a.half().logcumsumexp(0); a.diff(); a.diff(2); a.diff(dim=0); a.diff(9); a.diff(0)
a.diff(prepend=b); a.diff(append=b); a.diff(1, 0, b[:1], b[:2]); o.diff(); i.diff(dim=0)
m.diff(v, n=3); e.diff(); e.diff(dim=0); e.diff(append=e); i.diff(prepend=i); t.diff(2, 1)
(a > 0).all(); (a > 0).any(1); o.all(0); a.any(); a.all((0, 1)); t.any((0, 2), True); a.any(())
a.all(()); n.any(); n.all(1); i.to(m.uint8).any(0); i.to(m.uint8).all(); e.any(); e.all(0)
e.any(1); s.any(0); a.all(None, True); a.any(keepdim=True); m.any(a, (0, 1), True); m.all(o)
z.count_nonzero(); z.count_nonzero(0); m.count_nonzero(z, (0, 1)); s.count_nonzero(0)
n.count_nonzero(1); o.count_nonzero(); e.count_nonzero(0); m.count_nonzero(z, dim=-1)
a.softmax(0, dtype=m.float64); m.softmax(i, 1, m.float64); m.log_softmax(i, 0, dtype=m.float32)
a.sort(); a.sort(0); a.sort(1, True); d.sort(stable=True); d.sort(stable=True, descending=True)
n.sort(); n.sort(1, True); j.sort(0); s.sort(); s.sort(0); e.sort(0); e.sort(); i.sort(1)
o.sort(); o.sort(stable=True, descending=True); m.sort(a, dim=0, descending=True); m.sort(t, 1)
a.argsort(); a.argsort(0, True); m.argsort(d, stable=True)
d.argsort(descending=True, stable=True); s.argsort(); n.argsort(1); a.msort(); m.msort(t)
s.msort(); a.half().sort(); a.t().sort(); a[:, ::2].sort(0); a.topk(2); a.topk(2, 0)
a.topk(3, 1, False); a.topk(4); a.topk(0); d.topk(2).values; s.topk(1)
d.topk(4, largest=False).values; n.topk(2); n.topk(2, 1, False).values; j.topk(2, 0).values
i.topk(2).values; m.topk(t, 2, 1); a.topk(2, sorted=True); e.topk(0, 0); e.topk(2); a.kthvalue(2)
a.kthvalue(1, 0); a.kthvalue(3, 0, True); d.kthvalue(3).values; n.kthvalue(3).values
s.kthvalue(1); i.kthvalue(2).values; m.kthvalue(t, 2, 1); e.kthvalue(1, 1); n.kthvalue(1, 1)
m.searchsorted(v.detach().sort().values, a.detach()); m.searchsorted(r, c)
m.searchsorted(r, c, right=True); m.searchsorted(r, c, side='right')
m.searchsorted(r, c, side='left'); m.searchsorted(r, 2.0); m.searchsorted(r, 3)
m.searchsorted(r, c, out_int32=True); m.searchsorted(r, i); m.searchsorted(r, n)
m.searchsorted(m.stack([r, r * 2]), n); m.searchsorted(r, c, sorter=m.arange(4))
m.searchsorted(r[m.tensor([2, 0, 3, 1])], c, sorter=m.tensor([1, 3, 0, 2]))
m.searchsorted(m.tensor([1, 2, 3]), c); m.searchsorted(r[:0], c); m.searchsorted(r, c[:0])
m.searchsorted(r, m.tensor(2.0).to(r.dtype)); m.bucketize(c, r); m.bucketize(c, r, right=True)
m.bucketize(2, r); m.bucketize(n, r, out_int32=True); m.bucketize(n, r); m.unique(i)
m.unique(i, return_inverse=True, return_counts=True); m.unique(d.detach(), True, True)
i.unique(return_counts=True); d.detach().unique(sorted=False)
k.detach().unique(dim=0, return_inverse=True, return_counts=True)
i.unique(dim=1, return_counts=True); n.unique(); o.unique()
s.detach().unique(return_inverse=True); m.unique(m.tensor([0.0, -0.0, 1.0]), return_counts=True)
m.zeros(0, 3).unique(dim=0); j.unique(dim=1)
m.unique(m.zeros(0), return_inverse=True, return_counts=True); t.detach().unique(dim=1)
m.unique(m.tensor([nan, 1.0, nan]), return_inverse=True, return_counts=True)
m.unique_consecutive(d.detach()); d.detach().unique_consecutive(True, True)
i.unique_consecutive(return_counts=True)
k.detach().unique_consecutive(dim=0, return_inverse=True); m.unique_consecutive(n)
o.unique_consecutive(return_inverse=True); i.unique_consecutive(dim=1); m.bincount(u)
u.bincount(minlength=9); m.bincount(u, c[:4]); u.bincount(u); u.bincount(c[:4].half())
m.bincount(u[:0], minlength=2); m.bincount(u[:0]); u.to(m.uint8).bincount()
u.int().bincount(u > 1); a.detach().histc(); m.histc(c, 4); m.histc(c, bins=3, min=1, max=4)
n.histc(4, 0, 3); (c * 0).histc(4); m.histc(c[:0], 2); c.half().histc(3); m.histc(r, 3, 1, 4)
m.histogram(c, 4); m.histogram(c, 3, range=(0.0, 4.0)); m.histogram(c, r); (c * 0).histogram(2)
m.histogram(c, 3, range=(0.0, 4.0), weight=c, density=True); c.histogram(r, weight=c * c)
c[:0].histogram(2); a.detach().histogram(5); m.isin(i, m.tensor([2, 5])); m.isin(i, 2)
m.isin(2, i); m.isin(i, c, invert=True); m.isin(n, n)
m.isin(i, m.tensor([2]), assume_unique=True); m.isin(i, i[:0])
"""

FLAT = [part.strip() for line in LINES.strip().splitlines() for part in line.split("; ")]


def inputs(m, dtype):
    rng = np.random.default_rng(11)
    made = {}
    for name, shape in SHAPES.items():
        values = rng.uniform(0.3, 2.0, shape) if name == "p" else rng.normal(size=shape)
        made[name] = m.tensor(np.asarray(values).astype(dtype), requires_grad=True)
    for name, values in FIXED.items():
        made[name] = m.tensor(np.array(values, dtype), requires_grad=True)
    for name, values in CONSTANTS.items():
        made[name] = m.tensor(np.array(values, dtype))
    made["i"] = m.tensor(np.array([[3, 1, 2], [2, 2, 5]]))
    made["o"] = m.tensor(np.array([True, False, True, True, False]))
    made["r"] = m.tensor(np.array([1.0, 2.0, 3.0, 4.0], dtype))
    made["c"] = m.tensor(np.array([2.0, 0.5, 3.5, 4.0, 9.0], dtype))
    made["u"] = m.tensor(np.array([3, 1, 1, 6]))
    return made


def run(m, line, dtype):
    names = inputs(m, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(line, {"m": m, "F": m.nn.functional, "inf": inf, "nan": nan, **names})
        parts = result if isinstance(result, tuple) else (result,)
        wanted = [y for y in parts if y.requires_grad]
        total = None
        for y in wanted:
            start = np.linspace(0.5, 1.5, y.numel()).reshape(tuple(y.shape))
            scaled = (y * m.tensor(start).to(y.dtype)).sum()
            total = scaled if total is None else total + scaled
        if total is not None:
            total.backward()
    grads = {n: x.grad.numpy() for n, x in names.items() if x.grad is not None}
    fields = (type(result).__name__, getattr(result, "_fields", None))
    if hasattr(result, "n_sequence_fields"):
        fields = (type(result).__name__, tuple(_fields_of(result)))
    values = [(y.detach().numpy(), str(y.dtype).split(".")[1]) for y in parts]
    return fields, values, grads


def _fields_of(result):
    """The names of the fields of PyTorch's structseq, in order."""
    return [
        name
        for place in range(result.n_sequence_fields)
        for name in dir(result)
        if not name.startswith("_") and getattr(result, name) is result[place]
    ]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("line", FLAT)
def test_line_gives_what_pytorch_gives(line, dtype, torch):
    kind, ours, our_grads = run(mt, line, dtype)
    their_kind, theirs, their_grads = run(torch, line, dtype)
    if their_kind[0] != "Tensor":
        assert kind == their_kind
    assert len(ours) == len(theirs)
    tolerance = {"rtol": 1e-9, "atol": 1e-12}
    if dtype == "float32" or ".float" in line:
        tolerance = {"rtol": 3e-5, "atol": 3e-6}
    if "half()" in line:
        tolerance = {"rtol": 4e-3, "atol": 2e-3}
    for (value, value_dtype), (expected, expected_dtype) in zip(ours, theirs, strict=True):
        assert value_dtype == expected_dtype
        assert value.shape == expected.shape
        own = {"rtol": 1e-6} if value_dtype == "float32" and dtype == "float64" else {}
        np.testing.assert_allclose(value, expected, **{**tolerance, **own})
    assert set(our_grads) >= set(their_grads)
    for name, gradient in our_grads.items():
        if name not in their_grads:  # of what is constant PyTorch gives none, instead of zeros
            assert not gradient.any()
            continue
        assert gradient.dtype == their_grads[name].dtype
        np.testing.assert_allclose(gradient, their_grads[name], **tolerance, err_msg=name)


# ---- what goes wrong goes wrong in the same class of exception ----------------------------------

WRONG = """
m.ones(2).sum(1); m.ones(2, 2).sum((0, 0)); m.ones(2).sum(True); m.ones(2).mean(dtype=m.int64)
m.tensor([1]).mean(); m.ones(2).prod((0,)); m.ones(2).prod(1); m.tensor([1]).nanmean()
m.tensor([1]).var(); m.tensor([1]).std(0); m.ones(2).var(2); m.ones(2).var(0, True, correction=1)
m.var_mean(m.tensor([1])); m.ones(0).amax(); m.ones(0).amin(0); m.ones(0, 2).amax(0)
m.ones(2, 2).amax((0, 0)); m.ones(0).max(); m.ones(0, 2).max(0); m.ones(0).argmax()
m.ones(0, 2).argmin(0); m.tensor([True]).argmax(); m.ones(2).max(0.5); m.ones(2).max(1)
m.ones(0).aminmax(); m.ones(0, 2).aminmax(dim=0); m.ones(2).aminmax(0); m.ones(0, 2).median(0)
m.tensor([True]).median(); m.tensor([True]).nanmedian(0); m.ones(0).mode(); m.ones(0, 2).mode(0)
m.ones(0).quantile(0.5); m.ones(0, 2).quantile(0.5, 1); m.ones(2).quantile(1.5)
m.ones(2).quantile(nan); m.ones(2).quantile(m.tensor([0.5, 1.5]))
m.ones(2).quantile(m.ones(1, 1)); m.ones(2).quantile(m.tensor([0.5], dtype=m.float64))
m.ones(2).half().quantile(0.5); m.tensor([1]).quantile(0.5)
m.ones(2).quantile(0.5, interpolation='x'); m.ones(2).quantile([0.5]); m.ones(2).quantile(0.5, 1)
m.ones(0).nanquantile(0.5); m.ones(2).logsumexp(None); m.ones(2).logsumexp(1)
m.ones(2).logsumexp(); m.tensor([1]).norm(); m.ones(2).norm('x'); m.ones(0).norm(inf)
m.ones(0).norm(-1); m.ones(0, 2).norm(inf, 0); m.ones(2).norm(2, 1)
m.ones(2).double().norm(2, 0, False, m.float32); m.tensor([1]).norm(dtype=m.float64)
m.ones(3).dist(m.ones(2)); m.tensor([1]).dist(m.tensor([1])); m.cdist(m.ones(2), m.ones(2, 2))
m.cdist(m.ones(2, 2), m.ones(2, 3)); m.cdist(m.ones(2, 2).long(), m.ones(2, 2).long())
m.cdist(m.ones(2, 2), m.ones(2, 2), -1); m.cdist(m.ones(2, 2), m.ones(2, 2).double())
m.cdist(m.ones(2, 2), m.ones(2, 2), compute_mode='x'); m.cdist(m.ones(2, 2), 1)
m.cdist(m.ones(2, 2, 2), m.ones(3, 2, 2))
F.cosine_similarity(m.ones(2).long(), m.ones(2).long(), 0)
F.cosine_similarity(m.ones(2), m.ones(3), 0); F.cosine_similarity(m.ones(2), m.ones(2))
F.pairwise_distance(m.ones(2), m.ones(3)); m.ones(2).renorm(2, 0, 1)
m.ones(2, 2).renorm(-1, 0, 1); m.ones(2, 2).renorm(2, 0, -1); m.ones(2, 2).renorm(2, 3, 1)
m.ones(2).cumsum(); m.ones(2).cumsum(1); m.ones(2).cumsum(None); m.ones(2).cumprod(1.5)
m.ones(2).cummax(); m.ones(2).cummin(1); m.ones(2).logcumsumexp(1); m.tensor([1]).logcumsumexp(0)
m.tensor(1).diff(); m.ones(2).diff(-1); m.ones(2, 3).diff(prepend=m.ones(2))
m.ones(2, 3).diff(prepend=m.ones(1, 1)); m.ones(2).diff(1, 1); m.ones(2).any(1)
m.ones(2, 2).all((0, 0)); m.ones(2).count_nonzero(1); m.ones(2).sort(1); m.ones(2).argsort(1)
m.ones(2).sort('x'); m.ones(3).topk(4); m.ones(3).topk(-1); m.ones(3).topk(1, 1)
m.tensor(1.).topk(2); m.ones(3).kthvalue(0); m.ones(3).kthvalue(4); m.ones(0).kthvalue(1)
m.ones(3).kthvalue(1, 1); m.searchsorted(m.ones(3), m.ones(2), side='x')
m.searchsorted(m.ones(3), m.ones(2), side='left', right=True)
m.searchsorted(m.ones(2, 3), m.ones(2)); m.searchsorted(m.ones(2, 3), m.tensor(1.))
m.searchsorted(m.tensor(1.), m.ones(2))
m.searchsorted(m.ones(3), m.ones(2), sorter=m.tensor([0, 1])); m.searchsorted(m.ones(2, 3), 1)
m.searchsorted(m.ones(3), m.ones(2), sorter=m.ones(3)); m.searchsorted([1], m.ones(2))
m.searchsorted(m.ones(3), m.ones(2), sorter=m.tensor([0, 1, 3])); m.bucketize(1, m.ones(2, 2))
m.bucketize('a', m.ones(2)); m.ones(2, 0).unique(dim=0); m.ones(2).unique(dim=1)
m.ones(2, 0).unique_consecutive(dim=0); m.unique([1]); m.bincount(m.ones(2))
m.bincount(m.tensor([-1])); m.bincount(m.tensor([[1]])); m.bincount(m.tensor([1]), minlength=-1)
m.bincount(m.tensor([True])); m.bincount(m.tensor([1]), m.ones(2)); m.tensor([1]).histc()
m.ones(2).histc(0); m.ones(2).histc(2, 3, 1); m.tensor([nan]).histc(2); m.tensor([inf]).histc(2)
m.tensor([1]).histogram(2); m.ones(2).histogram(0); m.ones(2).histogram(2, range=(3., 1.))
m.ones(2).histogram(m.ones(2, 2)); m.isin(1, 2); m.ones(2).histogram(2, weight=m.ones(3))
m.isin(m.ones(2), 'a'); m.sum(1); m.max([1]); m.sort([1])
"""
# Where PyTorch raises nothing worth imitating: a message of its C++ innards, or none at all.
NOT_THE_SAME = {
    "m.ones(2).sort('x')",
}


@pytest.mark.parametrize(
    "line", [part.strip() for line in WRONG.strip().splitlines() for part in line.split("; ")]
)
def test_line_fails_as_in_pytorch(line, torch):
    classes = []
    for m in (torch, mt):
        with warnings.catch_warnings(), pytest.raises(Exception) as error:
            warnings.simplefilter("ignore")
            eval(line, {"m": m, "F": m.nn.functional, "nan": nan, "inf": inf})
        classes.append(error.type)
    theirs, ours = classes
    if line not in NOT_THE_SAME:
        # Who catches PyTorch's exception catches ours, or its NotImplementedError's base.
        assert issubclass(ours, theirs) or issubclass(theirs, ours)
