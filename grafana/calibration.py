"""Dashboard of calibration quality: fits, networks, drift."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from grafana.panels import dashboard, quantile, time_series, variable

_MODEL = 'model=~"$model"'


def calibration_quality() -> Dashboard:
    """Build the dashboard: fit errors, champion and challenger, drift from training."""
    board = dashboard(
        "levy-calibration",
        "Lévy: calibration quality",
        "Fit errors, network starts, and drift from the training data",
    ).with_variable(variable("model", "levy_calibration_fit_seconds_count"))
    for row in (_fits, _networks, _drift):
        board = row(board)
    return board


def _fits(board: Dashboard) -> Dashboard:
    rmse = "levy_calibration_fit_rmse_vol"
    return (
        board.with_row(Row("Fits"))
        .with_panel(
            time_series(
                "Fit error",
                "percentunit",
                (quantile(0.5, rmse, "model", where=_MODEL), "{{model}} p50"),
                (quantile(0.9, rmse, "model", where=_MODEL), "{{model}} p90"),
                description="RMSE of implied volatility; p90 over 3%: LevyAnomalousFits",
            )
        )
        .with_panel(
            time_series(
                "Outcomes",
                "ops",
                (
                    "sum by (model, method, outcome) "
                    f"(rate(levy_calibration_fit_seconds_count{{{_MODEL}}}[5m]))",
                    "{{model}} {{method}} {{outcome}}",
                ),
                description="Fits by final status",
            )
        )
        .with_panel(
            time_series(
                "Degraded fits",
                "percentunit",
                (f"model:levy_fits_degraded:ratio5m{{{_MODEL}}}", "{{model}}"),
                description="Hybrid fits by multi-start least squares; over 10%: LevyFitsDegraded",
            )
        )
        .with_panel(
            time_series(
                "Duration of a fit",
                "s",
                (
                    quantile(0.5, "levy_calibration_fit_seconds", "model", "method", where=_MODEL),
                    "{{model}} {{method}} p50",
                ),
                (
                    quantile(0.99, "levy_calibration_fit_seconds", "model", "method", where=_MODEL),
                    "{{model}} {{method}} p99",
                ),
                description="Computation only, without HTTP",
            )
        )
        .with_panel(
            time_series(
                "Dropped quotes",
                "ops",
                (
                    "sum by (reason) (rate(levy_calibration_quotes_dropped_total[5m]))",
                    "{{reason}}",
                ),
                description="By reason; problems of a data feed appear here first",
            )
        )
        .with_panel(
            time_series(
                "Pareto k of the intervals",
                "none",
                (
                    quantile(0.5, "levy_calibration_pareto_k", "model", where=_MODEL),
                    "{{model}} p50",
                ),
                (
                    quantile(0.9, "levy_calibration_pareto_k", "model", where=_MODEL),
                    "{{model}} p90",
                ),
                description="Over 0.7: the importance-sampled intervals are unreliable",
            )
        )
    )


def _networks(board: Dashboard) -> Dashboard:
    evaluations = "levy_calibration_network_evaluations"
    return (
        board.with_row(Row("Champion and challenger"))
        .with_panel(
            time_series(
                "Surfaces by network",
                "ops",
                (
                    "sum by (model, network, alias) "
                    f"(rate(levy_calibration_answers_total{{{_MODEL}}}[5m]))",
                    "{{model}} {{network}} {{alias}}",
                ),
                description='Surfaces by network; "none" if no network is trained',
            )
        )
        .with_panel(
            time_series(
                "Outcome of the network's start",
                "ops",
                (
                    "sum by (model, alias, outcome) "
                    f"(rate(levy_calibration_answers_total{{{_MODEL}}}[5m]))",
                    "{{model}} {{alias}} {{outcome}}",
                ),
                description="A better network has fewer rejected starts",
            )
        )
        .with_panel(
            time_series(
                "Evaluations from the network's start",
                "none",
                (
                    quantile(0.5, evaluations, "model", "alias", where=_MODEL),
                    "{{model}} {{alias}} p50",
                ),
                (
                    quantile(0.95, evaluations, "model", "alias", where=_MODEL),
                    "{{model}} {{alias}} p95",
                ),
                description="Model evaluations per fit; better starts need fewer",
            )
        )
    )


def _drift(board: Dashboard) -> Dashboard:
    place = "levy_calibration_parameter_place"
    return (
        board.with_row(Row("Drift from training"))
        .with_panel(
            time_series(
                "Out of distribution",
                "percentunit",
                (f"model:levy_out_of_distribution:ratio15m{{{_MODEL}}}", "{{model}}"),
                description="Fraction with a score above 1: LevyOutOfDistribution",
            )
        )
        .with_panel(
            time_series(
                "Population stability index",
                "none",
                (
                    f"max by (model, quantity) (levy_calibration_drift_psi{{{_MODEL}}})",
                    "{{model}} {{quantity}}",
                ),
                description="Per input and parameter; over 0.25: differs from training",
            )
        )
        .with_panel(
            time_series(
                "Kolmogorov-Smirnov distance",
                "none",
                (
                    f"max by (model, quantity) (levy_calibration_drift_ks{{{_MODEL}}})",
                    "{{model}} {{quantity}}",
                ),
                description="Largest distance between the two distribution functions",
            )
        )
        .with_panel(
            time_series(
                "Outside the training range",
                "percentunit",
                (
                    f"max by (model, quantity) (levy_calibration_drift_outside{{{_MODEL}}})",
                    "{{model}} {{quantity}}",
                ),
                description="Outside the central 99.8% of training; over 5% with a PSI over "
                "0.25: LevyDrift",
            )
        )
        .with_panel(
            time_series(
                "Surfaces in the window",
                "none",
                (f"max by (model) (levy_calibration_drift_window{{{_MODEL}}})", "{{model}}"),
                description="Number of surfaces from which drift is computed",
            )
        )
        .with_panel(
            time_series(
                "Quantiles of fitted parameters",
                "percentunit",
                (
                    quantile(0.5, place, "model", "parameter", where=_MODEL),
                    "{{model}} {{parameter}} p50",
                ),
                description="In the training distribution: 0.5 is its median, 0 and 1 are outside",
            )
        )
    )
