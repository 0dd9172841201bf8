"""A small GPT learns to write, character by character, and is held against what can be known."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microtensor as mt
import microtensor.nn.functional as F
from microtensor import nn
from microtensor.lab import char_gpt_picture
from microtensor.lab.grammar import Grammar, tales
from microtensor.lab.parallel import progress_bar
from microtensor.lab.result import Column, Result, Table, Verdict
from microtensor.lab.seeds import seed_for
from microtensor.lab.statistics import share_interval
from microtensor.lab.train import cosine

Codes = NDArray[np.int64]

# What the network is to reach on text of the grammar: bits a character above the least there can
# be, and the share of its own sentences that the grammar accepts.
WANTED_EXCESS, WANTED_ACCEPTED = 0.05, 0.8
_HELD_OUT = 0.1
# Nobody learns to write from less.
_FEWEST_WINDOWS = 20
_MOST_PASSES = 20
_WRITTEN = 48  # texts that are written side by side


@dataclass(frozen=True)
class GptPlan:
    """How long, how wide and how far back.

    Attributes:
        steps: of AdamW.
        width: of the vectors that stand for a character.
        layers: blocks of attention and a small network.
        heads: of each attention.
        context: characters that the network sees.
        batch: windows of text a step.
        rate: the learning rate after the first steps; it falls to 0 along half a cosine.
        characters: how much text is drawn from the grammar.
    """

    steps: int = 1800
    width: int = 64
    layers: int = 3
    heads: int = 4
    context: int = 96
    batch: int = 12
    rate: float = 6e-3
    characters: int = 300_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name != "rate" and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.width % self.heads:
            raise ValueError(f"heads must divide width, got {self.heads} and {self.width}")

    def for_text(self, text: str) -> GptPlan:
        """Return the plan with fewer steps for a short text, which would be learnt by heart."""
        most = _MOST_PASSES * len(text) // (self.batch * self.context)
        return dataclasses.replace(self, steps=min(self.steps, max(1, most)))


def read_text(path: str | Path, context: int = GptPlan.context) -> str:
    """Read a text to learn from.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not UTF-8, or there is too little of it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: must be text in UTF-8; byte {error.start} is {error.object[error.start]:#04x}"
        ) from error
    fewest = _FEWEST_WINDOWS * (context + 1)
    if len(text) < fewest:
        raise ValueError(f"{path}: at least {fewest} characters are needed, got {len(text)}")
    if len(set(text)) < 2:
        raise ValueError(f"{path}: a single character, {text[0]!r}, leaves nothing to learn")
    return text


