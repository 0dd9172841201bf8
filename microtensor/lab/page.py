"""Results as HTML: a fragment for notebooks, and the report as one self-contained page."""

from __future__ import annotations

import base64
import functools
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microtensor.lab.optional import require
from microtensor.lab.result import Result

_TEMPLATES = Path(__file__).parent / "templates"
_STATUSES = ("holds", "fails", "unresolved")


@dataclass(frozen=True)
class Picture:
    """A picture as the text of an address, and its size in points of the page."""

    data: str
    width: int
    height: int


@dataclass(frozen=True)
class Part:
    """A result in a chapter.

    Attributes:
        result: what is shown.
        heading: above it.
        folded: whether tables and stills wait until someone asks for them.
    """

    result: Result
    heading: str = ""
    folded: bool = False

    @property
    def commands(self) -> list[str]:
        """The commands that repeat the verdicts, each once."""
        return commands(self.result)

    @functools.cached_property
    def pictures(self) -> dict[str, Picture]:
        """The pictures, drawn."""
        return pictures(self.result)


@dataclass(frozen=True)
class Written:
    """A chapter that was run, or could not be."""

    name: str
    title: str
    text: str
    parts: Sequence[Part] = ()
    error: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many verdicts hold, fail and stay unresolved."""
        return counted(part.result for part in self.parts)


def counted(results: Iterable[Result]) -> dict[str, int]:
    """Return how many verdicts hold, fail and stay unresolved."""
    found = [verdict.status for result in results for verdict in result.verdicts]
    return {status: found.count(status) for status in _STATUSES}  # type: ignore[arg-type]


def commands(result: Result) -> list[str]:
    """Return the commands that repeat the verdicts of a result, each once."""
    return list(dict.fromkeys(one.command for one in result.verdicts if one.command))


def pictures(result: Result) -> dict[str, Picture]:
    """Return the pictures of a result, drawn and encoded."""
    drawn = {}
    for name, content in result.encoded().items():
        width, height = struct.unpack(">II", content[16:24])
        data = "data:image/png;base64," + base64.b64encode(content).decode("ascii")
        drawn[name] = Picture(data, width, height)
    return drawn


def fragment(result: Result) -> str:
    """Return verdicts, pictures and tables of a result as HTML for a notebook."""
    css = _text("report.css")
    # In a notebook the rules must not reach beyond the result.
    own = css[css.index(".badge {") : css.index(".player {")]
    scoped = (
        ".microtensor-result { --ink: CanvasText; --quiet: GrayText; --line: #cccccc; --card: "
        "transparent; --accent: LinkText; --paper: Canvas; --holds: #00734f; --fails: #b03a00; "
        "--unresolved: #6b6b6b; }\n@scope (.microtensor-result) {\n" + own + "}\n"
    )
    rendered: str = (
        _environment()
        .get_template("fragment.html")
        .render(
            result=result, commands=commands(result), pictures=pictures(result), css=_safe(scoped)
        )
    )
    return rendered


def page(
    chapters: Sequence[Written], *, about: str, footer: str = "", interrupted: bool = False
) -> str:
    """Return the report: one page that needs nothing beside it."""
    rendered: str = (
        _environment()
        .get_template("report.html")
        .render(
            chapters=chapters,
            counts=counted(part.result for chapter in chapters for part in chapter.parts),
            about=about,
            footer=footer,
            interrupted=interrupted,
            css=_safe(_text("report.css")),
            js=_safe(_text("report.js")),
        )
    )
    return rendered


@functools.cache
def _environment() -> Any:
    jinja2 = require("jinja2")
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "sort_keys": False}
    return made


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _safe(text: str) -> Any:
    return require("markupsafe").Markup(text)


def as_parts(given: Result | Sequence[Result | Part] | Mapping[str, Result]) -> list[Part]:
    """Return what a chapter's function returned as parts."""
    if isinstance(given, Result):
        return [Part(given)]
    if isinstance(given, Mapping):
        return [Part(result, heading) for heading, result in given.items()]
    return [one if isinstance(one, Part) else Part(one) for one in given]
