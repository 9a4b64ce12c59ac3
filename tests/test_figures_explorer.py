"""The explorer: its numbers are those of the Python functions; it works by keyboard and without a network."""

import json
import math
import re

import numpy as np
import pytest
from scipy import stats

from figures.look import palette
from figures.look.contrast import contrast, legible
from figures.pages import explorer
from figures.pages.explorer import LEAST_CONTRAST, PAPERS, SHOWN, SLIDERS, page, presets, stops
from tabular import dp
from tabular.constructions import two_bandits
from tabular.counts import Counts
from tabular.exact_coverage import action_coverage_probability, required_counts, visit_law
from tabular.instances import chain_lock
from tabular.plan import ANY_POSITIVE, RecordingPlan
from tabular.policies import BC, MixtureEstimator, postbc, posterior, uniform_noise
from theory.bounds.b3_suboptimality import paper_parameters
from theory.bounds.r1_suboptimality import expected_noise, r1_bound
from theory.bounds.r3_coverage import best_prior_mass

STOPS = {slider.key: slider.stops for slider in SLIDERS}
START = {slider.key: slider.start for slider in SLIDERS}

# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_explorer_has_the_same_bytes_each_time_and_needs_no_network(tmp_path):
    explorer.write_explorer(tmp_path / "explorer.html")
    assert (tmp_path / "explorer.html").read_text(encoding="utf-8") == page()
    assert set(re.findall(r"https?://[^'\"\s]*", page())) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\bsrc=|@import|url\(|fetch\(|XMLHttpRequest|import\(", page())
    assert page().count("</script>") == 2


@pytest.mark.parametrize("slider", SLIDERS, ids=lambda slider: slider.key)
def test_a_slider_stops_at_rising_values_within_its_range(slider):
    assert list(slider.stops) == sorted(set(slider.stops))
    assert slider.start in slider.stops
    assert not slider.whole or all(isinstance(value, int) for value in slider.stops)


def test_stops_of_a_slider_are_round_values_and_include_both_ends():
    assert stops(0.3, 1.2) == (0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2)
    assert stops(1, 12, whole=True) == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)


@pytest.mark.parametrize("name", presets())
def test_the_settings_of_a_preset_lie_within_their_sliders(name):
    for key, value in presets()[name].items():
        assert STOPS[key][0] <= value <= STOPS[key][-1]


@pytest.mark.parametrize("paper", PAPERS.values())
@pytest.mark.parametrize("name", SHOWN)
def test_a_colour_is_that_of_the_figures_moved_only_as_far_as_contrast_needs(name, paper):
    colour = palette.colour(name)
    assert contrast(legible(colour, paper, LEAST_CONTRAST), paper) >= LEAST_CONTRAST
    assert (legible(colour, paper, LEAST_CONTRAST) == colour) == (contrast(colour, paper) >= LEAST_CONTRAST)
    assert legible(colour, paper, LEAST_CONTRAST) in page()


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


def test_text_of_the_explorer_has_the_contrast_that_wcag_asks_for():
    modes = re.findall(r":root \{(?: color-scheme: light dark;)? (--ink[^}]*)", page())
    assert len(modes) == 2
    for mode in modes:
        colour = dict(re.findall(r"--([\w-]+): (#\w{6});", mode))
        for text in ("ink", "soft"):
            assert all(contrast(colour[text], colour[paper]) >= 4.5 for paper in ("paper", "card"))


# --- the browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    explorer.write_explorer(path)
    return path.as_uri()


@pytest.fixture
def browser(chromium, address):
    """The page as it opens; at the end of the test its console must be empty."""
    chromium.get("about:blank")
    chromium.get(address)
    yield chromium
    assert chromium.get_log("browser") == []


def opened(browser, address, **changes):
    """The page with some settings in its address."""
    browser.get("about:blank")
    browser.get(address + "#" + "&".join(f"{key}={value}" for key, value in changes.items()))
    return browser


def read(browser):
    """All values under the pictures, by picture and name."""
    script = """return [...document.querySelectorAll('[data-value-of]')].map(
      (x) => [x.closest('figure').id, x.dataset.valueOf, x.dataset.value])"""
    return {(where, name): json.loads(text) for where, name, text in browser.execute_script(script)}


def says(browser, picture):
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", f"{picture}-says")


NUMBERS = """
const P = window.postbc;
return arguments[0].map((c) => {
  const policy = { alpha: c.alpha, priorMass: Number(c.mass) };
  const plan = { ...c, policy, level: c.gamma };
  const { first, mass } = P.visitLaw(c.T, c.w);
  return {
    coverage: P.coverageProbability({ ...plan, visits: 0, recorded: 0 }, c.T),
    planned: P.coverageProbability(plan, c.T),
    needed: P.demonstrationsNeeded(plan, c.delta),
    required: c.n.map((n) => P.requiredCount(n, plan)),
    visits: Array.from(mass, (_, i) => first + i),
    masses: Array.from(mass),
    loss: P.chainLoss(c.A, c.H, c.T, policy),
    noise: P.expectedNoise(c.w, c.T, policy),
    bound: P.r1Bound([[c.w, 1 - c.w], [1, 0]], c.A, c.T, policy),
    row: P.policyRow(c.counts, policy),
    paper: P.paperParameters(c.A, c.H, c.T),
    best: P.bestPriorMass(c.n[0], c.A, c.H, c.delta),
    mass: P.binomialMass(c.n[0], c.n[0] + c.n[1], c.p),
    atMost: P.binomialAtMost(c.n[0], c.n[0] + c.n[1], c.p),
  };
});
"""


def at_a_stop(rng, slider):
    return rng.choice(slider.stops).item()


def between(rng, slider):
    low, high = slider.stops[0], slider.stops[-1]
    value = math.exp(rng.uniform(math.log(low + 1e-3), math.log(high)))  # alpha begins at 0
    return round(value) if slider.whole else min(value, high)


def cases(number):
    """Settings all over the sliders' ranges, half of them between the stops; and data seen before."""
    rng = np.random.default_rng(20260102)
    for i in range(number):
        case = {slider.key: (at_a_stop if i % 2 else between)(rng, slider) for slider in SLIDERS}
        share, prior = case["alpha"], case["lambda"]
        alpha, mass = [(0.0, 1.0), (share, math.inf), (1.0, prior), (share, prior)][i // 2 % 4]
        visits = int(rng.choice([0, 1, 7, 60]))
        yield {
            **case,
            "alpha": alpha,
            "mass": str(mass) if math.isfinite(mass) else "Infinity",
            "visits": visits,
            "recorded": int(rng.integers(0, min(visits, 3) + 1)),
            "n": [int(n) for n in (*rng.integers(1, 60, 2), 0, 1, 1000)],
            "counts": [1, *map(int, rng.integers(0, 5, case["A"] - 1))],
        }


def expected(c):
    """The same numbers by the Python functions."""
    estimator = MixtureEstimator(c["alpha"], float(c["mass"]))
    plan = RecordingPlan(
        occupancy=c["w"], probability=c["p"], n_actions=c["A"], estimator=estimator, level=c["gamma"],
        visits=c["visits"], recorded=c["recorded"],
    )  # fmt: skip
    row = np.full(c["A"], (1 - c["p"]) / (c["A"] - 1))
    row[0] = c["p"]
    chain = chain_lock(c["H"], c["A"], 1.0)
    data = np.zeros(chain.mdp.policy_shape, np.int64)
    data[:, 0, 0] = c["T"]
    visits, masses = visit_law(c["T"], c["w"])
    alpha, prior_mass = paper_parameters(c["A"], c["H"], c["T"])
    first, second = c["n"][:2]
    return {
        "coverage": action_coverage_probability(c["T"], c["w"], c["p"], c["A"], estimator, c["gamma"]),
        "planned": plan.coverage_probability(c["T"]),
        "needed": plan.demonstrations_needed(c["delta"]),
        "required": required_counts(c["n"], row, estimator, c["gamma"])[:, 0].tolist(),
        "visits": visits.tolist(),
        "masses": masses.tolist(),
        "loss": dp.suboptimality(chain.mdp, chain.demonstrator, estimator.policy(Counts(data))),
        "noise": float(expected_noise(c["w"], c["T"], estimator.alpha, estimator.prior_mass)),
        "bound": r1_bound([[c["w"], 1 - c["w"]], [1, 0]], c["A"], c["T"], estimator.alpha, estimator.prior_mass),
        "row": estimator.policy(Counts(np.array([[c["counts"]]])))[0, 0].tolist(),
        "paper": {"alpha": alpha, "priorMass": prior_mass},
        "best": best_prior_mass(first, c["A"], c["H"], c["delta"]),
        "mass": float(stats.binom.pmf(first, first + second, c["p"])),
        "atMost": float(stats.binom.cdf(first, first + second, c["p"])),
    }


def agree(browser, settings):
    """Whole numbers are equal; the others to 1e-9, relative where they are above 1."""
    for case, numbers in zip(settings, browser.execute_script(NUMBERS, settings), strict=True):
        for name, value in expected(case).items():
            exact = name in ("needed", "required", "visits")
            wanted = value if exact else pytest.approx(value, rel=1e-9, abs=1e-9)
            assert numbers[name] == wanted, (name, case)


def test_the_explorers_numbers_are_those_of_the_python_functions(browser):
    agree(browser, list(cases(300)))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("policy.priorMass / (n + policy.priorMass)", "policy.priorMass / (n + 1 + policy.priorMass)"),
        ("const TIE = 1e-12", "const TIE = 1e-2"),
        ("if (slack < 0) return T + 1;", "if (slack < 0.001) return T + 1;"),
        ("priorMass / (n + priorMass);\n", "priorMass / (n + 1e-6 + priorMass);\n"),
    ],
)
def test_a_wrong_formula_in_the_explorer_is_noticed(browser, tmp_path, right, wrong):
    assert page().count(right) == 1
    (tmp_path / "wrong.html").write_text(page().replace(right, wrong), encoding="utf-8")
    browser.get((tmp_path / "wrong.html").as_uri())
    with pytest.raises(AssertionError):
        agree(browser, list(cases(40)))


def test_ties_with_the_threshold_are_decided_as_in_python(browser):
    """Probabilities for which the threshold is met exactly."""
    dyadic = {"T": 40, "A": 4, "p": 0.25, "w": 0.5, "gamma": 0.5, "delta": 0.25, "H": 3, "visits": 0, "recorded": 0}
    dyadic |= {"n": [8, 16, 24, 4, 12], "counts": [1, 2, 0, 5]}
    policies = [
        (0.0, "1"),
        (0.25, "Infinity"),
        (1.0, "2"),
        (0.5, "8"),
        (0.5, "4"),
        (1.0, "Infinity"),
        (0.0, "Infinity"),
    ]
    agree(browser, [{**dyadic, "alpha": alpha, "mass": mass} for alpha, mass in policies])


def test_the_noise_alone_covers_an_action_up_to_the_stated_number_of_visits(browser):
    script = """return arguments[0].map((c) => window.postbc.noiseSuffices(
      { p: c.p, A: c.A, level: c.gamma, policy: { alpha: c.alpha, priorMass: Number(c.mass) } }))"""
    settings = list(cases(200))
    for c, n in zip(settings, browser.execute_script(script, settings), strict=True):
        estimator = MixtureEstimator(c["alpha"], float(c["mass"]))
        row = [c["p"], *[(1 - c["p"]) / (c["A"] - 1)] * (c["A"] - 1)]
        around = [10**6] if n is None else [max(1, n), n + 1]
        needed = required_counts(around, row, estimator, c["gamma"])[:, 0]
        assert (needed[0] == 0) == (n is None or n >= 1)
        assert n is None or needed[-1] > 0


# --- the page as one uses it ------------------------------------------------------------------------------------------


def family(settings):
    alpha, mass = settings["alpha"], settings["lambda"]
    members = {"BC": BC, "uniform noise": uniform_noise(alpha), "posterior": posterior(mass)}
    return {**members, "PostBC": postbc(alpha, mass)}


def check_shown(browser, settings):
    """What the page shows is what the Python functions say for these settings."""
    T, A, H = (settings[key] for key in "TAH")
    chain = chain_lock(H, A, 1.0)
    data = np.zeros(chain.mdp.policy_shape, np.int64)
    data[:, 0, 0] = T
    action = {"occupancy": settings["w"], "probability": settings["p"], "n_actions": A}
    ever = RecordingPlan(**action, estimator=BC, level=ANY_POSITIVE).demonstrations_needed(settings["delta"])
    shown = read(browser)
    assert shown["plan", "BC, above 0"] == ever
    for name, estimator in family(settings).items():
        plan = RecordingPlan(**action, estimator=estimator, level=settings["gamma"])
        loss = dp.suboptimality(chain.mdp, chain.demonstrator, estimator.policy(Counts(data)))
        assert shown["coverage", name] == pytest.approx(plan.coverage_probability(T), abs=1e-9)
        assert shown["loss", name] == pytest.approx(loss, abs=1e-9)
        assert shown["plan", name] == plan.demonstrations_needed(settings["delta"])
    bound = r1_bound([[1, 0]] * H, A, T, settings["alpha"], settings["lambda"])
    assert shown["loss", "our bound"] == pytest.approx(bound, rel=1e-9)


def test_every_slider_moves_by_keyboard_and_changes_the_numbers(browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    settings = dict(START)
    check_shown(browser, settings)
    for slider in SLIDERS:
        handle = browser.find_element(By.ID, f"slider-{slider.key}")
        for keys, place in ((Keys.HOME, 0), (Keys.ARROW_RIGHT * 3, 3), (Keys.END, -1)):
            before = says(browser, "loss") + says(browser, "coverage") + says(browser, "plan")
            handle.send_keys(keys)
            settings[slider.key] = slider.stops[place]
            check_shown(browser, settings)
            assert says(browser, "loss") + says(browser, "coverage") + says(browser, "plan") != before
            shown = browser.find_element(By.ID, f"value-{slider.key}").text
            assert handle.get_attribute("aria-valuetext") == shown
            assert float(re.sub(r"\s", "", shown)) == pytest.approx(slider.stops[place], rel=0.005)
        back = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))"
        browser.execute_script(back, handle, slider.stops.index(slider.start))
        settings[slider.key] = slider.start
    check_shown(browser, settings)


