"""What training needs beside tensors and modules."""

from microtensor.utils import data

__all__ = ["data"]
