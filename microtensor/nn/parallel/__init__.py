"""Wrappers of modules for many devices, which on one pass everything through."""

from __future__ import annotations

from typing import Any

from microtensor.nn.module import Module


class DataParallel(Module):
    """Call a module on the one device there is.

    Scripts wrap networks in it for several GPUs; where there is none, the network runs as it is.
    The keys of the state dict begin with ``module.``.

    Args:
        module: the network.
        device_ids: None or empty: there are no GPUs.
        output_device: of no effect.
        dim: of no effect.

    Raises:
        RuntimeError: devices are named.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> net = nn.DataParallel(nn.Linear(2, 1))
        >>> net(mt.ones(3, 2)).shape, list(net.state_dict())
        (microtensor.Size([3, 1]), ['module.weight', 'module.bias'])
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        if device_ids:
            raise RuntimeError(
                f"DataParallel: device_ids must be None or empty, got {device_ids}: there is no "
                "GPU, microtensor runs on 'cpu'"
            )
        self.dim = dim
        self.device_ids: list[Any] = []
        self.output_device = output_device
        self.module = module

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Return what the module returns."""
        return self.module(*inputs, **kwargs)


__all__ = ["DataParallel"]
