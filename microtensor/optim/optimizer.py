"""What all optimizers share: groups, state, and one kernel call per step and group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np

from microtensor.engine import enable_grad
from microtensor.optim.group_plan import GroupPlan
from microtensor.optim.options import check_saved_options
from microtensor.optim.sparse_rows import touched_rows
from microtensor.optim.step_hooks import StepHooks
from microtensor.tensor import Tensor, wrap

_UNORDERED = "optimizer parameters need to be organized in ordered collections, not in sets"


class Optimizer(StepHooks):
    """Base of the optimizers.

    A subclass names its rule in the kernel table and its state arrays, and says which numbers of a
    group the kernel reads; the step itself is one call for all parameters of a group.

    Args:
        params: tensors, (name, tensor) pairs, or dicts with "params" and options of their own.
        defaults: the options of groups that do not give their own.

    Attributes:
        param_groups: dicts of "params" and options; change an option and the next step uses it.
        state: per parameter the tensors an optimizer remembers; replace one and the next step uses
            it.
    """

    _rule: ClassVar[str]
    _formula: ClassVar[str] = ""  # the rule in one line, for the reference page
    _state_names: ClassVar[tuple[str, ...]] = ()
    _number_names: ClassVar[tuple[str, ...]] = ("step",)
    _counts_steps: ClassVar[bool] = True  # whether the state shows the numbers
    _memory: ClassVar[tuple[str, ...]] = ()  # options that the step itself advances, last in _hyper
    _by_rows: ClassVar[bool] = False  # whether it asks gradients for their `rows`

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                "but got a Tensor: put it into a list"
            )
        if isinstance(params, set):
            raise TypeError(_UNORDERED)
        if not isinstance(params, Iterable):
            raise TypeError(
                f"params must be an iterable of Tensors or dicts, not {type(params).__name__}"
            )
        self.defaults = defaults
        self._state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self._state_seen = False
        self._opt_called = False  # schedules warn if they are stepped first
        self.param_groups: list[dict[str, Any]] = []
        self._plans: list[GroupPlan | None] = []
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

    def _state_shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The shape of a state of a parameter of some shape; None if it has no such state."""
        return shape

    def _initial_state(self, name: str, parameter: Any, group: dict[str, Any]) -> Any:
        """The array a parameter's state starts from."""
        return np.zeros(self._state_shape(name, parameter.shape) or (), parameter.dtype)

    def _initial_number(self, name: str, group: dict[str, Any]) -> float:
        """The plain number a parameter's state starts from."""
        return 0.0

    def _room(self, parameters: list[Tensor]) -> tuple[Any, ...]:
        """Arrays after the states that need not be kept, shared by all parameters."""
        return ()

    # ---- state ----------------------------------------------------------------------------------

    @property
    def state(self) -> defaultdict[Tensor, dict[str, Any]]:
        """Per parameter the tensors an optimizer remembers."""
        # Whoever has it can replace what is in it at any time. Only from now on do steps look.
        self._state_seen = True
        return self._state

    @state.setter
    def state(self, value: defaultdict[Tensor, dict[str, Any]]) -> None:
        self._state_seen = True
        self._state = value

    def _begin(self, p: Tensor, names: Iterable[str], group: dict[str, Any]) -> bool:
        """Make what is missing of a parameter's state; say whether nothing was."""
        complete = True
        if self._counts_steps:
            own = self._state[p]
            for name in self._number_names:
                if name not in own:
                    own[name] = wrap(np.array(self._initial_number(name, group), np.float64))
        for name in names:
            shape = self._state_shape(name, p._array.shape)
            if shape is None:
                continue
            own = self._state[p]
            value = own.get(name)
            if value is None:
                own[name] = wrap(self._initial_state(name, p._array, group))
                complete = False
            elif not isinstance(value, Tensor) or value._array.shape != shape:
                raise ValueError(
                    f"the state {name!r} of a parameter of shape {list(p._array.shape)} must be a "
                    f"Tensor of shape {list(shape)}, not {type(value).__name__} "
                    f"{list(getattr(value, 'shape', ()))}"
                )
        return complete

    # ---- groups ---------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters with options of its own.

        Args:
            param_group: "params", which may be none, and any options; the others take the
                optimizer's defaults.

        Raises:
            TypeError: something in it is no tensor, or a set (which has no order).
            ValueError: an option outside its range, a tensor that is no leaf or not floating
                point, one that appears twice or in another group.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        group = dict(param_group)
        params = group.get("params")
        if isinstance(params, Tensor):
            params = [params]
        if isinstance(params, set):
            raise TypeError(_UNORDERED)
        if not isinstance(params, Iterable):
            raise TypeError("param_group must have 'params', an iterable of Tensors")
        group["params"] = params = list(params)
        named = [isinstance(p, tuple) and len(p) == 2 for p in params]
        if named and all(named):
            group["param_names"] = [name for name, _ in params]
            group["params"] = [p for _, p in params]
        elif any(named):
            raise ValueError("all optimizer params should be with/without names: some are pairs")
        for place, p in enumerate(group["params"]):
            self._check_parameter(place, p)
        if len({id(p) for p in group["params"]}) != len(group["params"]):
            raise ValueError("optimizer contains a parameter group with duplicate parameters")
        known = {id(p) for each in self.param_groups for p in each["params"]}
        if any(id(p) in known for p in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        for name, default in self.defaults.items():
            group.setdefault(name, default)
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
        array = p._array
        if array.size and any(
            s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True)
        ):
            raise ValueError(
                f"can't optimize an expanded Tensor (number {place}), some of whose elements share "
                "one memory location: clone() it first"
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
                    if p._grad._array.flags.writeable:
                        p._grad.zero_()
                    else:  # an expanded one, of a walk with create_graph
                        p._grad = wrap(np.zeros(p._array.shape, p._array.dtype))

    # ---- the step -------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient; the others and their state stay untouched.

        Args:
            closure: recomputes and returns the loss (it clears gradients and calls backward).

        Returns:
            What the closure returned, else None.
        """
        loss = None
        self._opt_called = True
        if closure is not None:
            with enable_grad():
                loss = closure()
        if len(self._plans) != len(self.param_groups):
            self._plans = [None] * len(self.param_groups)
        ready = []  # every group is checked before any is touched
        for place, group in enumerate(self.param_groups):
            active = group["params"]
            if not active:
                continue
            try:
                gradients = [p._grad._array for p in active]
            except AttributeError:  # some have no gradient
                active = [p for p in active if p._grad is not None]
                if not active:
                    continue
                gradients = [p._grad._array for p in active]
            values = self._hyper(group)
            plan = self._plans[place]
            if plan is None or not plan.fits(active, values, self, group):
                self._check_group(group)
                plan = self._plans[place] = GroupPlan(self, group, active, values)
            touched = [touched_rows(p) for p in active] if self._by_rows else None
            ready.append((plan, active, gradients, group, touched))
        for plan, active, gradients, group, touched in ready:
            for p in active:
                p._cell[0] += 1
            plan.run(self._rule, gradients, group, touched)
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
        state = {numbers[id(p)]: dict(values) for p, values in self._state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over state and options from a :meth:`state_dict`; all or nothing.

        Raises:
            ValueError: groups, parameters or shapes that do not match this optimizer's; nothing
                has been changed then.
        """
        if not {"state", "param_groups"} <= set(state_dict):
            raise ValueError(
                "state_dict must have 'state' and 'param_groups', as an optimizer's state_dict() "
                f"does; got {', '.join(map(repr, state_dict)) or 'nothing'}"
            )
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
            state[parameter] = {k: self._loaded(k, v, parameter) for k, v in values.items()}
        groups = []
        for mine, theirs in zip(self.param_groups, saved_groups, strict=True):
            check_saved_options(type(self), Optimizer, self.defaults, mine, theirs)
            group = {**mine, **{k: deepcopy(v) for k, v in theirs.items() if k != "params"}}
            self._check_group(group)
            groups.append(group)
        self._state = state
        self.param_groups = groups
        self._plans = [None] * len(groups)

    def _check_state_names(self, values: dict[str, Any]) -> None:
        known = {*self._state_names, *self._number_names}
        strange = [name for name in values if name not in known]
        if strange:
            raise ValueError(
                f"loaded state dict is of another optimizer: {type(self).__name__} keeps "
                f"{', '.join(sorted(known))}, not {', '.join(strange)}"
            )
        missing = [name for name in self._required_names() if name not in values]
        if values and missing:
            raise ValueError(
                f"loaded state dict is of another optimizer: {type(self).__name__} keeps "
                f"{', '.join(missing)} too, which it has not"
            )

    def _required_names(self) -> tuple[str, ...]:
        """What the state of a parameter that has been stepped cannot be without."""
        numbers = self._number_names if self._counts_steps else ()
        kind = type(self)
        always = (
            kind._used_states is Optimizer._used_states
            and kind._state_shape is Optimizer._state_shape
        )
        return (*numbers, *(self._state_names if always else ()))

    def _loaded(self, name: str, value: Any, parameter: Tensor) -> Any:
        """Give one piece of loaded state as our own copy, in the parameter's dtype."""
        if value is None:
            return None
        # In C order, whatever the saved one's: only that do the kernels take.
        array = np.array(value.detach().numpy() if hasattr(value, "detach") else value, order="C")
        if name in self._number_names:
            return wrap(array.astype(np.float64).reshape(()))
        shape = parameter._array.shape
        if array.shape != self._state_shape(name, shape):
            raise ValueError(
                f"loaded state dict has {name} of shape {list(array.shape)} for a parameter of "
                f"shape {list(shape)}"
            )
        return wrap(array.astype(parameter._array.dtype))

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k != "_plans"}

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
