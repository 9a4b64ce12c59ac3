"""The check of a figure's texts notices each fault that it is there for."""

import pytest
from texts_figures import faults

from figures.look import style


@pytest.mark.parametrize(
    ("fault", "look"),
    [("small", {"fontsize": 5.9}), ("beyond the canvas", {"x": 0.99}), ("touching", {"y": 0.52}), (None, {"y": 0.8})],
)
def test_a_text_that_cannot_be_read_is_noticed(fault, look):
    with style.style("column"):
        figure = style.new_figure(page=2, column=2)
        figure.text(0.5, 0.5, "a text")
        figure.text(**{"x": 0.5, "y": 0.7, "s": "another", "fontsize": 8, **look})
        assert {kind for kind, *_ in faults(figure)} == {fault} - {None}


def test_labels_of_ticks_that_touch_are_noticed_if_they_are_drawn():
    with style.style("column"):
        figure = style.new_figure(page=2, column=2)
        axes = figure.subplots()
        axes.set_xticks([0.5, 0.51], ["one", "two"])
        assert [kind for kind, *_ in faults(figure)] == ["touching"]
        axes.set_xlim(0, 0.505)
        assert faults(figure) == []
