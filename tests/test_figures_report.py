"""The report: whole, self-contained, in order, legible, and without an error in a browser."""

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from html_figures import Page
from PIL import Image

from figures.look.contrast import contrast
from figures.pages.mathematics import mathml, typeset
from figures.pages.pictures import small_png
from figures.pages.report import bound_text, condensed, interval_text, result_of, write_report
from figures.running.finished import FinishedFigure, LeftOut, Run
from figures.running.provenance import Origin
from figures.running.registry import figure_entry, figure_names
from theory.claims import Claim, Interval, Outcome, decided_steps
from theory.results import all_results

ORIGIN = Origin(
    commit="0123abc",
    uncommitted_changes=False,
    python="3.11",
    packages={"numpy": "2.0"},
    system="Linux",
    processor="x86_64",
    cores=2,
)


def skipped_levels(headings):
    return [(a, b) for a, b in itertools.pairwise([0, *headings]) if b > a + 1]


def known_outcome(step):
    """The outcome that a step is known to have, without deciding it."""
    detail = "all cases; all cases; a <b> & more"
    if step.severity:
        witness = {"eps": "1/8", "left": "0", "right": "1/2"}
        return Outcome(verdict="refuted", evidence="exact", detail=detail, witness=witness)
    return Outcome(verdict="proved", evidence="exact", detail=detail)


STEPS = tuple(d for r in all_results() for d in decided_steps(r, [known_outcome(step) for step in r.steps]))


def run_of(figures, *, steps=STEPS, left_out=()):
    return Run(profile="quick", seed=0, steps=steps, figures=tuple(figures), left_out=left_out)


def claim(id, source, low=0.1, high=0.4):
    return Claim(
        id=id,
        source=source,
        relation="<=",
        interval=Interval(low, high),
        bound=0.5,
        evidence="sampled",
        detail=f"Largest gamma of {id} <= 1/2.",
    )


@pytest.fixture(scope="module")
def figures():
    sources = itertools.cycle(["R1", "E1", "E2", "B1.2", "lemma-coverage", "companion"])
    finished = []
    for name in figure_names():
        entry, first, second = figure_entry(name), next(sources), next(sources)
        undecided = 0.9 if second.startswith("E") else 0.5  # only an empirical claim may be inconclusive
        finished.append(
            FinishedFigure(
                name=name,
                title=entry.module.TITLE,
                caption=entry.module.CAPTION,
                section=entry.section,
                also=entry.also,
                claims=(claim(f"{name}-first", first), claim(f"{name}-second", second, high=undecided)),
            )
        )
    return finished


