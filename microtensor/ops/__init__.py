"""What can be computed and differentiated: each op declared once.

Importing this package declares all ops and attaches their methods to Tensor.
"""

from microtensor.ops import (
    activations,
    algebra,
    arithmetic,
    contraction,
    creation,
    decompositions,
    determinants,
    einsum,
    indexing,
    inplace,
    joining,
    least_squares,
    linear,
    losses,
    matrices,
    matrix_functions,
    norms,
    operators,
    product_sums,
    products,
    reductions,
    shape,
    solving,
    symmetric,
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
    "contraction",
    "creation",
    "decompositions",
    "determinants",
    "einsum",
    "indexing",
    "inplace",
    "joining",
    "least_squares",
    "linear",
    "losses",
    "matrices",
    "matrix_functions",
    "methods",
    "norms",
    "operators",
    "product_sums",
    "products",
    "published",
    "reductions",
    "registry",
    "shape",
    "signatures",
    "solving",
    "symmetric",
]
