"""Linear algebra, line by line in PyTorch too: values, dtypes, shapes, gradients and exceptions."""

import warnings

import numpy as np
import pytest

import microtensor as mt

# Inputs by name, all differentiated; A, B and T are far from singular.
SHAPES = {
    **{"a": (3, 4), "b": (3, 4), "r": (4,), "v": (3,), "u": (3,), "s": (), "t": (2, 3, 4)},
    **{"k": (2, 4, 5), "A": (3, 3), "B": (3, 3), "T": (2, 3, 3), "x": (3, 2), "o": (2, 2, 2, 2)},
    **{"e": (0, 3, 3), "f": (3, 0)},
}
# P is symmetric and positive definite, N symmetric, L lower triangular, of T too.
MADE = {
    "P": "A @ A.mT + m.eye(3).to(A.dtype)",
    "N": "T + T.mT",
    "L": "m.linalg.cholesky(A @ A.mT)",
}

LINES = """
m.matmul(t, k); t @ k; t @ a.t(); t @ r; v @ t; a @ k; m.bmm(t, k); t.bmm(k); m.mv(a, r); a.mv(r)
m.dot(v, u); v.dot(u); m.vdot(v, u); m.inner(v, u); m.inner(a, t); m.inner(s, t); t.inner(r)
m.outer(v, r); v.outer(r); m.ger(v, r); m.outer(v, (r * 9).long()); m.kron(a, x); m.kron(v, t)
s.kron(a); m.trace(a); a.trace(); m.trace((a * 9).long()); m.cross(A, B); m.cross(A, B, dim=1)
m.cross(t, t.exp(), dim=1); m.linalg.cross(A, v.reshape(1, 3)); A.cross(B); m.linalg.vecdot(a, b)
m.linalg.vecdot(a, b, dim=0); m.linalg.vecdot(t, a); m.linalg.matmul(a, r)
m.mm((a * 9).int(), (b.t() * 9).int()); m.addmm(r, A, a); m.addmm(a, A, b, beta=0.5, alpha=-2)
m.addmm(a / 0, A, b, beta=0); s.addmm(A, a); m.addmv(v, a, r, alpha=3); s.addmv(a, r)
m.addr(a, v, r, beta=2, alpha=0.5); m.addr(s, v, r)
m.baddbmm(m.zeros(5).to(a.dtype), t, k, alpha=2); m.baddbmm(s, t, k, beta=3)
m.addbmm(s, t, k, beta=0.1, alpha=0.3); m.addbmm(v.reshape(3, 1), t, k)
a.clone().addmm_(A, b, beta=2); v.clone().addmv_(a, r)
m.addmm((a * 9).long(), (A * 9).long(), (b * 9).long(), beta=2); m.tensordot(t, r, 1)
m.tensordot(t, a, 2); m.tensordot(t, a, ([1, 2], [0, 1])); m.tensordot(a, b, 0)
m.tensordot(t, a, dims=([2, 1], [1, 0])); m.tensordot(t, t, ([0], [0]))
m.tensordot(t, k, ([-1], [1])); m.tensordot(a.reshape(3, 4, 1), b, ([2], [1]))
m.linalg.multi_dot([a, b.t(), A]); m.linalg.multi_dot([v, A, a, r]); m.linalg.multi_dot([v, u])
m.linalg.multi_dot([r, a.t()]); m.linalg.multi_dot((A, B, x)); m.linalg.matrix_power(A, 3)
m.matrix_power(T, 2); A.matrix_power(0); m.linalg.matrix_power(A, -2); m.linalg.matrix_power(A, 1)
m.matrix_power((A * 3).long(), 5); m.linalg.matrix_power(e, 2); m.linalg.matrix_exp(A)
m.matrix_exp(T * 3); A.matrix_exp(); m.linalg.matrix_exp(e); m.linalg.diagonal(t)
m.linalg.diagonal(t, offset=1, dim1=0, dim2=2); m.linalg.diagonal(a, offset=-1)
m.einsum('ij,kj->ik', a, b); m.einsum('ij,kj', a, b); m.einsum('bA', a); m.einsum('ii', A)
m.einsum('ii->i', A); m.einsum('bii->b', T); m.einsum('bij,bjk->bik', t, k)
m.einsum('...ij->...ji', t); m.einsum('bij,bjk', t, k); m.einsum('i,j->ij', v, r)
m.einsum('i,i', v, u); m.einsum('i,i->i', v, u); m.einsum('ij->', a); m.einsum('ij->j', a)
m.einsum('...j->...', t); m.einsum('...j,j->...', t, r); m.einsum('...ij,...jk->...ik', t, k)
m.einsum('bij,ij->b', t, a); m.einsum('ij,ij,ij->i', a, b, a); m.einsum('ab,bc,cd->ad', A, B, a)
m.einsum('i,ij,j', v, a, r); m.einsum('ij,jk,kl,lm->im', A, B, a, b.t()); m.einsum('ij,->ij', a, s)
m.einsum('', s); m.einsum('->', s); m.einsum(' i j , k j -> i k ', a, b); m.einsum('...', t)
m.einsum('ij...,jk->ik', t, A); m.einsum('ijk,jk', t, a); m.einsum('iji->j', t[:, :, :2])
m.einsum('ijij', o); m.einsum('iijj->ij', o); m.einsum('ij,jk->ik', v.reshape(3, 1), a)
m.einsum('ij,ij', v.reshape(3, 1), a); m.einsum('ij,kj->ik', [a, b])
m.einsum(a, [0, 1], b, [2, 1], [0, 2]); m.einsum(a, [3, 1], b, [0, 1])
m.einsum(t, [..., 5], r, [5]); m.einsum(t, [..., 0, 1], [..., 1, 0])
m.einsum('bij,cjk->bcik', t, k); m.einsum('Ab,bA', a, b.t())
m.einsum('i,i->', (v * 9).long(), (u * 9).long()); m.einsum('...i,...i', a, t)
m.einsum('abc,acd,ae->bde', t, k, x.t()); m.einsum('zij->zi', e); m.einsum('ij,jk', f, a[:0])
m.einsum('ij->i', (a * 9).int()); m.linalg.inv(A); m.linalg.inv(T); m.inverse(A); A.inverse()
m.linalg.inv(e); m.linalg.inv(e[:, :0, :0]); m.linalg.solve(A, x); m.linalg.solve(A, v)
m.linalg.solve(T, x); m.linalg.solve(T, v); m.linalg.solve(A, t); m.linalg.solve(T, A[:2])
m.linalg.solve(A, x.t(), left=False); m.linalg.solve(T, t[:, :2, :3], left=False)
m.linalg.solve(e, x); m.linalg.solve_triangular(A, x, upper=True)
m.linalg.solve_triangular(A, x, upper=False)
m.linalg.solve_triangular(T, x, upper=True, unitriangular=True)
m.linalg.solve_triangular(A, t[:, :2, :3], upper=False, left=False)
m.linalg.solve_triangular(A, x.t(), upper=True, left=False, unitriangular=True)
m.linalg.solve_triangular(m.zeros(2, 2), m.ones(2, 1), upper=True); m.cholesky_solve(x, L)
x.cholesky_solve(L.mT, upper=True); m.cholesky_inverse(L); m.cholesky_inverse(L.mT, upper=True)
m.linalg.tensorinv(o * 1 + m.eye(4).reshape(2, 2, 2, 2).to(o.dtype) * 4); m.linalg.det(A); m.det(T)
A.det(); m.linalg.det(e); m.linalg.det(e[:, :0, :0]); m.det(m.ones(2, 0, 0)); m.linalg.slogdet(A)
m.slogdet(T).logabsdet; T.slogdet().sign; m.logdet(P); A.logdet(); m.logdet(-A)
m.linalg.slogdet(A * 0); m.linalg.cholesky(P); m.linalg.cholesky(P, upper=True); m.cholesky(P)
P.cholesky(True); m.linalg.cholesky(e); m.linalg.cholesky(m.tensor([[4., 9.], [2., 10.]]))
m.linalg.cholesky(m.tensor([[4., 2.], [9., 10.]]), upper=True); m.linalg.eigh(N).eigenvalues
m.linalg.eigh(N)[1].abs(); m.linalg.eigvalsh(N); m.linalg.eigvalsh(A, UPLO='U')
m.linalg.eigh(A, UPLO='u')[0]; m.linalg.eigh(A)[0]; m.linalg.eigh(e)[0]; m.linalg.eigvalsh(m.eye(3))
m.linalg.svd(a, full_matrices=False)[0].abs(); m.linalg.svd(t, full_matrices=False)[2].abs()
m.linalg.svd(a).S; m.linalg.svd(a.t()).U[:, :3].abs(); m.linalg.svdvals(t); m.linalg.svdvals(f)
m.svd(a).V.abs(); m.svd(a.t(), some=False).S; a.svd(compute_uv=False)[2]; m.svd(x)[0].abs()
a.svd()[1]; m.linalg.qr(a)[0].abs(); m.linalg.qr(A)[1].abs(); m.linalg.qr(x)[1].abs()
m.linalg.qr(t).R.abs(); m.linalg.qr(x.detach(), mode='complete').R.abs()
m.linalg.qr(a.detach(), mode='r').R.abs(); m.linalg.qr(a.detach(), 'r')[0]
m.linalg.qr(a, mode='complete').Q.abs(); m.qr(x)[0].abs(); a.qr()[1].abs()
m.qr(x.detach(), some=False).Q[:, :2].abs(); m.linalg.lstsq(x, v); m.linalg.lstsq(a, v)[0]
m.linalg.lstsq(x, A).solution; m.linalg.lstsq(t, t).rank
m.linalg.lstsq(x, A, driver='gelsd').residuals; m.linalg.lstsq(x, A, driver='gels')
m.linalg.lstsq(t.mT, k)[0]; m.linalg.lstsq(A, x, driver='gelss')[1]
m.linalg.lstsq(T, x.expand(2, 3, 2))[0]
m.linalg.lstsq(m.ones(3, 2), m.ones(3, 1), driver='gelsd')[:3]; m.linalg.pinv(a); m.linalg.pinv(t)
m.linalg.pinv(x); m.pinverse(A); x.pinverse(); m.linalg.pinv(P, hermitian=True)
m.linalg.pinv(a, rtol=0.9); m.linalg.pinv(a, atol=0.1); m.linalg.pinv(f)
m.linalg.pinv(m.ones(2, 2)); m.linalg.pinv(t, rtol=m.tensor([0.0, 0.1]).to(t.dtype))
m.linalg.pinv(a, 0.01); m.linalg.matrix_rank(t); m.linalg.matrix_rank(a, tol=1.5)
m.linalg.matrix_rank(P, hermitian=True); m.linalg.matrix_rank(m.ones(3, 3))
m.linalg.matrix_rank(a, atol=1., rtol=0.1); m.linalg.matrix_rank(f); m.linalg.matrix_rank(e)
m.linalg.vector_norm(a); m.linalg.vector_norm(a, 1); m.linalg.vector_norm(a, 3, dim=1)
m.linalg.vector_norm(t, 2, (0, 2), True); m.linalg.vector_norm(a, float('inf'))
m.linalg.vector_norm(a, -float('inf'), dim=0); m.linalg.vector_norm(a, 0)
m.linalg.vector_norm(a, 0.5); m.linalg.vector_norm(a, -2, dim=-1); m.linalg.vector_norm(s, 3)
m.linalg.vector_norm(a, dim=()); m.linalg.vector_norm(a, dtype=m.float64)
m.linalg.vector_norm(a * 0); m.linalg.vector_norm(a * 0, 3); m.linalg.vector_norm(a * 0, 1.5)
m.linalg.vector_norm(a * 0, float('inf')); m.linalg.vector_norm(a * 0, -1)
m.linalg.vector_norm(f, dim=1); m.linalg.vector_norm(f)
m.linalg.vector_norm(m.stack([a, a]), float('inf')); m.linalg.vector_norm(a.half(), 3)
m.linalg.vector_norm(m.cat([a, a * 0]), 3, dim=1); m.linalg.matrix_norm(a)
m.linalg.matrix_norm(t, 'nuc'); m.linalg.matrix_norm(t, 2)
m.linalg.matrix_norm(t, -2, keepdim=True); m.linalg.matrix_norm(t, 1, dim=(0, 2))
m.linalg.matrix_norm(t, -1); m.linalg.matrix_norm(a, float('inf'))
m.linalg.matrix_norm(a, -float('inf')); m.linalg.matrix_norm(t, 'fro', (2, 0), True)
m.linalg.matrix_norm(t, float('inf'), (0, 1), True); m.linalg.matrix_norm(t, 'nuc', (1, 0))
m.linalg.matrix_norm(A * 0); m.linalg.matrix_norm(A * 0, 'nuc'); m.linalg.matrix_norm(f, 2)
m.linalg.matrix_norm(f, 'nuc'); m.linalg.matrix_norm(f.t(), 1)
m.linalg.matrix_norm(f.t(), float('inf')); m.linalg.matrix_norm(f, 1)
m.linalg.matrix_norm(f, float('inf')); m.linalg.matrix_norm(m.eye(2), 2)
m.linalg.matrix_norm(a.float(), dtype=m.float64); m.linalg.norm(a); m.linalg.norm(t)
m.linalg.norm(a, 1); m.linalg.norm(a, 'nuc'); m.linalg.norm(v, 3); m.linalg.norm(a, 2, dim=0)
m.linalg.norm(t, 2, (2, 0)); m.linalg.norm(t, dim=(0, 1), keepdim=True)
m.linalg.norm(a, float('inf'), keepdim=True); m.linalg.norm(s); m.linalg.norm(a, dim=[0])
m.linalg.norm(a, 'fro', keepdim=True); m.linalg.cond(A); m.linalg.cond(a)
m.linalg.cond(T.detach(), 'fro'); m.linalg.cond(A.detach(), 1)
m.linalg.cond(T.detach(), -float('inf')); m.linalg.cond(A, -2); m.linalg.cond(A, 'nuc')
m.linalg.cond(m.zeros(2, 2)); m.linalg.cond(m.zeros(2, 2), 1); m.linalg.cond(m.zeros(0, 0))
m.linalg.cond(e, 1)
"""

