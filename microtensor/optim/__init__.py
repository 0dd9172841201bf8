"""Optimizers: each one file, each step one kernel call for all parameters of a group."""

from microtensor.optim.adadelta import Adadelta
from microtensor.optim.adagrad import Adagrad
from microtensor.optim.adam import Adam
from microtensor.optim.adamw import AdamW
from microtensor.optim.optimizer import Optimizer
from microtensor.optim.rmsprop import RMSprop
from microtensor.optim.sgd import SGD

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]
