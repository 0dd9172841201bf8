"""The networks that layers.py trains, written once: ``library`` is torch or microtensor.

Each entry of NETWORKS gives a module, a batch and labels; initial weights come from one NumPy
generator, so that both libraries do the same work and arrive at the same loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import models_gpt
import numpy as np

Made = tuple[Any, Any, Any]  # model, inputs, labels


def images(library: Any, batch: int, channels: int, size: int, classes: int) -> tuple[Any, Any]:
    """Return normal images and their labels in turn."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((batch, channels, size, size), dtype=np.float32)
    return library.tensor(x), library.tensor(np.arange(batch) % classes)


def seed_parameters(library: Any, model: Any) -> None:
    """Draw all weights of more than one dimension anew, within the inverse root of their inputs."""
    generator = np.random.default_rng(1)
    state = model.state_dict()
    for name, value in state.items():
        if value.ndim > 1:
            bound = float(np.prod(value.shape[1:])) ** -0.5
            drawn = generator.uniform(-bound, bound, tuple(value.shape)).astype(np.float32)
            state[name] = library.tensor(drawn)
        elif name.endswith("bias"):
            state[name] = value * 0
    model.load_state_dict(state)


def lenet(library: Any, batch: int) -> Made:
    """LeNet-5 with ReLU and max pooling on 28×28 images."""
    nn = library.nn
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    return model, *images(library, batch, 1, 28, 10)


def resnet8(library: Any, batch: int, normalized: bool = True) -> Made:
    """A residual network of eight layers for 32×32 images: blocks of 16, 32 and 64 channels."""
    nn = library.nn

    def norm(channels: int) -> Any:
        return nn.BatchNorm2d(channels) if normalized else nn.Identity()

    class Block(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.first_norm = norm(outputs)
            self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.second_norm = norm(outputs)
            self.shortcut = nn.Identity()
            if stride != 1:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm(outputs)
                )
            self.activation = nn.ReLU()

        def forward(self, x: Any) -> Any:
            y = self.activation(self.first_norm(self.first(x)))
            return self.activation(self.second_norm(self.second(y)) + self.shortcut(x))

    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1, bias=False), norm(16), nn.ReLU(),
        Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    return model, *images(library, batch, 3, 32, 10)


def lstm(library: Any, batch: int) -> Made:
    """An LSTM 128 wide over 50 characters of 65, each of which it is to foresee."""
    nn = library.nn

    class LanguageModel(nn.Module):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(65, 128)
            self.lstm = nn.LSTM(128, 128, batch_first=True)
            self.head = nn.Linear(128, 65)

        def forward(self, index: Any) -> Any:
            output, _ = self.lstm(self.embedding(index))
            return self.head(output).view(-1, 65)

    text = np.random.default_rng(0).integers(0, 65, (batch, 51))
    index, target = text[:, :-1].copy(), text[:, 1:].reshape(-1)
    return LanguageModel(), library.tensor(index), library.tensor(target)


NETWORKS: dict[str, Callable[[Any, int], Made]] = {
    "GPT": models_gpt.gpt,
    "LSTM": lstm,
    "LeNet": lenet,
    "ResNet-8": resnet8,
    "ResNet-8-bare": lambda library, batch: resnet8(library, batch, normalized=False),
}
"""By name, without the batch size; one that is added here gets a row in layers.py's TARGETS."""


def training(
    library: Any, case: str, rate: float, captured: bool = False, **options: Any
) -> Callable[[int], float]:
    """Build a case such as "LeNet@64"; return what takes n steps and gives the last one's loss.

    With ``captured`` the steps are replayed by microtensor.capture.
    """
    name, _, batch = case.partition("@")
    model, x, y = NETWORKS[name](library, int(batch))
    seed_parameters(library, model)
    criterion = library.nn.CrossEntropyLoss()
    rule = library.optim.AdamW if name == "GPT" else library.optim.Adam
    optimizer = rule(model.parameters(), lr=rate, **options)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    if captured:
        step = library.capture(step)

    def train(n: int) -> float:
        for _ in range(n):
            loss = step(x, y)
        return float(loss.item())

    return train
