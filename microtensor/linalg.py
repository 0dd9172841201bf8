"""Linear algebra: the functions of ``torch.linalg`` over real matrices and batches of them.

Editors and type checkers read linalg.pyi, which is generated from the declarations.
"""

from microtensor.ops import published as _published
from microtensor.ops.matrices import LinAlgError

globals().update(_published["linalg"])
__all__ = ["LinAlgError", *sorted(_published["linalg"])]
