"""Build the C kernels: `python build.py` compiles microtensor/_native.abi3.so in place.

`ffibuilder` is what setup.py's `cffi_modules` asks for, so both ways compile the same extension.
The declarations cffi needs are derived from csrc/microtensor.h and csrc/prototypes.h: cffi knows no
macros, so `real` and `FN()` are expanded here, textually.

Environment: MICROTENSOR_CFLAGS adds compiler and linker flags (a sanitizer, -march=native, ...).
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

try:
    import cffi
    import setuptools  # noqa: F401 - what compiles
except ImportError as error:
    raise SystemExit(f"build.py needs {error.name}: pip install cffi setuptools") from None

ROOT = Path(__file__).resolve().parent
SOURCES = [
    "csrc/isa_baseline.c",
    "csrc/isa_v3.c",
    "csrc/isa_v4.c",
    "csrc/dispatch.c",
    "csrc/ndarray.c",
    "csrc/ndarray_layers.c",
    "csrc/ndarray_losses.c",
    "csrc/ndarray_products.c",
    "csrc/ndarray_windows.c",
    "csrc/moving.c",
    "csrc/norms.c",
    "csrc/threads.c",
    "csrc/blas.c",
]


def read(name: str) -> str:
    """Return a header of csrc without its comments."""
    text = (ROOT / "csrc" / name).read_text(encoding="utf-8")
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def declarations() -> str:
    """Return what cffi needs to know: the plain prototypes, then those of float and of double."""
    plain = re.findall(r"^[a-z].*?;", read("microtensor.h"), flags=re.DOTALL | re.MULTILINE)
    per_dtype = read("prototypes.h")
    parts = list(plain)
    for c_type, suffix in (("float", "f32"), ("double", "f64")):
        named = re.sub(r"\bFN\((\w+)\)", rf"\1_{suffix}", per_dtype)
        parts.append(re.sub(r"\breal\b", c_type, named))
    return "\n".join(parts)


def trampolines(prototypes: str) -> str:
    """Return C that calls the entries a captured plan may hold, each argument out of one word.

    These are the entries that take arrays as objects, and the optimizers' steps.
    """
    functions, table = [], []
    pattern = r"^\w+ (mt_array_\w+|mt_step_f\d+)\(([^)]*)\);"
    for name, listed in re.findall(pattern, prototypes, flags=re.MULTILINE):
        given = []
        for i, parameter in enumerate(" ".join(listed.split()).split(", ")):
            kind = re.sub(r"\w+$", "", parameter).strip()
            word = f"(uintptr_t)words[{i}]" if "*" in kind else f"words[{i}]"
            given.append(f"mt_plan_real(words[{i}])" if kind == "double" else f"({kind}){word}")
        functions.append(
            f"static int64_t mt_plan_call_{name}(const int64_t *words) "
            f"{{ return {name}({', '.join(given)}); }}"
        )
        table.append(f'    {{"{name}", mt_plan_call_{name}}},')
    return "\n".join([*functions, "static const struct mt_plan_entry mt_plan_entries[] = {",
                      *table, "};"])  # fmt: skip


def source() -> str:
    """Return the C of the extension itself: what a plan may call, and the plan's loop."""
    return "\n".join(
        ['#include "microtensor.h"', '#include "plan.h"', trampolines(declarations()),
         '#include "plan.inc"', ""]
    )  # fmt: skip


def understood(flag: str) -> bool:
    """Say whether the compiler knows a flag: some are GCC's alone."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    command = [*shlex.split(compiler), "-Werror", flag, "-x", "c", "-E", os.devnull]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def flags() -> tuple[list[str], list[str]]:
    """Return the compiler's and the linker's flags on this platform."""
    extra = shlex.split(os.environ.get("MICROTENSOR_CFLAGS", ""))
    if sys.platform == "win32":
        # MSVC has no pthreads; /fp:precise keeps NaN and infinities as the kernels expect them.
        return ["/O2", "/std:c11", "/fp:precise", "/DMT_NO_THREADS", *extra], extra
    compile_flags = [
        "-std=c11",
        "-O3",
        "-g0",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-ffp-contract=fast",
        "-fvisibility=hidden",
        "-fno-asynchronous-unwind-tables",  # nothing is thrown through kernels
        "-pthread",
    ]
    # The loops stand in the order they are to run in: GCC, which thinks it knows better, makes
    # convolutions of few channels take more than twice the time.
    compile_flags += filter(understood, ("-fno-loop-interchange", "-fno-loop-unroll-and-jam"))
    strip = "-Wl,-x" if sys.platform == "darwin" else "-Wl,-s"
    return [*compile_flags, *extra], ["-pthread", strip, *extra]


def make_builder() -> cffi.FFI:
    """Return the cffi builder of microtensor._native."""
    builder = cffi.FFI()
    builder.cdef(declarations())
    compile_flags, link_flags = flags()
    included = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "csrc").glob("*.[hi]*"))
    builder.set_source(
        "microtensor._native",
        source(),
        sources=SOURCES,
        include_dirs=["csrc"],
        depends=[*included, "build.py"],
        extra_compile_args=compile_flags,
        extra_link_args=link_flags,
        py_limited_api=True,
        # Without a compiler, installing succeeds with a warning and the NumPy kernels run.
        optional=os.environ.get("MICROTENSOR_REQUIRE_NATIVE") != "1",
    )
    return builder


ffibuilder = make_builder()

if __name__ == "__main__":
    command = [sys.executable, "setup.py", "build_ext", "--inplace", *sys.argv[1:]]
    sys.exit(
        subprocess.call(command, cwd=ROOT, env={**os.environ, "MICROTENSOR_REQUIRE_NATIVE": "1"})
    )
