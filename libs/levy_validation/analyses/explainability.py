"""Explainability: which quotes a calibration, and a network, rest on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import spearmanr

from levy_numerics.calibration import CalibrationResult, Influence, calibrate
from levy_numerics.calibration.fit_quality import vols_of_quotes
from levy_numerics.errors import LevyError
from levy_numerics.market import Quotes
from levy_validation.attribution import Attribution, integrated_gradients
from levy_validation.catalogue import analysis
from levy_validation.maps import over_strikes_and_maturities
from levy_validation.section import Cell, Section, Table
from levy_validation.setting import DatedQuotes, Progress, Setting

_SHOWN: Final = 10
_VOL_POINT: Final = 0.01
_SOUND: Final = 0.5
"""Rank correlation below which a network is reported as resting on other quotes than the fit."""


@analysis(
    "explainability",
    title="Explainability",
    question="Which quotes determine which parameter, and does the network rest on the same ones?",
    principle="conceptual soundness",
)
def explainability(setting: Setting, progress: Progress) -> Section:
    """Explain the calibration of the last surface, and compare the network's attribution."""
    surface = setting.surfaces[-1]
    fit = calibrate(setting.model, surface.quotes)
    influence = Influence.of(fit, surface.quotes)
    progress(1, 4)
    refits = refitted(setting, fit, influence, surface.quotes)
    progress(2, 4)
    compared = list(_networks(setting, surface, progress))
    figures = _figures(influence, refits, compared)
    return Section(
        figures=figures,
        findings=tuple(_findings(refits, compared)),
        tables=(
            _most_influential(fit, influence, surface.quotes),
            Table.of(
                "Quotes left out: change of each parameter, in standard errors",
                ("quote", "parameter", "one-step formula", "refit"),
                refits.rows(influence.parameters),
            ),
            Table.of(
                "Network: integrated gradients against the exact influence",
                ("surface", "parameter", "rank correlation", "error of the sum"),
                [row for comparison in compared for row in comparison.rows()],
            ),
        ),
        plots=tuple(
            over_strikes_and_maturities(
                surface.quotes.contracts,
                _VOL_POINT * influence.by_vol[k],
                title=f"Change of {name} per vol point of a quote ({surface.name})",
                unit=name,
            )
            for k, name in enumerate(influence.parameters)
        ),
    )


@dataclass(frozen=True)
class Refits:
    """Fits without one quote, beside the one-step formula; changes in standard errors.

    Attributes
    ----------
    quotes : ndarray of int, shape (m,)
        Those left out.
    formula, refit : ndarray, shape (n_parameters, m)
    """

    quotes: np.ndarray
    formula: np.ndarray
    refit: np.ndarray

    @property
    def largest_difference(self) -> float:
        """Largest difference of formula and refit, in standard errors."""
        return float(np.nanmax(np.abs(self.formula - self.refit), initial=0.0))

    def rows(self, parameters: Sequence[str]) -> Iterator[tuple[int, str, float, float]]:
        """Yield the rows of the table."""
        for i, quote in enumerate(self.quotes):
            for k, name in enumerate(parameters):
                yield int(quote), name, self.formula[k, i], self.refit[k, i]


def refitted(
    setting: Setting, fit: CalibrationResult, influence: Influence, quotes: Quotes
) -> Refits:
    """Fit again without some quotes: half of them those of most influence, half random."""
    by_influence = np.argsort(-influence.cook, kind="stable")
    n_most = setting.effort.n_refits // 2
    rest = setting.rng(3).permutation(by_influence[n_most:])
    chosen = np.concatenate([by_influence[:n_most], rest[:n_most]])
    before = np.array(list(fit.parameters.values()))
    scale = np.array(list(fit.standard_errors.values()))
    changes = []
    for k in chosen:
        others = quotes.select(np.arange(quotes.size) != k)
        again = calibrate(setting.model, others, weights=fit.weights, start=fit.parameters)
        changes.append(np.array(list(again.parameters.values())) - before)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Refits(
            chosen,
            influence.without[:, chosen] / scale[:, None],
            np.array(changes).T.reshape(scale.size, -1) / scale[:, None],
        )


