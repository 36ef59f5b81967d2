"""Draws as ArviZ reads them, and the summary that goes over the wire."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from levy_bayesian.prediction import INTERVAL, expected_quotes
from levy_numerics.distributions import LogNormal
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.psis import RELIABLE_K, reliable_k
from levy_schemas.jobs import ParameterSummary, PredictiveInterval

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

    from levy_bayesian.samplers.sampler import Draws, Sampler

NOISE: Final = "noise"
"""τ, beside the parameters of the model: see `Posterior`."""
MAX_R_HAT: Final = 1.01
MIN_ESS: Final = 1000.0
MAX_PRICE_ERROR: Final = 0.01
"""Of the noise: what an error of the prices may be."""
MAX_SHARE_AT_EDGE: Final = 0.1
"""Of the draws, at an edge of the search box."""

_TAILS: Final = (0.05, 0.95)
"""Quantiles whose effective sample sizes the tail ESS is the smaller of."""
_EDGE: Final = 1e-3
"""Of the width of the search box: what counts as its edge."""
_FEW_INDEPENDENT: Final = 100.0
_ALL_BUT_ONE: Final = 0.99


@dataclass(frozen=True)
class Summary:
    """What `BayesianResult` tells of draws; the names are its names."""

    parameters: dict[str, ParameterSummary]
    correlations: dict[str, dict[str, float]]
    predictive: tuple[PredictiveInterval, ...]
    divergences: int
    pareto_k: float | None
    converged: bool
    reason: str
    draws: int
    warnings: tuple[str, ...]


def summarise(posterior: Posterior, draws: "Draws", *, seed: int = 0) -> Summary:
    """Summarise draws of a posterior.

    Parameters
    ----------
    posterior : Posterior
    draws : Draws
    seed : int
        Of the quotes' errors in the predictive intervals.
    """
    values = sampled_values(posterior, draws.points)
    parameters = {name: _of_one(x, has_chains=draws.pareto_k is None) for name, x in values.items()}
    correlations = _correlations(values)
    faults = [*_faults(parameters, draws), *_at_edges(posterior, draws.points)]
    pareto_k = draws.pareto_k
    return Summary(
        parameters=parameters,
        correlations=correlations,
        predictive=expected_quotes(posterior, draws.points, seed),
        divergences=draws.n_divergences,
        # Infinite where the tail is too short to tell, which JSON cannot say: the reason does.
        pareto_k=pareto_k if pareto_k is not None and math.isfinite(pareto_k) else None,
        converged=not faults,
        reason="; ".join(faults) or _merits(parameters, draws),
        draws=int(np.prod(draws.points.shape[:2])),
        warnings=(*_scarcity(draws), *_entangled(correlations)),
    )


def inference_data(
    posterior: Posterior, draws: "Draws", *, engine: "type[Sampler] | None" = None, seed: int = 0
) -> "DataTree":
    """Return draws and what they rest on in the groups of ArviZ's InferenceData schema.

    Groups are `posterior` (each parameter, and the noise where it is sampled), `sample_stats`
    where the engine has some, `observed_data` (`price`) and `constant_data` (contracts, the scale
    of their errors, and parameters held fixed). Engines that weigh have no chains: their
    `posterior` is one chain in which a draw that occurs several times stands side by side with
    itself, so that ArviZ's effective sample size counts it once, and `weighted_draws` holds every
    draw with its `log_weight`. Attributes say how the draws were made.

    Parameters
    ----------
    posterior : Posterior
    draws : Draws
    engine : type of Sampler, optional
        What made the draws; without it, attributes do not describe it.
    seed : int
    """
    from xarray import DataTree

    quotes, c = posterior.quotes, posterior.quotes.contracts
    fields = ("strike", "maturity_years", "forward", "discount", "is_call")
    constant = {name: getattr(c, name) for name in fields} | {"error_scale": posterior.scale}
    sampled, by_quote = ("chain", "draw"), ("quote",)
    groups = {
        "posterior": _dataset(sampled_values(posterior, stored_points(draws, seed)), sampled),
        "observed_data": _dataset({"price": quotes.price}, by_quote),
        "constant_data": _dataset(constant | _held_fixed(posterior, draws.points), by_quote),
    }
    if draws.statistics:
        groups["sample_stats"] = _dataset(draws.statistics, sampled)
    if draws.weighted is not None:
        values = sampled_values(posterior, draws.weighted.points[None])
        values["log_weight"] = draws.weighted.log_weights[None]
        groups["weighted_draws"] = _dataset(values, sampled)
    data = DataTree.from_dict(groups)
    data.attrs = _attributes(posterior, draws, engine, seed)
    return data


def _dataset(values: Mapping[str, Any], dimensions: tuple[str, ...]) -> "Dataset":
    """Return arrays that share dimensions, whose coordinates count from zero, and scalars."""
    from xarray import Dataset

    variables = {name: (dimensions[: np.ndim(value)], value) for name, value in values.items()}
    dataset = Dataset(variables)
    return dataset.assign_coords({name: np.arange(n) for name, n in dataset.sizes.items()})


def stored_points(draws: "Draws", seed: int) -> np.ndarray:
    """Return the points as chains, shape (n_chains, n_samples, size).

    Resampled draws are one chain. A draw that was chosen k times is a run of k, and runs come in
    random order: the chain's autocorrelation then gives N²/Σk², the effective size of the weights.
    """
    if draws.weighted is None:
        return draws.points
    points = draws.points.reshape(-1, draws.points.shape[-1])
    _, run = np.unique(points, axis=0, return_inverse=True)
    run = run.ravel()
    place = np.random.default_rng(seed).permutation(run.max() + 1)
    return points[np.argsort(place[run], kind="stable")][None]


def _attributes(
    posterior: Posterior, draws: "Draws", engine: "type[Sampler] | None", seed: int
) -> dict[str, Any]:
    """Return how draws were made: numbers and strings, as netCDF stores them."""
    attributes: dict[str, Any] = {"model_type": posterior.model_type.name, "seed": seed}
    if draws.pareto_k is not None:
        attributes["pareto_k"] = draws.pareto_k
    if draws.n_independent is not None:
        attributes["effective_sample_size"] = draws.n_independent
    if engine is not None:
        attributes |= {"engine": engine.name, "sampling_method": engine.method}
        attributes |= {f"{name}_version": version(name) for name in (*engine.packages, "arviz")}
    return attributes


def sampled_values(posterior: Posterior, points: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters as the papers have them, and the noise where it is sampled.

    Parameters
    ----------
    points : ndarray, shape (n_chains, n_samples, size)

    Returns
    -------
    dict of str to ndarray, each of shape (n_chains, n_samples)
    """
    moved = np.moveaxis(points, -1, 0)
    model = posterior.model_type.from_coordinates(moved[: posterior.n_coordinates])
    found = {name: np.asarray(getattr(model, name)) for name in posterior.priors.by_parameter}
    if isinstance(posterior.noise, LogNormal):
        found[NOISE] = np.asarray(posterior.noise_at(moved))
    return found