FLAT = [part.strip() for line in LINES.strip().splitlines() for part in line.split("; ")]


def inputs(m, dtype):
    rng = np.random.default_rng(5)
    made = {}
    for name, shape in SHAPES.items():
        values = np.asarray(rng.normal(size=shape))
        if shape[-1:] == (3,) and shape[-2:-1] == (3,):
            values = values * 0.5 + np.diag([2.0, -3.0, 4.0])
        made[name] = m.tensor(values.astype(dtype), requires_grad=True)
    return made


def run(m, line, dtype):
    """Give the results as (array, dtype) pairs, and the gradients of all inputs."""
    names = inputs(m, dtype)
    scope = {"m": m, **names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, text in MADE.items():
            scope[name] = eval(text, scope)
        result = eval(line, scope)
        results = [result] if hasattr(result, "requires_grad") else list(result)
        loss = 0
        for each in results:
            if each.requires_grad:
                start = np.linspace(0.5, 1.5, each.numel()).reshape(tuple(each.shape))
                loss = (each * m.tensor(start).to(each.dtype)).sum() + loss
        if hasattr(loss, "backward"):
            loss.backward()
    grads = {n: x.grad.numpy() for n, x in names.items() if x.grad is not None}
    return [(r.detach().numpy(), str(r.dtype).split(".")[1]) for r in results], grads


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("line", FLAT)
def test_line_gives_what_pytorch_gives(line, dtype, torch):
    ours, our_grads = run(mt, line, dtype)
    theirs, their_grads = run(torch, line, dtype)
    assert [d for _, d in ours] == [d for _, d in theirs]
    assert [a.shape for a, _ in ours] == [a.shape for a, _ in theirs]
    tolerance = {"rtol": 1e-8, "atol": 1e-10}
    if "float32" in (dtype, ours[0][1]) or ".float()" in line:
        tolerance = {"rtol": 5e-3, "atol": 2e-3}
    if ".half()" in line:
        tolerance = {"rtol": 5e-3, "atol": 5e-3}
    for (a, _), (b, _) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, **tolerance)
    # PyTorch gives some norms of nothing as constants.
    assert {n for n in our_grads if n != "f"} == {n for n in their_grads if n != "f"}
    for name in set(our_grads) & set(their_grads):
        gradient = our_grads[name]
        assert gradient.dtype == their_grads[name].dtype
        np.testing.assert_allclose(gradient, their_grads[name], **tolerance, err_msg=name)


