"""Are the answers right: fits, networks, drift."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from grafana.panels import dashboard, lines, quantile, variable

_MODEL = 'model=~"$model"'


def calibration_quality() -> Dashboard:
    """Errors of fits, champion against challenger, how far from what networks were trained on."""
    made = dashboard(
        "levy-calibration",
        "Lévy: calibration quality",
        "How well models fit, what networks add, whether the market has left their training",
    ).with_variable(variable("model", "levy_calibration_fit_seconds_count"))
    for row in (_fits, _networks, _drift):
        made = row(made)
    return made


def _fits(made: Dashboard) -> Dashboard:
    rmse = "levy_calibration_fit_rmse_vol"
    return (
        made.with_row(Row("Fits"))
        .with_panel(
            lines(
                "Fit error",
                "percentunit",
                (quantile(0.5, rmse, "model", where=_MODEL), "{{model}} p50"),
                (quantile(0.9, rmse, "model", where=_MODEL), "{{model}} p90"),
                meaning="Implied-volatility error; p90 over 3%: LevyAnomalousFits",
            )
        )
        .with_panel(
            lines(
                "Outcomes",
                "ops",
                (
                    "sum by (model, method, outcome) "
                    f"(rate(levy_calibration_fit_seconds_count{{{_MODEL}}}[5m]))",
                    "{{model}} {{method}} {{outcome}}",
                ),
                meaning="Fits by how they ended",
            )
        )
        .with_panel(
            lines(
                "Less than asked",
                "percentunit",
                (f"model:levy_fits_degraded:ratio5m{{{_MODEL}}}", "{{model}}"),
                meaning="Answered by least squares where a network was asked: LevyFitsDegraded",
            )
        )
        .with_panel(
            lines(
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
                meaning="Without HTTP",
            )
        )
        .with_panel(
            lines(
                "Quotes left out",
                "ops",
                (
                    "sum by (reason) (rate(levy_calibration_quotes_dropped_total[5m]))",
                    "{{reason}}",
                ),
                meaning="A feed that has gone wrong shows here first",
            )
        )
        .with_panel(
            lines(
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
                meaning="Over 0.7 the posterior is not what Laplace takes it for",
            )
        )
    )


def _networks(made: Dashboard) -> Dashboard:
    evaluations = "levy_calibration_network_evaluations"
    return (
        made.with_row(Row("Champion against challenger"))
        .with_panel(
            lines(
                "Who is asked",
                "ops",
                (
                    "sum by (model, network, alias) "
                    f"(rate(levy_calibration_answers_total{{{_MODEL}}}[5m]))",
                    "{{model}} {{network}} {{alias}}",
                ),
                meaning="Surfaces by the network that read them; none where there is none",
            )
        )
        .with_panel(
            lines(
                "What became of the start",
                "ops",
                (
                    "sum by (model, alias, outcome) "
                    f"(rate(levy_calibration_answers_total{{{_MODEL}}}[5m]))",
                    "{{model}} {{alias}} {{outcome}}",
                ),
                meaning="A better challenger has fewer poor starts",
            )
        )
        .with_panel(
            lines(
                "Surfaces priced from the start",
                "none",
                (
                    quantile(0.5, evaluations, "model", "alias", where=_MODEL),
                    "{{model}} {{alias}} p50",
                ),
                (
                    quantile(0.95, evaluations, "model", "alias", where=_MODEL),
                    "{{model}} {{alias}} p95",
                ),
                meaning="The nearer the start, the fewer",
            )
        )
    )


def _drift(made: Dashboard) -> Dashboard:
    place = "levy_calibration_parameter_place"
    return (
        made.with_row(Row("Drift from what the networks were trained on"))
        .with_panel(
            lines(
                "Out of distribution",
                "percentunit",
                (f"model:levy_out_of_distribution:ratio15m{{{_MODEL}}}", "{{model}}"),
                meaning="Of the surfaces read, those unlike any in training: LevyOutOfDistribution",
            )
        )
        .with_panel(
            lines(
                "Population stability index",
                "none",
                (
                    f"max by (model, quantity) (levy_calibration_drift_psi{{{_MODEL}}})",
                    "{{model}} {{quantity}}",
                ),
                meaning="Of each input and parameter; over 0.25 it is distributed otherwise",
            )
        )
        .with_panel(
            lines(
                "Kolmogorov-Smirnov distance",
                "none",
                (
                    f"max by (model, quantity) (levy_calibration_drift_ks{{{_MODEL}}})",
                    "{{model}} {{quantity}}",
                ),
                meaning="The largest gap between the two distribution functions",
            )
        )
        .with_panel(
            lines(
                "Outside of training",
                "percentunit",
                (
                    f"max by (model, quantity) (levy_calibration_drift_outside{{{_MODEL}}})",
                    "{{model}} {{quantity}}",
                ),
                meaning="Share of the window beyond 99.8% of training; over 5%, and PSI over "
                "0.25: LevyDrift",
            )
        )
        .with_panel(
            lines(
                "Surfaces in the window",
                "none",
                (f"max by (model) (levy_calibration_drift_window{{{_MODEL}}})", "{{model}}"),
                meaning="What drift is computed from; with few of them it says little",
            )
        )
        .with_panel(
            lines(
                "Where parameters lie",
                "percentunit",
                (
                    quantile(0.5, place, "model", "parameter", where=_MODEL),
                    "{{model}} {{parameter}} p50",
                ),
                meaning="Share of training below them: 0.5 is its middle, 0 and 1 are outside",
            )
        )
    )
