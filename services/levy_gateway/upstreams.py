"""The services behind the gateway: their clients, and the lanes in which requests are forwarded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from levy_gateway.clients import Upstream, UpstreamClient
from levy_gateway.fair_queue import FairQueue
from levy_gateway.handlers.forward import Forward, LaneOfUpstream
from levy_gateway.metrics import GatewayMetrics
from levy_gateway.settings import GatewaySettings
from levy_schemas.cost import Lane


@dataclass(frozen=True)
class Upstreams:
    """The upstream services.

    Attributes
    ----------
    pricing, calibration : Upstream
        Clients for brief requests.
    price, calibrate : Forward
        Forward requests to them.
    queues : mapping of str to FairQueue
        By path: the queue in which most requests to it wait.
    instances : tuple of Upstream
        A client of each instance, whose health is checked.
    opened : tuple of Upstream
        The clients to close.
    """

    pricing: Upstream
    calibration: Upstream
    price: Forward
    calibrate: Forward
    queues: Mapping[str, FairQueue]
    instances: tuple[Upstream, ...]
    opened: tuple[Upstream, ...]

    @classmethod
    def connect(
        cls,
        settings: GatewaySettings,
        metrics: GatewayMetrics,
        pricing: Upstream | None,
        calibration: Upstream | None,
    ) -> Self:
        """Create clients of the addresses in the settings, unless they are given."""
        clients = _Clients(settings, metrics)
        instances = (
            *clients.instances("pricing", settings.pricing_url, pricing),
            *clients.instances("calibration", settings.calibration_url, calibration),
        )
        prices = clients.lane("pricing", "brief", pricing)
        brief = clients.lane("calibration", "brief", calibration)
        long = clients.lane("calibration", "long", calibration)
        return cls(
            prices.upstream,
            brief.upstream,
            Forward({"brief": prices}, settings.pricing_deadline_seconds),
            Forward({"brief": brief, "long": long}, settings.calibration_deadline_seconds),
            {
                "/price": prices.queue,
                "/calibrate": brief.queue,
                "/compare": long.queue,
                "/quotes": long.queue,
            },
            instances,
            tuple(clients.opened),
        )


class _Clients:
    """Creates clients and remembers them."""

    def __init__(self, settings: GatewaySettings, metrics: GatewayMetrics) -> None:
        self.opened: list[Upstream] = []
        self._settings = settings
        self._metrics = metrics

    def lane(self, name: str, lane: Lane, given: Upstream | None) -> LaneOfUpstream:
        """Return a lane of a service, with a new client unless one is given."""
        settings = self._settings
        urls, deadline = settings.pricing_url, settings.pricing_deadline_seconds
        if name == "calibration":
            urls, deadline = settings.calibration_url, settings.calibration_deadline_seconds
        concurrency, wait = settings.concurrency, settings.queue_seconds
        if lane == "long":
            concurrency, wait = settings.long_concurrency, settings.long_queue_seconds
        label = name if lane == "brief" else f"{name}-{lane}"
        upstream = given or self._open(name, urls, deadline, label)
        queue = FairQueue(lane, concurrency * len(urls.split(",")), wait, self._metrics)
        return LaneOfUpstream(upstream, queue)

    def instances(self, name: str, urls: str, given: Upstream | None) -> list[Upstream]:
        """Return a client of each instance, or the client that is given."""
        if given is not None:
            return [given]
        seconds = self._settings.health_seconds
        names = [name, *(f"{name}-{k}" for k in range(2, len(urls.split(",")) + 1))]
        return [
            self._open(one, url, seconds, f"{one}-health")
            for one, url in zip(names, urls.split(","), strict=True)
        ]

    def _open(self, name: str, urls: str, seconds: float, label: str) -> Upstream:
        client = UpstreamClient(name, urls, seconds, self._settings, self._metrics, label)
        self.opened.append(client)
        return client