@pytest.fixture(scope="module")
def path(figures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    for name in figure_names():
        Image.new("RGB", (1400, 600), "white").save(folder / f"{name}.png")
        Image.new("RGB", (680, 900), "white").save(folder / f"{name}_column.png")
    run = run_of(figures, left_out=(LeftOut(figure="fig_made_up", needs=("made_up/table.csv",)),))
    write_report(folder / "report.html", run, all_results(), folder, ORIGIN)
    return folder / "report.html"


@pytest.fixture(scope="module")
def source(path):
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


# --- the file ---------------------------------------------------------------------------------------------------------


def test_every_tag_of_the_report_is_closed_and_every_id_is_unique(page):
    assert page.wrong == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_the_reader_of_pages_notices_one_that_is_not_well_formed():
    assert Page("<p><b>x</p></b>").wrong
    assert Page("<section><p>x</p>").wrong
    assert Page('<p id="a" id="b">x</p>').wrong


def test_the_report_needs_no_network(source, page):
    for _, attributes in page.tags:
        embedded = "data:image/webp;base64,"
        assert all(attributes.get(key, embedded).startswith(embedded) for key in ("src", "srcset"))
        assert not re.search(r"[\s,]", attributes.get("srcset", embedded).removeprefix(embedded))  # one address
        assert not {"onload", "onclick"} & set(attributes)
    assert not page.all("script", "link", "iframe", "object", "base")
    assert not re.search(r"@import|url\(|https?://", source)


def test_every_link_of_the_report_has_its_target(page):
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [a["href"] for a in page.all("a")]
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    named = [a[key] for _, a in page.tags for key in ("aria-labelledby", "aria-describedby") if key in a]
    assert len(named) > 20
    assert set(named) <= ids


def test_headings_of_the_report_skip_no_level(page):
    headings = page.headings()
    assert headings.count(1) == 1
    assert headings[0] == 1
    assert set(headings) == {1, 2, 3, 4}
    assert skipped_levels(headings) == []
    assert skipped_levels([1, 2, 4]) == [(2, 4)]


def test_a_screen_reader_finds_language_landmarks_pictures_and_table_heads(page):
    assert page.all("html")[0]["lang"] == "en"
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.all(landmark)) == 1
    images = page.all("img")
    again = sum(len(figure_entry(name).also) for name in figure_names())
    assert len(images) == len(figure_names()) + again
    alts = [image["alt"] for image in images]
    assert all(len(alt) > 20 for alt in alts)
    assert len(set(alts)) == len(alts)
    assert {(image["width"], image["height"]) for image in images} == {("1400", "600")}
    narrow = page.all("source")
    assert len(narrow) == len(page.all("picture")) == len(images)
    assert {(image["width"], image["height"]) for image in narrow} == {("680", "900")}
    heads = page.all("th")
    assert len(heads) > 50
    assert all(head.get("scope") in ("row", "col") for head in heads)
    assert len(page.all("caption")) == len(page.all("table"))
    scrolling = [a for _, a in page.tags if a.get("class", "").startswith("scroll")]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolling)


def colours(source):
    """The CSS variables of each mode: light, dark and print."""
    modes = [dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{([^}]*)\}", source)]
    assert len(modes) == 3
    assert all(set(mode) == set(modes[0]) for mode in modes)
    return modes


@pytest.mark.parametrize("mode", range(3), ids=["light", "dark", "print"])
def test_text_of_the_report_has_the_contrast_that_wcag_asks_for(source, mode):
    colour = colours(source)[mode]
    for text in ("ink", "soft", "link", "good", "bad", "open"):
        for paper in ("paper", "card"):
            assert contrast(colour[text], colour[paper]) >= 4.5, (text, paper)


def test_the_style_sheet_names_colours_only_in_its_variables(source):
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)[1]
    rules = re.sub(r":root \{[^}]*\}", "", style)
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)) <= {"#ffffff"}  # the paper of the pictures


# --- what it says -----------------------------------------------------------------------------------------------------


def part(source, id):
    """The article of a result."""
    return re.search(rf'<article aria-labelledby="{id}">(.*?)</article>', source, re.DOTALL)[1]


@pytest.mark.parametrize("result", all_results(), ids=lambda r: r.id)
def test_a_result_has_its_statement_meaning_verdict_steps_and_errata(source, result):
    text = part(source, result.id)
    assert str(typeset(result.statement)) in text
    assert str(mathml(result.latex, block=True)) in text
    assert str(typeset(result.meaning)) in text
    assert result.meaning
    heads = re.findall(r"<h4.*?>(.*?)</h4>", text)
    assert heads[:2] == ["What it means", "Verdict"]
    folded = re.search(r"<details>(.*?)</details>", text, re.DOTALL)[1]
    for step in result.steps:
        assert f"<strong>{step.id}</strong>" in folded
        assert str(typeset(step.statement)) in folded
    wrong = [step.id for step in result.steps if step.severity]
    sides = re.findall(r'<div class="erratum" id="erratum-([^"]*)">', text)
    assert sorted(sides) == sorted(wrong)
    for step in result.steps:
        if step.id in wrong:
            block = re.search(rf'id="erratum-{re.escape(step.id)}">(.*?)</dl>', text, re.DOTALL)[1]
            assert str(typeset(step.statement)) in block