@pytest.mark.parametrize("name", presets())
def test_the_button_of_a_preset_sets_its_settings_exactly(browser, name):
    browser.execute_script("document.querySelector(`[data-preset='${arguments[0]}']`).click()", name)
    check_shown(browser, {**START, **presets()[name]})


def test_the_preset_of_the_papers_bandit_is_the_instance_of_b1(browser):
    bandit = two_bandits(1 / 400)[0].demonstrator[0, 0]
    assert browser.execute_script("return window.postbc.demonstrator(3, 1 / 200)") == pytest.approx(bandit)


def test_the_buttons_for_alpha_and_lambda_set_the_values_of_the_theory(browser, address):
    opened(browser, address, T=50, A=7, H=3, w=0.25, delta=0.05)
    settings = {**START, "T": 50, "A": 7, "H": 3, "w": 0.25, "delta": 0.05}
    browser.execute_script("document.querySelector(`[data-choice=paper]`).click()")
    alpha, mass = paper_parameters(7, 3, 50)
    check_shown(browser, {**settings, "alpha": alpha, "lambda": mass})
    browser.execute_script("document.querySelector(`[data-choice=best]`).click()")
    check_shown(browser, {**settings, "alpha": alpha, "lambda": best_prior_mass(4, 7, 3, 0.05)})


