"""Extreme parameters of every model: finite prices within their bounds, or a problem.

Each parameter of each model, and pairs of them, from the smallest positive double to 1e300 and to
either side of every bound; the marker `slow` holds all pairs and methods.
"""

import itertools
import math
from typing import Any, Final

import numpy as np
import pytest
from pydantic import ValidationError

from levy_numerics import models, pricing
from levy_numerics.errors import InvalidParameterError, LevyError
from levy_numerics.market import Contracts
from levy_numerics.models import Model
from levy_numerics.parameters import Parameter
from levy_pricing.handlers.price import price
from levy_schemas.pricing import PriceRequest, PriceResult
from levy_schemas.wire import MAX_PARAMETER

MAGNITUDES: Final = (
    *(5e-324, 1e-300, 1e-200, 1e-100, 1e-20, 1e-8, 1e-3, 0.3, 1.0, 30.0),
    *(1e6, 1e8, 1e20, 1e100, 1e300),
)
CONTRACTS: Final = Contracts.grid(
    spot=100.0,
    rate=0.03,
    dividend_yield=0.01,
    strikes=[50.0, 100.0, 200.0],
    maturities=[1 / 365, 1.0, 5.0],
)
Case = tuple[str, dict[str, float]]


def corners(p: Parameter) -> list[float]:
    """Return values around the ends of a domain and of double precision."""
    d = p.domain
    if math.isinf(d.low):
        values = [sign * size for sign in (-1.0, 1.0) for size in (0.0, *MAGNITUDES)]
    else:
        above = np.nextafter(d.low, math.inf)
        values = [d.low, above, *(d.low + size for size in MAGNITUDES)]
    if math.isfinite(d.high):
        values += [np.nextafter(d.high, 0.0), d.high - 1e-8]
    return [float(v) for v in dict.fromkeys(values) if d.contains(v)]


def singles(name: str) -> list[Case]:
    cls = models.get(name)
    example = cls.example().as_mapping()
    return [(name, example | {p.name: v}) for p in cls.parameters() for v in corners(p)]


def pairs(name: str) -> list[Case]:
    cls = models.get(name)
    example = cls.example().as_mapping()
    return [
        (name, example | {a.name: v, b.name: w})
        for a, b in itertools.combinations(cls.parameters(), 2)
        for v in corners(a)
        for w in corners(b)
    ]


def thinned(cases: list[Case], count: int) -> list[Case]:
    order = np.random.default_rng(len(cases)).permutation(len(cases))
    return [cases[k] for k in order[:count]]


def check_library(name: str, parameters: dict[str, float], method: str) -> None:
    """Price, or raise a LevyError; Python warnings are errors in tests."""
    try:
        model = models.from_mapping(name, parameters)
        found = pricing.price(model, CONTRACTS, method=method)
    except LevyError as error:
        check_names(error, parameters)
        return
    assert np.all(np.isfinite(found.error))
    assert np.all(found.value >= CONTRACTS.lower_bound - found.error - 1e-12)
    assert np.all(found.value <= CONTRACTS.upper_bound + found.error + 1e-12)


def check_names(error: LevyError, parameters: dict[str, float]) -> None:
    """Require that an invalid parameter is named with the violated condition."""
    if isinstance(error, InvalidParameterError):
        assert set(str(error.details["parameter"]).split(", ")) <= set(parameters)
        assert error.details["condition"]


def check_service(name: str, parameters: dict[str, float], method: str) -> None:
    """Responses contain numbers or null, or are problems; NaN would violate the schema."""
    body: dict[str, Any] = {
        "model_type": name,
        "parameters": parameters,
        "spot_price": 100.0,
        "risk_free_rate": 0.03,
        "strikes": (50.0, 100.0, 200.0),
        "maturities": (1 / 365, 5.0),
        "method": method,
        "greeks": True,
    }
    if max(map(abs, parameters.values())) > MAX_PARAMETER:
        with pytest.raises(ValidationError, match="parameters"):
            PriceRequest.model_validate(body)
        return
    try:
        result = price(PriceRequest.model_validate(body))
    except LevyError as error:
        check_names(error, parameters)
        return
    PriceResult.model_validate_json(result.model_dump_json())


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("method", pricing.methods())
def test_corners_of_the_domain_are_priced_or_rejected(name: str, method: str) -> None:
    for case in thinned(singles(name), 5) + thinned(pairs(name), 5):
        check_library(*case, method)


@pytest.mark.parametrize("name", models.names())
def test_corners_of_the_domain_return_prices_or_a_problem_from_the_service(name: str) -> None:
    for k, case in enumerate(thinned(singles(name), 8) + thinned(pairs(name), 8)):
        check_service(*case, pricing.methods()[k % 2])


@pytest.mark.slow
@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("method", pricing.methods())
def test_all_corners_of_the_domain_are_priced_or_rejected(name: str, method: str) -> None:
    for case in singles(name) + thinned(pairs(name), 1000):
        check_library(*case, method)


@pytest.mark.parametrize(
    ("name", "changed", "at_fault"),
    [
        ("VarianceGamma", {"sigma": 1e-200}, "sigma"),
        ("VarianceGamma", {"theta": -1e300}, "theta"),
        ("Merton", {"lam": 5e-324}, "lam"),
        ("CGMY", {"G": 1e-300}, "G"),
        ("Kou", {"eta2": 1e-300}, "eta2"),
        ("VarianceGammaCIR", {"lam_clock": 1e-200}, "lam_clock"),
    ],
)
def test_a_parameter_beyond_double_precision_is_named(
    name: str, changed: dict[str, float], at_fault: str
) -> None:
    with pytest.raises(InvalidParameterError, match="double precision") as raised:
        models.from_mapping(name, models.get(name).example().as_mapping() | changed)
    assert raised.value.details["parameter"] == at_fault


@pytest.mark.parametrize("method", pricing.methods())
@pytest.mark.parametrize("years", [0.5, 2.0])
def test_a_self_similarity_whose_scale_overflows_is_priced_or_named(
    method: str, years: float
) -> None:
    # T^γ with γ = 11,967 is 1e-3602 at half a year, where options are worth their intrinsic value,
    # and 1e3602 at two, where the forward is infinite.
    model = models.from_mapping(
        "VarianceGammaSato", {"sigma": 0.2, "nu": 0.3, "theta": -0.1, "gamma": 11_967.0}
    )
    contracts = Contracts.of(maturity_years=years, strike=[0.9, 1.1], forward=1.0)
    value, error = priced_or_error(model, contracts, method)
    if error is not None:
        assert error.code == "outside-strip" or error.details["parameter"] == "gamma"
    else:
        assert years == 0.5
        np.testing.assert_allclose(value, contracts.lower_bound, atol=1e-8)


def priced_or_error(
    model: Model, contracts: Contracts, method: str
) -> tuple[np.ndarray, LevyError | None]:
    try:
        return pricing.price(model, contracts, method=method).value, None
    except LevyError as error:
        return np.empty(0), error


@pytest.mark.parametrize("method", pricing.methods())
def test_zero_skewness_may_be_written_as_the_smallest_number(method: str) -> None:
    mapping = {"sigma": 0.2, "nu": 0.3, "theta": 5e-324}
    tiny = models.from_mapping("VarianceGamma", mapping)
    zero = models.from_mapping("VarianceGamma", mapping | {"theta": 0.0})
    found, same = (pricing.price(m, CONTRACTS, method=method).value for m in (tiny, zero))
    np.testing.assert_allclose(found, same, rtol=1e-13)
