"""The same modules in PyTorch: printed alike, saved under the same keys, computing the same."""

import numpy as np
import pytest

import microtensor as mt
from microtensor import nn

torch = pytest.importorskip("torch")

# Each line is built twice, with nn standing for either library.
MODULES = [
    "nn.Linear(3, 2)",
    "nn.Linear(3, 2, bias=False)",
    "nn.Identity()",
    "nn.Flatten()",
    "nn.Flatten(0, 1)",
    "nn.Dropout()",
    "nn.Dropout(p=0.1, inplace=True)",
    "nn.ReLU()",
    "nn.ReLU(inplace=True)",
    "nn.LeakyReLU(0.2, True)",
    "nn.LeakyReLU()",
    "nn.ELU(alpha=0.5)",
    "nn.ELU(inplace=True)",
    "nn.SELU()",
    "nn.SELU(True)",
    "nn.Sigmoid()",
    "nn.Tanh()",
    "nn.Softplus()",
    "nn.Softplus(beta=2, threshold=5)",
    "nn.Softsign()",
    "nn.GELU()",
    "nn.GELU(approximate='tanh')",
    "nn.SiLU()",
    "nn.SiLU(inplace=True)",
    "nn.Softmax(dim=1)",
    "nn.LogSoftmax(dim=-1)",
    "nn.MSELoss()",
    "nn.CrossEntropyLoss()",
    "nn.CrossEntropyLoss(ignore_index=1, label_smoothing=0.1)",
    "nn.BCEWithLogitsLoss()",
    "nn.NLLLoss(reduction='sum')",
    "nn.Sequential()",
    "nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 1)))",
    "nn.Sequential(OrderedDict(a=nn.Linear(2, 2), b=nn.Tanh()))",
    "nn.ModuleList()",
    "nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.Sequential(nn.Tanh()), nn.Tanh()])",
    "nn.ModuleDict({'x': nn.Linear(1, 1), 'y': nn.ModuleList([nn.Tanh(), nn.Tanh()])})",
]


def build(text, library):
    from collections import OrderedDict

    return eval(text, {"nn": library, "OrderedDict": OrderedDict})


@pytest.mark.parametrize("text", MODULES)
def test_repr_and_state_keys_are_equal(text):
    ours, theirs = build(text, nn), build(text, torch.nn)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]


@pytest.mark.parametrize(
    "module",
    [
        m
        for m in MODULES
        if m[3:].split("(")[0] not in ("Dropout", "ModuleList", "ModuleDict")
        and "Loss" not in m
        and "True" not in m
        and "Linear(2" not in m
    ],
)
def test_values_and_gradients_are_equal(module):
    compare(
        build(module, nn), build(module, torch.nn), np.random.default_rng(0).normal(size=(4, 3))
    )


@pytest.mark.parametrize("activation", ["ReLU", "Tanh", "GELU", "ELU", "SiLU", "Softplus"])
def test_a_network_computes_the_same(activation):
    text = (
        f"nn.Sequential(nn.Linear(3, 8), nn.{activation}(), nn.Linear(8, 8), nn.{activation}(), "
        "nn.Linear(8, 2))"
    )
    compare(build(text, nn), build(text, torch.nn), np.random.default_rng(1).normal(size=(16, 3)))


def compare(ours, theirs, data):
    ours.double(), theirs.double()
    with torch.no_grad():
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            b.copy_(torch.from_numpy(a.detach().numpy()))
    x = mt.tensor(data, requires_grad=True)
    t = torch.tensor(data, requires_grad=True)
    y, u = ours(x), theirs(t)
    np.testing.assert_allclose(y.detach().numpy(), u.detach().numpy(), rtol=1e-12, atol=1e-12)
    direction = np.random.default_rng(2).normal(size=y.shape)
    (y * mt.tensor(direction)).sum().backward()
    (u * torch.tensor(direction)).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-12, atol=1e-12)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12, atol=1e-12)