def settled(browser):
    """The address after the sliders came to rest."""
    from selenium.webdriver.support.ui import WebDriverWait

    before = browser.execute_script("document.getElementById('status').textContent = ''; return location.hash")
    WebDriverWait(browser, 5, 0.05).until(
        lambda b: b.execute_script("return document.getElementById('status').textContent")
    )
    return before, browser.execute_script("return location.hash")


def test_the_address_of_the_explorer_holds_its_settings(browser, address):
    opened(browser, address, T=120, p=0.0375, seed=3)
    check_shown(browser, {**START, "T": 120, "p": 0.0375})
    browser.execute_script("document.getElementById('draw-again').click()")
    _, fragment = settled(browser)
    assert "T=120&" in fragment
    assert "p=0.0375&" in fragment
    assert fragment.endswith("seed=4")
    pictures = "return [...document.querySelectorAll('svg.picture, .says')].map((x) => x.outerHTML).join()"
    drawn = browser.execute_script(pictures)
    browser.get("about:blank")
    browser.get(address + fragment)
    assert browser.execute_script(pictures) == drawn


def test_a_wrong_address_leaves_each_setting_within_its_range(browser, address):
    opened(browser, address, T="many", A=1e9, p=-1, alpha="", w="Infinity", seed="1e99", surplus=1)
    check_shown(browser, {**START, "A": 30, "p": STOPS["p"][0]})
    browser.execute_script("location.hash = '#T=7.4'")
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 5, 0.02).until(lambda b: "After 7 demonstrations" in says(b, "coverage"))