def test_a_claim_stands_with_its_result_and_an_empirical_claim_with_the_experiments(source, figures):
    experiments = source.partition('<h2 id="experiments">')[2]
    for figure in figures:
        for c in figure.claims:
            about = result_of(c.source, all_results())
            if about:
                assert f"<code>{c.id}</code>" in part(source, about)
            if c.empirical:
                assert f"<code>{c.id}</code>" in experiments
        if figure.section == "experiments":
            assert f'<h3 id="{figure.name}">' in experiments


def test_the_first_screen_counts_steps_and_claims_by_verdict(source, figures):
    text = " ".join(Page(source.partition("<nav")[0]).text)
    text = re.sub(r"\s+", " ", text)
    printed = [step for result in all_results() for step in result.steps if step.form == "printed"]
    false = sum(step.severity is not None for step in printed)
    assert f"{len(printed)} steps and statements of the paper" in text
    assert f"{len(printed) - false} proved , {false} refuted as printed" in text.replace(" ,", " ,")
    claims = [c for figure in figures for c in figure.claims]
    n_empirical = sum(c.empirical for c in claims)
    assert f"{len(claims) - n_empirical} claims about computed data" in text
    assert f"{n_empirical} claims tested by experiments" in text
    assert "All verdicts are as expected." in text


def test_the_report_says_whether_all_verdicts_are_as_expected(path, tmp_path):
    wrong = replace(STEPS[0], expected=False)
    write_report(tmp_path / "report.html", run_of([], steps=(wrong, *STEPS[1:])), all_results(), path.parent, ORIGIN)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Some verdicts are not as expected." in text
    assert Page(text).wrong == []
    assert skipped_levels(Page(text).headings()) == []


def test_the_report_ends_with_its_provenance(source):
    end = source.partition('<h2 id="provenance">')[2]
    assert "0123abc" in end
    assert "numpy 2.0" in end
    assert "quick settings, seed 0" in end
    assert "<h2" not in end


@pytest.mark.parametrize("name", figure_names())
def test_a_figure_stands_in_the_section_that_its_module_names(source, name):
    for result in figure_entry(name).also:
        assert f'href="#{name}">its caption' in part(source, result)
    section = figure_entry(name).section
    assert section in {"experiments", "errata", "bounds", *(result.id for result in all_results())}
    text = (
        part(source, section)
        if f'aria-labelledby="{section}">\n<h3' in source
        else source.partition(f'"{section}">')[2]
    )
    assert f'id="{name}-caption"' in text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.25, 0.25, "0.25"),
        (0.1, 0.4, "[0.1, 0.4]"),
        (-1e-7, 0.0, "[−1e−07, 0]"),
        (-math.inf, 1, "[−∞, 1]"),
        (math.inf, math.inf, "[∞, ∞]"),
    ],
)
def test_an_interval_is_shown_by_its_ends_and_an_exact_value_by_one_number(low, high, text):
    assert interval_text(claim("x", "R1", low, high)) == text


@pytest.mark.parametrize(
    ("relation", "bound", "text"), [("<=", 0.5, "≤ 0.5"), (">=", -0.25, "≥ −0.25"), ("<=", math.inf, "≤ ∞")]
)
def test_a_bound_is_shown_with_its_relation(relation, bound, text):
    assert bound_text(replace(claim("x", "R1"), relation=relation, bound=bound)) == text


def test_a_repeated_part_of_a_detail_is_shown_once_with_its_number():
    assert condensed("a; b; a") == "a (2 times); b"


def test_a_source_belongs_to_the_result_with_that_step():
    results = [result_of(source, all_results()) for source in ("B1.2", "R6.4", "R5", "thm-main", "E2", "companion")]
    assert results == ["prop-bc-fails", "r6", "r5", "thm-main", None, None]


