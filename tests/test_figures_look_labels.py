"""Names beside lines do not overlap, move as little as possible, and stay beside what they name."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from figures.look import style
from figures.look.labels import Placer, name_ends, spread_out

BOXES = st.lists(st.tuples(st.floats(-10, 10), st.floats(0.01, 3)), min_size=1, max_size=8)


def drawn(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return [text.get_window_extent(canvas.get_renderer()) for axes in figure.axes for text in axes.texts]


def touching(boxes):
    return [
        (first, second)
        for first, second in itertools.combinations(boxes, 2)
        if (shared := Bbox.intersection(first, second)) is not None and min(shared.width, shared.height) > 0.5
    ]


@pytest.fixture
def axes():
    with style.style():
        yield style.new_figure(page=3, column=3).subplots()


@given(BOXES)
def test_spread_out_boxes_do_not_overlap_and_keep_their_order(boxes):
    places, heights = np.array(boxes).T
    moved = spread_out(places, heights)
    order = np.argsort(places, kind="stable")
    gaps = np.diff(moved[order]) - (heights[order][1:] + heights[order][:-1]) / 2
    assert (gaps > -1e-9).all()


@given(BOXES)
def test_spreading_out_keeps_the_mean_and_changes_nothing_the_second_time(boxes):
    places, heights = np.array(boxes).T
    moved = spread_out(places, heights)
    assert moved.mean() == pytest.approx(places.mean(), abs=1e-9)
    assert spread_out(moved, heights) == pytest.approx(moved, abs=1e-9)


def test_two_boxes_at_one_place_move_by_equal_distances():
    assert spread_out(np.array([1.0, 1.0]), np.array([2.0, 4.0])) == pytest.approx([-0.5, 2.5])


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_names_of_ends_stand_to_the_right_of_the_lines_and_do_not_overlap(axes, scale):
    axes.plot([1, 10], [1, 2])
    axes.set(xscale=scale, yscale=scale, ylim=(0.5, 3))
    name_ends(axes, [("one", "#000000", 10, 2.0), ("two\nlines", "#000000", 10, 2.01), ("three", "#000000", 10, 0.6)])
    boxes = drawn(axes.figure)
    right = axes.transData.transform((10, 2))[0]
    assert all(box.x0 > right for box in boxes)
    assert touching(boxes) == []
    assert boxes[2].y1 < boxes[0].y0


def test_placed_names_do_not_overlap_and_stay_near_their_points(axes):
    x = np.linspace(0, 1, 6)
    (line,) = axes.plot(x, x**2, marker="o")
    axes.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
    placer = Placer(axes, [line])
    points = list(zip(x.tolist(), (x**2).tolist(), strict=True))
    assert placer.place(["a curve, $\\sigma$ = 0.1", *"23456"], points, "#000000") in range(6)
    for k, point in enumerate(points):
        placer.place([f"{k / 10}"], [point], "#000000", needed=False)
    boxes = drawn(axes.figure)
    assert len(boxes) > 4
    assert touching(boxes) == []
    marks = axes.transData.transform(points)
    for box in boxes:
        away = np.maximum(np.maximum([box.x0, box.y0] - marks, marks - [box.x1, box.y1]), 0)
        assert np.hypot(*away.T).min() < 30


def test_an_optional_name_is_left_out_where_there_is_no_room(axes):
    axes.set(xlim=(0, 1), ylim=(0, 1))
    placer = Placer(axes, [])
    placer.reserve((0.0, 0.0, 1.0, 1.0))
    assert placer.place(["name"], [(0.5, 0.5)], "#000000", needed=False) == -1
    assert not axes.texts
    assert placer.place(["name"], [(0.5, 0.5)], "#000000") == 0
    assert len(axes.texts) == 1
