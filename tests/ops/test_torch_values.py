"""The same lines in PyTorch: values, dtypes, shapes, gradients and exceptions.

Each line is run twice, with ``m`` standing for either library and ``F`` for its functional module.
"""

import warnings

import numpy as np
import pytest

import microtensor as mt

# Names of inputs: a, b of shape (3, 4); r (4,); c (3, 1); s (); v (3,); p (3, 4) positive;
# t (2, 3, 4); w (5, 4) and k (5,): a linear map; e (0, 4). All floating point, all differentiated.
# Constants: d, which is a; q (4,) positive.
SHAPES = {
    **{"a": (3, 4), "b": (3, 4), "r": (4,), "c": (3, 1), "s": (), "v": (3,), "p": (3, 4)},
    **{"t": (2, 3, 4), "w": (5, 4), "k": (5,), "e": (0, 4)},
}

LINES = """
a + b * r - c / p; a + s; 2 - a; a * 3; 1 / p; 2 ** a; p ** a; a ** 2; a ** 3; p ** -1.5; p ** 0.5
p ** 0; a % p; -a; +a; a.remainder(0.7); a.abs(); abs(a); a.square(); a.exp(); p.log(); p.sqrt()
p.reciprocal(); a.sin(); a.cos(); a.sign(); m.add(a, b, alpha=2.5); m.sub(a, b, alpha=-2); a.div(p)
m.div(a, p); m.true_divide(a, p); m.multiply(a, b); m.subtract(a, b); m.negative(a)
m.maximum(a, b); m.minimum(a, b); m.maximum(a, a); a.max(b); m.minimum(a, c); a.clamp(-0.5, 0.5)
a.clamp(min=0.1); a.clamp(max=0.1); a.clamp(0.5, -0.5); a.clip(-1, 1); m.where(a > 0, a, b)
m.where(a > 0, a, 0.0); m.where(a > 0, 2.0, b); m.where(c > 0, a, s); a.masked_fill(a > 0.3, -1.0)
a.masked_fill(c > 0, 2); a.sum(); a.sum(0); a.sum(-1, keepdim=True); t.sum((0, 2))
t.sum(dim=(0, 1, 2)); s.sum(); e.sum(); e.sum(0); a.mean(); a.mean(1)
t.mean((0, -1), keepdim=True); s.mean(); a.amax(1); a.amin((0, 1)); t.amax((0, 2), keepdim=True)
a.max(); a.min(); (a > 0).to(a.dtype).amax(1) * a[:, 0]; a.max(1).values; a.min(0).values
a.max(1, keepdim=True)[0]; s.max(0).values; m.max(a, 1).indices * 1.0; m.stack([a, a]).amax(0)
m.stack([a, a]).max(); m.stack([a, b]).max(0).values; a.reshape(2, 6); a.reshape(-1); a.view(4, 3)
a.t(); a.T; t.mT; t.permute(2, 0, 1); t.transpose(0, 2); c.squeeze(1); c.squeeze(); c.squeeze(0)
a.unsqueeze(1); a.unsqueeze(-1); s.unsqueeze(0); s.reshape(1, 1); c.expand(3, 4)
c.expand(2, -1, 4); s.expand(3); r.expand_as(a); m.broadcast_to(r, (3, 4)); t.flatten()
t.flatten(1); t.flatten(0, 1); s.flatten(); t.movedim(0, 2); m.movedim(t, (0, 1), (2, 0))
t.ravel(); m.cat([a, b]); m.cat([a, c], 1); m.cat([a, e]); m.stack([a, b], 1); m.stack([s, s])
a.split(2, 1)[1]; a.split([1, 2])[1]; a.chunk(2, 1)[1]; a.unbind(1)[3]; m.cat(t.unbind(0))
m.cat(a.chunk(2)); a[0]; a[-1, 2]; a[:, 1:3]; a[..., ::2]; a[None, :, None]; a[1, ...]; t[0, :, 1]
s[None]; s[...]; a[[0, 2, 0]]; a[m.tensor([[0, 1], [1, 1]])]; a[m.tensor([0, 1]), m.tensor([2, 3])]
a[:, m.tensor([1, 1, 0])]; a[a > 0]; a[m.tensor([True, False, True])]; t[0, :, m.tensor([1, 2])]
t[m.tensor([0, 1]), :, m.tensor([1, 3])]; t[:, m.tensor([0, 2]), 1]; t[m.tensor([1, 0]), None]
t[0, m.tensor([True, False, True])]; a[m.tensor([], dtype=m.int64)]; t[..., m.tensor([0, 1])]
t[1, m.tensor([0, 1]), None, m.tensor([2, 2])]; t[:, 0, m.tensor([1, 2])]; a[True]; a[m.tensor(1)]
a @ b.t(); a @ r; v @ a; r @ r; t @ b.t(); t @ r; v @ t; m.mm(a, b.T); a.matmul(t.transpose(1, 2))
e @ r; e.t() @ e; F.linear(a, w, k); F.linear(a, w); F.linear(t, w, k); F.linear(r, w, k)
F.linear(e, w, k); a.relu(); m.relu(a); F.leaky_relu(a, 0.2); F.elu(a, 1.5); F.selu(a); m.selu(a)
a.sigmoid(); a.tanh(); F.softplus(a); F.softplus(a, 2.0, 1.0); F.softsign(a); F.gelu(a)
F.gelu(a, approximate='tanh'); F.silu(a); m.sigmoid(a * 20); F.softplus(a * 30); F.elu(a * 30)
F.gelu(a * 8); F.silu(a * 40); m.tanh(a * 15); F.leaky_relu(a); a.softmax(1); m.softmax(t, 1)
F.softmax(a * 50, 0); a.log_softmax(-1); F.log_softmax(t * 30, dim=0); s.softmax(0)
F.mse_loss(a, b); F.mse_loss(a, b, reduction='sum'); F.mse_loss(a, b, reduction='none')
F.cross_entropy(a, m.tensor([0, 3, 2])); F.cross_entropy(a, m.tensor([0, 3, 2]), reduction='sum')
F.cross_entropy(a * 40, m.tensor([1, 1, 2]), reduction='none'); F.cross_entropy(r, m.tensor(2))
F.cross_entropy(a, m.tensor([0, -100, 2])); F.cross_entropy(a, m.tensor([0, 1, 2]), ignore_index=1)
F.cross_entropy(a, m.tensor([0, 3, 2]), label_smoothing=0.2)
F.cross_entropy(a, m.tensor([0, -100, 2]), label_smoothing=0.2)
F.cross_entropy(a, m.tensor([0, 3, 2]), weight=q)
F.cross_entropy(t, m.tensor([[0, 1, 2, 0], [1, 1, 2, 2]]))
F.cross_entropy(a, m.tensor([0, 3, 2]), weight=q, label_smoothing=0.3, reduction='sum')
F.cross_entropy(a, m.tensor([0, -100, 2]), weight=q, label_smoothing=0.3)
F.cross_entropy(a, b.softmax(1)); F.cross_entropy(a, b.softmax(1), weight=q, reduction='none')
F.cross_entropy(a, b.softmax(1), label_smoothing=0.1, reduction='sum')
F.cross_entropy(t, t.softmax(1), reduction='none'); F.nll_loss(a, m.tensor([0, 3, 2]))
F.nll_loss(a, m.tensor([0, -100, 2]), reduction='none'); F.nll_loss(r, m.tensor(1))
F.nll_loss(a, m.tensor([0, 3, 2]), weight=q); F.nll_loss(t, m.tensor([[0, 1, 2, 0], [1, 1, 2, 2]]))
F.binary_cross_entropy_with_logits(a, b.sigmoid())
F.binary_cross_entropy_with_logits(a * 60, b.sigmoid(), reduction='sum')
F.binary_cross_entropy_with_logits(a, b.sigmoid(), p.detach(), pos_weight=q, reduction="none")
F.dropout(a, 0.5, training=False); F.dropout(a, 0.0); F.dropout(a, 1.0); a.clone(); a.detach() * a
a.contiguous() * 2; a.t().contiguous(); a.to(m.float64) * 2; a.double() + b.float()
a.half().float(); a.type_as(b.double()); a.float(); (a * 100).long() * a; (a > 0) * a
a * m.arange(4); a + m.tensor(True); (a > b).sum(); (a == a).all(); (a != b).any(); a.argmax()
a.argmax(1); a.argmin(0, keepdim=True); m.isnan(a / 0 * 0); m.isfinite(1 / (a > 0))
m.isinf(1 / (a > 0)); m.logical_and(a > 0, b > 0); ~(a > 0); (a > 0) ^ (b > 0); d // p.detach()
d // 0.3; m.div(d, 0.7, rounding_mode='floor'); m.div(d, -0.7, rounding_mode='trunc')
m.floor_divide(d, 2); a.sum(dtype=m.float64); a.mean(dtype=m.float64)
a.softmax(1, dtype=m.float64); (a > 0).sum(0); a.long().sum(); a.size(); m.tensor(a.shape)
m.tensor(a.stride()); m.tensor(a.numel()); m.tensor(a.t().stride()); m.tensor(list(a.size()))
m.zeros_like(a) + a; m.ones_like(a) * a; m.full_like(a, 3) * a; m.zeros(2, 3); m.ones((2,))
m.full((2, 2), 3); m.eye(3, 2); m.arange(3); m.arange(1, 9, 3); m.arange(0.5, 3)
m.arange(5, 1, -2); m.linspace(0, 1, 4); m.linspace(3, -1, 7); m.linspace(0, 1, 1)
"""

