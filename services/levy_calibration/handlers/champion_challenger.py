"""Routing of surfaces to networks: the champion, or for a share of them the challenger."""

import random
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from levy_calibration.drift import Reference
from levy_calibration.metrics import CalibrationMetrics
from levy_calibration.networks.trained import TrainedNetwork
from levy_calibration.registry import Registry
from levy_calibration.registry.aliases import ALIASES, Alias
from levy_numerics.calibration.hybrid import Fit, Proposer
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_schemas.networks import ServedNetwork, ServedNetworks

_log: Final = structlog.get_logger()


class ChampionChallengerRouter:
    """The networks of a registry that serve at present.

    Promotions and rollbacks take effect at the next surface. A rejected artifact is logged once and
    stays in the metrics; the network that had its alias before continues to serve, if any.

    Parameters
    ----------
    registry : Registry
    challenger_share : float
        Of surfaces, in [0, 1].
    metrics : CalibrationMetrics
        Counts outcomes.
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
        self._logged: dict[tuple[str, Alias], str] = {}
        self._skipped: dict[str, str] = {}

    def choose(self, model_type: str) -> Sequence[Proposer]:
        """Return the networks to try for the next surface, in order."""
        aliases = ALIASES[::-1] if self._draw() < self._share else ALIASES[:1]
        networks = (self._current(model_type, alias) for alias in aliases)
        return tuple(network for network in networks if network is not None)

    def count(self, _quotes: Quotes, fit: Fit) -> None:
        """Count a fit for the networks that were tried, or for none."""
        for attempt in fit.attempts:
            alias = self._alias(fit.model_type, attempt.version)
            labels = (fit.model_type, attempt.version, alias)
            self._metrics.answers.labels(*labels, attempt.outcome).inc()
            if attempt.outcome == "accepted":
                self._metrics.network_evaluations.labels(*labels).observe(fit.n_evaluations)
        if not fit.attempts:
            self._metrics.answers.labels(fit.model_type, "", "none", "not_tried").inc()

    def served(self, engine_version: str) -> ServedNetworks:
        """Return the networks that serve, and those that are skipped, for `GET /networks`."""
        networks = {}
        for model in self._registry.models():
            champion = self._current(model, "champion")
            challenger = self._current(model, "challenger") if self._share > 0.0 else None
            if champion is not None:
                beside = None if challenger is None else challenger.version
                networks[model] = ServedNetwork.of(champion.version, champion.reads, beside)
        return ServedNetworks(
            engine_version=engine_version, networks=networks, skipped=self.skipped()
        )

    def skipped(self) -> dict[str, str]:
        """Return why artifacts are not available, by name; a new reason is logged."""
        reasons = self._registry.skipped()
        for name, reason in reasons.items():
            if self._skipped.get(name) != reason:
                _log.error("network.skipped", network=name, reason=reason)
        self._skipped = reasons
        return reasons

    def reference(self, model_type: str) -> Reference | None:
        """Return the training distribution of a model's champion; None where it is unknown."""
        champion = self._current(model_type, "champion")
        return None if champion is None else champion.reference

    def models(self) -> tuple[str, ...]:
        """Return the names of the models that have networks."""
        return self._registry.models()

    def _alias(self, model_type: str, version: str) -> str:
        """Return the alias of a network; `former` if it has lost it since."""
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
        self._log_refusal(model_type, alias)
        return network

    def _log_refusal(self, model_type: str, alias: Alias) -> None:
        key = (model_type, alias)
        reason = self._registry.rejected.get(key, "")
        if reason != self._logged.get(key, ""):
            self._logged[key] = reason
            self._metrics.network_rejected.labels(*key).set(1 if reason else 0)
            if reason:
                _log.error("network.refused", model=model_type, alias=alias, reason=reason)
            else:
                _log.info("network.accepted", model=model_type, alias=alias)
