"""Modules to build networks of, under PyTorch's names."""

from microtensor.nn import activations, functional, init, learned_activations, utils
from microtensor.nn.activations import *  # noqa: F403  # all that records make
from microtensor.nn.containers import ModuleDict, ModuleList, Sequential
from microtensor.nn.dropout import Dropout
from microtensor.nn.flatten import Flatten
from microtensor.nn.learned_activations import *  # noqa: F403
from microtensor.nn.linear import Identity, Linear
from microtensor.nn.losses import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss, NLLLoss
from microtensor.nn.module import Module
from microtensor.nn.parameter import Parameter

__all__ = [
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Identity",
    "Linear",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "Sequential",
    "functional",
    "init",
    "utils",
]
__all__ += activations.__all__
__all__ += learned_activations.__all__
