"""The part of packaging that pyproject.toml cannot say: the extension that build.py describes."""

from setuptools import setup

setup(
    cffi_modules=["build.py:ffibuilder"],
    # The extension uses the stable ABI: one wheel serves all versions of Python from 3.11 on.
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
