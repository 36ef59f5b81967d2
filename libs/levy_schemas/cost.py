"""The expected cost of a request: its kind, and its size within the kind."""

from dataclasses import dataclass
from typing import Final, Literal

from levy_schemas.calibration import CalibrationBatch, CalibrationRequest
from levy_schemas.comparison import ComparisonRequest
from levy_schemas.pricing import PriceRequest
from levy_schemas.quotes import QuotesRequest
from levy_schemas.surface import SurfaceRequest

Lane = Literal["brief", "long"]
"""Brief requests take milliseconds, long ones up to seconds; they do not wait for each other."""

_CHARACTERS_OF_QUOTE: Final = 50
_MODELS_IF_ALL: Final = 18
"""Models of a comparison that names none."""
_FITS_IF_AMERICAN: Final = 6
"""Usual number of fits until early-exercise premiums repeat."""


@dataclass(frozen=True)
class Cost:
    """Expected cost of a request.

    Attributes
    ----------
    lane : {"brief", "long"}
    kind : str
        Requests of one kind take a time proportional to their size.
    size : int
        Number of prices of options that an evaluation takes, or of quotes to read.
    n_fits : int
        Number of fits, or one for a request to price: its weight in a rate limit.
    """

    lane: Lane
    kind: str
    size: int
    n_fits: int = 1


def cost_of(
    request: (
        PriceRequest | CalibrationRequest | CalibrationBatch | ComparisonRequest | QuotesRequest
    ),
) -> Cost:
    """Return the expected cost of a validated request."""
    if isinstance(request, QuotesRequest):
        size = len(request.text or request.data or "")
        return Cost("long", "quotes", size // _CHARACTERS_OF_QUOTE)
    if isinstance(request, PriceRequest):
        size = len(request.strikes) * len(request.maturities)
        barrier = "" if request.barrier is None else " barrier"
        terms = f"{request.exercise}{barrier} {request.method or 'default'}"
        kind = f"price {request.model_type.casefold()} {terms}"
        return Cost("brief", f"{kind} greeks" if request.greeks else kind, size)
    if isinstance(request, CalibrationBatch):
        costs = [_cost_of_fit(surface) for surface in request.surfaces]
        # Not by model: a list of unknown models succeeds, with problems, and kinds are remembered.
        options = sorted({_options(surface) for surface in request.surfaces})
        size = sum(cost.size for cost in costs)
        n_fits = sum(cost.n_fits for cost in costs)
        return Cost("long", f"list {', '.join(options)}", size, n_fits)
    if isinstance(request, ComparisonRequest):
        n_models = _MODELS_IF_ALL if request.models is None else len(request.models)
        n_fits = n_models * (3 if request.holdout else 1)
        return Cost("long", "compare", n_quotes(request) * n_fits, n_fits)
    return _cost_of_fit(request)


def n_quotes(request: SurfaceRequest) -> int:
    """Return the number of quotes of a surface."""
    if request.quotes is not None:
        return len(request.quotes)
    return sum(len(row) for row in request.prices or ())


def _cost_of_fit(request: CalibrationRequest) -> Cost:
    # A network's initial guess usually leaves only a few evaluations.
    has_guess = request.method != "least_squares" and not request.per_maturity
    # Several fits, and an early-exercise premium for each.
    american = request.has_american
    brief = has_guess and not american and request.uncertainty not in ("psis", "discrepancy")
    kind = f"calibrate {request.model_type.casefold()} {_options(request)}"
    n_fits = _FITS_IF_AMERICAN if american else 1
    return Cost("brief" if brief else "long", kind, n_quotes(request) * n_fits, n_fits)


def _options(request: CalibrationRequest) -> str:
    flags = [name for name in ("per_maturity", "explain") if getattr(request, name)]
    if request.has_american:
        flags.append("american")
    return " ".join((request.method, request.uncertainty, *flags))
