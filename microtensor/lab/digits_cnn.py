"""A small convolutional network learns to read scikit-learn's handwritten digits."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn
from microtensor.lab import digits_picture
from microtensor.lab.data import split
from microtensor.lab.optional import require
from microtensor.lab.parallel import progress_bar
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.train import batches, cosine, predicted, probabilities

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

# What the network is to reach on images it has not seen.
WANTED = 0.985
_TEST_SHARE = 0.2
# scikit-learn's images have values from 0 to 16.
_BRIGHTEST = 16.0


@dataclass(frozen=True)
class DigitsPlan:
    """How long and how wide.

    Attributes:
        epochs: passes over the training images.
        width: channels of the first layers; the last one has twice as many.
        batch: images a step.
        rate: the learning rate after the first steps; it falls to 0 along half a cosine.
    """

    epochs: int = 30
    width: int = 32
    batch: int = 64
    rate: float = 3e-3

    def __post_init__(self) -> None:
        for name in ("epochs", "width", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


def digits_cnn(
    plan: DigitsPlan | None = None, *, seed: int = 0, progress: bool = False, command: str = ""
) -> Result:
    """Train a convolutional network on four fifths of the digits, and test it on the last fifth.

    Three convolutions with batch normalization, one max pooling, dropout, one Linear; AdamW on
    images that are moved by up to a pixel. The step is captured; testing runs eagerly on the
    same parameters.

    Args:
        plan: how long and how wide.
        seed: decides the split, weights, batches, moves and dropout.
        progress: whether a bar on standard error shows the epochs.
        command: what the result names as the command that repeats it.

    Returns:
        A result with the curves, the hardest digits and the first filters as pictures,
        a table with a row for each epoch, and the verdict on the accuracy.

    Example:
        >>> from microtensor.lab.digits_cnn import DigitsPlan, digits_cnn
        >>> result = digits_cnn(DigitsPlan(epochs=1, width=2))
        >>> [len(table.records) for table in result.tables]
        [1, 10]
    """
    plan = DigitsPlan() if plan is None else plan
    images, labels = load_digits()
    train, test = split(labels, (1 - _TEST_SHARE, _TEST_SHARE), seed_for(seed, "digits", "split"))
    begun = time.perf_counter()
    with mt.random.fork_rng():
        mt.manual_seed(seed_for(seed, "digits", "weights"))
        model = network(plan.width)
        records = _train(
            model,
            plan,
            (images[train], labels[train]),
            (images[test], labels[test]),
            seed,
            progress,
        )
    seconds = time.perf_counter() - begun
    logits = _logits(model, images[test])
    return _result(model, plan, seed, images[test], labels[test], logits, records, seconds, command)


def load_digits() -> tuple[Images, Labels]:
    """Return images, (1797, 1, 8, 8) with values from 0 to 1, and the digits they show."""
    found = require("sklearn.datasets").load_digits()
    images = (found.images / _BRIGHTEST).astype(np.float32)[:, None]
    return images, found.target.astype(np.int64)


def network(width: int) -> nn.Sequential:
    """Return the network: (images, 1, 8, 8) to (images, 10)."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((1, width), (width, width), (width, 2 * width)):
        layers += [
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    layers.insert(6, nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(2 * width * 16, 10))


def moved(images: Images, draw: np.random.Generator) -> Images:
    """Return each image moved by up to one pixel along both axes; what comes in is empty.

    Example:
        >>> moved(np.ones((2, 1, 8, 8), np.float32), np.random.default_rng(0)).shape
        (2, 1, 8, 8)
    """
    height, width = images.shape[-2:]
    framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(framed, (height, width), axis=(-2, -1))
    down, right = draw.integers(0, 3, (2, len(images)))
    return windows[np.arange(len(images)), :, down, right].copy()


def _train(
    model: nn.Sequential,
    plan: DigitsPlan,
    train: tuple[Images, Labels],
    test: tuple[Images, Labels],
    seed: int,
    progress: bool,
) -> list[dict[str, Any]]:
    images, labels = train
    optimizer = mt.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=1e-2)
    # As many whole batches an epoch as there are: a captured step has one shape.
    per_epoch = max(1, len(labels) // plan.batch)
    steps = per_epoch * plan.epochs
    schedule = mt.optim.lr_scheduler.LambdaLR(optimizer, functools.partial(_share, steps=steps))

    @mt.capture
    def step(x: mt.Tensor, y: mt.Tensor) -> tuple[mt.Tensor, mt.Tensor]:
        optimizer.zero_grad()
        logits = model(x)
        loss = F.cross_entropy(logits, y)
        loss.backward()
        optimizer.step()
        return loss, logits

    draw = np.random.default_rng(seed_for(seed, "digits", "moves"))
    drawn = batches(len(labels), plan.batch, steps, seed_for(seed, "digits", "batches"))
    records = []
    with progress_bar("digits" if progress else "", plan.epochs) as advance:
        for epoch in range(1, plan.epochs + 1):
            losses, right = [], []
            model.train()
            for _ in range(per_epoch):
                rows = next(drawn)
                loss, logits = step(mt.tensor(moved(images[rows], draw)), mt.tensor(labels[rows]))
                schedule.step()
                losses.append(loss.item())
                right.append(np.mean(predicted(logits) == labels[rows]))
            logits = _logits(model, test[0])
            records.append(
                {
                    "epoch": epoch,
                    "train_loss": float(np.mean(losses)),
                    "train_accuracy": float(np.mean(right)),
                    "test_loss": F.cross_entropy(logits, mt.tensor(test[1])).item(),
                    "test_accuracy": float(np.mean(predicted(logits) == test[1])),
                }
            )
            advance()
    return records


def _share(step: int, steps: int) -> float:
    # Up during the first twentieth, so that Adam's variances are known before rates are high.
    return min(1.0, (step + 1) / (0.05 * steps + 1)) * cosine(step, steps)


def _logits(model: nn.Sequential, images: Images) -> mt.Tensor:
    model.eval()
    with mt.no_grad():
        logits: mt.Tensor = model(mt.tensor(images))
    return logits


def _result(
    model: nn.Sequential,
    plan: DigitsPlan,
    seed: int,
    images: Images,
    labels: Labels,
    logits: mt.Tensor,
    records: list[dict[str, Any]],
    seconds: float,
    command: str,
) -> Result:
    read = predicted(logits)
    wrong = np.flatnonzero(read != labels)
    filters = model.get_parameter("0.weight").detach().numpy().copy()
    parameters = sum(one.numel() for one in model.parameters())
    accuracy = 1 - len(wrong) / len(labels)
    verdict = Verdict(
        "the network reads digits that it has not seen",
        accuracy,
        WANTED,
        ">=",
        detail=f"{len(wrong)} of {len(labels)} misread, after {plan.epochs} epochs; "
        f"{parameters} parameters; the accuracy of the last epoch, none was picked",
        command=command,
    )
    return Result(
        "digits_cnn",
        tables=[_epochs_table(records), _digits_table(labels, read)],
        verdicts=[verdict],
        pictures={
            "digits_cnn": functools.partial(
                digits_picture.overview, records, images, labels, probabilities(logits), filters
            )
        },
        settings={"seed": seed, **vars(plan), "parameters": parameters},
        seconds={"training and testing": seconds},
    )


def _epochs_table(records: list[dict[str, Any]]) -> Table:
    def percent(key: str) -> Any:
        return lambda row: f"{100 * row[key]:.2f} %"

    shown = [row for row in records if row["epoch"] % 5 == 0 or row["epoch"] in (1, len(records))]
    return Table(
        "digits_cnn",
        "Loss and accuracy by epoch",
        shown,
        [
            Column("epoch", lambda row: str(row["epoch"])),
            Column("training loss", lambda row: f"{row['train_loss']:.4f}"),
            Column("test loss", lambda row: f"{row['test_loss']:.4f}"),
            Column("training accuracy", percent("train_accuracy")),
            Column("test accuracy", percent("test_accuracy")),
        ],
        caption="Training: means over the epoch's steps, of moved images and with dropout.",
        saved=records,
    )


def _digits_table(labels: Labels, read: Labels) -> Table:
    rows = []
    for digit in range(10):
        mine = read[labels == digit]
        taken = [f"{one}" for one in mine[mine != digit]]
        rows.append(
            {"digit": digit, "images": len(mine), "right": int(np.sum(mine == digit)),
             "taken_for": " ".join(taken)}
        )  # fmt: skip
    return Table(
        "digits_cnn_digits",
        "Test images by digit",
        rows,
        [
            Column("digit", lambda row: str(row["digit"])),
            Column("images", lambda row: str(row["images"])),
            Column("right", lambda row: str(row["right"])),
            Column("others taken for", lambda row: row["taken_for"], right=False),
        ],
    )
