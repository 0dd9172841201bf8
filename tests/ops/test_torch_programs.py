"""Random programs of views, writes and walks, run in PyTorch as well.

Each starts from a leaf that requires a gradient and a constant, makes further tensors from them,
writes into them, and in the end walks back from all of them. Values, errors and gradients must be
PyTorch's. Left out is what differs on purpose: writes of memory that overlaps (PyTorch refuses some
and garbles others; here they are right), views whose existence depends on the layout of computed
tensors, views that were written to unrecorded, and views of what detach_() cut off.
"""

import random
import warnings

import numpy as np
import pytest

import microtensor as mt

NEW = """
x.sin(); x * 1.5; x.exp() * 0.1; x.tanh(); x.relu(); x.clone(); x + 1; -x; x.square() * 0.3; x * x
x.sigmoid(); x.abs(); F.silu(x); x.softmax(-1); x.detach().requires_grad_(); x.double()
x.detach(); x + y; x * y; x - y * 0.5; m.maximum(x, y); m.where(x > 0, x, y); x[m.tensor([0, 0])]
x.gather(0, m.zeros_like(x).long()); x.index_select(-1, m.tensor([0, 0]))
x.masked_fill(x > 0.3, y.sum()); x.scatter_add(0, m.zeros_like(y).long(), y); x[x > 0]
x.index_add(0, m.tensor([0]), y[:1]); x.masked_scatter(x > 0.5, y); x.take(m.tensor([0, -1]))
"""
VIEW = """
x[0]; x[1:]; x.unsqueeze(0); x[..., ::2]; x[None]; x.transpose(0, -1); x[-1]; x[1:, 1:]; x.T
x[:, 0]
"""
WRITE = """
x.mul_(1.3); x.add_(0.5); x.sin_(); x.exp_().mul_(0.1); x.zero_(); x.fill_(0.7); x.neg_()
x.tanh_(); x.relu_(); x.square_(); x.__setitem__(0, 0.3); x.__setitem__(slice(1, None), 0.2)
x.clamp_(-0.5, 0.5); x.add_(y); x.mul_(y); x.copy_(y); x.__setitem__(0, y)
x.__setitem__(0, y.sum()); x.sub_(y * 0.2); x.div_(y.abs() + 1); x.__setitem__(m.tensor([0]), y)
x.masked_fill_(x > 0.5, 0.1); F.elu(x, inplace=True); x.scatter_(0, m.zeros_like(y).long(), y)
x.scatter_add_(0, m.zeros_like(y).long(), y); x.index_add_(0, m.tensor([0, 0]), y[:2])
x.index_copy_(0, m.tensor([0]), y[:1]); x.index_fill_(0, m.tensor([0]), 0.4)
x.masked_fill_(x > 0.2, y.sum()); x.put_(m.tensor([0]), y.take(m.tensor([0])))
x.masked_scatter_(x > 0.5, y); x.index_put_((m.tensor([0, 0]),), y[0], accumulate=True)
x.scatter_reduce_(0, m.zeros_like(y).long(), y, "mean"); x.__setitem__(x > 0.4, 0.3)
x.__setitem__((..., 0), y.sum()); x.T.__setitem__(0, 0.6); x[0].__setitem__(0, y.sum())
x[0].__imul__(2); x[1:].__iadd__(y[1:]); x.fill_(y.sum())
x.scatter_reduce_(0, m.zeros_like(y).long(), y, "prod"); x.__setitem__(x > 0.1, x[x > 0.1] * 2)
x.T.copy_(y.T); x.index_fill_(-1, m.tensor([0]), y.sum())
"""
WALK = "x.sum().backward(retain_graph=True); x.sum().backward(create_graph=True)"


def parts(text):
    return [part.strip() for line in text.strip().splitlines() for part in line.split("; ")]


def program(seed):
    """Give steps (line, x, y, under no_grad, whether the result is kept)."""
    rng, steps, count = random.Random(seed), [], 2
    for _ in range(rng.randint(4, 14)):
        kind = rng.choices(["new", "view", "write", "walk"], [4, 5, 7, 1])[0]
        line = rng.choice(parts({"new": NEW, "view": VIEW, "write": WRITE, "walk": WALK}[kind]))
        kept = kind in ("new", "view")
        unrecorded = kind == "new" and rng.random() < 0.1
        steps.append((line, rng.randrange(count), rng.randrange(count), unrecorded, kept))
        count += kept
    return steps


def run(m, steps):
    """Give what happened at each step, the tensors' values and their gradients."""
    rng = np.random.default_rng(0)

    def fresh():
        return m.tensor(rng.normal(size=(3, 3)))

    tensors, happened = [fresh().requires_grad_(), fresh()], []
    for line, i, j, unrecorded, kept in steps:
        substitute = fresh()
        result = None
        x, y = tensors[i], tensors[j]
        if not kept and "y" in line and np.shares_memory(*(t.detach().numpy() for t in (x, y))):
            happened.append("skipped")
            continue
        try:
            with m.no_grad() if unrecorded else m.enable_grad():
                result = eval(line, {"m": m, "F": m.nn.functional, "x": x, "y": y})
            happened.append("ok")
        except (RuntimeError, IndexError, ValueError):
            happened.append("error")
        if kept:
            tensors.append(substitute if result is None else result)
    try:
        sum((t * 0.7).sum() for t in tensors).backward()
        happened.append("ok")
    except RuntimeError:
        happened.append("error")
    values = [(t.requires_grad, t.is_leaf, t.detach().numpy().copy()) for t in tensors]
    return happened, values, [t.grad for t in tensors]


@pytest.mark.parametrize("block", range(8))
def test_programs_do_what_they_do_in_pytorch(block, torch):
    compared = 0
    for seed in range(block * 40, block * 40 + 40):
        steps = program(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs, ours = run(torch, steps), run(mt, steps)
        listing = "\n".join(map(str, zip(steps, theirs[0], ours[0], strict=False)))
        note = f"seed {seed}:\n{listing}"
        # What they refuse and we do (writes that overlap, x.mul_(x)) ends the comparison.
        if any(a == "error" and b == "ok" for a, b in zip(theirs[0], ours[0], strict=True)):
            continue
        assert ours[0] == theirs[0], note
        for (our_grad, our_leaf, a), (their_grad, their_leaf, b) in zip(
            ours[1], theirs[1], strict=True
        ):
            assert (our_grad, our_leaf) == (their_grad, their_leaf), note
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12, err_msg=note)
        if theirs[0][-1] == "error":
            continue  # how far a failing walk came is no promise
        for a, b in zip(ours[2], theirs[2], strict=True):
            assert (a is None) == (b is None), note
            if a is not None:
                np.testing.assert_allclose(
                    a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12, err_msg=note
                )
        compared += 1
    assert compared > 10
