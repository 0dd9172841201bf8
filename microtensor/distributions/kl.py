"""Kullback-Leibler divergences between pairs of distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from microtensor.distributions.continuous import Exponential, Laplace, Uniform
from microtensor.distributions.discrete import Bernoulli, Categorical
from microtensor.distributions.distribution import Distribution
from microtensor.distributions.independent import Independent, sum_rightmost
from microtensor.distributions.normal import Normal
from microtensor.nn import functional as F

_Rule = TypeVar("_Rule", bound=Callable[[Any, Any], Any])
_rules: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[_Rule], _Rule]:
    """Register, as a decorator, a function of the divergence of two classes of distributions.

    Args:
        type_p: the class of the first distribution.
        type_q: of the second.
    """

    def register(function: _Rule) -> _Rule:
        _rules[type_p, type_q] = function
        return function

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """Return the divergence E[ln p(x) - ln q(x)] over outcomes x of p.

    Args:
        p: the one of which outcomes are.
        q: the one they are judged by.

    Returns:
        A tensor of the batch shape.

    Raises:
        NotImplementedError: no function is registered for the two classes or their bases.

    Example:
        >>> from microtensor.distributions import Normal, kl_divergence
        >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
        tensor(0.5000)
    """
    pairs = [(a, b) for a in type(p).__mro__ for b in type(q).__mro__ if (a, b) in _rules]
    if not pairs:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
            f"{type(q).__name__}"
        )
    # The nearest bases of both: the fewest steps up.
    steps = [type(p).__mro__.index(a) + type(q).__mro__.index(b) for a, b in pairs]
    return _rules[pairs[steps.index(min(steps))]](p, q)


@register_kl(Normal, Normal)
def _normals(p: Normal, q: Normal) -> Any:
    ratio = (p.scale / q.scale).square()
    shift = ((p.loc - q.loc) / q.scale).square()
    return 0.5 * (ratio + shift - 1 - ratio.log())


@register_kl(Bernoulli, Bernoulli)
def _bernoullis(p: Bernoulli, q: Bernoulli) -> Any:
    infinity = float("inf")
    ones = p.probs * (F.softplus(-q.logits) - F.softplus(-p.logits))
    ones = ones.masked_fill(q.probs.eq(0), infinity).masked_fill(p.probs.eq(0), 0.0)
    zeros = (1 - p.probs) * (F.softplus(q.logits) - F.softplus(p.logits))
    zeros = zeros.masked_fill(q.probs.eq(1), infinity).masked_fill(p.probs.eq(1), 0.0)
    return ones + zeros


@register_kl(Categorical, Categorical)
def _categoricals(p: Categorical, q: Categorical) -> Any:
    terms = p.probs * (p.logits - q.logits)
    terms = terms.masked_fill(q.probs.eq(0).expand(*terms.shape), float("inf"))
    return terms.masked_fill(p.probs.eq(0).expand(*terms.shape), 0.0).sum(-1)


@register_kl(Uniform, Uniform)
def _uniforms(p: Uniform, q: Uniform) -> Any:
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return result.masked_fill(q.low.gt(p.low) | q.high.lt(p.high), float("inf"))


@register_kl(Exponential, Exponential)
def _exponentials(p: Exponential, q: Exponential) -> Any:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@register_kl(Laplace, Laplace)
def _laplaces(p: Laplace, q: Laplace) -> Any:
    ratio = p.scale / q.scale
    distance = (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Uniform, Normal)
def _uniform_and_normal(p: Uniform, q: Normal) -> Any:
    length = p.high - p.low
    shift = ((p.high + p.low - 2 * q.loc) / 2).square()
    spread = length.square() / 12 + shift
    return (q.scale * math.sqrt(2 * math.pi) / length).log() + 0.5 * spread / q.scale.square()


@register_kl(Exponential, Normal)
def _exponential_and_normal(p: Exponential, q: Normal) -> Any:
    variance, rate = q.scale.square(), p.rate
    first = 0.5 * (rate.square() * variance * 2 * math.pi).log()
    return first - 1 + (rate.pow(-2) - q.loc / rate + 0.5 * q.loc.square()) / variance


@register_kl(Independent, Independent)
def _independents(p: Independent, q: Independent) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "kl_divergence: the two Independent have different reinterpreted_batch_ndims: "
            f"{p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims}"
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)
