"""Dashboard of the service: availability, latency, errors, saturation."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from grafana.panels import dashboard, quantile, stat, time_series

_UPSTREAM = "levy_gateway_neighbour_seconds"


def service() -> Dashboard:
    """Build the dashboard: rates, errors, durations, circuit breakers, cache, Redis, saturation."""
    board = dashboard(
        "levy-service",
        "Lévy: service",
        "Availability, request rates, latency, errors and saturation",
    )
    for row in (_availability, _clients, _upstream, _saturation):
        board = row(board)
    return board


def _availability(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Availability"))
        .with_panel(
            stat(
                "Instances up",
                "none",
                ('sum by (job) (up{job=~"gateway|pricing|calibration|bayesian|redis"})', "{{job}}"),
                description="Zero for gateway, pricing or calibration: LevyServiceDown",
            )
        )
        .with_panel(
            stat(
                "Firing alerts",
                "none",
                ('count(ALERTS{alertstate="firing"}) or vector(0)', "now"),
                description="Each alert has a runbook in docs/runbooks",
                red_from=1,
            )
        )
        .with_panel(
            time_series(
                "Circuit breakers not closed",
                "none",
                (
                    'max by (neighbour, state) (levy_gateway_breaker_state{state!="closed"})',
                    "{{neighbour}} {{state}}",
                ),
                description="1 while the circuit breaker of an upstream service is not closed",
            )
        )
    )


def _clients(board: Dashboard) -> Dashboard:
    gateway = 'job="gateway"'
    return (
        board.with_row(Row("Client requests"))
        .with_panel(
            time_series(
                "Rate",
                "reqps",
                (
                    f"sum by (route, status) (job_route_status:levy_requests:rate5m{{{gateway}}})",
                    "{{route}} {{status}}",
                ),
                description="Requests by route and status, without health checks",
            )
        )
        .with_panel(
            time_series(
                "Errors",
                "percentunit",
                ("job:levy_request_errors:ratio5m", "{{job}}"),
                description="Fraction with status 5xx; over 2% at the gateway: LevyErrors",
            )
        )
        .with_panel(
            time_series(
                "Duration",
                "s",
                (f"job_route:levy_request_seconds:p50{{{gateway}}}", "{{route}} p50"),
                (f"job_route:levy_request_seconds:p99{{{gateway}}}", "{{route}} p99"),
                description="From the first byte of a request to the last byte of its response",
            )
        )
        .with_panel(
            time_series(
                "Result cache",
                "reqps",
                (
                    "sum by (route, outcome) (rate(levy_gateway_cache_requests_total[5m]))",
                    "{{route}} {{outcome}}",
                ),
                description="Hits and misses of the result cache in Redis",
            )
        )
        .with_panel(
            time_series(
                "Rejected requests",
                "reqps",
                (
                    "sum by (reason) (rate(levy_gateway_requests_refused_total[5m]))",
                    "{{reason}}",
                ),
                description="Missing or invalid API key, or rate limit exceeded",
            )
        )
        .with_panel(
            time_series(
                "Requests without Redis",
                "reqps",
                (
                    "sum by (purpose) (rate(levy_gateway_redis_failures_total[5m]))",
                    "{{purpose}}",
                ),
                description="By the feature that was unavailable; above zero: LevyRedisMissed",
            )
        )
    )


def _upstream(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Upstream requests"))
        .with_panel(
            time_series(
                "Rate",
                "reqps",
                (
                    f"sum by (neighbour, outcome) (rate({_UPSTREAM}_count[5m]))",
                    "{{neighbour}} {{outcome}}",
                ),
                description="Requests of the gateway to upstream services, by outcome",
            )
        )
        .with_panel(
            time_series(
                "Duration",
                "s",
                (quantile(0.5, _UPSTREAM, "neighbour"), "{{neighbour}} p50"),
                (quantile(0.99, _UPSTREAM, "neighbour"), "{{neighbour}} p99"),
                description="Measured by the gateway, network included",
            )
        )
        .with_panel(
            time_series(
                "Duration in the service",
                "s",
                (
                    'job_route:levy_request_seconds:p99{job=~"pricing|calibration"}',
                    "{{job}} {{route}} p99",
                ),
                description="Measured by the service; the difference to the gateway is the network",
            )
        )
    )


def _saturation(board: Dashboard) -> Dashboard:
    return (
        board.with_row(Row("Saturation"))
        .with_panel(
            time_series(
                "Threads",
                "none",
                (
                    'sum by (job) ({__name__=~"levy_(pricing|calibration)_threads_busy"})',
                    "{{job}} busy",
                ),
                (
                    'sum by (job) ({__name__=~"levy_(pricing|calibration)_threads_waiting"})',
                    "{{job}} waiting",
                ),
                description="Running and waiting computations; over 2 waiting: LevySaturated",
            )
        )
        .with_panel(
            time_series(
                "CPU",
                "none",
                (
                    'sum by (job) (rate(process_cpu_seconds_total{job!="prometheus"}[5m]))',
                    "{{job}}",
                ),
                description="Cores in use by all instances of a service",
            )
        )
        .with_panel(
            time_series(
                "Memory",
                "bytes",
                ('max by (job) (process_resident_memory_bytes{job!="prometheus"})', "{{job}}"),
                ("redis_memory_used_bytes", "redis data"),
                description="Largest instance of each service, and data in Redis (LevyRedisMemory)",
            )
        )
    )
