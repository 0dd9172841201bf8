"""Differentiation, as users call it."""

from microtensor.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from microtensor.autograd.walk import backward, grad
from microtensor.engine import enable_grad, is_grad_enabled, no_grad, set_grad_enabled

__all__ = [
    "GradcheckError",
    "backward",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
]
