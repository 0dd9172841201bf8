"""The page in a real browser, as wide as a phone."""

import time

import browser
import pytest

from microtensor import lab
from microtensor.lab import page
from microtensor.lab.chapters import Setting, _curves, _pieces, _sheet

pytest.importorskip("jinja2")
pytestmark = [
    pytest.mark.skipif(not browser.available, reason="no chromium with chromedriver"),
    pytest.mark.slow,
]

WIDEST = """
return [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5)
  .map((one) => one.outerHTML.slice(0, 80));
"""


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    setting = Setting(quick=True, jobs=1)
    races = [
        page.Part(lab.race(name, steps=40, rates=(0.01, 0.1)), folded=True)
        for name in ("beale", "saddle")
    ]
    written = [
        page.Written("sheet", "Sheets", "Text", _sheet(setting)),
        page.Written("pieces", "Pieces", "Text", _pieces(setting)),
        page.Written("curves", "Curves", "Text", page.as_parts(_curves(setting))),
        page.Written("race", "Races", "Text", races),
    ]
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.page(written, about="About."), encoding="utf-8")
    with browser.page(width=360) as opened:
        opened.open(path)
        opened.wait_for("return document.querySelectorAll('.player').length === 4")
        yield opened
        assert opened.complaints() == []


def test_nothing_is_wider_than_a_phone_even_unfolded(phone):
    phone.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert phone.run("return innerWidth") == 360
    assert phone.run("return document.documentElement.scrollWidth") == 360
    assert phone.run(WIDEST) == []


def test_playing_moves_and_pausing_stops(phone):
    phone.run("window.one = document.querySelectorAll('.player')[2];")
    phone.run("one.querySelector('.play').click()")
    phone.wait_for("return one.player.step > 0")
    phone.run("one.querySelector('.play').click()")
    stopped = phone.run("return one.player.step")
    time.sleep(0.1)
    assert phone.run("return one.player.step") == stopped == int(stopped)
    assert phone.run("return one.querySelector('.play').textContent") == "▶ play"


def test_scrubbing_and_stepping_change_the_picture(phone):
    phone.run("window.one = document.querySelectorAll('.player')[2];")
    scrub = """
    const bar = one.querySelector(".scrub");
    bar.value = arguments[0];
    bar.dispatchEvent(new Event("input"));
    return [one.player.step, one.querySelector("canvas").toDataURL().length,
            one.querySelector("output").textContent];
    """
    step, first, said = phone.run(scrub, 0)
    assert (step, said) == (0, "step 0 / 40")
    step, later, said = phone.run(scrub, 25)
    assert (step, said) == (25, "step 25 / 40") and later != first
    phone.run("one.querySelector('.forward').click()")
    assert phone.run("return one.player.step") == 26
    phone.run("one.querySelector('.back').click(); one.querySelector('.back').click()")
    assert phone.run("return one.player.step") == 24
    phone.run(scrub, 40)
    phone.run("one.querySelector('.forward').click()")
    assert phone.run("return one.player.step") == 40


def test_a_name_that_is_tapped_hides_its_line(phone):
    phone.run("window.one = document.querySelectorAll('.player')[2];")
    shot = "return one.querySelector('canvas').toDataURL()"
    before = phone.run(shot)
    phone.run("one.querySelector('.legend button').click()")
    assert phone.run(shot) != before
    pressed = "return one.querySelector('.legend button').getAttribute('aria-pressed')"
    assert phone.run(pressed) == "false"
    phone.run("one.querySelector('.legend button').click()")
    assert phone.run(shot) == before


def test_a_sheet_goes_from_stage_to_stage(phone):
    phone.run("window.one = document.querySelectorAll('.player')[1];")
    said = [phone.run("return one.querySelector('output').textContent")]
    for _ in range(5):
        phone.run("one.querySelector('.forward').click()")
        said.append(phone.run("return one.querySelector('output').textContent"))
    assert said == ["x", "z¹", "a¹", "z²", "a²", "z³"]


def test_dark_is_dark_and_light_is_light(phone):
    ground = "return getComputedStyle(document.body).backgroundColor"
    first = phone.run(ground)
    phone.run("document.getElementById('theme').click()")
    second = phone.run(ground)
    phone.run("document.getElementById('theme').click()")
    assert {first, second} == {"rgb(252, 252, 250)", "rgb(22, 24, 27)"}
    assert phone.run(ground) == first


def test_a_still_that_is_tapped_fills_the_screen_and_goes_again(phone):
    phone.run("document.querySelector('.drawing img').click()")
    assert phone.run("return document.querySelectorAll('.zoom').length") == 1
    phone.run("document.querySelector('.zoom').click()")
    assert phone.run("return document.querySelectorAll('.zoom').length") == 0


def test_in_print_everything_is_open_and_controls_are_gone(phone):
    phone.run("document.querySelectorAll('details').forEach((one) => { one.open = false; })")
    phone.run("dispatchEvent(new Event('beforeprint'))")
    assert phone.run("return document.querySelectorAll('details:not([open])').length") == 0
    phone.command("Emulation.setEmulatedMedia", media="print")
    shown = "return getComputedStyle(document.querySelector('.controls')).display"
    assert phone.run(shown) == "none"
    phone.command("Emulation.setEmulatedMedia", media="")
