"""Fitting a surface by the method asked for, and by the next best where that is not to be had."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from levy_calibration.networks.proposer import Proposal, Proposer
from levy_numerics import calibration
from levy_numerics.calibration.local_fit import evaluate_at, fit_from
from levy_numerics.errors import LevyError, UnsupportedError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_schemas.calibration import CalibrationMethod

Progress = Callable[[int, int], None]
Outcome = Literal["answered", "overruled", "declined"]
"""Overruled: least squares from several starts found better than its start led to."""


@dataclass(frozen=True)
class Asked:
    """What became of a network that was asked, by its version."""

    version: str
    outcome: Outcome


@dataclass(frozen=True)
class Fit:
    """What was found, and how it came about.

    Attributes
    ----------
    found : CalibrationResult or TermStructure
        Of the whole surface, or one for each expiry.
    method : {"hybrid", "neural", "least_squares"}
        Who had the last word.
    less_than_asked : str
        Why another method answered than the one asked for; empty if it did not.
    proposal : Proposal, optional
        What a network said, where one was asked and did not decline.
    asked : tuple of Asked
        Networks in the order in which they were asked: the last is the one that proposed.
    """

    found: calibration.CalibrationResult | calibration.TermStructure
    method: CalibrationMethod
    less_than_asked: str = ""
    proposal: Proposal | None = None
    asked: tuple[Asked, ...] = ()

    @property
    def model_type(self) -> str:
        """Name of the model."""
        if isinstance(self.found, calibration.TermStructure):
            return self.found.results[0].model.name
        return self.found.model.name

    @property
    def n_evaluations(self) -> int:
        """Surfaces priced, in all."""
        if isinstance(self.found, calibration.TermStructure):
            return sum(result.n_evaluations for result in self.found.results)
        return self.found.n_evaluations

    @property
    def network(self) -> str:
        """Version of the network that answered, alone or polished; empty where none did."""
        answered = [one.version for one in self.asked if one.outcome == "answered"]
        return answered[0] if answered else ""

    @property
    def out_of_distribution(self) -> bool:
        """Whether a network has seen nothing like these quotes."""
        return self.proposal is not None and not (self.proposal.score <= 1.0)


@dataclass(frozen=True)
class _Unread:
    """Why no network proposes anything, and which request member is to blame."""

    reason: str
    pointer: str = "/method"
    declined: tuple[Asked, ...] = ()


@dataclass(frozen=True)
class _Read:
    """What a network proposes, and which others declined before."""

    proposer: Proposer
    proposal: Proposal
    declined: tuple[Asked, ...]

    def asked(self, outcome: Outcome) -> tuple[Asked, ...]:
        """All that were asked, once it is known what became of the proposal."""
        return (*self.declined, Asked(self.proposer.version, outcome))


@dataclass(frozen=True)
class Fitting:
    """How surfaces are to be fitted.

    Attributes
    ----------
    method : {"hybrid", "neural", "least_squares"}
    weights : {"price", "vega", "bid_ask"}
    per_maturity : bool
        One fit for each expiry.
    n_starts : int, optional
        Of least squares; as many as it takes to confirm the best if absent.
    seed : int
        Of those starts.
    """

    method: CalibrationMethod = "hybrid"
    weights: str = "price"
    per_maturity: bool = False
    n_starts: int | None = None
    seed: int = 0

    def fit(
        self,
        model: type[Model],
        quotes: Quotes,
        proposers: Sequence[Proposer] = (),
        progress: Progress | None = None,
        pricer: SinhPricer | None = None,
    ) -> Fit:
        """Fit one surface.

        Parameters
        ----------
        model : type of Model
        quotes : Quotes
        proposers : sequence of Proposer
            Networks of this model: each is asked if those before it decline.
        progress : callable, optional
            Told (starts or expiries done, in all).
        pricer : SinhPricer, optional
            Of these contracts, with tables computed before; used from a network's start.

        Raises
        ------
        LevyError
            A network alone is to answer and cannot, or there are too few quotes.
        """
        if self.method == "least_squares":
            return Fit(self._least_squares(model, quotes, progress), "least_squares")
        read = self._read(model, quotes, proposers)
        if self.method == "neural":
            return self._as_it_stands(quotes, read)
        if isinstance(read, _Unread):
            found = self._least_squares(model, quotes, progress)
            reason = _several_starts(read.reason)
            return Fit(found, "least_squares", reason, asked=read.declined)
        return self._polished(quotes, read, progress, pricer)

    def _read(
        self, model: type[Model], quotes: Quotes, proposers: Sequence[Proposer]
    ) -> _Read | _Unread:
        unread = _Unread(f"no network is ready for {model.name}")
        if proposers and self.per_maturity:
            reason = f"{proposers[0].network} reads whole surfaces, not single expiries"
            return _Unread(reason, "/per_maturity")
        for proposer in proposers:
            try:
                return _Read(proposer, proposer.propose(quotes), unread.declined)
            except LevyError as declined:
                asked = (*unread.declined, Asked(proposer.version, "declined"))
                unread = _Unread(declined.message, declined=asked)
        return unread

    def _as_it_stands(self, quotes: Quotes, read: _Read | _Unread) -> Fit:
        if isinstance(read, _Unread):
            message = f"{read.reason}; ask hybrid or least_squares"
            raise UnsupportedError(message, pointer=read.pointer)
        found = evaluate_at(quotes, read.proposal.model, weights=self.weights)
        return Fit(found, "neural", "", read.proposal, read.asked("answered"))

    def _polished(
        self,
        quotes: Quotes,
        read: _Read,
        progress: Progress | None,
        pricer: SinhPricer | None,
    ) -> Fit:
        polished = fit_from(
            quotes,
            read.proposal.model,
            weights=self.weights,
            seed=self.seed,
            progress=progress,
            pricer=pricer,
        )
        if polished.start_accepted:
            return Fit(polished.result, "hybrid", "", read.proposal, read.asked("answered"))
        reason = _several_starts(f"the start of {read.proposer.network} was poor")
        return Fit(polished.result, "least_squares", reason, read.proposal, read.asked("overruled"))

    def _least_squares(
        self, model: type[Model], quotes: Quotes, progress: Progress | None
    ) -> calibration.CalibrationResult | calibration.TermStructure:
        fit_all = (
            calibration.calibrate_each_maturity if self.per_maturity else calibration.calibrate
        )
        return fit_all(
            model,
            quotes,
            weights=self.weights,
            n_starts=self.n_starts,
            seed=self.seed,
            progress=progress,
        )


def _several_starts(reason: str) -> str:
    return f"{reason}: least squares from several starts answered"
