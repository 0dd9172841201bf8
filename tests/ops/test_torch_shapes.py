"""Shapes, views, joining and splitting: the same lines in PyTorch.

Each line is run twice, with ``m`` standing for either library: values, dtypes, shapes, gradients,
memory shared, and exceptions.
"""

import warnings

import numpy as np
import pytest

import microtensor as mt

# Names of inputs, floating point and differentiated: a (3, 4); r (4,); c (3, 1); s (); t (2, 3, 4);
# o (1, 3, 1); e (0, 4); v (6,). Constants: i, integers (3, 4); n, repetitions (3,).
SHAPES = {"a": (3, 4), "r": (4,), "c": (3, 1), "s": (), "t": (2, 3, 4), "o": (1, 3, 1)}
SHAPES |= {"e": (0, 4), "v": (6,)}

LINES = """
m.reshape(a, (-1, 2)); a.reshape((2, -1)); a.reshape(shape=(2, 6)); a.view(size=(2, 6))
t.permute(dims=(2, 0, 1)); c.expand(size=(3, 2)); r.broadcast_to(size=(2, 4)); a.flip(dims=[0])
a.repeat(repeats=(2, 1)); a.tile(dims=(2,)); m.flip(a, dims=(1,)); m.permute(t, dims=(1, 0, 2))
m.tile(input=a, dims=(2,)); m.reshape(input=a, shape=(-1,)); a.view(-1, 2); a.view([2, 6])
a.reshape_as(t[0]); a.t().reshape(12); e.reshape(-1, 2); e.reshape(4, 0); a.view(2, 6)
a.view((6, -1)); a.view_as(t[1]); a.view(m.int16).sum(1); a.view(m.uint8)
a.view(dtype=m.int16).sum(); i.view(m.int32); i.view(m.float64); s.view(1); a.view(a.dtype)
m.flatten(t); t.flatten(1, -1); t.flatten(0, -2); r.flatten(); s.flatten(); a.unflatten(1, (2, -1))
v.unflatten(0, (1, 2, 3)); m.unflatten(v, -1, [3, -1]); e.unflatten(0, (-1, 2)); m.ravel(t.mT)
s.ravel(); o.squeeze(); o.squeeze(0); o.squeeze((0, 2)); o.squeeze(1); m.squeeze(o, (-1, 1))
s.squeeze(0); m.unsqueeze(a, 1); s.unsqueeze(-1); a.unsqueeze(-3); m.transpose(t, 0, -1)
t.swapaxes(0, 1); m.swapaxes(t, axis0=1, axis1=2); m.swapdims(t, dim0=0, dim1=2); t.swapdims(0, 1)
r.transpose(0, 0); s.transpose(0, -1); m.permute(t, (1, 2, 0)); t.permute(-1, 0, 1); s.permute(())
m.movedim(t, 0, -1); t.moveaxis((0, 1), (1, 0)); m.moveaxis(t, 2, 0); t.movedim([0, 2], [2, 1])
s.movedim(0, -1); a.T; t.mT; a.H; s.H; t.mH; m.adjoint(t); a.adjoint(); s.mT; m.t(a); a.t(); r.t()
s.t(); c.expand(3, 2); c.expand(-1, 4); s.expand(2, 3); c.expand((2, 3, 4)); c.expand_as(a)
r.broadcast_to((3, 4)); r.broadcast_to(2, 4); m.broadcast_to(s, (2,))
m.broadcast_tensors(a, r, c, s)[1]; m.broadcast_tensors(c, r)[0]; r.repeat(2); r.repeat(2, 1, 3)
a.repeat((1, 2)); s.repeat(3); s.repeat(()); r.repeat(0); e.repeat(2, 2); m.tile(a, (2,))
a.tile(2, 1, 1); r.tile((2, 2)); s.tile(()); m.repeat_interleave(a, 2)
a.repeat_interleave(3, dim=1); a.repeat_interleave(n, dim=0); m.repeat_interleave(n)
a.repeat_interleave(n, 0, output_size=3); s.repeat_interleave(2)
a.repeat_interleave(m.tensor([2]), dim=-1); r.repeat_interleave(m.tensor(2))
a.repeat_interleave(0, dim=0); e.repeat_interleave(2, 1); a.repeat_interleave(n, -2)
m.stack([a, a * 2]); m.stack((r, r), -1); m.stack([s, s]); m.cat([a, c], 1); m.cat((a, e), dim=0)
m.concat([a, a], 1); m.concatenate([r, v]); m.cat([a, i]); m.cat([r, m.zeros(0)]); m.hstack([a, c])
m.hstack((s, r)); m.vstack([a, r]); m.vstack((s, s))
m.row_stack([r, r]) if hasattr(m, 'row_stack') else r; m.dstack([a, a]); m.dstack((r, r))
m.dstack([s, t[:1, :1, :1]]); m.column_stack((r, r)); m.column_stack([c, a, m.ones(3)])
m.column_stack([s, s]); m.block_diag(a, r, s, c); m.block_diag(e, i); m.block_diag()
m.block_diag(s); m.split(a, 2)[1]; a.split(3, 1)[1]; a.split([1, 0, 2])[2]; m.split(e, 2)[0]
e.split(0)[0]; a.split((1, 3), dim=1)[1]; m.split_with_sizes(a, [2, 1])[0]
a.split_with_sizes([1, 3], 1)[1]; m.chunk(v, 4)[1]; v.chunk(4)[-1]; e.chunk(3)[2]; a.chunk(2, -1)[0]
m.tensor_split(v, 4)[3]; v.tensor_split((1, 8))[1]; v.tensor_split((4, 2))[1]
v.tensor_split((4, 2))[2]; v.tensor_split([-2])[1]; a.tensor_split(3, 1)[0]
v.tensor_split(m.tensor([1, 3]))[1]; v.tensor_split(m.tensor(5))[0]; m.hsplit(a, 2)[1]
v.hsplit(3)[2]; a.hsplit([1, 2])[1]; m.vsplit(a, 3)[1]; a.vsplit((1,))[1]; m.dsplit(t, 2)[1]
t.dsplit([1, 3])[1]; m.unbind(t, 1)[2]; t.unbind(-1)[0]; m.stack(a.unbind()); m.flip(t, (0, 2))
a.flip(0); a.flip(0, 1); a.flip([-1]); a.flip(()); s.flip(0); m.fliplr(a); a.flipud(); v.flipud()
m.roll(a, 1); a.roll((1, -2), (0, 1)); a.roll(5, 1); m.roll(t, (1, 2), (0, 0)); s.roll(1)
e.roll(1, 0); a.roll(-1, dims=0); a.t().roll(3); m.rot90(a); a.rot90(2); a.rot90(-1)
t.rot90(1, (1, 2)); t.rot90(3, [0, -1]); a.rot90(4); m.narrow(a, 1, 1, 2); a.narrow(0, -2, 1)
a.narrow(0, 3, 0); a.narrow(1, m.tensor(1), 2); m.select(t, 1, -1); t.select(-1, 0); m.diagonal(a)
a.diagonal(1); t.diagonal(-1, 1, 2); t.diagonal(dim1=0, dim2=-1, offset=1); a.diagonal(9); m.diag(r)
m.diag(r, -1); m.diag(a); a.diag(2); a.diag(-7); m.diag_embed(a); a.diag_embed(1, 0, 2)
m.diag_embed(t, -1, -3, 0); r.diag_embed(dim1=1, dim2=0, offset=2); m.diagflat(a); r.diagflat(-1)
s.diagflat(); m.tril(a); a.tril(-1); t.tril(1); m.triu(a, 2); a.triu(-1); t.triu(); m.triu(e)
a.tril(100); m.tril(a / 0); i.triu(1); (i > 3).tril(); v.unfold(0, 2, 1); v.unfold(0, 3, 2)
t.unfold(1, 2, 1); t.unfold(-1, 4, 3); v.unfold(0, 0, 1); s.unfold(0, 1, 1); a.t().unfold(0, 2, 2)
m.as_strided(a, (2, 2), (1, 2)); a.as_strided((3,), (5,)); a.as_strided((2, 2), (4, 1), 3)
v.as_strided((4, 3), (1, 1)); a[1:].as_strided((2, 2), (1, 2)); a[1:].as_strided((3, 2), (2, 1), 1)
(a * 2).t()[1:].as_strided((2, 2), (2, 1)); a.t().as_strided((2, 3), (1, 2))
a[:, 1].as_strided((3,), (4,)); r.expand(3, 4).as_strided((2, 2), (0, 1)); a.t().contiguous()
a.contiguous(); m.clone(a, memory_format=m.contiguous_format)
a.clone(memory_format=m.preserve_format); a.contiguous(memory_format=m.contiguous_format)
m.atleast_1d(s); m.atleast_2d(r); m.atleast_3d(a); m.atleast_3d(r); m.atleast_3d(s)
m.atleast_2d(r, s)[1]; m.atleast_1d([s, r])[0]; m.atleast_3d(t); m.atleast_2d(m.zeros(0))
m.cartesian_prod(r, v); m.cartesian_prod(r); m.cartesian_prod(r, v, r[:2]); m.combinations(r)
m.combinations(r, 3); m.combinations(r, with_replacement=True); m.combinations(r, r=5)
m.combinations(r, 0); m.combinations(r, 1); m.meshgrid(r, v, indexing='ij')[0]
m.meshgrid(r, v, indexing='ij')[1]; m.meshgrid(r, v, s, indexing='xy')[0]
m.meshgrid(r, v, s, indexing='xy')[1]; m.meshgrid([r, s], indexing='xy')[1]
m.meshgrid(r, indexing='xy')[0]; m.meshgrid(r, v)[1]; m.is_same_size(a, i) * r
a.is_same_size(r) * r; m.numel(t) * r; a.nelement() * r; t.ndimension() * r
m.tensor(list(a.t().stride())) * 1; m.tensor(a.stride(0)); m.tensor(a.unsqueeze(0).stride())
m.tensor(a.unsqueeze(1).stride()); m.tensor(a.unsqueeze(-1).stride())
m.tensor(c.expand(3, 4).stride()); m.tensor(m.ones(2, 0, 3).stride()); m.tensor(s[None].stride())
m.tensor(a[1:, 2:].storage_offset()); m.tensor(a.t()[1].storage_offset())
m.tensor(a[1:].detach().storage_offset()); m.tensor(t.size(-1))
m.tensor(m.broadcast_shapes((2, 1), 3, (4, 1, 1))); m.tensor(v.unfold(0, 3, 1).stride())
m.tensor(t.diagonal(0, 0, 2).stride()); m.tensor(a.narrow(1, 1, 2).stride())
m.tensor(a.is_contiguous() and not a.t().is_contiguous())
m.tensor(a.t().is_contiguous(memory_format=m.contiguous_format)); m.vander(r.detach())
m.vander(r.detach(), 3); m.vander(r.detach(), N=2, increasing=True); m.vander(i[0]); m.vander(r, 0)
m.vander(m.tensor([1, 2], dtype=m.int32)); m.vander(r, 1)
"""

