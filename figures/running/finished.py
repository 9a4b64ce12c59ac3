"""What a run yields, as records: finished figures, figures left out, decided steps. `verdicts` writes them as JSON."""

from dataclasses import dataclass
from typing import Literal

from theory.claims import Claim, Decided

Profile = Literal["quick", "full"]
"""Which settings of its module a figure is made with: QUICK or FULL."""


@dataclass(frozen=True, kw_only=True)
class FinishedFigure:
    """A figure whose data are computed, judged and saved."""

    name: str
    title: str
    caption: str
    section: str
    """Its section in the report, see `figures.running.registry.FigureEntry`."""
    also: tuple[str, ...]
    """Results with which the report shows it again."""
    claims: tuple[Claim, ...]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A figure that was not made because third-party data files were not found."""

    figure: str
    needs: tuple[str, ...]
    """The missing files, relative to the folder that POSTBC_DATA names."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """All that a run decided."""

    profile: Profile
    seed: int
    steps: tuple[Decided, ...]
    figures: tuple[FinishedFigure, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims of all figures, in order."""
        return tuple(claim for figure in self.figures for claim in figure.claims)

    @property
    def as_expected(self) -> bool:
        """Whether every step and every claim is as expected; a figure left out does not count."""
        return all(step.expected for step in self.steps) and all(claim.as_expected for claim in self.claims)
