"""How far apart two batches of vectors are."""

from __future__ import annotations

from microtensor.nn import functional as F
from microtensor.nn.module import Module
from microtensor.tensor import Tensor


class CosineSimilarity(Module):
    r"""Give the cosine of the angle between vectors.

    .. math:: \frac{x_1 \cdot x_2}{\max(\|x_1\|, \epsilon) \max(\|x_2\|, \epsilon)}

    Args:
        dim: the dimension of the vectors.
        eps: the least length, which keeps zero out of the denominator.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.CosineSimilarity()(mt.ones(1, 2), mt.tensor([[1.0, 0.0]]))
        tensor([0.7071])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the cosines; the other dimensions broadcast."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    r"""Give the p-norm of the difference of vectors, the last dimension.

    .. math:: \|x_1 - x_2 + \epsilon\|_p

    Args:
        p: the order of the norm.
        eps: added to the differences, to keep the gradient of equal vectors finite.
        keepdim: whether to keep the vectors' dimension, of length 1.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.PairwiseDistance()(mt.zeros(1, 2), mt.tensor([[3.0, 4.0]]))
        tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Return the distances."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
