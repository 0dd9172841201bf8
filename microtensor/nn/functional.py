"""The functional forms of layers, activations and losses.

Editors and type checkers read functional.pyi, which is generated from the declarations.
"""

from functools import partial

from microtensor.lazy import late, listed
from microtensor.ops import find_function

__all__ = sorted(listed("nn.functional"))
__getattr__, __dir__ = late(globals(), partial(find_function, "nn.functional"))
