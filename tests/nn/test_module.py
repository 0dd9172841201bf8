"""Registration, traversal, modes, conversion, copying and printing of modules."""

import copy
import gc
import pickle
import weakref

import pytest

import microtensor as mt
from microtensor import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(2, 3)
        self.out = nn.Linear(3, 1, bias=False)
        self.scale = nn.Parameter(mt.ones(1))
        self.register_buffer("mean", mt.zeros(2))
        self.register_buffer("cache", mt.zeros(2), persistent=False)

    def forward(self, x):
        return self.out(nn.functional.tanh(self.hidden(x - self.mean))) * self.scale


class ForgotInit(nn.Module):
    def __init__(self, action):
        action(self)

    def forward(self, x):
        return x


# ---- registration -------------------------------------------------------------------------------


def test_parameters_are_ordinary_instance_attributes():
    net = Net()
    assert net.__dict__["scale"] is net.scale is net._parameters["scale"]


def test_registries_write_through_to_attributes_and_back():
    net = Net()
    replacement = nn.Parameter(mt.zeros(1))
    net._parameters["scale"] = replacement
    assert net.scale is replacement
    net.out = None
    assert net._modules["out"] is None
    del net._buffers["mean"]
    assert not hasattr(net, "mean")
    assert "mean" not in net._buffers


def test_registration_makes_no_reference_cycle():
    gc.disable()
    try:
        net = Net()
        net(mt.ones(1, 2))
        list(net._parameters.items()), net.state_dict(), list(net.named_parameters())
        gone = weakref.ref(net)
        del net
        assert gone() is None
    finally:
        gc.enable()


def test_assigning_moves_a_name_between_kinds():
    net = Net()
    net.mean = nn.Parameter(mt.ones(2))
    assert "mean" in net._parameters
    assert "mean" not in net._buffers
    net.extra = 3
    net.extra = nn.Linear(1, 1)
    assert "extra" in dict(net.named_children())


def test_a_parameter_can_be_replaced_by_none_but_not_by_a_plain_tensor():
    net = Net()
    with pytest.raises(TypeError, match=r"cannot assign .* as parameter 'scale'"):
        net.scale = mt.ones(1)
    with pytest.raises(TypeError, match="as parameter 'scale'"):
        net.scale = nn.Linear(1, 1)
    net.scale = None
    assert net.scale is None
    assert "scale" not in dict(net.named_parameters())
    net.scale = nn.Parameter(mt.ones(1))
    assert "scale" in dict(net.named_parameters())


def test_a_child_and_a_buffer_refuse_values_of_another_kind():
    net = Net()
    with pytest.raises(TypeError, match="as child module 'out'"):
        net.out = 3
    with pytest.raises(TypeError, match="as buffer 'mean'"):
        net.mean = 3
    net.mean = mt.ones(2)
    assert net._buffers["mean"] is net.mean


def test_deleting_an_attribute_unregisters_it():
    net = Net()
    del net.hidden, net.scale, net.mean
    assert list(net.state_dict()) == ["out.weight"]
    with pytest.raises(AttributeError):
        del net.hidden


@pytest.mark.parametrize("register", ["register_parameter", "register_buffer", "add_module"])
@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        (3, TypeError, "name should be a string. Got int"),
        ("a.b", KeyError, "can't contain"),
        ("", KeyError, "can't be empty"),
        ("forward", KeyError, "attribute 'forward' already exists"),
        ("plain", KeyError, "attribute 'plain' already exists"),
    ],
)
def test_bad_names_are_refused(register, name, error, words):
    net = Net()
    net.plain = 1
    with pytest.raises(error) as caught:
        getattr(net, register)(name, None)
    assert words in caught.value.args[0]  # str() of a KeyError is quoted


def test_values_of_the_wrong_kind_are_refused():
    net = Net()
    with pytest.raises(TypeError, match=r"cannot assign 'microtensor\.tensor\.Tensor' object"):
        net.register_parameter("p", mt.ones(1))
    with pytest.raises(TypeError, match="object to buffer 'b'"):
        net.register_buffer("b", [1.0])
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        net.add_module("m", 3)


def test_a_method_name_cannot_become_a_parameter_or_child():
    net = Net()
    for value in (nn.Parameter(mt.ones(1)), nn.Linear(1, 1)):
        with pytest.raises(KeyError, match="attribute 'forward' already exists"):
            net.forward = value


@pytest.mark.parametrize(
    "action",
    [
        lambda m: setattr(m, "p", nn.Parameter(mt.ones(1))),
        lambda m: setattr(m, "child", nn.Linear(1, 1)),
        lambda m: m.register_buffer("b", mt.ones(1)),
        lambda m: m.register_parameter("p", None),
        lambda m: m.add_module("m", None),
        lambda m: m(1),
        lambda m: list(m.parameters()),
        lambda m: m.state_dict(),
        lambda m: m.register_forward_hook(print),
        repr,
    ],
)
def test_use_before_init_is_named(action):
    with pytest.raises(AttributeError, match=r"ForgotInit before Module.__init__\(\) call"):
        ForgotInit(action)


