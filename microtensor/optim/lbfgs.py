"""L-BFGS: Newton's method from the last few gradients."""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any

import numpy as np

from microtensor import kernels
from microtensor.engine import enable_grad
from microtensor.optim.line_search import Point, strong_wolfe
from microtensor.optim.optimizer import Optimizer
from microtensor.optim.options import number, require, require_at_least_zero
from microtensor.tensor import Tensor, wrap

Array = np.ndarray[Any, Any]


class LBFGS(Optimizer):
    """Limited-memory BFGS: quasi-Newton steps for smooth functions without noise.

    One ``step(closure)`` makes up to ``max_iter`` iterations over all parameters as one vector w::

        s = w - w₋,  y = g - g₋              (kept if y·s > 10⁻¹⁰; the last history_size pairs)
        d = -H·g, where H starts from (y·s)/(y·y)·I and takes each pair in by the BFGS formula
        w ← w + t·d,  t = lr, or what the line search finds; at first t = min(1, 1/‖g‖₁)·lr

    H, an estimate of the inverse Hessian, is never formed: two loops over the pairs give
    H·g (Nocedal). ``line_search_fn="strong_wolfe"`` finds t such that the function falls enough
    and its slope has flattened enough, which makes y·s > 0; recommended. Without it t = lr is taken
    on trust. Use it on the full batch: pairs of different batches tell lies about the curvature.

    Its work is in the closure and in products of vectors; it calls no step kernel.

    Args:
        params: tensors of one dtype; one group only.
        lr: the step length, or where the line search begins, at least 0.
        max_iter: iterations in a step.
        max_eval: calls of the closure in a step; max_iter·5/4 unless given.
        tolerance_grad: end when no gradient is larger.
        tolerance_change: end when neither function nor parameters change by more.
        history_size: how many pairs to keep.
        line_search_fn: None or "strong_wolfe".

    Raises:
        ValueError: an option outside its range, several groups or dtypes.

    Example:
        >>> import microtensor as mt
        >>> w = mt.tensor([-2.0, 2.0], dtype=mt.float64, requires_grad=True)
        >>> optimizer = mt.optim.LBFGS([w], max_iter=100, line_search_fn="strong_wolfe")
        >>> def rosenbrock():
        ...     optimizer.zero_grad()
        ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(rosenbrock).item(), w
        (409.0, tensor([1.0000, 1.0000], dtype=microtensor.float64, requires_grad=True))

    References:
        Liu & Nocedal 1989, On the limited memory BFGS method for large scale optimization; Nocedal
        & Wright, Numerical optimization, algorithms 7.4 and 7.5.
    """

    _formula = "w ← w - t·H·g; H: inverse Hessian from the last pairs (w - w₋, g - g₋)"
    _state_names = ("d", "old_dirs", "old_stps", "prev_flat_grad")
    _number_names = ("func_evals", "n_iter", "t", "ro", "H_diag", "prev_loss", "al")
    _mover: _Mover | None = None  # made anew for other arrays, and in copies

    def __init__(
        self,
        params: Any,
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the one group there may be."""
        if self.param_groups:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        super().add_param_group(param_group)

    def _check_group(self, group: dict[str, Any]) -> None:
        require_at_least_zero(group, "lr", "tolerance_grad", "tolerance_change")
        for name in ("max_iter", "max_eval", "history_size"):
            require(f"{name} value", group[name], f"{name} >= 1", number(group, name) >= 1)
        search = group["line_search_fn"]
        legal = "None or 'strong_wolfe'"
        require("line_search_fn", search, legal, search in (None, "strong_wolfe"))
        if not group["params"]:
            raise ValueError("LBFGS got an empty parameter list")
        kinds = {str(p._array.dtype) for p in group["params"]}
        if len(kinds) > 1:
            raise ValueError(f"LBFGS: all parameters must be of one dtype; got {sorted(kinds)}")

    # ---- parameters as one vector ---------------------------------------------------------------

    def _flat_gradient(self) -> Array:
        parts = [
            np.zeros(p._array.size, p._array.dtype) if p._grad is None else p._grad._array.ravel()
            for p in self.param_groups[0]["params"]
        ]
        return np.concatenate(parts)

    def _move(self, t: float, direction: Array) -> None:
        parameters = self.param_groups[0]["params"]
        arrays = [p._array for p in parameters]
        mover = self._mover
        if mover is None or not mover.fits(arrays):
            mover = self._mover = _Mover(arrays)
        mover.move(t, direction)
        for p in parameters:
            p._cell[0] += 1

    def _put(self, values: list[Array]) -> None:
        for p, value in zip(self.param_groups[0]["params"], values, strict=True):
            p._array[...] = value
            p._cell[0] += 1

    # ---- the step -------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make up to ``max_iter`` iterations.

        Args:
            closure: clears gradients, computes the loss, calls backward, returns the loss; called
                several times.

        Returns:
            The loss before the step.

        Raises:
            TypeError: no closure.
        """
        if closure is None:
            raise TypeError("LBFGS.step needs a closure that recomputes and returns the loss")
        group = self.param_groups[0]
        self._check_group(group)
        self._opt_called = True
        memory = _Memory(self._state[group["params"][0]], group)

        def evaluate() -> tuple[Any, float, Array]:
            with enable_grad():
                found = closure()
            memory.evaluations += 1
            return found, float(found), self._flat_gradient()

        first, loss, gradient = evaluate()
        done = memory.evaluations
        if _largest(gradient) <= group["tolerance_grad"]:
            memory.save(only_counts=True)
            return first
        budget = group["max_eval"] + done - 1
        lr = float(group["lr"])
        for iteration in range(1, group["max_iter"] + 1):
            memory.iterations += 1
            direction = memory.direction(gradient)
            memory.previous, memory.previous_loss = gradient, loss
            memory.d = direction
            t = lr
            if memory.iterations == 1:
                t = min(1.0, 1.0 / float(np.abs(gradient).sum())) * lr
            memory.t = t
            slope = float(gradient @ direction)
            if slope > -group["tolerance_change"]:
                break
            flat = False
            if group["line_search_fn"] is not None:
                begin = [p._array.copy() for p in group["params"]]

                def at(t: float, d: Array = direction, begin: list[Array] = begin) -> Point:
                    self._move(t, d)
                    _, value, g = evaluate()
                    self._put(begin)
                    return Point(t, value, g, float(g @ d))

                start = Point(0.0, loss, gradient, slope)
                limit = budget - memory.evaluations
                size = _largest(direction)
                found = strong_wolfe(at, start, t, size, max_evaluations=limit)
                loss, gradient, memory.t = found.value, found.gradient, found.t
                self._move(memory.t, direction)
                flat = _largest(gradient) <= group["tolerance_grad"]
            else:
                self._move(t, direction)
                if iteration != group["max_iter"]:
                    _, loss, gradient = evaluate()
                    flat = _largest(gradient) <= group["tolerance_grad"]
            change = group["tolerance_change"]
            if (
                memory.evaluations >= budget
                or flat
                or _largest(direction) * abs(memory.t) <= change
                or abs(loss - memory.previous_loss) < change
            ):
                break
        memory.save()
        return first

    # ---- saving and loading ---------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k != "_mover"}

    def _required_names(self) -> tuple[str, ...]:
        return ()

    def _loaded(self, name: str, value: Any, parameter: Tensor) -> Any:
        dtype = parameter._array.dtype
        size = sum(p._array.size for p in self.param_groups[0]["params"])
        if name in ("d", "prev_flat_grad", "old_dirs", "old_stps") and value is not None:
            for each in value if isinstance(value, list) else [value]:
                if tuple(each.shape) != (size,):
                    raise ValueError(
                        f"loaded state dict has {name} of shape {list(each.shape)} for {size} "
                        "parameters"
                    )
        if isinstance(value, list):
            return [_own(each, dtype) for each in value]
        return _own(value, dtype)


def _largest(x: Array) -> float:
    """Give the largest |x|, 0 of none, without another array."""
    return max(float(x.max(initial=0.0)), -float(x.min(initial=0.0)))


def _own(value: Any, dtype: Any) -> Any:
    """Give a vector as our own copy, a number as a number."""
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return wrap(np.array(value, dtype)) if value.ndim else value.item()
    return value


class _Mover:
    """Moves parameters along slices of one vector, w ← w + t·d, in one kernel call."""

    def __init__(self, arrays: list[Array]) -> None:
        sizes = [array.size for array in arrays]
        self.vector = np.zeros(sum(sizes), arrays[0].dtype)
        self.parameters = kernels.ArrayTable(arrays)
        ends = np.cumsum(sizes)[:-1]
        slices = [
            part.reshape(array.shape)
            for part, array in zip(np.split(self.vector, ends), arrays, strict=True)
        ]
        self.slices = kernels.ArrayTable(slices)
        self.states = kernels.ArrayTable([None] * len(arrays))
        self.numbers = np.zeros((len(arrays), 1))
        self.hyper = np.zeros(7)  # plain gradient descent

    def fits(self, arrays: list[Array]) -> bool:
        held = self.parameters.arrays
        return len(arrays) == len(held) and all(map(is_, arrays, held))

    def move(self, t: float, direction: Array) -> None:
        self.vector[...] = direction
        self.hyper[0] = -t
        tables = self.parameters, self.slices, self.states
        kernels.step("sgd", *tables, self.numbers, self.hyper)


class _Memory:
    """What L-BFGS knows from before, in PyTorch's layout under the first parameter's state."""

    def __init__(self, state: dict[str, Any], group: dict[str, Any]) -> None:
        self.state, self.size = state, group["history_size"]
        self.evaluations = int(state.get("func_evals", 0))
        self.iterations = int(state.get("n_iter", 0))
        self.d = _array(state.get("d"))
        self.t = float(state.get("t") or 0.0)
        self.dirs = [_array(each) for each in state.get("old_dirs") or ()]
        self.steps = [_array(each) for each in state.get("old_stps") or ()]
        self.ro = [float(each) for each in state.get("ro") or ()]
        self.scale = float(1.0 if state.get("H_diag") is None else state["H_diag"])
        self.previous = _array(state.get("prev_flat_grad"))
        self.previous_loss = float(state.get("prev_loss") or 0.0)

    def direction(self, gradient: Array) -> Array:
        """Take in the last step, and give -H·g."""
        if self.iterations == 1:
            self.dirs, self.steps, self.ro, self.scale = [], [], [], 1.0
            return -gradient
        y, s = gradient - self.previous, self.d * self.t
        curvature = float(y @ s)
        if curvature > 1e-10:
            if len(self.dirs) >= self.size:
                for history in (self.dirs, self.steps, self.ro):
                    del history[0]
            self.dirs.append(y)
            self.steps.append(s)
            self.ro.append(1.0 / curvature)
            self.scale = curvature / float(y @ y)
        q = -gradient
        shares = []
        pairs = list(zip(self.dirs, self.steps, self.ro, strict=True))
        for y, s, ro in reversed(pairs):
            shares.append(float(s @ q) * ro)
            q -= shares[-1] * y
        r: Array = q * q.dtype.type(self.scale)
        for (y, s, ro), share in zip(pairs, reversed(shares), strict=True):
            r += (share - float(y @ r) * ro) * s
        return r

    def save(self, only_counts: bool = False) -> None:
        """Write it back."""
        self.state.update(func_evals=self.evaluations, n_iter=self.iterations)
        if only_counts:
            return
        self.state.update(
            d=wrap(self.d),
            t=self.t,
            old_dirs=[wrap(each) for each in self.dirs],
            old_stps=[wrap(each) for each in self.steps],
            ro=list(self.ro),
            H_diag=self.scale,
            prev_flat_grad=wrap(self.previous),
            prev_loss=self.previous_loss,
        )


def _array(value: Any) -> Any:
    return None if value is None else value._array
