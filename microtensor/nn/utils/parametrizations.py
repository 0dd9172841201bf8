"""Ready parametrizations: weight normalisation, spectral normalisation, orthogonal matrices."""

from __future__ import annotations

from typing import Any

import microtensor
from microtensor.engine import no_grad
from microtensor.nn.module import Module
from microtensor.nn.utils.parametrize import register_parametrization
from microtensor.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def norm_except_dim(v: Tensor, dim: int) -> Any:
    """Give the norms of a tensor's slices along a dimension; of the whole for -1."""
    if dim == -1:
        return v.norm()
    return v.norm(2, tuple(d for d in range(v.ndim) if d != dim % v.ndim), True)


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except_dim(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Let a weight be a direction times a length: w = g·v/‖v‖.

    Args:
        module: whose weight.
        name: of the weight.
        dim: along which each slice has a length of its own; None: the whole has one.

    Returns:
        The module; g and v are ``parametrizations.<name>.original0`` and ``original1``.

    Example:
        >>> from microtensor import nn
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
        >>> layer.parametrizations.weight.original0.shape
        microtensor.Size([2, 1])

    References:
        Salimans & Kingma 2016, Weight normalization, arXiv:1602.07868.
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def _normalized(x: Tensor, eps: float) -> Any:
    return x / x.norm().clamp(min=eps)


class _SpectralNorm(Module):
    _u: Any
    _v: Any

    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got "
                f"{dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got n_power_iterations="
                f"{n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            with no_grad():
                matrix = self._matrix(weight.detach())
                rows, columns = matrix.shape
                u, v = (microtensor.randn(n, dtype=weight.dtype) for n in (rows, columns))
                self.register_buffer("_u", _normalized(u, eps))
                self.register_buffer("_v", _normalized(v, eps))
                self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Any:
        if self.dim != 0:
            weight = weight.movedim(self.dim, 0)
        return weight.flatten(1)

    def _iterate(self, matrix: Any, times: int) -> None:
        for _ in range(times):
            self._u = _normalized(matrix.mv(self._v), self.eps)
            self._v = _normalized(matrix.T.mv(self._u), self.eps)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return _normalized(weight, self.eps)
        matrix = self._matrix(weight)
        if self.training:
            with no_grad():
                self._iterate(matrix.detach(), self.n_power_iterations)
        sigma = self._u.dot(matrix.mv(self._v))
        return weight / sigma

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value, which power iteration estimates.

    Args:
        module: whose weight.
        name: of the weight.
        n_power_iterations: steps of the iteration each time the weight is read in training.
        eps: the least length that is divided by.
        dim: of the outputs; unless given 0, or 1 for a transposed convolution.

    Returns:
        The module.

    Raises:
        ValueError: there is no such parameter, or no iteration.
        IndexError: `dim` is out of range.

    References:
        Miyato et al. 2018, Spectral normalization for generative adversarial networks,
        arXiv:1802.05957.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    parametrization = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return register_parametrization(module, name, parametrization)


class _Orthogonal(Module):
    base: Any

    def __init__(self, weight: Tensor, orthogonal_map: str) -> None:
        super().__init__()
        self.orthogonal_map = orthogonal_map
        self.register_buffer("base", None)
        self._shape = weight.shape

    def forward(self, x: Tensor) -> Any:
        rows, columns = x.shape[-2:]
        wide = rows < columns
        if wide:
            x = x.mT
            rows, columns = columns, rows
        lower = x.tril()
        if rows != columns:
            # A square matrix whose other columns are zero: what they generate is cut off again.
            padding = x.new_zeros((*x.shape[:-2], rows, rows - columns))
            lower = microtensor.cat([lower, padding], -1)
        skew = lower - lower.mT
        if self.orthogonal_map == "matrix_exp":
            q = microtensor.linalg.matrix_exp(skew)
        else:
            one = microtensor.eye(rows, dtype=x.dtype)
            q = microtensor.linalg.solve(one - skew * 0.5, one + skew * 0.5)
        q = q[..., :, :columns]
        if self.base is not None:
            q = self.base @ q
        return q.mT if wide else q

    def right_inverse(self, q: Tensor) -> Tensor:
        rows, columns = q.shape[-2:]
        wide = rows < columns
        tall = q.mT if wide else q
        # The nearest basis of the given columns, completed to one of the whole space.
        full, r = microtensor.linalg.qr(tall, mode="complete")
        signs = r.diagonal(0, -2, -1).sign()
        signs = microtensor.where(signs == 0, microtensor.ones_like(signs), signs)
        self.base = microtensor.cat(
            [full[..., :, : tall.shape[-1]] * signs.unsqueeze(-2), full[..., :, tall.shape[-1] :]],
            -1,
        )
        # At zero the map gives the identity, and so the base itself.
        return microtensor.zeros_like(q)


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Let a weight be a matrix with orthonormal columns, or rows if they are fewer.

    It is base·Q(A) with A skew-symmetric: the base is the orthogonal factor of the weight as it is,
    and A starts at zero.

    Args:
        module: whose weight.
        name: of the weight, of at least two dimensions.
        orthogonal_map: how Q follows from A: "matrix_exp", or "cayley": (1 - A/2)⁻¹(1 + A/2).
            Unless given, the former for square matrices and the latter for others. PyTorch's
            "householder" there is not.
        use_trivialization: must be True: the base is always kept.

    Returns:
        The module.

    Raises:
        ValueError: another map, no such parameter, or one of fewer dimensions.

    References:
        Lezcano-Casado 2019, Trivializations for gradient-based optimization on manifolds,
        arXiv:1909.09501.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got {weight.ndim} dimensions")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "cayley"
    if orthogonal_map not in ("matrix_exp", "cayley"):
        raise ValueError(f"orthogonal_map must be 'matrix_exp' or 'cayley', got {orthogonal_map!r}")
    if not use_trivialization:
        raise ValueError("orthogonal: use_trivialization must be True, there is no other way")
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map), unsafe=True)