@dataclass(frozen=True)
class Compared:
    """A network's attribution beside the exact influence, on one surface.

    Attributes
    ----------
    surface : str
    parameters : tuple of str
    correlation : ndarray, shape (n_parameters,)
        Spearman's, over the quotes.
    attribution : Attribution
    """

    surface: str
    parameters: tuple[str, ...]
    correlation: np.ndarray
    attribution: Attribution

    def rows(self) -> Iterator[tuple[str, str, float, float]]:
        """Yield the rows of the table."""
        columns = (self.parameters, self.correlation, self.attribution.completeness_error)
        for name, correlation, error in zip(*columns, strict=True):
            yield self.surface, name, correlation, error


def compare_attributions(
    setting: Setting, surface: DatedQuotes, fit: CalibrationResult
) -> Compared:
    """Compare integrated gradients of the network with the influence of the quotes on a fit.

    Raises
    ------
    LevyError
        The network cannot read the surface.
    """
    network = setting.network
    assert network is not None
    quotes = surface.quotes
    influence = Influence.of(fit, quotes)

    def parameters(surfaces: Sequence[Quotes]) -> np.ndarray:
        proposals = network.propose_many(surfaces)
        return np.array([[*map(float, p.model.as_mapping().values())] for p in proposals])

    attribution = integrated_gradients(parameters, quotes, setting.effort.n_steps)
    vols = vols_of_quotes(quotes)
    linear = influence.by_vol * (
        np.where(vols > 0.0, vols, attribution.baseline) - attribution.baseline
    )
    correlation = [
        spearmanr(exact, of_network).statistic if np.ptp(of_network) > 0.0 else np.nan
        for exact, of_network in zip(linear, attribution.contribution, strict=True)
    ]
    return Compared(surface.name, influence.parameters, np.array(correlation), attribution)


def _networks(setting: Setting, surface: DatedQuotes, progress: Progress) -> Iterator[Compared]:
    if setting.network is None:
        return
    own = DatedQuotes("simulated", setting.simulated(0).quotes)
    for k, quoted in enumerate((own, surface)):
        try:
            yield compare_attributions(setting, quoted, calibrate(setting.model, quoted.quotes))
        except LevyError:
            continue  # the network abstains; `_findings` states that it is missing
        progress(3 + k, 4)


def _most_influential(fit: CalibrationResult, influence: Influence, quotes: Quotes) -> Table:
    c = quotes.contracts
    scale = np.array(list(fit.standard_errors.values()))
    most = np.argsort(-influence.cook, kind="stable")[:_SHOWN]
    with np.errstate(divide="ignore", invalid="ignore"):
        shifts = influence.without / scale[:, None]
    rows = [
        (
            int(k),
            c.maturity_years[k],
            c.strike[k],
            "call" if c.is_call[k] else "put",
            influence.leverage[k],
            influence.cook[k],
            *shifts[:, k],
        )
        for k in most
    ]
    names = (f"{name} without it, standard errors" for name in influence.parameters)
    head = ("quote", "maturity", "strike", "type", "leverage", "Cook's distance", *names)
    return Table.of("Quotes of most influence", head, rows)


def _figures(influence: Influence, refits: Refits, compared: list[Compared]) -> dict[str, Cell]:
    figures: dict[str, Cell] = {
        "largest leverage of a quote": float(influence.leverage.max()),
        "quotes with half of the leverage": _half(influence.leverage),
        "largest difference of one-step formula and refit, standard errors": (
            refits.largest_difference
        ),
    }
    for comparison in compared:
        name = f"network: mean rank correlation with exact influence, {comparison.surface}"
        figures[name] = (
            float(np.nanmean(comparison.correlation))
            if np.isfinite(comparison.correlation).any()
            else None
        )
    return figures


def _half(leverage: np.ndarray) -> int:
    """Return the least number of quotes that have half of the leverage."""
    share = np.cumsum(np.sort(leverage)[::-1]) / leverage.sum()
    return int(np.searchsorted(share, 0.5)) + 1


def _findings(refits: Refits, compared: list[Compared]) -> Iterator[str]:
    if refits.largest_difference > _SOUND:
        yield (
            "Leaving out a quote moves the fit otherwise than the one-step formula states, by up "
            f"to {refits.largest_difference:.2g} standard errors: the fit is strongly nonlinear."
        )
    if not compared:
        yield "No network was applied to the surfaces: an attribution is not compared."
    for comparison in compared:
        weak = [
            name
            for name, value in zip(comparison.parameters, comparison.correlation, strict=True)
            if not value >= _SOUND
        ]
        if weak:
            yield (
                f"On the surface {comparison.surface} the network determines {', '.join(weak)} "
                "from other quotes than the exact fit (rank correlation below 0.5)."
            )
