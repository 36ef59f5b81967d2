"""Sensitivity: Sobol indices of prices in the parameters and of the calibration in the quotes."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from levy_numerics.calibration import CalibrationResult, Influence, calibrate
from levy_numerics.calibration.fit_quality import vols_of_quotes
from levy_numerics.calibration.weights import atm_vol_estimate
from levy_numerics.errors import LevyError
from levy_numerics.implied_volatility import vols_of_prices
from levy_numerics.market import Contracts, Quotes
from levy_numerics.models.base import Model
from levy_numerics.pricing import price
from levy_validation.attribution import with_vols
from levy_validation.catalogue import analysis
from levy_validation.section import Plot, Section, Table
from levy_validation.setting import Progress, Setting
from levy_validation.sobol import SobolIndices, rows, sobol_indices

# Of each parameter, about the fit.
_RELATIVE_RANGE: Final = 0.2
_DEVIATIONS: Final = {"put wing": -1.5, "at the money": 0.0, "call wing": 1.0}
_SIDES: Final = ("low strikes", "middle strikes", "high strikes")
_MATURITIES: Final = ("short maturities", "long maturities")
# Of the middle strikes, in standard deviations.
_MIDDLE: Final = 0.5
# Error of a group of quotes, vol points.
_ERROR: Final = 0.5
_BUMP: Final = 1e-3
_NOTABLE_INTERACTION: Final = 0.1
# Half-width of a total index above which it says nothing.
_LARGEST_WIDTH: Final = 0.5
# Of derivatives of the network with the exact ones.
_LEAST_CORRELATION: Final = 0.9
# Prices are cheap: their indices have this many times the points of those of fits.
_POINTS_OF_PRICES: Final = 32
_COLUMNS: Final = ("output", "input", "first order", "± 95%", "total", "± 95% (total)")


@analysis(
    "sensitivity",
    title="Sensitivity",
    question="Which parameters drive prices, and errors of which quotes drive the calibrated "
    "parameters?",
    principle="conceptual soundness",
)
def sensitivity(setting: Setting, progress: Progress) -> Section:
    """Return Sobol indices of prices and of parameters, and check derivatives."""
    quotes = setting.surfaces[-1].quotes
    fit = calibrate(setting.model, quotes)
    of_vols, outputs = indices_of_vols(setting, fit.model, quotes)
    progress(1, 3)
    of_parameters = indices_of_parameters(setting, fit, quotes)
    parameters = tuple(fit.parameters)
    progress(2, 3)
    shares = linear_shares(fit, quotes)
    checked = list(_derivatives_of_the_network(setting))
    interaction = max(map(least_interaction, of_vols), default=0.0)
    difference = max(
        float(np.max(np.abs(i.total - share)))
        for i, share in zip(of_parameters, shares, strict=True)
    )
    figures = {
        "largest interaction of parameters in a volatility, at least": interaction,
        "largest difference of total indices and linear shares": difference,
    }
    figures |= {
        f"network: correlation of derivatives of {name} with the exact ones": value
        for name, value in checked
    }
    return Section(
        figures=figures,
        findings=(
            *_findings(interaction, parameters, of_parameters),
            *(
                f"The network's derivatives of {name} in the quotes are not the exact ones: their "
                f"correlation is {value:.2f}."
                for name, value in checked
                if value < _LEAST_CORRELATION
            ),
        ),
        tables=(
            Table.of(
                f"Implied volatilities in the parameters, ±{_RELATIVE_RANGE:.0%} about the fit",
                _COLUMNS,
                rows(outputs, of_vols),
            ),
            Table.of(
                f"Calibrated parameters in errors of the quotes, ±{_ERROR} vol points of a group",
                (*_COLUMNS, "share by the Jacobian"),
                [
                    (*row, share)
                    for row, share in zip(
                        rows(parameters, of_parameters), np.concatenate(shares), strict=True
                    )
                ],
            ),
        ),
        plots=(
            _bars("Total indices of volatilities in the parameters", outputs, of_vols),
            _bars("Total indices of parameters in the quotes", parameters, of_parameters),
        ),
    )


def indices_of_vols(
    setting: Setting, model: Model, quotes: Quotes
) -> tuple[list[SobolIndices], tuple[str, ...]]:
    """Return the indices of implied volatilities in the parameters, and the outputs' names."""
    contracts, names = typical_contracts(quotes)
    bounds = {
        p.name: _around(float(model.as_mapping()[p.name]), p.domain.low, p.domain.high)
        for p in model.parameters()
    }

    def vols(points: np.ndarray) -> np.ndarray:
        batch = type(model)(**dict(zip(bounds, points.T, strict=True)))
        values = vols_of_prices(price(batch, contracts, tolerance=1e-10).value, contracts)
        # A price that determines no volatility has the centre's: it must not count as variance.
        centre = np.nanmedian(values, axis=0)
        return np.where(np.isfinite(values), values, centre)

    indices = sobol_indices(
        vols,
        bounds,
        n=_POINTS_OF_PRICES * setting.effort.n_sobol,
        n_resamples=setting.effort.n_resamples,
        seed=setting.seed,
    )
    return indices, names


