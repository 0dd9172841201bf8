"""The page of ops that tools/generate.py writes."""

import importlib.util
import re
from pathlib import Path

import pytest

from microtensor.ops import methods, published

TOOL = Path(__file__).parents[1] / "tools" / "generate.py"


@pytest.fixture(scope="module")
def page():
    specification = importlib.util.spec_from_file_location("generate", TOOL)
    generate = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generate)
    return generate.reference_page()


def test_every_function_and_method_is_on_the_page(page):
    named = set(re.findall(r"[` ]((?:\w+\.)*\w+)(?=[`,])", page))
    for namespace, names in published.items():
        prefix = "" if namespace == "mt" else f"{namespace}."
        missing = [n for n in names if prefix + n not in named and n not in named]
        assert not missing, namespace
    for name in methods:
        assert name.startswith("__") or name in named or f"Tensor.{name}" in named, name


def test_no_function_has_two_rows(page):
    rows = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    assert len(rows) == len(set(rows)) > 300


def test_the_page_is_markdown_without_sphinx_roles(page):
    assert not re.search(r":\w+:`|``", page)
