"""`levy price`."""

import argparse
import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from levy_cli.output import console, print_json, refuse_unwritable, show_warnings, table
from levy_numerics.errors import InvalidInputError
from levy_pricing.handlers.price import price
from levy_schemas.pricing import BarrierTerms, CashDividend, PriceRequest, PriceResult
from levy_service import strict_json
from levy_surfaces.printable import printable

_OPTIONS: Final = {
    "model_type": "--model",
    "parameters": "--params",
    "spot_price": "--spot",
    "risk_free_rate": "--rate",
    "dividend_yield": "--dividend",
    "strikes": "--strikes",
    "maturities": "--maturities",
    "option_type": "--type",
    "method": "--method",
    "exercise": "--exercise",
    "exercise_dates": "--exercise-dates",
    "barrier": "--barrier",
    "level": "--barrier",
    "dates": "--barrier-dates",
    "dividends": "--cash-dividends",
}


def run(options: argparse.Namespace) -> int:
    """Price the options; print the result."""
    refuse_unwritable(options.plot)
    request = _request(options)
    if options.plot and (request.exercise == "european" or request.barrier is not None):
        raise InvalidInputError(
            "--plot shows early exercise; give --exercise american or bermudan without --barrier"
        )
    result = price(request)
    if options.plot:
        from levy_cli.reports.early_exercise import write_price_report

        # The boundary comes with Greeks.
        write_price_report(
            request, price(request.model_copy(update={"greeks": True})), options.plot
        )
    if options.json:
        print_json(result)
    else:
        _show(request, result)
        if options.plot:
            console().print(f"Report written to {printable(options.plot)}")
    return 0


def _request(options: argparse.Namespace) -> PriceRequest:
    if options.barrier is None and options.barrier_dates is not None:
        raise InvalidInputError("--barrier-dates require --barrier")
    try:
        return PriceRequest(
            model_type=options.model,
            parameters=_parameters(options.params),
            spot_price=options.spot,
            risk_free_rate=options.rate,
            dividend_yield=options.dividend,
            strikes=tuple(options.strikes),
            maturities=tuple(options.maturities),
            option_type=options.type,
            exercise=options.exercise,
            exercise_dates=_dates(options.exercise_dates),
            barrier=_barrier(options),
            dividends=tuple(
                CashDividend(years=years, amount=amount)
                for years, amount in options.cash_dividends or ()
            ),
            method=options.method,
            greeks=options.greeks,
        )
    except ValidationError as error:
        raise InvalidInputError("; ".join(_messages(error))) from None


def _barrier(options: argparse.Namespace) -> BarrierTerms | None:
    if options.barrier is None:
        return None
    kind, level = options.barrier
    return BarrierTerms(kind=kind, level=level, dates=tuple(options.barrier_dates or ()))


def _dates(dates: list[float] | None) -> tuple[float, ...] | None:
    return None if dates is None else tuple(dates)


def _parameters(text: str) -> dict[str, Any]:
    try:
        parameters = strict_json.loads(text)
    except strict_json.RepeatedKeyError as error:
        raise InvalidInputError(f"--params: {error.msg}; give it once") from None
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"--params is not valid JSON: {error}") from None
    if not isinstance(parameters, dict):
        raise InvalidInputError('--params is not a JSON object such as {"sigma": 0.2}')
    return parameters


def _messages(error: ValidationError) -> Iterator[str]:
    for item in error.errors():
        if (
            item["type"] == "too_short"
        ):  # its entries are invalid; the command line has at least one
            continue
        first, *rest = item["loc"] or ("",)
        option = " ".join([_OPTIONS.get(str(first), str(first)), *(str(step) for step in rest)])
        yield f"{option}: {item['msg']}".removeprefix(": ")


def _show(request: PriceRequest, result: PriceResult) -> None:
    out = console()
    premiums = result.early_exercise_premiums
    listing = table(
        right=[
            "maturity",
            "strike",
            "price",
            *([] if premiums is None else ["premium"]),
            "implied vol",
            *_greek_names(result),
        ],
        title=f"{result.model_type} {_terms(request)}{request.option_type}s by {result.method}",
    )
    for i, maturity in enumerate(request.maturities):
        for j, strike in enumerate(request.strikes):
            vol = result.implied_vols[i][j]
            listing.add_row(
                f"{maturity:g}",
                f"{strike:g}",
                f"{result.prices[i][j]:.8g}",
                *([] if premiums is None else [_number(premiums[i][j], ".6g")]),
                _number(vol, ".4%"),
                *_greek_cells(result, i, j),
            )
        listing.add_section()
    out.print(listing)
    show_warnings(out, result.warnings)


def _terms(request: PriceRequest) -> str:
    """Return the terms that are not those of plain European options."""
    exercise = "" if request.exercise == "european" else f"{request.exercise.capitalize()} "
    return exercise if request.barrier is None else f"{exercise}{request.barrier.kind} "


def _number(value: float | None, format_spec: str) -> str:
    return "–" if value is None else f"{value:{format_spec}}"


def _greek_names(result: PriceResult) -> list[str]:
    if result.greeks is None:
        return []
    return [
        "delta",
        "gamma",
        "vega",
        "theta",
        "rho",
        *(f"∂/∂{p}" for p in result.greeks.parameters),
    ]


def _greek_cells(result: PriceResult, i: int, j: int) -> list[str]:
    if result.greeks is None:
        return []
    g = result.greeks
    matrices = (g.delta, g.gamma, g.vega, g.theta, g.rho, *g.parameters.values())
    values = (matrix[i][j] for matrix in matrices)
    return [_number(value, ".6g") for value in values]
