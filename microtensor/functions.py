"""The functions of the declared ops, as users reach them: ``microtensor.exp`` and so on.

Editors and type checkers read functions.pyi, which is generated from the declarations.
"""

from functools import partial

from microtensor.lazy import late, listed
from microtensor.ops import find_function

__all__ = sorted(listed("mt"))
__getattr__, __dir__ = late(globals(), partial(find_function, "mt"))
