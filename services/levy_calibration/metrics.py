"""Metrics of the calibration service."""

from typing import Final

from prometheus_client import Gauge

from levy_schemas.calibration import CalibrationResult, FitQuality
from levy_schemas.comparison import ComparisonResult
from levy_schemas.surface import DroppedQuote
from levy_service.metrics import ServiceMetrics

_EVALUATIONS: Final = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_RELATIVE_ERRORS: Final = (1e-6, 1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0)
_PARETO_K: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.5)
"""Above 0.7 weighted draws are unreliable."""
_QUANTILES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.999, 1.0)
"""0 and above 0.999: outside the training range."""
_VOL_ERRORS: Final = (1e-8, 1e-6, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1)


class CalibrationMetrics(ServiceMetrics):
    """Durations, outcomes, evaluations and errors of fits, use of networks, and drift."""

    def __init__(self) -> None:
        super().__init__("levy_calibration")
        self.fit_seconds = self.histogram(
            "fit_seconds", "Duration of one fit, without HTTP", ("model", "method", "outcome")
        )
        self.fit_evaluations = self.histogram(
            "fit_evaluations", "Evaluations of one fit", ("model",), buckets=_EVALUATIONS
        )
        self.fit_rmse_vol = self.histogram(
            "fit_rmse_vol", "Implied volatility RMSE of a fit", ("model",), buckets=_VOL_ERRORS
        )
        self.fit_relative_error = self.histogram(
            "fit_relative_error",
            "Mean of |error|/price of a fit",
            ("model",),
            buckets=_RELATIVE_ERRORS,
        )
        self.degraded = self.counter(
            "fits_degraded", "Fits with a result less than requested", ("model",)
        )
        self.answers = self.counter(
            "answers",
            "Surfaces by network and by the outcome of its initial guess",
            ("model", "network", "alias", "outcome"),
        )
        self.network_evaluations = self.histogram(
            "network_evaluations",
            "Evaluations of one fit from a network's initial guess",
            ("model", "network", "alias"),
            buckets=_EVALUATIONS,
        )
        self.network_rejected = self.gauge(
            "network_refused",
            "1 while the network with the alias is invalid and not in use",
            ("model", "alias"),
            across_workers="livemax",
        )
        self.out_of_distribution = self.counter(
            "out_of_distribution",
            "Surfaces outside the network's training distribution",
            ("model",),
        )
        self.pareto_k = self.histogram(
            "pareto_k", "Pareto k of psis intervals", ("model",), buckets=_PARETO_K
        )
        self.parameter_quantile = self.histogram(
            "parameter_place",
            "Quantile of a fitted parameter in the distribution of training",
            ("model", "parameter"),
            buckets=_QUANTILES,
        )
        self.drift_window = self.gauge(
            "drift_window", "Surfaces in the window from which drift is computed", ("model",)
        )
        self.drift_psi = self._drift("psi", "Population stability index against training")
        self.drift_ks = self._drift("ks", "Kolmogorov-Smirnov distance from training")
        self.drift_out_of_range = self._drift(
            "outside", "Fraction of the window outside the 99.8% range of training"
        )
        self.dropped = self.counter("quotes_dropped", "Quotes dropped before fits", ("reason",))

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
        # Incremented by 0 too, so that the series exists and a ratio is defined.
        self.degraded.labels(result.model_type).inc(int(result.degraded))
        self.out_of_distribution.labels(result.model_type).inc(int(result.out_of_distribution))
        if result.pareto_k is not None:
            self.pareto_k.labels(result.model_type).observe(result.pareto_k)
        self._record_dropped(result.dropped)

    def record_comparison(self, result: ComparisonResult) -> None:
        """Count the fits of one finished comparison."""
        for fit in result.results:
            self._record_fit(
                fit.model_type,
                "least_squares",
                fit.status,
                1e-3 * fit.calibration_time_ms,
                fit.n_evaluations,
                fit.fit_quality,
            )
        self._record_dropped(result.dropped)

    def _drift(self, name: str, description: str) -> Gauge:
        """Register a gauge of drift; several workers report their maximum."""
        return self.gauge(
            f"drift_{name}", description, ("model", "quantity"), across_workers="livemax"
        )

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
