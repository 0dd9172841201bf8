"""Linear algebra: the functions of ``torch.linalg`` over real matrices and batches of them.

Editors and type checkers read linalg.pyi, which is generated from the declarations.
"""

from functools import partial

from microtensor.lazy import late, listed
from microtensor.ops import find_function
from microtensor.ops.matrices import LinAlgError

__all__ = ["LinAlgError", *sorted(listed("linalg"))]
__getattr__, __dir__ = late(globals(), partial(find_function, "linalg"))
