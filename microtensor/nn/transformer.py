"""Transformers: layers of attention and feed-forward networks, and stacks of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from microtensor import dtypes
from microtensor.nn import functional as F
from microtensor.nn import init
from microtensor.nn.attention import MultiheadAttention
from microtensor.nn.containers import ModuleList
from microtensor.nn.dropout import Dropout
from microtensor.nn.linear import Linear
from microtensor.nn.module import Module
from microtensor.nn.normalization import LayerNorm
from microtensor.ops.arrays import computed
from microtensor.tensor import Tensor, wrap

Activation = str | Callable[[Tensor], Tensor]


def _activation(given: Activation) -> Callable[[Tensor], Tensor]:
    if given == "relu":
        function: Callable[[Tensor], Tensor] = F.relu
    elif given == "gelu":
        function = F.gelu
    elif callable(given):
        function = given
    else:
        raise RuntimeError(f"activation should be relu/gelu or a callable, not {given!r}")
    return function


def _subsequent_mask(size: int, dtype: dtypes.dtype | None) -> Tensor:
    kind = (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).numpy
    return wrap(np.triu(np.full((size, size), -np.inf, kind), 1))


def _is_causal(mask: Tensor | None, hint: bool | None, size: int) -> bool:
    """Say whether a mask is the causal one; a hint is believed."""
    if hint is not None or mask is None:
        return hint is True
    if mask.shape != (size, size):
        return False
    found = _holds_back(mask._array)
    computed(_check_still, mask._array, found)
    return found


def _holds_back(mask: Any) -> bool:
    causal = _subsequent_mask(len(mask), None)._array.astype(mask.dtype)
    return bool(np.array_equal(mask, causal))


def _check_still(mask: Any, found: bool) -> None:
    """Refuse a mask, in a replay of a captured step, that calls for the other way to compute."""
    if _holds_back(mask) is not found:
        raise RuntimeError(
            f"capture: the mask was {'' if found else 'not '}causal when the step was captured, "
            f"and is {'not' if found else 'causal'} now; give is_causal=False"
        )


def _clones(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


class _Layer(Module):
    """What the layers of encoder and decoder have in common."""

    _decodes: ClassVar[bool] = False  # whether it attends to a memory, too

    norm1: LayerNorm
    norm2: LayerNorm
    dropout1: Dropout
    dropout2: Dropout

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: dtypes.dtype | None = None,
    ) -> None:
        super().__init__()
        # In PyTorch's order, in which modules are printed, drawn and saved.
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        heads: dict[str, Any] = {"dropout": dropout, "bias": bias, "batch_first": batch_first}
        self.self_attn = MultiheadAttention(d_model, nhead, **heads, **place)
        if self._decodes:
            self.multihead_attn = MultiheadAttention(d_model, nhead, **heads, **place)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place)
        self.norm_first = norm_first
        count = 3 if self._decodes else 2
        for i in range(1, count + 1):
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
            setattr(self, f"norm{i}", norm)
        for i in range(1, count + 1):
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = _activation(activation)

    def _attend(
        self,
        attention: MultiheadAttention,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None,
        padding: Tensor | None,
        causal: bool,
    ) -> Tensor:
        output, _ = attention(
            x,
            memory,
            memory,
            attn_mask=mask,
            key_padding_mask=padding,
            is_causal=causal,
            need_weights=False,
        )
        return output

    def _sa_block(
        self, x: Tensor, attn_mask: Any, key_padding_mask: Any, is_causal: bool = False
    ) -> Any:
        attended = self._attend(self.self_attn, x, x, attn_mask, key_padding_mask, is_causal)
        return self.dropout1(attended)

    def _feed_forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return result


class TransformerEncoderLayer(_Layer):
    r"""Let a sequence attend to itself, then send every element through a network.

    .. math::
        x \leftarrow \mathrm{norm}_1(x + \mathrm{attention}(x)), \quad
        y = \mathrm{norm}_2(x + W_2 \, a(W_1 x + b_1) + b_2)

    or with `norm_first` both terms are of the normalised x, and the sum is not normalised.

    Args:
        d_model: the width E of elements.
        nhead: the number of heads.
        dim_feedforward: the width of the network's hidden layer.
        dropout: the probability of all dropouts, in training.
        activation: ``"relu"``, ``"gelu"``, or a function.
        layer_norm_eps: added to the variances.
        batch_first: whether inputs are (N, S, E) rather than (S, N, E).
        norm_first: whether to normalise before, not after.
        bias: whether projections and norms have biases.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Raises:
        RuntimeError: an unknown activation.

    Example:
        >>> import microtensor as mt
        >>> layer = mt.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> layer(mt.randn(3, 5, 8)).shape
        microtensor.Size([3, 5, 8])

    References:
        Vaswani et al., Attention is all you need, 2017; Xiong et al., On layer normalization in the
        transformer architecture, 2020.
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return what becomes of `src`, of the same shape.

        Args:
            src: of shape (S, N, E), or as `batch_first` has it, or (S, E).
            src_mask: of shape (S, S) or (N·nhead, S, S): True, or -inf, where not to attend.
            src_key_padding_mask: of shape (N, S), likewise.
            is_causal: a hint that `src_mask` is the causal one.
        """
        x = src
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), src_mask, src_key_padding_mask, is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, src_mask, src_key_padding_mask, is_causal))
        result: Tensor = self.norm2(x + self._ff_block(x))
        return result

    def _ff_block(self, x: Tensor) -> Any:
        return self.dropout2(self._feed_forward(x))


class TransformerDecoderLayer(_Layer):
    """Let a sequence attend to itself, then to a memory, then send it through a network.

    Each of the three is added to its input and normalised, or with `norm_first` computed of the
    normalised input.

    Args:
        d_model: the width E of elements.
        nhead: the number of heads.
        dim_feedforward: the width of the network's hidden layer.
        dropout: the probability of all dropouts, in training.
        activation: ``"relu"``, ``"gelu"``, or a function.
        layer_norm_eps: added to the variances.
        batch_first: whether inputs are (N, T, E) rather than (T, N, E).
        norm_first: whether to normalise before, not after.
        bias: whether projections and norms have biases.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Raises:
        RuntimeError: an unknown activation.

    Example:
        >>> import microtensor as mt
        >>> layer = mt.nn.TransformerDecoderLayer(8, 2, 16)
        >>> layer(mt.randn(4, 3, 8), mt.randn(5, 3, 8)).shape
        microtensor.Size([4, 3, 8])
    """

    _decodes = True

    norm3: LayerNorm
    dropout3: Dropout

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return what becomes of `tgt`, of the same shape.

        Args:
            tgt: of shape (T, N, E), or as `batch_first` has it, or (T, E).
            memory: of shape (S, N, E), likewise.
            tgt_mask: of shape (T, T) or (N·nhead, T, T): True, or -inf, where not to attend.
            memory_mask: of shape (T, S), likewise.
            tgt_key_padding_mask: of shape (N, T), likewise.
            memory_key_padding_mask: of shape (N, S), likewise.
            tgt_is_causal: a hint that `tgt_mask` is the causal one.
            memory_is_causal: a hint that `memory_mask` is.
        """
        x = tgt
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory_mask, memory_key_padding_mask, memory_is_causal)
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), memory, *other)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, memory, *other))
        result: Tensor = self.norm3(x + self._ff_block(x))
        return result

    def _mha_block(
        self, x: Tensor, mem: Tensor, attn_mask: Any, key_padding_mask: Any, is_causal: bool = False
    ) -> Any:
        attended = self._attend(self.multihead_attn, x, mem, attn_mask, key_padding_mask, is_causal)
        return self.dropout2(attended)

    def _ff_block(self, x: Tensor) -> Any:
        return self.dropout3(self._feed_forward(x))


