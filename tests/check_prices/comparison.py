"""Comparison of the engine's prices and stated errors with the referee's prices."""

import time
import warnings
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from levy_numerics import models, pricing
from levy_numerics.errors import LevyError, OutsideStripError
from levy_numerics.market import Contracts
from levy_numerics.models import Model
from tests.check_prices import contour, mixtures
from tests.check_prices.domain import Case, draw_case
from tests.check_prices.transforms import (
    NoForwardError,
    Transform,
    forward_exists,
    revives,
)

FLOOR: Final = 1e-14
"""Rounding that stated errors need not cover, relative to the forward's present value."""
FACTOR: Final = 10.0
"""Largest permitted ratio of true to stated error."""
SILENT: Final = 1e-9
"""Largest true error, relative to the forward, that may have a smaller stated error."""
SECOND_CONTOUR_EVERY: Final = 4
WORST_KEPT: Final = 20
_WORST: Final = 1e9
"""Rank of failures that are worse than any wrong price."""
_LARGEST_RATIO: Final = 1e99
"""Stands for infinity, where the stated error is zero."""


@dataclass
class Tally:
    """Results of one model.

    Attributes
    ----------
    options, priced, refused : int
        Options drawn; options with a price; those whose set the engine rejected with its own
        error.
    sets, sets_refused, refused_with_forward, crashes, no_forward_priced : int
        Parameter sets: drawn; rejected with a clear error; those of them with a finite forward;
        with any other exception; priced although E[S_T] is infinite.
    violations, silent_only : int
        Options whose true error exceeds ten times the stated one; others whose true error exceeds
        1e-9 of the forward while the stated one does not.
    stated_large : int
        Options with a stated error above 1e-9 of the forward.
    undecided : int
        Options for which the referee cannot decide.
    largest_error, largest_ratio, largest_doubt, referee_seconds, engine_seconds : float
        Largest error relative to the forward; ratio of true to stated error; uncertainty of the
        referee; times.
    worst : list
        Cases to reproduce.
    """

    options: int = 0
    priced: int = 0
    refused: int = 0
    sets: int = 0
    sets_refused: int = 0
    refused_with_forward: int = 0
    crashes: int = 0
    no_forward_priced: int = 0
    violations: int = 0
    silent_only: int = 0
    stated_large: int = 0
    undecided: int = 0
    largest_error: float = 0.0
    largest_ratio: float = 0.0
    largest_doubt: float = 0.0
    referee_seconds: float = 0.0
    engine_seconds: float = 0.0
    worst: list[dict[str, Any]] = field(default_factory=list)
    by_kind: dict[str, list[int]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether any result violates the rule."""
        return bool(self.violations or self.silent_only or self.crashes or self.no_forward_priced)

    def add(self, other: "Tally") -> None:
        """Add the counts of another tally."""
        for name, value in vars(other).items():
            if name.startswith("largest"):
                setattr(self, name, max(getattr(self, name), value))
            elif name == "worst":
                self.worst = sorted([*self.worst, *value], key=_badness)[:WORST_KEPT]
            elif name == "by_kind":
                for kind, counts in value.items():
                    mine = self.by_kind.get(kind, [0] * len(counts))
                    self.by_kind[kind] = [a + b for a, b in zip(mine, counts, strict=True)]
            else:
                setattr(self, name, getattr(self, name) + value)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)


def _badness(found: dict[str, Any]) -> float:
    return -float(found["badness"])


@dataclass(frozen=True)
class Referee:
    """Undiscounted prices on a forward of one, and their uncertainty, shape (n,)."""

    value: np.ndarray
    doubt: np.ndarray


def referee_prices(case: Case, second: bool) -> Referee:
    """Price a case by every applicable method; the uncertainty covers their differences.

    Parameters
    ----------
    case : Case
    second : bool
        Whether to price along a second contour if there is no mixture.

    Raises
    ------
    NoForwardError
        E[exp(X_T)] is infinite.
    """
    transform = Transform(case.model, case.parameters, case.years)
    k = case.strike.astype(np.longdouble) / np.longdouble(case.forward)
    covered, doubt = contour.covered_calls(transform, -np.log(k))
    covered, doubt = covered * k, np.inf * k if revives(transform) else doubt * k
    for other in _others(transform, k, second):
        value, its_doubt = other
        better = its_doubt < doubt
        with np.errstate(invalid="ignore"):
            apart = np.where(np.isfinite(doubt + its_doubt), np.abs(value - covered), 0.0)
        covered = np.where(better, value, covered)
        # If two methods differ by more than both uncertainties, one of them is wrong.
        with np.errstate(invalid="ignore"):
            unexplained = np.where(apart > 0.0, apart - doubt - its_doubt, 0.0)
        doubt = np.maximum(np.minimum(doubt, its_doubt), 2.0 * unexplained)
    return Referee(np.where(case.is_call, 1.0 - covered, k - covered), doubt)


def _others(transform: Transform, k: np.ndarray, second: bool) -> list[Any]:
    mixture = mixtures.covered_calls(transform, k)
    if mixture is not None:
        return [mixture]
    if not second:
        return []
    value, doubt = contour.covered_calls(transform, -np.log(k), contour.SECOND)
    return [(value * k, doubt * k)]


def check_cases(model: str, indices: range, seed: int) -> Tally:
    """Draw, price and compare the cases with these numbers."""
    total = Tally()
    for index in indices:
        total.add(check_case(draw_case(model, index, seed), index % SECOND_CONTOUR_EVERY == 0))
    return total


def check_case(case: Case, second: bool = True) -> Tally:
    """Price one case with the engine and with the referee."""
    n = case.strike.size
    tally = Tally(options=n, sets=1)
    start = time.perf_counter()
    try:
        prices = _engine_prices(case)
    except LevyError as error:
        tally.refused, tally.sets_refused = n, 1
        exists = forward_exists(case.model, case.parameters, case.years)
        tally.refused_with_forward = int(exists)
        tally.by_kind[f"{case.kind}: {type(error).__name__}"] = [n, 0]
        return tally
    except Exception as error:  # noqa: BLE001 the check looks for any other exception
        tally.crashes = 1
        tally.worst.append(_report(case, repr(error), _WORST))
        return tally
    tally.engine_seconds = time.perf_counter() - start
    tally.priced = n
    try:
        referee = referee_prices(case, second)
    except NoForwardError:
        tally.no_forward_priced = 1
        tally.worst.append(_report(case, "priced although E[S_T] is infinite", _WORST))
        return tally
    except (ArithmeticError, ValueError) as error:
        tally.undecided = n
        tally.by_kind[f"{case.kind}: referee {error}"[:120]] = [n, 0]
        return tally
    tally.referee_seconds = time.perf_counter() - start - tally.engine_seconds
    _judge(tally, case, prices, referee)
    return tally


def _engine_prices(case: Case) -> pricing.Prices:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model = models.from_mapping(case.model, case.parameters)
        if case.in_batch:
            model = _with_example(model)
        contracts = Contracts.of(
            maturity_years=case.years,
            strike=case.strike,
            forward=case.forward,
            discount=case.discount,
            is_call=case.is_call,
        )
        prices = pricing.price(model, contracts)
    if not case.in_batch:
        return prices
    value, error = prices.value[1], prices.error[1]
    if np.all(np.isnan(value)):
        raise OutsideStripError(f"{case.model} in a batch: no price at T = {case.years:g}")
    return pricing.Prices(value, error)


def _with_example(model: Model) -> Model:
    """Return a batch of the family's example and the model."""
    example = type(model).example().as_mapping()
    pairs = {name: np.array([example[name], value]) for name, value in model.as_mapping().items()}
    return type(model)(**pairs)


def _judge(tally: Tally, case: Case, prices: pricing.Prices, referee: Referee) -> None:
    scale = case.forward * case.discount
    value, stated = prices.value / scale, prices.error / scale
    miss = np.abs(value - referee.value).astype(float)
    doubt = referee.doubt.astype(float)
    with np.errstate(all="ignore"):
        allowed = FACTOR * stated + FLOOR
        certain, possible = miss - doubt, miss + doubt
        # A price or an error that is not a finite number is always wrong.
        broken = ~(np.isfinite(value) & (stated >= 0.0))
        wrong = broken | (np.isfinite(doubt) & (certain > allowed))
        undecided = ~wrong & ~(possible <= allowed)
        silent = ~wrong & (certain > SILENT) & (stated <= SILENT)
        ratio = np.where(wrong | (certain > FLOOR), (certain - FLOOR) / stated, 0.0)
    sure = np.isfinite(doubt) & ~broken
    tally.violations, tally.undecided = int(wrong.sum()), int(undecided.sum())
    tally.silent_only, tally.stated_large = int(silent.sum()), int((stated > SILENT).sum())
    tally.largest_error = float(np.max(certain[sure], initial=0.0))
    tally.largest_ratio = min(float(np.max(ratio[sure], initial=0.0)), _LARGEST_RATIO)
    tally.largest_doubt = float(np.max(doubt[np.isfinite(doubt)], initial=0.0))
    tally.by_kind[case.kind] = [case.strike.size, tally.violations]
    for flagged, text, rank in (
        (wrong | silent, "wrong", 1.0),
        (undecided, "referee undecided", 1e-30),
    ):
        if flagged.any():
            at = int(np.argmax(np.where(flagged, np.nan_to_num(miss, nan=np.inf), -1.0)))
            tally.worst.append(
                _report(case, text, rank * (float(miss[at]) if np.isfinite(miss[at]) else 1e6))
                | {
                    "strike": float(case.strike[at]),
                    "is_call": bool(case.is_call[at]),
                    "value": _finite(prices.value[at]),
                    "stated": _finite(prices.error[at]),
                    "right": _finite(referee.value[at] * scale),
                    "doubt": _finite(doubt[at] * scale),
                }
            )


def _finite(value: Any) -> float | None:
    """Return None for numbers that JSON cannot represent."""
    return float(value) if np.isfinite(value) else None


def _report(case: Case, text: str, badness: float) -> dict[str, Any]:
    return {
        "what": text,
        "badness": badness,
        "model": case.model,
        "kind": case.kind,
        "parameters": case.parameters,
        "maturity_years": case.years,
        "forward": case.forward,
        "discount": case.discount,
        "in_batch": case.in_batch,
    }
