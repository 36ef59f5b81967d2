"""Terms of options beyond European exercise: exercise dates, barriers and cash dividends."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from levy_numerics.errors import InvalidInputError, UnsupportedError
from levy_numerics.market import Contracts
from levy_numerics.models.base import LevyModel, Model

ExerciseStyle = Literal["european", "bermudan", "american"]
BarrierKind = Literal["up-and-out", "up-and-in", "down-and-out", "down-and-in"]

_KINDS: Final = ("up-and-out", "up-and-in", "down-and-out", "down-and-in")
_STYLES: Final = ("european", "bermudan", "american")


@dataclass(frozen=True)
class Barrier:
    """Level whose crossing extinguishes (out) or activates (in) an option.

    Attributes
    ----------
    kind : {"up-and-out", "up-and-in", "down-and-out", "down-and-in"}
    level : float
        In currency.
    dates : tuple of float
        Monitoring dates in years, increasing; empty for continuous monitoring. Those after a
        contract's maturity do not concern it.
    """

    kind: BarrierKind
    level: float
    dates: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise InvalidInputError(
                f"barrier kind {self.kind!r} is not one of {', '.join(_KINDS)}", field="barrier"
            )
        if not 0.0 < self.level < np.inf:
            raise InvalidInputError("barrier must be finite and positive", field="barrier")
        _check_dates("monitoring dates of the barrier", self.dates, "barrier")

    @property
    def is_up(self) -> bool:
        """Whether the barrier lies above the spot."""
        return self.kind.startswith("up")

    @property
    def is_in(self) -> bool:
        """Whether crossing activates the option."""
        return self.kind.endswith("in")

    def check_spot(self, spot: float) -> None:
        """Raise `InvalidInputError` if the spot lies beyond the barrier."""
        if (self.level <= spot) if self.is_up else (self.level >= spot):
            side = "above" if self.is_up else "below"
            raise InvalidInputError(
                f"barrier {self.level:g} of an {self.kind} option must be {side} the spot "
                f"{spot:g}; an option beyond its barrier is worth zero (out) or its European price "
                "(in)",
                field="barrier",
            )


@dataclass(frozen=True)
class Dividend:
    """Cash dividend: the spot falls by `amount` at `years`."""

    years: float
    amount: float

    def __post_init__(self) -> None:
        if not (0.0 < self.years < np.inf and 0.0 <= self.amount < np.inf):
            raise InvalidInputError(
                "a dividend requires a positive time in years and a finite amount that is not "
                "negative",
                field="dividends",
            )


@dataclass(frozen=True)
class Terms:
    """Terms that all contracts of one request share.

    Attributes
    ----------
    exercise : {"european", "bermudan", "american"}
    exercise_dates : tuple of float
        Years, increasing, for Bermudan options; maturity is always an exercise date.
    barrier : Barrier or None
    dividends : tuple of Dividend
        Cash dividends, in order of time; those at or after a contract's maturity do not concern it.
    """

    exercise: ExerciseStyle = "european"
    exercise_dates: tuple[float, ...] = ()
    barrier: Barrier | None = None
    dividends: tuple[Dividend, ...] = ()

    def __post_init__(self) -> None:
        if self.exercise not in _STYLES:
            raise InvalidInputError(
                f"exercise {self.exercise!r} is not one of {', '.join(_STYLES)}", field="exercise"
            )
        if (self.exercise == "bermudan") != bool(self.exercise_dates):
            raise InvalidInputError(
                "Bermudan options require exercise dates in years"
                if self.exercise == "bermudan"
                else f"exercise dates belong to Bermudan options, not {self.exercise} ones",
                field="exercise_dates",
            )
        _check_dates("exercise dates", self.exercise_dates, "exercise_dates")
        times = [dividend.years for dividend in self.dividends]
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise InvalidInputError(
                "dividends must be in order of time, one for each date", field="dividends"
            )
        if self.barrier is not None and self.barrier.is_in and self.exercise != "european":
            raise UnsupportedError(
                f"{self.barrier.kind} options are priced with European exercise only; choose an "
                "out barrier or exercise european"
            )

    @property
    def is_plain(self) -> bool:
        """Whether the options are European without barrier and cash dividends."""
        return self.exercise == "european" and self.barrier is None and not self.dividends

    @property
    def has_dividends(self) -> bool:
        """Whether the stock pays cash dividends."""
        return any(dividend.amount > 0.0 for dividend in self.dividends)

    @property
    def is_homogeneous(self) -> bool:
        """Whether prices are homogeneous in spot and strike: no barrier, no cash dividends."""
        return self.barrier is None and not self.has_dividends

    def check(self, model: Model, contracts: Contracts, spot: float) -> None:
        """Raise an error if the terms contradict the spot, the contracts or the model."""
        require_stationary_increments(model)
        if not 0.0 < spot < np.inf:
            raise InvalidInputError("spot must be finite and positive", field="spot")
        longest = float(contracts.maturity_years.max())
        if self.exercise_dates and self.exercise_dates[0] > longest:
            raise InvalidInputError(
                f"exercise date {self.exercise_dates[0]:g} is after the last maturity {longest:g}",
                field="exercise_dates",
            )
        if self.barrier is not None:
            self.barrier.check_spot(spot)
            if self.barrier.dates and self.barrier.dates[0] > longest:
                raise InvalidInputError(
                    f"monitoring date {self.barrier.dates[0]:g} of the barrier is after the last "
                    f"maturity {longest:g}",
                    field="barrier",
                )
        total = sum(d.amount for d in self.dividends if d.years < longest)
        if total >= spot:
            raise InvalidInputError(
                f"dividends of {total:g} until the last maturity are not below the spot {spot:g}; "
                "state them in the currency of the spot",
                field="dividends",
            )


def require_stationary_increments(model: Model) -> LevyModel:
    """Return the model, or raise `UnsupportedError` if its increments are not stationary."""
    if isinstance(model, LevyModel) and not model.is_batch:
        return model
    if model.is_batch:
        raise InvalidInputError(
            "early exercise and barriers support a single parameter set; select one from the batch"
        )
    raise UnsupportedError(
        f"early exercise and barriers require a model with stationary increments, and {model.name} "
        "has none: its law at one maturity does not determine the law between dates; choose a Lévy "
        "model such as CGMY, VarianceGamma, NIG, Kou or Merton"
    )


def _check_dates(name: str, dates: tuple[float, ...], field: str) -> None:
    if not all(0.0 < date < np.inf for date in dates):
        raise InvalidInputError(f"{name} must be finite and positive", field=field)
    if any(later <= earlier for earlier, later in pairwise(dates)):
        raise InvalidInputError(
            f"{name} must increase; sort them and remove repetitions", field=field
        )
