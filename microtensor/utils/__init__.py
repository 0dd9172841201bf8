"""What training needs beside tensors and modules."""

from microtensor.utils import checkpoint, data, dlpack, serialization

__all__ = ["checkpoint", "data", "dlpack", "serialization"]
