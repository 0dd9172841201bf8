"""Categories drawn such that gradients reach their logits: the Gumbel softmax."""

from __future__ import annotations

from typing import Any

from microtensor.ops.activations_rows import softmax
from microtensor.ops.arithmetic import add, div, neg, sub
from microtensor.ops.bounds import clamp
from microtensor.ops.declare import publish, refuse
from microtensor.ops.powers import log, log1p
from microtensor.tensor import Tensor

# The least exponential draw, whose logarithm every dtype has.
_LEAST = 1e-7


@publish(
    "logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1",
    namespaces=("nn.functional",),
)
def gumbel_softmax(
    logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Draw from categories by adding Gumbel noise to their logits, and soften what comes first.

        softmax((logits + g) / tau),  g = -ln(-ln u),  u uniform

    Args:
        logits: logarithms of probabilities, up to a constant along `dim`.
        tau: the temperature: the smaller, the closer to one category.
        hard: whether the values are 1 for the category drawn and 0 for the others; the gradient is
            the soft one's (straight through).
        eps: of no effect, as in PyTorch.
        dim: the dimension of the categories.

    Example:
        >>> import microtensor as mt
        >>> _ = mt.manual_seed(0)
        >>> mt.nn.functional.gumbel_softmax(mt.zeros(2, 3), hard=True).sum(1)
        tensor([1., 1.])

    References:
        Jang, Gu, Poole 2017, arXiv:1611.01144; Maddison, Mnih, Teh 2017, arXiv:1611.00712.
    """
    if not isinstance(logits, Tensor):
        refuse("gumbel_softmax", "logits", logits)
    waiting = clamp(neg(log1p(neg(logits.detach().clone().uniform_()))), _LEAST)
    soft: Tensor = softmax(div(sub(logits, log(waiting)), tau), dim)
    if not hard:
        return soft
    first = soft.detach().max(dim, keepdim=True)[1]
    one_hot = soft.detach().mul(0.0).scatter(dim, first, 1.0)
    result: Tensor = add(sub(one_hot, soft.detach()), soft)
    return result
