"""Drift of surfaces and fitted parameters from those of training."""

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

import numpy as np

from levy_calibration.drift import INPUTS, Reference, inputs
from levy_calibration.drift.window import Window
from levy_calibration.metrics import CalibrationMetrics
from levy_numerics import models
from levy_numerics.calibration import TermStructure
from levy_numerics.calibration.hybrid import Fit
from levy_numerics.market import Quotes
from levy_surfaces.synthetic.priced import PricedSurfaces

ReferenceOf = Callable[[str], Reference | None]
"""Returns the training distribution of the network that serves a model; None if unknown."""
_Seen = tuple[Quotes, np.ndarray]


class DriftMonitor:
    """A window for each model over the surfaces that its networks were tried on.

    A request costs an append to a queue; `refresh` does the rest in a thread of its own.

    Parameters
    ----------
    reference_of : callable
    metrics : CalibrationMetrics
    window : int
        Number of the latest surfaces of each model that are compared.
    fewest : int
        Number of surfaces below which no drift is reported.
    at_once : int
        Surfaces of a model that are described at one refresh; the others wait for the next, and the
        oldest are left out once a window of them waits.
    """

    def __init__(
        self,
        reference_of: ReferenceOf,
        metrics: CalibrationMetrics,
        window: int,
        fewest: int,
        at_once: int,
    ) -> None:
        self._reference_of = reference_of
        self._metrics = metrics
        self._size = window
        self._fewest = fewest
        self._at_once = at_once
        self._pending: Final[dict[str, deque[_Seen]]] = {}
        self._windows: Final[dict[str, Window]] = {}
        self._against: Final[dict[str, Reference | None]] = {}
        self._reported: Final[set[tuple[str, str]]] = set()
        self._lock = Lock()

    def observe(self, quotes: Quotes, fit: Fit) -> None:
        """Keep a surface for the next refresh, if a network was tried on it."""
        if not fit.attempts or isinstance(fit.result, TermStructure):
            return
        parameters = np.array([float(v) for v in fit.result.model.as_mapping().values()])
        pending = self._pending.setdefault(fit.model_type, deque(maxlen=self._size))
        pending.append((quotes, parameters))

    def refresh(self) -> None:
        """Move the windows to the latest surfaces, and report their distance from training."""
        with self._lock:
            for model_type, pending in tuple(self._pending.items()):
                self._refresh(
                    model_type, [pending.popleft() for _ in range(min(len(pending), self._at_once))]
                )

    def _refresh(self, model_type: str, seen: list[_Seen]) -> None:
        reference = self._reference_of(model_type)
        if not seen and reference is self._against.get(model_type):
            return
        self._against[model_type] = reference
        values = _values(model_type, seen)
        former = self._windows.get(model_type) or Window.of(_quantities(model_type), self._size)
        self._windows[model_type] = window = former.extended(values)
        self._metrics.drift_window.labels(model_type).set(window.n_surfaces)
        training = reference or Reference({})
        for drift in window.drift(training, self._fewest):
            # A quantity that the new champion's reference lacks becomes NaN, not an old value.
            key = (model_type, drift.quantity)
            if np.isfinite(drift.psi) or key in self._reported:
                self._reported.add(key)
                self._metrics.drift_psi.labels(*key).set(drift.psi)
                self._metrics.drift_ks.labels(*key).set(drift.ks)
                self._metrics.drift_outside.labels(*key).set(drift.outside)
        self._observe_quantiles(model_type, training, values[:, len(INPUTS) :])

    def _observe_quantiles(
        self, model_type: str, reference: Reference, parameters: np.ndarray
    ) -> None:
        for name, fitted in zip(_parameters(model_type), parameters.T, strict=True):
            if name in reference.quantiles:
                histogram = self._metrics.parameter_place.labels(model_type, name)
                for place in reference.places(name, fitted[np.isfinite(fitted)]):
                    histogram.observe(place)


def _parameters(model_type: str) -> tuple[str, ...]:
    return tuple(parameter.name for parameter in models.get(model_type).parameters())


def _quantities(model_type: str) -> tuple[str, ...]:
    return (*INPUTS, *_parameters(model_type))


def _values(model_type: str, seen: list[_Seen]) -> np.ndarray:
    """Return inputs and then parameters, shape (n, q)."""
    described = inputs(PricedSurfaces.of_quotes([quotes for quotes, _ in seen]))
    found = [parameters for _, parameters in seen]
    return np.column_stack(
        (described, np.reshape(found, (len(seen), len(_parameters(model_type)))))
    )
