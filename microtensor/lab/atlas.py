"""The atlas: every activation with its derivative, and what can be measured of them."""

from __future__ import annotations

from collections.abc import Sequence

from microtensor.lab.atlas_report import atlas_result
from microtensor.lab.catalogue import chosen
from microtensor.lab.result import Result
from microtensor.lab.slices import panels
from microtensor.lab.traits import derivative_error, traits

# Seven rows of panels.
_PAGE = 28


def atlas(names: Sequence[str] | None = None, *, command: str = "", page: int = _PAGE) -> Result:
    """Draw activations with their derivatives, each with properties measured from it.

    Args:
        names: activations by their names in ``nn.functional``; by default all of the engine
            (:func:`panel_names`). Those that mix numbers, as softmax does, are drawn and measured
            along a line that the caption names.
        command: what the result names as the command that repeats it.
        page: panels in one picture at most; by default 28, seven rows.

    Returns:
        A result with a picture for each page, a table with a row for each activation, and the
        verdict that no derivative departs from the slope of its function.

    Raises:
        ValueError: an unknown name; the message lists the legal ones. Or a page without panels.

    Example:
        >>> from microtensor import lab
        >>> row = lab.atlas(["sigmoid"]).table.records[0]
        >>> row["range"], row["max |f'|"], row["saturates"]
        ('(0, 1)', 0.25, 'both sides')
    """
    if page < 1:
        raise ValueError(f"page must be at least 1, got {page}")
    found = chosen(names, panels())
    measured = [(one, traits(one, one.derivative)) for one in found]
    errors = [(derivative_error(one, traits_), one.label) for one, traits_ in measured]
    return atlas_result(measured, errors, page, command)
