"""Rules call ops, never operators, array methods or NumPy's functions.

Every rule is run on arrays of a subclass that refuses all of these; only the ops themselves see
what is inside. NumPy promotes dtypes differently from ops, and a captured plan would not see what
a rule computes behind the ops' back.
"""

import numpy as np
import pytest
from op_cases import DIFFERENTIABLE, NOT_ALONE, cases, cases_of

import microtensor as mt
from microtensor.engine import Gradients, run_backward
from microtensor.ops import registry
from microtensor.ops.algebra import ARRAYS


class Guarded(np.ndarray):
    """An array that may be looked at, but not computed with."""

    def __array_ufunc__(self, ufunc, method, *inputs, **arguments):
        raise AssertionError(f"a rule computes with {ufunc.__name__}")

    def __array_function__(self, function, types, arguments, keywords):
        raise AssertionError(f"a rule calls np.{function.__name__}")


def _refused(name):
    def method(self, *arguments, **keywords):
        raise AssertionError(f"a rule calls the array method {name}")

    return method


for _name in dir(np.ndarray):
    # Attributes like shape and dtype are free, and so is what Python itself needs.
    if callable(getattr(np.ndarray, _name)) and not _name.startswith("__"):
        setattr(Guarded, _name, _refused(_name))
for _name in ("__getitem__", "__setitem__", "__iter__", "__bool__", "__float__", "__int__"):
    setattr(Guarded, _name, _refused(_name))
Guarded.T = property(_refused("T"))


def guard(value):
    if isinstance(value, tuple):
        return tuple(guard(each) for each in value)
    return np.ndarray.view(value, Guarded) if isinstance(value, np.ndarray) else value


def unguard(value):
    if isinstance(value, tuple):
        return tuple(unguard(each) for each in value)
    return np.ndarray.view(value, np.ndarray) if isinstance(value, Guarded) else value


@pytest.fixture
def guarded_ops(monkeypatch):
    """Let the array form of every op unwrap what it is given, and wrap what it gives."""

    def guarded(forward):
        def through(*arguments, **keywords):
            result = forward(
                *map(unguard, arguments), **{k: unguard(v) for k, v in keywords.items()}
            )
            return guard(result)

        return through

    for op in registry.values():
        names = getattr(op.either, "__globals__", {})
        if "_forward" in names:
            monkeypatch.setitem(names, "_forward", guarded(op.forward))
    # What the engine copies at the end of a walk is what ops gave.
    cast = mt.kernels.cast
    monkeypatch.setattr(mt.kernels, "cast", lambda x, out: cast(unguard(x), out))


def walk(y, start):
    """Carry a gradient backward on guarded arrays; gives all gradients that leaves were given."""
    found = []
    waiting = [(y.grad_fn, guard(start))]
    while waiting:
        node, gradient = waiting.pop()
        contributions = node.op.backward(gradient, node.parents, guard(node.saved))
        for parent, contribution in zip(node.parents, contributions, strict=True):
            if parent is None:
                continue
            if isinstance(contribution, Gradients):  # of an op with several outputs
                waiting.append((parent, contribution))
                continue
            assert isinstance(contribution, Guarded), "a rule gave what no op made"
            contribution = unguard(ARRAYS.fit(unguard(contribution), parent))
            if parent.op is None:
                found.append((parent, contribution))
            else:
                waiting.append((parent, guard(contribution)))
    return found


@pytest.mark.parametrize("name", [n for n in DIFFERENTIABLE if n not in NOT_ALONE])
def test_rules_call_ops_only(name, guarded_ops):
    for label, case in cases([name]):
        if not case.has_gradient():
            continue
        inputs = case.tensors()
        y = case.call(*inputs)
        start = np.linspace(0.5, 1.5, y.numel()).reshape(y.shape)
        found = walk(y, start)
        assert found, label
        expected = {}
        run_backward([(y.grad_fn, start)], ARRAYS, True)
        for tensor in inputs:
            if tensor is not None and tensor.grad is not None:
                expected[tensor._node] = tensor.grad._array
        assert {node for node, _ in found} == set(expected)
        for node, gradient in found:
            # To rounding: some kernels give the gradients of all inputs in one pass.
            np.testing.assert_allclose(gradient, expected[node], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("case", cases_of("cross_entropy"))
def test_rules_of_the_gradient_of_cross_entropy_call_ops_only(case, guarded_ops):
    logits = case.tensors()[0]
    rest = case.tensors()[1:]
    y = case.call(logits, *rest)
    start = mt.ones_like(y).requires_grad_()
    (slope,) = mt.autograd.grad(y, logits, start, create_graph=True)
    assert slope.grad_fn.op.name == "cross_entropy_backward"
    gradients = walk(slope, np.ones(slope.shape))
    assert {node for node, _ in gradients} == {logits._node, start._node}


def test_the_guard_refuses_what_rules_must_not_do(guarded_ops):
    x = guard(np.ones(3))
    for forbidden in (
        lambda: x + 1,
        lambda: 2 * x,
        lambda: -x,
        lambda: x > 0,
        lambda: np.exp(x),
        lambda: np.where(np.ones(3) > 0, x, x),
        lambda: np.sum(x),
        lambda: x.sum(),
        lambda: x.reshape(3, 1),
        lambda: x.T,
        lambda: x.copy(),
        lambda: x[0],
        lambda: x.astype("f4"),
    ):
        with pytest.raises(AssertionError, match="a rule c"):
            forbidden()
    assert isinstance(registry["exp"].either(x), Guarded)
    assert x.shape == (3,) and x.dtype == np.float64 and x.ndim == 1 and x.size == 3
