"""Saving tensors and what is built of them, and loading them again: files that run no code.

The files are safetensors', which other libraries read too. A flat dict of tensors is stored as just
that; nesting, numbers and sharing go into the file's metadata as JSON.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from microtensor import devices, dtypes
from microtensor.tensor import wrap

if TYPE_CHECKING:
    from types import ModuleType

Array = np.ndarray[Any, Any]

_KEY = "microtensor"  # of our description in the metadata
_VERSION = 1
_DTYPES = {
    **{"F16": "float16", "F32": "float32", "F64": "float64", "BOOL": "bool"},
    **{"I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64"},
    **{"U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64"},
}
_LARGEST_HEADER = 100_000_000  # safetensors' own limit


class CheckpointError(RuntimeError):
    """A file that cannot be loaded.

    Attributes:
        path: the file's, or what stands for it.
        reason: what is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot load {path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.reason)


def _safetensors() -> ModuleType:
    try:
        import safetensors.numpy
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "safetensors":
            raise
        raise ImportError(
            "mt.save and mt.load need safetensors, which is not installed; run: pip install "
            "safetensors (the extra 'save' of microtensor)",
            name="safetensors",
        ) from error
    return safetensors


# ---- saving -------------------------------------------------------------------------------------


def save(obj: Any, f: Any) -> None:
    """Save tensors, and what is built of them, to a file.

    The object may be tensors, Parameters, NumPy arrays, numbers, strings, bools, None, dtypes and
    shapes in dicts, OrderedDicts, lists and tuples, in any nesting: the state dicts of modules,
    optimizers and schedulers, a generator's state. All come back as they are; of other subclasses
    of dict, list and tuple only these, and NumPy's numbers as Python's. Gradients are not saved.

    A dict of tensors by strings can be read by safetensors' own functions. Tensors that overlap in
    memory are stored once and share memory when they are loaded, so other readers find them under
    one name only; ``safetensors`` calls a nested tensor by its keys, joined by dots.

    A path gets the new file at once or keeps the old one: what is written goes into a temporary
    file beside it first, which takes its place when it is complete and on the disk.

    Args:
        obj: what to save.
        f: a path, or a file opened for writing bytes.

    Raises:
        TypeError: something that cannot be saved (the message says where), or no file.
        ValueError: nesting deeper than 100 levels, an object that contains itself, or more than
            100 MB of what is no tensor.
        ImportError: the safetensors library is not installed.

    Example:
        >>> import microtensor as mt, tempfile, os
        >>> from microtensor import nn
        >>> model = nn.Linear(3, 2)
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> mt.save({"model": model.state_dict(), "epoch": 7}, path)
        >>> loaded = mt.load(path)
        >>> model.load_state_dict(loaded["model"]), loaded["epoch"]
        (<All keys matched successfully>, 7)
    """
    import json

    from microtensor.utils.structure import pack

    if not isinstance(f, str | os.PathLike) and not hasattr(f, "write"):
        raise TypeError(
            f"save(obj, f): f must be a path or a file opened for writing, not {type(f).__name__}"
        )
    library = _safetensors()
    arrays, description = pack(obj)
    text = json.dumps({"version": _VERSION, "content": description}, separators=(",", ":"))
    data = library.numpy.save(arrays, metadata={_KEY: text})
    if int.from_bytes(data[:8], "little") > _LARGEST_HEADER:
        raise ValueError(
            f"save: what is no tensor takes more than the {_LARGEST_HEADER:,} bytes that a file "
            "has for it; keep long lists of numbers as tensors"
        )
    if isinstance(f, str | os.PathLike):
        _write_whole(f, data)
    else:
        f.write(data)


