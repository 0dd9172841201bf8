"""Distribution: what all distributions share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import microtensor
from microtensor.distributions import constraints
from microtensor.dtypes import get_default_dtype
from microtensor.engine import no_grad
from microtensor.tensor import Size, Tensor


class Distribution:
    """Base class of distributions.

    A batch of distributions, of shape `batch_shape`, each of events of shape `event_shape`; samples
    are of the shape ``sample_shape + batch_shape + event_shape``.

    Args:
        batch_shape: of the parameters.
        event_shape: of one outcome.
        validate_args: whether parameters and values are checked; as
            :meth:`set_default_validate_args` said unless given.

    Raises:
        ValueError: a parameter violates its constraint.
    """

    has_rsample: ClassVar[bool] = False
    has_enumerate_support: ClassVar[bool] = False
    _validate_args = __debug__

    arg_constraints: ClassVar[Mapping[str, constraints.Constraint]] = {}

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Set whether distributions check what they are given, unless told otherwise."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: expected a bool, got {value!r}")
        Distribution._validate_args = value

    def __init__(
        self,
        batch_shape: Sequence[int] = (),
        event_shape: Sequence[int] = (),
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape = Size(batch_shape)
        self._event_shape = Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                if name in self.__dict__:  # not those that follow from others
                    self._check(name, constraint, getattr(self, name))

    def _check(self, name: str, constraint: constraints.Constraint, value: Tensor) -> None:
        if not constraint.check(value).all():
            raise ValueError(
                f"Expected parameter {name} (Tensor of shape {tuple(value.shape)}) of distribution "
                f"{type(self).__name__} to satisfy the constraint {constraint!r}, but found "
                f"invalid values:\n{value}"
            )

    @property
    def batch_shape(self) -> Size:
        """The shape of the batch of distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one outcome."""
        return self._event_shape

    @property
    def support(self) -> Any:
        """The constraint that outcomes satisfy."""
        raise NotImplementedError(f"{type(self).__name__} has no support")

    @property
    def mean(self) -> Any:
        """The mean."""
        raise NotImplementedError(f"{type(self).__name__} has no mean")

    @property
    def mode(self) -> Any:
        """The most probable outcome."""
        raise NotImplementedError(f"{type(self).__name__} has no mode")

    @property
    def variance(self) -> Any:
        """The variance."""
        raise NotImplementedError(f"{type(self).__name__} has no variance")

    @property
    def stddev(self) -> Any:
        """The standard deviation: the root of the variance."""
        return self.variance.sqrt()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """Return the distributions with a batch shape that theirs broadcasts to."""
        raise NotImplementedError(f"{type(self).__name__} has no expand")

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw outcomes, without a gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw outcomes as functions of the parameters, to which gradients flow."""
        raise NotImplementedError(f"{type(self).__name__} has no rsample")

    def log_prob(self, value: Tensor) -> Any:
        """Return the logarithm of the density, or probability, of an outcome."""
        raise NotImplementedError(f"{type(self).__name__} has no log_prob")

    def cdf(self, value: Tensor) -> Any:
        """Return the probability of an outcome that is not larger."""
        raise NotImplementedError(f"{type(self).__name__} has no cdf")

    def icdf(self, value: Tensor) -> Any:
        """Return the outcome that is not exceeded with a probability."""
        raise NotImplementedError(f"{type(self).__name__} has no icdf")

    def entropy(self) -> Any:
        """Return the entropy, in nats."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy")

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return all outcomes, along a new first dimension."""
        raise NotImplementedError(f"{type(self).__name__} has no enumerate_support")

    def perplexity(self) -> Any:
        """Return e to the entropy."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> tuple[int, ...]:
        return (*sample_shape, *self._batch_shape, *self._event_shape)

    def _validate_sample(self, value: Any) -> None:
        """Refuse a value of a shape that does not broadcast, or outside the support.

        Raises:
            ValueError: it is such a value, or no tensor.
        """
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        own = self._extended_shape()
        for mine, given in zip(reversed(own), reversed(value.shape), strict=False):
            if mine != given and 1 not in (mine, given):
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: "
                    f"{tuple(value.shape)} vs {own}."
                )
        if len(value.shape) < len(self._event_shape):
            raise ValueError(
                f"The right-most size of value must match event_shape: {tuple(value.shape)} vs "
                f"{tuple(self._event_shape)}."
            )
        if not self.support.check(value).all():
            raise ValueError(
                f"Expected value argument (Tensor of shape {tuple(value.shape)}) to be within the "
                f"support ({self.support!r}) of the distribution {type(self).__name__}, but found "
                f"invalid values:\n{value}"
            )

    def _like(self, batch_shape: Sequence[int], **parameters: Any) -> Any:
        """Return a distribution of this class with other parameters, unchecked."""
        new = object.__new__(type(self))
        for name, value in parameters.items():
            new.__dict__[name] = value
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        shown = []
        for name in self.arg_constraints:
            if name in self.__dict__:
                value = self.__dict__[name]
                shown.append(f"{name}: {value if value.numel() == 1 else value.size()}")
        return f"{type(self).__name__}({', '.join(shown)})"


def as_tensors(*values: Any) -> list[Any]:
    """Give numbers and tensors as tensors of one shape.

    Raises:
        ValueError: a value is neither.
    """
    if not all(isinstance(value, Tensor | int | float) for value in values):
        raise ValueError(
            "Input arguments must all be instances of numbers or tensors: got "
            f"{', '.join(type(value).__name__ for value in values)}"
        )
    dtype = get_default_dtype()
    for value in values:
        if isinstance(value, Tensor):
            dtype = value.dtype
    made = [v if isinstance(v, Tensor) else microtensor.tensor(v, dtype=dtype) for v in values]
    return list(microtensor.broadcast_tensors(*made)) if len(made) > 1 else made
