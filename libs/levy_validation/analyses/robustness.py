"""Robustness: noise, missing quotes, outliers, corners, adversarial quotes, and detection."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from levy_numerics.calibration import Influence, calibrate
from levy_numerics.calibration.hybrid import Proposer
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_surfaces.synthetic.ranges import Box
from levy_validation.catalogue import analysis
from levy_validation.detection import Separation
from levy_validation.error_statistics import quantities, repricing_errors, root_mean_square
from levy_validation.section import Cell, Plot, Section, Table
from levy_validation.setting import Progress, Setting
from levy_validation.simulation import NOISES, OUTLIERS, Simulated, surface_of
from levy_validation.unusual import KINDS, unusual_surface

MISSING: Final = (0.0, 0.2, 0.4, 0.6)
_CORNER: Final = (0.03, 0.97)
"""Positions in the training range, along each axis."""
_MIN_QUOTES: Final = 10
_GOOD_AUC: Final = 0.95
_FALSE_ALARMS: Final = 0.01
_USUAL: Final = "usual"


@analysis(
    "robustness",
    title="Robustness",
    question="How far do noise, missing quotes, outliers and adversarial quotes move a "
    "calibration, does it hold in the corners of the domain, and are unusual surfaces detected?",
    principle="limitations",
)
def robustness(setting: Setting, progress: Progress) -> Section:
    """Perturb simulated surfaces of the model and the last quoted one."""
    n_steps = 5
    noise = list(under_noise(setting))
    progress(1, n_steps)
    missing = list(with_missing_quotes(setting))
    progress(2, n_steps)
    corners = list(in_corners(setting))
    progress(3, n_steps)
    attacks = list(adversarial(setting, setting.surfaces[-1].quotes))
    progress(4, n_steps)
    separations = detected(setting)
    figures = _figures(noise, corners, attacks, separations)
    return Section(
        figures=figures,
        findings=tuple(_findings(noise, corners, separations)),
        tables=(
            Table.of("Kinds of noise: errors against exact prices", _HEAD, _rows(noise)),
            Table.of("Missing quotes: errors against exact prices", _HEAD, _rows(missing)),
            Table.of("Corners of the training range, exact prices", _HEAD, _rows(corners)),
            Table.of(
                "Adversarial quotes between bid and ask: change in standard errors",
                ("parameter", "direction", "linear prediction", "refit", "error of vol, bp"),
                [vars(attack).values() for attack in attacks],
            ),
            Table.of(
                "Detection of unusual surfaces",
                ("score", "surfaces", "AUC", "low 95%", "high 95%", "detected at 1% false alarms"),
                [
                    (score, kind, s.auc, *s.interval(), _at(s, _FALSE_ALARMS))
                    for (score, kind), s in separations.items()
                ],
            ),
        ),
        plots=(
            Plot(
                "ROC of unusual surfaces",
                "false alarms",
                "detected",
                {
                    f"{score}: {kind}": (list(s.false_alarms), list(s.detections))
                    for (score, kind), s in separations.items()
                },
                style="lines",
                diagonal=True,
            ),
            Plot(
                "Errors against exact prices by kind of noise",
                "noise",
                "RMS error of volatility, bp",
                {
                    "median": ([e.name for e in noise], [e.median for e in noise]),
                    "95% quantile": ([e.name for e in noise], [e.high for e in noise]),
                },
                style="bars",
            ),
        ),
    )


_HEAD: Final = (
    *("case", "surfaces", "converged", "median error, bp of vol", "95% quantile"),
    "median error of the variance, %",
)


@dataclass(frozen=True)
class Experiment:
    """Fits to perturbed surfaces of known truth.

    Attributes
    ----------
    name : str
    n, n_converged : int
    median, high : float
        Of the RMS error against exact prices, basis points of volatility: median, 95% quantile.
    variance_error : float
        Median of the relative error of the variance at one year, percent.
    """

    name: str
    n: int
    n_converged: int
    median: float
    high: float
    variance_error: float


def _rows(experiments: list[Experiment]) -> list[tuple[Cell, ...]]:
    return [tuple(vars(experiment).values()) for experiment in experiments]


def _experiment(name: str, setting: Setting, surfaces: Iterator[Simulated]) -> Experiment:
    errors, variances, n_converged = [], [], 0
    for surface in surfaces:
        result = setting.fit(surface.quotes).results[0]
        exact = Quotes.of(surface.quotes.contracts, surface.exact)
        errors.append(root_mean_square(repricing_errors(exact, result.model)))
        truth = quantities(surface.truth)["variance"]
        variances.append(abs(quantities(result.model)["variance"] / truth - 1.0))
        n_converged += result.status in ("converged", "at_bound")
    median, high = np.nanquantile(errors, (0.5, 0.95))
    variance_error = 100.0 * float(np.nanmedian(variances))
    return Experiment(name, len(errors), n_converged, float(median), float(high), variance_error)


def under_noise(setting: Setting) -> Iterator[Experiment]:
    """Yield the errors under each kind of noise, on the same surfaces."""
    n = max(setting.effort.n_surfaces // 3, 4)
    for noise in (*NOISES, OUTLIERS):
        surfaces = (setting.simulated(100 + k, noise) for k in range(n))
        yield _experiment(noise, setting, surfaces)


def with_missing_quotes(setting: Setting) -> Iterator[Experiment]:
    """Yield the errors where more and more quotes are missing at random."""
    n = max(setting.effort.n_surfaces // 3, 4)
    for share in MISSING:
        surfaces = (thinned(setting.simulated(100 + k), share, setting.rng(4, k)) for k in range(n))
        yield _experiment(f"{share:.0%} missing", setting, surfaces)


def thinned(surface: Simulated, share: float, rng: np.random.Generator) -> Simulated:
    """Return the surface without a random share of its quotes; at least ten are kept."""
    order = rng.permutation(surface.quotes.size)
    n_kept = max(round((1.0 - share) * order.size), min(_MIN_QUOTES, order.size))
    kept = np.sort(order[:n_kept])
    return replace(surface, quotes=surface.quotes.select(kept), exact=surface.exact[kept])


def in_corners(setting: Setting) -> Iterator[Experiment]:
    """Yield the errors of fits to exact prices in the corners of the training range, if any."""
    if setting.model.training_range is None:
        return
    box = Box.of(setting.model.name)
    for corner in itertools.product(_CORNER, repeat=len(box.axes)):
        values = box.model(np.array([corner])).select(0).as_mapping()
        truth = setting.model.from_mapping({k: float(v) for k, v in values.items()})
        surface = surface_of(truth, "spread", setting.rng(5))
        if surface.quotes.size < _MIN_QUOTES:
            continue
        exact = replace(surface, quotes=replace(surface.quotes, price=surface.exact))
        sides = ("low" if position < 0.5 else "high" for position in corner)
        name = ", ".join(f"{axis.name} {side}" for axis, side in zip(box.axes, sides, strict=True))
        yield _experiment(name, setting, iter([exact]))


@dataclass(frozen=True)
class Attack:
    """Quotes moved between bid and ask so that one parameter moves as far as possible.

    Attributes
    ----------
    parameter, direction : str
    linear, refit : float
        Change of the parameter, in standard errors: as the Jacobian predicts, and of a new fit.
    vol_error : float
        RMS difference of implied volatility between the two fits, basis points.
    """

    parameter: str
    direction: str
    linear: float
    refit: float
    vol_error: float


def adversarial(setting: Setting, quotes: Quotes) -> Iterator[Attack]:
    """Yield the attacks on each parameter, up and down; none without bids and asks.

    The linear bound is Σ|∂θ/∂mᵢ|·half-spreadᵢ.
    """
    if quotes.bid is None or quotes.ask is None:
        return
    fit = calibrate(setting.model, quotes)
    influence = Influence.of(fit, quotes)
    half = 0.5 * (quotes.ask - quotes.bid)
    mid = 0.5 * (quotes.ask + quotes.bid)
    c = quotes.contracts
    for k, name in enumerate(influence.parameters):
        for direction, sign in (("up", 1.0), ("down", -1.0)):
            moved = mid + sign * np.sign(influence.by_price[k]) * half
            price = np.clip(moved, c.lower_bound + 1e-9 * c.forward, c.upper_bound)
            attacked = replace(quotes, price=price)
            again = calibrate(setting.model, attacked, weights=fit.weights, start=fit.parameters)
            scale = fit.standard_errors[name]
            yield Attack(
                name,
                direction,
                float(influence.by_price[k] @ (price - quotes.price)) / scale,
                (again.parameters[name] - fit.parameters[name]) / scale,
                root_mean_square(
                    repricing_errors(Quotes.of(c, np.maximum(fit.model_prices, 0.0)), again.model)
                ),
            )


Score = Callable[[Quotes], float]


def detected(setting: Setting) -> dict[tuple[str, str], Separation]:
    """Return the separation of each kind of unusual surface, by (score, kind).

    Scores are that of the network, its distance from the training distribution, and the misfit of
    the calibration: the root-mean-square residual in half-spreads.
    """
    n = max(setting.effort.n_surfaces, 8)
    usual = [setting.simulated(500 + k) for k in range(n)]
    surfaces = {_USUAL: [surface.quotes for surface in usual]}
    for i, kind in enumerate(KINDS):
        surfaces[kind] = [
            unusual_surface(kind, surface, setting.rng(6, i, k)) for k, surface in enumerate(usual)
        ]
    scores: dict[str, Score] = {"misfit": lambda quotes: _misfit(setting, quotes)}
    if setting.network is not None:
        network = setting.network
        scores = {"network": lambda quotes: _score(network, quotes), **scores}
    separations = {}
    for name, score in scores.items():
        values = {
            kind: np.array([score(quotes) for quotes in of_kind if quotes.size >= _MIN_QUOTES])
            for kind, of_kind in surfaces.items()
        }
        for kind in KINDS:
            separations[name, kind] = Separation.of(values[_USUAL], values[kind])
    return separations


def _score(network: Proposer, quotes: Quotes) -> float:
    """Return the network's score; that of surfaces it cannot read is infinite."""
    try:
        return network.propose(quotes).score
    except LevyError:
        return np.inf


