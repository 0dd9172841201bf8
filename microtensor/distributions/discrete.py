"""Distributions of yes and no, and of several classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import microtensor
from microtensor.distributions import constraints
from microtensor.distributions.distribution import Distribution, as_tensors
from microtensor.dtypes import finfo
from microtensor.engine import enable_grad, no_grad
from microtensor.nn import functional as F
from microtensor.tensor import Tensor


def _between(probs: Any) -> Any:
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


class _OfProbabilities(Distribution):
    """What is given either by probabilities or by logits: the other is computed when asked for."""

    def __init__(self, probs: Any, logits: Any, event: int, validate_args: bool | None) -> None:
        name = type(self).__name__
        if (probs is None) == (logits is None):
            raise ValueError(f"{name}: Either `probs` or `logits` must be specified, but not both.")
        self._given = "probs" if logits is None else "logits"
        (given,) = as_tensors(probs if logits is None else logits)
        if given.ndim < event:
            raise ValueError(f"{name}: `{self._given}` parameter must be at least one-dimensional.")
        self.__dict__[self._given] = self._normalised(given)
        shape = given.shape[: given.ndim - event]
        super().__init__(shape, validate_args=validate_args)

    def _normalised(self, given: Any) -> Any:
        return given

    def _logits(self, probs: Any) -> Any:
        raise NotImplementedError

    def _probs(self, logits: Any) -> Any:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        # Only called for what is not there yet.
        if name not in ("probs", "logits") or "_given" not in self.__dict__:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        with enable_grad():
            if name == "logits":
                value = self._logits(self.__dict__["probs"])
            else:
                value = self._probs(self.__dict__["logits"])
        self.__dict__[name] = value
        return value

    def _expanded(self, batch_shape: Sequence[int], shape: Sequence[int]) -> Any:
        given = self.__dict__[self._given].expand(*shape)
        return self._like(batch_shape, _given=self._given, **{self._given: given})

    @property
    def _parameter(self) -> Any:
        return self.__dict__[self._given]

    def __repr__(self) -> str:
        value = self._parameter
        shown = value if value.numel() == 1 else value.size()
        return f"{type(self).__name__}({self._given}: {shown})"


class Bernoulli(_OfProbabilities):
    """The distribution of a yes, 1, or a no, 0.

    Args:
        probs: probabilities of 1.
        logits: their log-odds, instead.
        validate_args: whether parameters and values are checked.

    Raises:
        ValueError: not exactly one of the two is given, or a probability is not in [0, 1].

    Example:
        >>> import microtensor as mt
        >>> from microtensor.distributions import Bernoulli
        >>> Bernoulli(mt.tensor(0.25)).log_prob(mt.tensor(1.0)).exp()
        tensor(0.2500)
    """

    has_enumerate_support = True
    support = constraints.boolean
    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}

    probs: Any
    logits: Any

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, 0, validate_args)

    def _logits(self, probs: Any) -> Any:
        inside = _between(probs)
        return inside.log() - (-inside).log1p()

    def _probs(self, logits: Any) -> Any:
        return logits.sigmoid()

    @property
    def mean(self) -> Any:
        """The mean: the probability of 1."""
        return self.probs

    @property
    def mode(self) -> Any:
        """The more probable outcome; NaN where both are equally so."""
        mode = self.probs.ge(0.5).to(self.probs.dtype)
        return mode.masked_fill(self.probs.eq(0.5), float("nan"))

    @property
    def variance(self) -> Any:
        """The variance: p·(1 - p)."""
        return self.probs * (1 - self.probs)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._parameter.size()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """Return the distributions with a batch shape that theirs broadcasts to."""
        return self._expanded(batch_shape, batch_shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw zeros and ones."""
        with no_grad():
            return microtensor.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Any:
        """Return the logarithm of p of a 1, of 1 - p of a 0."""
        self._validate_sample(value)
        logits, value = as_tensors(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Any:
        """Return -p·ln p - (1 - p)·ln(1 - p)."""
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return 0 and 1, along a new first dimension."""
        values = microtensor.arange(2, dtype=self._parameter.dtype)
        values = values.reshape(-1, *(1,) * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values


class Categorical(_OfProbabilities):
    """The distribution of a class, by the probabilities of all of them.

    Args:
        probs: not negative, along the last dimension; divided by their sum.
        logits: their logarithms, up to a constant, instead.
        validate_args: whether parameters and values are checked.

    Raises:
        ValueError: not exactly one of the two is given, or a probability is negative.

    Example:
        >>> import microtensor as mt
        >>> from microtensor.distributions import Categorical
        >>> Categorical(mt.tensor([1.0, 3.0])).log_prob(mt.tensor(1)).exp()
        tensor(0.7500)
    """

    has_enumerate_support = True
    arg_constraints: ClassVar = {
        "probs": constraints.simplex,
        "logits": constraints.real_vector,
    }

    probs: Any
    logits: Any

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, 1, validate_args)

    def _normalised(self, given: Any) -> Any:
        if self._given == "probs":
            return given / given.sum(-1, keepdim=True)
        return given - given.logsumexp(-1, keepdim=True)

    def _logits(self, probs: Any) -> Any:
        return _between(probs).log()

    def _probs(self, logits: Any) -> Any:
        return logits.softmax(-1)

    @property
    def _num_events(self) -> int:
        return int(self._parameter.shape[-1])

    @property
    def support(self) -> Any:
        """The numbers of the classes."""
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._parameter.size()

    @property
    def mean(self) -> Any:
        """NaN: classes have no mean."""
        return microtensor.full(self._extended_shape(), float("nan"), dtype=self._parameter.dtype)

    @property
    def mode(self) -> Any:
        """The most probable class."""
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Any:
        """NaN: classes have no variance."""
        return self.mean

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """Return the distributions with a batch shape that theirs broadcasts to."""
        return self._expanded(batch_shape, (*batch_shape, self._num_events))

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draw classes, as int64."""
        with no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            count = 1
            for size in sample_shape:
                count *= size
            if not count or not rows.shape[0]:
                return microtensor.empty(
                    self._extended_shape(sample_shape), dtype=microtensor.int64
                )
            drawn = microtensor.multinomial(rows, count, True).T
            return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Tensor) -> Any:
        """Return the logarithm of the probability of a class."""
        self._validate_sample(value)
        column = value.long().unsqueeze(-1)
        shape = microtensor.broadcast_shapes(column.shape[:-1], self.logits.shape[:-1])
        logits = self.logits.expand(*shape, self._num_events)
        return logits.gather(-1, column.expand(*shape, 1)).squeeze(-1)

    def entropy(self) -> Any:
        """Return -Σ p·ln p."""
        logits = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        """Return all classes, along a new first dimension."""
        values = microtensor.arange(self._num_events)
        values = values.reshape(-1, *(1,) * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values
