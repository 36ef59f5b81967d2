"""Sample and summarise the posterior given quotes."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from levy_bayesian.prediction import predictive_options
from levy_bayesian.progress import Progress, ProgressCallback
from levy_bayesian.summary import inference_data, summarise
from levy_numerics import models
from levy_numerics.calibration import calibrate
from levy_numerics.calibration.discrepancy import Discrepancy
from levy_numerics.calibration.weights import default_weights
from levy_numerics.distributions import Distribution
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.priors import Priors
from levy_numerics.market import Contracts, Quotes
from levy_schemas.jobs import BayesianRequest, BayesianResult, Engine, Likelihood, OptionPrediction
from levy_schemas.surface import DroppedQuote, Weights
from levy_surfaces.request_forwards import contracts_of
from levy_surfaces.requested import reported, surface_of

if TYPE_CHECKING:
    from xarray import DataTree

    from levy_bayesian.samplers import Draws

_DEGREES_OF_FREEDOM: Final[dict[Likelihood, float]] = {
    "discrepancy": math.inf,
    "normal": math.inf,
    "student_t": 4.0,
}
_SAMPLING_SHARE: Final = 0.95
"""Approximate fraction of the work; the rest is the summary."""
_TOO_FEW: Final = (
    "{} quotes do not show how errors are correlated: the likelihood assumes independent errors. "
    "Add quotes."
)


@dataclass(frozen=True)
class Sampling:
    """A posterior and its sampler: the fields of `BayesianRequest` except the quotes.

    Attributes
    ----------
    model_type : str
    engine : str
    num_chains, num_samples, num_warmup, seed : int
        See `SamplingPlan`.
    priors : mapping of str to mapping
        Replace default priors; see `Priors.with_overrides`.
    likelihood : {"discrepancy", "normal", "student_t"}
        Distribution of quote errors: correlated by a discrepancy between model and market, see
        `CorrelatedErrors`; independent; the same with Student's t of four degrees of freedom.
    weights : str, optional
        Unit of the errors, by default as in fits.
    """

    model_type: str
    engine: Engine = "numpyro-nuts"
    num_chains: int = 4
    num_samples: int = 5000
    num_warmup: int = 2000
    seed: int = 0
    priors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    likelihood: Likelihood = "discrepancy"
    weights: Weights | None = None

    @classmethod
    def of(cls, request: BayesianRequest) -> Self:
        """Return the sampling that a request describes."""
        return cls(
            model_type=request.model_type,
            engine=request.engine,
            num_chains=request.num_chains,
            num_samples=request.num_samples,
            num_warmup=request.num_warmup,
            seed=request.seed,
            priors={name: prior.spec() for name, prior in request.priors.items()},
            likelihood=request.likelihood,
            weights=request.weights,
        )

    def posterior(self, quotes: Quotes) -> Posterior:
        """Return the posterior given the quotes.

        Errors are independent, and normal, if there are too few quotes to estimate a discrepancy.

        Raises
        ------
        LevyError
            The model is unknown, a prior is not admissible, or the weights require spreads.
        """
        return Posterior.of(
            quotes,
            self._all_priors(),
            weights=self.weights,
            degrees_of_freedom=_DEGREES_OF_FREEDOM[self.likelihood],
            discrepancy=self._discrepancy(quotes),
        )

    def _discrepancy(self, quotes: Quotes) -> Discrepancy | None:
        if self.likelihood != "discrepancy":
            return None
        fit = calibrate(models.get(self.model_type), quotes, weights=self.weights)
        return fit.discrepancy()

    def priors_by_parameter(self) -> Mapping[str, Distribution]:
        """Return the priors, the default ones unless replaced."""
        return self._all_priors().by_parameter

    def _all_priors(self) -> Priors:
        return Priors.default(models.get(self.model_type)).with_overrides(self.priors)

    def run(
        self,
        quotes: Quotes,
        progress: ProgressCallback,
        *,
        dropped: tuple[DroppedQuote, ...] = (),
        quote_warnings: tuple[str, ...] = (),
        predict: Contracts | None = None,
    ) -> tuple[BayesianResult, bytes]:
        """Sample and summarise; JAX must be in 64-bit mode if the engine uses it.

        Parameters
        ----------
        quotes : Quotes
        progress : callable
        dropped : tuple of DroppedQuote
            Quotes that were not used.
        quote_warnings : tuple of str
            Warnings of cleaning.
        predict : Contracts, optional
            Other options to predict.

        Returns
        -------
        BayesianResult
        bytes
            The draws as netCDF.
        """
        # Imported in the process that computes: it takes seconds, and JAX does not survive a fork.
        from levy_bayesian.samplers import SamplingPlan, get

        started = time.perf_counter()
        progress(Progress(0.0, stage="fitting"))
        sampler = get(self.engine)
        posterior = self.posterior(quotes)
        plan = SamplingPlan(self.num_chains, self.num_samples, self.num_warmup, self.seed)

        def report(sampling: Progress) -> None:
            progress(replace(sampling, share=_SAMPLING_SHARE * sampling.share))

        draws = sampler.sample(posterior, plan, report)
        progress(Progress(_SAMPLING_SHARE, stage="summarising"))
        summary = summarise(posterior, draws, seed=self.seed)
        predicted = () if predict is None else self._predicted(posterior, draws, predict)
        data = inference_data(posterior, draws, engine=type(sampler), seed=self.seed)
        content = _netcdf(data)
        progress(Progress(1.0, stage="summarising", stage_share=1.0))
        fields = {name: getattr(summary, name) for name in summary.__dataclass_fields__}
        used = self.likelihood
        if used == "discrepancy" and posterior.correlated is None:
            used = "normal"
            quote_warnings = (*quote_warnings, _TOO_FEW.format(quotes.size))
        fields["warnings"] = (*quote_warnings, *summary.warnings)
        result = BayesianResult(
            model_type=posterior.model_type.name,
            engine=self.engine,
            likelihood=used,
            seconds=time.perf_counter() - started,
            dropped=dropped,
            predicted=predicted,
            **fields,
        )
        return result, content

    def _predicted(
        self, posterior: Posterior, draws: "Draws", options: Contracts
    ) -> tuple[OptionPrediction, ...]:
        weights = default_weights(posterior.quotes) if self.weights is None else self.weights
        return predictive_options(posterior, draws.points, options, weights=weights, seed=self.seed)


def sample(request: BayesianRequest, progress: ProgressCallback) -> tuple[BayesianResult, bytes]:
    """Sample the posterior that a request describes (a `Compute`).

    Parameters
    ----------
    request : BayesianRequest
    progress : callable
        Called with the progress; an exception that it raises ends the work.

    Raises
    ------
    LevyError
        The model or the engine is unknown, there are too few quotes, or a prior is not admissible.
    """
    model = models.get(request.model_type)
    surface = surface_of(request, n_parameters=len(model.parameters()), model_type=model.name)
    return Sampling.of(request).run(
        surface.quotes,
        progress,
        dropped=reported(surface.dropped),
        quote_warnings=surface.warnings,
        predict=_to_predict(request),
    )


def _to_predict(request: BayesianRequest) -> Contracts | None:
    if not request.predict:
        return None
    return contracts_of(
        request,
        maturity_years=np.array([option.maturity for option in request.predict]),
        strike=np.array([option.strike for option in request.predict]),
        is_call=np.array([option.option_type == "call" for option in request.predict]),
    )


def _netcdf(data: "DataTree") -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "draws.nc"
        data.to_netcdf(path, engine="h5netcdf")
        return path.read_bytes()
