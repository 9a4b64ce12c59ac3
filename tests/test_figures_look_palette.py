"""Colours told apart by all forms of colour vision, with one meaning each, and texts that can be read."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.text import Text

from figures.look import palette, style
from figures.look.contrast import contrast, legible, make_texts_legible, shades
from figures.look.palette import LOOKS, SERIES

FIGURES = sorted((Path(style.__file__).parents[1]).glob("**/*.py"))
PAPERS = st.sampled_from(["#FFFFFF", "#16181B", "#000000", "#F4F5F7"])
ANY = st.integers(0, 0xFFFFFF).map("#{:06X}".format)
SEEN = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes, A physiologically-based model for simulation of color vision deficiency (2009)."""


def lab(colour, vision="usual"):
    """CIE L*a*b* (white D65) of a colour as someone sees it; the formulas of IEC 61966-2-1 and CIE 15."""
    code = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    light = np.asarray(SEEN[vision]) @ np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = to_xyz @ np.clip(light, 0, 1) / np.array([0.9505, 1.0, 1.089])
    x, y, z = (np.cbrt(v) if v > (6 / 29) ** 3 else v / (3 * (6 / 29) ** 2) + 4 / 29 for v in (x, y, z))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(first, second, vision):
    return float(np.linalg.norm(lab(first, vision) - lab(second, vision)))


# --- colours ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vision", SEEN)
def test_colours_are_told_apart_by_all_forms_of_colour_vision(vision):
    """A difference of 2 is just seen side by side; 15 is plain even between thin lines."""
    for (name, first), (other, second) in itertools.combinations(palette.colours().items(), 2):
        assert apart(first, second, vision) > 15, (name, other)


def test_red_and_green_of_one_lightness_are_not_told_apart_in_deuteranopia():
    assert apart("#CC3311", "#667700", "deuteranopia") < 15 < apart("#CC3311", "#667700", "usual")
    assert apart("#FFFFFF", "#000000", "usual") == pytest.approx(100, abs=0.1)


def test_each_colour_has_one_meaning_and_each_policy_a_separate_marker():
    colours = palette.colours().values()
    assert len({*colours, *SERIES}) == len(colours) + len(SERIES)
    markers = [look.marker for look in LOOKS.values() if look.marker]
    assert len(set(markers)) == len(markers)


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.name)
def test_files_of_figures_name_no_colours_but_greys(path):
    if path.name in ("palette.py", "contrast.py", "explorer.py"):
        return
    found = re.findall(r"#[0-9A-Fa-f]{6}\b", path.read_text(encoding="utf-8"))
    assert [code for code in found if len({code[1:3], code[3:5], code[5:7]}) > 1] == []


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_shades_run_from_light_to_dark_and_the_second_darkest_is_the_colour(n):
    found = shades("BC", n)
    light = [lab(colour)[0] for colour in found]
    assert len(found) == n
    assert light == sorted(light, reverse=True)
    assert len(set(found)) == n
    assert found[-2] == palette.colours()["BC"]


# --- contrast ---------------------------------------------------------------------------------------------------------


@given(ANY, ANY)
def test_contrast_is_between_1_and_21_and_the_same_both_ways(first, second):
    assert 1 <= contrast(first, second) == contrast(second, first) <= 21 + 1e-12
    assert contrast(first, first) == 1


@given(ANY, PAPERS, st.sampled_from([3.0, 4.5, 7.0]))
def test_legible_changes_a_colour_only_if_its_contrast_is_too_small(colour, paper, least):
    found = legible(colour, paper, least)
    assert contrast(found, paper) >= least
    assert (found == colour) == (contrast(colour, paper) >= least)


def test_making_texts_legible_darkens_texts_and_not_lines():
    figure = style.new_figure(page=1, column=1)
    axes = figure.subplots()
    (line,) = axes.plot([0, 1], color=palette.colours()["uniform noise"], label="x")
    text = axes.text(0, 0, "x", color=palette.colours()["uniform noise"])
    axes.text(0, 1, "y", color="black")
    axes.legend()
    make_texts_legible(figure)
    assert to_hex(line.get_color()) == palette.colours()["uniform noise"].lower()
    assert to_hex(text.get_color()) != palette.colours()["uniform noise"].lower()
    assert all(contrast(to_hex(found.get_color()).upper(), "#FFFFFF") >= 4.5 for found in figure.findobj(Text))


# --- series ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "wanted"), [(0, "a"), (25, "z"), (26, "aa"), (27, "ab"), (51, "az"), (52, "ba"), (702, "aaa")]
)
def test_letters_of_panels_continue_after_z(k, wanted):
    assert palette.letter(k) == wanted


def test_letters_of_a_thousand_panels_are_distinct():
    assert len({palette.letter(k) for k in range(1000)}) == 1000


def test_neighbours_in_a_series_differ_in_colour_and_marker():
    looks = [(palette.series_colour(k), palette.series_marker(k)) for k in range(18)]
    assert len(set(looks)) == len(looks)
    for (colour, marker), (next_colour, next_marker) in itertools.pairwise(looks):
        assert colour != next_colour
        assert marker != next_marker


def test_a_name_without_a_look_is_refused_and_the_error_lists_the_known_names():
    with pytest.raises(KeyError, match="no look is given for 'nobody'; there are: BC, uniform noise"):
        palette.colour("nobody")


def test_the_printed_label_is_the_name_unless_the_table_gives_another():
    assert palette.label("BC") == "BC"
    assert palette.label("nobody") == "nobody"
    assert "lambda" in palette.label("PostBC, lambda = L'/2")
