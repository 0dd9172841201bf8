"""Inputs for every declared op: the samples of its declaration, and our own where it has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import microtensor as mt
from microtensor.ops import Op, registry

# Records written by in-place writes and cat(): made by hand, tested with what makes them.
WRITTEN_BY_HAND = ("cat", "copy", "overwrite", "view_put")

# The rule for x accounts for log_sum, too: tried as the derivative of cross_entropy's gradient.
NOT_ALONE = (
    "attention_backward",
    "cross_entropy_backward",
    "cross_entropy_row_scale",
    "ctc_backward",
    "ctc_curvature",
    # Of layers, with arguments that fit each other; tests/nn checks them.
    *("batch_norm", "embedding", "embedding_backward", "embedding_row_factor", "recurrent_layer"),
    # All of an op's gradients at once, for first-order walks, which their ops' own tests take.
    *(name for name in registry if name.endswith("_gradients")),
)

# Their argument is taken for symmetric, and so is its gradient: they are tried on symmetric parts.
SYMMETRIC = ("linalg_cholesky", "linalg_eigh")

DECLARED = {name: op for name, op in registry.items() if name not in WRITTEN_BY_HAND}
DIFFERENTIABLE = {name: op for name, op in DECLARED.items() if op.rules}


@dataclass
class Case:
    """One call: arrays for the inputs (None where one is missing), and the other arguments.

    Of an op with several outputs each is a case of its own, ``output`` by place.
    """

    op: Op
    inputs: list[Any]
    arguments: dict[str, Any]
    output: int | None = None

    def call(self, *inputs: Any) -> Any:
        """Call the public function for the case's output."""
        return self.chosen(self.call_whole(*inputs))

    def has_gradient(self) -> bool:
        """Say whether the output is no integer one, such as the indices beside values."""
        if self.output is None:
            return True
        return bool(self.call(*self.tensors(False)).is_floating_point())

    def chosen(self, result: Any) -> Any:
        """Give the case's output among all."""
        return result if self.output is None else result[self.output]

    def call_whole(self, *inputs: Any) -> Any:
        """Call the public function; what an op changes in its arguments starts anew."""
        arguments = {
            name: value.copy() if isinstance(value, np.ndarray) and name == "state" else value
            for name, value in self.arguments.items()
        }
        if self.op.name in SYMMETRIC:
            inputs = (registry["symmetric_part"].public(inputs[0]),)
        # By name: among the inputs of some ops stand other arguments.
        return self.op.public(**dict(zip(self.op.inputs, inputs, strict=True)), **arguments)

    def tensors(self, requires_grad: bool = True, dtype: Any = mt.float64) -> list[Any]:
        """Give the inputs as tensors; those of floating point in a dtype."""
        made = []
        for name, value in zip(self.op.inputs, self.inputs, strict=True):
            if value is None:
                made.append(None)
            elif value.dtype.kind == "f":
                wanted = requires_grad and (name in self.op.rules or not self.op.rules)
                made.append(mt.tensor(value, dtype=dtype, requires_grad=wanted))
            else:
                made.append(mt.tensor(value))
        return made


def away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    return rng.uniform(0.2, 2.0, shape) * rng.choice([-1.0, 1.0], shape)


def _pairs(rng: np.random.Generator) -> list[Any]:
    """For comparisons, logic and activations' gradients: two arrays of one shape."""
    shapes = [(3, 4), (5,), (), (0, 2)]
    return [((away_from_zero(rng, s), away_from_zero(rng, s)), {}) for s in shapes]


def _rows(rng: np.random.Generator) -> list[Any]:
    found = []
    for shape, dim in [((3, 4), -1), ((2, 3, 4), 1), ((), 0), ((0, 3), 1)]:
        y = rng.uniform(0.1, 1.0, shape)
        found.append(((rng.normal(size=shape), y), {"dim": dim}))
    return found


def _losses(rng: np.random.Generator) -> list[Any]:
    found = []
    for reduction in (0, 1, 2):
        for smoothing, weight in [(0.0, None), (0.2, None), (0.1, rng.uniform(0.5, 2.0, 4))]:
            target = np.array([0, 3, -100, 1, 2])
            inputs = (rng.normal(size=(5, 4)), target, weight)
            arguments = {
                "ignore_index": -100,
                "label_smoothing": smoothing,
                "reduction": reduction,
            }
            found.append((inputs, arguments))
    return found


