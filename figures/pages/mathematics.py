"""Mathematics on a page that needs no network.

Statements are written in LaTeX, relations that a machine decided are sympy expressions: both become MathML (`mathml`,
`relation_mathml`). Sentences have their formulas in plain letters, such as ``T_h(s) >= lambda/2``: these become HTML
(`typeset`), by a list of replacements whose order matters.
"""

import re
import xml.etree.ElementTree as ElementTree

import sympy
from latex2mathml.converter import convert
from markupsafe import Markup, escape
from sympy.printing.latex import LatexPrinter

from theory.engines.formulas import Formula, Range

_SPACE = "http://www.w3.org/1998/Math/MathML"
_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "Delta": "Δ", "eps": "ε", "epsilon": "ε", "kappa": "κ",
    "lambda": "λ", "Lambda": "Λ", "mu": "μ", "pi": "π", "sigma": "σ", "Sigma": "Σ", "tau": "τ", "xi": "ξ",
}  # fmt: skip
_SIGNS = (
    ("<~", "≲"), ("<=", "≤"), (">=", "≥"), ("!=", "≠"), ("==", "="), ("||", "‖"), ("->", "→"), ("L'", "L′"),
    ("orc-first", "orcfirst"),
)  # fmt: skip
_ALPHABETS = {("double-struck", "E"): "𝔼", ("script", "N"): "𝒩"}
_OPERATORS = {"~": "∼", "\\{": "{", "\\}": "}", ":": ":", "⌈": "⌈", "⌉": "⌉"}
_RELATIONS = {"<=": r"\le", ">=": r"\ge", "<": "<", ">": ">", "==": "="}
_LETTER = r"(?:[A-Za-zα-ωΑ-Ω][\u0302\u0303]?|max|min|Pr|KL|∑)"
_MINUS = "|".join(
    (
        r"(?<=[ (\[{^=,≤≥])-(?=[\dA-Za-zα-ωΑ-Ω(∞])",
        r"(?<=[\w)\]}′]) - (?=\S)",
        r"^-(?=\d)",
        r"(?<![A-Za-z0-9])[A-Z]-(?=\d)",
        r"\b\d-(?=[a-z]\b)",
    )
)
"""Where a hyphen is a minus sign: before a term that follows a bracket or relation, or between two terms."""
_BRACKETS = r"\((?:[^()]|\([^()]*\))*\)"


def mathml(latex: str, *, block: bool = False) -> Markup:
    """Convert a formula to the part of MathML that browsers draw (MathML Core).

    Parameters
    ----------
    latex : str
        Without dollar signs.
    block : bool, optional
        Whether the formula is a separate line.
    """
    tree = ElementTree.fromstring(convert(latex, display="block" if block else "inline"))
    for element in tree.iter():
        element.tag = element.tag.removeprefix(f"{{{_SPACE}}}")
        _join_letters(element)
        _in_core(element)
    return Markup(ElementTree.tostring(tree, encoding="unicode"))


def _join_letters(element: ElementTree.Element) -> None:
    """Join the upright letters of a word into one identifier, so that a screen reader speaks a word."""
    letters = list(element)
    upright = all(x.tag.endswith("mi") and x.get("mathvariant") == "normal" for x in letters)
    if len(letters) > 1 and upright:
        word = "".join(x.text or "" for x in letters)
        for x in letters[1:]:
            element.remove(x)
        letters[0].text = word
        letters[0].attrib.pop("mathvariant")


def _in_core(element: ElementTree.Element) -> None:
    """Replace what MathML Core lacks: a letter of another alphabet by its character, an operator set as identifier."""
    text = element.text or ""
    if letter := _ALPHABETS.get((element.get("mathvariant", ""), text)):
        element.text = letter
        del element.attrib["mathvariant"]
    if element.tag in ("mi", "mo") and text in _OPERATORS:
        element.tag, element.text = "mo", _OPERATORS[text]