def _write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file such that at any moment there is the old one or the new one."""
    target = os.path.realpath(os.fspath(path))  # a link stays a link
    try:
        old = os.stat(target).st_mode
    except FileNotFoundError:
        old = None
    if old is not None and (not stat.S_ISREG(old) or not os.access(target, os.W_OK)):
        with open(target, "wb") as file:  # a device or a pipe; or the error that there should be
            file.write(data)
        return
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:100]}.{os.urandom(6).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # As for any new file the umask decides who may read it, or else the file it replaces.
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            os.chmod(temporary, stat.S_IMODE(old))
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if hasattr(os, "O_DIRECTORY"):  # elsewhere than on Windows the new name is on the disk then
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


# ---- loading ------------------------------------------------------------------------------------


def load(f: Any, map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Load what :func:`save` has saved, or any safetensors file as a dict of tensors.

    Nothing in a file is run, whoever wrote it.

    Args:
        f: a path, or a file opened for reading bytes, which is read to its end.
        map_location: None or "cpu", the only device there is.
        weights_only: for programs written for PyTorch; either way only data is loaded.

    Returns:
        What was saved; every tensor has memory of its own, but for those that shared it.

    Raises:
        CheckpointError: a file that is damaged, malformed or of another format, or holds tensors of
            a dtype that microtensor does not have (bfloat16, say).
        OSError: a file that cannot be opened or read.
        ImportError: the safetensors library is not installed.
    """
    if map_location is not None:
        devices.device(map_location)
    if not isinstance(f, str | os.PathLike) and not hasattr(f, "read"):
        raise TypeError(
            f"load(f): f must be a path or a file opened for reading, not {type(f).__name__}"
        )
    library = _safetensors()
    if isinstance(f, str | os.PathLike):
        name = os.fspath(f)
        with open(f, "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                # Before the whole of a large file is read that is something else.
                _check_start(name, file.read(8), os.fstat(file.fileno()).st_size)
                file.seek(0)
            data = file.read()
    else:
        name = str(getattr(f, "name", type(f).__name__))
        data = f.read()
        if not isinstance(data, bytes):
            raise TypeError(
                f"load(f): the file must give bytes, not {type(data).__name__}; open it with 'rb'"
            )
    return _decode(library, name, data)


def _check_start(name: str, start: bytes, size: int) -> None:
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > min(size - 8, _LARGEST_HEADER):
        raise CheckpointError(name, _what_else(start))


def _what_else(start: bytes) -> str:
    """Say what a file is that is no safetensors file."""
    if start.startswith(b"PK"):
        return (
            "it is a zip archive, such as torch.save and numpy.savez write. Load it there and "
            "save its tensors with safetensors.torch.save_file, or mt.save"
        )
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "it is a pickle, which could run code when loaded; save it anew with mt.save"
    if not start:
        return "it is empty"
    return "it is no safetensors file, or cut short"


def _decode(library: ModuleType, name: str, data: bytes) -> Any:
    _check_start(name, data[:8], len(data))
    try:
        found = library.deserialize(data)
    except library.SafetensorError as error:
        reason = f"{_what_else(data[:8])} ({error})"
        raise CheckpointError(name, reason) from None
    header = _header(name, data)
    del data
    metadata = header.pop("__metadata__", None) or {}
    arrays = {key: _array(name, key, value) for key, value in found}
    if _KEY in metadata:
        return _described(name, arrays, metadata[_KEY])
    # Another writer's: in the order of its header.
    tensors = {}
    for key in header:
        try:
            tensors[key] = wrap(arrays[key].view(dtypes.from_numpy_dtype(arrays[key].dtype).numpy))
        except TypeError as error:
            raise CheckpointError(name, f"the tensor {key!r}: {error}") from None
    return tensors


def _header(name: str, data: bytes) -> dict[str, Any]:
    """Read what describes the tensors; the library, which has checked it, lets duplicates pass."""
    import json

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise CheckpointError(name, "a name occurs twice in its header")
        return result

    length = int.from_bytes(data[:8], "little")
    try:
        header: dict[str, Any] = json.loads(data[8 : 8 + length], object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(name, f"its header is malformed ({error})") from None
    return header


def _array(name: str, key: str, value: dict[str, Any]) -> Array:
    if value["dtype"] not in _DTYPES:
        raise CheckpointError(
            name,
            f"the tensor {key!r} has the dtype {value['dtype']}, which microtensor does not have; "
            "convert it (to float32, say) where it was made",
        )
    dtype = np.dtype(_DTYPES[value["dtype"]])
    try:
        if dtype.kind == "b":
            # NumPy reads bytes other than 0 and 1 as neither true nor false.
            return (np.frombuffer(value["data"], np.uint8) != 0).reshape(value["shape"])
        return np.frombuffer(value["data"], dtype).reshape(value["shape"])
    except (ValueError, OverflowError) as error:
        raise CheckpointError(name, f"the tensor {key!r}: {error}") from None


def _described(name: str, arrays: dict[str, Array], text: str) -> Any:
    import json

    from microtensor.utils.structure import Malformed, unpack

    try:
        description = json.loads(text)
        if not isinstance(description, dict) or set(description) != {"version", "content"}:
            raise Malformed("version and content are missing")
        if description["version"] != _VERSION:
            raise Malformed(
                f"it is of version {description['version']!r}, which this microtensor does not know"
            )
        return unpack(arrays, description["content"])
    except (ValueError, RecursionError, Malformed, RuntimeError, TypeError) as error:
        raise CheckpointError(name, f"its description is malformed: {error}") from None
