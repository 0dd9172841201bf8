"""What can be computed and differentiated: each op declared once.

Importing this package declares all ops and attaches their methods to Tensor.
"""

from microtensor.ops import (
    activations,
    algebra,
    arithmetic,
    creation,
    expanding,
    grids,
    indexing,
    inplace,
    joining,
    linear,
    losses,
    operators,
    random_creation,
    random_fills,
    ranges,
    rearranging,
    reductions,
    reshaping,
    shape,
    splitting,
    triangles,
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
    "creation",
    "expanding",
    "grids",
    "indexing",
    "inplace",
    "joining",
    "linear",
    "losses",
    "methods",
    "operators",
    "properties",
    "published",
    "random_creation",
    "random_fills",
    "ranges",
    "rearranging",
    "reductions",
    "registry",
    "reshaping",
    "shape",
    "signatures",
    "splitting",
    "triangles",
    "views",
]
