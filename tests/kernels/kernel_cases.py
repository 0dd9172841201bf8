"""What the kernel tests share: the implementations, the kernels by kind, awkward layouts."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microtensor import kernels
from microtensor.kernels import twin

ROOT = Path(__file__).resolve().parents[2]
DTYPES = (np.float32, np.float64)

IMPLEMENTATIONS: dict[str, Any] = {"numpy": vars(twin)}
if kernels.backend == "native":
    from microtensor.kernels import native

    IMPLEMENTATIONS["native"] = native.KERNELS

each_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
needs_native = pytest.mark.skipif(
    kernels.backend != "native", reason=f"the C kernels are not in use: {kernels.backend_reason}"
)

# Parameters, other than PyTorch's defaults so that a mix-up shows.
PARAMETERS: dict[str, tuple[float, ...]] = {
    **{"leaky_relu": (0.25,), "elu": (1.5,), "celu": (1.5,), "softplus": (2.0, 15.1)},
    **{"hardsigmoid": (5.0,), "hardtanh": (-1.5, 0.5), "threshold": (0.5, -3.0)},
    **{"hardshrink": (0.7,), "softshrink": (0.7,)},
}


def rows_of_table(kind: str) -> list[str]:
    """Give the names in the rows of one kind of csrc/table.h."""
    text = (ROOT / "csrc" / "table.h").read_text(encoding="utf-8")
    return re.findall(rf"^{kind}\((\w+)", text, flags=re.MULTILINE)


# Rows with a number as one operand have no name of their own in Python.
PLAIN = [name for name in rows_of_table("MT_UNARY") if "number" not in name]
ACTIVATION_KINDS = ("MT_ACTIVATION", "MT_ACTIVATION_SCALED", "MT_PERIODIC")
ACTIVATION_ROWS = [name for kind in ACTIVATION_KINDS for name in rows_of_table(kind)]
UNARY = [*PLAIN, *ACTIVATION_ROWS]
GRADIENTS = [f"{name}_backward" for name in ACTIVATION_ROWS]
ARITHMETIC = rows_of_table("MT_BINARY")
GATED = rows_of_table("MT_GATED")
LEARNED = rows_of_table("MT_LEARNED")


def parameters(name: str) -> tuple[float, ...]:
    return PARAMETERS.get(name.removesuffix("_backward"), ())


def numbers(shape: Any, dtype: Any, seed: int = 0, scale: float = 3.0) -> Any:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(dtype)


def call(implementation: str, name: str, *arrays: Any) -> Any:
    """Run an elementwise kernel into a new array."""
    out = np.full(arrays[0].shape, 7, arrays[0].dtype)
    IMPLEMENTATIONS[implementation][name](*arrays, out, *parameters(name))
    return out


def tolerance(dtype: Any) -> dict[str, float]:
    return {"rtol": 3e-6, "atol": 3e-6} if dtype == np.float32 else {"rtol": 2e-13, "atol": 2e-13}


# --- layouts ---


def _strided(x: Any) -> Any:
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def _misaligned(x: Any) -> Any:
    memory = np.zeros(x.nbytes + 1, np.uint8)
    odd = memory[1:].view(x.dtype).reshape(x.shape)
    odd[...] = x
    return odd


def _read_only(x: Any) -> Any:
    fixed = x.copy()
    fixed.flags.writeable = False
    return fixed


def _another_dtype_object(x: Any) -> Any:
    return x.copy().view(np.dtype(x.dtype, metadata={"made": "elsewhere"}))


LAYOUTS = {
    "contiguous": lambda x: x.copy(),
    "strided": _strided,
    "reversed": lambda x: x[::-1].copy()[::-1],
    "fortran": np.asfortranarray,
    "misaligned": _misaligned,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "another dtype object": _another_dtype_object,
}
INPUT_LAYOUTS = {
    **LAYOUTS,
    "read-only": _read_only,
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
}
layout_pairs = pytest.mark.parametrize(
    ("layout", "out_layout"), list(itertools.product(INPUT_LAYOUTS, LAYOUTS))
)
