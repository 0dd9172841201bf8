"""What can be computed and differentiated: each op declared once.

Importing this package declares all ops and attaches their methods to Tensor.
"""

from microtensor.ops import (
    activations,
    algebra,
    arithmetic,
    assignment,
    creation,
    filling,
    gathering,
    indexing,
    inplace,
    joining,
    linear,
    losses,
    masking,
    operators,
    reductions,
    scattering,
    shape,
    slicing,
    writing,
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
    "assignment",
    "creation",
    "filling",
    "gathering",
    "indexing",
    "inplace",
    "joining",
    "linear",
    "losses",
    "masking",
    "methods",
    "operators",
    "published",
    "reductions",
    "registry",
    "scattering",
    "shape",
    "signatures",
    "slicing",
    "writing",
]