def test_draw_again_draws_other_data_and_the_sentence_counts_the_zeros(browser):
    seen = set()
    for _ in range(5):
        browser.execute_script("document.getElementById('draw-again').click()")
        discs = "return [...document.querySelectorAll('#policies svg.picture circle')].map((c) => Number(c.getAttribute('cy')))"
        heights = browser.execute_script(discs)
        zeros = heights.count(max(heights))
        assert f"BC gives probability 0 to {zeros} of the demonstrator’s 10 actions" in says(browser, "policies")
        seen.add(tuple(heights))
    assert len(seen) > 1


def draws(browser, seed, T, w, row):
    return browser.execute_script("return window.postbc.drawCounts(...arguments)", seed, T, w, row)


def test_taking_more_demonstrations_keeps_the_first_ones(browser):
    row = [0.5, 0.25, 0.25]
    few, many = (np.array(draws(browser, 9, T, 0.5, row)) for T in (100, 200))
    assert (few <= many).all()
    assert many.sum() > few.sum()


def test_the_drawn_data_have_the_distribution_of_the_demonstrator(browser):
    """Over many seeds, so that neighbours would show; 40 000 draws tell a law that is 0.02 off from the right one."""
    row, T, w = [0.45, 0.05, 0.2, 0.3], 20, 0.6
    script = "return arguments[0].map((seed) => window.postbc.drawCounts(seed, ...arguments[1]))"
    counts = np.array(browser.execute_script(script, list(range(2000)), [T, w, row]))
    totals = [*counts.sum(axis=0), 2000 * T - counts.sum()]
    law = np.array([*(w * np.array(row)), 1 - w])
    assert stats.chisquare(totals, 2000 * T * law).pvalue > 1e-6
    wrong = law + np.array([0.02, -0.02, 0, 0, 0])
    assert stats.chisquare(totals, 2000 * T * wrong).pvalue < 1e-6
    visits = np.bincount(counts.sum(axis=1), minlength=T + 1)
    usual = slice(6, 18)  # the rest is too rare for the test
    binomial = stats.binom.pmf(np.arange(T + 1), T, w)[usual]
    assert stats.chisquare(visits[usual], visits[usual].sum() * binomial / binomial.sum()).pvalue > 1e-6


