"""Other names of arguments that PyTorch takes, and other ways to write the same."""

import ast
import inspect
import warnings
from pathlib import Path

import numpy as np
import pytest

import microtensor as mt

AXIS = """
a.sum(axis=0); a.sum(axis=1, keepdims=True); m.sum(a, axis=(0, 1)); a.sum(axis=None)
a.mean(axis=-1, keepdims=True); a.prod(axis=0); a.any(axis=1); a.all(axis=0); a.nansum(axis=1)
a.amax(axis=1, keepdims=True); a.amin(axis=(0, 1)); a.logsumexp(axis=1); a.argmax(axis=1)
a.argmin(axis=0, keepdims=True); m.count_nonzero(a, axis=1); a.var(axis=0, correction=0)
a.std(axis=0, keepdims=True); m.var_mean(a, axis=1); a.max(axis=0); m.min(a, axis=1, keepdims=True)
a.median(axis=0); a.mode(axis=0); a.kthvalue(2, axis=0); a.nanmean(axis=0)
m.quantile(a, 0.5, axis=0); m.aminmax(a, axis=0); a.sort(axis=0); a.argsort(axis=0)
a.topk(2, axis=0)
a.cumsum(axis=0); m.cumprod(a, axis=1); m.cummax(a, axis=0); m.logcumsumexp(a, axis=1)
m.diff(a, axis=0); m.softmax(a, axis=1); a.log_softmax(axis=0); a.squeeze(axis=0)
a.unsqueeze(axis=0); a.unbind(axis=1); a.chunk(2, axis=1)
m.tensor_split(a, 2, axis=1); m.cat((a, a), axis=1); m.stack([a, a], axis=2)
m.repeat_interleave(a, 2, axis=0); m.take_along_dim(a, a.argsort(1), axis=1)
m.gather(a, axis=1, index=a.argsort(1)); m.index_select(a, axis=1, index=m.tensor([0, 2]))
a.scatter_add(axis=1, index=a.argsort(1), src=a); m.select(a, axis=1, index=0)
m.narrow(a, axis=1, start=1, length=2)
m.linalg.norm(a, axis=1); m.linalg.vector_norm(a, axis=0, keepdims=True); a.clone().cumsum_(axis=1)
"""
OTHER = """
m.tensor_split(a, sections=2); m.tensor_split(a, indices=[1]); a.tensor_split(sections=3, dim=1)
m.linalg.norm(input=a); m.matrix_power(input=a @ a.T, n=2); m.matrix_exp(input=a @ a.T)
m.cholesky_solve(input=a, input2=m.eye(3)); m.norm(a, "nuc"); a.norm("nuc", dim=(0, 1))
a.clamp(min=-0.5, max=m.tensor(0.5)); a.clamp(min=m.tensor(-0.5), max=0.5)
m.detach(a); m.get_device(a); m.is_inference(a); m.is_anomaly_enabled(); a.retains_grad
m.Tensor(2, 3).shape; m.Tensor(4).shape; m.Tensor(a.shape).shape; m.Tensor().shape
m.Tensor((2, 3)); m.Tensor(data=[1, 2]); a.shape[1:]; a.shape + (1,); a.shape[:-1].numel()
a.shape * 2; a.shape[-1]; (5, *a.shape); (1,) + a.shape; a.shape[0:1] + a.shape[1:]
"""
WRONG = """
a.sum(dim=0, axis=0); a.std(dim=0, axis=1); m.softmax(a); m.cumsum(a); a.sum(axis="a")
m.sum(a, nonsense=1); m.std(a, nonsense=1); m.tensor_split(a); m.tensor_split(a, 2, sections=2)
m.gather(a, index=a.argsort(1)); m.gather(a, 1); a.scatter_add(1, src=a); a.narrow(0, start=1)
m.Tensor(-1); m.Tensor([1], 2); m.Tensor(2, 2.5); a.clamp(min=0, max=m.ones(4)); a.norm("x")
a.sum(keepdim=True, keepdims=True, dim=0)
"""


def lines(text):
    return [part.strip() for line in text.strip().splitlines() for part in line.split("; ")]


