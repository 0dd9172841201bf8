"""The examples in docs/capture.md, run as they stand."""

import doctest
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "capture.md"


def test_the_examples_of_the_page():
    text = PAGE.read_text(encoding="utf-8").replace("```python", "").replace("```", "")
    example = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)
    assert runner.tries > 20
