"""The exit status of a demo."""

import pytest

from microtensor.lab import Column, Result, Table, Verdict, script


@pytest.mark.parametrize(
    ("given", "number", "otherwise", "status"),
    [
        ([], 2, "fails", 0),
        (["--strict"], 2, "fails", 1),
        (["--strict"], 2, "unresolved", 0),
        (["--strict"], 0, "fails", 0),
    ],
)
def test_only_strict_makes_a_claim_that_fails_an_error(given, number, otherwise, status, tmp_path):
    arguments = script.parser("A demo.").parse_args([*given, "--out", str(tmp_path)])
    table = Table("numbers", "Numbers", [{"number": number}], [Column("number", str)])
    verdict = Verdict("it is small", number, 1, otherwise=otherwise)
    result = Result("demo", tables=[table], verdicts=[verdict])
    assert script.run(arguments, "nothing", lambda _: result) == status
    assert (tmp_path / "demo.json").exists()


def test_the_help_says_what_the_status_means(capsys):
    with pytest.raises(SystemExit):
        script.parser("A demo.").parse_args(["--help"])
    assert "1 with --strict" in " ".join(capsys.readouterr().out.split())