def run(m, line):
    rng = np.random.default_rng(5)
    a = m.tensor(rng.normal(size=(3, 4)).astype("float32"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(line, {"m": m, "a": a})


def check(ours, theirs, torch):
    if isinstance(theirs, torch.Tensor):
        assert str(ours.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
        assert tuple(ours.shape) == tuple(theirs.shape)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)
    elif isinstance(theirs, tuple):
        assert type(ours).__name__ == type(theirs).__name__
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            check(mine, other, torch)
    else:
        assert ours == theirs


@pytest.mark.parametrize("line", lines(AXIS) + lines(OTHER))
def test_line_gives_what_pytorch_gives(line, torch):
    check(run(mt, line), run(torch, line), torch)


@pytest.mark.parametrize("line", lines(WRONG))
def test_line_fails_as_in_pytorch(line, torch):
    with pytest.raises(Exception) as theirs:
        run(torch, line)
    with pytest.raises(theirs.type):
        run(mt, line)


@pytest.mark.parametrize("line", [line for line in lines(AXIS) if "mode" not in line])
def test_axis_means_dim(line):
    def values(line):
        result = run(mt, line)
        return [x.numpy() for x in (result if isinstance(result, tuple) else (result,))]

    spelled = line.replace("axis", "dim").replace("keepdims", "keepdim")
    for ours, expected in zip(values(line), values(spelled), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_axis_carries_the_gradient():
    x = mt.ones(2, 3, requires_grad=True)
    x.var(axis=1, keepdims=True).sum().backward()
    assert x.grad.shape == (2, 3)


def test_a_wrong_name_is_told_by_the_name_of_what_was_called():
    # Each is made anew, since the first call of a function is another path than the later ones.
    for name in ("nansum", "nanmean"):
        for _ in range(2):
            with pytest.raises(TypeError, match=name):
                getattr(mt, name)(mt.ones(2), nonsense=1)


def test_signatures_show_pytorchs_names():
    assert list(inspect.signature(mt.var).parameters)[:2] == ["input", "dim"]
    assert "axis" not in inspect.signature(mt.sum).parameters


def test_parts_of_a_shape_are_shapes():
    shape = mt.zeros(2, 3, 4).shape
    row = (1,)
    for part in (shape[1:], shape[:-1], shape + row, row + shape, 2 * shape):
        assert type(part) is mt.Size
    assert shape[1:].numel() == 12
    assert type(shape[0]) is int


def test_whole_numbers_ask_for_a_tensor_of_that_shape():
    assert mt.Tensor(2, 3).shape == (2, 3)
    assert mt.Tensor(3).dtype is mt.float32
    with pytest.raises(RuntimeError, match="negative"):
        mt.Tensor(2, -1)
    with pytest.raises(TypeError, match="whole numbers"):
        mt.Tensor([1.0], 2)


def test_retains_grad_says_whether_it_was_asked_for():
    x = mt.ones(2, requires_grad=True)
    y = x * 2
    assert not x.retains_grad and not y.retains_grad
    y.retain_grad()
    assert y.retains_grad


def test_clamp_takes_a_tensor_of_one_beside_a_number():
    x = mt.tensor([-2.0, 0.0, 2.0])
    np.testing.assert_array_equal(x.clamp(min=-1, max=mt.tensor(1.0)).numpy(), [-1, 0, 1])
    with pytest.raises(TypeError, match="clamp"):
        x.clamp(min=-1, max=mt.ones(3))


def test_ways_to_say_how_to_split():
    x = mt.arange(5)
    assert [len(p) for p in x.tensor_split(sections=2)] == [3, 2]
    assert [len(p) for p in x.tensor_split(indices=(1, 3))] == [1, 2, 2]
    with pytest.raises(TypeError, match="exactly one"):
        x.tensor_split(2, indices=(1,))


def test_the_nuclear_norm_is_the_sum_of_the_singular_values():
    a = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(
        mt.tensor(a).norm("nuc").item(), np.linalg.svd(a, compute_uv=False).sum()
    )


def test_no_function_is_published_by_two_modules():
    seen = {}
    for path in sorted(Path(mt.ops.__file__).parent.glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            calls = [d for d in node.decorator_list if isinstance(d, ast.Call)]
            if any(getattr(d.func, "id", "") == "publish" for d in calls):
                assert seen.setdefault(node.name, path.name) == path.name, node.name
