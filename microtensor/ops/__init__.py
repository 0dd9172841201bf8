"""What can be computed and differentiated: each op declared once.

Importing this package declares all ops and attaches their methods to Tensor.
"""

from microtensor.ops import (
    activations,
    algebra,
    arithmetic,
    creation,
    exchange,
    indexing,
    inplace,
    joining,
    linear,
    losses,
    numpy_protocol,
    operators,
    reductions,
    shape,
)
from microtensor.ops.declare import Op, methods, published, registry, signatures
from microtensor.tensor import Tensor

for _name, _function in methods.items():
    setattr(Tensor, _name, _function)
for _name, _function in numpy_protocol.PROTOCOL.items():
    setattr(Tensor, _name, _function)
for _name, _property in operators.PROPERTIES.items():
    setattr(Tensor, _name, _property)

__all__ = [
    "Op",
    "activations",
    "algebra",
    "arithmetic",
    "creation",
    "exchange",
    "indexing",
    "inplace",
    "joining",
    "linear",
    "losses",
    "methods",
    "numpy_protocol",
    "operators",
    "published",
    "reductions",
    "registry",
    "shape",
    "signatures",
]
