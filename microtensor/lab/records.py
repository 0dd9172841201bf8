"""Finished runs as lines of a file: a comparison that is stopped goes on where it was."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import microtensor as mt
from microtensor import kernels
from microtensor.lab.optimizers import Recipe
from microtensor.lab.problems import Task, identity
from microtensor.lab.trial import Budget, Choice, Trial

# Of the form of a line; a file of another one is not read.
FORM = 1


@dataclass(frozen=True, eq=False)
class Job:
    """A run to be done: where it belongs, and everything that decides what comes out.

    Attributes:
        task: what on.
        recipe: the optimizer.
        choice: rate, schedule, other values.
        run: its seed.
        purpose: ``rate``, ``draw``, ``finalist``, ``tuned`` or ``default``; for readers.
    """

    task: Task
    recipe: Recipe
    choice: Choice
    run: int
    purpose: str = ""

    def settings(self, budget: Budget) -> dict[str, Any]:
        """Return what decides the outcome, for JSON."""
        kind = self.recipe.kind
        return {
            "task": self.task.name,
            "what": identity(self.task),
            "target": self.task.target,
            "optimizer": self.recipe.name,
            "class": kind if isinstance(kind, str) else getattr(kind, "__qualname__", "own"),
            "arguments": dict(self.recipe.settings),
            "rate": self.choice.rate,
            "drawn": dict(self.choice.drawn),
            "schedule": self.choice.schedule,
            "run_seed": self.run,
            "steps": budget.steps,
            "every": budget.every,
        }

    def key(self, budget: Budget) -> str:
        """Return the settings as one text, equal for equal runs."""
        return _key(self.settings(budget))


def _key(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, default=str)


def versions() -> dict[str, str]:
    """Return what a run may depend on beside its settings."""
    return {"microtensor": mt.__version__, "numpy": np.__version__, "backend": kernels.backend}


@dataclass
class Records:
    """The runs in a file, and those that are added to it; without a file, in memory.

    Attributes:
        path: the file, JSON lines; made with the first run.
        seed: of the comparison, written into each line.
        found: outcomes by what decides them.
        refused: for each line that cannot be used, its number and why.
        repeated: how many runs were taken from the file.
    """

    path: Path | None
    seed: int
    found: dict[str, Trial] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    repeated: int = 0
    _torn: bool = False

    @classmethod
    def read(cls, path: str | os.PathLike[str] | None, seed: int) -> Records:
        """Read a file, or start a new one.

        Raises:
            OSError: it cannot be read, or not be written; said before any work.
        """
        made = cls(None if path is None else Path(path), seed)
        if made.path is None:
            return made
        made.path.parent.mkdir(parents=True, exist_ok=True)
        with made.path.open("ab+") as file:
            file.seek(0)
            content = file.read()
        made._torn = bool(content) and not content.endswith(b"\n")
        for number, line in enumerate(content.splitlines(), 1):
            why = made._take(line)
            if why:
                made.refused.append(f"line {number}: {why}")
        return made

    def _take(self, line: bytes) -> str:
        """Take one line; return why it cannot be used, if so."""
        try:
            row = json.loads(line)
        except ValueError:
            return "cut off, or no JSON"
        if not isinstance(row, dict) or row.get("form") != FORM:
            return f"not of form {FORM}"
        if row.get("versions") != versions():
            given = row.get("versions")
            other = given if isinstance(given, dict) else {}
            differing = [
                f"{name} {other.get(name)}" for name, own in versions().items()
                if other.get(name) != own
            ]  # fmt: skip
            return f"made by {', '.join(differing) or 'another version'}"
        try:
            self.found[_key(row["settings"])] = _trial(row["outcome"])
        except (KeyError, TypeError, ValueError):
            return "something is missing"
        return ""

    def get(self, job: Job, budget: Budget) -> Trial | None:
        """Return the outcome of a run that was done before, or None."""
        return self.found.get(job.key(budget))

    def add(self, job: Job, budget: Budget, outcome: Trial) -> None:
        """Keep the outcome of a run; when this returns, its line is in the file."""
        settings = json.loads(job.key(budget))
        self.found[_key(settings)] = outcome
        if self.path is None:
            return
        row = {
            "form": FORM, "versions": versions(), "seed": self.seed, "purpose": job.purpose,
            "settings": settings, "outcome": _plain(outcome),
        }  # fmt: skip
        start = "\n" if self._torn else ""  # what was cut off stays a line of its own
        self._torn = False
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{start}{json.dumps(row, allow_nan=False)}\n")

    def report(self, most: int = 3) -> str:
        """Return in words what of the file could not be used; empty if all was good."""
        if not self.refused:
            return ""
        rest = len(self.refused) - most
        listed = "; ".join(self.refused[:most]) + (f"; and {rest} more" if rest > 0 else "")
        return f"{len(self.refused)} lines of {self.path} are not used: {listed}"


# JSON has no infinity and no NaN: the one is null in a list of losses, the other as a score.
_NEVER = ("reached", "rows_to_target", "seconds_to_target")


def _plain(outcome: Trial) -> dict[str, Any]:
    return {
        name: [_finite(one) for one in value] if isinstance(value, tuple) else _finite(value)
        for name, value in dataclasses.asdict(outcome).items()
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _trial(row: dict[str, Any]) -> Trial:
    def losses(values: Sequence[float | None]) -> tuple[float, ...]:
        return tuple(math.inf if one is None else float(one) for one in values)

    whole = dict(row)
    whole["steps"] = tuple(int(one) for one in row["steps"])
    whole["training"], whole["validation"] = losses(row["training"]), losses(row["validation"])
    whole["score"] = math.nan if row["score"] is None else row["score"]
    for name in _NEVER:
        whole[name] = math.inf if row[name] is None else row[name]
    if not len(whole["steps"]) == len(whole["training"]) == len(whole["validation"]):
        raise ValueError("lists of different lengths")
    return Trial(**whole)
