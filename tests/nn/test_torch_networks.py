"""The networks people write, trained beside PyTorch: the first 50 losses are the same.

Each network is written once, for either library; initial weights go across by state dict, batches
are drawn by NumPy, and so is what a network draws itself, such as a VAE's noise.
"""

import numpy as np
import pytest

import microtensor as mt

torch = pytest.importorskip("torch")

STEPS = 50


@pytest.fixture(autouse=True)
def _one_thread():
    """PyTorch's threads cost such small networks more than they give."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# ---- networks: each function gives a module, and the loss of a batch -----------------------------


def mlp(lib):
    nn = lib.nn
    net = nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Dropout(0.0)),
        nn.Linear(16, 4),
    )
    loss = nn.CrossEntropyLoss(label_smoothing=0.1)
    return net, lambda batch: loss(net(batch["x"]), batch["label"])


def lenet(lib):
    nn = lib.nn
    net = nn.Sequential(
        *(nn.Conv2d(1, 3, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4)),
    )
    return net, lambda batch: nn.functional.cross_entropy(net(batch["image"]), batch["label"])


def resnet(lib):
    nn, F = lib.nn, lib.nn.functional

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(after)
            self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(after)
            self.shortcut = nn.Sequential()
            if stride != 1 or before != after:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
                )

        def forward(self, x):
            y = F.relu(self.bn1(self.conv1(x)))
            return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    net = nn.Sequential(
        *(nn.Conv2d(1, 3, 3, padding=1), Block(3, 3, 1), Block(3, 5, 2)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4)),
    )
    return net, lambda batch: F.cross_entropy(net(batch["image"]), batch["label"])


def gpt(lib):
    nn, F = lib.nn, lib.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
            self.attention, self.projection = nn.Linear(8, 24), nn.Linear(8, 8)
            self.expand, self.contract = nn.Linear(8, 32), nn.Linear(32, 8)

        def forward(self, x):
            batch, tokens, width = x.size()
            q, k, v = self.attention(self.norm1(x)).split(width, dim=2)
            q, k, v = (part.view(batch, tokens, 2, 4).transpose(1, 2) for part in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.projection(y.transpose(1, 2).contiguous().view(batch, tokens, width))
            return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate="tanh"))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(11, 8), nn.Embedding(6, 8)
            self.blocks = nn.ModuleList([Block(), Block()])
            self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 11, bias=False)
            self.token.weight = self.head.weight

        def forward(self, index):
            x = self.token(index) + self.position(lib.arange(index.size(1)))
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    net = GPT()
    return net, lambda batch: F.cross_entropy(
        net(batch["text"][:, :-1]).reshape(-1, 11), batch["text"][:, 1:].reshape(-1)
    )


def transformer(lib):
    nn, F = lib.nn, lib.nn.functional
    layer = nn.TransformerEncoderLayer(12, 2, 16, dropout=0.0, batch_first=True)
    net = nn.Sequential(
        nn.Unflatten(1, (1, 12)), nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(12, 4)
    )
    return net, lambda batch: F.cross_entropy(net(batch["x"]), batch["label"])


def lstm(lib):
    nn, F = lib.nn, lib.nn.functional

    class LanguageModel(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(11, 6)
            self.lstm = nn.LSTM(6, 7, num_layers=2, batch_first=True)
            self.head = nn.Linear(7, 11)

        def forward(self, index):
            output, _ = self.lstm(self.embedding(index))
            return self.head(output)

    net = LanguageModel()
    return net, lambda batch: F.cross_entropy(
        net(batch["text"][:, :-1]).transpose(1, 2), batch["text"][:, 1:]
    )


def vae(lib):
    nn, F = lib.nn, lib.nn.functional

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(12, 10), nn.ReLU())
            self.mean, self.log_variance = nn.Linear(10, 3), nn.Linear(10, 3)
            self.decoder = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 12))

        def forward(self, x, noise):
            hidden = self.encoder(x)
            mean, log_variance = self.mean(hidden), self.log_variance(hidden)
            code = mean + noise * lib.exp(0.5 * log_variance)
            return self.decoder(code), mean, log_variance

    net = VAE()

    def loss(batch):
        decoded, mean, log_variance = net(batch["x"], batch["noise"])
        target = lib.sigmoid(batch["x"])
        fit = F.binary_cross_entropy_with_logits(decoded, target, reduction="sum")
        divergence = -0.5 * lib.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
        return (fit + divergence) / len(target)

    return net, loss


NETWORKS = {
    "mlp": (mlp, lambda lib, p: lib.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3)),
    "lenet": (lenet, lambda lib, p: lib.optim.SGD(p, lr=0.05, momentum=0.9)),
    "resnet": (resnet, lambda lib, p: lib.optim.SGD(p, lr=0.02, momentum=0.9)),
    "gpt": (gpt, lambda lib, p: lib.optim.AdamW(p, lr=3e-3)),
    "transformer": (transformer, lambda lib, p: lib.optim.Adam(p, lr=1e-3)),
    "lstm": (lstm, lambda lib, p: lib.optim.RMSprop(p, lr=2e-3)),
    "vae": (vae, lambda lib, p: lib.optim.Adam(p, lr=3e-3)),
}
BOTH = [("float64", 1e-9), ("float32", 1e-4)]


def batches(dtype, vocabulary=11):
    """Five batches, in turn."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(5):
        x = rng.normal(size=(8, 12))
        found.append(
            {
                "x": x.astype(dtype),
                "image": rng.normal(size=(8, 1, 9, 9)).astype(dtype),
                "noise": rng.normal(size=(8, 3)).astype(dtype),
                "label": x[:, :4].argmax(1),
                "text": rng.integers(0, vocabulary, (8, 7)),
            }
        )
    return found


