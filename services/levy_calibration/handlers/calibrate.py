"""Calibration of one surface."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from levy_calibration.handlers.american import (
    EquivalentFit,
    fit_american_request,
    removed_early_exercise,
)
from levy_calibration.handlers.parameter_intervals import (
    parameter_intervals,
    refuse_psis_of_a_network,
)
from levy_calibration.handlers.responses import build_response
from levy_numerics import models
from levy_numerics.calibration.hybrid import Fit, FitStrategy, Proposer
from levy_numerics.errors import UnsupportedError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_numerics.surface import Surface
from levy_schemas.calibration import CalibrationRequest, CalibrationResult
from levy_surfaces.american import AmericanFit
from levy_surfaces.requested import reported, surface_of

Choose = Callable[[str], Sequence[Proposer]]
"""Returns the networks to try for the next surface of a model, in order."""
Observe = Callable[[Quotes, Fit], None]
"""Called with each fit and its quotes."""


class Record(Protocol):
    """Records each calibration."""

    def __call__(
        self,
        request: CalibrationRequest,
        fit: Fit,
        result: CalibrationResult,
        *,
        networks: Sequence[str],
        is_shared: bool,
    ) -> None:
        """Record a fit and its response; see `AuditLog.write`."""


def no_networks(_model_type: str) -> Sequence[Proposer]:
    """Return no network."""
    return ()


def ignore(_quotes: Quotes, _fit: Fit) -> None:
    """Do nothing."""


def not_recorded(
    request: CalibrationRequest,
    fit: Fit,
    result: CalibrationResult,
    *,
    networks: Sequence[str],
    is_shared: bool,
) -> None:
    """Do nothing."""


def calibrate(
    request: CalibrationRequest,
    *,
    engine_version: str,
    choose: Choose = no_networks,
    observe: Observe = ignore,
    record: Record = not_recorded,
    n_starts: int | None = None,
    checkpoint: Callable[[], None] = lambda: None,
) -> CalibrationResult:
    """Fit a model to quotes, or to each expiry of them.

    Parameters
    ----------
    request : CalibrationRequest
        The quotes, and how to fit them.
    engine_version : str
        The version in the response where no network's guess was accepted.
    choose : callable
        Returns the networks to try.
    observe : callable
        Called with the fit before the response is built.
    record : callable
        Called with the fit and the response.
    n_starts : int, optional
        Starts of least squares; by default until starts agree.
    checkpoint : callable, optional
        Called every few evaluations; raises when the deadline has passed.

    Raises
    ------
    LevyError
        The model is unknown, the quotes are too few, or the requested network is not available.
    """
    started = time.perf_counter()
    task = CalibrationTask.of(request, choose, n_starts, checkpoint)
    return task.run(
        engine_version=engine_version,
        observe=observe,
        record=record,
        checkpoint=checkpoint,
        preparation_seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True)
class CalibrationTask:
    """A request ready to be fitted: its quotes are cleaned and its networks chosen.

    Attributes
    ----------
    request : CalibrationRequest
    model : type of Model
    surface : Surface
    strategy : FitStrategy
    proposers : sequence of Proposer
        Networks to try, in order.
    pricer : SinhPricer, optional
        Of the surface's contracts, with tables computed before.
    american : AmericanFit, optional
        Of American quotes: the fit to their European equivalents, which `surface` contains.
    """

    request: CalibrationRequest
    model: type[Model]
    surface: Surface
    strategy: FitStrategy
    proposers: Sequence[Proposer]
    pricer: SinhPricer | None = None
    american: AmericanFit[EquivalentFit] | None = None

    @classmethod
    def of(
        cls,
        request: CalibrationRequest,
        choose: Choose,
        n_starts: int | None,
        checkpoint: Callable[[], None],
    ) -> Self:
        """Clean the quotes of a request and choose the networks to try.

        American quotes are fitted here, since their European equivalents depend on the fit.

        Raises
        ------
        LevyError
            The model is unknown, the quotes are too few, or options contradict each other.
        """
        model = models.get(request.model_type)
        refuse_psis_of_a_network(request.method, request.uncertainty)
        if request.explain:
            _refuse_unexplained(request)
        if request.per_maturity:
            refuse_time_inhomogeneous(model.name)
        strategy = FitStrategy(request.method, request.weights, request.per_maturity, n_starts)
        proposers = () if request.method == "least_squares" else choose(model.name)
        if request.has_american:
            american = fit_american_request(
                request, model, strategy, proposers, raising(checkpoint)
            )
            return cls(request, model, american.surface, strategy, proposers, american=american)
        surface = surface_of(
            request,
            n_parameters=len(model.parameters()),
            model_type=model.name,
            at_each_maturity=request.per_maturity,
        )
        return cls(request, model, surface, strategy, proposers)

    @property
    def quotes(self) -> Quotes:
        """Return the quotes to fit."""
        return self.surface.quotes

    def run(
        self,
        *,
        engine_version: str,
        observe: Observe,
        record: Record,
        checkpoint: Callable[[], None],
        preparation_seconds: float,
    ) -> CalibrationResult:
        """Fit and build the response; arguments are those of `calibrate`.

        Raises
        ------
        LevyError
            The fit failed, or the requested network is not available.
        """
        started = time.perf_counter()
        fit = self._fit(checkpoint)
        observe(self.quotes, fit)
        result = build_response(
            fit,
            parameter_intervals(fit, self.quotes, uncertainty=self.request.uncertainty),
            dropped=reported(self.surface.dropped),
            quote_warnings=self._quote_warnings,
            engine_version=engine_version,
            seconds=preparation_seconds + time.perf_counter() - started,
            explained=self.quotes if self.request.explain else None,
        )
        if self.american is not None:
            removed = removed_early_exercise(self.request, self.american)
            result = result.model_copy(update={"early_exercise": removed})
        record(
            self.request,
            fit,
            result,
            networks=[network.version for network in self.proposers],
            is_shared=self.pricer is not None,
        )
        return result

    @property
    def _quote_warnings(self) -> tuple[str, ...]:
        about = () if self.american is None else self.american.warnings
        return (*about, *self.surface.warnings)

    def _fit(self, checkpoint: Callable[[], None]) -> Fit:
        if self.american is not None:
            return self.american.fit.fit
        return self.strategy.fit(
            self.model,
            self.quotes,
            self.proposers,
            pricer=self.pricer,
            should_stop=raising(checkpoint),
        )


def _refuse_unexplained(request: CalibrationRequest) -> None:
    """Raise `UnsupportedError` unless the request fits one model to all quotes together."""
    if request.per_maturity or request.method == "neural":
        message = (
            "explain requires a least-squares fit of all expiries together; omit per_maturity, "
            "and request method = hybrid or least_squares"
        )
        raise UnsupportedError(message, pointer="/explain")


def raising(checkpoint: Callable[[], None]) -> Callable[[], bool]:
    """Return a `should_stop` that raises instead: a late result has no recipient."""

    def should_stop() -> bool:
        checkpoint()
        return False

    return should_stop


def refuse_time_inhomogeneous(model_type: str) -> None:
    """Raise `UnsupportedError` if one expiry alone cannot determine the model."""
    if not models.get(model_type).has_stationary_increments:
        message = (
            f"{model_type} has a term structure of its own, which one expiry cannot determine; "
            "fit it to the whole surface, or fit a Lévy model per maturity"
        )
        raise UnsupportedError(message, pointer="/per_maturity")