@pytest.mark.parametrize(
    "line",
    [
        *("m.linalg.inv(A)", "m.linalg.solve(A, x)", "m.linalg.det(T)", "m.linalg.slogdet(T)[1]"),
        *("m.linalg.cholesky(P)", "m.linalg.eigh(N)[1].square()", "m.linalg.pinv(t)"),
        *("m.linalg.svd(t, full_matrices=False)[0].square()", "m.linalg.qr(a)[0].square()"),
        *("m.linalg.qr(x)[1].square()", "m.linalg.lstsq(x, A)[0]", "m.linalg.vector_norm(a, 3, 1)"),
        *(
            "m.linalg.matrix_norm(t, 'nuc')",
            "m.linalg.matrix_exp(A)",
            "m.einsum('ij,kj->ik', a, b)",
        ),
        *("m.linalg.solve_triangular(A, x, upper=True)", "m.linalg.cond(A)"),
    ],
)
def test_second_derivatives_are_pytorchs(line, torch):
    found = []
    for m in (mt, torch):
        scope = {"m": m, **inputs(m, "float64")}
        wanted = [scope[n] for n in SHAPES]
        for name, text in MADE.items():
            scope[name] = eval(text, scope)
        y = eval(line, scope)
        start = m.tensor(np.linspace(0.5, 1.5, y.numel()).reshape(tuple(y.shape)))
        slopes = m.autograd.grad((y * start).sum(), wanted, create_graph=True, allow_unused=True)
        total = sum((g.sin().sum() for g in slopes if g is not None), m.tensor(0.0))
        second = m.autograd.grad(total, wanted, allow_unused=True)
        # Zeros and nothing are the same to a user.
        found.append([np.zeros(()) if g is None else g.detach().numpy() for g in second])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, ours * 0 + theirs, rtol=1e-6, atol=1e-8)