_INDEX = np.array([[2, 0, 1, 1]])
_SEVERAL = np.array([[2, 0, 1, 1], [2, 1, 1, 0]])

_OWN: dict[str, Any] = {
    "pick": lambda rng: [((rng.normal(size=(3, 4)), _INDEX), {"dim": 0})],
    "place": lambda rng: [((rng.normal(size=(1, 4)), _INDEX), {"dim": 0, "shape": (3, 4)})],
    "pick_several": lambda rng: [
        ((rng.normal(size=(3, 4)), _SEVERAL), {"dim": 0}),
        ((np.array(1.5), np.array(0)), {"dim": 0}),
    ],
    "collect": lambda rng: [
        ((rng.normal(size=(2, 4)), _SEVERAL), {"dim": 0, "shape": (3, 4)}),
        ((np.array(1.5), np.array(0)), {"dim": 0, "shape": ()}),
    ],
    "softmax_backward": _rows,
    "softmin_backward": _rows,
    "log_softmax_backward": _rows,
    "cross_entropy": _losses,
    "dropout": lambda rng: [
        ((rng.normal(size=s),), {"p": 0.4, "state": np.array([7, 0], np.uint64)})
        for s in [(30,), (2, 3), (), (0,)]
    ],
    "rrelu_in_training": lambda rng: [
        ((rng.normal(size=s),), {"lower": 0.1, "upper": 0.4, "state": np.array([7, 0], np.uint64)})
        for s in [(30,), (2, 3), (), (0,)]
    ],
    **{
        name: lambda rng: [
            ((np.array(v, t),), {}) for v in ([[0, 1, 2]], [], 1) for t in ("f8", "i8", "?")
        ]
        for name in (
            *("isnan", "isinf", "isfinite", "isposinf", "isneginf", "isreal", "signbit"),
            "logical_not",
        )
    },
    "bitwise_not": lambda rng: [((np.array([0, 1, 2]),), {}), ((np.array([True, False]),), {})],
    **{
        name: lambda rng: [
            ((rng.integers(0, 9, (3, 4)), rng.integers(0, 9, (4,))), {}),
            ((np.array([True, False]), np.array([True, True])), {}),
        ]
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    },
    **{
        name: lambda rng: [((rng.integers(0, 9, (3, 4)), rng.integers(0, 9, (4,))), {})]
        for name in ("bitwise_left_shift", "bitwise_right_shift", "gcd", "lcm")
    },
    **{
        name: lambda rng: [
            ((rng.normal(size=(3, 4)),), {}),
            ((rng.normal(size=(3, 4)),), {"dim": -1}),
            ((rng.normal(size=(3, 4)),), {"dim": 0, "keepdim": True}),
            ((np.array(1.0),), {}),
        ]
        for name in ("argmax", "argmin")
    },
    **{
        name: lambda rng: [
            ((rng.normal(size=(3, 4)),), {}),
            ((rng.normal(size=(3, 4)),), {"dim": 0, "descending": True}),
            ((np.array(1.0),), {}),
        ]
        for name in ("argsort",)
    },
    **{
        name: _pairs
        for name in (
            *("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"),
            *(name for name in registry if name.endswith("_backward") and "softm" not in name),
        )
    },
}


def cases_of(name: str, seed: int = 0) -> list[Case]:
    """Give the cases of a declared op; a random draw each time of the seed."""
    op = registry[name]
    draw = op.samples or _OWN[name]
    return [
        Case(
            op,
            [None if i is None else np.asarray(i) for i in inputs]
            + [None] * (len(op.inputs) - len(inputs)),
            arguments,
            output,
        )
        for inputs, arguments in draw(np.random.default_rng(seed))
        for output in (range(len(op.outputs)) if op.outputs else (None,))
    ]


def cases(names: Any) -> list[Any]:
    """Give (id, case) of several ops, as pytest's parameters are made from."""
    found = []
    for name in names:
        if name in NOT_ALONE:
            continue
        for place, case in enumerate(cases_of(name)):
            shapes = "x".join("-" if i is None else str(list(i.shape)) for i in case.inputs)
            found.append((f"{name}-{place}-{shapes}", case))
    return found