def test_plain_attributes_may_be_set_before_init():
    class Early(nn.Module):
        def __init__(self):
            self.size = 3
            super().__init__()

    assert Early().size == 3


# ---- calling ------------------------------------------------------------------------------------


class Echo(nn.Module):
    def forward(self, *args, **kwargs):
        return args, kwargs


@pytest.mark.parametrize("count", range(5))
def test_calling_passes_any_number_of_arguments(count):
    args = tuple(range(count))
    assert Echo()(*args) == (args, {})
    assert Echo()(*args, first=1, self_=2) == (args, {"first": 1, "self_": 2})


def test_calling_passes_none_as_an_argument():
    assert Echo()(None) == ((None,), {})
    assert Echo()(None, None) == ((None, None), {})


def test_forward_can_be_replaced_on_the_instance():
    layer = nn.Identity()
    layer.forward = lambda x: x + 1
    assert layer(1) == 2
    assert nn.Sequential(layer, layer)(1) == 3


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r'Module \[Empty\] is missing .* "forward"'):
        Empty()(1)


# ---- traversal ----------------------------------------------------------------------------------


def test_names_come_in_order_of_registration_depth_first():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale",
        "hidden.weight",
        "hidden.bias",
        "out.weight",
    ]
    assert [n for n, _ in net.named_parameters("net", recurse=False)] == ["net.scale"]
    assert [n for n, _ in net.named_modules()] == ["", "hidden", "out"]
    assert [n for n, _ in net.named_buffers()] == ["mean", "cache"]
    assert list(net.children()) == [net.hidden, net.out]
    assert list(net.modules()) == [net, net.hidden, net.out]


def test_shared_parameters_and_modules_count_once():
    net = Net()
    net.again = net.hidden
    net.tied = nn.Linear(2, 3)
    net.tied.weight = net.hidden.weight
    names = [n for n, _ in net.named_parameters()]
    assert names == ["scale", "hidden.weight", "hidden.bias", "out.weight", "tied.bias"]
    assert len(list(net.parameters())) == 5
    every = [n for n, _ in net.named_parameters(remove_duplicate=False)]
    assert {"again.weight", "tied.weight"} <= set(every)
    assert [n for n, _ in net.named_modules()] == ["", "hidden", "out", "tied"]
    assert [n for n, _ in net.named_modules(remove_duplicate=False)][3] == "again"


def test_a_deep_chain_is_traversed_without_recursion():
    root = module = nn.Module()
    for _ in range(5000):
        module.child = nn.Module()
        module = module.child
    assert len(list(root.modules())) == 5001
    assert list(root.parameters()) == []


def test_lookup_by_full_name():
    net = nn.Sequential(Net())
    assert net.get_submodule("0.hidden") is net[0].hidden
    assert net.get_submodule("") is net
    assert net.get_parameter("0.hidden.weight") is net[0].hidden.weight
    assert net.get_buffer("0.mean") is net[0].mean
    with pytest.raises(AttributeError, match="Net has no attribute `nowhere`"):
        net.get_submodule("0.nowhere")
    with pytest.raises(AttributeError, match=r"`weight` is not an nn\.Module"):
        net.get_submodule("0.hidden.weight")
    with pytest.raises(AttributeError, match=r"`mean` is not a nn\.Parameter"):
        net.get_parameter("0.mean")
    with pytest.raises(AttributeError, match="Linear has no attribute `x`"):
        net.get_buffer("0.hidden.x")


def test_apply_visits_children_before_their_parent():
    net = Net()
    seen = []
    assert net.apply(seen.append) is net
    assert seen == [net.hidden, net.out, net]


# ---- switches and conversion --------------------------------------------------------------------


def test_train_and_eval_reach_all_modules():
    net = nn.Sequential(Net(), nn.Dropout())
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())
    with pytest.raises(ValueError, match="expected to be boolean, got 1"):
        net.train(1)


def test_train_asks_the_children_themselves():
    class Frozen(nn.Linear):
        def train(self, mode=True):
            return super().train(False)

    net = nn.Sequential(Frozen(1, 1)).train()
    assert net.training
    assert not net[0].training


def test_requires_grad_reaches_all_parameters():
    net = Net().requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    net.requires_grad_()
    assert all(p.requires_grad for p in net.parameters())