LABELS = np.array([0, 2, 1, 2, 0, 1])
SOFT = np.random.default_rng(3).dirichlet([1, 1, 1], size=6)
WEIGHT = [0.5, 1.0, 2.0]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(
    ("kind", "target", "options"),
    [
        ("CrossEntropyLoss", LABELS, {}),
        ("CrossEntropyLoss", LABELS, {"weight": WEIGHT}),
        ("CrossEntropyLoss", LABELS, {"ignore_index": 2}),
        ("CrossEntropyLoss", LABELS, {"label_smoothing": 0.2}),
        ("CrossEntropyLoss", LABELS, {"label_smoothing": 0.2, "weight": WEIGHT, "ignore_index": 0}),
        ("CrossEntropyLoss", SOFT, {"weight": WEIGHT, "label_smoothing": 0.1}),
        ("NLLLoss", LABELS, {"weight": WEIGHT, "ignore_index": 1}),
        ("MSELoss", SOFT, {}),
        ("BCEWithLogitsLoss", SOFT, {}),
        ("BCEWithLogitsLoss", SOFT, {"weight": WEIGHT, "pos_weight": [3.0, 1.0, 0.5]}),
    ],
)
def test_losses_and_their_gradients_are_equal(kind, target, options, reduction):
    def made(library, tensor, float64):
        given = {
            k: tensor(v, dtype=float64) if k.endswith("weight") else v for k, v in options.items()
        }
        return getattr(library, kind)(reduction=reduction, **given)

    data = np.random.default_rng(4).normal(size=(6, 3))
    x = mt.tensor(data, requires_grad=True)
    t = torch.tensor(data, requires_grad=True)
    y = made(nn, mt.tensor, mt.float64)(x, mt.tensor(target))
    u = made(torch.nn, torch.tensor, torch.float64)(t, torch.tensor(target))
    np.testing.assert_allclose(y.detach().numpy(), u.detach().numpy(), rtol=1e-12, atol=1e-12)
    y.sum().backward()
    u.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-12, atol=1e-12)


def nets():
    def net(nn):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Linear(2, 3)
                self.b = nn.Linear(3, 1)

        return Net()

    return net(nn), net(torch.nn)


def test_errors_of_loading_read_alike():
    messages = []
    for net, library in zip(nets(), (mt, torch), strict=True):
        state = net.state_dict()
        del state["a.bias"], state["b.weight"]
        state["c.weight"] = library.ones(1)
        state["a.weight"] = library.ones(2, 2)
        with pytest.raises(RuntimeError) as caught:
            net.load_state_dict(state)
        messages.append(str(caught.value).replace(library.__name__, "library"))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    "action",
    [
        "net.register_parameter('a.b', None)",
        "net.register_parameter('', None)",
        "net.register_parameter('forward', None)",
        "net.register_buffer('a', None)",
        "setattr(net, 'a', 3)",
        "setattr(net.a, 'weight', 3)",
        "net.get_submodule('a.x')",
        "net.get_submodule('a.weight')",
        "net.get_parameter('a')",
        "net.train(3)",
        "net(3)",
        "net.nothing",
        "nn.Dropout(2)",
        "nn.Sequential(3)",
        "nn.Sequential()[0]",
        "nn.ModuleList([3])",
        "nn.ModuleDict({'keys': net})",
        "nn.init.eye_(net.a.bias)",
        "nn.init.xavier_normal_(net.a.bias)",
        "nn.init.kaiming_normal_(net.a.weight, mode='x')",
        "nn.init.calculate_gain('x')",
    ],
)
def test_errors_are_of_the_same_class(action):
    kinds = []
    for net, library in zip(nets(), (nn, torch.nn), strict=True):
        with pytest.raises(Exception) as caught:
            exec(action, {"net": net, "nn": library})
        kinds.append(caught.type)
    assert kinds[0] is kinds[1]


def test_backward_hooks_see_the_same_gradients():
    seen = []
    for net, library in zip(nets(), (mt, torch), strict=True):
        net.double()
        with library.no_grad():
            for parameter in net.parameters():
                parameter.fill_(0.5)
        net.forward = lambda x, y, net=net: (net.b(net.a(x)), net.a(y) * 2)
        record = []

        def keep(gradients, record=record):
            record.extend(None if g is None else g.tolist() for g in gradients)

        net.register_full_backward_pre_hook(lambda m, go, keep=keep: keep(go))
        net.register_full_backward_hook(lambda m, gi, go, keep=keep: keep(gi + go))
        net.a.register_full_backward_hook(lambda m, gi, go, keep=keep: keep(gi + go))
        x = library.ones(1, 2, dtype=library.float64, requires_grad=True)
        y = library.ones(1, 2, dtype=library.float64, requires_grad=True)
        first, second = net(x, y)
        (first.sum() * 3 + second.sum()).backward()
        record.extend([x.grad.tolist(), y.grad.tolist()])
        seen.append(sorted(map(str, record)))
    assert seen[0] == seen[1]
