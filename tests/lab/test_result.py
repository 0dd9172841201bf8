"""Verdicts, tables, and saving results."""

import json
import math

import pytest

from microtensor import lab
from microtensor.lab.plot import new_figure
from microtensor.lab.result import check_folder


@pytest.mark.parametrize(
    ("number", "relation", "more", "status"),
    [
        (1.0, "<=", {}, "holds"),
        (2.0, "<=", {}, "holds"),
        (2.1, "<=", {}, "fails"),
        (2.1, ">=", {}, "holds"),
        (1.9, ">=", {}, "fails"),
        (math.nan, "<=", {}, "unresolved"),
        (math.inf, "<=", {}, "fails"),
        (1.0, "<=", {"open_because": "not converged"}, "unresolved"),
        (2.1, "<=", {"open_because": "not converged"}, "fails"),
        (2.1, "<=", {"otherwise": "unresolved"}, "unresolved"),
        (1.0, "<=", {"interval": (0.5, 1.5)}, "holds"),
        (1.0, "<=", {"interval": (0.5, 2.5)}, "unresolved"),
        (3.0, "<=", {"interval": (1.5, 4.5)}, "unresolved"),
        (3.0, "<=", {"interval": (2.5, 3.5)}, "fails"),
        (3.0, ">=", {"interval": (2.5, 3.5)}, "holds"),
    ],
)
def test_the_status_follows_from_the_number(number, relation, more, status):
    verdict = lab.Verdict("claim", number, 2.0, relation, **more)
    assert verdict.status == status
    assert str(verdict).startswith(status.upper())


def table(rows=2):
    records = [{"name": f"row {index}", "value": index / 3} for index in range(rows)]
    columns = [
        lab.Column("name", lambda row: row["name"], right=False),
        lab.Column("value", lambda row: f"{row['value']:.2f}"),
    ]
    return lab.Table("numbers", "Some [bold]numbers[/bold]", records, columns, caption="below")


def result(**more):
    return lab.Result("test", tables=[table()], **more)


def test_a_table_prints_its_cells_and_saves_full_precision(tmp_path):
    text = str(table())
    assert "Some [bold]numbers[/bold]" in text and "0.33" in text and "below" in text
    table().write_csv(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "name,value",
        "row 0,0.0",
        "row 1,0.3333333333333333",
    ]


def test_the_weightiest_verdict_comes_first():
    holds = lab.Verdict("a", 0, 1)
    fails = lab.Verdict("b", 2, 1)
    unresolved = lab.Verdict("c", math.nan, 1)
    assert result(verdicts=[holds, unresolved, fails]).verdict is fails
    assert result(verdicts=[holds, unresolved]).verdict is unresolved
    assert result(verdicts=[holds]).verdict is holds


def test_an_interval_is_told_with_the_number():
    verdict = lab.Verdict("a", 1.0, 2.0, interval=(0.5, 1.5))
    assert "measured 1 [0.5, 1.5], required <= 2" in str(verdict)
    assert verdict.as_dict()["interval"] == [0.5, 1.5]
    assert lab.Verdict("a", 1.0, 2.0).as_dict()["interval"] is None


def test_a_table_becomes_a_data_frame_in_full_precision():
    pytest.importorskip("pandas")
    frame = table().frame()
    assert list(frame.columns) == ["name", "value"] and frame["value"][1] == 1 / 3


def test_pictures_keep_the_colours_of_thin_lines(tmp_path):
    image = pytest.importorskip("PIL.Image")

    def draw():
        figure = new_figure(3, 3)
        axes = figure.subplots()
        axes.imshow([[index * other for index in range(40)] for other in range(40)], cmap="Blues")
        for index, colour in enumerate(("#009e73", "#d55e00", "#cc79a7")):
            axes.plot([0, 39], [10 * index, 10 * index + 5], color=colour, linewidth=1)
        return figure

    for name, content in result(pictures={"picture": draw}).encoded().items():
        (tmp_path / name).write_bytes(content)
    with image.open(tmp_path / "picture") as drawn:
        found = {colour for _, colour in drawn.convert("RGB").getcolors()}
    assert len(found) <= 128  # what keeps a report of sixty pictures below 5 MB
    for wanted in ((0, 158, 115), (213, 94, 0), (204, 121, 167)):
        nearest = min(max(abs(a - b) for a, b in zip(one, wanted, strict=True)) for one in found)
        assert nearest < 12


def test_one_command_is_printed_once():
    verdicts = [lab.Verdict("a", 0, 1, command="run me"), lab.Verdict("b", 0, 1, command="run me")]
    assert str(result(verdicts=verdicts)).count("run me") == 1
    verdicts[0] = lab.Verdict("a", 0, 1, command="run that")
    assert "repeat: run that" in str(result(verdicts=verdicts))


def test_save_writes_everything_and_leaves_nothing_aside(tmp_path):
    drawn = []

    def draw():
        drawn.append(True)
        figure = new_figure(2, 1)
        figure.subplots().plot([1, 2])
        return figure

    folder = tmp_path / "new" / "folder"
    one = result(
        pictures={"picture": draw},
        verdicts=[lab.Verdict("claim", math.inf, 1, command="python it")],
        settings={"seed": 3},
        seconds={"all": 1.5},
    )
    assert one.figure is one.figures["picture"] and drawn == [True]
    files = one.save(folder)
    names = {"numbers.csv", "picture.png", "test.json", "test_seconds.json"}
    assert {path.name for path in files} == names == {path.name for path in folder.iterdir()}
    account = json.loads((folder / "test.json").read_text())
    assert account["verdicts"][0]["status"] == "fails"
    assert account["verdicts"][0]["number"] == "inf"
    assert account["settings"] == {"seed": 3}
    assert account["environment"]["backend"] in ("native", "numpy")
    assert "seconds" not in account
    assert one.save(folder) == files


def test_an_interrupted_save_writes_nothing(tmp_path):
    def draw():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        result(pictures={"picture": draw}).save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_result_without_picture_or_verdict_says_so():
    with pytest.raises(ValueError, match="no picture"):
        _ = result().figure
    with pytest.raises(ValueError, match="no verdict"):
        _ = result().verdict


def test_check_folder_creates_nothing_and_refuses_what_cannot_be_written(tmp_path):
    assert check_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError, match="is not a folder"):
            check_folder(folder)


def test_check_folder_tries_to_write(tmp_path, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OSError, match=r"cannot write to .*: Permission denied"):
        check_folder(tmp_path)