def test_a_picture_of_256_colours_looks_the_same(tmp_path, rng):
    """A drawing with a few colours and their shades at the edges."""
    ramp = np.linspace(0, 1, 40)[:, None, None]
    drawn = np.concatenate([255 * (1 - ramp) + ramp * np.array(c) for c in ([213, 94, 0], [0, 114, 178], [0, 0, 0])])
    pixels = np.repeat(drawn.astype(np.uint8), 200, axis=1)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    (tmp_path / "y.png").write_bytes(small_png(tmp_path / "x.png"))
    with Image.open(tmp_path / "y.png") as small:
        assert small.size == (200, 120)
        assert small.mode == "P"
        assert np.abs(np.asarray(small.convert("RGB"), int) - pixels).max() <= 6


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(chromium, path):
    """The page; at the end of the test the console must be empty."""
    chromium.get("about:blank")
    chromium.get(path.as_uri())
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert chromium.get_log("browser") == []


@pytest.mark.parametrize("unfolded", [False, True])
@pytest.mark.parametrize("width", [360, 820, 1400])
def test_the_report_fits_a_phone_a_tablet_and_a_desktop(browser, width, unfolded):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_script("document.querySelectorAll('details').forEach((x) => { x.open = arguments[0] })", unfolded)
    size = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    content, room = browser.execute_script(size)
    assert width - 20 <= room <= width  # less a scroll bar
    assert content <= room
    beyond = """return [...document.querySelectorAll('p, li, h1, h2, h3, h4, td, th, dd, figcaption')].filter((x) =>
      !x.closest('.scroll, thead') && x.getBoundingClientRect().right > innerWidth + 1).length"""
    assert browser.execute_script(beyond) == 0


@pytest.mark.parametrize(
    ("width", "media", "natural"),
    [(360, "screen", 680), (820, "screen", 1400), (1400, "screen", 1400), (360, "print", 1400)],
)
def test_a_narrow_screen_has_the_column_form_with_letters_of_their_size(browser, width, media, natural):
    from selenium.webdriver.support.ui import WebDriverWait

    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
    shown = "return [...document.images].map((x) => [x.naturalWidth, x.getBoundingClientRect().width])"
    WebDriverWait(browser, 10, 0.05).until(lambda b: all(one[0] == natural for one in b.execute_script(shown)))
    inches = 3.4 if natural == 680 else 7.0
    for _, across in browser.execute_script(shown):
        assert across <= width
        assert media == "print" or across / inches > 90  # CSS has 96 to an inch


def test_the_browser_draws_every_statement_as_a_formula(browser):
    drawn = """return [...document.querySelectorAll('.statement math')].map((x) => {
      const box = x.getBoundingClientRect(); return [box.width, box.height] })"""
    boxes = browser.execute_script(drawn)
    assert len(boxes) == len(all_results())
    assert all(width > 40 and height > 10 for width, height in boxes)


def test_steps_of_a_result_are_folded_on_the_screen_and_unfolded_in_print(browser):
    from selenium.webdriver.support.ui import WebDriverWait

    heights = """return [...document.querySelectorAll('.steps > li')].map((x) => x.checkVisibility(
      { contentVisibilityAuto: true }) && x.getBoundingClientRect().height > 0)"""
    assert not any(browser.execute_script(heights))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    WebDriverWait(browser, 10, 0.05).until(lambda b: all(b.execute_script(heights)))


def test_the_report_is_dark_where_the_reader_prefers_that_and_white_in_print(browser, source):
    light, dark, _ = (mode["paper"] for mode in colours(source))
    shown = "return getComputedStyle(document.body).backgroundColor"
    for media, scheme, paper in (("screen", "light", light), ("screen", "dark", dark), ("print", "dark", "#ffffff")):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        wanted = tuple(int(paper[i : i + 2], 16) for i in (1, 3, 5))
        assert browser.execute_script(shown) == f"rgb{wanted}"


def test_the_accessibility_tree_has_the_tables_and_landmarks_of_the_report(browser):
    """Tables stay tables for a screen reader on a phone, where they are drawn as lists."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    assert roles.count("table") == len(browser.execute_script("return [...document.querySelectorAll('table')]"))
    for role in ("columnheader", "rowheader", "cell", "image", "navigation", "main", "contentinfo"):
        assert role in roles