def relation_mathml(formula: Formula) -> Markup:
    """Convert a relation that the machine decided, with its domain, to MathML."""
    parts = [f"{_latex(formula.left)} {_RELATIONS[formula.relation]} {_latex(formula.right)}"]
    parts += [_range_latex(r) for r in formula.ranges if r.integer or not r.low == -r.high == -sympy.oo]
    parts += [f"{_latex(condition)} \\ge 0" for condition in formula.given]
    return mathml(r",\quad ".join(parts))


def _range_latex(r: Range) -> str:
    name, low, high = (_latex(x) for x in (r.symbol, r.low, r.high))
    lower = "" if r.low is -sympy.oo else f"{low} {_RELATIONS['<' if r.low_open else '<=']} "
    upper = "" if r.high is sympy.oo else f" {_RELATIONS['<' if r.high_open else '<=']} {high}"
    return f"{lower}{name}{upper}" + (r"\ \text{whole}" if r.integer else "")


def _latex(term: sympy.Expr | int) -> str:
    expression = sympy.sympify(term)
    names = {s: _symbol_latex(s.name) for s in expression.free_symbols}
    return str(_Printer({"symbol_names": names, "fold_short_frac": False}).doprint(expression))


class _Printer(LatexPrinter):  # type: ignore[misc]
    """A printer that puts added terms before subtracted ones: sympy's order depends on hashes where two terms tie."""

    def _as_ordered_terms(self, expr: sympy.Expr, order: str | None = None) -> list[sympy.Expr]:
        return sorted(expr.args, key=lambda term: bool(term.could_extract_minus_sign()))


def _symbol_latex(name: str) -> str:
    letter, number = re.fullmatch(r"([A-Za-z]+)_?(\w*)", name).groups()  # type: ignore[union-attr]
    if letter in _GREEK:
        letter = "\\" + ("epsilon" if letter == "eps" else letter)
    elif len(letter) > 1:
        letter = rf"\mathrm{{{letter}}}"
    return f"{letter}_{{{number}}}" if number else letter


def typeset(text: str) -> Markup:
    """Convert a sentence with formulas in plain letters to HTML: ``T_h(s) >= lambda/2`` becomes Tₕ(s) ≥ λ/2.

    Parameters
    ----------
    text : str
        Greek letters by name, ``_`` and ``^`` for indices and powers, ``~`` after a letter for a tilde and between
        two for "distributed as".
    """
    for sign, symbol in _SIGNS:
        text = text.replace(sign, symbol)
    text = re.sub(r"(?<![A-Za-z])sqrt(?=[ (])\s?", "√", text)
    text = re.sub(r"(?<![A-Za-z])(?<!the )sum(?=_| [A-Zwx(|]| min)", "∑", text)
    text = re.sub(rf"(?<![A-Za-z`])({'|'.join(_GREEK)})(?![A-Za-z`])", lambda m: _GREEK[m[1]], text)
    text = re.sub(r"(?<=[α-ω])'", "′", text)
    text = re.sub(r"(?<=[A-Za-zα-ω])_hat(?![A-Za-z])", "\u0302", text)
    text = re.sub(r"(?<=\w)~(?=[A-Za-zα-ω])| ~ ", " ∼ ", text)
    text = re.sub(r"(?<=[A-Za-zα-ω])~", "\u0303", text)
    text = re.sub(_MINUS, lambda m: m[0].replace("-", "\u2212"), text)
    html = str(escape(text))  # before the first tag is put in, so that only the text is escaped
    html = re.sub(rf"(?<![A-Za-z`/_])({_LETTER})_(?:\{{([^}}]*)\}}|([A-Za-z0-9α-ω]+))", _lowered, html)
    html = re.sub(rf"\^(\u2212?(?:{_BRACKETS}|[A-Za-z0-9α-ω]+)|\*)", _raised, html)
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", html).replace("orcfirst", "orc-first"))


def _lowered(match: re.Match[str]) -> str:
    return f"{match[1]}<sub>{match[2] or match[3]}</sub>"


def _raised(match: re.Match[str]) -> str:
    power = match[1]
    inner = power[1:-1] if power.startswith("(") else power
    return f"<sup>{inner}</sup>"
