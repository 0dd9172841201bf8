"""``Variable``: what scripts from before 2018 wrap tensors in."""

from __future__ import annotations

from typing import Any

from microtensor.tensor import Tensor


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor)

    def __call__(cls, data: Tensor, requires_grad: bool = False, **volatile: Any) -> Tensor:
        return data.detach().requires_grad_(requires_grad)


class Variable(metaclass=_Kind):
    """A tensor: every one is what a Variable was. Calling it detaches the tensor it is given.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.autograd import Variable
        >>> x = Variable(mt.ones(2), requires_grad=True)
        >>> x.requires_grad, isinstance(x, Variable)
        (True, True)
    """
