"""Who reads the next surface: the champion, or for a share of them the challenger."""

import random
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from levy_calibration.drift import Reference
from levy_calibration.handlers.fitting import Fit
from levy_calibration.metrics import CalibrationMetrics
from levy_calibration.networks.proposer import Proposer
from levy_calibration.networks.trained import TrainedNetwork
from levy_calibration.registry import Registry
from levy_calibration.registry.aliases import ALIASES, Alias
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_schemas.networks import ServedNetwork, ServedNetworks

_log: Final = structlog.get_logger()


class Serving:
    """The networks of a registry, as they answer now.

    Promotions and rollbacks are seen at the next surface. A network that is refused is told once
    in the log and stays in the metrics; whoever had its alias before goes on, or nobody.

    Parameters
    ----------
    registry : Registry
    challenger_share : float
        Of surfaces, in [0, 1].
    metrics : CalibrationMetrics
        Where answers are counted.
    draw : callable
        Uniform on [0, 1).
    """

    def __init__(
        self,
        registry: Registry,
        challenger_share: float,
        metrics: CalibrationMetrics,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._registry = registry
        self._share = challenger_share
        self._metrics = metrics
        self._draw = draw
        self._told: dict[tuple[str, Alias], str] = {}

    def choose(self, model_type: str) -> Sequence[Proposer]:
        """Return the networks to ask for the next surface, each if those before it decline."""
        aliases = ALIASES[::-1] if self._draw() < self._share else ALIASES[:1]
        found = (self._current(model_type, alias) for alias in aliases)
        return tuple(network for network in found if network is not None)

    def count(self, _quotes: Quotes, fit: Fit) -> None:
        """Count a fit for the networks that were asked, or for none."""
        for one in fit.asked:
            named = (fit.model_type, one.version, self._alias(fit.model_type, one.version))
            self._metrics.answers.labels(*named, one.outcome).inc()
            if one.outcome == "answered":
                self._metrics.network_evaluations.labels(*named).observe(fit.n_evaluations)
        if not fit.asked:
            self._metrics.answers.labels(fit.model_type, "", "none", "not_asked").inc()

    def served(self, engine_version: str) -> ServedNetworks:
        """Tell who answers, for `GET /networks`."""
        networks = {}
        for model in self._registry.models():
            champion = self._current(model, "champion")
            challenger = self._current(model, "challenger") if self._share > 0.0 else None
            if champion is not None:
                beside = None if challenger is None else challenger.version
                networks[model] = ServedNetwork.of(champion.version, champion.reads, beside)
        return ServedNetworks(engine_version=engine_version, networks=networks)

    def reference(self, model_type: str) -> Reference | None:
        """Distribution of training of a model's champion; None where it is not known."""
        champion = self._current(model_type, "champion")
        return None if champion is None else champion.reference

    def models(self) -> tuple[str, ...]:
        """Names of the models for which there are networks."""
        return self._registry.models()

    def _alias(self, model_type: str, version: str) -> str:
        """Under which alias a network was asked; `former` if it lost it since."""
        for alias in ALIASES:
            current = self._current(model_type, alias)
            if current is not None and current.version == version:
                return alias
        return "former"

    def _current(self, model_type: str, alias: Alias) -> TrainedNetwork | None:
        try:
            network = (
                self._registry.champion(model_type)
                if alias == "champion"
                else self._registry.challenger(model_type)
            )
        except LevyError:
            network = None
        self._tell(model_type, alias)
        return network

    def _tell(self, model_type: str, alias: Alias) -> None:
        key = (model_type, alias)
        reason = self._registry.rejected.get(key, "")
        if reason != self._told.get(key, ""):
            self._told[key] = reason
            self._metrics.network_rejected.labels(*key).set(1 if reason else 0)
            if reason:
                _log.error("network.refused", model=model_type, alias=alias, reason=reason)
            else:
                _log.info("network.accepted", model=model_type, alias=alias)
