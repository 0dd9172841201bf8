"""What all optimizers share: groups, state, and one kernel call per step and group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from operator import is_
from typing import Any, ClassVar

import numpy as np

from microtensor import kernels
from microtensor.engine import enable_grad
from microtensor.tensor import Tensor, wrap

_INVALID = "Invalid {name}: {value} (legal: {legal})"


class Optimizer:
    """Base of the optimizers.

    A subclass names its rule in the kernel table and its state arrays, and says which numbers of a
    group the kernel reads; the step itself is one call for all parameters of a group.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        defaults: the options of groups that do not give their own.

    Attributes:
        param_groups: dicts of "params" and options; change an option and the next step uses it.
        state: per parameter the tensors an optimizer remembers.
    """

    _rule: ClassVar[str]
    _state_names: ClassVar[tuple[str, ...]] = ()
    _counts_steps: ClassVar[bool] = True

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                "but got a Tensor: put it into a list"
            )
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._plans: list[_GroupPlan | None] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ---- for subclasses -----------------------------------------------------------------------

    def _check_group(self, group: dict[str, Any]) -> None:
        """Raise ValueError for an option outside its range."""

    def _hyper(self, group: dict[str, Any]) -> tuple[float, ...]:
        """The numbers the kernel reads, in the order of the rule in csrc/optimizers.inc."""
        raise TypeError(f"{type(self).__name__} does not say what its kernel reads")

    def _used_states(self, group: dict[str, Any]) -> tuple[bool, ...]:
        """Which of the state arrays a group's options call for."""
        return (True,) * len(self._state_names)

    def _initial_state(self, name: str, parameter: Any, group: dict[str, Any]) -> Any:
        """The array a parameter's state starts from."""
        return np.zeros_like(parameter, order="C")

    # ---- groups ---------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with options of its own.

        Args:
            param_group: "params" and any options; the others take the optimizer's defaults.

        Raises:
            TypeError: something in it is no tensor, or a set (which has no order).
            ValueError: an option outside its range, a tensor that is no leaf or not floating
                point, one that appears twice or in another group, no parameters.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        params = group.get("params")
        if isinstance(params, Tensor):
            params = [params]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, not in sets"
            )
        if not isinstance(params, Iterable):
            raise TypeError("param_group must have 'params', an iterable of Tensors")
        named = [p if isinstance(p, tuple) else (None, p) for p in params]
        if not named:
            raise ValueError("optimizer got an empty parameter list")
        group["params"] = [p for _, p in named]
        if any(name is not None for name, _ in named):
            group["param_names"] = [name for name, _ in named]
        for place, p in enumerate(group["params"]):
            self._check_parameter(place, p)
        if len({id(p) for p in group["params"]}) != len(group["params"]):
            raise ValueError("optimizer contains a parameter group with duplicate parameters")
        known = {id(p) for each in self.param_groups for p in each["params"]}
        if any(id(p) in known for p in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        unknown = set(group) - set(self.defaults) - {"params", "param_names", "initial_lr"}
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no option {', '.join(map(repr, sorted(unknown)))}; its "
                f"options: {', '.join(self.defaults)}"
            )
        self._check_group(group)
        self.param_groups.append(group)
        self._plans.append(None)

    @staticmethod
    def _check_parameter(place: int, p: Any) -> None:
        if not isinstance(p, Tensor):
            raise TypeError(
                f"optimizer can only optimize Tensors, but one of the params (number {place}) is "
                f"{type(p).__name__}"
            )
        if not p.is_leaf:
            raise ValueError("can't optimize a non-leaf Tensor")
        if p._array.dtype.kind != "f":
            raise ValueError(
                f"can't optimize a Tensor of dtype {p.dtype.name} (number {place}): it must be "
                "floating point"
            )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Args:
            set_to_none: drop them, so that parameters without a new one are skipped by the next
                step; False fills them with zeros.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p._grad = None
                elif p._grad is not None:
                    if p._grad._node is not None:
                        p._grad = p._grad.detach()
                    p._grad.zero_()

    # ---- the step -------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient; the others and their state stay untouched.

        Args:
            closure: recomputes and returns the loss (it clears gradients and calls backward).

        Returns:
            What the closure returned, else None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for place, group in enumerate(self.param_groups):
            active, gradients = [], []
            for p in group["params"]:
                gradient = p._grad
                if gradient is not None:
                    active.append(p)
                    gradients.append(gradient._array)
                    p._cell[0] += 1
            if not active:
                continue
            plan = self._plans[place]
            values = self._hyper(group)
            if plan is None or not plan.fits(active, values, self, group):
                self._check_group(group)
                plan = self._plans[place] = _GroupPlan(self, group, active, values)
            plan.run(self._rule, gradients)
        return loss

    # ---- saving and loading ---------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Give state and options in PyTorch's layout: parameters by their number.

        Returns:
            ``{"state": {0: {...}, ...}, "param_groups": [{..., "params": [0, ...]}, ...]}``; the
            state's tensors are the optimizer's own, not copies.
        """
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {k: v for k, v in group.items() if k != "params"}
            for p in group["params"]:
                numbers.setdefault(id(p), len(numbers))
            packed["params"] = [numbers[id(p)] for p in group["params"]]
            groups.append(packed)
        state = {numbers[id(p)]: dict(values) for p, values in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over state and options from a :meth:`state_dict`; all or nothing.

        Raises:
            ValueError: groups, parameters or shapes that do not match this optimizer's; nothing
                has been changed then.
        """
        saved_groups = state_dict["param_groups"]
        if len(saved_groups) != len(self.param_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups: "
                f"{len(saved_groups)} for {len(self.param_groups)}"
            )
        numbered: dict[Any, Tensor] = {}
        for mine, theirs in zip(self.param_groups, saved_groups, strict=True):
            if len(mine["params"]) != len(theirs["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    f"optimizer's group: {len(theirs['params'])} parameters for "
                    f"{len(mine['params'])}"
                )
            numbered.update(zip(theirs["params"], mine["params"], strict=True))
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            if number not in numbered:
                raise ValueError(f"loaded state dict has state for an unknown parameter {number}")
            parameter = numbered[number]
            self._check_state_names(values)
            state[parameter] = {k: _loaded(k, v, parameter) for k, v in values.items()}
        groups = []
        for mine, theirs in zip(self.param_groups, saved_groups, strict=True):
            group = {**mine, **{k: deepcopy(v) for k, v in theirs.items() if k != "params"}}
            self._check_group(group)
            groups.append(group)
        self.state = state
        self.param_groups = groups
        self._plans = [None] * len(groups)

    def _check_state_names(self, values: dict[str, Any]) -> None:
        known = {*self._state_names, "step"}
        strange = [name for name in values if name not in known]
        if strange:
            raise ValueError(
                f"loaded state dict is of another optimizer: {type(self).__name__} keeps "
                f"{', '.join(sorted(known))}, not {', '.join(strange)}"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_plans"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._plans = [None] * len(self.param_groups)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for place, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {place}")
            lines += [
                f"    {k}: {group[k]}" for k in sorted(group) if k not in ("params", "param_names")
            ]
        return "\n".join([*lines, ")"])


def _loaded(name: str, value: Any, parameter: Tensor) -> Any:
    """Give one piece of loaded state as our own copy, in the parameter's dtype."""
    if value is None:
        return None
    array = np.array(value.detach().numpy() if hasattr(value, "detach") else value)
    if name == "step":
        return wrap(array.astype(np.float64).reshape(()))
    if array.shape != parameter._array.shape:
        raise ValueError(
            f"loaded state dict has {name} of shape {list(array.shape)} for a parameter of shape "
            f"{list(parameter._array.shape)}"
        )
    return wrap(array.astype(parameter._array.dtype))


class _GroupPlan:
    """The arrays of a group's step, gathered once: one kernel call per dtype."""

    def __init__(
        self,
        optimizer: Optimizer,
        group: dict[str, Any],
        active: list[Tensor],
        values: tuple[float, ...],
    ) -> None:
        self.active = tuple(active)
        self.states = [optimizer.state[p] for p in active]
        self.names = optimizer._state_names
        self.values = values
        self.hyper = np.array(values, np.float64)
        self.used = optimizer._used_states(group)
        self.used_names = tuple(n for n, u in zip(self.names, self.used, strict=True) if u)
        # Rules without a step count still tell the first step, which finds no state yet, apart.
        self.begun: list[float] = []
        for p, state in zip(active, self.states, strict=True):
            self.begun.append(0.0 if any(state.get(n) is None for n in self.used_names) else 1.0)
            for name in self.used_names:
                if state.get(name) is None:
                    state[name] = wrap(optimizer._initial_state(name, p._array, group))
            if optimizer._counts_steps and "step" not in state:
                state["step"] = wrap(np.zeros(()))
        self._bind(optimizer._counts_steps)

    def _bind(self, counts_steps: bool) -> None:
        self.calls: list[_Call] = []
        dtypes = [p._array.dtype for p in self.active]
        for dtype in dict.fromkeys(dtypes):
            places = [i for i, d in enumerate(dtypes) if d == dtype]
            steps = np.empty(len(places))
            for j, i in enumerate(places):
                if counts_steps:
                    steps[j] = self.states[i]["step"].item()
                    # The state's step is the place the kernel counts in.
                    self.states[i]["step"] = wrap(steps[j : j + 1].reshape(()))
                else:
                    steps[j] = self.begun[i]
            self.calls.append(_Call(self, places, steps))
        self.held = self._held()

    def _held(self) -> list[Any]:
        names = self.used_names
        return [state[name] for state in self.states for name in names]

    def fits(
        self,
        active: list[Tensor],
        values: tuple[float, ...],
        optimizer: Optimizer,
        group: dict[str, Any],
    ) -> bool:
        """Whether the arrays gathered are still those of these parameters and their state."""
        if len(active) != len(self.active) or not all(map(is_, active, self.active)):
            return False
        if values != self.values:
            optimizer._check_group(group)
            if optimizer._used_states(group) != self.used:
                return False
            self.values = values
            self.hyper[:] = values
        return all(map(is_, self._held(), self.held))

    def run(self, rule: str, gradients: list[Any]) -> None:
        if len(self.calls) == 1:
            self.calls[0].run(rule, self, gradients)
            return
        for call in self.calls:
            call.run(rule, self, [gradients[i] for i in call.places])


class _Call:
    """One kernel call: the parameters of one dtype."""

    def __init__(self, plan: _GroupPlan, places: list[int], steps: Any) -> None:
        self.places = places
        self.parameters_of = [plan.active[i] for i in places]
        self.steps = steps
        used = set(plan.used_names)
        self.parameters = kernels.ArrayTable([p._array for p in self.parameters_of])
        self.gradients = kernels.ArrayTable([None] * len(places))
        self.states = kernels.ArrayTable(
            [
                plan.states[i][name]._array if name in used else None
                for i in places
                for name in plan.names
            ]
        )

    def run(self, rule: str, plan: _GroupPlan, gradients: list[Any]) -> None:
        self.parameters.update([p._array for p in self.parameters_of])
        self.gradients.update(gradients)
        kernels.step(rule, self.parameters, self.gradients, self.states, self.steps, plan.hyper)


def require(name: str, value: Any, legal: str, condition: bool) -> None:
    """Raise the ValueError that names an option, what was given and what is legal."""
    if not condition:
        raise ValueError(_INVALID.format(name=name, value=value, legal=legal))


def check_rate(group: dict[str, Any]) -> None:
    """Check the options nearly every rule has."""
    require("learning rate", group["lr"], "lr >= 0", float(group["lr"]) >= 0.0)
    require(
        "weight_decay value",
        group["weight_decay"],
        "weight_decay >= 0",
        group["weight_decay"] >= 0.0,
    )
    if group.get("differentiable"):
        raise ValueError(
            "differentiable=True: steps run in fused kernels that are not recorded; legal: False"
        )