FLAT = [part.strip() for line in LINES.strip().splitlines() for part in line.split("; ")]


def inputs(m, dtype, requires_grad=True):
    rng = np.random.default_rng(8)
    made = {
        name: m.tensor(
            np.asarray(rng.normal(size=shape)).astype(dtype), requires_grad=requires_grad
        )
        for name, shape in SHAPES.items()
    }
    made["i"] = m.tensor(rng.integers(-5, 9, (3, 4)))
    made["n"] = m.tensor([0, 2, 1])
    return made


def run(m, line, dtype):
    names = inputs(m, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(line, {"m": m, **names})
        if result.requires_grad:
            start = np.linspace(0.5, 1.5, result.numel()).reshape(tuple(result.shape))
            result.backward(m.tensor(start).to(result.dtype))
    grads = {n: x.grad.numpy() for n, x in names.items() if x.grad is not None}
    return result.detach().numpy(), str(result.dtype).split(".")[1], grads


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("line", FLAT)
def test_line_gives_what_pytorch_gives(line, dtype, torch):
    ours, our_dtype, our_grads = run(mt, line, dtype)
    theirs, their_dtype, their_grads = run(torch, line, dtype)
    assert our_dtype == their_dtype
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    assert set(our_grads) == set(their_grads)
    for name, gradient in our_grads.items():
        assert gradient.dtype == their_grads[name].dtype
        np.testing.assert_allclose(gradient, their_grads[name], rtol=2e-5, err_msg=name)


# ---- memory shared with the input, and gradients after writing through it -----------------------

VIEWS = """
y.view(4, 3); y.view(12)[2:5]; y.view_as(y); y.reshape(2, 6); y.reshape_as(y); y.flatten()
y.ravel(); y.unflatten(1, (2, 2)); y.unsqueeze(1); y.unsqueeze(0).squeeze(); y[:1].squeeze(0)
y.transpose(0, 1); y.swapaxes(0, 1); y.swapdims(0, 1); y.permute(1, 0); y.movedim(0, 1)
y.moveaxis(1, 0); y.T; y.mT; y.H; y.adjoint(); y.t(); y.narrow(1, 1, 2); y.select(1, 2)
y.diagonal(); y.diagonal(1); y.diagonal(-1, 1, 0); y.unfold(1, 2, 2); y.unfold(0, 1, 2)
y.as_strided((2, 2), (4, 1), 1); y.as_strided((3,), (5,)); y[1:].as_strided((2, 2), (1, 2))
y.split(2)[1]; y.split([1, 2], 0)[1]; y.split(3, 1)[0]; y.chunk(2, 1)[1]; y.unbind(1)[3]
y.unbind()[0]; y.tensor_split(3, 1)[0]; y.hsplit(2)[1]; y.vsplit(3)[2]; y.view(1, 3, 4).dsplit(2)[0]
y.split_with_sizes([1, 3], 1)[1]; y[1]; y[:, ::2]; y.expand(1, 3, 4); y.expand(3, 4)[1]
m.atleast_3d(y); y.detach(); y.contiguous(); y.view(y.dtype); m.broadcast_tensors(y, y)[0]
y.t().unfold(0, 2, 2); y.t().diagonal(); y.t().narrow(0, 1, 2).t()
y.view(2, 2, 3).select(1, 1).unbind(1)[2]; y.t().as_strided((2, 3), (1, 2))
"""
FLAT_VIEWS = [part.strip() for line in VIEWS.strip().splitlines() for part in line.split("; ")]


@pytest.mark.parametrize("line", FLAT_VIEWS)
def test_view_lies_where_pytorch_has_it(line, torch):
    found = []
    for m in (mt, torch):
        y = m.arange(12.0).reshape(3, 4)
        view = eval(line, {"m": m, "y": y})
        place = (view.data_ptr() - y.data_ptr(), tuple(view.stride()), view.storage_offset())
        version = y._version
        view.fill_(-1)
        assert y._version > version == 0
        found.append((place, y.tolist(), view.tolist()))
    assert found[0] == found[1]


WRITE = {
    "mul_": lambda view, w: view.mul_(w),
    "copy_": lambda view, w: view.copy_(w.expand(view.shape)),
    "sin_": lambda view, w: view.sin_(),
    "fill_": lambda view, w: view.fill_(2.0),
}
# PyTorch refuses these: a write to one of several views that came from one call, when recorded.
MULTIPLE = (".split", ".chunk", ".unbind", "split(", "broadcast_tensors")


@pytest.mark.parametrize("write", WRITE)
@pytest.mark.parametrize("line", FLAT_VIEWS)
def test_gradients_after_a_write_through_the_view(line, write, torch):
    if "detach" in line or "dtype" in line or line.startswith("y.expand(1"):
        return
    found = []
    for m in (mt, torch):
        x = m.linspace(0.5, 3.5, 12, dtype=m.float64).reshape(3, 4).requires_grad_()
        w = m.tensor(1.5, dtype=m.float64, requires_grad=True)
        y = x * x
        other = y[:, 1:].t()  # another view, whose gradient is to follow
        # PyTorch is given single views at the same place, where it refuses one of several.
        text = line
        view = eval(text, {"m": m, "y": y})
        if m is torch and any(name in line for name in MULTIPLE):
            view = y.as_strided(view.size(), view.stride(), view.storage_offset())
        WRITE[write](view, w)
        weights = m.linspace(0.1, 1.2, 12, dtype=m.float64).reshape(3, 4)
        total = (y * weights).sum() + (other * other).sum() + (view * 3).sum()
        total.backward()
        gradients = [0.0 if each.grad is None else each.grad.numpy() for each in (x, w)]
        found.append([y.detach().numpy(), *gradients])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(*np.broadcast_arrays(ours, theirs), rtol=1e-12)


def test_copies_share_nothing():
    y = mt.arange(12.0).reshape(3, 4)
    copies = [
        y.repeat(1, 1),
        y.tile(1),
        y.flip(0),
        y.roll(0),
        y.rot90(4),
        y.tril(9),
        y.diag(),
        y.clone(),
    ]
    copies += [
        mt.cat([y]),
        mt.stack([y]),
        y.repeat_interleave(1, 0),
        mt.hstack([y]),
        y.t().flatten(),
    ]
    for copy in copies:
        copy.fill_(7)
    assert y.tolist() == mt.arange(12.0).reshape(3, 4).tolist()


# ---- what goes wrong goes wrong in the same class of exception ----------------------------------

WRONG = """
m.ones(3).view(-2, 3); m.ones(3).view(2, 2); m.ones(2, 2).view(); m.zeros(0).view(-1, 0)
m.ones(3).view(m.float64); m.ones(2, 4).t().view(m.float64); m.ones(2, 4).t().view(m.float16)
m.tensor(1.).view(m.float64); m.ones(2, 3).t().view(6); m.ones(2).view(1.5); m.ones(2).reshape(3)
m.ones(2).reshape('a'); m.ones(2, 3).flatten(1, 0); m.ones(2).flatten(1)
m.ones(6).unflatten(0, (2, 2)); m.ones(6).unflatten(0, ()); m.ones(6).unflatten(1, (2, 3))
m.ones(2, 3).squeeze((0, 5)); m.ones(2, 3).squeeze((0, 0)); m.tensor(1.).transpose(0, 1)
m.ones(2).swapaxes(0, 1); m.ones(2, 3).permute(0); m.ones(2, 3).permute(0, 0)
m.ones(2, 3).permute(0, 2); m.ones(2).moveaxis(0, 1); m.ones(2, 3).movedim((0, 0), (0, 1))
m.ones(2, 3).movedim((0,), (0, 1)); m.ones(2).H; m.ones(2, 2, 2).H; m.ones(2).mT
m.ones(2).adjoint(); m.ones(2, 2, 2).t(); m.ones(3).expand(-2, 3); m.ones(3).expand(2)
m.ones(3).expand(-1, 3); m.ones(2, 3).expand(3); m.broadcast_shapes((2, 3), (4,))
m.broadcast_tensors(m.ones(2), m.ones(3)); m.ones(2).repeat(); m.ones(2, 2).repeat(2)
m.ones(2).repeat(-1); m.ones(2).repeat_interleave(-1)
m.ones(2).repeat_interleave(m.tensor([1, 2, 3])); m.ones(2).repeat_interleave(m.tensor([1., 2.]))
m.ones(2).repeat_interleave(m.tensor([1, -2]))
m.ones(2).repeat_interleave(m.tensor([1, 2]), output_size=4)
m.ones(2).repeat_interleave(2, output_size=3); m.tensor(3.).repeat_interleave(2, dim=0)
m.ones(2).repeat_interleave(2, 1); m.hstack([]); m.vstack([]); m.dstack([]); m.column_stack([])
m.concat([]); m.stack([m.ones(2)], 2); m.block_diag(m.ones(2, 2, 2))
m.hstack([m.ones(2, 2), m.ones(3, 2)]); m.vstack([m.ones(2), m.ones(3)]); m.ones(2).split(0)
m.ones(2).split(-1); m.ones(2).split([3, -1]); m.ones(2).split([1]); m.tensor(1.).split(1)
m.tensor(1.).chunk(1); m.ones(2).chunk(0); m.tensor(1.).unbind(); m.ones(2).unbind(1)
m.ones(2).split('a'); m.ones(5).tensor_split(0); m.tensor(1.).tensor_split(2)
m.ones(5).tensor_split(m.tensor([1.])); m.ones(2, 2).hsplit(3); m.ones(2, 2).hsplit(0)
m.ones(2).vsplit(1); m.ones(2, 2).dsplit(1); m.tensor(1.).hsplit(1); m.ones(2).split_with_sizes([1])
m.ones(3).flip(); m.ones(3).flip(0, 0); m.ones(3).flip(1); m.ones(3).fliplr(); m.tensor(1.).flipud()
m.ones(3).roll((1, 2)); m.ones(3, 3).roll(1, (0, 1)); m.ones(3).roll(1, 1)
m.ones(2, 2).rot90(1, (0, 0)); m.ones(2, 2).rot90(1, (0,)); m.ones(2).rot90()
m.tensor(1.).narrow(0, 0, 1); m.ones(3).narrow(0, 1, 3); m.ones(3).narrow(0, 4, 0)
m.ones(3).narrow(0, 0, -1); m.ones(3).narrow(1, 0, 1); m.tensor(1.).select(0, 0)
m.ones(3).select(0, 3); m.ones(3).select(1, 0); m.ones(3, 3).diagonal(0, 0, 0); m.ones(3).diagonal()
m.ones(3, 3, 3).diag(); m.tensor(1.).diag(); m.ones(3).diag_embed(1, 0, 0)
m.diag_embed(m.tensor(1.)); m.ones(3).tril(); m.tensor(1.).triu(); m.ones(2, 3).unfold(3, 1, 1)
m.ones(3).unfold(0, 4, 1); m.ones(3).unfold(0, 2, 0); m.ones(3).unfold(0, -1, 1)
m.tensor(3.).unfold(0, 2, 1); m.ones(3).as_strided((2, 2), (4, 1))
m.ones(3).as_strided((2,), (-1,)); m.ones(3).as_strided((2,), (1,), 5)
m.ones(3).as_strided((2,), (1, 1)); m.ones(3).as_strided((-2,), (1,))
m.cartesian_prod(m.ones(2, 2)); m.cartesian_prod(); m.combinations(m.ones(2), r=-1)
m.combinations(m.ones(2, 2)); m.meshgrid(m.ones(2), m.tensor(1))
m.meshgrid(m.ones(2), m.ones(2, 2)); m.meshgrid(); m.meshgrid(m.ones(2), indexing='ab')
m.vander(m.ones(2), N=-1); m.vander(m.ones(2, 2)); m.ones(2).clone(memory_format=m.channels_last)
m.ones(3).expand(2, 3).add_(1); m.ones(3).size(1); m.ones(3).stride(1)
"""
FLAT_WRONG = [part.strip() for line in WRONG.strip().splitlines() for part in line.split("; ")]


@pytest.mark.parametrize("line", FLAT_WRONG)
def test_line_fails_as_in_pytorch(line, torch):
    caught = []
    for m in (mt, torch):
        with warnings.catch_warnings(), pytest.raises(Exception) as info:
            warnings.simplefilter("ignore")
            eval(line, {"m": m})
        # What PyTorch has no kernel for is a kind of RuntimeError, too.
        caught.append(RuntimeError if info.type is NotImplementedError else info.type)
    assert caught[0] is caught[1]
