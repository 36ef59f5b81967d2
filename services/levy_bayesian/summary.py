"""Summaries of draws: InferenceData, and the fields of `BayesianResult`."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from levy_bayesian.misfit import misfit_of, misfit_warnings
from levy_bayesian.prediction import INTERVAL, pointwise_draws, predictive_quotes
from levy_numerics.distributions import LogNormal
from levy_numerics.inference.posterior import Posterior
from levy_numerics.inference.psis import RELIABLE_K, reliable_k
from levy_schemas.finite import finite_or_none
from levy_schemas.jobs import Misfit, ParameterSummary, PredictiveInterval, n_pointwise_draws

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

    from levy_bayesian.samplers.sampler import Draws, Sampler

NOISE: Final = "noise"
"""The noise scale τ, which is sampled with the parameters; see `Posterior`."""
MAX_R_HAT: Final = 1.01
MIN_ESS: Final = 1000.0
MAX_PRICE_ERROR: Final = 0.01
"""Largest allowed price error, relative to the noise."""
MAX_BOUNDARY_FRACTION: Final = 0.1
"""Largest allowed fraction of draws at a boundary of the search box."""

_BOUNDARY_WIDTH: Final = 1e-3
"""Width of the boundary, relative to the search box."""
_MIN_WEIGHTED_ESS: Final = 100.0
_HIGH_CORRELATION: Final = 0.99
_N_THINNED: Final = 400
# The tail ESS is the smaller of the effective sample sizes of these quantiles.
_TAILS: Final = (0.05, 0.95)


@dataclass(frozen=True)
class Summary:
    """The fields of `BayesianResult` that describe draws."""

    parameters: dict[str, ParameterSummary]
    correlations: dict[str, dict[str, float]]
    predictive: tuple[PredictiveInterval, ...]
    divergences: int
    pareto_k: float | None
    converged: bool
    reason: str
    misfit: Misfit
    draws: int
    thinned_draws: dict[str, tuple[float, ...]]
    warnings: tuple[str, ...]


def summarise(posterior: Posterior, draws: "Draws", *, seed: int = 0) -> Summary:
    """Summarise draws of a posterior.

    Parameters
    ----------
    posterior : Posterior
    draws : Draws
    seed : int
        Random seed of the quote errors in the predictive intervals.
    """
    values = parameter_draws(posterior, draws.points)
    parameters = {
        name: _summarise_parameter(x, has_chains=draws.pareto_k is None)
        for name, x in values.items()
    }
    correlations = _correlations(values)
    failures = [
        *_convergence_failures(parameters, draws),
        *_boundary_failures(posterior, draws.points),
    ]
    pareto_k = draws.pareto_k
    predicted = predictive_quotes(posterior, draws.points, seed)
    misfit = misfit_of(posterior, predicted.model_price)
    return Summary(
        parameters=parameters,
        correlations=correlations,
        predictive=predicted.intervals,
        divergences=draws.n_divergences,
        # Infinite if the tail is too short to estimate it, which JSON cannot represent.
        pareto_k=pareto_k if pareto_k is not None and math.isfinite(pareto_k) else None,
        converged=not failures,
        reason="; ".join(failures) or _convergence_summary(parameters, draws),
        misfit=misfit,
        draws=int(np.prod(draws.points.shape[:2])),
        thinned_draws={name: _thinned(x) for name, x in values.items()},
        warnings=(
            *misfit_warnings(misfit, is_independent=posterior.correlated is None),
            *_low_ess_warnings(draws),
            *_high_correlation_warnings(correlations),
        ),
    )


def _thinned(x: np.ndarray) -> tuple[float, ...]:
    """Return at most `_N_THINNED` draws, evenly spaced, with six significant digits."""
    every = -(-x.size // _N_THINNED)
    return tuple(float(f"{value:.6g}") for value in x.ravel()[::every])


def inference_data(
    posterior: Posterior, draws: "Draws", *, engine: "type[Sampler] | None" = None, seed: int = 0
) -> "DataTree":
    """Return draws, data and sampler statistics in the groups of ArviZ's InferenceData schema.

    Groups are `posterior` (each parameter, and the noise if it is sampled), `sample_stats` if the
    engine has any, `observed_data` (`price`) and `constant_data` (contracts, error scales, and
    fixed parameters). `log_likelihood` has the log density of each quote given the others, and
    `posterior_predictive` a replicate of each quote, at draws that are spaced evenly: `draw` is
    their number in the chain. Importance samplers have no chains: their `posterior` is one chain in
    which repetitions of a draw are adjacent, so that ArviZ's effective sample size counts them
    once, and `weighted_draws` has every draw with its `log_weight`. Attributes describe the
    sampler.

    Parameters
    ----------
    posterior : Posterior
    draws : Draws
    engine : type of Sampler, optional
        The sampler; without it, the attributes do not describe it.
    seed : int
    """
    from xarray import DataTree

    quotes, c = posterior.quotes, posterior.quotes.contracts
    fields = ("strike", "maturity_years", "forward", "discount", "is_call")
    constant = {name: getattr(c, name) for name in fields} | {"error_scale": posterior.scale}
    sampled, by_quote = ("chain", "draw"), ("quote",)
    points = stored_points(draws, seed)
    groups = {
        "posterior": _dataset(parameter_draws(posterior, points), sampled),
        "observed_data": _dataset({"price": quotes.price}, by_quote),
        "constant_data": _dataset(constant | _fixed_parameters(posterior, draws.points), by_quote),
    }
    groups |= _pointwise_groups(posterior, points, seed)
    if draws.statistics:
        groups["sample_stats"] = _dataset(draws.statistics, sampled)
    if draws.weighted is not None:
        values = parameter_draws(posterior, draws.weighted.points[None])
        values["log_weight"] = draws.weighted.log_weights[None]
        groups["weighted_draws"] = _dataset(values, sampled)
    data = DataTree.from_dict(groups)
    data.attrs = _attributes(posterior, draws, engine, seed)
    return data


def _pointwise_groups(posterior: Posterior, points: np.ndarray, seed: int) -> dict[str, "Dataset"]:
    """Return the groups that have a value for each quote, for a subset of the draws."""
    n_chains, n_samples, size = points.shape
    n_kept = min(n_pointwise_draws(posterior.quotes.size) // n_chains, n_samples)
    kept = np.linspace(0, n_samples - 1, n_kept).round().astype(int)
    values = pointwise_draws(posterior, points[:, kept].reshape(-1, size), seed)
    shape = (n_chains, n_kept, -1)
    by_draw = ("chain", "draw", "quote")
    groups = {
        "log_likelihood": values.log_likelihood.reshape(shape),
        # Replicates are random: the rounding of 32 bits does not matter.
        "posterior_predictive": values.replicates.reshape(shape).astype(np.float32),
    }
    return {
        name: _dataset({"price": array}, by_draw).assign_coords(draw=kept)
        for name, array in groups.items()
    }


def _dataset(values: Mapping[str, Any], dimensions: tuple[str, ...]) -> "Dataset":
    """Return arrays that share dimensions, whose coordinates count from zero, and scalars."""
    from xarray import Dataset

    variables = {name: (dimensions[: np.ndim(value)], value) for name, value in values.items()}
    dataset = Dataset(variables)
    return dataset.assign_coords({name: np.arange(n) for name, n in dataset.sizes.items()})


def stored_points(draws: "Draws", seed: int) -> np.ndarray:
    """Return the points as chains, shape (n_chains, n_samples, size).

    Resampled draws are one chain. A draw that was chosen k times is a run of length k, and runs are
    in random order: the autocorrelation of the chain then implies an effective sample size of
    N²/Σk², that of the weights.
    """
    if draws.weighted is None:
        return draws.points
    points = draws.points.reshape(-1, draws.points.shape[-1])
    _, run = np.unique(points, axis=0, return_inverse=True)
    run = run.ravel()
    position = np.random.default_rng(seed).permutation(run.max() + 1)
    return points[np.argsort(position[run], kind="stable")][None]


def _attributes(
    posterior: Posterior, draws: "Draws", engine: "type[Sampler] | None", seed: int
) -> dict[str, Any]:
    """Return a description of the sampler in numbers and strings, which netCDF can store."""
    attributes: dict[str, Any] = {"model_type": posterior.model_type.name, "seed": seed}
    if draws.pareto_k is not None:
        attributes["pareto_k"] = draws.pareto_k
    if draws.effective_sample_size is not None:
        attributes["effective_sample_size"] = draws.effective_sample_size
    if engine is not None:
        attributes |= {"engine": engine.name, "sampling_method": engine.method}
        attributes |= {f"{name}_version": version(name) for name in (*engine.packages, "arviz")}
    return attributes


def parameter_draws(posterior: Posterior, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return draws of the parameters, and of the noise if it is sampled.

    Parameters
    ----------
    points : ndarray, shape (n_chains, n_samples, size)

    Returns
    -------
    dict of str to ndarray, each of shape (n_chains, n_samples)
    """
    z = np.moveaxis(points, -1, 0)
    model = posterior.model_type.from_coordinates(z[: posterior.n_coordinates])
    draws = {name: np.asarray(getattr(model, name)) for name in posterior.priors.by_parameter}
    if isinstance(posterior.noise, LogNormal):
        draws[NOISE] = np.asarray(posterior.noise_at(z))
    return draws


