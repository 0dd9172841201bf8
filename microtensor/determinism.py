"""What PyTorch asks for in exchange for speed: it is so already, or there is nothing to choose."""

from __future__ import annotations

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_float32_matmul_precision",
    "is_deterministic_algorithms_warn_only_enabled",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "use_deterministic_algorithms",
]

_chosen = {"deterministic": False, "warn_only": False, "precision": "highest"}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Note whether results must repeat, which they do in any case.

    Args:
        mode: what is noted.
        warn_only: whether PyTorch would warn rather than raise; noted too.

    Example:
        >>> import microtensor as mt
        >>> mt.use_deterministic_algorithms(True)
        >>> mt.are_deterministic_algorithms_enabled()
        True
        >>> mt.use_deterministic_algorithms(False)
    """
    _chosen["deterministic"], _chosen["warn_only"] = bool(mode), bool(mode and warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """Say what :func:`use_deterministic_algorithms` noted."""
    return bool(_chosen["deterministic"])


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Say whether it noted that warnings will do."""
    return bool(_chosen["warn_only"])


def set_float32_matmul_precision(precision: str) -> None:
    """Note how exact float32 products must be; they are always computed in float32.

    Args:
        precision: "highest", "high" or "medium".

    Raises:
        ValueError: another word.
    """
    if precision not in ("highest", "high", "medium"):
        raise ValueError(
            f"set_float32_matmul_precision: {precision!r} is none of 'highest', 'high', 'medium'"
        )
    _chosen["precision"] = precision


def get_float32_matmul_precision() -> str:
    """Give what :func:`set_float32_matmul_precision` noted."""
    return str(_chosen["precision"])


def set_flush_denormal(mode: bool) -> bool:
    """Refuse, by returning False, to treat the smallest numbers as zero: they are kept exact."""
    return not mode
