"""The functions of the declared ops, as users reach them: ``microtensor.exp`` and so on.

Editors and type checkers read functions.pyi, which is generated from the declarations.
"""

from microtensor.ops import published as _published

globals().update(_published["mt"])
__all__ = sorted(_published["mt"])
