"""Differentiation, as users call it."""

from typing import TYPE_CHECKING

from microtensor.lazy import late

if TYPE_CHECKING:
    from microtensor.autograd import functional, graph
    from microtensor.autograd.anomaly import (
        detect_anomaly,
        is_anomaly_check_nan_enabled,
        is_anomaly_enabled,
        set_detect_anomaly,
    )
    from microtensor.autograd.drawing import graph_of
    from microtensor.autograd.function import Function
    from microtensor.autograd.gradient_check import GradcheckError, gradcheck, gradgradcheck
    from microtensor.autograd.variable import Variable
    from microtensor.autograd.walk import backward, grad
    from microtensor.engine import (
        enable_grad,
        inference_mode,
        is_grad_enabled,
        is_inference_mode_enabled,
        no_grad,
        set_grad_enabled,
    )

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "graph_of",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = late(globals())
