"""The report in a browser: headless Chromium, driven by Selenium. A missing browser fails; it is no skip."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import mtjchar
from mtjchar.report import write_report
from mtjchar.report.drawings import Place, draw
from mtjchar.report.pulses import answers, steps
from mtjchar.surfaces import WriteSurface

RUN = mtjchar.example_run()
NAMES = ("amplitude", "duration")
WIDTHS = (390, 1280, 2560)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The report of the run that comes with mtjchar."""
    out = tmp_path_factory.mktemp("report") / "report.html"
    write_report(RUN.path, out)
    return out


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    # As root, as in containers, Chromium has no sandbox; it is shown nothing but this page.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Where the system has none Selenium looks for them itself.
    if found := shutil.which("chromium"):
        options.binary_location = found
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def opened(page, browser):
    browser.set_window_size(1280, 900)
    browser.get(page.as_uri())
    return browser


def panels(browser):
    found = browser.find_elements(By.CSS_SELECTOR, ".pulse")
    assert [one.get_attribute("data-direction") for one in found] == list(RUN.surface.directions)
    return found


def answer_of(panel):
    """What a panel says: words by their labels."""
    labels, words = (panel.find_elements(By.CSS_SELECTOR, f".answer {tag}") for tag in ("dt", "dd"))
    return {
        label.get_property("textContent"): word.get_property("textContent")
        for label, word in zip(labels, words, strict=True)
    }


def set_sliders(browser, panel, *places):
    """Put both sliders to shares of their ways, as a drag does."""
    for slider, place in zip(panel.find_elements(By.TAG_NAME, "input"), places, strict=True):
        browser.execute_script(
            "arguments[0].value = Math.round(arguments[1] * arguments[0].max);"
            "arguments[0].dispatchEvent(new Event('input', {bubbles: true}));",
            slider, place,
        )  # fmt: skip


def test_the_page_is_small_and_asks_for_nothing(page):
    assert page.stat().st_size < 5e6
    text = page.read_text(encoding="utf-8")
    assert re.search(r"""(?:src|href)=["'](?!#|data:)""", text) is None
    assert re.search(r"@import|url\((?!#)|fetch\(|XMLHttpRequest", text) is None


def test_it_loads_without_errors(opened):
    timing = opened.execute_script(
        "const paint = performance.getEntriesByName('first-contentful-paint')[0];"
        "return {...performance.getEntriesByType('navigation')[0].toJSON(), paint: paint && paint.startTime};"
    )
    assert opened.execute_script("return document.readyState") == "complete"
    assert timing["loadEventEnd"] > 0.0
    print(f"first view after {timing['paint']:.0f} ms, loaded after {timing['loadEventEnd']:.0f} ms")
    assert opened.get_log("browser") == []


# Corners and middles. At the strongest pulse the rates of this run are extrapolated; see below.
@pytest.mark.parametrize("places", [(0.0, 0.0), (0.31, 0.52), (0.74, 0.46), (1.0, 1.0)])
def test_sliders_say_what_query_says(opened, call, places):
    for panel in panels(opened):
        set_sliders(opened, panel, *places)
        command = panel.find_element(By.CSS_SELECTOR, ".command code").get_property("textContent")
        _, query, _, *options = shlex.split(command)
        code, out, _ = call(query, RUN.path, *options, "--json")
        assert code == 0
        asked, shown = json.loads(out), answer_of(panel)
        # The first line is what `query` prints without --json; the others are rounded here.
        volt, second = (float(options[k].split()[0]) for k in (3, 5))
        words = RUN.surface.stated_rate(panel.get_attribute("data-direction"), volt, second).in_words()
        assert shown["write error rate"] == words
        extrapolated = "extrapolated" in shown["write error rate"]
        assert asked["extrapolated"] == extrapolated
        if asked["bound"]:
            assert f"below {asked['ber_upper']:.3g}" in shown["write error rate"]
        else:
            assert shown["write error rate"].startswith(f"{asked['ber']:.4g} ")
        if not extrapolated:
            assert f"95 %: {asked['ber_lower']:.3g} to {asked['ber_upper']:.3g}" in shown["write error rate"]
        assert shown["effective devices"] == f"{asked['effective_devices']:.3g}"
        assert shown["energy, switching write"] == f"{1e12 * asked['energy_J']:.4g} pJ"
        assert shown["energy, redundant write"] == f"{1e12 * asked['redundant_energy_J']:.4g} pJ"
        remark = panel.find_element(By.CSS_SELECTOR, ".remark")
        assert remark.is_displayed() == extrapolated
        assert remark.text.startswith("Extrapolated") == extrapolated


