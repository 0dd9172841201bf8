"""What training needs beside tensors and modules."""

from microtensor.utils import data, dlpack, serialization

__all__ = ["data", "dlpack", "serialization"]
