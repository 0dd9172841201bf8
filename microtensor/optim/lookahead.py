"""Lookahead: slow weights that follow the fast ones of another optimizer."""

from __future__ import annotations

from typing import Any

from microtensor.optim.averaging import Averages, array_copy
from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import require
from microtensor.optim.step_hooks import StepHooks
from microtensor.tensor import Tensor, wrap


class Lookahead(StepHooks):
    """Wrap an optimizer: k steps forward, one step back.

    The algorithm, where φ starts as w::

        k times: w ← a step of the inner optimizer
        φ ← φ + α·(w - φ);  w ← φ

    The fast weights explore, the slow ones φ go a part of the way: less variance, and less to be
    lost by a rate that is too large. The inner optimizer's state goes on as it is (the paper also
    tries resetting it). PyTorch has no Lookahead. Groups, options and state are the inner
    optimizer's; schedules are made for it: ``StepLR(lookahead.optimizer, ...)``.

    Args:
        optimizer: the inner one.
        alpha: α, in [0, 1].
        k: how many steps to make before going back, at least 1.

    Raises:
        TypeError: not an optimizer.
        ValueError: an option outside its range.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([1.0], requires_grad=True)
        >>> optimizer = mt.optim.Lookahead(mt.optim.SGD([w], lr=0.1), k=2)
        >>> for _ in range(2):
        ...     optimizer.zero_grad(); (w * w).sum().backward(); optimizer.step()
        >>> w  # half of the way from 1 to 0.64
        tensor([0.8200], requires_grad=True)

    References:
        Zhang, Lucas, Hinton & Ba 2019, Lookahead optimizer: k steps forward, 1 step back,
        arXiv:1907.08610, algorithm 1.
    """

    _formula = "φ ← φ + α·(w - φ); w ← φ, every k steps of another optimizer"

    def __init__(self, optimizer: Optimizer, alpha: float = 0.5, k: int = 5) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"Lookahead wraps an Optimizer, not {type(optimizer).__name__}")
        require("alpha", alpha, "0 <= alpha <= 1", 0.0 <= alpha <= 1.0)
        require("k", k, "k >= 1", k >= 1)
        self.optimizer = optimizer
        self.alpha = alpha
        self.k = k
        self._steps = 0
        self._slow: dict[Tensor, Tensor] = {}
        self._averages = Averages()
        self._take_in()

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The inner optimizer's groups."""
        return self.optimizer.param_groups

    @property
    def state(self) -> Any:
        """The inner optimizer's state."""
        return self.optimizer.state

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def _take_in(self) -> None:
        for p in self._parameters():
            if p not in self._slow:
                self._slow[p] = wrap(array_copy(p))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the inner optimizer; its slow weights start as they are."""
        self.optimizer.add_param_group(param_group)
        self._take_in()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad(set_to_none)

    def step(self, closure: Any = None) -> Any:
        """Make a step of the inner optimizer, and every k-th time one of the slow weights."""
        loss = self.optimizer.step(closure)
        self._steps += 1
        if self._steps % self.k == 0:
            parameters = self._parameters()
            slow = [self._slow[p] for p in parameters]
            self._averages.move(slow, parameters, self.alpha, back=True)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Give the inner optimizer's state_dict, the slow weights in order, and the count."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "slow": [self._slow[p] for p in self._parameters()],
            "steps": self._steps,
            "alpha": self.alpha,
            "k": self.k,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a :meth:`state_dict`; all or nothing.

        Raises:
            ValueError: one of another kind, or of other shapes.
        """
        if not {"optimizer", "slow", "steps"} <= set(state_dict):
            raise ValueError(
                "state_dict must be a Lookahead's, with 'optimizer', 'slow' and 'steps'; got "
                f"{', '.join(map(repr, state_dict)) or 'nothing'}"
            )
        parameters, slow = self._parameters(), state_dict["slow"]
        found = [tuple(each.shape) for each in slow]
        if found != [tuple(p.shape) for p in parameters]:
            raise ValueError(f"loaded slow weights have other shapes: {found}")
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self._slow = {
            p: wrap(array_copy(each).astype(p._array.dtype))
            for p, each in zip(parameters, slow, strict=True)
        }
        self._steps = int(state_dict["steps"])
        self.alpha = state_dict.get("alpha", self.alpha)
        self.k = state_dict.get("k", self.k)

    def __repr__(self) -> str:
        return f"Lookahead(alpha={self.alpha}, k={self.k}, {self.optimizer!r})"
