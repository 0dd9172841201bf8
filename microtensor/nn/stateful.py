"""What a module says of its state, and the hooks around saving and restoring it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from microtensor.engine import RemovableHandle
from microtensor.nn import state


class Stateful:
    """The part of :class:`Module` that saves and restores parameters and buffers."""

    # Made when the first hook is registered: most modules have none.
    _state_hooks: state.StateHooks | None = None
    # What a class notes in state dicts of how it writes them.
    _version: int | None = None

    def state_dict(
        self,
        *,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Return all parameters and persistent buffers by their full names.

        The tensors share memory with the module's: clone what is to stay as it is.

        Args:
            destination: a dictionary to fill and return, instead of a new one.
            prefix: put before every name.
            keep_vars: whether to return the tensors themselves rather than detached ones.

        Example:
            >>> from microtensor import nn
            >>> list(nn.Sequential(nn.Linear(2, 3), nn.ReLU()).state_dict())
            ['0.weight', '0.bias']
        """
        return state.collect(self, destination, prefix, keep_vars)  # type: ignore[arg-type]

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Copy the values of `state_dict` into the parameters and buffers, all or none.

        Args:
            state_dict: tensors by full name, as :meth:`state_dict` returns them.
            strict: whether missing and unexpected keys are errors.
            assign: take the tensors themselves, with their dtype, instead of copying values.

        Returns:
            A named tuple of the lists ``missing_keys`` and ``unexpected_keys``.

        Raises:
            TypeError: `state_dict` is not a mapping.
            RuntimeError: keys are missing or unexpected, shapes differ, or a value is not a
                tensor; the message lists all such keys, and the module is left as it was.
        """
        return state.restore(self, state_dict, strict, assign)  # type: ignore[arg-type]

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        """Add what is the module's own, without the modules in it; subclasses may extend this."""
        state.collect_own(self, destination, prefix, keep_vars)  # type: ignore[arg-type]

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Mapping[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Take what is the module's own; subclasses may extend this, say to rename old keys.

        Values are looked at now and copied when the whole of the state dict has been: so hand
        `error_msgs` on to ``super()._load_from_state_dict`` as it is.
        """
        state.restore_own(
            self,  # type: ignore[arg-type]
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )

    # ---- what else belongs to the state -------------------------------------------------------

    def get_extra_state(self) -> Any:
        """Return what else a state dict is to hold; a subclass that has something defines it.

        It is saved under ``_extra_state``, and given back to :meth:`set_extra_state`.

        Raises:
            RuntimeError: the subclass does not define it.
        """
        raise RuntimeError(
            f"{type(self).__name__} has no extra state: define get_extra_state and set_extra_state"
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what :meth:`get_extra_state` returned.

        Raises:
            RuntimeError: the subclass does not define it.
        """
        raise RuntimeError(
            f"{type(self).__name__} was given extra state and does not define set_extra_state"
        )

    # ---- hooks --------------------------------------------------------------------------------

    def _hooks_of_state(self) -> state.StateHooks:
        made = self.__dict__.get("_state_hooks")
        if made is None:
            made = self.__dict__["_state_hooks"] = state.StateHooks()
        return made

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before the module's state is collected."""
        return state.register(self._hooks_of_state().before_saving, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after it was collected.

        The hook may change the state dict, in place.
        """
        return state.register(self._hooks_of_state().after_saving, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call a hook before the module's state is read, when it may still be put right.

        It is called as ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)``; the state dict is a copy that it may change.
        """
        return state.register(self._hooks_of_state().before_loading, hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after the module's state was read.

        The hook may change the lists of missing and unexpected keys; those it clears are no errors.
        """
        return state.register(self._hooks_of_state().after_loading, hook)