class Block(nn.Module):
    """Attention to what came before, then a small network; each adds to what it was given."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.back = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.network = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: mt.Tensor) -> mt.Tensor:
        """Take and return (texts, characters, width)."""
        texts, characters, width = x.shape
        parts = self.query_key_value(self.before_attention(x)).chunk(3, dim=-1)
        query, key, value = (
            part.view(texts, characters, self.heads, width // self.heads).transpose(1, 2)
            for part in parts
        )
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.back(seen.transpose(1, 2).reshape(texts, characters, width))
        added: mt.Tensor = x + self.network(self.before_network(x))
        return added


class Gpt(nn.Module):
    """Codes of characters, (texts, characters), to logits of what follows each of them."""

    def __init__(self, vocabulary: int, plan: GptPlan) -> None:
        super().__init__()
        self.context = plan.context
        self.character = nn.Embedding(vocabulary, plan.width)
        self.position = nn.Embedding(plan.context, plan.width)
        self.blocks = nn.Sequential(*(Block(plan.width, plan.heads) for _ in range(plan.layers)))
        self.norm = nn.LayerNorm(plan.width)
        self.head = nn.Linear(plan.width, vocabulary, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                # What adds to the sum of all layers starts smaller by their number (Radford et
                # al. 2019). Their 0.02 belongs to wider networks.
                last = name.endswith(("back.weight", "network.2.weight"))
                scale = math.sqrt(2 * plan.layers) if last else 1.0
                nn.init.normal_(parameter, std=0.07 / scale)

    def forward(self, codes: mt.Tensor) -> mt.Tensor:
        """Return (texts, characters, vocabulary)."""
        places = mt.arange(codes.shape[1])
        x = self.blocks(self.character(codes) + self.position(places))
        logits: mt.Tensor = self.head(self.norm(x))
        return logits


def char_gpt(
    plan: GptPlan | None = None,
    text: str | None = None,
    *,
    seed: int = 0,
    progress: bool = False,
    command: str = "",
) -> Result:
    """Train a small GPT on text, and let it write.

    Without a text of one's own, one is drawn from :func:`~microtensor.lab.grammar.tales`, a grammar
    whose entropy is known: no network can be less surprised on average. The last tenth of the text
    is held out. The step is captured; testing and writing run eagerly on the same parameters.

    Args:
        plan: how long, how wide and how far back; see also :meth:`GptPlan.for_text`.
        text: what to learn from, see :func:`read_text`.
        seed: decides text, weights, windows, and what is written.
        progress: whether a bar on standard error shows the steps.
        command: what the result names as the command that repeats it.

    Returns:
        A result with the loss beside what it is held against, tables of both and of what was
        written, and the verdicts.

    Example:
        >>> from microtensor.lab.char_gpt import GptPlan, char_gpt
        >>> plan = GptPlan(steps=2, width=4, layers=1, context=8, batch=2, characters=2000)
        >>> [table.name for table in char_gpt(plan).tables]
        ['char_gpt', 'char_gpt_written']
    """
    plan = GptPlan() if plan is None else plan
    grammar = tales() if text is None else None
    train, test, least = _texts(plan, text, grammar, seed)
    letters = sorted(set(train + test))
    codes, held_out = _encoded(train, letters), _encoded(test, letters)
    begun = time.perf_counter()
    with mt.random.fork_rng(), _one_thread():
        mt.manual_seed(seed_for(seed, "gpt", "weights"))
        model = Gpt(len(letters), plan)
        records = _train(model, plan, codes, held_out, seed, progress)
        trained = time.perf_counter()
        bits = surprises(model, held_out)
        written, own = write(model, letters, seed_for(seed, "gpt", "writing"))
    seconds = {
        "training": trained - begun,
        "testing and writing": time.perf_counter() - trained,
    }
    yardsticks = {"letters": _letter_bits(codes, held_out), "pairs": _pair_bits(codes, held_out)}
    if grammar is not None:
        yardsticks["grammar"] = least
    return _result(
        model, plan, seed, records, bits, held_out, letters, yardsticks, written, own, train,
        grammar, seconds, command,
    )  # fmt: skip


@contextmanager
def _one_thread() -> Iterator[None]:
    # So small a network gains little by more, and on a busy machine they wait for each other.
    threads = mt.get_num_threads()
    mt.set_num_threads(1)
    try:
        yield
    finally:
        mt.set_num_threads(threads)


def _texts(
    plan: GptPlan, text: str | None, grammar: Grammar | None, seed: int
) -> tuple[str, str, float]:
    """Return the text to learn from, the one held out, and how many bits that has for a knower."""
    if grammar is None:
        assert text is not None
        end = len(text) - max(plan.context + 1, int(_HELD_OUT * len(text)))
        return text[:end], text[end:], math.nan
    train = grammar.draw(plan.characters, seed_for(seed, "gpt", "text"))
    test = grammar.draw(int(_HELD_OUT * plan.characters), seed_for(seed, "gpt", "test"))
    # A line's end before the first sentence tells that it begins, as it does all others.
    return train.text, "\n" + test.text, test.bits / len(test.text)


def _encoded(text: str, letters: list[str]) -> Codes:
    code = {letter: number for number, letter in enumerate(letters)}
    return np.array([code[letter] for letter in text], dtype=np.int64)


def _letter_bits(train: Codes, test: Codes) -> float:
    """Return the bits a character has for one who knows how frequent each is, and no more."""
    counts = np.bincount(train, minlength=max(train.max(), test.max()) + 1) + 1.0
    return float(-np.log2(counts / counts.sum())[test[1:]].mean())


def _pair_bits(train: Codes, test: Codes) -> float:
    """Return the bits a character has for one who knows how frequent each is after each other."""
    size = max(train.max(), test.max()) + 1
    counts = np.bincount(train[:-1] * size + train[1:], minlength=size * size) + 1.0 / size
    shares = counts.reshape(size, size)
    shares /= shares.sum(1, keepdims=True)
    return float(-np.log2(shares[test[:-1], test[1:]]).mean())


def _train(
    model: Gpt, plan: GptPlan, codes: Codes, held_out: Codes, seed: int, progress: bool
) -> list[dict[str, Any]]:
    decayed = [one for one in model.parameters() if one.dim() == 2]
    others = [one for one in model.parameters() if one.dim() != 2]
    optimizer = mt.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=plan.rate, betas=(0.9, 0.98),
    )  # fmt: skip
    schedule = mt.optim.lr_scheduler.LambdaLR(
        optimizer, functools.partial(_share, steps=plan.steps)
    )

    @mt.capture
    def step(x: mt.Tensor, y: mt.Tensor) -> mt.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    draw = np.random.default_rng(seed_for(seed, "gpt", "windows"))
    windows = np.lib.stride_tricks.sliding_window_view(codes, plan.context + 1)
    # Twenty times on the way the network is tested, on a part of the held-out text.
    tested = held_out[: 20 * plan.context]
    every = max(1, plan.steps // 20)
    records: list[dict[str, Any]] = []
    losses: list[float] = []
    with progress_bar("steps" if progress else "", plan.steps) as advance:
        for number in range(1, plan.steps + 1):
            rows = windows[draw.integers(len(windows), size=plan.batch)]
            loss = step(mt.tensor(rows[:, :-1].copy()), mt.tensor(rows[:, 1:].copy()))
            schedule.step()
            losses.append(loss.item() / math.log(2))
            if number % every == 0 or number == plan.steps:
                bits = surprises(model, tested)
                records.append(
                    {"step": number, "train": float(np.mean(losses)), "test": float(bits.mean())}
                )
                losses = []
            advance()
    return records


def _share(step: int, steps: int) -> float:
    # Up during the first tenth, so that Adam's variances are known before rates are high.
    return min(1.0, (step + 1) / (0.1 * steps + 1)) * cosine(step, steps)


def surprises(model: Gpt, codes: Codes) -> NDArray[np.float64]:
    """Return -log₂ of the probability that the model gives to each character but the first.

    The text is read in windows that overlap by half, so that each character is foretold from at
    least half a window, apart from the first ones of the text.
    """
    context = min(model.context, len(codes) - 1)
    half = (context + 1) // 2
    starts = [*range(0, len(codes) - 1 - context, half), len(codes) - 1 - context]
    found = np.empty(len(codes) - 1)
    model.eval()
    with mt.no_grad():
        for first in range(0, len(starts), 64):
            some = starts[first : first + 64]
            rows = np.stack([codes[start : start + context + 1] for start in some])
            logits = model(mt.tensor(rows[:, :-1].copy())).transpose(1, 2)
            bits = F.cross_entropy(logits, mt.tensor(rows[:, 1:].copy()), reduction="none")
            values = bits.numpy().astype(np.float64) / math.log(2)
            for start, row in zip(some, values, strict=True):
                known = 0 if start == 0 else context - half
                found[start + known : start + context] = row[known:]
    model.train()
    return found


def write(
    model: Gpt, letters: list[str], seed: int, characters: int = 400
) -> tuple[list[str], list[NDArray[np.float64]]]:
    """Let the model write some texts, each character drawn with the probability it is given.

    Returns:
        The texts, and how many bits each of their characters had.
    """
    generator = mt.Generator().manual_seed(seed)
    # What comes before a text is the end of a line, if there are lines.
    begin = letters.index("\n") if "\n" in letters else 0
    codes = np.full((_WRITTEN, 1), begin, dtype=np.int64)
    bits = []
    model.eval()
    with mt.no_grad():
        for _ in range(characters):
            shares = F.softmax(model(mt.tensor(codes[:, -model.context :].copy()))[:, -1], dim=-1)
            drawn = mt.multinomial(shares, 1, generator=generator)
            bits.append(-np.log2(shares.gather(1, drawn).numpy().astype(np.float64)))
            codes = np.concatenate([codes, drawn.numpy()], axis=1)
    model.train()
    texts = ["".join(letters[code] for code in row) for row in codes[:, 1:]]
    return texts, list(np.concatenate(bits, axis=1))


def _sentences(texts: list[str]) -> list[str]:
    """Return the whole lines of texts; what follows the last line's end is not one."""
    return [line + "\n" for text in texts for line in text.split("\n")[:-1]]