def _misfit(setting: Setting, quotes: Quotes) -> float:
    result = calibrate(setting.model, quotes, weights="bid_ask")
    return float(np.sqrt(2.0 * result.cost / max(result.degrees_of_freedom, 1)))


def _at(separation: Separation, false_alarms: float) -> float:
    return float(np.interp(false_alarms, separation.false_alarms, separation.detections))


def _figures(
    noise: list[Experiment],
    corners: list[Experiment],
    attacks: list[Attack],
    separations: dict[tuple[str, str], Separation],
) -> dict[str, Cell]:
    figures: dict[str, Cell] = {
        "largest median error under noise, bp": max(e.median for e in noise),
        "fits that did not converge under noise": sum(e.n - e.n_converged for e in noise),
    }
    if corners:
        figures["largest error in a corner, exact prices, bp"] = max(e.median for e in corners)
    if attacks:
        figures["largest change by quotes between bid and ask, standard errors"] = max(
            abs(attack.refit) for attack in attacks
        )
    for (score, kind), separation in separations.items():
        figures[f"AUC of {score}: {kind}"] = separation.auc
    return figures


def _findings(
    noise: list[Experiment],
    corners: list[Experiment],
    separations: dict[tuple[str, str], Separation],
) -> Iterator[str]:
    worst = max(noise, key=lambda e: e.median)
    yield (
        f"Of the kinds of noise, {worst.name} moves prices most: by {worst.median:.1f} basis "
        "points of volatility (median)."
    )
    for corner in corners:
        if corner.n_converged < corner.n:
            yield f"The fit did not converge in the corner {corner.name}."
    weak = [
        f"{kind} by {score} (AUC {s.auc:.2f})"
        for (score, kind), s in separations.items()
        if s.auc < _GOOD_AUC
    ]
    if weak:
        yield f"Detected with an AUC below {_GOOD_AUC}: {', '.join(weak)}."
