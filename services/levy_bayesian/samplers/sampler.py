"""What a sampler is: from a posterior to draws, told as it goes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import ClassVar, Final, TypeVar, get_args

import numpy as np

from levy_bayesian.engines import require_installed
from levy_bayesian.progress import Progress
from levy_numerics.errors import InvalidInputError
from levy_numerics.inference.posterior import Posterior
from levy_schemas.jobs import Engine


@dataclass(frozen=True)
class SamplingPlan:
    """How much is to be drawn.

    Attributes
    ----------
    n_chains, n_samples, n_warmup : int
        Draws are `n_chains` × `n_samples`, after `n_warmup` a chain that are dropped. Variational
        engines have no chains and no warm-up: their independent draws are counted alike.
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
        As `Posterior` has them: the model's coordinates, and log of the noise where it is sampled.
    statistics : mapping of str to ndarray, each of shape (n_chains, n_samples)
        What the engine says of each draw: `diverging`, `acceptance_rate`, `n_steps`, …
    pareto_k : float, optional
        Of engines that approximate: above 0.7 their draws are not to be relied on.
    n_independent : float, optional
        Of engines that weigh: independent draws that would tell as much.
    n_weighed : int, optional
        Of engines that weigh: draws that were weighed.
    weighted : WeightedPoints, optional
        Of engines that weigh: the draws that were weighed, of which `points` are a resample.
    settled : bool
        Of engines that learn what to propose: whether what they learnt stopped changing.
    price_error : float
        Largest estimated error of a price the draws rest on, in units of the noise.
    """

    points: np.ndarray
    statistics: Mapping[str, np.ndarray] = field(default_factory=dict)
    pareto_k: float | None = None
    n_independent: float | None = None
    n_weighed: int | None = None
    weighted: WeightedPoints | None = None
    settled: bool = True
    price_error: float = 0.0

    @property
    def n_divergences(self) -> int:
        """Draws whose trajectory diverged."""
        return int(np.sum(self.statistics.get("diverging", 0)))


class Sampler(ABC):
    """Draws from a posterior.

    Attributes
    ----------
    name : str
        On the wire.
    method : str
        What the draws are, in a sentence; stored with them.
    packages : tuple of str
        Distributions whose versions are stored with the draws.
    """

    name: ClassVar[Engine]
    method: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]

    @abstractmethod
    def sample(self, posterior: Posterior, plan: SamplingPlan, progress: Progress) -> Draws:
        """Draw, and tell how far it is as it goes.

        Parameters
        ----------
        posterior : Posterior
        plan : SamplingPlan
        progress : callable
            What it raises ends the work.
        """


_Registered = TypeVar("_Registered", bound=type[Sampler])
_SAMPLERS: Final[dict[str, Sampler]] = {}


def register(cls: _Registered) -> _Registered:
    """Make an engine known under its name."""
    _SAMPLERS[cls.name] = cls()
    return cls


def get(name: str) -> Sampler:
    """Return the engine of that name, imported from the module of that name.

    Raises
    ------
    InvalidInputError
        There is none.
    UnsupportedError
        Its packages are not installed.
    """
    if name not in names():
        raise InvalidInputError(f"no engine is called {name!r}; known are {', '.join(names())}")
    if name not in _SAMPLERS:
        require_installed(name)
        import_module(f"levy_bayesian.samplers.{name.replace('-', '_')}")
    return _SAMPLERS[name]


def names() -> tuple[Engine, ...]:
    """Return the names of all engines, as the wire has them."""
    return get_args(Engine)
