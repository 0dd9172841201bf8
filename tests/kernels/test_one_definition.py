"""Every kernel is defined in one place."""

from collections import defaultdict

from microtensor.kernels import twin


def test_no_two_modules_define_the_same_kernel():
    homes = defaultdict(list)
    for module in twin.MODULES:
        for name, value in vars(module).items():
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__:
                homes[name].append(module.__name__)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}
