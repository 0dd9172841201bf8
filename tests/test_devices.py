"""Devices: the CPU under PyTorch's names, and a clear refusal of anything else."""

import copy
import pickle

import pytest

import microtensor as mt
from microtensor import nn

LINES = """
d('cpu'); d('cpu', 0); d('cpu:0'); d('cpu:1').index; d('cpu').index; d('cpu:3').type; d(d('cpu:2'))
str(d('cpu')); str(d('cpu:0')); d('cpu') == d('cpu:0'); d('cpu:0') == d('cpu', 0); d('cpu') == 'cpu'
d('cpu') == d('cpu'); d('cpu') != d('cpu'); hash(d('cpu')) == hash(d('cpu')); d(type='cpu')
d(type='cpu', index=0); d('nowhere'); d('cpu:x'); d('cpu:-1'); d('cpu:'); d('cpu:0', 0); d(1.5)
d(None); d(); d('cpu', 'a'); d(''); isinstance(d('cpu'), d); len({d('cpu'), d('cpu'), d('cpu:0')})
"""


@pytest.mark.parametrize(
    "line", [part.strip() for line in LINES.strip().splitlines() for part in line.split("; ")]
)
def test_line_is_as_in_pytorch(line, torch):
    results = []
    for m in (mt, torch):
        try:
            results.append(repr(eval(line, {"d": m.device})))
        except Exception as error:
            results.append(type(error))
    assert results[0] == results[1]


def test_what_is_on_the_cpu_says_so():
    x = mt.ones(2)
    assert x.device == mt.device("cpu") and repr(x.device) == "device(type='cpu')"
    assert x.device.type == "cpu" and x.device.index is None
    assert x.is_cpu and not x.is_cuda and not x.is_sparse and x.get_device() == -1
    assert x.layout is mt.strided and repr(x.layout) == "microtensor.strided"
    assert x.cpu() is x and x.to("cpu") is x and x.to(x.device) is x
    assert not mt.cuda.is_available() and mt.cuda.device_count() == 0
    assert mt.Generator(x.device).initial_seed() == mt.Generator().initial_seed()
    assert nn.Linear(2, 2, device=x.device).to(x.device).weight.device == x.device


@pytest.mark.parametrize(
    "use",
    [
        lambda: mt.device("cuda"),
        lambda: mt.device("cuda:0"),
        lambda: mt.device("mps"),
        lambda: mt.device("cuda", 1),
        lambda: mt.ones(2).to("cuda"),
        lambda: mt.ones(2).to("cuda:1"),
        lambda: mt.ones(2).cuda(),
        lambda: mt.from_dlpack(mt.ones(2), device="cuda"),
    ],
)
def test_other_devices_are_refused(use):
    with pytest.raises(RuntimeError, match="microtensor runs on 'cpu'"):
        use()


def test_devices_are_values():
    device = mt.device("cpu:1")
    for twin in (copy.deepcopy(device), pickle.loads(pickle.dumps(device)), copy.copy(device)):
        assert twin == device and hash(twin) == hash(device) and repr(twin) == repr(device)
    with pytest.raises(AttributeError):
        device.type = "cuda"
    with device as entered:
        assert entered is device and mt.ones(1).device == mt.device("cpu")