def in_library(library, found):
    return [{key: library.tensor(array) for key, array in batch.items()} for batch in found]


def weights_across(source, target, library):
    """Load the one's state dict into the other, which takes every key."""
    state = {key: library.tensor(value.numpy()) for key, value in source.state_dict().items()}
    target.load_state_dict(state)


def same_curves(ours, theirs, tolerance):
    np.testing.assert_allclose(ours, theirs, rtol=tolerance)
    assert np.isfinite(theirs).all()


@pytest.mark.parametrize(("dtype", "tolerance"), BOTH)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_first_losses_are_equal(name, dtype, tolerance):
    build, optimizer_of = NETWORKS[name]
    torch.manual_seed(0)
    made = {library: build(library) for library in (mt, torch)}
    for library, (network, _) in made.items():
        network.to(getattr(library, dtype))
    weights_across(made[torch][0], made[mt][0], mt)
    curves = []
    for library, (network, loss_of) in made.items():
        optimizer = optimizer_of(library, network.parameters())
        given, losses = in_library(library, batches(dtype)), []
        for step in range(STEPS):
            optimizer.zero_grad()
            loss = loss_of(given[step % len(given)])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        curves.append(losses)
    same_curves(*curves, tolerance)
    assert len(set(curves[0])) == STEPS
    # And back: what was trained here goes on there.
    weights_across(made[mt][0], made[torch][0], torch)
    last = [
        loss_of(in_library(library, batches(dtype))[0]).item()
        for library, (_, loss_of) in made.items()
    ]
    np.testing.assert_allclose(*last, rtol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), BOTH)
def test_the_first_losses_of_a_gan_are_equal(dtype, tolerance):
    def build(lib):
        nn = lib.nn
        generator = nn.Sequential(nn.Linear(3, 10), nn.LeakyReLU(0.2), nn.Linear(10, 12), nn.Tanh())
        critic = nn.Sequential(nn.Linear(12, 10), nn.LeakyReLU(0.2), nn.Linear(10, 1))
        return nn.ModuleDict({"generator": generator, "critic": critic})

    torch.manual_seed(0)
    made = {library: build(library).to(getattr(library, dtype)) for library in (mt, torch)}
    weights_across(made[torch], made[mt], mt)
    curves = []
    for library, nets in made.items():
        generator, critic = nets["generator"], nets["critic"]
        adams = [
            library.optim.Adam(net.parameters(), lr=2e-3, betas=(0.5, 0.999))
            for net in (generator, critic)
        ]
        judge = library.nn.BCEWithLogitsLoss()
        ones, zeros = (
            make(8, 1, dtype=getattr(library, dtype)) for make in (library.ones, library.zeros)
        )
        given, losses = in_library(library, batches(dtype)), []
        for step in range(STEPS):
            batch = given[step % len(given)]
            made_up = generator(batch["noise"])
            adams[1].zero_grad()
            on_real, on_made_up = critic(batch["x"]), critic(made_up.detach())
            loss = judge(on_real, ones) + judge(on_made_up, zeros)
            loss.backward()
            adams[1].step()
            adams[0].zero_grad()
            fooled = judge(critic(made_up), ones)
            fooled.backward()
            adams[0].step()
            losses += [loss.item(), fooled.item()]
        curves.append(losses)
    same_curves(*curves, tolerance)
