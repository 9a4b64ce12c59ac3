"""Lines of about equal length for a title or a label; formulas stay whole."""

import re
import textwrap

_WHOLE = r"(?:\$[^$]*\$| = )+"
"""What stays on one line: formulas, and both sides of an equals sign."""

LEAST = 8
"""Fewest letters in a line, however narrow the panel is."""


def wrapped(text: str, most: int) -> str:
    """Text in lines of about equal length; formulas stay whole, and line breaks stay where they are.

    Parameters
    ----------
    text : str
    most : int
        Most letters in a line; at least `LEAST` are allowed. A longer word has a line to itself.
    """
    formulas = iter(re.findall(_WHOLE, text))
    plain = re.sub(_WHOLE, lambda match: "\0" * len(re.sub(r"\\[a-zA-Z]+|\$", "", match[0])) + "\1", text)
    lines = [line for paragraph in plain.split("\n") for line in _even_lines(paragraph, max(LEAST, most))]
    return re.sub("\0*\1", lambda _: next(formulas), "\n".join(lines))


def _even_lines(text: str, most: int) -> list[str]:
    """As few lines as possible, and among those with the shortest longest line."""
    few = textwrap.wrap(text, most, break_long_words=False)
    tries = (textwrap.wrap(text, width, break_long_words=False) for width in range(1, most))
    return next((lines for lines in tries if len(lines) <= len(few)), few)
