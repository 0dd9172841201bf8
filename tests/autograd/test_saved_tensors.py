"""Hooks on saved tensors: what they hold instead, also where memory is written to.

That they are called as PyTorch calls them is in test_torch_autograd.py.
"""

import gc
import threading
import weakref

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.autograd.graph import saved_tensors_hooks


def gradient(function, hooks=None):
    x = mt.tensor([[0.3, 0.2], [0.1, 0.5]], requires_grad=True)
    if hooks is None:
        function(x).backward()
    else:
        with hooks:
            y = function(x)
        y.backward()
    return x.grad.tolist()


def writes(x):
    y = x * 1
    y.mul_(x)
    y.tanh_()
    y[0].mul_(y[1].clone())
    nn.functional.elu(y, inplace=True)
    return (y * y).sum()


def network(x):
    return nn.functional.cross_entropy((x @ x).softmax(1).max(0).values[None], mt.tensor([1]))


@pytest.mark.parametrize("function", [writes, network])
@pytest.mark.parametrize(
    "pair",
    [
        (lambda t: t, lambda t: t),
        (None, None),
        (lambda t: (t.tolist(), t.dtype), lambda c: mt.tensor(c[0], dtype=c[1])),
    ],
    ids=["as they are", "bytes", "lists"],
)
def test_gradients_stay_the_same(function, pair):
    pack, unpack = pair
    if unpack is None:

        def pack(t):
            return t.numpy().tobytes(), t.numpy().dtype, tuple(t.shape)

        def unpack(content):
            return mt.tensor(np.frombuffer(content[0], content[1]).reshape(content[2]).copy())

    assert gradient(function, saved_tensors_hooks(pack, unpack)) == gradient(function)


def test_the_array_itself_is_not_kept():
    x = mt.ones(3, requires_grad=True)
    with saved_tensors_hooks(lambda t: t.tolist(), mt.tensor):
        y = x.exp()
        reference = weakref.ref(y._array)
        z = y.sin().sum()
    del y
    gc.collect()
    assert reference() is None
    z.backward()
    assert x.grad is not None


def test_what_was_packed_goes_with_the_walk():
    class Content:
        pass

    x, kept = mt.ones(3, requires_grad=True), Content()
    reference = weakref.ref(kept)
    contents = [kept]
    del kept
    with saved_tensors_hooks(lambda t: contents.pop(), lambda c: mt.ones(3)):
        y = x.exp().sum()
    assert reference() is not None
    y.backward()
    assert reference() is None


def test_nothing_is_packed_where_nothing_is_recorded():
    packed, x = [], mt.ones(3, requires_grad=True)
    with saved_tensors_hooks(packed.append, lambda c: c):
        mt.ones(3).exp()
        with mt.no_grad():
            x.exp()
        with mt.inference_mode():
            x.exp()
    x.exp()
    assert packed == []


def test_hooks_are_per_thread():
    packed = []

    def work():
        mt.ones(2, requires_grad=True).exp()

    with saved_tensors_hooks(packed.append, lambda c: c):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert packed == []


def test_an_error_within_the_block_takes_them_away():
    packed = []
    with pytest.raises(KeyError), saved_tensors_hooks(packed.append, lambda c: c):
        raise KeyError
    mt.ones(2, requires_grad=True).exp()
    assert packed == []
