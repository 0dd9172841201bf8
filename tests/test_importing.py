"""What importing microtensor loads, and that everything is found when it is first used."""

import copy
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import microtensor as mt
from microtensor.index import INDEX

ROOT = Path(mt.__file__).parents[1]


def in_fresh_process(code):
    """Run a program by itself; give what it prints."""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def loaded_by(code):
    """Give the modules that a program imports."""
    return set(in_fresh_process(f"{code}\nimport sys\nprint(*sys.modules)").split())


# ---- what is imported ----------------------------------------------------------------------------


def test_importing_loads_tensors_and_kernels_alone():
    loaded = {name for name in loaded_by("import microtensor") if name.startswith("microtensor.")}
    floors = {name.split(".")[1] for name in loaded}
    assert {"tensor", "engine", "kernels"} <= floors
    assert not floors & {"autograd", "capturing", "distributions", "func", "lab", "nn", "optim"}
    assert {name for name in loaded if name.startswith("microtensor.ops.")} == set()


def test_importing_loads_no_other_library_but_numpy():
    others = {"jinja2", "matplotlib", "pandas", "safetensors", "scipy", "sklearn", "torch"}
    assert not others & loaded_by("import microtensor")


def test_a_network_and_an_optimizer_load_what_they_need():
    loaded = loaded_by("import microtensor as mt; mt.nn.Linear(2, 2); mt.optim.Adam")
    assert {"microtensor.nn.linear", "microtensor.optim.adam"} <= loaded
    for other in (
        "nn.attention",
        "nn.activation_modules",
        "nn.losses",
        "optim.lion",
        "ops.convolution",
    ):
        assert f"microtensor.{other}" not in loaded


def test_an_operation_loads_the_modules_it_is_written_over():
    loaded = loaded_by("import microtensor as mt; mt.exp(mt.zeros(2))")
    assert "microtensor.ops.powers" in loaded
    for other in ("convolution", "decompositions", "recurrent", "activations_gated"):
        assert f"microtensor.ops.{other}" not in loaded


def test_going_through_all_ops_loads_them_all():
    code = "from microtensor.ops import registry; assert {'exp', 'ctc'} <= set(registry)"
    assert "microtensor.ops.ctc" in loaded_by(code)


# ---- what is found -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "from microtensor import *; assert exp(tensor([0.0])).item() == 1.0 and nn.Linear and save",
        "from microtensor.nn import *; assert Linear and ReLU and PReLU and Swish and functional",
        "from microtensor.nn import functional as F; import microtensor as mt; F.relu(mt.zeros(1))",
        "from microtensor.nn.functional import *; assert relu and cross_entropy",
        "import microtensor.nn as nn; assert nn.utils.clip_grad_norm_ and nn.init.zeros_",
        "import microtensor as mt; mt.utils.data.DataLoader; mt.optim.lr_scheduler.StepLR",
        "import microtensor as mt; mt.linalg.qr(mt.eye(2)); mt.func.vmap; mt.amp.autocast",
        "import microtensor as mt; x = mt.zeros(1, requires_grad=True); x.backward(); x.grad",
        "import microtensor as mt; (1 + mt.zeros(1)) @ mt.ones(1); abs(-mt.ones(1)); mt.eye(2).T",
        "import microtensor as mt, numpy as np; assert isinstance(np.exp(mt.zeros(2)), mt.Tensor)",
        "import microtensor as mt, numpy as np; assert isinstance(np.sum(mt.zeros(2)), mt.Tensor)",
        "import microtensor as mt; mt.ops.arithmetic.add; mt.ops.samples; mt.kernels.config()",
        "import microtensor as mt; mt.zeros(3)[1:] = 2; mt.zeros(2)[0]",
        "import microtensor as mt; assert callable(mt.tensor) and callable(mt.summary)",
        "import microtensor.module_summary, microtensor as mt; assert callable(mt.summary)",
        "from microtensor.nn.activations import MODULES, ReLU; assert MODULES['ReLU'] is ReLU",
    ],
)  # fmt: skip
def test_names_are_found_in_a_fresh_process(code):
    in_fresh_process(code)


