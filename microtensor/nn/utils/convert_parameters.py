"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import microtensor
from microtensor.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Give all parameters, one behind the other, as one vector.

    Gradients flow through it to the parameters, as through any op.

    Args:
        parameters: tensors of any shapes.

    Returns:
        A tensor of one dimension and as many elements as all together.

    Raises:
        ValueError: no parameters.

    Example:
        >>> import microtensor as mt
        >>> mt.nn.utils.parameters_to_vector([mt.tensor([[1.0, 2.0]]), mt.tensor(3.0)])
        tensor([1., 2., 3.])
    """
    return microtensor.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let parameters be slices of one vector, in the order of :func:`parameters_to_vector`.

    Each parameter's ``data`` is replaced by a view of the vector: nothing is copied, and a later
    change of the one is a change of the other.

    Args:
        vec: of one dimension and as many elements as the parameters have together; what is beyond
            is not read, as in PyTorch.
        parameters: tensors of any shapes.

    Raises:
        TypeError: vec is no tensor.
        RuntimeError: it has not enough elements; no parameter has been changed then.

    Example:
        >>> import microtensor as mt
        >>> w = mt.zeros(2, 1)
        >>> mt.nn.utils.vector_to_parameters(mt.tensor([1.0, 2.0]), [w]); w.tolist()
        [[1.0], [2.0]]
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected a Tensor as vec, but got: {type(vec).__name__}")
    parameters = list(parameters)
    sizes = [p.numel() for p in parameters]
    if vec.dim() != 1 or vec.numel() < sum(sizes):
        raise RuntimeError(
            f"vector_to_parameters: vec must be of one dimension and have {sum(sizes)} elements, "
            f"as many as the parameters; got shape {list(vec.shape)}"
        )
    start = 0
    for p, size in zip(parameters, sizes, strict=True):
        p.data = vec.detach()[start : start + size].view(p.shape)
        start += size
