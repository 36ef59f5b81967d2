"""Posteriors: who waits, how long it takes, whether they are to be believed."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from grafana.panels import dashboard, lines, number, quantile


def bayesian_jobs() -> Dashboard:
    """The queues, the jobs, and what the chains say of themselves."""
    made = dashboard(
        "levy-bayesian",
        "Lévy: Bayesian jobs",
        "Whether jobs get their turn, and their chains converge",
    )
    for row in (_queues, _jobs, _chains):
        made = row(made)
    return made


def _queues(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Queues"))
        .with_panel(
            lines(
                "Jobs that wait",
                "none",
                ("max by (queue) (levy_gateway_jobs_queued)", "{{queue}}"),
                meaning="KEDA scales the workers by the same number",
            )
        )
        .with_panel(
            lines(
                "Age of the oldest",
                "s",
                ("max by (queue) (levy_gateway_oldest_job_age_seconds)", "{{queue}}"),
                meaning="LevyQueueAge when it grows too old",
            )
        )
        .with_panel(
            number(
                "Workers",
                "none",
                ("max(levy_gateway_bayesian_workers)", "alive"),
                meaning="Alive, by what Redis tells; none while jobs wait: LevyWorkerLost",
            )
        )
    )


def _jobs(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Jobs"))
        .with_panel(
            lines(
                "Ended",
                "ops",
                (
                    "sum by (model, engine, status) (rate(levy_bayesian_jobs_total[5m]))",
                    "{{model}} {{engine}} {{status}}",
                ),
                meaning="A job that did not converge has succeeded all the same",
            )
        )
        .with_panel(
            lines(
                "Duration",
                "s",
                (_over_an_hour(0.5, "levy_bayesian_job_seconds", "engine"), "{{engine}} p50"),
                (_over_an_hour(0.95, "levy_bayesian_job_seconds", "engine"), "{{engine}} p95"),
                meaning="From its start to its end, compilation included",
            )
        )
        .with_panel(
            lines(
                "Wait",
                "s",
                (_over_an_hour(0.5, "levy_bayesian_job_wait_seconds", "queue"), "{{queue}} p50"),
                (_over_an_hour(0.95, "levy_bayesian_job_wait_seconds", "queue"), "{{queue}} p95"),
                meaning="From the request to the start",
            )
        )
    )


def _chains(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Chains"))
        .with_panel(
            lines(
                "R-hat",
                "none",
                (_over_an_hour(0.5, "levy_bayesian_r_hat", "model"), "{{model}} p50"),
                (_over_an_hour(0.95, "levy_bayesian_r_hat", "model"), "{{model}} p95"),
                meaning="The worst parameter of a job; over 1.01 the chains disagree",
            )
        )
        .with_panel(
            lines(
                "Effective sample size",
                "none",
                (_over_an_hour(0.05, "levy_bayesian_ess", "model"), "{{model}} p5"),
                (_over_an_hour(0.5, "levy_bayesian_ess", "model"), "{{model}} p50"),
                meaning="The worst parameter of a job; under 400 intervals are rough",
            )
        )
        .with_panel(
            lines(
                "Divergences",
                "ops",
                ("sum by (model) (rate(levy_bayesian_divergences_total[5m]))", "{{model}}"),
                meaning="Steps that left the posterior: where they are, it was not explored",
            )
        )
    )


def _over_an_hour(share: float, metric: str, by: str) -> str:
    """A quantile of what happens a few times an hour."""
    return quantile(share, metric, by, window="1h")
