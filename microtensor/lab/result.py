"""What every function of the laboratory returns: tables, pictures, and verdicts."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from microtensor.lab.environment import environment
from microtensor.lab.optional import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

# What pillow calls Quantize.MAXCOVERAGE.
_BY_COVERAGE = 1

Status = Literal["holds", "fails", "unresolved"]


@dataclass(frozen=True)
class Verdict:
    """A claim, the number that was measured for it, and what follows.

    Attributes:
        claim: what was to be shown.
        number: what was measured.
        tolerance: what it is held against.
        relation: ``"<="`` if the number may be at most the tolerance, ``">="`` if at least.
        open_because: why a number on the right side does not settle the claim, if so.
        otherwise: what a number on the wrong side means: ``"fails"``, or ``"unresolved"`` where
            it is the absence of evidence, as a large p value is.
        interval: where the number may as well lie, if it was measured on samples. One that
            reaches over to the other side of the tolerance leaves the claim unresolved.
        detail: where the number was found, and what else a reader should know.
        command: what repeats the measurement.

    Example:
        >>> Verdict("error", number=2e-15, tolerance=1e-12).status
        'holds'
    """

    claim: str
    number: float
    tolerance: float
    relation: Literal["<=", ">="] = "<="
    open_because: str = ""
    otherwise: Literal["fails", "unresolved"] = "fails"
    detail: str = ""
    command: str = ""
    interval: tuple[float, float] | None = None

    @property
    def status(self) -> Status:
        """``holds``, ``fails`` or ``unresolved``, from the number.

        A number on the wrong side counts, whatever else is open; one that is NaN decides nothing.
        """
        if math.isnan(self.number):
            return "unresolved"
        within = self._within(self.number)
        if self.interval is not None and any(self._within(end) != within for end in self.interval):
            return "unresolved"
        if not within:
            return self.otherwise
        return "unresolved" if self.open_because else "holds"

    def _within(self, number: float) -> bool:
        return number <= self.tolerance if self.relation == "<=" else number >= self.tolerance

    @property
    def measured(self) -> str:
        """The number, its interval if it has one, and what it is held against."""
        shown = f"{self.number:.3g}"
        if self.interval is not None:
            shown += f" [{self.interval[0]:.3g}, {self.interval[1]:.3g}]"
        return f"measured {shown}, required {self.relation} {self.tolerance:g}"

    def __str__(self) -> str:
        lines = [
            f"{self.status.upper()}: {self.claim}",
            f"  {self.measured}",
        ]
        if self.open_because:
            lines.append(f"  open: {self.open_because}")
        if self.detail:
            lines.append(f"  {self.detail}")
        if self.command:
            lines.append(f"  repeat: {self.command}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields and the status, for JSON."""
        return {
            "claim": self.claim,
            "status": self.status,
            "number": self.number if math.isfinite(self.number) else str(self.number),
            "interval": self.interval and [float(end) for end in self.interval],
            "relation": self.relation,
            "tolerance": self.tolerance,
            "open_because": self.open_because,
            "detail": self.detail,
            "command": self.command,
        }


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and how a record is shown in it."""

    heading: str
    show: Callable[[Mapping[str, Any]], str]
    right: bool = True


@dataclass(frozen=True)
class Table:
    """Records, and the columns that show them.

    Attributes:
        name: a word for file names.
        title: what stands above.
        records: one mapping per row, with the same keys, full precision.
        columns: what is printed of them.
        caption: what stands below.
        saved: the records that go into the file, where the table shows a summary of them.
    """

    name: str
    title: str
    records: Sequence[Mapping[str, Any]]
    columns: Sequence[Column]
    caption: str = ""
    saved: Sequence[Mapping[str, Any]] | None = None

    def __str__(self) -> str:
        if not self.records:  # the title says so; columns of nothing say no more
            return self.title
        box, console, text = require("rich.box"), require("rich.console"), require("rich.text")
        shown = require("rich.table").Table(box=box.SIMPLE_HEAD)
        for column in self.columns:
            shown.add_column(column.heading, justify="right" if column.right else "left")
        for record in self.records:
            shown.add_row(*[text.Text(column.show(record)) for column in self.columns])
        # As wide as the table needs, whatever the terminal: the same run gives the same text.
        printed = io.StringIO()
        console.Console(width=250, file=printed).print(shown)
        lines = [line.rstrip() for line in printed.getvalue().splitlines()]
        return "\n".join([self.title, *lines, *textwrap.wrap(self.caption, 110)]).strip("\n")

    def frame(self) -> DataFrame:
        """Return the records as a pandas DataFrame, full precision."""
        made: DataFrame = require("pandas").DataFrame([dict(one) for one in self._full])
        return made

    @property
    def _full(self) -> Sequence[Mapping[str, Any]]:
        return self.records if self.saved is None else self.saved

    def write_csv(self, path: Path) -> None:
        """Write the records, one line each."""
        with path.open("w", newline="", encoding="utf-8") as file:
            records = self._full
            writer = csv.DictWriter(file, list(records[0]) if records else [], lineterminator="\n")
            writer.writeheader()
            writer.writerows(records)


class Result:
    """The outcome of one function of the laboratory.

    Attributes:
        name: a word for file names.
        tables: the tables, the main one first.
        verdicts: what was shown, and what was not.
        settings: everything that decides the numbers, the same on every machine.
        seconds: how long the parts took; no two runs agree on these.
        moving: what the report plays, by name: data for its canvas.
        animations: what writes a GIF to a path, by name.
    """

    def __init__(
        self,
        name: str,
        *,
        tables: Sequence[Table],
        verdicts: Sequence[Verdict] = (),
        pictures: Mapping[str, Callable[[], Figure]] | None = None,
        settings: Mapping[str, Any] | None = None,
        seconds: Mapping[str, float] | None = None,
        moving: Mapping[str, Mapping[str, Any]] | None = None,
        animations: Mapping[str, Callable[[Path], None]] | None = None,
    ) -> None:
        self.name = name
        self.tables = tuple(tables)
        self.verdicts = tuple(verdicts)
        self.settings = dict(settings or {})
        self.seconds = dict(seconds or {})
        self.moving = dict(moving or {})
        self.animations = dict(animations or {})
        self._pictures = dict(pictures or {})
        self._figures: dict[str, Figure] = {}

    @property
    def table(self) -> Table:
        """The main table."""
        return self.tables[0]

    @property
    def figures(self) -> dict[str, Figure]:
        """All pictures by name, drawn when they are first asked for."""
        return {name: self._drawn(name) for name in self._pictures}

    def encoded(self) -> dict[str, bytes]:
        """Return all pictures by name as the bytes of PNG files for a page; none is kept."""
        return {
            name: png(self._figures.get(name) or draw(), colours=128)
            for name, draw in self._pictures.items()
        }

    @property
    def figure(self) -> Figure:
        """The main picture."""
        if not self._pictures:
            raise ValueError(f"{self.name}: this result has no picture")
        return self._drawn(next(iter(self._pictures)))

    def _drawn(self, name: str) -> Figure:
        if name not in self._figures:
            self._figures[name] = self._pictures[name]()
        return self._figures[name]

    @property
    def verdict(self) -> Verdict:
        """The verdict that weighs most: one that fails, else an unresolved one, else the first."""
        if not self.verdicts:
            raise ValueError(f"{self.name}: this result has no verdict")
        order: list[Status] = ["fails", "unresolved", "holds"]
        return min(self.verdicts, key=lambda verdict: order.index(verdict.status))

    def __str__(self) -> str:
        parts = [str(table) for table in self.tables]
        commands = {verdict.command for verdict in self.verdicts}
        if len(commands) == 1:  # said once is enough
            parts += [str(dataclasses.replace(one, command="")) for one in self.verdicts]
            parts += [f"Repeat: {command}" for command in commands if command]
        else:
            parts += [str(verdict) for verdict in self.verdicts]
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        """Return verdicts, pictures and tables as a notebook shows them."""
        from microtensor.lab.page import fragment  # the page needs to know what a Result is

        return fragment(self)

    def save(
        self, folder: str | os.PathLike[str], *, svg: bool = False, gif: bool = False
    ) -> list[Path]:
        """Write pictures (PNG), tables (CSV), and settings with verdicts (JSON) into a folder.

        Everything is written aside first and then moved into place, so that an interrupted save
        leaves no half-written file. The seconds have a file of their own; all other files are the
        same for the same seed.

        Args:
            folder: where; made if it is not there.
            svg: whether pictures are written as SVG as well.
            gif: whether what moves is written as GIF as well; that takes seconds for each.

        Returns:
            The paths of the files.

        Raises:
            OSError: the folder cannot be made or written.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as aside:
            for name, figure in self.figures.items():
                (Path(aside) / f"{name}.png").write_bytes(png(figure))
                if svg:
                    (Path(aside) / f"{name}.svg").write_bytes(drawn_as(figure, "svg"))
            for name, animate in self.animations.items() if gif else ():
                animate(Path(aside) / f"{name}.gif")
            for table in self.tables:
                table.write_csv(Path(aside) / f"{table.name}.csv")
            account = {
                "name": self.name,
                "verdicts": [verdict.as_dict() for verdict in self.verdicts],
                "settings": self.settings,
                "environment": environment(),
            }
            _write_json(Path(aside) / f"{self.name}.json", account)
            if self.seconds:
                _write_json(Path(aside) / f"{self.name}_seconds.json", self.seconds)
            # Pictures and tables first: the account appears when all it speaks of is there.
            files = sorted(Path(aside).iterdir(), key=lambda path: (path.suffix == ".json", path))
            return [file.replace(folder / file.name) for file in files]


