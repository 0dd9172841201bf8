"""Apple's GPU, which is not used."""


def is_available() -> bool:
    """Say whether it can be used: never."""
    return False


def is_built() -> bool:
    """Say whether this was built for it: no."""
    return False