def _result(
    model: Gpt,
    plan: GptPlan,
    seed: int,
    records: list[dict[str, Any]],
    bits: NDArray[np.float64],
    held_out: Codes,
    letters: list[str],
    yardsticks: dict[str, float],
    written: list[str],
    own: list[NDArray[np.float64]],
    train: str,
    grammar: Grammar | None,
    seconds: dict[str, float],
    command: str,
) -> Result:
    reached = float(bits.mean())
    parameters = sum(one.numel() for one in model.parameters())
    detail = f"{reached:.4f} bits a character on {len(bits)} held out; {parameters} parameters"
    sentences = [
        {
            "sentence": sentence.rstrip("\n"),
            "accepted": None if grammar is None else grammar.accepts(sentence),
            "read": sentence in train,
        }
        for sentence in _sentences(written)
    ]
    if grammar is None:
        verdicts = [
            Verdict(
                "the network foretells characters better than pairs of characters do",
                reached, yardsticks["pairs"], "<=", detail=detail, command=command,
            )
        ]  # fmt: skip
    else:
        verdicts = _held_against(yardsticks["grammar"], reached, detail, sentences, command)
    return Result(
        "char_gpt",
        tables=[_losses_table(records, reached, yardsticks), _written_table(sentences, written)],
        verdicts=verdicts,
        pictures={
            "char_gpt": functools.partial(
                char_gpt_picture.overview,
                records,
                reached,
                yardsticks,
                ("".join(letters[code] for code in held_out[1:]), bits),
                (written, own),
                None if grammar is None else grammar.accepts,
            )
        },
        settings={"seed": seed, **vars(plan), "letters": len(letters), "parameters": parameters},
        seconds=seconds,
    )


