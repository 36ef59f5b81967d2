"""What the calibration service counts."""

from typing import Final

from prometheus_client import Gauge

from levy_schemas.calibration import CalibrationResult, FitQuality
from levy_schemas.comparison import ComparisonResult
from levy_schemas.surface import DroppedQuote
from levy_service.metrics import ServiceMetrics

_EVALUATIONS: Final = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_RELATIVE_ERRORS: Final = (1e-6, 1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0)
_PARETO_K: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.5)
"""Above 0.7 weighted draws are not to be relied on."""
_PLACES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.999, 1.0)
"""At 0 and above 0.999: outside of training."""
_VOL_ERRORS: Final = (1e-8, 1e-6, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1)


class CalibrationMetrics(ServiceMetrics):
    """Durations, outcomes, effort and quality of fits."""

    def __init__(self) -> None:
        super().__init__("levy_calibration")
        self.fit_seconds = self.histogram(
            "fit_seconds", "Time of one fit, without HTTP", ("model", "method", "outcome")
        )
        self.fit_evaluations = self.histogram(
            "fit_evaluations", "Surfaces priced in one fit", ("model",), buckets=_EVALUATIONS
        )
        self.fit_rmse_vol = self.histogram(
            "fit_rmse_vol", "Implied-volatility error of a fit", ("model",), buckets=_VOL_ERRORS
        )
        self.fit_relative_error = self.histogram(
            "fit_relative_error",
            "Mean of |error|/price of a fit",
            ("model",),
            buckets=_RELATIVE_ERRORS,
        )
        self.degraded = self.counter("fits_degraded", "Fits that were less than asked", ("model",))
        self.answers = self.counter(
            "answers",
            "Surfaces by the network tried, and the outcome of its proposal",
            ("model", "network", "alias", "outcome"),
        )
        self.network_evaluations = self.histogram(
            "network_evaluations",
            "Surfaces priced in one fit from a network's start",
            ("model", "network", "alias"),
            buckets=_EVALUATIONS,
        )
        self.network_refused = self.gauge(
            "network_refused",
            "1 while the network that has the alias is refused and another answers, or none",
            ("model", "alias"),
            across_workers="livemax",
        )
        self.out_of_distribution = self.counter(
            "out_of_distribution", "Surfaces unlike those that the network has seen", ("model",)
        )
        self.pareto_k = self.histogram(
            "pareto_k", "Reliability of intervals by psis", ("model",), buckets=_PARETO_K
        )
        self.parameter_place = self.histogram(
            "parameter_place",
            "Place of a fitted parameter in the distribution of training",
            ("model", "parameter"),
            buckets=_PLACES,
        )
        self.drift_window = self.gauge(
            "drift_window", "Surfaces in the windows from which drift is told", ("model",)
        )
        self.drift_psi = self._drift("psi", "Population stability index against training")
        self.drift_ks = self._drift("ks", "Kolmogorov-Smirnov distance from training")
        self.drift_outside = self._drift("outside", "Share of the window beyond 99.8% of training")
        self.dropped = self.counter("quotes_dropped", "Quotes left out of fits", ("reason",))

    def record(self, result: CalibrationResult) -> None:
        """Count one finished fit."""
        self._record_fit(
            result.model_type,
            result.method,
            result.status,
            1e-3 * result.calibration_time_ms,
            result.n_evaluations,
            result.fit_quality,
        )
        # Counted as none, too: a share of nothing yet is no share at all.
        self.degraded.labels(result.model_type).inc(int(result.degraded))
        self.out_of_distribution.labels(result.model_type).inc(int(result.out_of_distribution))
        if result.pareto_k is not None:
            self.pareto_k.labels(result.model_type).observe(result.pareto_k)
        self._record_dropped(result.dropped)

    def record_comparison(self, result: ComparisonResult) -> None:
        """Count the fits of one finished comparison."""
        for one in result.results:
            self._record_fit(
                one.model_type,
                "least_squares",
                one.status,
                1e-3 * one.calibration_time_ms,
                one.n_evaluations,
                one.fit_quality,
            )
        self._record_dropped(result.dropped)

    def _drift(self, name: str, meaning: str) -> Gauge:
        """Make a level of which the worst of several workers' is told."""
        return self.gauge(f"drift_{name}", meaning, ("model", "quantity"), across_workers="livemax")

    def _record_fit(
        self,
        model: str,
        method: str,
        status: str,
        seconds: float,
        n_evaluations: int,
        quality: FitQuality,
    ) -> None:
        self.fit_seconds.labels(model, method, status).observe(seconds)
        self.fit_evaluations.labels(model).observe(n_evaluations)
        self.fit_relative_error.labels(model).observe(quality.relative_error)
        if quality.implied_vol_rmse is not None:
            self.fit_rmse_vol.labels(model).observe(quality.implied_vol_rmse)

    def _record_dropped(self, dropped: tuple[DroppedQuote, ...]) -> None:
        for quote in dropped:
            self.dropped.labels(quote.reason).inc()
