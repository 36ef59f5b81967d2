"""Is it up, is it fast, what is it doing."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from grafana.panels import dashboard, lines, number, quantile

_NEIGHBOUR = "levy_gateway_neighbour_seconds"


def service() -> Dashboard:
    """Rate, errors and duration of each hop; breakers, cache, Redis, saturation."""
    made = dashboard(
        "levy-service",
        "Lévy: service",
        "Whether clients are answered, how fast, and what is in the way",
    )
    for row in (_up, _clients, _hops, _room):
        made = row(made)
    return made


def _up(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Is it up"))
        .with_panel(
            number(
                "Instances that answer",
                "none",
                ('sum by (job) (up{job=~"gateway|pricing|calibration|bayesian|redis"})', "{{job}}"),
                meaning="None of gateway, pricing or calibration: LevyServiceDown",
            )
        )
        .with_panel(
            number(
                "Alerts that fire",
                "none",
                ('count(ALERTS{alertstate="firing"}) or vector(0)', "now"),
                meaning="Each has a page in docs/runbooks",
                red_from=1,
            )
        )
        .with_panel(
            lines(
                "Circuits that are not closed",
                "none",
                (
                    'max by (neighbour, state) (levy_gateway_breaker_state{state!="closed"})',
                    "{{neighbour}} {{state}}",
                ),
                meaning="1 while the gateway rests a neighbour, or tries it again",
            )
        )
    )


def _clients(made: Dashboard) -> Dashboard:
    gateway = 'job="gateway"'
    return (
        made.with_row(Row("What clients see"))
        .with_panel(
            lines(
                "Rate",
                "reqps",
                (
                    f"sum by (route, status) (job_route_status:levy_requests:rate5m{{{gateway}}})",
                    "{{route}} {{status}}",
                ),
                meaning="Requests by route and status, health checks left out",
            )
        )
        .with_panel(
            lines(
                "Errors",
                "percentunit",
                ("job:levy_request_errors:ratio5m", "{{job}}"),
                meaning="Of all requests, those answered 5xx. Over 2% at the gateway: LevyErrors",
            )
        )
        .with_panel(
            lines(
                "Duration",
                "s",
                (f"job_route:levy_request_seconds:p50{{{gateway}}}", "{{route}} p50"),
                (f"job_route:levy_request_seconds:p99{{{gateway}}}", "{{route}} p99"),
                meaning="From the first byte of a request to the last of its answer",
            )
        )
        .with_panel(
            lines(
                "Kept results",
                "reqps",
                (
                    "sum by (route, outcome) (rate(levy_gateway_cache_requests_total[5m]))",
                    "{{route}} {{outcome}}",
                ),
                meaning="Results answered from Redis, and those that had to be computed",
            )
        )
        .with_panel(
            lines(
                "Turned away",
                "reqps",
                (
                    "sum by (reason) (rate(levy_gateway_requests_refused_total[5m]))",
                    "{{reason}}",
                ),
                meaning="Before they were read: no key, or too many",
            )
        )
        .with_panel(
            lines(
                "Answered without Redis",
                "reqps",
                (
                    "sum by (purpose) (rate(levy_gateway_redis_failures_total[5m]))",
                    "{{purpose}}",
                ),
                meaning="By what they lacked; anything here: LevyRedisMissed",
            )
        )
    )


def _hops(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("Hops to the neighbours"))
        .with_panel(
            lines(
                "Rate",
                "reqps",
                (
                    f"sum by (neighbour, outcome) (rate({_NEIGHBOUR}_count[5m]))",
                    "{{neighbour}} {{outcome}}",
                ),
                meaning="What became of what the gateway asked",
            )
        )
        .with_panel(
            lines(
                "Duration",
                "s",
                (quantile(0.5, _NEIGHBOUR, "neighbour"), "{{neighbour}} p50"),
                (quantile(0.99, _NEIGHBOUR, "neighbour"), "{{neighbour}} p99"),
                meaning="As the gateway sees it, the way there and back included",
            )
        )
        .with_panel(
            lines(
                "Duration inside",
                "s",
                (
                    'job_route:levy_request_seconds:p99{job=~"pricing|calibration"}',
                    "{{job}} {{route}} p99",
                ),
                meaning="As the service itself sees it; what lies between the two is the way",
            )
        )
    )


def _room(made: Dashboard) -> Dashboard:
    return (
        made.with_row(Row("How full it is"))
        .with_panel(
            lines(
                "Requests for a thread",
                "none",
                (
                    'sum by (job) ({__name__=~"levy_(pricing|calibration)_threads_busy"})',
                    "{{job}} busy",
                ),
                (
                    'sum by (job) ({__name__=~"levy_(pricing|calibration)_threads_waiting"})',
                    "{{job}} waiting",
                ),
                meaning="More than two waiting: LevySaturated",
            )
        )
        .with_panel(
            lines(
                "Processors",
                "none",
                (
                    'sum by (job) (rate(process_cpu_seconds_total{job!="prometheus"}[5m]))',
                    "{{job}}",
                ),
                meaning="Cores in use by all instances of a service",
            )
        )
        .with_panel(
            lines(
                "Memory",
                "bytes",
                ('max by (job) (process_resident_memory_bytes{job!="prometheus"})', "{{job}}"),
                ("redis_memory_used_bytes", "data of Redis"),
                meaning="Of the largest instance; of Redis what LevyRedisMemory compares",
            )
        )
    )