def test_pickles_are_read_in_a_fresh_process(tmp_path):
    model = mt.nn.Sequential(mt.nn.Linear(2, 2), mt.nn.ReLU(), mt.nn.PReLU())
    optimizer = mt.optim.Adam(model.parameters())
    path = tmp_path / "pickle"
    path.write_bytes(pickle.dumps((model, mt.exp, mt.tensor([1.0, 2.0]), optimizer.state_dict())))
    read = f"import pickle; found = pickle.load(open({str(path)!r}, 'rb'))"
    said = in_fresh_process(f"{read}; print(found[2].tolist(), found[0][1], found[1].__name__)")
    assert said == "[1.0, 2.0] ReLU() exp\n"


def test_an_index_that_knows_nothing_costs_time_only():
    code = """
import microtensor.index
for section in microtensor.index.INDEX:
    if section != "methods" and section != "microtensor":
        microtensor.index.INDEX[section] = {}
import microtensor as mt
mt.exp(mt.zeros(2)), mt.nn.Linear(2, 2), mt.nn.ReLU(), mt.nn.functional.relu, mt.nn.MSELoss()
mt.optim.Adam, mt.linalg.qr, mt.autograd.grad, mt.utils.serialization
"""
    in_fresh_process(code)


@pytest.mark.parametrize("module", [mt, mt.nn, mt.optim, mt.nn.functional, mt.linalg, mt.ops])
def test_what_there_is_not_is_said_so(module):
    with pytest.raises(AttributeError, match=f"{module.__name__}' has no attribute 'mispelt'"):
        module.mispelt  # noqa: B018
    assert not hasattr(module, "__wrapped__")


@pytest.mark.parametrize("module", [mt, mt.nn, mt.nn.losses, mt.optim, mt.autograd, mt.utils])
def test_all_that_is_offered_is_listed_and_found(module):
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is getattr(module, name)
        assert name in vars(module), "the second use is that of an ordinary attribute"


@pytest.mark.parametrize("module", [mt, mt.nn, mt.nn.losses, mt.optim, mt.autograd])
def test_no_file_has_the_name_of_what_is_found_late(module):
    # Importing such a file would put it in the place of what is offered.
    files = {path.stem for path in Path(module.__file__).parent.glob("*.py")}
    found = {n for names in INDEX[module.__name__].values() for n in names.split()}
    assert not files & found


def test_methods_are_ordinary_after_their_first_use():
    for names in INDEX["methods"].values():
        for name in names.split():
            found = getattr(mt.Tensor, name)
            assert vars(mt.Tensor)[name] is found


def test_attributes_may_be_attached_under_the_name_of_a_method():
    code = """
import microtensor as mt
x = mt.zeros(2)
x.exp = 3
assert x.exp == 3
try:
    x.T = 3
except AttributeError:
    print("no setter")
"""
    assert in_fresh_process(code) == "no setter\n"


def test_threads_may_be_the_first_to_use_a_name():
    code = """
import threading
import microtensor as mt
found, ready = [], threading.Barrier(8)
def work():
    ready.wait()
    kind = mt.nn.GELU
    x = mt.ones(3, requires_grad=True)
    (kind()(x) * x.exp()).sum().backward()
    found.append((kind, mt.exp, mt.Tensor.exp, tuple(x.grad.tolist())))
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 8 and len(set(found)) == 1, found
"""
    in_fresh_process(code)


def test_copies_and_threads_leave_modules_alone():
    relu = copy.deepcopy(mt.nn.ReLU())
    assert type(relu) is mt.nn.ReLU
    kinds = []
    thread = threading.Thread(target=lambda: kinds.append(mt.nn.ReLU))
    thread.start()
    thread.join()
    assert kinds == [mt.nn.ReLU]
