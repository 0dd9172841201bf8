"""The report: every chapter run, and written as one page that needs nothing beside it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from microtensor.lab import page
from microtensor.lab.chapters import CHAPTERS, Chapter, Setting
from microtensor.lab.environment import environment
from microtensor.lab.optional import require
from microtensor.lab.result import check_folder

FILE = "report.html"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after the finished chapters were written.

    Attributes:
        path: of the report that holds them, or None if none was finished.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self.path = path


def report(
    out: str | os.PathLike[str] = "out",
    *,
    only: Sequence[str] = (),
    quick: bool = False,
    seed: int = 0,
    jobs: int | None = None,
    progress: bool = False,
) -> Path:
    """Run the laboratory's experiments, and write them as one self-contained HTML page.

    It needs no other file and no network, can be read on a phone, printed, and in the dark; every
    verdict on it is computed by this run and names the command that repeats it.

    Args:
        out: the folder of the page, ``report.html``.
        only: names of chapters; by default all.
        quick: whether smaller runs will do.
        seed: decides everything that is drawn.
        jobs: processes; by default one per core.
        progress: whether to say on standard error which chapter runs.

    Returns:
        The path of the page.

    Raises:
        ValueError: an unknown chapter; the legal ones are listed.
        OSError: the folder cannot be written, said before any work.
        ImportError: Jinja2 is not installed, said before any work.
        KeyboardInterrupt: as :class:`Interrupted`: what was finished is on the page.
    """
    chosen = _chosen(only)
    folder = check_folder(out)
    require("jinja2")  # what writes the page is missed before the work, not after it
    setting = Setting(quick, seed, jobs)
    written: list[page.Written] = []
    started = time.perf_counter()
    try:
        for chapter in chosen:
            begun = time.perf_counter()
            if progress:
                print(f"{chapter.name}: {chapter.title} ...", file=sys.stderr, flush=True)
            written.append(_run(chapter, setting))
            if progress:
                spent = time.perf_counter() - begun
                counts = ", ".join(f"{n} {status}" for status, n in written[-1].counts.items() if n)
                print(f"  {counts or written[-1].error or 'done'}; {spent:.1f} s", file=sys.stderr)
    except KeyboardInterrupt:
        path = _write(folder, written, started, setting, True) if written else None
        raise Interrupted(path) from None
    return _write(folder, written, started, setting, False)


def _chosen(only: Sequence[str]) -> list[Chapter]:
    if isinstance(only, str):
        only = (only,)
    names = {chapter.name: chapter for chapter in CHAPTERS}
    for name in only:
        if name not in names:
            raise ValueError(f"unknown chapter {name!r}; known are: {', '.join(names)}")
    return [chapter for chapter in CHAPTERS if not only or chapter.name in only]


def _run(chapter: Chapter, setting: Setting) -> page.Written:
    """Run a chapter; one that cannot be run says why on the page, and the others go on."""
    try:
        parts = page.as_parts(chapter.run(setting))
        for part in parts:
            _ = part.pictures  # drawn here, so that an error in it is this chapter's
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        return page.Written(chapter.name, chapter.title, chapter.text, error=what)
    return page.Written(chapter.name, chapter.title, chapter.text, parts)


def _write(
    folder: Path,
    written: Sequence[page.Written],
    started: float,
    setting: Setting,
    interrupted: bool,
) -> Path:
    where = environment()
    about = (
        f"microtensor {where['microtensor']}, {where['backend']} kernels, "
        f"Python {where['python']}, NumPy {where['numpy']}, {where['machine']}; seed {setting.seed}"
        f"{'; quick runs' if setting.quick else ''}."
    )
    footer = f"Made in {time.perf_counter() - started:.0f} seconds, which differ from run to run."
    text = page.page(written, about=about, footer=footer, interrupted=interrupted)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as aside:
        whole = Path(aside) / FILE
        whole.write_text(text, encoding="utf-8")
        return whole.replace(folder / FILE)
