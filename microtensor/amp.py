"""Mixed precision, switched off: for programs that use it where there is a GPU.

Example:
    >>> import microtensor as mt
    >>> scaler = mt.amp.GradScaler("cuda", enabled=mt.cuda.is_available())
    >>> w = mt.ones(1, requires_grad=True)
    >>> optimizer = mt.optim.SGD([w], lr=0.5)
    >>> with mt.autocast("cpu", enabled=False):
    ...     loss = (w * 2).sum()
    >>> scaler.scale(loss).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    >>> w
    tensor([0.], requires_grad=True)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["GradScaler", "autocast"]

F = TypeVar("F", bound=Callable[..., Any])


class autocast:
    """A ``with`` block, or decorator, in which nothing is cast.

    Args:
        device_type: "cpu" or "cuda".
        dtype: what PyTorch would cast to.
        enabled: must be False.
        cache_enabled: PyTorch's; nothing changes.

    Raises:
        RuntimeError: it is to be enabled; every operation computes in the dtype of its inputs.
    """

    def __init__(
        self,
        device_type: str = "cpu",
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if enabled:
            raise RuntimeError(
                "autocast: enabled must be False: there is no mixed precision, operations compute "
                "in the dtype of their inputs; convert the model, with .half() or .double()"
            )

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, function: F) -> F:
        """Return the function, as it is."""

        @functools.wraps(function)
        def same(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return same  # type: ignore[return-value]


class GradScaler:
    """What scales losses for half precision, switched off: losses and steps go through unchanged.

    Args:
        device: "cpu" or "cuda".
        init_scale: PyTorch's, like those that follow; nothing changes.
        growth_factor: likewise.
        backoff_factor: likewise.
        growth_interval: likewise.
        enabled: must be False.

    Raises:
        RuntimeError: it is to be enabled.
    """

    def __init__(
        self,
        device: Any = "cuda",
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        # PyTorch switches it off by itself where there is no GPU, with a warning.
        if enabled and str(device).partition(":")[0] == "cpu":
            raise RuntimeError("GradScaler: enabled must be False: there is no mixed precision")

    def is_enabled(self) -> bool:
        """Say whether losses are scaled: no."""
        return False

    def scale(self, outputs: Any) -> Any:
        """Return the losses as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Do nothing: gradients are not scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Call ``optimizer.step``."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """Do nothing: there is no scale."""

    def get_scale(self) -> float:
        """Give the factor of losses: 1."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """Give the state, which is empty."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing: there is no state."""
