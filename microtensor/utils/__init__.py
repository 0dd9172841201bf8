"""What training needs beside tensors and modules."""

from typing import TYPE_CHECKING

from microtensor.lazy import late

if TYPE_CHECKING:
    from microtensor.utils import checkpoint, data, dlpack, serialization

__all__ = ["checkpoint", "data", "dlpack", "serialization"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = late(globals())
