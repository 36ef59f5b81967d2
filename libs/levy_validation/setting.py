"""What is validated: a model, its network, surfaces, and the effort to spend."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from levy_numerics.calibration.hybrid import Fit, FitStrategy, Proposer
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_validation.simulation import Simulated, drawn_from_range

CALIBRATION: Final = "calibration"
NETWORK: Final = "network"
Progress = Callable[[int, int], None]
"""Receives the number of steps done and the total."""


@dataclass(frozen=True)
class DatedQuotes:
    """A surface with a name: its date, or the name of its file."""

    name: str
    quotes: Quotes


@dataclass(frozen=True)
class Effort:
    """Numbers of repetitions, which decide accuracy and run time.

    Attributes
    ----------
    n_surfaces : int
        Simulated surfaces of an experiment.
    n_days : int
        Most daily surfaces that are walked through.
    n_compared : int
        Most quoted surfaces on which models are compared.
    n_rivals : int
        Most models in a comparison.
    n_sobol : int
        Base size of Sobol designs, a power of two.
    n_resamples : int
        Bootstrap and permutation samples.
    n_steps : int
        Points of the path of integrated gradients.
    n_refits : int
        Fits that check a formula.
    """

    n_surfaces: int
    n_days: int
    n_compared: int
    n_rivals: int
    n_sobol: int
    n_resamples: int
    n_steps: int
    n_refits: int


QUICK: Final = Effort(
    n_surfaces=12,
    n_days=16,
    n_compared=2,
    n_rivals=4,
    n_sobol=32,
    n_resamples=199,
    n_steps=4,
    n_refits=12,
)
FULL: Final = Effort(
    n_surfaces=150,
    n_days=60,
    n_compared=12,
    n_rivals=8,
    n_sobol=256,
    n_resamples=1999,
    n_steps=16,
    n_refits=60,
)


@dataclass(frozen=True)
class Setting:
    """The input of every analysis.

    Attributes
    ----------
    model : type of Model
    surfaces : tuple of DatedQuotes
        In the order of time; one at least.
    network : Proposer, optional
        Proposes initial guesses; analyses of the network are left out without it.
    effort : Effort
    seed : int
    """

    model: type[Model]
    surfaces: tuple[DatedQuotes, ...]
    network: Proposer | None = None
    effort: Effort = FULL
    seed: int = 0

    def rng(self, *stream: int) -> np.random.Generator:
        """Return a generator that depends on the seed and the stream only."""
        return np.random.default_rng([self.seed, *stream])

    def simulated(self, number: int, noise: str = "spread") -> Simulated:
        """Return a surface of a known model, the same truth and listing for every noise."""
        return drawn_from_range(self.model, noise, self.rng(1, number))

    def fit(self, quotes: Quotes) -> Fit:
        """Return the finished calibration of a surface, from the network's guess if there is one.

        Raises
        ------
        LevyError
            The surface cannot be fitted.
        """
        proposers = () if self.network is None else (self.network,)
        return FitStrategy("hybrid").fit(self.model, quotes, proposers)


def ignore(done: int, total: int) -> None:
    """Show no progress."""


def of_methods(fit: Fit) -> Iterator[tuple[str, Model]]:
    """Yield the finished calibration's parameters, and the network's proposal if there is one."""
    yield CALIBRATION, fit.results[0].model
    if fit.proposal is not None:
        yield NETWORK, fit.proposal.model
