"""Calibrating one surface."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from levy_calibration.handlers.fitting import Fit, Fitting
from levy_calibration.handlers.parameter_intervals import certainties, refuse_psis_of_a_network
from levy_calibration.handlers.responses import answer
from levy_calibration.networks.proposer import Proposer
from levy_numerics import models
from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_schemas.calibration import CalibrationRequest, CalibrationResult
from levy_surfaces.requested import Surface, surface_of

Choose = Callable[[str], Sequence[Proposer]]
"""Which networks to ask for the next surface of a model, in turn; none where none is ready."""
Observe = Callable[[Quotes, Fit], None]
"""Told of each fit, and of the quotes that it was made to."""


def nobody(_model_type: str) -> Sequence[Proposer]:
    """No network at all."""
    return ()


def unobserved(_quotes: Quotes, _fit: Fit) -> None:
    """Nobody is told."""


def calibrate(
    request: CalibrationRequest,
    *,
    engine_version: str,
    choose: Choose = nobody,
    observe: Observe = unobserved,
    n_starts: int | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> CalibrationResult:
    """Fit a model to quotes, or to each expiry of them.

    Parameters
    ----------
    request : CalibrationRequest
        The quotes, and how to fit them.
    engine_version : str
        Told where no network answers.
    choose : callable
        Which networks to ask.
    observe : callable
        Told of the fit, before it is shaped into an answer.
    n_starts : int, optional
        Starts of least squares, the best of which answers; as many as it takes to confirm the
        best if absent.
    checkpoint : callable, optional
        Called before and between several starts; raises when nobody waits for the answer any more,
        or not for so long.

    Raises
    ------
    LevyError
        The model is unknown, the quotes are too few, or the network asked for is not there.
    """
    started = time.perf_counter()
    task = CalibrationTask.of(request, choose, n_starts)
    return task.run(
        engine_version=engine_version,
        observe=observe,
        checkpoint=checkpoint,
        preparation_seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True)
class CalibrationTask:
    """A request that can be fitted: its quotes are cleaned and its networks chosen.

    Attributes
    ----------
    request : CalibrationRequest
    model : type of Model
    surface : Surface
    fitting : Fitting
    proposers : sequence of Proposer
        Networks to ask, in turn.
    pricer : SinhPricer, optional
        Of the surface's contracts, with tables computed before.
    """

    request: CalibrationRequest
    model: type[Model]
    surface: Surface
    fitting: Fitting
    proposers: Sequence[Proposer]
    pricer: SinhPricer | None = None

    @classmethod
    def of(cls, request: CalibrationRequest, choose: Choose, n_starts: int | None) -> Self:
        """Clean the quotes of a request and choose the networks to ask.

        Raises
        ------
        LevyError
            The model is unknown, the quotes are too few, or options contradict each other.
        """
        model = models.get(request.model_type)
        refuse_psis_of_a_network(request.method, request.uncertainty)
        if request.per_maturity:
            refuse_term_structure_of_its_own(request.model_type)
        surface = surface_of(
            request,
            n_parameters=len(model.parameters()),
            model_type=model.name,
            at_each_maturity=request.per_maturity,
        )
        fitting = Fitting(request.method, request.weights, request.per_maturity, n_starts)
        proposers = () if request.method == "least_squares" else choose(model.name)
        return cls(request, model, surface, fitting, proposers)

    @property
    def quotes(self) -> Quotes:
        """Return the quotes to fit."""
        return self.surface.quotes

    def run(
        self,
        *,
        engine_version: str,
        observe: Observe,
        checkpoint: Callable[[], None],
        preparation_seconds: float,
    ) -> CalibrationResult:
        """Fit and build the response; arguments are those of `calibrate`.

        Raises
        ------
        LevyError
            The fit failed, or the network asked for is not available.
        """
        started = time.perf_counter()
        if not self.proposers:
            checkpoint()
        fit = self.fitting.fit(
            self.model,
            self.quotes,
            self.proposers,
            lambda _done, _all: checkpoint(),
            self.pricer,
        )
        observe(self.quotes, fit)
        uncertainty = self.request.uncertainty
        return answer(
            fit,
            certainties(fit, self.quotes, weights=self.request.weights, uncertainty=uncertainty),
            uncertainty=uncertainty,
            dropped=self.surface.dropped,
            quote_warnings=self.surface.warnings,
            engine_version=engine_version,
            seconds=preparation_seconds + time.perf_counter() - started,
        )


def refuse_term_structure_of_its_own(model_type: str) -> None:
    """Raise `UnsupportedError` if one expiry alone cannot determine the model."""
    if not models.get(model_type).has_stationary_increments:
        message = (
            f"{model_type} has a term structure of its own, which one expiry cannot determine; "
            "fit it to the whole surface, or a Lévy model per maturity"
        )
        raise UnsupportedError(message, pointer="/per_maturity")