def _fixed_parameters(posterior: Posterior, points: np.ndarray) -> dict[str, float]:
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


def _summarise_parameter(x: np.ndarray, *, has_chains: bool) -> ParameterSummary:
    low, median, high = np.quantile(x, (INTERVAL[0], 0.5, INTERVAL[1]))
    r_hat, ess_bulk, ess_tail = _diagnostics(x) if has_chains else (None, None, None)
    return ParameterSummary(
        mean=float(x.mean()),
        sd=float(x.std(ddof=1)),
        median=float(median),
        interval=(float(low), float(high)),
        r_hat=r_hat,
        ess_bulk=ess_bulk,
        ess_tail=ess_tail,
    )


def _diagnostics(x: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Return R-hat (None for a single chain), bulk and tail ESS."""
    arviz = _arviz()
    with np.errstate(all="ignore"):
        # Constant chains give 0/0.
        r_hat = finite_or_none(arviz.rhat(x)) if len(x) > 1 else None
        bulk = finite_or_none(arviz.ess(x, method="bulk"))
        tail = finite_or_none(arviz.ess(x, method="tail", prob=_TAILS))
    return r_hat, bulk, tail


def _correlations(values: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    x = np.stack([draws.ravel() for draws in values.values()])
    x = x - x.mean(axis=1, keepdims=True)
    length = np.linalg.norm(x, axis=1)
    x = x / np.where(length > 0.0, length, 1.0)[:, None]
    matrix = np.clip(x @ x.T, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return {
        name: dict(zip(values, row.tolist(), strict=True))
        for name, row in zip(values, matrix, strict=True)
    }


def _convergence_failures(parameters: dict[str, ParameterSummary], draws: "Draws") -> list[str]:
    """Return the reasons why the draws are unreliable, if there are any."""
    failures = _chain_failures(parameters, draws) if draws.pareto_k is None else []
    if draws.pareto_k is not None and not draws.pareto_k <= (limit := _max_k(draws)):
        failures.append(f"Pareto k is {draws.pareto_k:.2f}, above {limit:.2g}")
    if not draws.adaptation_converged:
        failures.append(
            "the adaptation of the proposal did not converge and a tail may be missing; use "
            "numpyro-nuts"
        )
    if not draws.price_error < MAX_PRICE_ERROR:
        failures.append(
            f"the price error is {draws.price_error:.2g} of the noise, above {MAX_PRICE_ERROR}"
        )
    return failures


def _boundary_failures(posterior: Posterior, points: np.ndarray) -> list[str]:
    """Return the boundaries of the search box that truncate the posterior."""
    d = posterior.n_coordinates
    z = np.moveaxis(points, -1, 0)[:d].reshape(d, -1)
    low, high = (np.array(end)[:, None] for end in posterior.model_type.coordinate_bounds())
    margin = _BOUNDARY_WIDTH * (high - low)
    fractions = ((z < low + margin) | (z > high - margin)).mean(axis=1)
    moves = np.abs(posterior.model_type.coordinate_jacobian(z[:, 0])) > 0.0
    failures = []
    for i in np.flatnonzero(fractions > MAX_BOUNDARY_FRACTION):
        names = [
            p.name
            for p, is_affected in zip(posterior.model_type.parameters(), moves[:, i], strict=True)
            if is_affected
        ]
        failures.append(
            f"{fractions[i]:.0%} of the draws are at the boundary of the search box of "
            f"{', '.join(names)}: prior and quotes are in conflict, or the model degenerates to a "
            "limiting case"
        )
    return failures


def _chain_failures(parameters: dict[str, ParameterSummary], draws: "Draws") -> list[str]:
    failures = []
    if len(draws.points) < 2:
        failures.append("R-hat requires at least two chains")
    else:
        name, r_hat = _worst(parameters, "r_hat", max, math.inf)
        if not r_hat < MAX_R_HAT:
            failures.append(f"R-hat of {name} is {r_hat:.3f}, not below {MAX_R_HAT}")
    for field, kind in (("ess_bulk", "bulk"), ("ess_tail", "tail")):
        name, ess = _worst(parameters, field, min, 0.0)
        if not ess > MIN_ESS:
            failures.append(f"{kind} ESS of {name} is {ess:.0f}, not above {MIN_ESS:.0f}")
    if draws.n_divergences:
        failures.append(f"{draws.n_divergences} draws diverged")
    return failures


def _worst(
    parameters: dict[str, ParameterSummary], field: str, select: Any, missing: float
) -> tuple[str, float]:
    values = {
        name: missing if (value := getattr(parameter, field)) is None else value
        for name, parameter in parameters.items()
    }
    name = select(values, key=values.__getitem__)
    return name, values[name]


def _convergence_summary(parameters: dict[str, ParameterSummary], draws: "Draws") -> str:
    if draws.pareto_k is not None:
        size = (
            ""
            if draws.effective_sample_size is None
            else f"; the effective sample size is {draws.effective_sample_size:.0f}"
        )
        return f"Pareto k is {draws.pareto_k:.2f}, at most {_max_k(draws):.2g}{size}"
    _, r_hat = _worst(parameters, "r_hat", max, math.inf)
    ess = min(_worst(parameters, field, min, 0.0)[1] for field in ("ess_bulk", "ess_tail"))
    return f"R-hat is at most {r_hat:.4f} and ESS at least {ess:.0f}; no divergences"


def _max_k(draws: "Draws") -> float:
    return RELIABLE_K if draws.n_weighted is None else reliable_k(draws.n_weighted)


def _low_ess_warnings(draws: "Draws") -> list[str]:
    if draws.effective_sample_size is None or draws.effective_sample_size >= _MIN_WEIGHTED_ESS:
        return []
    return [
        f"the effective sample size is only {draws.effective_sample_size:.0f}, so that tails are "
        "inaccurate; use numpyro-nuts"
    ]


def _high_correlation_warnings(correlations: dict[str, dict[str, float]]) -> list[str]:
    names = list(correlations)
    return [
        f"{first} and {second} are not separately identified: their correlation is "
        f"{correlations[first][second]:.3f}"
        for i, first in enumerate(names)
        for second in names[i + 1 :]
        if abs(correlations[first][second]) > _HIGH_CORRELATION
    ]
