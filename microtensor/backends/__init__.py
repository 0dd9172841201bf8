"""Switches of PyTorch's backends, for programs that set them: none of them changes anything here.

Example:
    >>> import microtensor as mt
    >>> mt.backends.cudnn.benchmark = True
    >>> mt.backends.mps.is_available()
    False
"""

from microtensor.backends import cuda, cudnn, mkldnn, mps

__all__ = ["cuda", "cudnn", "mkldnn", "mps"]
