"""The report: whole, self-contained, in order, legible, and without an error in a browser."""

import itertools
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from figures.look.contrast import contrast
from figures.pages.mathematics import mathml, relation_mathml, typeset
from figures.pages.report import bound_text, condensed, interval_text, result_of, small_png, write_report
from figures.running.pipeline import FinishedFigure, figure_module, figure_names
from theory.claims import Claim, Interval
from theory.results import all_results

VOID = {"meta", "img", "source", "br", "hr", "input", "link", "mspace"}
ORIGIN = {
    "commit": "0123abc",
    "uncommitted_changes": False,
    "python": "3.11",
    "packages": {"numpy": "2.0"},
    "system": "Linux",
    "processor": "x86_64",
    "cores": 2,
}


class Page(HTMLParser):
    """Tags in order with their attributes, the text within each, and every tag that is not closed as it should be."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self.open, self.wrong = [], [], [], []
        self.feed(text)
        self.close()
        self.wrong += self.open

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        self.wrong += [(tag, name) for name in names if names.count(name) > 1]
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def all(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]

    def headings(self):
        return [int(tag[1]) for tag, _ in self.tags if re.fullmatch("h[1-6]", tag)]


def skipped_levels(headings):
    return [(a, b) for a, b in itertools.pairwise([0, *headings]) if b > a + 1]


def made_up_verdicts(outcomes, **changes):
    """Every step as it is known to come out, without deciding it."""
    steps = [
        {
            "id": step.id,
            "result": result.id,
            "form": step.form,
            "verdict": "refuted" if step.severity else "proved",
            "evidence": "exact",
            "expected": True,
            "detail": "all cases; all cases; a <b> & more",
            "witness": {"eps": "1/8", "left": "0", "right": "1/2"} if step.severity else None,
        }
        for result in all_results()
        for step in result.steps
    ]
    claims = [entry for outcome in outcomes for entry in outcome.to_json()]
    return {"profile": "quick", "seed": 0, "ok": True, "steps": steps, "claims": claims, "left_out": [], **changes}


def claim(id, source, low=0.1, high=0.4):
    return Claim(id, source, "<=", Interval(low, high), 0.5, "sampled", f"Largest gamma of {id} <= 1/2.")


@pytest.fixture(scope="module")
def outcomes():
    sources = itertools.cycle(["R1", "E1", "E2", "B1.2", "lemma-coverage", "companion"])
    made = []
    for name in figure_names():
        module = figure_module(name)
        places = (getattr(module, "SECTION", "experiments"), getattr(module, "ALSO", ()))
        claims = (claim(f"{name}-first", next(sources)), claim(f"{name}-second", next(sources), 0.2, 0.9))
        made.append(FinishedFigure(name, module.TITLE, module.CAPTION, claims, *places))
    return made


@pytest.fixture(scope="module")
def path(outcomes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    for name in figure_names():
        Image.new("RGB", (1400, 600), "white").save(folder / f"{name}.png")
        Image.new("RGB", (680, 900), "white").save(folder / f"{name}_column.png")
    left_out = [{"figure": "fig_made_up", "needs": ["made_up/table.csv"]}]
    verdicts = made_up_verdicts(outcomes, left_out=left_out)
    write_report(folder / "report.html", verdicts, all_results(), outcomes, folder, ORIGIN)
    return folder / "report.html"


@pytest.fixture(scope="module")
def source(path):
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


# --- the file ---------------------------------------------------------------------------------------------------------


def test_every_tag_is_closed_where_it_should_be_and_every_id_is_one_elements_own(page):
    assert page.wrong == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_a_page_that_is_not_well_formed_is_noticed():
    assert Page("<p><b>x</p></b>").wrong
    assert Page("<section><p>x</p>").wrong
    assert Page('<p id="a" id="b">x</p>').wrong


def test_it_asks_the_network_for_nothing(source, page):
    for _, attributes in page.tags:
        embedded = "data:image/webp;base64,"
        assert all(attributes.get(key, embedded).startswith(embedded) for key in ("src", "srcset"))
        assert not re.search(r"[\s,]", attributes.get("srcset", embedded).removeprefix(embedded))  # one address
        assert not {"onload", "onclick"} & set(attributes)
    assert not page.all("script", "link", "iframe", "object", "base")
    assert not re.search(r"@import|url\(|https?://", source)


def test_every_reference_within_the_page_has_its_target(page):
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [a["href"] for a in page.all("a")]
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    named = [a[key] for _, a in page.tags for key in ("aria-labelledby", "aria-describedby") if key in a]
    assert len(named) > 20
    assert set(named) <= ids


def test_headings_are_in_order_and_skip_no_level(page):
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
    again = sum(len(getattr(figure_module(name), "ALSO", ())) for name in figure_names())
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
def test_text_has_the_contrast_that_wcag_asks_for(source, mode):
    colour = colours(source)[mode]
    for text in ("ink", "soft", "link", "good", "bad", "open"):
        for paper in ("paper", "card"):
            assert contrast(colour[text], colour[paper]) >= 4.5, (text, paper)


def test_no_colour_stands_outside_the_variables(source):
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


def test_a_claim_stands_with_the_result_it_is_about_and_an_experiment_with_the_experiments(source, outcomes):
    experiments = source.partition('<h2 id="experiments">')[2]
    for outcome in outcomes:
        for c in outcome.claims:
            about = result_of(c.source, all_results())
            if about:
                assert f"<code>{c.id}</code>" in part(source, about)
            if c.source.startswith("E"):
                assert f"<code>{c.id}</code>" in experiments
        if outcome.section == "experiments":
            assert f'<h3 id="{outcome.name}">' in experiments


def test_the_first_screen_counts_what_came_out(source, outcomes):
    text = " ".join(Page(source.partition("<nav")[0]).text)
    text = re.sub(r"\s+", " ", text)
    printed = [step for result in all_results() for step in result.steps if step.form == "printed"]
    false = sum(step.severity is not None for step in printed)
    assert f"{len(printed)} steps and statements of the paper" in text
    assert f"{len(printed) - false} proved , {false} refuted as printed" in text.replace(" ,", " ,")
    claims = [c for outcome in outcomes for c in outcome.claims]
    theirs = [c for c in claims if c.source.startswith("E")]
    assert f"{len(claims) - len(theirs)} claims about computed data" in text
    assert f"{len(theirs)} tests by experiments" in text
    assert "Everything came out as this project asserts." in text


def test_a_run_that_did_not_come_out_is_said_to_be_so(outcomes, path, tmp_path):
    verdicts = made_up_verdicts([], ok=False)
    write_report(tmp_path / "report.html", verdicts, all_results(), [], path.parent, ORIGIN)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Not everything came out as this project asserts." in text
    assert Page(text).wrong == []
    assert skipped_levels(Page(text).headings()) == []


def test_where_it_comes_from_stands_at_the_end(source):
    end = source.partition('<h2 id="provenance">')[2]
    assert "0123abc" in end
    assert "numpy 2.0" in end
    assert "profile quick, seed 0" in end
    assert "<h2" not in end


@pytest.mark.parametrize("name", figure_names())
def test_a_figure_names_a_part_of_the_report_or_stands_with_the_experiments(source, name):
    for result in getattr(figure_module(name), "ALSO", ()):
        assert f'href="#{name}">where it stands' in part(source, result)
    section = getattr(figure_module(name), "SECTION", "experiments")
    assert section in {"experiments", "errata", "bounds", *(result.id for result in all_results())}
    text = (
        part(source, section)
        if f'aria-labelledby="{section}">\n<h3' in source
        else source.partition(f'"{section}">')[2]
    )
    assert f'id="{name}-caption"' in text


@pytest.mark.parametrize(
    ("low", "high", "measured"), [(0.25, 0.25, "0.25"), (0.1, 0.4, "[0.1, 0.4]"), (float("-inf"), 1, "[−∞, 1]")]
)
def test_an_interval_is_shown_with_both_ends_and_a_number_alone(low, high, measured):
    entry = claim("x", "R1", low, high).to_json("fig")
    assert interval_text(entry) == measured
    assert bound_text(entry) == "≤ 0.5"


def test_what_is_said_several_times_is_said_once():
    assert condensed("a; b; a") == "a (2 times); b"


def test_a_source_belongs_to_the_result_with_that_step():
    found = [result_of(source, all_results()) for source in ("B1.2", "R6.4", "R5", "thm-main", "E2", "companion")]
    assert found == ["prop-bc-fails", "r6", "r5", "thm-main", None, None]


def test_a_small_picture_looks_the_same(tmp_path, rng):
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


# --- mathematics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "shown"),
    [
        ("T_h(s) + lambda >= 1/2", "T<sub>h</sub>(s) + λ ≥ 1/2"),
        ("(1 - 4 eps)^T", "(1 − 4 ε)<sup>T</sup>"),
        ("2^-(k+1)", "2<sup>−(k+1)</sup>"),
        ("q^(H-1) > -2", "q<sup>H−1</sup> &gt; −2"),
        ("s^2/48", "s<sup>2</sup>/48"),
        ("E_{a~pi~} Q", "E<sub>a ∼ π\u0303</sub> Q"),
        ("pi_hat(i) <~ sum_h w", "π\u0302(i) ≲ ∑<sub>h</sub> w"),
        ("the sum is 1, sum w(1 - w)^T", "the sum is 1, ∑ w(1 − w)<sup>T</sup>"),
        ("log(SH/delta)", "log(SH/δ)"),
        ("L'/2 and mu' Lambda_0^-1 mu", "L′/2 and μ′ Λ<sub>0</sub><sup>−1</sup> μ"),
        ("a well-known state-action pair of FrozenLake8x8", "a well-known state-action pair of FrozenLake8x8"),
        ("no alphabet, no pile, see `fig_lambda` and POSTBC_DATA",
         "no alphabet, no pile, see <code>fig_lambda</code> and POSTBC_DATA"),
        ("chance_of_a_missing_action", "chance_of_a_missing_action"),
        ("<script>", "&lt;script&gt;"),
    ],
)  # fmt: skip
def test_a_plain_formula_is_typeset(plain, shown):
    assert str(typeset(plain)) == shown


def test_formulas_use_only_what_browsers_draw():
    shown = [mathml(result.latex, block=True) for result in all_results()]
    shown += [relation_mathml(f) for result in all_results() for step in result.steps for f in step.relations]
    for formula in shown:
        parsed = Page(formula)
        assert parsed.wrong == []
        assert {a.get("mathvariant", "normal") for _, a in parsed.tags} == {"normal"}
        assert not re.search(r"[\\~^$]|undefined", re.sub(r"<mo>\^</mo>", "", formula))


def test_a_word_in_a_formula_is_one_word_and_a_letter_of_another_alphabet_is_that_letter():
    text = "".join(Page(mathml(r"\mathbb E\,J(\hat\pi_{\mathrm{BC}}) \sim \mathcal N")).text)
    assert text == "𝔼J(π^BC)∼𝒩"
    assert "<mi>BC</mi>" in mathml(r"\mathrm{BC}")


def test_a_decided_relation_is_shown_with_its_domain():
    step = next(s for result in all_results() for s in result.steps if s.id == "B1.2")
    text = "".join(Page(relation_mathml(step.relation)).text)
    assert text.replace("\u2061", "") == "log(1−4ϵ)≥−20ϵlog(2),0≤ϵ≤18"


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
def test_it_fits_a_phone_a_tablet_and_a_desktop(browser, width, unfolded):
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


def test_formulas_are_drawn(browser):
    drawn = """return [...document.querySelectorAll('.statement math')].map((x) => {
      const box = x.getBoundingClientRect(); return [box.width, box.height] })"""
    boxes = browser.execute_script(drawn)
    assert len(boxes) == len(all_results())
    assert all(width > 40 and height > 10 for width, height in boxes)


def test_steps_are_folded_on_the_screen_and_unfolded_in_print(browser):
    from selenium.webdriver.support.ui import WebDriverWait

    heights = """return [...document.querySelectorAll('.steps > li')].map((x) => x.checkVisibility(
      { contentVisibilityAuto: true }) && x.getBoundingClientRect().height > 0)"""
    assert not any(browser.execute_script(heights))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    WebDriverWait(browser, 10, 0.05).until(lambda b: all(b.execute_script(heights)))


def test_it_is_dark_where_that_is_wished_and_white_on_paper(browser, source):
    light, dark, _ = (mode["paper"] for mode in colours(source))
    shown = "return getComputedStyle(document.body).backgroundColor"
    for media, scheme, paper in (("screen", "light", light), ("screen", "dark", dark), ("print", "dark", "#ffffff")):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
        wanted = tuple(int(paper[i : i + 2], 16) for i in (1, 3, 5))
        assert browser.execute_script(shown) == f"rgb{wanted}"


def test_the_names_of_the_page_are_the_browsers_too(browser):
    """Tables stay tables for a screen reader on a phone, where they are drawn as lists."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    )
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    assert roles.count("table") == len(browser.execute_script("return [...document.querySelectorAll('table')]"))
    for role in ("columnheader", "rowheader", "cell", "image", "navigation", "main", "contentinfo"):
        assert role in roles


def test_a_formula_is_printed_alike_whatever_the_hashes():
    """Seeds 1 and 6 once gave the two terms of B2.1, which tie in sympy's order, in different orders."""
    program = (
        "import sympy; from figures.pages.mathematics import _latex; k = sympy.Symbol('k', integer=True, positive=True); "
        "print(_latex(1 + sympy.Rational(1, 2) ** (k + 1) - 2 ** (-k - 1)))"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=Path(__file__).resolve().parent.parent, env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "6")
    }  # fmt: skip
    assert shown == {"1 + \\left(\\frac{1}{2}\\right)^{1 + k} - 2^{-1 - k}\n"}