def _held_fixed(posterior: Posterior, points: np.ndarray) -> dict[str, float]:
    model = posterior.model_type.from_coordinates(points[0, 0, : posterior.n_coordinates])
    return {
        name: float(value)
        for name, value in model.as_mapping().items()
        if name not in posterior.priors.by_parameter
    }


def _arviz() -> Any:
    """Import ArviZ, which takes seconds; releases before 1.0 announce their successor daily."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\s*ArviZ is undergoing", FutureWarning)
        import arviz
    return arviz


def _of_one(x: np.ndarray, *, has_chains: bool) -> ParameterSummary:
    low, median, high = np.quantile(x, (INTERVAL[0], 0.5, INTERVAL[1]))
    r_hat, ess_bulk, ess_tail = _of_chains(x) if has_chains else (None, None, None)
    return ParameterSummary(
        mean=float(x.mean()),
        sd=float(x.std(ddof=1)),
        median=float(median),
        interval=(float(low), float(high)),
        r_hat=r_hat,
        ess_bulk=ess_bulk,
        ess_tail=ess_tail,
    )


def _of_chains(x: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """R-hat (None of a single chain), bulk and tail ESS."""
    arviz = _arviz()
    with np.errstate(all="ignore"):
        # Of chains that never moved it divides nothing by nothing.
        r_hat = _finite(arviz.rhat(x)) if len(x) > 1 else None
        bulk = _finite(arviz.ess(x, method="bulk"))
        tail = _finite(arviz.ess(x, method="tail", prob=_TAILS))
    return r_hat, bulk, tail


def _finite(value: Any) -> float | None:
    """None where chains that never moved leave nothing to say."""
    return float(value) if np.isfinite(value) else None


def _correlations(values: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    x = np.stack([one.ravel() for one in values.values()])
    x = x - x.mean(axis=1, keepdims=True)
    length = np.linalg.norm(x, axis=1)
    x = x / np.where(length > 0.0, length, 1.0)[:, None]
    matrix = np.clip(x @ x.T, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return {
        name: dict(zip(values, row.tolist(), strict=True))
        for name, row in zip(values, matrix, strict=True)
    }


def _faults(parameters: dict[str, ParameterSummary], draws: "Draws") -> list[str]:
    """Why the draws are not to be relied on, if there is a reason."""
    found = _faults_of_chains(parameters, draws) if draws.pareto_k is None else []
    if draws.pareto_k is not None and not draws.pareto_k <= (most := _most_k(draws)):
        found.append(f"Pareto k is {draws.pareto_k:.2f}, above {most:.2g}")
    if not draws.settled:
        found.append(
            "what was proposed had not settled: a tail may be missing, which numpyro-nuts finds"
        )
    if not draws.price_error < MAX_PRICE_ERROR:
        found.append(
            f"prices may err by {draws.price_error:.2g} of the noise, {MAX_PRICE_ERROR} is allowed"
        )
    return found


def _at_edges(posterior: Posterior, points: np.ndarray) -> list[str]:
    """Which edges of the search box the draws pile up at: there the box answers, not the quotes."""
    d = posterior.n_coordinates
    z = np.moveaxis(points, -1, 0)[:d].reshape(d, -1)
    low, high = (np.array(end)[:, None] for end in posterior.model_type.coordinate_bounds())
    margin = _EDGE * (high - low)
    shares = ((z < low + margin) | (z > high - margin)).mean(axis=1)
    moves = np.abs(posterior.model_type.coordinate_jacobian(z[:, 0])) > 0.0
    found = []
    for i in np.flatnonzero(shares > MAX_SHARE_AT_EDGE):
        names = [
            p.name
            for p, moved in zip(posterior.model_type.parameters(), moves[:, i], strict=True)
            if moved
        ]
        found.append(
            f"{shares[i]:.0%} of the draws lie at the edge of the search box in "
            f"{', '.join(names)}: prior and quotes contradict each other there, or the model "
            "runs into a limit"
        )
    return found


def _faults_of_chains(parameters: dict[str, ParameterSummary], draws: "Draws") -> list[str]:
    found = []
    if len(draws.points) < 2:
        found.append("one chain has no other to agree with")
    else:
        name, r_hat = _worst(parameters, "r_hat", max, math.inf)
        if not r_hat < MAX_R_HAT:
            found.append(f"R-hat of {name} is {r_hat:.3f}, not below {MAX_R_HAT}")
    for field, called in (("ess_bulk", "bulk"), ("ess_tail", "tail")):
        name, ess = _worst(parameters, field, min, 0.0)
        if not ess > MIN_ESS:
            found.append(f"{called} ESS of {name} is {ess:.0f}, not above {MIN_ESS:.0f}")
    if draws.n_divergences:
        found.append(f"{draws.n_divergences} draws diverged")
    return found


def _worst(
    parameters: dict[str, ParameterSummary], field: str, of: Any, unknown: float
) -> tuple[str, float]:
    values = {
        name: unknown if (value := getattr(one, field)) is None else value
        for name, one in parameters.items()
    }
    name = of(values, key=values.__getitem__)
    return name, values[name]


def _merits(parameters: dict[str, ParameterSummary], draws: "Draws") -> str:
    if draws.pareto_k is not None:
        worth = (
            ""
            if draws.n_independent is None
            else f"; the draws are worth {draws.n_independent:.0f} independent ones"
        )
        return f"Pareto k is {draws.pareto_k:.2f}, at most {_most_k(draws):.2g}{worth}"
    _, r_hat = _worst(parameters, "r_hat", max, math.inf)
    ess = min(_worst(parameters, field, min, 0.0)[1] for field in ("ess_bulk", "ess_tail"))
    return f"R-hat is at most {r_hat:.4f} and ESS at least {ess:.0f}; no draw diverged"


def _most_k(draws: "Draws") -> float:
    return RELIABLE_K if draws.n_weighed is None else reliable_k(draws.n_weighed)


def _scarcity(draws: "Draws") -> list[str]:
    if draws.n_independent is None or draws.n_independent >= _FEW_INDEPENDENT:
        return []
    return [
        f"the draws are worth only {draws.n_independent:.0f} independent ones; their tails are "
        "coarse, and numpyro-nuts draws more"
    ]


def _entangled(correlations: dict[str, dict[str, float]]) -> list[str]:
    names = list(correlations)
    return [
        f"{first} and {second} are hardly told apart: their correlation is "
        f"{correlations[first][second]:.3f}"
        for i, first in enumerate(names)
        for second in names[i + 1 :]
        if abs(correlations[first][second]) > _ALL_BUT_ONE
    ]
