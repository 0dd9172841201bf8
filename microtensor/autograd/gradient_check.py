"""Checking derivatives against finite differences, along one random direction at a time.

One direction needs two evaluations whatever the number of elements, and a wrong rule has no
chance to hide from a random one. Any input on a kink within the step makes the check meaningless:
keep away from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from microtensor.autograd.walk import grad
from microtensor.engine import enable_grad
from microtensor.tensor import Tensor, wrap

_DIRECTIONS = 3


class GradcheckError(RuntimeError):
    """A derivative that finite differences do not confirm."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
    seed: int = 0,
) -> bool:
    """Compare a function's gradients with central differences.

    For random v and u it compares Σ u·(f(x + εv) - f(x - εv))/2ε with Σ v·∂(u·f)/∂x.

    Args:
        func: takes the inputs, gives a tensor or a tuple of tensors.
        inputs: tensors (float64 for those that require a gradient) and whatever else func takes.
        eps: the step.
        atol: the absolute tolerance.
        rtol: the relative one.
        raise_exception: raise where they differ, rather than return False.
        nondet_tol: how far two walks over the same graph may differ.
        check_undefined_grad: accepted for PyTorch's sake: each output is walked from alone, the
            others having no gradient, in any case.
        check_grad_dtypes: accepted likewise: the engine casts gradients to the input's dtype.
        check_batched_grad: whether to compare a batched walk with single ones, too.
        check_batched_forward_grad: must be False, as the next: there is no forward mode.
        check_forward_ad: must be False.
        check_backward_ad: False checks nothing.
        fast_mode: accepted likewise: random directions are always used.
        masked: accepted likewise.
        seed: of the random directions.

    Returns:
        Whether they agree.

    Raises:
        GradcheckError: they differ; the message names the output, the input and both numbers.
        ValueError: no input requires a gradient, or one that does is not float64.
        NotImplementedError: forward mode is to be checked.

    Example:
        >>> import microtensor as mt
        >>> x = mt.tensor([0.5, 1.0], dtype=mt.float64, requires_grad=True)
        >>> mt.autograd.gradcheck(mt.exp, x)
        True
    """
    if check_forward_ad or check_batched_forward_grad:
        raise NotImplementedError("gradcheck: there is no forward-mode differentiation to check")
    arguments, chosen = _arguments(inputs)
    if not check_backward_ad:
        return True
    if not chosen:
        raise ValueError("gradcheck expects at least one input to require a gradient")
    for i in chosen:
        if arguments[i]._array.dtype != np.float64:
            raise ValueError(
                f"gradcheck: input {i} is {arguments[i].dtype.name}; finite differences need "
                "float64: convert it with .double()"
            )
    rng = np.random.default_rng(seed)
    outputs = _outputs(func, arguments)
    given = [arguments[i] for i in chosen]
    try:
        for place, output in enumerate(outputs):
            if output.requires_grad:
                _check_walks(output, given, place, rng, nondet_tol, check_batched_grad)
            for i in chosen:
                for _ in range(_DIRECTIONS):
                    _check_direction(func, arguments, i, place, rng, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _arguments(inputs: Tensor | Sequence[Any]) -> tuple[list[Any], list[int]]:
    """List the inputs, and the places of those that require a gradient."""
    arguments = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    chosen = [i for i, a in enumerate(arguments) if isinstance(a, Tensor) and a.requires_grad]
    return arguments, chosen


def _outputs(func: Callable[..., Any], arguments: Sequence[Any]) -> list[Tensor]:
    result = func(*arguments)
    outputs = [result] if isinstance(result, Tensor) else list(result)
    return [each for each in outputs if isinstance(each, Tensor) and each.is_floating_point()]


def _starts(
    outputs: list[Tensor],
    given: Tensor | Sequence[Tensor] | None,
    rng: np.random.Generator,
    gaps: bool,
) -> list[Tensor]:
    """List the gradients that start the first walk: those given, or random ones of the outputs."""
    if given is not None:
        listed = [given] if isinstance(given, Tensor) else list(given)
        return [each.detach().requires_grad_() for each in listed]
    starts = []
    for shape in (each._array.shape for each in outputs):
        drawn = np.asarray(rng.standard_normal((*shape, 2) if gaps else shape))
        starts.append(wrap(drawn[..., 0] if gaps else drawn).requires_grad_())
    return starts


def _check_walks(
    output: Tensor,
    inputs: list[Tensor],
    place: int,
    rng: np.random.Generator,
    tolerance: float,
    batched: bool,
) -> None:
    """Make sure that walking the same graph again, alone or in a batch, gives the same."""
    u = np.asarray(rng.standard_normal(output._array.shape))

    def walk(start: Any, **options: Any) -> Any:
        return grad(
            output, inputs, wrap(start), retain_graph=True, materialize_grads=True, **options
        )

    first, second = walk(u), walk(u)
    for i, (a, b) in enumerate(zip(first, second, strict=True)):
        difference = float(np.abs(a._array - b._array).max(initial=0.0))
        if difference > tolerance:
            raise GradcheckError(
                f"Backward is not reentrant, i.e., running it twice with the same input and "
                f"grad_output gives different values: output {place}, input {i}, by "
                f"{difference:g}, while nondet_tol is {tolerance:g}"
            )
    if batched:
        for i, (a, b) in enumerate(zip(first, walk(u[None], is_grads_batched=True), strict=True)):
            if not np.array_equal(a._array, b._array[0]):
                raise GradcheckError(f"a batched walk gives another gradient of input {i}")


def _check_direction(
    func: Callable[..., Any],
    arguments: list[Any],
    i: int,
    place: int,
    rng: np.random.Generator,
    eps: float,
    atol: float,
    rtol: float,
) -> None:
    x = arguments[i]
    output = _outputs(func, arguments)[place]
    v = np.asarray(rng.standard_normal(x._array.shape))
    u = np.asarray(rng.standard_normal(output._array.shape))
    analytic = 0.0
    if output.requires_grad:
        (slope,) = grad(output, x, wrap(u), allow_unused=True)
        analytic = 0.0 if slope is None else float((slope._array * v).sum())

    def along(step: float) -> Any:
        moved = list(arguments)
        # It requires a gradient as the original does, since func may differentiate in turn.
        moved[i] = wrap(np.asarray(x._array + step * v)).requires_grad_()
        return _outputs(func, moved)[place]._array

    numeric = float((u * (along(eps) - along(-eps))).sum() / (2 * eps))
    if not abs(analytic - numeric) <= atol + rtol * abs(numeric):
        raise GradcheckError(
            f"Jacobian mismatch for output {place} with respect to input {i}: along a random "
            f"direction finite differences give {numeric:.10g}, the gradient {analytic:.10g}"
        )


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
    seed: int = 0,
) -> bool:
    """Compare a function's second derivatives with central differences of its first.

    Args:
        func: takes the inputs, gives a tensor or a tuple of tensors.
        inputs: as for :func:`gradcheck`.
        grad_outputs: the gradients that start the first walk; random if not given.
        eps: the step.
        atol: the absolute tolerance.
        rtol: the relative one.
        gen_non_contig_grad_outputs: let those random gradients have gaps in memory.
        raise_exception: raise where they differ, rather than return False.
        nondet_tol: as for :func:`gradcheck`, as the options not named here.
        check_undefined_grad: accepted for PyTorch's sake.
        check_grad_dtypes: likewise.
        check_batched_grad: whether to compare a batched walk with single ones, too.
        check_fwd_over_rev: must be False: there is no forward mode.
        check_rev_over_rev: False checks nothing.
        fast_mode: accepted likewise.
        masked: accepted likewise.
        seed: of the random directions.

    Returns:
        Whether they agree.

    Raises:
        GradcheckError: they differ.
    """
    if check_fwd_over_rev:
        raise NotImplementedError("gradgradcheck: there is no forward-mode differentiation")
    if not check_rev_over_rev:
        return True
    arguments, chosen = _arguments(inputs)
    outputs = [each for each in _outputs(func, arguments) if each.requires_grad]
    rng = np.random.default_rng(seed + 1)
    starts = _starts(outputs, grad_outputs, rng, gen_non_contig_grad_outputs)
    if not outputs:
        return True

    def first(*values: Any) -> tuple[Tensor, ...]:
        own, start = list(values[: len(arguments)]), list(values[len(arguments) :])
        for i in chosen:
            if not own[i].requires_grad:
                own[i] = own[i].detach().requires_grad_()
        with enable_grad():
            results = [r for r in _outputs(func, own) if r.requires_grad]
            slopes = grad(
                results,
                [own[i] for i in chosen],
                start,
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        return tuple(s for s in slopes if s is not None)

    return gradcheck(
        first,
        [*arguments, *starts],
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_batched_grad=check_batched_grad,
        seed=seed,
    )
