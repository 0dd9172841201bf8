"""A character-level GPT, written once for any library that speaks PyTorch's API."""

from __future__ import annotations

from typing import Any

import numpy as np

LAYERS, WIDTH, HEADS, TOKENS, VOCABULARY, BATCH = 4, 128, 4, 64, 65, 16


def make(
    library: Any,
    layers: int = LAYERS,
    width: int = WIDTH,
    heads: int = HEADS,
    tokens: int = TOKENS,
    vocabulary: int = VOCABULARY,
) -> Any:
    """Return a GPT-2 without dropout as a module of `library`.

    Its blocks normalise first; queries, keys and values are one projection, GELU is GPT-2's (by
    tanh), and the output's weight is the embedding's.
    """
    nn, functional = library.nn, library.nn.functional

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.norm1 = nn.LayerNorm(width)
            self.attention = nn.Linear(width, 3 * width)
            self.projection = nn.Linear(width, width)
            self.norm2 = nn.LayerNorm(width)
            self.expand = nn.Linear(width, 4 * width)
            self.contract = nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            batch, length, _ = x.shape
            q, k, v = (
                part.view(batch, length, heads, width // heads).transpose(1, 2)
                for part in self.attention(self.norm1(x)).split(width, dim=2)
            )
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            y = y.transpose(1, 2).contiguous().view(batch, length, width)
            x = x + self.projection(y)
            hidden = functional.gelu(self.expand(self.norm2(x)), approximate="tanh")
            return x + self.contract(hidden)

    class GPT(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Embedding(vocabulary, width)
            self.position = nn.Embedding(tokens, width)
            self.blocks = nn.ModuleList([Block() for _ in range(layers)])
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)
            self.token.weight = self.head.weight

        def forward(self, index: Any) -> Any:
            places = library.arange(index.shape[1])
            x = self.token(index) + self.position(places)
            for block in self.blocks:
                x = block(x)
            logits = self.head(self.norm(x))
            return logits.view(-1, vocabulary)  # a row for each character

    return GPT()


def gpt(library: Any, batch: int = BATCH) -> tuple[Any, Any, Any]:
    """Return model, characters (batch, tokens), and the characters that follow them, in a row."""
    text = np.random.default_rng(0).integers(0, VOCABULARY, (batch, TOKENS + 1))
    index, target = text[:, :-1].copy(), text[:, 1:].reshape(-1)
    return make(library), library.tensor(index), library.tensor(target)
