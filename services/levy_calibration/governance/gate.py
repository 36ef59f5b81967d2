"""The gate before a promotion: a network is measured, and compared with thresholds."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.special import ndtri

from levy_calibration.networks.trained import TrainedNetwork
from levy_calibration.training.examples import augmented
from levy_calibration.training.metrics import parameter_errors, repricing_errors
from levy_numerics.calibration.hybrid import FitStrategy
from levy_numerics.errors import InvalidInputError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing.sinh import SinhPricer
from levy_surfaces.synthetic import grid
from levy_surfaces.synthetic.augmentation import drop_quotes
from levy_surfaces.synthetic.priced import PricedSurfaces
from levy_surfaces.synthetic.ranges import sobol_targets

PACKAGED: Final = Path(__file__).with_name("gate.toml")
"""Thresholds that are installed with the engine."""
MEASURES: Final = (
    "worst_r2",
    "vol_bp",
    "coverage_80",
    "coverage_95",
    "vol_bp_20_percent_missing",
    "familiar_share",
    "detected_share",
    "accepted_share",
)
_TOLERANCE: Final = 1e-8
_MISSING: Final = 0.2
_RELATIVE_SPREAD: Final = 0.01
"""Half-spread of the quotes of finished calibrations, as a share of the price."""
_ABSOLUTE_SPREAD: Final = 2e-5


class _Threshold(BaseModel):
    """Limits of one measure."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    min: float | None = None
    max: float | None = None


class _Sample(BaseModel):
    """Surfaces on which a network is measured."""

    model_config = ConfigDict(strict=True, extra="forbid")

    seed: int = Field(ge=0)
    surfaces: int = Field(ge=32)
    fits: int = Field(ge=1)


class Gate(BaseModel):
    """Thresholds of every measure, and the size of the sample.

    Attributes
    ----------
    sample : _Sample
    thresholds : dict of str to _Threshold
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    sample: _Sample
    thresholds: dict[str, _Threshold]

    @classmethod
    def read(cls, path: str | Path = PACKAGED) -> Self:
        """Read a TOML file of thresholds.

        Raises
        ------
        InvalidInputError
            The file is not valid, or lacks the limits of a measure.
        """
        try:
            gate = cls.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except ValidationError as error:
            first = error.errors()[0]
            member = ".".join(map(str, first["loc"]))
            raise InvalidInputError(f"{path}: {member}: {first['msg']}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{path} is not valid TOML: {error}") from None
        if unknown := sorted(set(gate.thresholds) - set(MEASURES)):
            raise InvalidInputError(
                f"{path}: unknown measures {', '.join(unknown)}; available: {', '.join(MEASURES)}"
            )
        limited = {name for name, t in gate.thresholds.items() if {t.min, t.max} != {None}}
        if missing := [name for name in MEASURES if name not in limited]:
            raise InvalidInputError(f"{path} requires limits of {', '.join(missing)} (missing)")
        return gate

    @property
    def digest(self) -> str:
        """SHA-256 of the thresholds."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def judge(self, network: TrainedNetwork) -> "Verdict":
        """Measure a network and compare it with the thresholds; takes seconds."""
        figures = measure(network, self.sample)
        return Verdict(figures, tuple(self._failures(figures)), self.digest)

    def _failures(self, figures: Mapping[str, float]) -> Iterator[str]:
        for name in MEASURES:
            value, threshold = figures[name], self.thresholds[name]
            # Negated comparisons: NaN fails.
            if threshold.min is not None and not (value >= threshold.min):
                yield f"{name} = {value:.4g} must be ≥ {threshold.min:g}"
            if threshold.max is not None and not (value <= threshold.max):
                yield f"{name} = {value:.4g} must be ≤ {threshold.max:g}"


@dataclass(frozen=True)
class Verdict:
    """What the gate found.

    Attributes
    ----------
    figures : mapping of str to float
        By measure.
    failures : tuple of str
        A sentence for each limit that is exceeded.
    gate : str
        SHA-256 of the thresholds.
    """

    figures: Mapping[str, float]
    failures: tuple[str, ...]
    gate: str

    @property
    def is_passed(self) -> bool:
        """Whether no limit is exceeded."""
        return not self.failures

    def as_mapping(self) -> dict[str, Any]:
        """Return the verdict as in records; figures that are not finite become None."""
        finite = {name: v if np.isfinite(v) else None for name, v in self.figures.items()}
        return {"gate": self.gate, "figures": finite, "failures": list(self.failures)}


def measure(network: TrainedNetwork, sample: _Sample) -> dict[str, float]:
    """Return every measure of a network on fresh surfaces.

    Coverage is the share of parameters in all surfaces whose position in the training range lies
    in the network's interval. Surfaces to detect have prices multiplied by lognormal errors of
    unit deviation, which no smile has.
    """
    rng = np.random.default_rng([sample.seed, 1])
    targets = sobol_targets(len(network.box.axes), sample.surfaces, seed=sample.seed)
    truth = network.box.model(targets)
    price = SinhPricer(grid.grid_contracts(), _TOLERANCE).price(truth).value
    exact = PricedSurfaces.of_grid(grid.flat_log_strikes(), grid.flat_maturity_years(), price)
    proposed = network.output(exact)
    model = network.box.model(proposed.unit_parameters)
    noisy = network.output(augmented(exact, network.reads, rng))
    deviations = np.abs(noisy.unit_parameters - targets) / np.exp(noisy.log_deviations)
    incomplete = network.output(drop_quotes(exact, _MISSING, rng))
    errors = parameter_errors(model, truth)
    scores = network.detector.score(proposed.summary)
    wild = np.minimum(
        price * rng.lognormal(0.0, 1.0, price.shape),
        0.9 * np.minimum(1.0, grid.grid_contracts().strike),
    )
    wild_surfaces = PricedSurfaces.of_grid(exact.log_strike[0], exact.maturity_years[0], wild)
    wild_scores = network.detector.score(network.output(wild_surfaces).summary)
    return {
        "worst_r2": min(error.r2 for error in errors.values()),
        "vol_bp": repricing_errors(model, price)["vol_bp"],
        "coverage_80": float(np.mean(deviations <= ndtri(0.90))),
        "coverage_95": float(np.mean(deviations <= ndtri(0.975))),
        "vol_bp_20_percent_missing": repricing_errors(
            network.box.model(incomplete.unit_parameters), price
        )["vol_bp"],
        "familiar_share": float(np.mean(scores <= 1.0)),
        "detected_share": float(np.mean(~(wild_scores <= 1.0))),
        "accepted_share": _accepted_share(network, truth, price, sample.fits, rng),
    }


def _accepted_share(
    network: TrainedNetwork,
    truth: Model,
    price: np.ndarray,
    n_fits: int,
    rng: np.random.Generator,
) -> float:
    """Return the share of noisy surfaces whose fit from the network's guess is not improved on."""
    contracts = grid.grid_contracts()
    accepted = []
    for exact in price[:n_fits]:
        half = _RELATIVE_SPREAD * exact + _ABSOLUTE_SPREAD
        noisy = np.maximum(exact + half * np.clip(rng.normal(0.0, 0.5, exact.size), -1, 1), 0.0)
        quotes = Quotes.of(contracts, noisy, bid=np.maximum(noisy - half, 0.0), ask=noisy + half)
        fit = FitStrategy("hybrid").fit(type(truth), quotes, [network])
        accepted.append(fit.network == network.version)
    return float(np.mean(accepted))
