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
            return self.head(self.norm(x))

    return GPT()


def batch(
    count: int = BATCH, tokens: int = TOKENS, vocabulary: int = VOCABULARY, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return characters (batch, tokens) and the ones that follow them."""
    text = np.random.default_rng(seed).integers(0, vocabulary, (count, tokens + 1))
    return text[:, :-1].copy(), text[:, 1:].copy()


def weights(model: Any, seed: int = 0) -> dict[str, np.ndarray]:
    """Return initial weights, GPT-2's, for the names and shapes of a model's state dict."""
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    for name, value in model.state_dict().items():
        shape = tuple(value.shape)
        if "norm" in name:
            array = np.ones(shape) if name.endswith("weight") else np.zeros(shape)
        else:
            array = rng.normal(0, 0.02, shape) if len(shape) > 1 else np.zeros(shape)
        found[name] = array.astype(np.float32)
    found["token.weight"] = found["head.weight"]
    return found


def step(library: Any, learning_rate: float = 1e-3, **sizes: int) -> Any:
    """Return a function of no arguments that trains one step and gives the loss, a tensor."""
    model = make(library, **sizes)
    state = {name: library.tensor(array) for name, array in weights(model).items()}
    model.load_state_dict(state)
    index, target = (library.tensor(array) for array in batch())
    fused = {"fused": True} if library.__name__ == "torch" else {}
    optimizer = library.optim.AdamW(model.parameters(), lr=learning_rate, **fused)
    cross_entropy = library.nn.functional.cross_entropy

    def train() -> Any:
        optimizer.zero_grad()
        logits = model(index)
        loss = cross_entropy(logits.view(-1, logits.shape[-1]), target.view(-1))
        loss.backward()
        optimizer.step()
        return loss

    return train