# ---- what goes wrong goes wrong in the same class of exception ----------------------------------

WRONG = """
m.linalg.inv(m.zeros(2, 2)); m.linalg.inv(m.zeros(3, 2, 2)); m.linalg.inv(m.ones(2, 3))
m.linalg.inv(m.ones(3)); m.linalg.inv(m.ones(2, 2, dtype=m.int64))
m.linalg.inv(m.ones(2, 2, dtype=m.float16)); m.linalg.inv(1.0)
m.linalg.solve(m.zeros(2, 2), m.ones(2)); m.linalg.solve(m.eye(2), m.ones(3))
m.linalg.solve(m.eye(2), m.ones(2).double()); m.linalg.solve(m.eye(2), m.ones(2), left=False)
m.linalg.solve(m.ones(2, 3), m.ones(2)); m.linalg.cholesky(-m.eye(2))
m.linalg.cholesky(m.ones(2, 3)); m.linalg.svd(m.ones(2)); m.linalg.svd(m.full((2, 2), float('nan')))
m.linalg.det(m.ones(2, 3)); m.linalg.det(m.ones(2, 2).half()); m.det(m.ones(2))
m.linalg.slogdet(m.ones(2, 3)); m.logdet(m.ones(2, 3)); m.linalg.qr(m.ones(2, 2), mode='x')
m.linalg.qr(m.ones(2))
m.linalg.qr(m.ones(3, 2, requires_grad=True), mode='complete')[1].sum().backward()
m.linalg.qr(m.ones(3, 2, requires_grad=True), mode='r')[1].sum().backward()
m.linalg.eigh(m.eye(2), UPLO='X'); m.linalg.eigh(m.ones(2, 3)); m.linalg.eigvalsh(m.ones(2, 3))
m.linalg.matrix_norm(m.ones(2, 2), 3); m.linalg.matrix_norm(m.ones(2))
m.linalg.matrix_norm(m.ones(2, 2), 'x'); m.linalg.matrix_norm(m.ones(2, 2, 2), dim=(0, 0))
m.linalg.matrix_norm(m.ones(2, 2, 2), dim=0); m.linalg.matrix_norm(m.ones(2, 2).half(), 2)
m.linalg.vector_norm(m.tensor([1])); m.linalg.vector_norm(m.ones(0), float('inf'))
m.linalg.vector_norm(m.ones(0), -1); m.linalg.vector_norm(m.ones(2), dim=1)
m.linalg.vector_norm(m.ones(2).double(), dtype=m.float32); m.linalg.vector_norm(m.ones(2), 'fro')
m.linalg.norm(m.ones(2, 2, 2), 'fro'); m.linalg.norm(m.ones(2, 2, 2), 2)
m.linalg.norm(m.ones(2, 2), 'fro', dim=0); m.linalg.norm(m.ones(2, 2, 2), dim=(0, 1, 2))
m.linalg.norm(m.tensor(2.), 1); m.linalg.matrix_power(m.ones(2, 3), 2)
m.linalg.matrix_power(m.zeros(2, 2), -1); m.linalg.matrix_power(m.eye(2), 1.5)
m.linalg.matrix_exp(m.ones(2, 3)); m.linalg.multi_dot([m.ones(2, 3)])
m.linalg.multi_dot([m.ones(2, 3), m.ones(2, 3)])
m.linalg.multi_dot([m.ones(2, 2, 2), m.ones(2, 2)]); m.linalg.cond(m.ones(2, 3), 'fro')
m.linalg.cond(m.eye(2).long()); m.linalg.cond(m.eye(2), 3); m.linalg.matrix_rank(m.ones(2))
m.linalg.lstsq(m.ones(3, 2), m.ones(4, 1)); m.linalg.lstsq(m.ones(3, 2), m.ones(3, 1), driver='x')
m.linalg.lstsq(m.ones(3), m.ones(3)); m.linalg.lstsq(m.ones(3, 2), m.ones(3, 1).double())
m.linalg.pinv(m.ones(3)); m.linalg.pinv(m.ones(2, 3), hermitian=True)
m.linalg.solve_triangular(m.eye(2), m.ones(2), upper=True)
m.linalg.solve_triangular(m.ones(2, 3), m.ones(2, 2), upper=True)
m.linalg.solve_triangular(m.eye(2), m.ones(3, 2), upper=True)
m.linalg.solve_triangular(m.eye(2), m.ones(2, 2)); m.cholesky_inverse(m.ones(2, 3))
m.cholesky_solve(m.ones(3, 1), m.eye(2)); m.linalg.tensorinv(m.ones(2, 3, 4))
m.linalg.tensorinv(m.eye(2), 0); m.linalg.cross(m.ones(2, 2), m.ones(2, 2))
m.cross(m.ones(2, 2), m.ones(2, 2)); m.linalg.cross(m.ones(3), m.ones(2, 3))
m.linalg.vecdot(m.tensor([1]), m.tensor([1])); m.linalg.vecdot(m.ones(2), m.ones(3))
m.linalg.diagonal(m.ones(2, 2), dim1=1, dim2=1); m.linalg.diagonal(m.ones(2))
m.bmm(m.ones(2, 3, 4), m.ones(1, 4, 3)); m.bmm(m.ones(2, 3), m.ones(3, 2))
m.mv(m.ones(2, 2), m.ones(3)); m.mv(m.ones(2, 2), m.ones(2).double()); m.dot(m.ones(2), m.ones(3))
m.dot(m.ones(2, 2), m.ones(3)); m.dot(m.ones(2), m.ones(2).double()); m.vdot(m.ones(2), m.ones(3))
m.inner(m.ones(2), m.ones(3)); m.inner(m.ones(2), m.ones(2).double())
m.outer(m.ones(2, 2), m.ones(2)); m.ger(m.ones(2, 2), m.ones(2)); m.trace(m.ones(2))
m.addmm(m.ones(3), m.ones(2, 2), m.ones(2, 2)); m.addmm(m.ones(2, 2, 2), m.ones(2, 2), m.ones(2, 2))
m.addmm(m.ones(2), m.eye(2).long(), m.eye(2).long()); m.addmm(m.ones(2), m.ones(2), m.ones(2, 2))
m.addmv(m.zeros(2), m.ones(2, 2), m.ones(3)); m.addr(m.zeros(2), m.ones(2, 2), m.ones(3))
m.baddbmm(m.zeros(2), m.ones(2, 2), m.ones(2, 2))
m.addbmm(m.zeros(2, 2, 2), m.ones(3, 2, 4), m.ones(3, 4, 2))
m.ones(2, 2, dtype=m.bool) @ m.ones(2, 2, dtype=m.bool); m.kron(m.ones(2), 2); m.dot([1], [2])
m.tensordot(m.ones(2, 3), m.ones(3, 2), 2); m.tensordot(m.ones(2, 3), m.ones(3, 2), -1)
m.tensordot(m.ones(2, 3), m.ones(3, 2), 3); m.tensordot(m.ones(2, 3), m.ones(3, 2), ([0, 1], [1]))
m.tensordot(m.ones(2), m.ones(2).double(), 1)
m.tensordot(m.ones(2, 2), m.ones(2, 2), ([0, 0], [0, 1]))
m.einsum('ij,jk', m.ones(2, 3), m.ones(2, 3)); m.einsum('ii->i', m.ones(2, 3))
m.einsum('ij->ik', m.ones(2, 3)); m.einsum('ij->ii', m.ones(2, 3)); m.einsum('i,j', m.ones(2))
m.einsum('i', m.ones(2), m.ones(2)); m.einsum('i-j', m.ones(2)); m.einsum('ij', m.ones(2))
m.einsum('i..j', m.ones(2, 2)); m.einsum('i,i', m.ones(2), m.ones(2).double())
m.einsum('i->..', m.ones(2)); m.einsum('...i...', m.ones(2)); m.einsum('ii', m.ones(3, 1))
m.einsum('i', 1); m.einsum(m.ones(2), [60]); m.einsum(m.ones(2), [0, 1])
m.einsum('i->j...', m.ones(2)); m.einsum('...i->i', m.ones(()))
"""

NOT_THE_SAME = {
    "m.baddbmm(m.zeros(2), m.ones(2, 2), m.ones(2, 2))",  # an IndexError
}


@pytest.mark.parametrize(
    "line", [part.strip() for line in WRONG.strip().splitlines() for part in line.split("; ")]
)
def test_line_fails_as_in_pytorch(line, torch):
    classes = []
    for m in (torch, mt):
        with warnings.catch_warnings(), pytest.raises(Exception) as error:
            warnings.simplefilter("ignore")
            eval(line, {"m": m})
        classes.append(error.type)
    theirs, ours = classes
    if line not in NOT_THE_SAME:
        assert (
            issubclass(ours, theirs)
            or issubclass(theirs, ours)
            or (theirs is torch.linalg.LinAlgError)
        )
    assert (theirs is torch.linalg.LinAlgError) == (ours is mt.linalg.LinAlgError)