def test_the_pulses_tried_have_extrapolated_ones(opened):
    for panel in panels(opened):
        set_sliders(opened, panel, 1.0, 1.0)
        assert "extrapolated" in answer_of(panel)["write error rate"]
        set_sliders(opened, panel, 0.0, 0.0)
        assert "extrapolated" not in answer_of(panel)["write error rate"]


def test_quantiles_are_those_of_the_surface(opened):
    surface = RUN.surface
    for panel in panels(opened):
        set_sliders(opened, panel, 0.4, 0.5)
        command = panel.find_element(By.CSS_SELECTOR, ".command code").get_property("textContent")
        volt, second = (float(text) for text in re.findall(r'"([\d.e-]+) [Vs]"', command))
        shown = answer_of(panel)
        for quantile, label in (
            (0.5, "median device"),
            (0.95, "device at the 95 % quantile"),
        ):
            rate = surface.device_ber(panel.get_attribute("data-direction"), volt, second, quantile=quantile)
            assert shown[label] == f"{float(rate):.3g}"


def test_keys_move_the_sliders_and_the_marks(opened):
    panel = panels(opened)[0]
    set_sliders(opened, panel, 0.5, 0.5)
    words = panel.find_elements(By.TAG_NAME, "output")
    for k, slider in enumerate(panel.find_elements(By.TAG_NAME, "input")):
        assert opened.execute_script("return arguments[0].labels[0].textContent", slider) == NAMES[k]
        before, value = words[k].text, int(slider.get_attribute("value"))
        marks = [
            one.get_attribute("points") for one in opened.find_elements(By.CSS_SELECTOR, ".marker polyline")
        ]
        slider.send_keys(Keys.ARROW_RIGHT)
        assert int(slider.get_attribute("value")) == value + 1
        assert words[k].text != before
        assert slider.get_attribute("aria-valuetext") == words[k].text
        now = [
            one.get_attribute("points") for one in opened.find_elements(By.CSS_SELECTOR, ".marker polyline")
        ]
        assert now != marks
        slider.send_keys(Keys.HOME)
        assert slider.get_attribute("value") == "0"
    # Tab reaches both, one after the other.
    first, second = panel.find_elements(By.TAG_NAME, "input")
    first.send_keys(Keys.TAB)
    assert opened.switch_to.active_element == second


def test_the_mark_lies_at_the_pulse_on_the_map(opened):
    panel = panels(opened)[0]
    # By hand: the map shows the whole grid, linear in V and logarithmic in time, and half a cell more on each
    # side, 1/320 of it.
    for place, corner in ((0.0, (0.0, 1.0)), (1.0, (1.0, 0.0))):
        set_sliders(opened, panel, place, place)
        svg = panel.find_element(By.CSS_SELECTOR, "svg[data-place]")
        left, top, width, height = json.loads(svg.get_attribute("data-place"))["box"]
        circle = svg.find_element(By.CSS_SELECTOR, ".marker circle")
        x, y = (float(circle.get_attribute(name)) for name in ("cx", "cy"))
        assert (x - left) / width == pytest.approx(corner[0], abs=4e-3)
        assert (y - top) / height == pytest.approx(corner[1], abs=4e-3)


