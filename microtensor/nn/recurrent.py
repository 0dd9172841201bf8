"""Recurrent layers: RNN, LSTM and GRU, and single cells of them."""

from __future__ import annotations

import math
import warnings
from typing import Any

from microtensor.nn import functional as F
from microtensor.nn import init
from microtensor.nn.factory import checked_count, kind_of, parameter
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter
from microtensor.nn.utils.rnn import PackedSequence
from microtensor.ops.joining import cat, stack
from microtensor.ops.recurrent import GATES, recurrent_layer
from microtensor.tensor import Tensor

_layer = recurrent_layer.op.public


def _check_dtype(name: str, state: Tensor, input: Tensor) -> None:
    if state.dtype != input.dtype:
        raise RuntimeError(
            f"{name} must have the same dtype as input, {input.dtype}, got {state.dtype}"
        )


class RNNBase(Module):
    """What RNN, LSTM and GRU share: their parameters, layers and directions.

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        input_size: features of the input.
        hidden_size: features of the hidden state.
        num_layers: how many layers stand on top of each other.
        bias: whether there are biases.
        batch_first: whether input and output are (batch, steps, features).
        dropout: probability of an element to be zeroed between layers in training.
        bidirectional: whether each layer also runs backward over the steps.
        proj_size: LSTM alone: the size to which hidden states are projected, 0 for none.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.

    Attributes:
        weight_ih_l0: (gates * hidden_size, input_size), and with each further layer and direction
            (``_reverse``) its own; all drawn from U(-k, k), k = 1/sqrt(hidden_size).
        weight_hh_l0: (gates * hidden_size, hidden_size).
        bias_ih_l0, bias_hh_l0: (gates * hidden_size,).
        weight_hr_l0: (proj_size, hidden_size), with ``proj_size``.
    """

    weight_ih_l0: Parameter

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if mode not in GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}; legal: {', '.join(GATES)}")
        self.mode = mode
        self.input_size = checked_count(name, "input_size", input_size)
        self.hidden_size = checked_count(name, "hidden_size", hidden_size, 1)
        self.num_layers = checked_count(name, "num_layers", num_layers, 1)
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                f"element being zeroed, got {dropout}"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={num_layers}",
                stacklevel=3,
            )
        if not 0 <= proj_size < hidden_size:
            raise ValueError(
                f"proj_size must be from 0 to hidden_size - 1 = {hidden_size - 1}, got {proj_size}"
            )
        if proj_size and mode != "LSTM":
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        kind = kind_of(name, device, dtype)
        rows, width = GATES[mode] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            for suffix in self._suffixes(layer):
                inputs = width * (1 + bidirectional) if layer else input_size
                setattr(self, f"weight_ih{suffix}", parameter((rows, inputs), kind))
                setattr(self, f"weight_hh{suffix}", parameter((rows, width), kind))
                if bias:
                    setattr(self, f"bias_ih{suffix}", parameter((rows,), kind))
                    setattr(self, f"bias_hh{suffix}", parameter((rows,), kind))
                if proj_size:
                    shape = (proj_size, hidden_size)
                    setattr(self, f"weight_hr{suffix}", parameter(shape, kind))
        self.reset_parameters()

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"][: 1 + self.bidirectional]

    def _parameter_kinds(self) -> list[str]:
        """Give what each layer and direction has, without its suffix."""
        biases = ["bias_ih", "bias_hh"] if self.bias else []
        return ["weight_ih", "weight_hh", *biases, *(["weight_hr"] if self.proj_size else [])]

    @property
    def all_weights(self) -> list[list[Any]]:
        """The parameters of each layer and direction."""
        return [
            [getattr(self, name + suffix) for name in self._parameter_kinds()]
            for layer in range(self.num_layers)
            for suffix in self._suffixes(layer)
        ]

    def flatten_parameters(self) -> None:
        """Do nothing: it is for GPUs that want all parameters in one piece of memory."""

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size)
        for each in self.parameters():
            init.uniform_(each, -bound, bound)

    def _check_input(self, input: Tensor, packed: bool) -> None:
        kind = self.weight_ih_l0.dtype
        if input.dtype != kind:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({kind}). Convert "
                f"input: input.to({kind}), or convert model: model.to({input.dtype})"
            )
        if not packed and input.ndim not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D instead"
            )
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.shape[-1]}"
            )

    def _state(
        self, name: str, given: Tensor | None, batch: int, width: int, like: Tensor, single: bool
    ) -> Tensor:
        """Give an initial state, of shape (layers * directions, batch, width)."""
        count = self.num_layers * (1 + self.bidirectional)
        if given is None:
            return like.new_zeros((count, batch, width))
        wanted = (count, width) if single else (count, batch, width)
        if given.ndim != len(wanted):
            raise RuntimeError(
                f"For {'unbatched 2-D' if single else 'batched 3-D'} input, {name} should also be "
                f"{len(wanted)}-D but got {given.ndim}-D tensor"
            )
        if tuple(given.shape) != wanted:
            raise RuntimeError(f"Expected {name} size {list(wanted)}, got {list(given.shape)}")
        _check_dtype(f"{type(self).__name__}: {name}", given, like)
        return given.unsqueeze(1) if single else given

    def _run(
        self, rows: Tensor, sizes: tuple[int, ...], hidden: Tensor, cell: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Run all layers over packed rows; give the last one's output and the last states."""
        hidden_last, cell_last = [], []
        place = 0
        for layer in range(self.num_layers):
            outputs = []
            if layer and self.dropout:
                rows = F.dropout(rows, self.dropout, self.training)
            for direction, suffix in enumerate(self._suffixes(layer)):
                # Attributes, not what stands in __dict__: a parametrization computes them.
                own: dict[str, Any] = {
                    name: getattr(self, name + suffix) for name in self._parameter_kinds()
                }
                gates = F.linear(rows, own["weight_ih"], own.get("bias_ih"))
                output, last, memory = _layer(
                    gates,
                    hidden[place],
                    None if cell is None else cell[place],
                    own["weight_hh"],
                    own.get("bias_hh"),
                    own.get("weight_hr"),
                    self.mode,
                    sizes,
                    direction == 1,
                )
                outputs.append(output)
                hidden_last.append(last)
                cell_last.append(memory)
                place += 1
            rows = outputs[0] if len(outputs) == 1 else cat(outputs, 1)
        return rows, stack(hidden_last), None if cell is None else stack(cell_last)

    def _forward(
        self, input: Any, hidden: Tensor | None, cell: Tensor | None
    ) -> tuple[Any, Tensor, Tensor | None]:
        packed = input if isinstance(input, PackedSequence) else None
        order = None
        single = False
        if packed is not None:
            rows = packed.data
            sizes = tuple(packed.batch_sizes.tolist())
            order = packed.sorted_indices
            batch = sizes[0]
            self._check_input(rows, True)
        else:
            self._check_input(input, False)
            single = input.ndim == 2
            if single:
                input = input.unsqueeze(1)
            elif self.batch_first:
                input = input.transpose(0, 1)
            steps, batch = input.shape[:2]
            if not steps:
                raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
            rows = input.reshape(steps * batch, self.input_size)
            sizes = (batch,) * steps
        width = self.proj_size or self.hidden_size
        first = self._state(
            "hx" if self.mode != "LSTM" else "hidden[0]", hidden, batch, width, rows, single
        )
        memory = None
        if self.mode == "LSTM":
            memory = self._state("hidden[1]", cell, batch, self.hidden_size, rows, single)
        if order is not None:
            first = first.index_select(1, order)
            memory = None if memory is None else memory.index_select(1, order)
        output, first, memory = self._run(rows, sizes, first, memory)
        if packed is not None:
            back = packed.unsorted_indices
            if back is not None:
                first = first.index_select(1, back)
                memory = None if memory is None else memory.index_select(1, back)
            return PackedSequence(output, *packed[1:]), first, memory
        output = output.reshape(len(sizes), batch, output.shape[1])
        if single:
            return (
                output.squeeze(1),
                first.squeeze(1),
                None if memory is None else memory.squeeze(1),
            )
        return output.transpose(0, 1) if self.batch_first else output, first, memory

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.proj_size:
            text += f", proj_size={self.proj_size}"
        if self.num_layers != 1:
            text += f", num_layers={self.num_layers}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if self.batch_first:
            text += f", batch_first={self.batch_first}"
        if self.dropout:
            text += f", dropout={self.dropout}"
        return text + (f", bidirectional={self.bidirectional}" if self.bidirectional else "")


class _OneState(RNNBase):
    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return the last layer's outputs, and each layer's last hidden state.

        Args:
            input: (T, B, input_size), (B, T, input_size) with batch_first, (T, input_size), or a
                packed sequence.
            hx: the first hidden state, (layers * directions, B, hidden_size); zeros if None.
        """
        output, hidden, _ = self._forward(input, hx, None)
        return output, hidden


class RNN(_OneState):
    r"""Run an Elman network over sequences: :math:`h_t = \tanh(W x_t + b + U h_{t-1} + c)`.

    Takes what RNNBase does, after `input_size` and `hidden_size`, and

    Args:
        nonlinearity: "tanh" or "relu".

    Raises:
        ValueError: another nonlinearity.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> output, hidden = nn.RNN(3, 4)(mt.ones(5, 2, 3))
        >>> output.shape, hidden.shape
        (microtensor.Size([5, 2, 4]), microtensor.Size([1, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            0,
            device,
            dtype,
        )
        self.nonlinearity = nonlinearity


class GRU(_OneState):
    r"""Run a gated recurrent unit over sequences.

    .. math:: h_t = (1 - z) n + z h_{t-1}, \quad n = \tanh(W_n x_t + b_n + r (U_n h_{t-1} + c_n))

    with r and z sigmoids of their own sums. Takes what RNNBase does, after `mode`.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> output, hidden = nn.GRU(3, 4, batch_first=True)(mt.ones(2, 5, 3))
        >>> output.shape
        microtensor.Size([2, 5, 4])

    References:
        Cho et al. 2014, arXiv:1406.1078.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            0,
            device,
            dtype,
        )


class LSTM(RNNBase):
    r"""Run a long short-term memory over sequences.

    .. math:: c_t = f c_{t-1} + i g, \quad h_t = o \tanh(c_t)

    with i, f, o sigmoids and g the tanh of their own sums. Takes what RNNBase does, after `mode`.

    Example:
        >>> import microtensor as mt
        >>> from microtensor import nn
        >>> output, (hidden, cell) = nn.LSTM(3, 4, num_layers=2)(mt.ones(5, 2, 3))
        >>> cell.shape
        microtensor.Size([2, 2, 4])

    References:
        Hochreiter, Schmidhuber 1997, Long short-term memory; Sak et al. 2014, arXiv:1402.1128
        (projections).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        """Return the last layer's outputs, and each layer's last hidden and cell states.

        Args:
            input: (T, B, input_size), (B, T, input_size) with batch_first, (T, input_size), or a
                packed sequence.
            hx: the first hidden and cell states, (layers * directions, B, ·); zeros if None.
        """
        hidden, cell = (None, None) if hx is None else hx
        output, last, memory = self._forward(input, hidden, cell)
        assert memory is not None
        return output, (last, memory)


# ---- cells ---------------------------------------------------------------------------------------


class RNNCellBase(Module):
    """What the cells share: their parameters, and one step."""

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = checked_count(name, "input_size", input_size)
        self.hidden_size = checked_count(name, "hidden_size", hidden_size)
        self.bias = bias
        kind, rows = kind_of(name, device, dtype), num_chunks * hidden_size
        self.weight_ih = parameter((rows, input_size), kind)
        self.weight_hh = parameter((rows, hidden_size), kind)
        self.register_parameter("bias_ih", parameter((rows,), kind) if bias else None)
        self.register_parameter("bias_hh", parameter((rows,), kind) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for each in self.parameters():
            init.uniform_(each, -bound, bound)

    def _step(self, mode: str, input: Tensor, states: tuple[Tensor | None, ...]) -> list[Tensor]:
        name = type(self).__name__
        if input.ndim not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"{name}: input has {input.shape[-1]} features, expected input_size "
                f"{self.input_size}"
            )
        single = input.ndim == 1
        if single:
            input = input.unsqueeze(0)
        given = []
        for place, state in enumerate(states):
            wanted = (self.hidden_size,) if single else (input.shape[0], self.hidden_size)
            if state is None:
                given.append(input.new_zeros((input.shape[0], self.hidden_size)))
                continue
            if tuple(state.shape) != wanted:
                raise RuntimeError(
                    f"{name}: hx[{place}] of shape {list(state.shape)} does not fit: expected "
                    f"{list(wanted)}"
                )
            _check_dtype(f"{name}: hx[{place}]", state, input)
            given.append(state.unsqueeze(0) if single else state)
        output, _, cell = _layer(
            F.linear(input, self.weight_ih, self.bias_ih),
            given[0],
            given[1] if len(given) > 1 else None,
            self.weight_hh,
            self.bias_hh,
            None,
            mode,
            (input.shape[0],),
            False,
        )
        found = [output, cell][: len(states)]
        return [each.squeeze(0) for each in found] if single else found

    def extra_repr(self) -> str:
        """Return the constructor's arguments."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text + (f", nonlinearity={nonlinearity}" if nonlinearity != "tanh" else "")


class RNNCell(RNNCellBase):
    """Take one step of an Elman network.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        bias: whether there are biases.
        nonlinearity: "tanh" or "relu".
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next hidden state, (B, hidden_size), of `input` (B, input_size)."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(f"RNN_{self.nonlinearity.upper()}", input, (hx,))[0]


class GRUCell(RNNCellBase):
    """Take one step of a gated recurrent unit.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        bias: whether there are biases.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next hidden state, (B, hidden_size), of `input` (B, input_size)."""
        return self._step("GRU", input, (hx,))[0]


class LSTMCell(RNNCellBase):
    """Take one step of a long short-term memory.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden and cell states.
        bias: whether there are biases.
        device: ``None`` or ``"cpu"``.
        dtype: of the parameters; the default floating-point dtype unless given.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the next hidden and cell states of `input` (B, input_size)."""
        hidden, cell = self._step("LSTM", input, (None, None) if hx is None else tuple(hx))
        return hidden, cell
