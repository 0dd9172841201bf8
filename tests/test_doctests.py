"""The examples in the docstrings of the package, run as they stand."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import microtensor as mt
from microtensor.ops import methods, published

_parser = doctest.DocTestParser()


def modules():
    yield mt
    for found in pkgutil.walk_packages(mt.__path__, "microtensor.", onerror=lambda name: None):
        if found.name.rsplit(".", 1)[-1] == "_native":
            continue
        try:
            yield importlib.import_module(found.name)
        except ImportError as error:
            # What needs a library that is not installed says so; its examples cannot run.
            if (error.name or "").startswith("microtensor"):
                raise


def described():
    """Give (name, docstring, globals) of modules, classes, functions and methods."""
    for module in modules():
        names = vars(module)
        yield module.__name__, module.__doc__, names
        for name, value in names.items():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value):
                yield f"{module.__name__}.{name}", value.__doc__, names
            elif inspect.isclass(value):
                yield f"{module.__name__}.{name}", value.__doc__, names
                for attribute, member in vars(value).items():
                    function = getattr(member, "__func__", getattr(member, "fget", member))
                    if inspect.isfunction(function):
                        yield f"{module.__name__}.{name}.{attribute}", function.__doc__, names
    for namespace, functions in published.items():
        for name, function in functions.items():
            yield f"microtensor.{namespace}.{name}".replace(".mt.", "."), function.__doc__, {}
    for name, function in methods.items():
        yield f"microtensor.Tensor.{name}", function.__doc__, {}


def examples():
    found, seen = [], set()
    for name, text, names in described():
        if text and ">>>" in text and text not in seen:
            seen.add(text)
            found.append(_parser.get_doctest(text, dict(names), name, None, None))
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example(example):
    if ".lab" in example.name:  # its functions import these when called
        pytest.importorskip("sklearn")
        pytest.importorskip("matplotlib")
    if ".serialization" in example.name:
        pytest.importorskip("safetensors")
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(example, out=report.append, clear_globs=False)
    assert runner.failures == 0, "".join(report)


def test_there_are_examples():
    names = [example.name for example in EXAMPLES]
    assert "microtensor" in names
    assert len(names) > 30
