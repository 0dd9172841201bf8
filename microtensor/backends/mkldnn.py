"""oneDNN, which is not used."""


def is_available() -> bool:
    """Say whether it can be used: never."""
    return False
