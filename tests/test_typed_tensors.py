"""What old scripts make tensors with."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn
from microtensor.autograd import Variable


def test_types_make_tensors_of_their_dtype():
    assert mt.FloatTensor([1, 2]).dtype is mt.float32
    assert mt.LongTensor(np.array([1.0, 2.0])).tolist() == [1, 2]
    assert mt.ByteTensor(2, 3).shape == mt.DoubleTensor(mt.Size([2, 3])).shape == (2, 3)
    assert mt.IntTensor().shape == (0,)
    given = mt.ones(2, dtype=mt.float64)
    shared = mt.DoubleTensor(given)
    shared[0] = 5
    assert given[0] == 5
    with pytest.raises(TypeError, match="FloatTensor must be given a tensor of"):
        mt.FloatTensor(given)


def test_types_tell_dtypes_apart_and_convert():
    assert isinstance(mt.ones(1), mt.FloatTensor) and not isinstance(mt.ones(1), mt.LongTensor)
    assert not isinstance(1.0, mt.FloatTensor)
    assert mt.ones(2).type(mt.LongTensor).dtype is mt.int64


def test_a_variable_is_a_tensor():
    x = mt.ones(2, requires_grad=True)
    y = Variable(x)
    assert isinstance(x, Variable) and not y.requires_grad and y.data_ptr() == x.data_ptr()
    assert Variable(x, requires_grad=True).is_leaf


def test_data_parallel_passes_through_and_names_no_gpu():
    net = nn.DataParallel(nn.Linear(2, 1))
    x = mt.ones(3, 2)
    assert mt.equal(net(x), net.module(x))
    assert list(net.state_dict()) == ["module.weight", "module.bias"]
    with pytest.raises(RuntimeError, match=r"device_ids must be None or empty, got \[0, 1\]"):
        nn.DataParallel(nn.Linear(2, 1), device_ids=[0, 1])
