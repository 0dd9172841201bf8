"""The report: chapters on one page, whatever happens to one of them."""

import html.parser
import json
import re
import sys

import pytest

from microtensor import lab
from microtensor.lab import page
from microtensor.lab.__main__ import main
from microtensor.lab.chapters import CHAPTERS, Chapter, chapter_names
from microtensor.lab.plot import new_figure
from microtensor.lab.report import Interrupted

pytest.importorskip("jinja2")


def draw():
    figure = new_figure(2, 1)
    figure.subplots().plot([1, 2])
    return figure


def small_result(name="small", number=0.5, **more):
    table = lab.Table(
        name,
        "A table of <things> & more",
        [{"what": "a<b", "value": 0.5}],
        [lab.Column("what", lambda row: row["what"], right=False),
         lab.Column("value", lambda row: f"{row['value']:.1f}")],
    )  # fmt: skip
    verdict = lab.Verdict(
        "a claim <tag>", number, 1.0, detail="of it", command="python it", interval=(0.4, 0.6)
    )
    return lab.Result(name, tables=[table], verdicts=[verdict], pictures={name: draw}, **more)


@pytest.fixture
def few(monkeypatch):
    """Three chapters: one that works, one that cannot be run, one that has two results."""

    def broken(setting):
        raise ArithmeticError("nothing <adds> up")

    def two(setting):
        return {"first": small_result("one"), "second": small_result("two", 3.0 + setting.seed)}

    made = [
        Chapter("works", "It works", "Text & all.", lambda setting: small_result()),
        Chapter("broken", "It does not", "Text.", broken),
        Chapter("two", "Two of them", "Text.", two),
    ]
    monkeypatch.setattr(sys.modules["microtensor.lab.report"], "CHAPTERS", made)
    return made


class Outline(html.parser.HTMLParser):
    """The tags of a page, whether they are closed, and what it loads."""

    VOID = ("meta", "link", "img", "input", "line", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.loads = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attributes = dict(attrs)
        self.loads += [attributes[key] for key in ("src", "href") if key in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag


def test_a_page_holds_every_chapter_and_needs_nothing_beside_it(few, tmp_path):
    path = lab.report(tmp_path / "new" / "folder")
    text = path.read_text(encoding="utf-8")
    outline = Outline(text)
    assert not outline.open and outline.tags.count("section") == 3
    assert outline.tags.count("img") == 3
    for address in outline.loads:
        assert address.startswith(("data:", "#")), address
    assert "http" not in re.sub(r"data:[^\"]*", "", text)
    for escaped in ("a claim &lt;tag&gt;", "a&lt;b", "Text &amp; all.", "nothing &lt;adds&gt; up"):
        assert escaped in text
    assert "0.5 [0.4, 0.6]" in text and text.count("python it") == 3
    assert "3 HOLDS" not in text and "2 HOLDS" in text and "1 FAILS" not in text
    assert [one.name for one in (tmp_path / "new" / "folder").iterdir()] == ["report.html"]


def test_only_the_chapters_asked_for_are_run_and_unknown_ones_refused(few, tmp_path):
    text = lab.report(tmp_path, only=["two"], seed=4).read_text(encoding="utf-8")
    assert "Two of them" in text and "It works" not in text and "seed 4" in text
    with pytest.raises(ValueError, match="unknown chapter 'three'; known are: works, broken, two"):
        lab.report(tmp_path, only=["three"])


def test_ctrl_c_keeps_what_is_finished(few, tmp_path, capsys):
    def stop(setting):
        raise KeyboardInterrupt

    few[1] = Chapter("broken", "Stopped", "Text.", stop)
    with pytest.raises(Interrupted) as stopped:
        lab.report(tmp_path)
    text = stopped.value.path.read_text(encoding="utf-8")
    assert "Interrupted" in text and "It works" in text and "Two of them" not in text
    assert main(["report", "--out", str(tmp_path)]) == 130
    assert "what is finished is in" in capsys.readouterr().err
    few.pop(0)
    with pytest.raises(Interrupted) as stopped:
        lab.report(tmp_path / "empty")
    assert stopped.value.path is None and not (tmp_path / "empty").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(few, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    few[0] = Chapter("works", "It works", "", lambda setting: pytest.fail("worked"))
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        lab.report(tmp_path / "file")
    assert main(["report", "--out", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.startswith("error: cannot write to")


def test_the_command_prints_the_path(few, tmp_path, capsys):
    assert main(["report", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(tmp_path / "report.html")
    assert "It works" in said.err and "ArithmeticError" in said.err
    with pytest.raises(SystemExit):
        main(["report", "--only", "nothing"])


def test_chapters_have_names_of_their_own_and_real_ones_run(tmp_path):
    assert len(set(chapter_names())) == len(CHAPTERS) >= 9
    path = lab.report(tmp_path, only=["sheet", "pieces", "doctor"], quick=True, jobs=1)
    text = path.read_text(encoding="utf-8")
    assert "could not be run" not in text
    data = re.findall(r'<script type="application/json">(.*?)</script>', text)
    assert [json.loads(one)["kind"] for one in data] == ["sheet", "sheet"]
    assert path.stat().st_size < 1_000_000


def test_a_result_shows_itself_in_a_notebook():
    text = small_result()._repr_html_()
    Outline(text)
    assert "a claim &lt;tag&gt;" in text and "data:image/png;base64," in text
    assert "HOLDS" in text and "python it" in text
    # Its rules reach no further than itself.
    assert "@scope (.microtensor-result)" in text and "body {" not in text


def test_parts_of_a_chapter_are_taken_as_they_come():
    result = small_result()
    assert [part.heading for part in page.as_parts({"one": result})] == ["one"]
    assert page.as_parts(result)[0].result is result
    part = page.Part(result, folded=True)
    assert page.as_parts([part, result])[0] is part


def test_without_jinja_the_command_that_installs_it_is_named(monkeypatch):
    page._environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match="pip install jinja2"):
        small_result()._repr_html_()
    page._environment.cache_clear()
