"""Sequences of different lengths, padded to one or packed without gaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from microtensor.ops.joining import cat, stack
from microtensor.tensor import Tensor, wrap

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences without their padding, step by step, the longest first.

    Attributes:
        data: the elements of step 0 of all sequences, then those of step 1, and so on.
        batch_sizes: int64, how many sequences have each step.
        sorted_indices: which sequence stands first, second, ...; None if they were in order.
        unsorted_indices: where each sequence stands now.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        """Make one; what order was is worked out from what it became."""
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Convert the data, as ``Tensor.to`` does."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else PackedSequence(data, *self[1:])

    def cpu(self) -> PackedSequence:
        """Return itself: it is on the CPU."""
        return self

    def double(self) -> PackedSequence:
        """Convert the data to float64."""
        return PackedSequence(self.data.double(), *self[1:])

    def float(self) -> PackedSequence:
        """Convert the data to float32."""
        return PackedSequence(self.data.float(), *self[1:])

    def long(self) -> PackedSequence:
        """Convert the data to int64."""
        return PackedSequence(self.data.long(), *self[1:])

    @property
    def is_cuda(self) -> bool:
        """Say that it is not on a GPU."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Give where each place went; None for None."""
    if permutation is None:
        return None
    return wrap(np.argsort(permutation._array).astype(np.int64))


def _lengths(lengths: Any, batch: int, longest: int) -> np.ndarray[Any, Any]:
    array = np.asarray(lengths._array if isinstance(lengths, Tensor) else lengths).astype(np.int64)
    if array.shape != (batch,):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {array.size} (batch_size="
            f"{batch})"
        )
    if array.size and array.min() <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            f"that is <= 0: {array.min()}"
        )
    if array.size and array.max() > longest:
        raise RuntimeError(
            f"pack_padded_sequence: lengths must not exceed the input's {longest} steps, got "
            f"{array.max()}"
        )
    return array


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack padded sequences.

    Args:
        input: of shape (T, B, *), or (B, T, *) with `batch_first`.
        lengths: the B lengths, each in [1, T].
        batch_first: whether the first dimension is the batch.
        enforce_sorted: whether to insist on falling lengths, instead of sorting.

    Raises:
        RuntimeError: lengths that do not fit, or rise.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.nn.utils.rnn import pack_padded_sequence
        >>> pack_padded_sequence(mt.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True).data
        tensor([1, 3, 2])
    """
    if batch_first:
        input = input.transpose(0, 1)
    steps, batch = input.shape[:2]
    array = _lengths(lengths, batch, steps)
    order = None
    if enforce_sorted:
        if (np.diff(array) > 0).any():
            raise RuntimeError(
                "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
                "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence "
                "to sidestep this requirement"
            )
    else:
        order = wrap(np.argsort(-array, kind="stable").astype(np.int64))
        array = array[order._array]
        input = input.index_select(1, order)
    sizes = (array[None, :] > np.arange(array.max(initial=0))[:, None]).sum(1).astype(np.int64)
    step = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(step)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = input.reshape(steps * batch, *input.shape[2:])
    data = rows.index_select(0, wrap((step * batch + place).astype(np.int64)))
    return PackedSequence(data, wrap(sizes), order, None)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Pad packed sequences, in the order they had before packing.

    Args:
        sequence: what was packed.
        batch_first: whether the result's first dimension is the batch.
        padding_value: what stands behind the end of a sequence.
        total_length: the number of steps of the result; that of the longest sequence if None.

    Returns:
        The sequences, of shape (T, B, *) or (B, T, *), and their int64 lengths.

    Raises:
        ValueError: `total_length` is less than the longest sequence.
    """
    sizes = sequence.batch_sizes._array
    longest = len(sizes)
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, "
                f"but got total_length={total_length} and max sequence length being {longest}"
            )
        longest = total_length
    batch = int(sizes[0])
    lengths = (sizes[:, None] > np.arange(batch)[None, :]).sum(0)
    data = sequence.data
    # Each place takes its row of the data, or one more row of padding after them.
    places = np.full((longest, batch), len(data), np.int64)
    places[: len(sizes)][np.arange(batch)[None, :] < sizes[:, None]] = np.arange(len(data))
    padding = np.full((1, *data.shape[1:]), padding_value, data._array.dtype)
    padded = cat([data, wrap(padding)]).index_select(0, wrap(places.reshape(-1)))
    padded = padded.reshape(longest, batch, *data.shape[1:])
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices._array]
    return padded.transpose(0, 1) if batch_first else padded, wrap(lengths.astype(np.int64))


def pad_sequence(
    sequences: Sequence[Tensor] | Tensor,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Pad sequences of shape (length, *) to the longest, and stack them.

    Args:
        sequences: tensors that agree in all dimensions but the first.
        batch_first: whether the result's first dimension is the batch.
        padding_value: what is put where a sequence has no element.
        padding_side: "right" or "left".

    Returns:
        A tensor of shape (T, B, *), or (B, T, *) with `batch_first`.

    Raises:
        ValueError: another side.
        RuntimeError: there is no sequence.
    """
    if padding_side not in ("left", "right"):
        raise ValueError(f"padding_side must be 'left' or 'right', got {padding_side!r}")
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    longest = max(each.shape[0] for each in sequences)
    padded = []
    for each in sequences:
        missing = longest - each.shape[0]
        if missing:
            shape = (missing, *each.shape[1:])
            padding = wrap(np.full(shape, padding_value, each._array.dtype))
            each = cat([each, padding] if padding_side == "right" else [padding, each])
        padded.append(each)
    result: Tensor = stack(padded, 0 if batch_first else 1)
    return result


def unpad_sequence(
    padded_sequences: Tensor, lengths: Any, batch_first: bool = False
) -> list[Tensor]:
    """Take sequences out of a padded batch: the inverse of pad_sequence."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    array = lengths.tolist() if isinstance(lengths, Tensor) else lengths
    return [each[: int(n)] for each, n in zip(padded_sequences, array, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of shape (length, *)."""
    lengths = [each.shape[0] for each in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Take sequences out of a packed batch: the inverse of pack_sequence."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
