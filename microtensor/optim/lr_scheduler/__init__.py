"""Schedules of the learning rate: what it is to be after each step or epoch."""

from microtensor.optim.lr_scheduler.composed import ChainedScheduler, SequentialLR
from microtensor.optim.lr_scheduler.cosine import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    WarmupCosineLR,
)
from microtensor.optim.lr_scheduler.cycles import CyclicLR, OneCycleLR
from microtensor.optim.lr_scheduler.decays import (
    ConstantLR,
    ExponentialLR,
    InverseSquareRootLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from microtensor.optim.lr_scheduler.functions import LambdaLR, MultiplicativeLR
from microtensor.optim.lr_scheduler.plateau import ReduceLROnPlateau
from microtensor.optim.lr_scheduler.scheduler import LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "InverseSquareRootLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "WarmupCosineLR",
]
