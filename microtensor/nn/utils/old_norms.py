"""Weight and spectral normalisation as hooks: PyTorch's first form, with the keys it gives states.

New code takes those of :mod:`microtensor.nn.utils.parametrizations`.
"""

from __future__ import annotations

from typing import Any

import microtensor
from microtensor.engine import no_grad
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter
from microtensor.nn.utils.parametrizations import norm_except_dim
from microtensor.tensor import Tensor

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


class _Hook:
    """Computes a weight before each ``forward``; held by the module, to be found for removal."""

    name: str

    def compute(self, module: Any) -> Tensor:
        raise NotImplementedError

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.compute(module))

    def put_on(self, module: Any) -> None:
        for key, hook in self.of(module).items():
            if isinstance(hook, type(self)) and hook.name == self.name:
                raise RuntimeError(
                    f"Cannot register two {type(self).__name__.strip('_')} hooks on the same "
                    f"parameter {key}"
                )
        handle = module.register_forward_pre_hook(self)
        module.__dict__.setdefault("_norm_hooks", {})[self.name] = (self, handle)

    @staticmethod
    def of(module: Any) -> dict[str, Any]:
        return {key: hook for key, (hook, _) in module.__dict__.get("_norm_hooks", {}).items()}


def _taken_off(module: Any, kind: type[_Hook], name: str) -> Any:
    hook = _Hook.of(module).get(name)
    if not isinstance(hook, kind):
        raise ValueError(f"{kind.__name__.strip('_')} of '{name}' not found in {module}")
    module.__dict__["_norm_hooks"].pop(name)[1].remove()
    return hook


class _WeightNorm(_Hook):
    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute(self, module: Any) -> Any:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / norm_except_dim(v, self.dim))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Let a weight be a direction times a length, ``<name>_v`` and ``<name>_g``.

    Args:
        module: whose weight.
        name: of the weight.
        dim: along which each slice has a length of its own; None: the whole has one.

    Returns:
        The module.
    """
    hook = _WeightNorm(name, dim)
    weight = getattr(module, name)
    hook.put_on(module)
    delattr(module, name)
    with no_grad():
        length = norm_except_dim(weight, hook.dim)
    module.register_parameter(f"{name}_g", Parameter(length))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    hook(module, None)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make an ordinary parameter of a weight that :func:`weight_norm` normalises.

    Raises:
        ValueError: it does not.
    """
    hook = _taken_off(module, _WeightNorm, name)
    value = hook.compute(module).detach()
    for part in (name, f"{name}_g", f"{name}_v"):
        delattr(module, part)
    module.register_parameter(name, Parameter(value))
    return module


class _SpectralNorm(_Hook):
    def __init__(self, name: str, times: int, eps: float, dim: int) -> None:
        self.name, self.times, self.eps, self.dim = name, times, eps, dim

    def matrix(self, weight: Any) -> Any:
        return (weight.movedim(self.dim, 0) if self.dim else weight).reshape(
            weight.shape[self.dim], -1
        )

    def normalized(self, x: Any) -> Any:
        return x / x.norm().clamp(min=self.eps)

    def compute(self, module: Any, iterate: bool | None = None) -> Any:
        name = self.name
        weight = getattr(module, f"{name}_orig")
        u, v = getattr(module, f"{name}_u"), getattr(module, f"{name}_v")
        matrix = self.matrix(weight)
        if module.training if iterate is None else iterate:
            with no_grad():
                for _ in range(self.times):
                    v = self.normalized(matrix.T.mv(u))
                    u = self.normalized(matrix.mv(v))
                setattr(module, f"{name}_u", u.detach())
                setattr(module, f"{name}_v", v.detach())
        return weight / u.dot(matrix.mv(v))


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight, ``<name>_orig``, by its largest singular value.

    Args:
        module: whose weight.
        name: of the weight.
        n_power_iterations: steps of the power iteration before each ``forward`` in training.
        eps: the least length that is divided by.
        dim: of the outputs; unless given 0, or 1 for a transposed convolution.

    Returns:
        The module.

    Raises:
        ValueError: no iteration.
    """
    if n_power_iterations <= 0:
        raise ValueError(
            "Expected n_power_iterations to be positive, but got n_power_iterations="
            f"{n_power_iterations}"
        )
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    hook = _SpectralNorm(name, n_power_iterations, eps, dim)
    weight = getattr(module, name)
    hook.put_on(module)
    with no_grad():
        rows, columns = hook.matrix(weight).shape
        u, v = (hook.normalized(microtensor.randn(n, dtype=weight.dtype)) for n in (rows, columns))
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make an ordinary parameter of a weight that :func:`spectral_norm` normalises.

    Raises:
        ValueError: it does not.
    """
    hook = _taken_off(module, _SpectralNorm, name)
    value = hook.compute(module, iterate=False).detach()
    for part in (name, f"{name}_orig", f"{name}_u", f"{name}_v"):
        delattr(module, part)
    module.register_parameter(name, Parameter(value))
    return module
