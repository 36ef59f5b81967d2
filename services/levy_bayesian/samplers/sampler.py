"""The base class of samplers, and their registry."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import ClassVar, Final, TypeVar, get_args

import numpy as np

from levy_bayesian.engines import require_installed
from levy_bayesian.progress import ProgressCallback
from levy_numerics.errors import InvalidInputError
from levy_numerics.inference.posterior import Posterior
from levy_schemas.jobs import Engine


@dataclass(frozen=True)
class SamplingPlan:
    """Numbers of chains and draws.

    Attributes
    ----------
    n_chains, n_samples, n_warmup : int
        There are `n_chains` × `n_samples` draws, after `n_warmup` discarded ones per chain.
        Variational engines have no chains and no warm-up; they return as many draws.
    seed : int
    """

    n_chains: int = 4
    n_samples: int = 5000
    n_warmup: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class WeightedPoints:
    """Draws of a proposal and their importance weights.

    Attributes
    ----------
    points : ndarray, shape (n, size)
    log_weights : ndarray, shape (n,)
        Pareto-smoothed and normalised: the weights sum to one.
    """

    points: np.ndarray
    log_weights: np.ndarray


@dataclass(frozen=True)
class Draws:
    """Draws of a posterior.

    Attributes
    ----------
    points : ndarray, shape (n_chains, n_samples, size)
        Points of `Posterior`: the model's coordinates, and the log noise if it is sampled.
    statistics : mapping of str to ndarray, each of shape (n_chains, n_samples)
        Statistics of each draw: `diverging`, `acceptance_rate`, `n_steps`, …
    pareto_k : float, optional
        Diagnostic of importance weights; above 0.7 the draws are unreliable.
    effective_sample_size : float, optional
        Of importance weights.
    n_weighted : int, optional
        Number of weighted draws.
    weighted : WeightedPoints, optional
        The weighted draws of which `points` are a resample.
    adaptation_converged : bool
        Whether the adaptation of the proposal converged.
    price_error : float
        Largest estimated price error, in units of the noise.
    """

    points: np.ndarray
    statistics: Mapping[str, np.ndarray] = field(default_factory=dict)
    pareto_k: float | None = None
    effective_sample_size: float | None = None
    n_weighted: int | None = None
    weighted: WeightedPoints | None = None
    adaptation_converged: bool = True
    price_error: float = 0.0

    @property
    def n_divergences(self) -> int:
        """Number of divergent draws."""
        return int(np.sum(self.statistics.get("diverging", 0)))


class Sampler(ABC):
    """A sampler of posteriors.

    Attributes
    ----------
    name : str
        Name in requests.
    method : str
        Description of the method, stored with the draws.
    packages : tuple of str
        Packages whose versions are stored with the draws.
    """

    name: ClassVar[Engine]
    method: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    @abstractmethod
    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: ProgressCallback) -> Draws:
        """Return draws of a posterior, and report progress.

        Parameters
        ----------
        posterior : Posterior
        plan : SamplingPlan
        progress : callable
            An exception that it raises ends the work.
        """


_Registered = TypeVar("_Registered", bound=type[Sampler])
_SAMPLERS: Final[dict[str, Sampler]] = {}


def register(cls: _Registered) -> _Registered:
    """Register a sampler under its name (class decorator)."""
    _SAMPLERS[cls.name] = cls()
    return cls


def get(name: str) -> Sampler:
    """Return a sampler, imported from the module of its name.

    Raises
    ------
    InvalidInputError
        The engine does not exist.
    UnsupportedError
        Its packages are not installed.
    """
    if name not in names():
        raise InvalidInputError(f"unknown engine {name!r}; available: {', '.join(names())}")
    if name not in _SAMPLERS:
        require_installed(name)
        import_module(f"levy_bayesian.samplers.{name.replace('-', '_')}")
    return _SAMPLERS[name]


def names() -> tuple[Engine, ...]:
    """Return the names of all engines."""
    return get_args(Engine)
