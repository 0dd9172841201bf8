"""The C extension: what cffi made of csrc/microtensor.h."""

from typing import Any

ffi: Any
lib: Any
