"""Switches of cuDNN, which there is not: they may be set, and change nothing."""

allow_tf32 = True
benchmark = False
benchmark_limit = 10
deterministic = False
enabled = True


def is_available() -> bool:
    """Say whether cuDNN can be used: never."""
    return False


def version() -> None:
    """Give the version of cuDNN: there is none."""