def visible(text: str) -> str:
    """Return text with escapes for what a terminal would not print but obey.

    Example:
        >>> from microtensor.lab.char_gpt import visible
        >>> visible(f"red: {chr(27)}[31m") == "red: " + chr(92) + "x1b[31m"
        True
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _held_against(
    least: float, reached: float, detail: str, sentences: list[dict[str, Any]], command: str
) -> list[Verdict]:
    accepted = [row["accepted"] for row in sentences]
    new = sum(row["accepted"] and not row["read"] for row in sentences)
    return [
        Verdict(
            "the network is hardly more surprised by the text than one who knows its grammar",
            reached - least,
            WANTED_EXCESS,
            "<=",
            detail=f"{detail}, of which the grammar leaves {least:.4f}",
            command=command,
        ),
        Verdict(
            "what the network writes is grammatical",
            float(np.mean(accepted)) if accepted else 0.0,
            WANTED_ACCEPTED,
            ">=",
            interval=share_interval(sum(accepted), len(accepted)),
            detail=f"{sum(accepted)} of {len(accepted)} sentences, with the 95 % interval of their "
            f"share; {new} of them in none of the text that it has read",
            command=command,
        ),
    ]


def _losses_table(
    records: list[dict[str, Any]], reached: float, yardsticks: dict[str, float]
) -> Table:
    known = {
        "letters": "how frequent characters are",
        "pairs": "how frequent pairs of characters are",
        "grammar": "the grammar",
    }
    captions = [f"who knows {known[name]}: {bits:.4f}" for name, bits in yardsticks.items()]
    return Table(
        "char_gpt",
        "Bits a character, by step",
        records[:: max(1, len(records) // 10)][:-1] + records[-1:],
        [
            Column("step", lambda row: str(row["step"])),
            Column("training", lambda row: f"{row['train']:.4f}"),
            Column("held out", lambda row: f"{row['test']:.4f}"),
        ],
        caption=f"Training: means since the row before, where characters at the beginning of a "
        f"window are foretold from little. Held out: on a part of it; all of it, in the end: "
        f"{reached:.4f}. The same for " + "; ".join(captions) + ".",
        saved=records,
    )


def _written_table(sentences: list[dict[str, Any]], written: list[str]) -> Table:
    def judged(row: Any) -> str:
        return {None: "", True: "yes", False: "no"}[row["accepted"]]

    columns = [Column("line", lambda row: visible(row["sentence"]), right=False)]
    if any(row["accepted"] is not None for row in sentences):
        columns.append(Column("grammatical", judged, right=False))
    columns.append(Column("read before", lambda row: "yes" if row["read"] else "no", right=False))
    if not sentences:  # a text without lines
        sentences = [{"sentence": text, "accepted": None, "read": False} for text in written]
    return Table(
        "char_gpt_written",
        "What the network writes",
        sentences[:16],
        columns,
        saved=sentences,
    )
