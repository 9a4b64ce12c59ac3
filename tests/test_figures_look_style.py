"""Forms, panels and texts of figures: sizes, places, and lines that fit."""

import itertools

import matplotlib
import pytest

from figures.look import style

# --- forms ------------------------------------------------------------------------------------------------------------


def rows_and_columns(panels):
    places = [axes.get_subplotspec() for axes in panels]
    return [(place.rowspan.start, place.colspan.start) for place in places]


def test_a_form_applies_inside_its_block_only_even_after_an_error():
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
def test_new_panels_fill_row_by_row(form, places):
    with style.style(form):
        figure = style.new_figure(page=2, column=2)
        panels = style.new_panels(figure, 4, page=3, column=2)
        assert rows_and_columns(panels) == places
        assert [axes for axes in figure.axes if axes.axison] == panels
        assert rows_and_columns(style.new_panels(figure, 1, page=3, column=2)) == [(0, 0)]


@pytest.mark.parametrize("form", style.WIDTHS)
def test_a_grid_is_transposed_in_the_column_form(form):
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
        ("column", 7, {5, 6}), ("page", 8, {4, 5, 6, 7}), ("column", 8, {6, 7}),
    ],
)  # fmt: skip
def test_the_lowest_panel_of_each_column_has_the_label_of_the_horizontal_axis(form, n, labelled):
    with style.style(form):
        _, panels, corner = style.new_instances(n, column=1.5, ylabel="y")
    assert len(panels) == n
    assert not corner.axison
    assert corner not in panels
    assert {i for i, axes in enumerate(panels) if axes.get_xlabel() == "demonstrations T"} == labelled
    for i in labelled:
        assert panels[i].xaxis.get_tick_params()["labelbottom"]
    first = {place: i for i, place in reversed([*enumerate(row for row, _ in rows_and_columns(panels))])}
    assert {i for i, axes in enumerate(panels) if axes.get_ylabel() == "y"} == set(first.values())


def test_shaded_bands_are_named_in_the_legend():
    axes = style.new_figure(page=1, column=1).subplots()
    style.name_intervals(axes)
    assert axes.get_legend_handles_labels()[1] == ["95 % intervals"]


def test_a_users_settings_of_matplotlib_have_no_effect_on_figures():
    with style.style():
        plain = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"axes.facecolor": "black", "text.usetex": True, "lines.linewidth": 9.0}), style.style():
        assert dict(matplotlib.rcParams) == plain
