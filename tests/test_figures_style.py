"""One look: colours told apart by all forms of colour vision, with one meaning each, and texts that can be read."""

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
from figures.look.palette import LOOKS, SERIES
from figures.look.style import contrast, legible, shades

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


def test_red_and_green_of_one_lightness_would_not_be():
    assert apart("#CC3311", "#667700", "deuteranopia") < 15 < apart("#CC3311", "#667700", "usual")
    assert apart("#FFFFFF", "#000000", "usual") == pytest.approx(100, abs=0.1)


def test_a_colour_has_one_meaning_and_a_policy_its_marker():
    colours = palette.colours().values()
    assert len({*colours, *SERIES}) == len(colours) + len(SERIES)
    markers = [look.marker for look in LOOKS.values() if look.marker]
    assert len(set(markers)) == len(markers)


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.name)
def test_colours_stand_in_the_style_alone_but_for_greys(path):
    if path.name in ("palette.py", "style.py", "explorer.py"):
        return
    found = re.findall(r"#[0-9A-Fa-f]{6}\b", path.read_text(encoding="utf-8"))
    assert [code for code in found if len({code[1:3], code[3:5], code[5:7]}) > 1] == []


@pytest.mark.parametrize("n", [2, 3, 4, 6])
def test_shades_go_from_light_to_dark_around_the_colour(n):
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
def test_a_legible_colour_has_the_contrast_and_is_left_alone_where_it_has_it(colour, paper, least):
    found = legible(colour, paper, least)
    assert contrast(found, paper) >= least
    assert (found == colour) == (contrast(colour, paper) >= least)


def test_texts_are_darkened_and_lines_are_not():
    figure = style.new_figure(page=1, column=1)
    axes = figure.subplots()
    (line,) = axes.plot([0, 1], color=palette.colours()["uniform noise"], label="x")
    text = axes.text(0, 0, "x", color=palette.colours()["uniform noise"])
    axes.text(0, 1, "y", color="black")
    axes.legend()
    style.make_texts_legible(figure)
    assert to_hex(line.get_color()) == palette.colours()["uniform noise"].lower()
    assert to_hex(text.get_color()) != palette.colours()["uniform noise"].lower()
    assert all(contrast(to_hex(found.get_color()).upper(), "#FFFFFF") >= 4.5 for found in figure.findobj(Text))


# --- forms ------------------------------------------------------------------------------------------------------------


def rows_and_columns(panels):
    places = [axes.get_subplotspec() for axes in panels]
    return [(place.rowspan.start, place.colspan.start) for place in places]


def test_a_form_holds_within_its_block_and_no_longer():
    assert style.by_form(1, 2) == 1
    with style.style("column"):
        assert style.by_form(1, 2) == 2
        with style.style():
            assert style.by_form(1, 2) == 1
        assert style.by_form(1, 2) == 2
    with pytest.raises(ZeroDivisionError), style.style("column"):
        _ = 1 / 0
    assert style.by_form(1, 2) == 1


@pytest.mark.parametrize(("form", "size"), [("page", (7.0, 2.5)), ("column", (3.4, 5.0))])
def test_a_figure_has_the_width_of_its_form(form, size):
    with style.style(form):
        assert tuple(style.new_figure(page=2.5, column=5.0).get_size_inches()) == size


@pytest.mark.parametrize(
    ("form", "places"),
    [("page", [(0, 0), (0, 1), (0, 2), (1, 0)]), ("column", [(0, 0), (0, 1), (1, 0), (1, 1)])],
)
def test_panels_stand_row_by_row(form, places):
    with style.style(form):
        figure = style.new_figure(page=2, column=2)
        panels = style.new_panels(figure, 4, page=3, column=2)
        assert rows_and_columns(panels) == places
        assert [axes for axes in figure.axes if axes.axison] == panels
        assert rows_and_columns(style.new_panels(figure, 1, page=3, column=2)) == [(0, 0)]


