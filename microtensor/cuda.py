"""What programs ask before they use a GPU: there is none.

Example:
    >>> import microtensor as mt
    >>> mt.cuda.is_available(), mt.cuda.device_count()
    (False, 0)
"""

__all__ = ["device_count", "is_available"]


def is_available() -> bool:
    """Say whether there is a GPU: never."""
    return False


def device_count() -> int:
    """Give the number of GPUs: none."""
    return 0
