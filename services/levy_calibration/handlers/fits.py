"""Fitting a surface by the method asked for, and by the next best where that is not to be had."""

from collections.abc import Callable
from dataclasses import dataclass

from levy_calibration.networks.proposer import Proposal, Proposer
from levy_numerics import calibration
from levy_numerics.calibration.polish import polish, unpolished
from levy_numerics.errors import LevyError, UnsupportedError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_schemas.calibration import CalibrationMethod

Progress = Callable[[int, int], None]


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
        What a network said, where one was asked.
    network : str
        Version of the network that answered, alone or polished; empty where none did.
    """

    found: calibration.CalibrationResult | calibration.TermStructure
    method: CalibrationMethod
    less_than_asked: str = ""
    proposal: Proposal | None = None
    network: str = ""

    @property
    def out_of_distribution(self) -> bool:
        """Whether a network has seen nothing like these quotes."""
        return self.proposal is not None and not (self.proposal.score <= 1.0)


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
        proposer: Proposer | None,
        progress: Progress | None = None,
    ) -> Fit:
        """Fit one surface.

        Parameters
        ----------
        model : type of Model
        quotes : Quotes
        proposer : Proposer, optional
            The network of this model, if one is trained.
        progress : callable, optional
            Told (starts or expiries done, in all).

        Raises
        ------
        LevyError
            A network alone is to answer and cannot, or there are too few quotes.
        """
        if self.method == "neural":
            return self._neural(model, quotes, proposer)
        if self.method == "least_squares":
            return Fit(self._least_squares(model, quotes, progress), "least_squares")
        if proposer is None:
            return self._instead(no_network(model.name), model, quotes, progress)
        if self.per_maturity:
            message = f"{proposer.network} reads whole surfaces, not single expiries"
            return self._instead(message, model, quotes, progress)
        try:
            proposal = proposer.propose(quotes)
        except LevyError as declined:
            return self._instead(declined.message, model, quotes, progress)
        return self._polished(quotes, proposer, proposal, progress)

    def _neural(self, model: type[Model], quotes: Quotes, proposer: Proposer | None) -> Fit:
        if proposer is None:
            message = f"{no_network(model.name)}; ask hybrid or least_squares"
            raise UnsupportedError(message, pointer="/method")
        if self.per_maturity:
            message = f"{proposer.network} reads whole surfaces; ask hybrid or least_squares"
            raise UnsupportedError(message, pointer="/per_maturity")
        try:
            proposal = proposer.propose(quotes)
        except LevyError as declined:
            message = f"{declined.message}; ask hybrid or least_squares"
            raise UnsupportedError(message, pointer="/method") from declined
        as_it_stands = unpolished(quotes, proposal.model, weights=self.weights)
        return Fit(as_it_stands, "neural", "", proposal, proposer.version)

    def _polished(
        self, quotes: Quotes, proposer: Proposer, proposal: Proposal, progress: Progress | None
    ) -> Fit:
        polished = polish(
            quotes, proposal.model, weights=self.weights, seed=self.seed, progress=progress
        )
        if polished.start_was_good:
            return Fit(polished.result, "hybrid", "", proposal, proposer.version)
        reason = f"the start of {proposer.network} was poor"
        return Fit(polished.result, "least_squares", _several_starts(reason), proposal)

    def _instead(
        self, reason: str, model: type[Model], quotes: Quotes, progress: Progress | None
    ) -> Fit:
        found = self._least_squares(model, quotes, progress)
        return Fit(found, "least_squares", _several_starts(reason))

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


def no_network(model_type: str) -> str:
    """Say that nothing is trained."""
    return f"no network is trained for {model_type}"


def _several_starts(reason: str) -> str:
    return f"{reason}: least squares from several starts answered"
