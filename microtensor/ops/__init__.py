"""What can be computed and differentiated: each op declared once.

Importing this package declares all ops and attaches their methods to Tensor.
"""

from microtensor.ops import (
    activations,
    algebra,
    arithmetic,
    bits,
    choosing,
    combining,
    comparison,
    conversions,
    creation,
    extremes,
    indexing,
    inplace,
    joining,
    linear,
    losses,
    operators,
    powers,
    reductions,
    rounding,
    shape,
    special,
    trigonometry,
)
from microtensor.ops.declare import Op, methods, published, registry, signatures
from microtensor.tensor import Tensor

for _name, _function in methods.items():
    setattr(Tensor, _name, _function)
for _name, _property in operators.PROPERTIES.items():
    setattr(Tensor, _name, _property)

__all__ = [
    "Op",
    "activations",
    "algebra",
    "arithmetic",
    "bits",
    "choosing",
    "combining",
    "comparison",
    "conversions",
    "creation",
    "extremes",
    "indexing",
    "inplace",
    "joining",
    "linear",
    "losses",
    "methods",
    "operators",
    "powers",
    "published",
    "reductions",
    "registry",
    "rounding",
    "shape",
    "signatures",
    "special",
    "trigonometry",
]
