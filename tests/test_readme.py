"""README's first screen runs and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def test_the_first_example_prints_what_readme_shows():
    pytest.importorskip("sklearn")
    text = README.read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.S).group(1)
    shown = re.search(r"```text\n(.*?)```", text, re.S).group(1)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(README), "exec"), {})
    assert _numbers(printed.getvalue()) == pytest.approx(_numbers(shown), abs=2e-3)
    assert _words(printed.getvalue()) == _words(shown)


def test_readme_names_only_files_that_exist():
    text = README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (README.parent / target).exists(), target


def _numbers(text):
    return [float(number) for number in re.findall(r"\d+\.?\d*", text)]


def _words(text):
    return re.findall(r"[a-z]+", text)
