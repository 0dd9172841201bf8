"""What a plan consists of, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from microtensor.capturing.plan import Program, Segment
from microtensor.capturing.settle import Settlement


@dataclass(frozen=True)
class Report:
    """What a captured step does at each replay.

    Attributes:
        steps: the ops, kernels, optimizer steps and other calls recorded, in order, by name.
        segments: of the runs through C, how many calls each makes.
        host_calls: what is called in Python between them, in order, by name.
        temporaries: how many arrays live only within a replay.
        temporary_bytes: what these would take if each had memory of its own.
        arena_bytes: what they take, sharing it.
        in_place: how many results are written over an operand that nobody needs any more.
        plans: how many plans there are in all.
    """

    steps: list[str]
    segments: list[int]
    host_calls: list[str]
    temporaries: int
    temporary_bytes: int
    arena_bytes: int
    in_place: int
    plans: int

    def __str__(self) -> str:
        calls = sum(self.segments)
        lines = [
            f"captured step ({_count(self.plans, 'plan')}; this is of the latest)",
            f"  {_count(len(self.steps), 'step')}: {_count(calls, 'call')} into C in "
            f"{_count(len(self.segments), 'segment')}, {_count(len(self.host_calls), 'host call')}",
            f"  {_count(self.temporaries, 'temporary buffer')}, {self.temporary_bytes:,} bytes in "
            f"an arena of {self.arena_bytes:,}, {_count(self.in_place, 'result')} written over an "
            "operand",
        ]
        lines += [f"  host call: {name}" for name in self.host_calls]
        return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def make_report(program: Program, settlement: Settlement, plans: int) -> Report:
    """Give the report of one plan."""
    segments: list[Any] = [part for part in program.parts if isinstance(part, Segment)]
    return Report(
        steps=[step.name for step in program.steps],
        segments=[part.calls for part in segments],
        host_calls=program.host_calls(),
        temporaries=settlement.temporaries,
        temporary_bytes=settlement.temporary_bytes,
        arena_bytes=settlement.arena_bytes,
        in_place=settlement.in_place,
        plans=plans,
    )
