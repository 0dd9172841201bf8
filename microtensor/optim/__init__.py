"""Optimizers: each one file, each step one kernel call for all parameters of a group."""

from typing import TYPE_CHECKING

from microtensor.lazy import late

if TYPE_CHECKING:
    from microtensor.optim import inspect, lr_scheduler, swa_utils
    from microtensor.optim.adabelief import AdaBelief
    from microtensor.optim.adadelta import Adadelta
    from microtensor.optim.adafactor import Adafactor
    from microtensor.optim.adagrad import Adagrad
    from microtensor.optim.adam import Adam
    from microtensor.optim.adamax import Adamax
    from microtensor.optim.adamw import AdamW
    from microtensor.optim.asgd import ASGD
    from microtensor.optim.lamb import LAMB
    from microtensor.optim.lars import LARS
    from microtensor.optim.lbfgs import LBFGS
    from microtensor.optim.lion import Lion
    from microtensor.optim.lookahead import Lookahead
    from microtensor.optim.muon import Muon
    from microtensor.optim.nadam import NAdam
    from microtensor.optim.optimizer import Optimizer
    from microtensor.optim.prodigy import Prodigy
    from microtensor.optim.radam import RAdam
    from microtensor.optim.rmsprop import RMSprop
    from microtensor.optim.rprop import Rprop
    from microtensor.optim.schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
    from microtensor.optim.sgd import SGD
    from microtensor.optim.sparse_adam import SparseAdam
    from microtensor.optim.yogi import Yogi

__all__ = [
    "ASGD",
    "LAMB",
    "LARS",
    "LBFGS",
    "SGD",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Lookahead",
    "Muon",
    "NAdam",
    "Optimizer",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SparseAdam",
    "Yogi",
    "inspect",
    "lr_scheduler",
    "swa_utils",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = late(globals())