def test_the_explorer_adds_one_name_to_the_window_and_loads_nothing(browser):
    script = """const bare = document.body.appendChild(document.createElement('iframe'));
    const usual = new Set(Object.getOwnPropertyNames(bare.contentWindow));
    const added = Object.getOwnPropertyNames(window).filter((name) => !usual.has(name) && !/^(cdc_|\\d)/.test(name));
    const loaded = performance.getEntriesByType('resource').map((entry) => entry.name);
    bare.remove();
    return { added, loaded, frozen: Object.isFrozen(window.postbc) };"""
    assert browser.execute_script(script) == {"added": ["postbc"], "loaded": [], "frozen": True}


@pytest.mark.parametrize("changes", [{}, {"T": 10**4, "A": 30, "w": 0.01, "p": 0.005, "gamma": 0.5, "delta": 0.001}])
@pytest.mark.parametrize(("width", "columns"), [(390, 1), (820, 1), (1400, 2)])
def test_the_explorer_fits_a_phone_a_tablet_and_a_desktop(browser, address, width, columns, changes):
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 400}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        opened(browser, address, **changes)
        size = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        content, room = browser.execute_script(size)
        assert content <= room
        lefts = "return [...document.querySelectorAll('figure')].map((f) => f.getBoundingClientRect().left)"
        assert len(set(browser.execute_script(lefts))) == columns
        outside = """return [...document.querySelectorAll('svg.picture text')].filter((t) => {
          const a = t.getBoundingClientRect(), b = t.closest('svg').getBoundingClientRect();
          return a.left < b.left - 1 || a.right > b.right + 1; }).map((t) => t.textContent)"""
        assert browser.execute_script(outside) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_every_control_and_picture_of_the_explorer_has_an_accessible_name(browser):
    script = """return [...document.querySelectorAll('input, button, svg.picture')].filter((x) => !(
      x.labels?.length || x.textContent.trim() && x.tagName === 'BUTTON'
      || document.getElementById(x.getAttribute('aria-labelledby'))?.textContent.trim())).length"""
    assert browser.execute_script(script) == 0


def test_an_error_in_the_console_would_be_seen(chromium, address):
    chromium.get(address)
    chromium.execute_script("setTimeout(() => { throw new Error('made up for a test'); })")
    chromium.execute_async_script("setTimeout(arguments[0], 50)")
    assert "made up for a test" in json.dumps(chromium.get_log("browser"))
