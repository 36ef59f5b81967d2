"""Dashboard of Bayesian jobs: queues, durations, convergence."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from grafana.panels import dashboard, quantile, stat, time_series


def bayesian_jobs() -> Dashboard:
    """Build the dashboard: queues, jobs, convergence diagnostics."""
    board = dashboard(
        "levy-bayesian",
        "Lévy: Bayesian jobs",
        "Queues, job durations and convergence diagnostics",
    )
    for row in (_queues, _jobs, _convergence):
        board = row(board)
    return board


def _queues(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Queues"))
        .with_panel(
            time_series(
                "Queued jobs",
                "none",
                ("max by (queue) (levy_gateway_jobs_queued)", "{{queue}}"),
                description="KEDA scales the workers by this number",
            )
        )
        .with_panel(
            time_series(
                "Age of the oldest queued job",
                "s",
                ("max by (queue) (levy_gateway_oldest_job_age_seconds)", "{{queue}}"),
                description="Over a minute (short) or 20 minutes (long): LevyQueueAge",
            )
        )
        .with_panel(
            stat(
                "Workers",
                "none",
                ("max(levy_gateway_bayesian_workers)", "alive"),
                description="Workers with a heartbeat; zero while jobs are queued: LevyWorkerLost",
            )
        )
    )


def _jobs(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Jobs"))
        .with_panel(
            time_series(
                "Ended jobs",
                "ops",
                (
                    "sum by (model, engine, status) (rate(levy_bayesian_jobs_total[5m]))",
                    "{{model}} {{engine}} {{status}}",
                ),
                description="Jobs by final status; jobs that did not converge count as succeeded",
            )
        )
        .with_panel(
            time_series(
                "Duration",
                "s",
                (_over_an_hour(0.5, "levy_bayesian_job_seconds", "engine"), "{{engine}} p50"),
                (_over_an_hour(0.95, "levy_bayesian_job_seconds", "engine"), "{{engine}} p95"),
                description="From start to end, including compilation",
            )
        )
        .with_panel(
            time_series(
                "Time in the queue",
                "s",
                (_over_an_hour(0.5, "levy_bayesian_job_wait_seconds", "queue"), "{{queue}} p50"),
                (_over_an_hour(0.95, "levy_bayesian_job_wait_seconds", "queue"), "{{queue}} p95"),
                description="From submission to start",
            )
        )
    )


def _convergence(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Convergence"))
        .with_panel(
            time_series(
                "R-hat",
                "none",
                (_over_an_hour(0.5, "levy_bayesian_r_hat", "model"), "{{model}} p50"),
                (_over_an_hour(0.95, "levy_bayesian_r_hat", "model"), "{{model}} p95"),
                description="Largest R-hat of a job's parameters; over 1.01: not converged",
            )
        )
        .with_panel(
            time_series(
                "Effective sample size",
                "none",
                (_over_an_hour(0.05, "levy_bayesian_ess", "model"), "{{model}} p5"),
                (_over_an_hour(0.5, "levy_bayesian_ess", "model"), "{{model}} p50"),
                description="Smallest of a job's parameters; under 400: intervals are imprecise",
            )
        )
        .with_panel(
            time_series(
                "Divergences",
                "ops",
                ("sum by (model) (rate(levy_bayesian_divergences_total[5m]))", "{{model}}"),
                description="Divergent NUTS transitions: parts of the posterior may be unexplored",
            )
        )
    )


def _over_an_hour(share: float, metric: str, by: str) -> str:
    """Return a quantile over one hour, for events that are rare."""
    return quantile(share, metric, by, window="1h")
