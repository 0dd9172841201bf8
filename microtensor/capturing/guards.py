"""What a plan takes for granted, and whether it still holds."""

from __future__ import annotations

from microtensor import dtypes
from microtensor.capturing.memory import Array
from microtensor.capturing.record import ANY, Recorder
from microtensor.capturing.state import module_state
from microtensor.engine import epoch
from microtensor.tensor import Tensor


class Guards:
    """The state of modules, tensors and gradients that a record was made in.

    Attributes:
        modules: those the function called, each with what it was.
        needed: tensors whose ``.grad`` the function went on from, each with what that was.
        left: tensors whose ``.grad`` it changed, each with what it left there.
        epoch: at which count all the rest was last found as it was.

    Raises:
        RuntimeError: a module that was given new tensors by the function itself.
    """

    def __init__(self, recorder: Recorder, inputs: list[Tensor], external: list[Array]) -> None:
        for module, before in recorder.modules.values():
            if module_state(module) != before:
                raise RuntimeError(
                    "capture: the function changes the mode, or assigns new tensors to "
                    f"attributes, of a {type(module).__name__}, where a replay would not find "
                    "them; write into the old ones: tensor.copy_(...)"
                )
        self.modules = list(recorder.modules.values())
        own = {id(tensor) for tensor in inputs}
        leaves = [(t, g) for t, g in recorder.leaves.values() if id(t) not in own]
        self.needed = [(t, g) for t, g in leaves if g is not ANY]
        self.left = [(t, t._grad) for t, _ in leaves]
        self._tensors = [(t, t._array, t._node is None) for t, _ in leaves]
        self._default = dtypes.get_default_dtype()
        leaf_arrays = {id(t._array) for t, _ in leaves}
        self._external = {id(array) for array in external}
        self._others = self._external - leaf_arrays
        self._since = self.epoch = epoch.count
        epoch.watch(self._external)

    def hold(self) -> bool:
        """Say whether everything is as it was, but for the gradients."""
        if epoch.count != self.epoch:
            if not self._unchanged():
                return False
            self.epoch = epoch.count
        return dtypes.get_default_dtype() is self._default

    def _unchanged(self) -> bool:
        changed = epoch.changed
        return (
            all(module_state(module) == state for module, state in self.modules)
            and all(t._array is a and (t._node is None) is free for t, a, free in self._tensors)
            and not any(changed.get(key, 0) > self._since for key in self._others)
        )

    def gradients_hold(self) -> bool:
        """Say whether the gradients it goes on from are there."""
        return all(tensor._grad is gradient for tensor, gradient in self.needed)

    def __del__(self) -> None:
        if hasattr(self, "_external"):
            epoch.forget(self._external)
