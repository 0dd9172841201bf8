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
    expanding,
    extremes,
    grids,
    indexing,
    inplace,
    joining,
    linear,
    losses,
    operators,
    powers,
    random_creation,
    random_fills,
    ranges,
    rearranging,
    reductions,
    reshaping,
    rounding,
    shape,
    special,
    splitting,
    triangles,
    trigonometry,
    views,
)
from microtensor.ops.declare import Op, methods, properties, published, registry, signatures
from microtensor.tensor import Tensor

for _name, _function in methods.items():
    setattr(Tensor, _name, _function)
for _name, _property in properties.items():
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
    "expanding",
    "extremes",
    "grids",
    "indexing",
    "inplace",
    "joining",
    "linear",
    "losses",
    "methods",
    "operators",
    "powers",
    "properties",
    "published",
    "random_creation",
    "random_fills",
    "ranges",
    "rearranging",
    "reductions",
    "registry",
    "reshaping",
    "rounding",
    "shape",
    "signatures",
    "special",
    "splitting",
    "triangles",
    "trigonometry",
    "views",
]
