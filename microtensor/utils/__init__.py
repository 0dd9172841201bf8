"""What training needs beside tensors and modules."""

from microtensor.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