@pytest.mark.parametrize("form", style.WIDTHS)
def test_a_grid_lies_on_its_side_in_a_column(form):
    with style.style(form):
        grid = style.new_grid(style.new_figure(page=2, column=2), 2, 3, ratios=(2, 1))
        places = rows_and_columns(grid.ravel())
        assert grid.shape == (2, 3)
        assert places == [place if form == "page" else place[::-1] for place in itertools.product(range(2), range(3))]
        grid[0, 1].set_ylim(3, 5)
        assert grid[0, 0].get_ylim() == (3, 5) != grid[1, 0].get_ylim()
        style.name_axes(grid, "x", "upper", "lower")
        named = {axes for row in grid for axes in row if axes.get_ylabel()}
        assert named == ({grid[0, 0], grid[1, 0]} if form == "page" else set(grid.ravel()))
        assert {axes.get_ylabel() for axes in grid[1]} - {""} == {"lower"}
        assert [axes for axes in grid.ravel() if axes.get_xlabel()] == [*(grid[1] if form == "page" else grid[:, 2])]


def test_titles_and_labels_are_wrapped_in_a_column_and_formulas_are_not():
    shown = {}
    for form in style.WIDTHS:
        with style.style(form):
            panels = style.new_panels(style.new_figure(page=2, column=2), 2, page=2, column=2)
            style.panel_letter(panels[0], "a", "a title that is long, with $a = b$ and $n$ = 10")
            style.name_axes(panels, "x", "a label $\\gamma + \\delta$ longer than the panel is high\n(unit)")
            shown[form] = (panels[0].get_title(loc="left"), panels[0].get_ylabel())
    assert all(text.count("\n") == k for k, text in enumerate(shown["page"]))
    title, label = (text.split("\n") for text in shown["column"])
    assert len(title) > 2
    assert any("$a = b$" in line for line in title)
    assert any("$n$ = 10" in line for line in title)
    assert [" ".join(text.split()) for text in shown["column"]] == [" ".join(text.split()) for text in shown["page"]]
    assert label[-1] == "(unit)"
    assert max(map(len, label)) < 35


# --- panels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "n", "labelled"),
    [
        ("page", 1, {0}), ("page", 3, {0, 1, 2}), ("page", 4, {1, 2, 3}), ("page", 5, {2, 3, 4}),
        ("page", 7, {3, 4, 5, 6}), ("column", 1, {0}), ("column", 4, {2, 3}), ("column", 5, {3, 4}),
        ("column", 7, {5, 6}),
    ],
)  # fmt: skip
def test_the_lowest_panel_of_each_column_has_the_label_of_the_axis(form, n, labelled):
    with style.style(form):
        panels, corner = style.instance_panels(style.new_figure(page=4, column=6), n, xlabel="T", ylabel="y")
    assert len(panels) == n
    assert not corner.axison
    assert corner not in panels
    assert {i for i, axes in enumerate(panels) if axes.get_xlabel() == "T"} == labelled
    for i in labelled:
        assert panels[i].xaxis.get_tick_params()["labelbottom"]
    first = {place: i for i, place in reversed([*enumerate(row for row, _ in rows_and_columns(panels))])}
    assert {i for i, axes in enumerate(panels) if axes.get_ylabel() == "y"} == set(first.values())


def test_shaded_bands_are_named_in_the_legend():
    axes = style.new_figure(page=1, column=1).subplots()
    style.name_intervals(axes)
    assert axes.get_legend_handles_labels()[1] == ["95 % intervals"]


@pytest.mark.parametrize(
    ("k", "wanted"), [(0, "a"), (25, "z"), (26, "aa"), (27, "ab"), (51, "az"), (52, "ba"), (702, "aaa")]
)
def test_letters_go_on_after_z(k, wanted):
    assert palette.letter(k) == wanted


def test_letters_of_a_thousand_panels_differ():
    assert len({palette.letter(k) for k in range(1000)}) == 1000


def test_neighbours_in_a_series_differ_in_colour_and_marker():
    looks = [(palette.series_colour(k), palette.series_marker(k)) for k in range(18)]
    assert len(set(looks)) == len(looks)
    for one, two in itertools.pairwise(looks):
        assert one[0] != two[0]
        assert one[1] != two[1]


def test_a_name_without_a_look_is_refused_with_those_that_there_are():
    with pytest.raises(KeyError, match="no look is given for 'nobody'; there are: BC, uniform noise"):
        palette.colour("nobody")


def test_the_printed_label_is_the_name_where_the_table_gives_no_other():
    assert palette.label("BC") == "BC"
    assert palette.label("nobody") == "nobody"
    assert "lambda" in palette.label("PostBC, lambda = L'/2")