class TransformerEncoder(Module):
    """Stack copies of an encoder layer.

    Args:
        encoder_layer: is copied, initial values and all.
        num_layers: the number of copies.
        norm: is called last, unless None.
        enable_nested_tensor: is accepted and has no effect: there are no nested tensors.
        mask_check: likewise.

    Example:
        >>> import microtensor as mt
        >>> layer = mt.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> mt.nn.TransformerEncoder(layer, 2)(mt.randn(3, 5, 8)).shape
        microtensor.Size([3, 5, 8])
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Return `src` after all layers; without a hint `mask` is looked at for being causal."""
        causal = _is_causal(mask, is_causal, _length(src, self.layers))
        output = src
        for layer in self.layers:
            output = layer(
                output,
                src_mask=mask,
                is_causal=causal,
                src_key_padding_mask=src_key_padding_mask,
            )
        return output if self.norm is None else self.norm(output)


class TransformerDecoder(Module):
    """Stack copies of a decoder layer.

    Args:
        decoder_layer: is copied, initial values and all.
        num_layers: the number of copies.
        norm: is called last, unless None.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return `tgt` after all layers, each of which attends to the same memory."""
        causal = _is_causal(tgt_mask, tgt_is_causal, _length(tgt, self.layers))
        output = tgt
        for layer in self.layers:
            output = layer(
                output,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return output if self.norm is None else self.norm(output)


def _length(x: Tensor, layers: Any) -> int:
    """Give the length of the sequences, of which the layers' attention knows the dimension."""
    attention = getattr(layers[0], "self_attn", None) if len(layers) else None
    return int(x.shape[1 if x.ndim == 3 and getattr(attention, "batch_first", False) else 0])


class Transformer(Module):
    """Encode one sequence, and decode another one with it for memory.

    Args:
        d_model: the width E of elements.
        nhead: the number of heads.
        num_encoder_layers: the number of layers that encode.
        num_decoder_layers: the number of layers that decode.
        dim_feedforward: the width of the hidden layers.
        dropout: the probability of all dropouts, in training.
        activation: ``"relu"``, ``"gelu"``, or a function.
        custom_encoder: takes the place of the encoder.
        custom_decoder: takes the place of the decoder.
        layer_norm_eps: added to the variances.
        batch_first: whether inputs are (N, S, E) rather than (S, N, E).
        norm_first: whether layers normalise before, not after.
        bias: whether projections and norms have biases.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Example:
        >>> import microtensor as mt
        >>> model = mt.nn.Transformer(8, 2, 1, 1, 16)
        >>> model(mt.randn(5, 3, 8), mt.randn(4, 3, 8)).shape
        microtensor.Size([4, 3, 8])

    References:
        Vaswani et al., Attention is all you need, 2017.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: dtypes.dtype | None = None,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"device": device, "dtype": dtype}
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps)
        options = (*sizes, batch_first, norm_first, bias)
        if custom_encoder is not None:
            self.encoder = custom_encoder
        else:
            layer: Module = TransformerEncoderLayer(*options, **place)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
            self.encoder = TransformerEncoder(layer, num_encoder_layers, norm)
        if custom_decoder is not None:
            self.decoder = custom_decoder
        else:
            layer = TransformerDecoderLayer(*options, **place)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
            self.decoder = TransformerDecoder(layer, num_decoder_layers, norm)
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return what becomes of `tgt`, of the same shape.

        Raises:
            RuntimeError: two numbers of batches, or widths other than `d_model`.
        """
        batches = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batches] != tgt.shape[batches]:
            raise RuntimeError(
                "the batch number of src and tgt must be equal, got shapes "
                f"{list(src.shape)} and {list(tgt.shape)}"
            )
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError(
                f"the feature number of src and tgt must be equal to d_model ({self.d_model}), got "
                f"shapes {list(src.shape)} and {list(tgt.shape)}"
            )
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        output: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return output

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: Any = None, dtype: dtypes.dtype | None = None
    ) -> Tensor:
        """Make the causal mask: -inf above the diagonal, 0 on and below.

        Args:
            sz: the length of the sequence.
            device: ``None`` or ``"cpu"``.
            dtype: the default floating-point dtype unless given.

        Example:
            >>> import microtensor as mt
            >>> mt.nn.Transformer.generate_square_subsequent_mask(2)
            tensor([[0., -inf],
                    [0., 0.]])
        """
        return _subsequent_mask(sz, dtype)

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