FLAT = [part.strip() for line in LINES.strip().splitlines() for part in line.split("; ")]


def inputs(m, dtype, requires_grad=True):
    rng = np.random.default_rng(5)
    made = {}
    for name, shape in SHAPES.items():
        values = rng.uniform(0.3, 2.0, shape) if name == "p" else rng.normal(size=shape)
        made[name] = m.tensor(np.asarray(values).astype(dtype), requires_grad=requires_grad)
    return made


def run(m, line, dtype):
    names = inputs(m, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        constants = {"d": names["a"].detach(), "q": names["r"].detach().abs()}
        result = eval(line, {"m": m, "F": m.nn.functional, **constants, **names})
        if not hasattr(result, "requires_grad"):
            return tuple(result), None, {}
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
    if their_dtype is None:
        assert ours == theirs
        return
    assert our_dtype == their_dtype
    assert ours.shape == theirs.shape
    narrow = "float16" in (our_dtype,) or ".half()" in line
    tolerance = {"rtol": 1e-10, "atol": 1e-12}
    if dtype == "float32" or "float()" in line or our_dtype == "float32":
        tolerance = {"rtol": 2e-5, "atol": 2e-6}
    if narrow:
        tolerance = {"rtol": 2e-3, "atol": 1e-3}
    np.testing.assert_allclose(ours, theirs, **tolerance)
    assert set(our_grads) == set(their_grads)
    for name, gradient in our_grads.items():
        assert gradient.dtype == their_grads[name].dtype
        np.testing.assert_allclose(gradient, their_grads[name], **tolerance, err_msg=name)


# ---- what goes wrong goes wrong in the same class of exception ----------------------------------

WRONG = """
m.ones(2, 3) + m.ones(2, 2); m.ones(2, 3) @ m.ones(2, 3); m.ones(3) @ m.ones(4)
m.tensor(1.) @ m.ones(1); m.ones(2, 3) @ m.ones(3, 2, dtype=m.float64); m.mm(m.ones(3), m.ones(3))
m.ones(2) @ 3; m.ones(2).reshape(3); m.ones(2).reshape(-1, -1); m.ones(2, 3).t().view(6)
m.ones(2).expand(3); m.ones(2, 3).expand(3); m.ones(2).unsqueeze(3); m.ones(2).squeeze(1)
m.ones(2).transpose(0, 1); m.ones(2, 2).permute(0, 0); m.ones(1, 1, 1).t(); m.ones(2).sum(1)
m.ones(2, 2).sum((0, 0)); m.tensor(1.).sum(1); m.tensor([1]).mean(); m.ones(0).max()
m.ones(2, 0).max(1); m.ones(0).argmax(); m.ones(2).sum(1.5); m.ones(2).softmax(1)
m.tensor([1]).softmax(0); m.cat([]); m.stack([]); m.cat([m.ones(2), m.ones(2, 2)])
m.stack([m.ones(2), m.ones(3)]); m.cat([m.tensor(1.)]); m.cat(m.ones(2)); m.ones(3).split([1, 1])
m.ones(3).chunk(0); m.ones(2)[2]; m.ones(2)[0, 0]; m.ones(2)[1.5]; m.ones(2)['a']
m.ones(2)[m.tensor([2])]; m.ones(2)[m.tensor([0.5])]; m.ones(2)[m.tensor([True])]; m.ones(2)[::-1]
m.ones(2).__setitem__(2, 1.); m.ones(2).__setitem__(0, m.ones(2))
m.tensor([True]) - m.tensor([True]); -m.tensor([True]); m.ones(2) & m.ones(2); ~m.ones(2)
m.tensor([2]) ** -1; m.tensor([1]) // 0; m.tensor([1]) % 0; m.where(m.ones(2), 1, 2)
m.ones(2).clamp(); m.exp(1.0); m.exp(np.ones(2)); m.add(m.ones(2), np.ones(2))
m.add(m.ones(2), 'a'); m.ones(2) + 'a'; m.ones(2) < None; m.div(m.ones(2), 2, rounding_mode='up')
m.tensor('a'); m.tensor([[1], [1, 2]]); m.tensor([None]); m.tensor([2 ** 70])
m.tensor([2 ** 40], dtype=m.int32); m.tensor([float('nan')], dtype=m.int64); m.from_numpy([1])
m.from_numpy(np.ones(2, np.dtype('>f4'))); m.tensor([1], requires_grad=True)
m.tensor([1]).requires_grad_(); m.ones(2).backward(); m.ones(2, requires_grad=True).backward()
m.ones(2, requires_grad=True).add_(1); m.ones(2, requires_grad=True)[0].add_(1)
m.ones(2, requires_grad=True).numpy(); m.ones(2).add_(m.ones(2, 2)); m.tensor([1]).add_(1.5)
m.ones(1).expand(3).add_(1); m.ones(2).retain_grad(); m.ones(2).register_hook(print)
m.autograd.grad(m.ones(1, requires_grad=True).sum(), [])
(m.ones(2, requires_grad=True) * 1).__deepcopy__({}); m.ones(2).item(); float(m.ones(2))
int(m.ones(2)); bool(m.ones(2)); bool(m.ones(0)); [1, 2][m.ones(2, dtype=m.int64)]
len(m.tensor(1.)); list(m.tensor(1.)); m.zeros(-1); m.zeros(2.5); m.arange(0, 1, 0); m.arange(1, 0)
m.linspace(0, 1, -1); m.eye(-1); m.randint(3, 3, (2,)); m.randperm(-1); m.rand(2, dtype=m.int64)
m.set_default_dtype(m.int64); m.ones(2).to('nowhere')
F.cross_entropy(m.ones(2, 3), m.tensor([0, 3])); F.cross_entropy(m.ones(2, 3), m.tensor([0]))
F.cross_entropy(m.ones(2, 3), m.tensor([0., 1.]))
F.cross_entropy(m.ones(2, 3), m.tensor([0, 1]), reduction='x')
F.cross_entropy(m.ones(2, 3), m.tensor([0, 1], dtype=m.int32))
F.cross_entropy(m.ones(2, 3), m.tensor([0, 1]), weight=m.ones(2))
F.cross_entropy(m.ones(2, 3), m.tensor([0, 1]), label_smoothing=2.)
F.nll_loss(m.ones(2, 3), m.tensor([0, 3])); F.mse_loss(m.ones(2), m.ones(2), reduction='x')
F.linear(m.ones(2, 3), m.ones(2, 2)); F.linear(m.ones(2, 3), m.ones(2, 3), m.ones(3))
F.linear(m.ones(2, 3, dtype=m.float64), m.ones(2, 3)); F.dropout(m.ones(2), 1.5)
F.binary_cross_entropy_with_logits(m.ones(2), m.ones(3)); F.gelu(m.ones(2), approximate='x')
F.relu(np.ones(2)); F.silu(m.tensor([1]))
"""
# Where we refuse in a class that says more, or PyTorch has none of its own.
NOT_THE_SAME = {
    "m.from_numpy(np.ones(2, np.dtype('>f4')))",
    "m.ones(2)['a']",
    "m.tensor([None])",
    "m.ones(2).to('nowhere')",
    "[1, 2][m.ones(2, dtype=m.int64)]",
}


@pytest.mark.parametrize(
    "line", [part.strip() for line in WRONG.strip().splitlines() for part in line.split("; ")]
)
def test_line_fails_as_in_pytorch(line, torch):
    classes = []
    for m in (torch, mt):
        with warnings.catch_warnings(), pytest.raises(Exception) as error:
            warnings.simplefilter("ignore")
            eval(line, {"m": m, "F": m.nn.functional, "np": np})
        classes.append(error.type)
    theirs, ours = classes
    if line not in NOT_THE_SAME:
        # Who catches PyTorch's exception catches ours, or its NotImplementedError's base.
        assert issubclass(ours, theirs) or issubclass(theirs, ours)
