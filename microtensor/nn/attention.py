"""MultiheadAttention."""

from __future__ import annotations

from typing import Any

from microtensor import dtypes
from microtensor.nn import functional as F
from microtensor.nn import init
from microtensor.nn.linear import Linear
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter
from microtensor.ops.creation import empty
from microtensor.tensor import Tensor


class NonDynamicallyQuantizableLinear(Linear):
    """Linear, under the name that PyTorch shows for the output's projection."""


class MultiheadAttention(Module):
    r"""Let several heads attend, each to another projection of the input.

    .. math:: [h_1, \dots, h_n] W_O^T + b_O, \quad
        h_i = \mathrm{softmax}(q_i k_i^T / \sqrt{d}) \, v_i

    where q, k and v are projections of query, key and value, cut into heads of width d.

    Args:
        embed_dim: the width E of queries and of the output.
        num_heads: by which E divides.
        dropout: the share of weights that training sets to 0.
        bias: whether projections have biases.
        add_bias_kv: whether to learn one key and value more.
        add_zero_attn: whether to add a key and a value of zeros.
        kdim: the width of keys; E unless given.
        vdim: the width of values; E unless given.
        batch_first: whether inputs are (N, L, E) rather than (L, N, E).
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Attributes:
        in_proj_weight: (3E, E), the projections of query, key and value; None where widths differ,
            in favour of q_proj_weight, k_proj_weight and v_proj_weight.
        in_proj_bias: (3E,), zeros at first; None if `bias` was False.
        out_proj: the output's projection, of type Linear.
        bias_k: (1, 1, E), or None.
        bias_v: (1, 1, E), or None.

    Raises:
        ValueError: a number that is not positive.
        AssertionError: heads that do not divide E.

    Example:
        >>> import microtensor as mt
        >>> attend = mt.nn.MultiheadAttention(8, 2, batch_first=True)
        >>> x = mt.randn(3, 5, 8)
        >>> output, weights = attend(x, x, x)
        >>> output.shape, weights.shape
        (microtensor.Size([3, 5, 8]), microtensor.Size([3, 5, 5]))

    References:
        Vaswani et al., Attention is all you need, 2017, section 3.2.2.
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: dtypes.dtype | None = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(
                f"embed_dim must be divisible by num_heads, got {embed_dim} and {num_heads}"
            )

        def parameter(*shape: int) -> Parameter:
            return Parameter(empty(*shape, dtype=dtype, device=device))

        if self._qkv_same_embed_dim:
            self.in_proj_weight = parameter(3 * embed_dim, embed_dim)
            for name in ("q_proj_weight", "k_proj_weight", "v_proj_weight"):
                self.register_parameter(name, None)
        else:
            self.q_proj_weight = parameter(embed_dim, embed_dim)
            self.k_proj_weight = parameter(embed_dim, self.kdim)
            self.v_proj_weight = parameter(embed_dim, self.vdim)
            self.register_parameter("in_proj_weight", None)
        if bias:
            self.in_proj_bias = parameter(3 * embed_dim)
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, device=device, dtype=dtype
        )
        self.bias_k = parameter(1, 1, embed_dim) if add_bias_kv else None
        self.bias_v = parameter(1, 1, embed_dim) if add_bias_kv else None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw the parameters anew, in PyTorch's order."""
        if self.in_proj_weight is not None:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            for weight in (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
                assert weight is not None
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Give the output and the weights, or None for these.

        See :func:`microtensor.nn.functional.multi_head_attention_forward`; with `batch_first`
        batches come first.
        """
        swapped = self.batch_first and query.ndim == 3
        if swapped:
            same = key is query, value is key
            query = query.transpose(0, 1)
            key = query if same[0] else key.transpose(0, 1)
            value = key if same[1] else value.transpose(0, 1)
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (output.transpose(0, 1) if swapped else output), weights
