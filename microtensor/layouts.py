"""How elements lie in memory: names that PyTorch's programs pass, for the one way there is."""

from __future__ import annotations

from typing import Any


class layout:
    """How a tensor is stored; ``strided`` is the only one."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"microtensor.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class memory_format(layout):
    """In which order the elements lie: row-major, or as in the tensor something is made like."""

    __slots__ = ()


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")


def check_device(op: str, device: Any) -> None:
    """Refuse every device but the CPU.

    Raises:
        RuntimeError: another device.
    """
    # Another library's device prints as the string that names it.
    if device is not None and str(device).partition(":")[0] != "cpu":
        raise RuntimeError(f"{op}(): there is no device '{device}'; microtensor runs on 'cpu'")


def check_placement(op: str, device: Any, layout: Any, pin_memory: bool) -> None:
    """Refuse what would put a tensor anywhere but into the CPU's ordinary memory.

    Raises:
        RuntimeError: another device, a sparse layout, pinned memory.
    """
    check_device(op, device)
    if layout is not None and layout is not strided:
        raise RuntimeError(f"{op}(): layout must be microtensor.strided, got {layout!r}")
    if pin_memory:
        raise RuntimeError(f"{op}(): pin_memory must be False: there is no device to copy to")


def check_memory_format(op: str, memory_format: Any) -> None:
    """Refuse memory formats other than the ordinary ones.

    Raises:
        RuntimeError: another memory format.
    """
    if memory_format is None or memory_format in (contiguous_format, preserve_format):
        return
    raise RuntimeError(
        f"{op}(): memory_format must be microtensor.contiguous_format or "
        f"microtensor.preserve_format, got {memory_format!r}"
    )
