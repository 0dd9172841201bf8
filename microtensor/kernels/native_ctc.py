"""The kernels in C of connectionist temporal classification."""

from __future__ import annotations

from typing import Any

from microtensor.kernels import twin
from microtensor.kernels.native_border import lib, otherwise

_ctc, _ctc_backward = lib.mt_array_ctc, lib.mt_array_ctc_backward


def ctc(
    x: Any,
    targets: Any,
    frames: Any,
    lengths: Any,
    blank: int,
    zero_infinity: bool,
    alpha: Any,
    out: Any,
) -> None:
    if _ctc(blank, zero_infinity, id(x), id(targets), id(frames), id(lengths), id(alpha), id(out)):
        # Labels out of range too go to the twin, which names them.
        otherwise(ctc, twin.ctc, x, targets, frames, lengths, blank, zero_infinity, alpha, out)


def ctc_backward(
    g: Any,
    x: Any,
    alpha: Any,
    targets: Any,
    frames: Any,
    lengths: Any,
    blank: int,
    zero_infinity: bool,
    scratch: Any,
    out: Any,
) -> None:
    if _ctc_backward(
        blank,
        zero_infinity,
        id(g),
        id(x),
        id(alpha),
        id(targets),
        id(frames),
        id(lengths),
        id(scratch),
        id(out),
    ):
        otherwise(
            ctc_backward,
            twin.ctc_backward,
            g,
            x,
            alpha,
            targets,
            frames,
            lengths,
            blank,
            zero_infinity,
            scratch,
            out,
        )


for _kernel in (ctc, ctc_backward):
    _kernel.__doc__ = getattr(twin, _kernel.__name__).__doc__