def test_a_click_on_the_map_moves_the_sliders(opened):
    panel = panels(opened)[1]
    set_sliders(opened, panel, 0.0, 0.0)
    svg = panel.find_element(By.CSS_SELECTOR, "svg[data-place]")
    webdriver.ActionChains(opened).move_to_element(svg).click().perform()
    amplitude, duration = (
        int(one.get_attribute("value")) / int(one.get_attribute("max"))
        for one in panel.find_elements(By.TAG_NAME, "input")
    )
    assert 0.3 < amplitude < 0.7
    assert 0.3 < duration < 0.7


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(opened, scheme):
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    for width in WIDTHS:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == WIDTHS[0]}
        opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        needed, there = opened.execute_script(
            "const page = document.documentElement; return [page.scrollWidth, page.clientWidth];"
        )
        assert needed <= there <= width
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    ground = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    unknown = opened.execute_script(
        "const style = getComputedStyle(document.documentElement);"
        "const names = new Set(document.body.innerHTML.match(/--c[0-9a-f]{6}/g));"
        "return [...names].filter((name) => !style.getPropertyValue(name));"
    )
    assert unknown == []
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_what_the_page_has_to_show(opened):
    chapters, figures, text, limits = opened.execute_script(
        "const all = (what) => [...document.querySelectorAll(what)];"
        "return [all('h2').map((one) => one.textContent),"
        " all('figure svg').map((one) => one.getAttribute('aria-label')),"
        " document.body.innerText, document.getElementById('limits').textContent];"
    )
    assert chapters == [
        "What a pulse does", "Write error rate", "Energy and the two knobs", "The cell",
        "Devices and their weak tail", "Simulations", "What these numbers do not say",
        "Where the numbers are from",
    ]  # fmt: skip
    for words in (
        "Write error rate over duration and amplitude, P → AP", "Load line, AP → P",
        "Resistance of the junction", "Current of a write, P → AP", "State during a write, AP → P",
        "Energy of the cheapest pulse over its write error rate, one pulse for both",
        "Share of devices above a write error rate, P → AP",
    ):  # fmt: skip
        assert words in figures
    assert "macrospin" in limits
    assert "README" not in text


# ---- parts of the page ------------------------------------------------------------------------------


def test_sliders_stop_at_the_grid_and_at_round_values():
    taken = steps(np.array([0.4, 0.61, 1.2]), np.array([0.2, 0.4, 0.6, 0.6101, 0.8, 1.4]))
    np.testing.assert_array_equal(taken, [0.4, 0.6, 0.61, 0.8, 1.2])
    fine = np.linspace(0.4, 1.2, 500)
    taken = steps(fine, np.array([0.5]))
    assert len(taken) == 80
    assert set(taken) <= set(fine)
    np.testing.assert_array_equal(taken[[0, -1]], fine[[0, -1]])
    asked = answers(RUN.surface, RUN.surface.directions[0], (0.8, 10e-9))
    assert set(RUN.surface.amplitudes) <= set(asked.amplitude_V)
    assert set(RUN.surface.durations) <= set(asked.duration_s)
    assert {0.7, 0.72} <= set(asked.amplitude_V)
    assert {3.3e-9, 1e-8} <= set(asked.duration_s)


def test_counts_without_errors_are_bounds():
    surface = RUN.surface
    none = surface.dataset["ber"] < 1e-2
    counted = WriteSurface(surface.dataset.assign(errors=(none.dims, np.where(none, 0, 100))))
    asked = answers(counted, counted.directions[0], (0.8, 10e-9))
    at = {mark: asked.marks.index(mark) for mark in (0, 2)}
    assert asked.rows["write error rate"][at[2]].startswith("below ")
    assert asked.rows["write error rate"][at[2]].endswith("(95 %)")
    assert asked.rows["median device"][at[2]] == "-"
    assert asked.remarks[2].startswith("A bound.")
    assert asked.remarks[0] == ""


def test_energies_at_the_supply_are_said_where_they_are_known():
    data = RUN.surface.dataset
    known = WriteSurface(
        data.assign(
            supply_energy=2.0 * data["energy"], redundant_supply_energy=3.0 * data["redundant_energy"]
        )
    )
    asked = answers(known, known.directions[0], (0.8, 10e-9))
    pulse = asked.amplitude_V[3], asked.duration_s[5]
    at = 3 * len(asked.duration_s) + 5
    energy = 1e12 * float(RUN.surface.energy(known.directions[0], *pulse))
    assert asked.rows["energy, switching write"][at] == f"{energy:.4g} pJ"
    assert asked.rows["switching write, at the supply"][at] == f"{2.0 * energy:.4g} pJ"
    assert "redundant write, at the supply" in asked.rows


def test_colours_of_a_figure_change_with_the_scheme():
    drawing = draw(
        "a", lambda axes: axes.plot([0, 1], [0, 1], color="#0072b2", label="x")[0].axes, "A <figure>", "text",
        place=Place("up", "amplitude", "rate"),
    )  # fmt: skip
    assert "#0072b2" in drawing.colours
    assert "#0072b2" not in drawing.svg
    assert "var(--c0072b2)" in drawing.svg
    assert 'aria-label="A &lt;figure&gt;"' in drawing.svg
    assert "<style" not in drawing.svg
    assert drawing.svg.startswith("<svg viewBox=")