def png(figure: Figure, colours: int = 256) -> bytes:
    """Return a picture with a palette of so many colours: a third of the size, nothing to see."""
    image = require("PIL.Image").open(io.BytesIO(drawn_as(figure, "png"))).convert("RGB")
    # By coverage: the usual median cut spends the palette on the ground, and loses thin lines.
    # Then each colour moves to the mean of what it stands for; pillow would take a third of a
    # second for that. The ground stays white.
    coarse = image.quantize(colours, method=_BY_COVERAGE, dither=0)
    points, places = np.asarray(image).reshape(-1, 3), np.asarray(coarse).ravel()
    counts = np.maximum(np.bincount(places, minlength=256), 1)
    palette = np.stack([np.bincount(places, points[:, k], 256) / counts for k in range(3)], 1)
    corner = points[-1]
    if (corner == 255).all():
        palette[places[-1]] = corner
    coarse.putpalette(palette.round().astype(np.uint8).tobytes())
    small = io.BytesIO()
    coarse.save(small, "png", optimize=True)
    return small.getvalue()


def drawn_as(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Return a picture as the bytes of a file; the same ones for the same picture."""
    drawn = io.BytesIO()
    with require("matplotlib").rc_context({"svg.hashsalt": "microtensor"}):
        figure.savefig(drawn, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return drawn.getvalue()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def check_folder(folder: str | os.PathLike[str]) -> Path:
    """Make sure, before the work, that a folder can be written into; create nothing.

    Raises:
        OSError: it cannot; the message says why.
    """
    folder = Path(folder)
    standing = folder.absolute()
    while not standing.exists() and standing != standing.parent:
        standing = standing.parent
    if not standing.is_dir():
        raise NotADirectoryError(f"cannot write to {folder}: {standing} is not a folder")
    try:
        with tempfile.TemporaryFile(dir=standing):
            pass
    except OSError as error:
        raise OSError(f"cannot write to {folder}: {error.strerror or error}") from error
    return folder