def typical_contracts(quotes: Quotes) -> tuple[Contracts, tuple[str, ...]]:
    """Return a put, an option at the money and a call at a short and at a long maturity."""
    c = quotes.contracts
    maturities, group = c.by_maturity.maturity_groups
    vol = atm_vol_estimate(quotes)
    chosen = dict.fromkeys((maturities.size // 4, maturities.size - 1))
    columns: list[tuple[float, float, float, float, bool]] = []
    names = []
    for k in chosen:
        years = float(maturities[k])
        first = int(np.argmax(group == k))
        forward, discount = float(c.forward[first]), float(c.discount[first])
        for name, deviations in _DEVIATIONS.items():
            strike = forward * float(np.exp(deviations * vol * np.sqrt(years)))
            columns.append((years, strike, forward, discount, deviations >= 0.0))
            names.append(f"{name}, {years:.2f} years")
    years_, strike_, forward_, discount_, is_call = map(np.array, zip(*columns, strict=True))
    return (
        Contracts.of(
            maturity_years=years_,
            strike=strike_,
            forward=forward_,
            discount=discount_,
            is_call=is_call,
        ),
        tuple(names),
    )


def _around(value: float, low: float, high: float) -> tuple[float, float]:
    """Return an interval about a value, inside its domain."""
    width = _RELATIVE_RANGE * max(abs(value), 1e-2)
    return max(value - width, low + 1e-3 * width), min(value + width, high - 1e-3 * width)


def indices_of_parameters(
    setting: Setting, fit: CalibrationResult, quotes: Quotes
) -> list[SobolIndices]:
    """Return the indices of the calibrated parameters in errors of groups of quotes."""
    vols = vols_of_quotes(quotes)
    has_vol = vols > 0.0
    base, group = quotes.select(has_vol), groups_of_quotes(quotes)[has_vol]
    names = [f"{side}, {span}" for span in _MATURITIES for side in _SIDES]
    present = np.unique(group)
    bounds = {names[k]: (-_ERROR, _ERROR) for k in present}
    column = np.searchsorted(present, group)

    def parameters(points: np.ndarray) -> np.ndarray:
        fitted = []
        for errors in points:
            moved = with_vols(base, np.maximum(vols[has_vol] + 0.01 * errors[column], 1e-3))
            again = calibrate(setting.model, moved, weights=fit.weights, start=fit.parameters)
            fitted.append(list(again.parameters.values()))
        return np.array(fitted)

    return sobol_indices(
        parameters,
        bounds,
        n=setting.effort.n_sobol,
        n_resamples=setting.effort.n_resamples,
        seed=setting.seed,
    )


def groups_of_quotes(quotes: Quotes) -> np.ndarray:
    """Return the group of each quote: strikes low, middle or high, maturities short or long."""
    c = quotes.contracts
    deviations = -c.log_moneyness / (atm_vol_estimate(quotes) * np.sqrt(c.maturity_years))
    side = np.digitize(deviations, (-_MIDDLE, _MIDDLE))
    is_long = c.maturity_years > np.median(np.unique(c.maturity_years))
    return np.asarray(side + len(_SIDES) * is_long)


def linear_shares(fit: CalibrationResult, quotes: Quotes) -> list[np.ndarray]:
    """Return the share of each parameter's variance by group, as the exact Jacobian states it.

    A parameter that moves by aₖ per unit of error of group k has shares aₖ²/Σa².
    """
    has_vol = vols_of_quotes(quotes) > 0.0
    by_vol, group = Influence.of(fit, quotes).by_vol[:, has_vol], groups_of_quotes(quotes)[has_vol]
    total = np.stack([by_vol[:, group == k].sum(axis=1) for k in np.unique(group)], axis=1)
    return list(total**2 / np.sum(total**2, axis=1, keepdims=True))


def _derivatives_of_the_network(setting: Setting) -> Iterator[tuple[str, float]]:
    """Yield the correlation of the network's derivatives with the exact ones, by parameter.

    Derivatives are those in the volatility level of each group of quotes, on a simulated surface.
    """
    if setting.network is None:
        return
    quotes = setting.simulated(0).quotes
    vols = vols_of_quotes(quotes)
    quotes, vols = quotes.select(vols > 0.0), vols[vols > 0.0]
    group = groups_of_quotes(quotes)
    fit = calibrate(setting.model, quotes)
    by_vol = Influence.of(fit, quotes).by_vol
    exact, of_network = [], []
    try:
        for k in np.unique(group):
            ends = [
                setting.network.propose(with_vols(quotes, vols + sign * _BUMP * (group == k)))
                for sign in (1.0, -1.0)
            ]
            up, down = (np.array([*map(float, e.model.as_mapping().values())]) for e in ends)
            of_network.append((up - down) / (2.0 * _BUMP))
            exact.append(by_vol[:, group == k].sum(axis=1))
    except LevyError:
        return
    for name, a, b in zip(fit.parameters, np.array(exact).T, np.array(of_network).T, strict=True):
        correlation = np.corrcoef(a, b)[0, 1] if min(np.ptp(a), np.ptp(b)) > 0.0 else np.nan
        yield name, float(correlation)


def _bars(title: str, outputs: Sequence[str], indices: Sequence[SobolIndices]) -> Plot:
    names = indices[0].names
    series = {
        name: (list(outputs), [float(i.total[k]) for i in indices]) for k, name in enumerate(names)
    }
    return Plot(title, "", "total index", series, style="bars")


def least_interaction(indices: SobolIndices) -> float:
    """Return the largest share of the variance that inputs share, at least.

    Half-widths of both 95% intervals are subtracted from total less first-order index.
    """
    shared = indices.total - indices.first
    return float(max(np.max(shared - indices.total_width - indices.first_width), 0.0))


def _findings(
    interaction: float, parameters: Sequence[str], indices: Sequence[SobolIndices]
) -> Iterator[str]:
    for name, of_name in zip(parameters, indices, strict=True):
        k = int(np.argmax(of_name.total))
        share, width = of_name.total[k], of_name.total_width[k]
        if width > _LARGEST_WIDTH:
            yield (
                f"Too few fits to tell the errors of which quotes drive {name}: the largest total "
                f"index is {share:.2g} ± {width:.2g}."
            )
        else:
            yield (
                f"Errors of {of_name.names[k]} explain {share:.0%} ± {width:.0%} of the variance "
                f"of {name}."
            )
    if interaction > _NOTABLE_INTERACTION:
        yield (
            f"Parameters interact: they share at least {interaction:.0%} of a volatility's "
            "variance."
        )
