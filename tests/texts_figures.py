"""Texts of a drawn figure: where they are, and which of them cannot be read."""

import itertools

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def boxes_of_texts(figure):
    """Each text that is drawn, with its box in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    hidden = {axis for axes in figure.findobj(Axes) if not axes.axison for axis in (axes.xaxis, axes.yaxis)}
    not_drawn = set()
    for axis in (axis for axes in figure.findobj(Axes) for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if axis in hidden or not low * (1 - 1e-9) - 1e-12 <= tick.get_loc() <= high * (1 + 1e-9) + 1e-12:
                not_drawn |= {tick.label1, tick.label2}
    texts = [t for t in figure.findobj(Text) if t not in not_drawn and t.get_visible() and t.get_text().strip()]
    return {text: text.get_window_extent(canvas.get_renderer()) for text in texts}


def faults(figure):
    """Texts too small to read, beyond the canvas, or on one another."""
    boxes = boxes_of_texts(figure)
    unreadable = [("small", text) for text in boxes if text.get_fontsize() < 6]
    for text, box in boxes.items():
        if min(box.x0, box.y0) < -1 or box.x1 > figure.bbox.width + 1 or box.y1 > figure.bbox.height + 1:
            unreadable.append(("beyond the canvas", text))
    for first, second in itertools.combinations(boxes, 2):
        shared = Bbox.intersection(boxes[first], boxes[second])
        if shared is not None and min(shared.width, shared.height) >= 1:
            unreadable.append(("touching", first, second))
    return unreadable
