"""The hybrid strategy: a network's initial guess, least squares from there, restarts, fallback.

Networks are anything that satisfies `Proposer`; this module needs no learning framework.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from levy_numerics.calibration.least_squares import calibrate
from levy_numerics.calibration.local_fit import evaluate_at, fit_from
from levy_numerics.calibration.per_maturity import TermStructure, calibrate_each_maturity
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.errors import LevyError, UnsupportedError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer

Method = Literal["hybrid", "neural", "least_squares"]
Progress = Callable[[int, int], None]
ShouldStop = Callable[[], bool]
# Rejected: restarts found a better fit than the one from the network's guess.
# Abstained: the network cannot read such quotes.
Outcome = Literal["accepted", "rejected", "abstained"]


@dataclass(frozen=True)
class Proposal:
    """A network's initial guess.

    Attributes
    ----------
    model : Model
        Inside the domain.
    spread : ndarray of shape (n_coordinates,), or None
        Predicted standard errors in the model's coordinates, if the network has them.
    score : float
        Distance of the quotes from the training distribution; above 1 outside of 99.9% of it.
    """

    model: Model
    spread: np.ndarray | None
    score: float


class Proposer(Protocol):
    """A network, loaded and verified."""

    @property
    def model_type(self) -> str:
        """Name of the model whose parameters the network proposes."""

    @property
    def network(self) -> str:
        """Name of the architecture."""

    @property
    def version(self) -> str:
        """Version of the artifact."""

    def propose(self, quotes: Quotes) -> Proposal:
        """Return an initial guess for one surface.

        Raises
        ------
        UnsupportedError
            The network cannot read such quotes.
        """

    def propose_many(self, surfaces: Sequence[Quotes]) -> list[Proposal]:
        """Return initial guesses for several surfaces; raises as `propose`."""


@dataclass(frozen=True)
class NetworkAttempt:
    """A network that was tried for a fit, by its version, and the outcome."""

    version: str
    outcome: Outcome


@dataclass(frozen=True)
class Fit:
    """A fit and how it came about.

    Attributes
    ----------
    result : CalibrationResult or TermStructure
        Of the whole surface, or one for each expiry.
    method : {"hybrid", "neural", "least_squares"}
        The method that produced the result.
    degradation_reason : str
        Why another method than the requested one produced it; empty if none did.
    proposal : Proposal, optional
        The initial guess of the network that did not abstain, if there was one.
    attempts : tuple of NetworkAttempt
        In order: the last is the network that proposed.
    """

    result: CalibrationResult | TermStructure
    method: Method
    degradation_reason: str = ""
    proposal: Proposal | None = None
    attempts: tuple[NetworkAttempt, ...] = ()

    @property
    def results(self) -> tuple[CalibrationResult, ...]:
        """The result, or those of each expiry."""
        return self.result.results if isinstance(self.result, TermStructure) else (self.result,)

    @property
    def model_type(self) -> str:
        """Name of the model."""
        return self.results[0].model.name

    @property
    def n_evaluations(self) -> int:
        """Number of surfaces priced in all."""
        return sum(result.n_evaluations for result in self.results)

    @property
    def network(self) -> str:
        """Version of the network whose proposal was accepted; empty without one."""
        return next((a.version for a in self.attempts if a.outcome == "accepted"), "")

    @property
    def out_of_distribution(self) -> bool:
        """Whether the quotes are unlike the network's training surfaces."""
        return self.proposal is not None and not (self.proposal.score <= 1.0)


class _NoProposalError(Exception):
    """No network proposes; contains the reason, and the request member that is responsible."""

    def __init__(
        self, reason: str, pointer: str = "/method", abstained: tuple[NetworkAttempt, ...] = ()
    ) -> None:
        super().__init__(reason)
        self.reason, self.pointer, self.abstained = reason, pointer, abstained


@dataclass(frozen=True)
class FitStrategy:
    """Method and options of fits.

    Attributes
    ----------
    method : {"hybrid", "neural", "least_squares"}
    weights : {"price", "vega", "bid_ask"}, optional
        As in `calibrate`.
    per_maturity : bool
        One fit for each expiry.
    n_starts : int, optional
        Of least squares; by default until starts agree.
    seed : int
        Of those starts.
    """

    method: Method = "hybrid"
    weights: str | None = None
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
        should_stop: ShouldStop | None = None,
    ) -> Fit:
        """Fit one surface.

        Parameters
        ----------
        model : type of Model
        quotes : Quotes
        proposers : sequence of Proposer
            Networks of this model, each tried where those before it abstain.
        progress : callable, optional
            Called with (starts or expiries done, in all).
        pricer : SinhPricer, optional
            Of these contracts, with tables computed before; used from a network's guess.
        should_stop : callable, optional
            As in `calibrate`: once it returns true, the best fit so far is the result.

        Raises
        ------
        LevyError
            `neural` is requested and no network can read the quotes, or there are too few quotes.
        """
        if self.method == "least_squares":
            return Fit(self._least_squares(model, quotes, progress, should_stop), "least_squares")
        try:
            proposer, proposal, abstained = self._propose(model, quotes, proposers)
        except _NoProposalError as missing:
            if self.method == "neural":
                message = f"{missing.reason}; request hybrid or least_squares"
                raise UnsupportedError(message, pointer=missing.pointer) from None
            result = self._least_squares(model, quotes, progress, should_stop)
            reason = _fallback(missing.reason)
            return Fit(result, "least_squares", reason, attempts=missing.abstained)
        accepted = (*abstained, NetworkAttempt(proposer.version, "accepted"))
        if self.method == "neural":
            result = evaluate_at(quotes, proposal.model, weights=self.weights)
            return Fit(result, "neural", "", proposal, accepted)
        local = fit_from(
            quotes,
            proposal.model,
            weights=self.weights,
            seed=self.seed,
            progress=progress,
            should_stop=should_stop,
            pricer=pricer,
        )
        if local.start_accepted:
            return Fit(local.result, "hybrid", "", proposal, accepted)
        rejected = (*abstained, NetworkAttempt(proposer.version, "rejected"))
        reason = _fallback(f"the initial guess of {proposer.network} was poor")
        return Fit(local.result, "least_squares", reason, proposal, rejected)

    def _propose(
        self, model: type[Model], quotes: Quotes, proposers: Sequence[Proposer]
    ) -> tuple[Proposer, Proposal, tuple[NetworkAttempt, ...]]:
        if proposers and self.per_maturity:
            reason = f"{proposers[0].network} reads whole surfaces, not single expiries"
            raise _NoProposalError(reason, "/per_maturity")
        reason = f"no network is ready for {model.name}"
        abstained: tuple[NetworkAttempt, ...] = ()
        for proposer in proposers:
            try:
                return proposer, proposer.propose(quotes), abstained
            except LevyError as error:
                reason = error.message
                abstained = (*abstained, NetworkAttempt(proposer.version, "abstained"))
        raise _NoProposalError(reason, abstained=abstained)

    def _least_squares(
        self,
        model: type[Model],
        quotes: Quotes,
        progress: Progress | None,
        should_stop: ShouldStop | None,
    ) -> CalibrationResult | TermStructure:
        fit_all = calibrate_each_maturity if self.per_maturity else calibrate
        return fit_all(
            model,
            quotes,
            weights=self.weights,
            n_starts=self.n_starts,
            seed=self.seed,
            progress=progress,
            should_stop=should_stop,
        )


def _fallback(reason: str) -> str:
    return f"{reason}; least squares from several starts was used instead"
