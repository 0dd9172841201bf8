"""Embedding layers."""

from __future__ import annotations

from typing import Any

from microtensor.nn import functional as F
from microtensor.nn import init
from microtensor.nn.factory import checked_count, kind_of, parameter
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter
from microtensor.tensor import Tensor


class _Table(Module):
    """What Embedding and EmbeddingBag share: a table of rows."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool
    sparse: bool
    weight: Parameter

    def _build(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        weight: Tensor | None,
        freeze: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        name = type(self).__name__
        self.num_embeddings = checked_count(name, "num_embeddings", num_embeddings)
        self.embedding_dim = checked_count(name, "embedding_dim", embedding_dim)
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise AssertionError(
                    f"{name}: Padding_idx must be within num_embeddings: got {padding_idx}, legal "
                    f"are {-num_embeddings} to {num_embeddings - 1}"
                )
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        if weight is None:
            kind = kind_of(name, device, dtype)
            self.weight = Parameter(
                parameter((num_embeddings, embedding_dim), kind).detach(), requires_grad=not freeze
            )
            self.reset_parameters()
            return
        if tuple(weight.shape) != (num_embeddings, embedding_dim):
            raise AssertionError(
                f"{name}: Shape of weight {list(weight.shape)} does not match num_embeddings and "
                f"embedding_dim {[num_embeddings, embedding_dim]}"
            )
        self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Draw the rows anew from a normal distribution, but the padding row, which is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.detach()[self.padding_idx].zero_()


def _check_pretrained(embeddings: Tensor) -> None:
    if embeddings.dim() != 2:
        raise AssertionError(
            f"Embeddings parameter is expected to be 2-dimensional, got {list(embeddings.shape)}"
        )


class Embedding(_Table):
    """Take the rows of a trained table by their numbers.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the length of a row.
        padding_idx: a row that is zero at first and gets no gradient.
        max_norm: rows looked up that are longer are scaled down to this length, in place.
        norm_type: the order of that length.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.
        sparse: the gradient says in ``grad.rows`` which rows it has, as SparseAdam reads.
        _weight: the table, instead of one drawn.
        _freeze: not to train it.
        device: ``None`` or ``"cpu"``.
        dtype: of the table; the default floating-point dtype unless given.

    Attributes:
        weight: (num_embeddings, embedding_dim), drawn from N(0, 1).

    Raises:
        IndexError: a number out of range.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> nn.Embedding(10, 3)(mt.tensor([[1, 2], [4, 9]])).shape
        microtensor.Size([2, 2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._build(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """Make a layer of a table there is, (rows, columns); frozen unless told otherwise."""
        _check_pretrained(embeddings)
        rows, columns = embeddings.shape
        return cls(
            rows,
            columns,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            embeddings,
            freeze,
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows numbered in `input`, of shape (*, embedding_dim)."""
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return text + (", sparse=True" if self.sparse else "")


class EmbeddingBag(_Table):
    """Take the sum, mean or largest of the rows of a trained table in each bag of numbers.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the length of a row.
        max_norm: as for Embedding.
        norm_type: likewise.
        scale_grad_by_freq: likewise.
        mode: "sum", "mean" or "max".
        sparse: as for Embedding.
        _weight: the table, instead of one drawn.
        include_last_offset: whether offsets end with where the last bag ends.
        padding_idx: a row that does not count.
        device: ``None`` or ``"cpu"``.
        dtype: of the table; the default floating-point dtype unless given.

    Raises:
        IndexError: a number out of range.
        ValueError: another mode, or offsets that do not go with the input's rank.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> bag = nn.EmbeddingBag(10, 3, mode="sum")
        >>> bag(mt.tensor([1, 2, 4, 5]), mt.tensor([0, 3])).shape
        microtensor.Size([2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.mode, self.include_last_offset = mode, include_last_offset
        self._build(num_embeddings, embedding_dim, padding_idx, _weight, False, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """Make a layer of a table there is, (rows, columns); frozen unless told otherwise."""
        _check_pretrained(embeddings)
        rows, columns = embeddings.shape
        layer = cls(
            rows,
            columns,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        layer.weight.requires_grad = not freeze
        return layer

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Return a row for each bag, of shape (bags, embedding_dim)."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        text += f", mode={self.mode!r}"
        return text + (f", padding_idx={self.padding_idx}" if self.padding_idx is not None else "")
