"""The functional forms of layers, activations and losses.

Editors and type checkers read functional.pyi, which is generated from the declarations.
"""

from microtensor.ops import published as _published

globals().update(_published["nn.functional"])
__all__ = sorted(_published["nn.functional"])
