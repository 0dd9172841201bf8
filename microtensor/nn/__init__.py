"""Modules to build networks of, under PyTorch's names."""

from microtensor.nn import activations, functional, init, learned_activations, utils
from microtensor.nn.activations import *  # noqa: F403  # all that records make
from microtensor.nn.containers import (
    ModuleDict,
    ModuleList,
    Sequential,
)
from microtensor.nn.dropout import (
    Dropout,
)
from microtensor.nn.flatten import (
    Flatten,
)
from microtensor.nn.learned_activations import *  # noqa: F403
from microtensor.nn.linear import (
    Bilinear,
    Identity,
    Linear,
)
from microtensor.nn.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    MSELoss,
    NLLLoss,
)
from microtensor.nn.module import (
    Module,
)
from microtensor.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    GroupNorm,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
)
from microtensor.nn.parameter import (
    Parameter,
)
from microtensor.nn.sparse import (
    Embedding,
    EmbeddingBag,
)

__all__ = [
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Bilinear",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "EmbeddingBag",
    "Flatten",
    "GroupNorm",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LayerNorm",
    "Linear",
    "LocalResponseNorm",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "RMSNorm",
    "Sequential",
    "functional",
    "init",
    "utils",
]
__all__ += activations.__all__
__all__ += learned_activations.__all__