def test_zero_grad_drops_or_zeroes():
    net = Net()
    net(mt.ones(1, 2)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(float(p.grad.abs().sum()) == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_conversion_keeps_parameters_the_same_objects():
    net = Net()
    net(mt.ones(1, 2)).sum().backward()
    before = list(net.parameters())
    assert net.double() is net
    after = list(net.parameters())
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert all(p.dtype == mt.float64 and p.grad.dtype == mt.float64 for p in after)
    assert net.mean.dtype == mt.float64
    net(mt.ones(1, 2, dtype=mt.float64)).sum().backward()
    assert net.float().scale.dtype == mt.float32


def test_conversion_leaves_integers_alone():
    net = Net()
    net.register_buffer("steps", mt.tensor(3))
    net.to(mt.float64)
    assert net.steps.dtype == mt.int64


def test_to_reads_pytorchs_forms_of_arguments():
    net = Net()
    assert net.to("cpu") is net
    assert net.to(mt.ones(1, dtype=mt.float64)).scale.dtype == mt.float64
    assert net.to(device="cpu", dtype=mt.float32).scale.dtype == mt.float32
    assert net.cpu() is net
    with pytest.raises(TypeError, match=r"floating point dtypes .* got desired dtype=.*int64"):
        net.to(mt.int64)
    with pytest.raises(RuntimeError, match=r"device must be 'cpu'.*'cuda:0'"):
        net.to("cuda:0")


# ---- copying ------------------------------------------------------------------------------------


def same_values(a, b):
    return all(
        x.tolist() == y.tolist()
        for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


def test_deepcopy_is_independent_and_keeps_sharing():
    net = nn.Sequential(Net(), Net())
    net[1].hidden.weight = net[0].hidden.weight
    twin = copy.deepcopy(net)
    assert same_values(net, twin)
    assert twin[1].hidden.weight is twin[0].hidden.weight
    assert twin[0].hidden.weight is not net[0].hidden.weight
    with mt.no_grad():
        twin[0].scale.add_(1)
    assert float(net[0].scale.item()) == 1


def test_pickling_keeps_values_names_and_sharing():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    net[2].weight = net[0].weight
    net.eval()
    twin = pickle.loads(pickle.dumps(net))
    assert same_values(net, twin)
    assert repr(twin) == repr(net)
    assert twin[2].weight is twin[0].weight
    assert not twin[0].training
    assert isinstance(twin[0].weight, nn.Parameter)
    assert twin[0].weight.requires_grad


def test_a_shallow_copy_shares_tensors_but_not_names():
    layer = nn.Linear(2, 2)
    twin = copy.copy(layer)
    assert twin.weight is layer.weight
    twin.extra = nn.Parameter(mt.ones(1))
    del twin.bias
    assert [n for n, _ in layer.named_parameters()] == ["weight", "bias"]


# ---- printing -----------------------------------------------------------------------------------


def test_repr_is_pytorchs():
    assert repr(nn.Module()) == "Module()"
    assert repr(nn.Linear(2, 3)) == "Linear(in_features=2, out_features=3, bias=True)"
    assert repr(nn.Sequential(Net(), nn.ReLU(inplace=True))) == (
        "Sequential(\n"
        "  (0): Net(\n"
        "    (hidden): Linear(in_features=2, out_features=3, bias=True)\n"
        "    (out): Linear(in_features=3, out_features=1, bias=False)\n"
        "  )\n"
        "  (1): ReLU(inplace=True)\n"
        ")"
    )


def test_extra_repr_of_several_lines_stands_above_the_children():
    class Verbose(nn.Module):
        def __init__(self):
            super().__init__()
            self.child = nn.Tanh()

        def extra_repr(self):
            return "a=1\nb=2"

    assert repr(Verbose()) == "Verbose(\n  a=1\n  b=2\n  (child): Tanh()\n)"


def test_an_assigned_buffer_is_registered():
    net = Net()
    net.table, net.notes = nn.Buffer(mt.ones(2)), nn.Buffer(mt.zeros(1), persistent=False)
    net.plain = 1
    net.plain = nn.Buffer()
    for each in (net, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert [name for name, _ in each.named_buffers()][2:] == ["table", "notes", "plain"]
        assert list(each.state_dict())[:4] == ["scale", "mean", "table", "plain"]
        assert isinstance(each.table, nn.Buffer) and each.notes.persistent is False
    assert net.double().table.dtype == mt.float64
    with pytest.raises(TypeError, match="data must be a Tensor, got list"):
        nn.Buffer([1.0])
    with pytest.raises(AttributeError, match="before Module"):
        ForgotInit(lambda module: setattr(module, "table", nn.Buffer()))


def test_modules_may_be_walked_with_repetitions():
    layer = nn.Linear(1, 1)
    net = nn.Sequential(layer, layer)
    assert len(list(net.modules())) == 2
    assert len(list(net.modules(remove_duplicate=False))) == 3


def test_a_module_is_made_without_drawing():
    before = mt.get_rng_state()
    layer = nn.utils.skip_init(nn.Conv2d, 1, 2, kernel_size=3)
    assert mt.get_rng_state().tolist() == before.tolist() and layer.weight.shape == (2, 1, 3, 3)
    for wrong in (nn.ReLU, mt.ones):
        with pytest.raises(RuntimeError, match="Module"):
            nn.utils.skip_init(wrong)
