"""What programs ask before they use a GPU: there is none.

Example:
    >>> import microtensor as mt
    >>> mt.cuda.is_available(), mt.cuda.device_count()
    (False, 0)
"""

from typing import Any

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "is_bf16_supported",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "memory_allocated",
    "reset_peak_memory_stats",
    "set_device",
    "synchronize",
]


def is_available() -> bool:
    """Say whether there is a GPU: never."""
    return False


def device_count() -> int:
    """Give the number of GPUs: none."""
    return 0


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Say whether a GPU computes in bfloat16: there is none."""
    return False


def manual_seed(seed: int) -> None:
    """Do nothing: there is no GPU's generator."""


def manual_seed_all(seed: int) -> None:
    """Do nothing: there is no GPU's generator."""


def empty_cache() -> None:
    """Do nothing: there is no GPU's memory."""


def synchronize(device: Any = None) -> None:
    """Raise: there is nothing to wait for."""
    raise _nothing("synchronize")


def current_device() -> int:
    """Raise: there is no GPU."""
    raise _nothing("current_device")


def set_device(device: Any) -> None:
    """Raise: there is no GPU."""
    raise _nothing("set_device")


def get_device_name(device: Any = None) -> str:
    """Raise: there is no GPU."""
    raise _nothing("get_device_name")


def memory_allocated(device: Any = None) -> int:
    """Give how much of a GPU's memory is in use: 0 bytes."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """Give how much of a GPU's memory has been in use: 0 bytes."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Do nothing: there is no GPU's memory."""


def _nothing(name: str) -> RuntimeError:
    return RuntimeError(
        f"cuda.{name}(): there is no GPU: microtensor runs on 'cpu'; ask cuda.is_available() first"
    )
