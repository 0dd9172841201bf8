"""What parameters and values of distributions have to satisfy."""

from __future__ import annotations

from typing import Any

from microtensor.tensor import Tensor

__all__ = [
    "Constraint",
    "boolean",
    "greater_than",
    "half_open_interval",
    "independent",
    "integer_interval",
    "interval",
    "nonnegative",
    "positive",
    "real",
    "real_vector",
    "simplex",
    "unit_interval",
]


class Constraint:
    """Base class: a region of numbers, or of vectors where `event_dim` is 1."""

    is_discrete = False
    event_dim = 0

    def check(self, value: Tensor) -> Any:
        """Say of each number, or vector, whether it lies in the region."""
        raise NotImplementedError(f"{type(self).__name__} must define check(value)")

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}()"


class _Real(Constraint):
    def check(self, value: Tensor) -> Any:
        return value.eq(value)  # all but NaN


class _Boolean(Constraint):
    is_discrete = True

    def check(self, value: Tensor) -> Any:
        return value.eq(0) | value.eq(1)


class _Interval(Constraint):
    """From a lower to an upper bound, each of which may be tensors."""

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Tensor) -> Any:
        return value.ge(self.lower_bound) & value.le(self.upper_bound)

    def __repr__(self) -> str:
        name = type(self).__name__.lstrip("_")
        return f"{name}(lower_bound={self.lower_bound}, upper_bound={self.upper_bound})"


class _HalfOpenInterval(_Interval):
    def check(self, value: Tensor) -> Any:
        return value.ge(self.lower_bound) & value.lt(self.upper_bound)


class _IntegerInterval(_Interval):
    is_discrete = True

    def check(self, value: Tensor) -> Any:
        return value.remainder(1).eq(0) & super().check(value)


class _GreaterThan(Constraint):
    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Tensor) -> Any:
        return value.gt(self.lower_bound)

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}(lower_bound={self.lower_bound})"


class _GreaterThanEq(_GreaterThan):
    def check(self, value: Tensor) -> Any:
        return value.ge(self.lower_bound)


class _Simplex(Constraint):
    event_dim = 1

    def check(self, value: Tensor) -> Any:
        return value.ge(0).all(-1) & (value.sum(-1) - 1).abs().lt(1e-6)


class _Independent(Constraint):
    """A constraint of which so many dimensions more are one event."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Any:
        inside = self.base_constraint.check(value)
        for _ in range(self.reinterpreted_batch_ndims):
            inside = inside.all(-1)
        return inside


boolean = _Boolean()
independent = _Independent
integer_interval = _IntegerInterval
interval = _Interval
half_open_interval = _HalfOpenInterval
greater_than = _GreaterThan
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
real = _Real()
real_vector = _Independent(real, 1)
simplex = _Simplex()
unit_interval = _Interval(0.0, 1.0)
