"""Files that are damaged, of another kind, or made to do harm: one error, no code, no memory."""

import io
import json
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest

import microtensor as mt
from microtensor.utils.serialization import CheckpointError

pytest.importorskip("safetensors")


def raw(header, data=b"", length=None):
    """Write a file by hand."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def described(content, version=1, **arrays):
    """Write a file with a description of ours over one float32 tensor "x" of four elements."""
    text = json.dumps({"version": version, "content": content}, separators=(",", ":"))
    return raw(
        {"__metadata__": {"microtensor": text}, "x": entry(shape=(4,), offsets=(0, 16)), **arrays},
        np.arange(4, dtype="f4").tobytes(),
    )


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.pkl", b"\x80\x02.")
    return file.getvalue()


class Evil:
    def __reduce__(self):
        return eval, ("__import__('sys').modules.__setitem__('evil', 1)",)


def text_file(metadata):
    return raw({"__metadata__": {"microtensor": metadata}})


HUGE = 2**62
X = {"name": "x"}

FILES = {
    "empty": (b"", "it is empty"),
    "a few bytes": (b"abc", "no safetensors file, or cut short"),
    "text": (b"Hello, this is no such file" * 10, "no safetensors file"),
    "zeros": (b"\0" * 100, "no safetensors file"),
    "a header as long as the address space": (b"\xff" * 8 + b"{}", "no safetensors file"),
    "a header longer than the file": (raw(b"{}", length=10**9), "cut short"),
    "a header beyond the limit": (raw(b"{}", length=99_999_999), "cut short"),
    "a pickle": (pickle.dumps(Evil(), 2) * 3, "pickle"),
    "a newer pickle": (pickle.dumps(Evil(), 5), "pickle"),
    "an old pickle": (pickle.dumps(Evil(), 0), "no safetensors file"),
    "a zip archive": (zipped(), "zip archive.*torch.save"),
    "no JSON": (raw(b"not JSON"), "JSON"),
    "a list for a header": (raw([1, 2]), "JSON"),
    "no UTF-8": (raw(b'{"\xff": 1}'), "header"),
    "data beyond the file": (
        raw({"a": entry(shape=(2,), offsets=(0, 8))}, b"1234"),
        "cut short",
    ),
    "offsets that overlap": (raw({"a": entry(), "b": entry()}, b"1234"), "offset"),
    "offsets backwards": (raw({"a": entry(offsets=(4, 0))}, b"1234"), "offset"),
    "a gap": (raw({"a": entry(offsets=(4, 8))}, b"12345678"), "offset"),
    "data that nothing describes": (raw({"a": entry()}, b"12345678"), "not fully covered"),
    "a shape that does not fit": (raw({"a": entry(shape=(2,))}, b"1234"), "shape"),
    "a negative shape": (raw({"a": entry(shape=(-1,))}, b"1234"), "-1"),
    "negative offsets": (raw({"a": entry(offsets=(-4, 0))}, b"1234"), "-4"),
    "a shape that overflows": (raw({"a": entry(shape=(HUGE, HUGE))}, b"1234"), "overflow"),
    "more dimensions than NumPy has": (raw({"a": entry(shape=(1,) * 70)}, b"1234"), "dimension"),
    "an unknown dtype": (raw({"a": entry(dtype="F99")}, b"1234"), "F99"),
    "complex numbers": (raw({"a": entry("C64", (1,), (0, 8))}, b"12345678"), "C64"),
    "bfloat16": (raw({"a": entry("BF16", (1,), (0, 2))}, b"12"), "BF16"),
    "a name twice": (
        raw(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
            b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            b"1234",
        ),
        "twice",
    ),
    "a header of brackets": (raw(b"[" * 100_000), "JSON"),
    "metadata of brackets": (raw(b'{"__metadata__":' + b"[" * 100_000), "JSON"),
    "metadata that is no text": (raw({"__metadata__": {"microtensor": 3}}), "JSON"),
    "a description that is no JSON": (text_file("{"), "description is malformed"),
    "a description of brackets": (text_file("[" * 50_000 + "]" * 50_000), "description"),
    "a description of braces": (text_file('{"version":' * 50_000), "description"),
    "a number of a million digits": (text_file("1" * 1_000_000), "description"),
    "no version": (text_file('{"content": 1}'), "version and content"),
    "a later version": (described(1, version=2), "version 2"),
    "a deep description": (described(json.loads("[" * 200 + "]" * 200)), "deeper than 100"),
    "an unknown kind": (described({"code": "1"}), "no kind 'code'"),
    "two kinds": (described({"tuple": [], "dict": []}), "one key"),
    "no kind": (described({}), "one key"),
    "a missing tensor": (described({"tensor": {"name": "y"}}), "not in the file"),
    "a tensor without a name": (described({"tensor": {}}), "not in the file"),
    "a tensor that is a number": (described({"tensor": 3}), "not in the file"),
    "a name that is a list": (described({"tensor": {"name": ["x"]}}), "not in the file"),
    "a tensor not described yet": (described([{"again": 0}]), "not described"),
    "a tensor before the first": (described([{"tensor": X}, {"again": -1}]), "not described"),
    "a true tensor": (described([{"tensor": X}, {"again": True}]), "not described"),
    "a dict of numbers": (described({"dict": [1, 2]}), "key and a value"),
    "a dict that is none": (described({"dict": 3}), "list is missing"),
    "a key that is a list": (described({"dict": [[[], 1]]}), "hashable"),
    "a tuple that is none": (described({"tuple": "abc"}), "list is missing"),
    "a float that is text": (described({"float": "1e5"}), "nan, inf"),
    "a float that is a list": (described({"float": []}), "nan, inf"),
    "a size of text": (described({"Size": ["a"]}), "integers"),
    "a dtype that is none": (described({"dtype": "object"}), "no such dtype"),
    "a device that is none": (described({"device": "cuda"}), "no device 'cuda'"),
    "a device that is a number": (described({"device": 3}), "string"),
    "a view past the end": (described({"tensor": {**X, "view": [1, [4], [1]]}}), "leaves the mem"),
    "a view before the start": (described({"tensor": {**X, "view": [0, [2], [-1]]}}), "leaves the"),
    "a negative offset": (described({"tensor": {**X, "view": [-1, [2], [1]]}}), "offset"),
    "a negative length": (described({"tensor": {**X, "view": [0, [-1], [1]]}}), "offset"),
    "a view of wide steps": (described({"tensor": {**X, "view": [0, [2], [HUGE]]}}), "malformed"),
    "a view of huge lengths": (
        described({"tensor": {**X, "view": [0, [2**40, 2**40], [0, 0]]}}),
        "malformed",
    ),
    "a huge offset": (described({"tensor": {**X, "view": [2**61, [1], [1]]}}), "leaves the mem"),
    "a view of text": (described({"tensor": {**X, "view": "abc"}}), "list is missing"),
    "a view of two": (described({"tensor": {**X, "view": [0, [1]]}}), "offset, a shape"),
    "strides that are too few": (described({"tensor": {**X, "view": [0, [1, 1], [1]]}}), "stride"),
    "a fractional stride": (described({"tensor": {**X, "view": [0, [1], [0.5]]}}), "integers"),
    "an integer tensor with gradient": (
        raw(
            {
                "__metadata__": {
                    "microtensor": json.dumps(
                        {"version": 1, "content": {"tensor": {**X, "requires_grad": True}}}
                    )
                },
                "x": entry("I32"),
            },
            b"1234",
        ),
        "require a gradient",
    ),
    "a tensor of a dtype for arrays": (
        raw(
            {
                "__metadata__": {"microtensor": '{"version":1,"content":{"tensor":{"name":"x"}}}'},
                "x": entry("U32"),
            },
            b"1234",
        ),
        "uint32",
    ),
}


@pytest.mark.parametrize("way", ["path", "file"])
@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused(name, way, tmp_path):
    content, words = FILES[name]
    path = tmp_path / "bad"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=words) as caught:
            mt.load(path if way == "path" else io.BytesIO(content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.path == (str(path) if way == "path" else "BytesIO")
    assert len(str(caught.value)) < 1000
    assert peak < 10_000_000 + 20 * len(content)
    assert "evil" not in __import__("sys").modules


@pytest.mark.parametrize("keep", range(0, 380, 7))
def test_a_file_cut_short_is_refused(keep):
    file = io.BytesIO()
    mt.save({"a": mt.arange(20.0), "b": [mt.ones(3), 2, "text"]}, file)
    content = file.getvalue()
    assert keep < len(content)
    with pytest.raises(CheckpointError):
        mt.load(io.BytesIO(content[:keep]))
    with pytest.raises(CheckpointError):
        mt.load(io.BytesIO(content + b"\0"))


def test_flipped_bits_are_refused_or_change_values_only(rng):
    file = io.BytesIO()
    mt.save({"a": mt.arange(20.0), "b": [mt.ones(3, requires_grad=True), 2, (mt.ones(2),)]}, file)
    content = np.frombuffer(file.getvalue(), np.uint8)
    for _ in range(500):
        damaged = content.copy()
        places = rng.integers(len(content), size=rng.integers(1, 4))
        damaged[places] ^= np.uint8(1 << rng.integers(8))
        try:
            mt.load(io.BytesIO(damaged.tobytes()))
        except CheckpointError as error:
            assert len(str(error)) < 1000


def test_bools_of_any_byte_are_true_or_false():
    x = mt.load(io.BytesIO(raw({"x": entry("BOOL", (4,))}, b"\0\1\2\xff")))["x"]
    assert x.numpy().view(np.uint8).tolist() == [0, 1, 1, 1]


def test_views_of_one_place_cannot_be_written_to():
    content = {"tensor": {"name": "x", "view": [0, [1000], [0]]}}
    x = mt.load(io.BytesIO(described(content)))
    with pytest.raises(RuntimeError, match="cannot be written"):
        x.add_(1)


def test_a_large_file_of_another_kind_is_not_read(tmp_path):
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.write(b"PK\3\4" + b"\xff" * 4)
        file.truncate(2**33)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="zip archive"):
            mt.load(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_files_of_pytorch_are_recognised(tmp_path, torch):
    for zipfile_format in (True, False):
        path = tmp_path / "model.pt"
        torch.save({"x": torch.ones(2)}, path, _use_new_zipfile_serialization=zipfile_format)
        with pytest.raises(CheckpointError, match="torch.save" if zipfile_format else "pickle"):
            mt.load(path)
