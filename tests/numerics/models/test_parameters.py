"""Invalid parameters are rejected with a clear message; declared meanings are true."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.errors import InvalidParameterError, UnknownModelError
from levy_numerics.models import LevyModel, Model
from levy_numerics.models.registry import register
from levy_numerics.parameters import Parameter
from tests.numerics.models.members import LEVY_MODELS, MODELS, every_model, typical_members
from tests.reference.textbook import textbooks

EVERY_PARAMETER = [(cls, p) for cls in MODELS for p in cls.parameters()]
every_parameter = pytest.mark.parametrize(
    ("cls", "p"), EVERY_PARAMETER, ids=[f"{cls.name}.{p.name}" for cls, p in EVERY_PARAMETER]
)
# A composition repeats the parameters of its base, whose effects concern the base.
OF_BASES = {(p.name, p.meaning) for base in LEVY_MODELS for p in base.parameters()}
OWN_PARAMETERS = [
    (cls, p)
    for cls, p in EVERY_PARAMETER
    if issubclass(cls, LevyModel) or (p.name, p.meaning) not in OF_BASES
]
BY_DOMAIN = {p.domain: (cls, p) for cls, p in reversed(EVERY_PARAMETER)}
"""One parameter of each kind: those of one domain are checked by the same code."""
NOT_NUMBERS = [np.nan, np.inf, -np.inf, True, False, "0.2", "", None, [], {}, 1j, b"1", [True]]


@every_model
def test_the_example_is_admissible_and_survives_its_mapping(cls: type[Model]) -> None:
    example = cls.example()
    assert models.from_mapping(cls.name, example.as_mapping()) == example


@pytest.mark.parametrize(
    ("cls", "p"), BY_DOMAIN.values(), ids=[domain.condition("x") for domain in BY_DOMAIN]
)
def test_a_value_that_is_not_a_finite_number_is_rejected(cls: type[Model], p: Parameter) -> None:
    for bad in NOT_NUMBERS:
        with pytest.raises(InvalidParameterError) as refusal:
            cls.from_mapping({**cls.example().as_mapping(), p.name: bad})
        assert refusal.value.code == "invalid-parameter"
        assert refusal.value.details["parameter"] == p.name
        assert p.domain.condition(p.name) in refusal.value.message


@every_model
def test_the_ends_of_each_domain_are_rejected_unless_included(cls: type[Model]) -> None:
    for p in cls.parameters():
        low, high = p.domain.low, p.domain.high
        outside = [low - 1.0, high, high + 1.0] + ([] if p.domain.includes_low else [low])
        for value in outside:
            with pytest.raises(InvalidParameterError, match=p.name):
                cls.from_mapping({**cls.example().as_mapping(), p.name: value})


@every_parameter
def test_the_default_and_the_typical_range_lie_in_the_domain(
    cls: type[Model], p: Parameter
) -> None:
    low, high = p.typical_range
    assert low <= p.default <= high
    assert p.domain.contains([low, p.default, high])


@every_model
def test_a_missing_or_unknown_parameter_is_named(cls: type[Model]) -> None:
    known = cls.example().as_mapping()
    with pytest.raises(InvalidParameterError, match="zeta"):
        cls.from_mapping({**known, "zeta": 1.0})
    for name in known:
        with pytest.raises(InvalidParameterError, match=name):
            cls.from_mapping({k: v for k, v in known.items() if k != name})


@every_model
def test_one_invalid_member_invalidates_a_batch(cls: type[Model]) -> None:
    known = {name: np.full(3, value) for name, value in cls.example().as_mapping().items()}
    cls.from_mapping(known)
    for name, values in known.items():
        with pytest.raises(InvalidParameterError, match=name):
            cls.from_mapping({**known, name: np.array([values[0], np.nan, values[0]])})


@pytest.mark.parametrize(
    "name", sorted(name for name, book in textbooks().items() if "without_forward" in book.content)
)
def test_a_model_without_a_forward_is_rejected_with_the_reason(name: str) -> None:
    with pytest.raises(InvalidParameterError, match=r" > 1|E\[S_T\] is finite"):
        models.from_mapping(name, textbooks()[name].content["without_forward"]["parameters"])


def test_an_infinite_expected_growth_is_rejected_for_merton_too() -> None:
    with pytest.raises(InvalidParameterError, match="finite"):
        models.from_mapping("Merton", {"sigma": 0.2, "lam": 1.0, "mu_j": 0.0, "sigma_j": 40.0})


def test_an_asymmetry_beyond_alpha_is_rejected_for_nig() -> None:
    with pytest.raises(InvalidParameterError, match="beta"):
        models.from_mapping("NIG", {"alpha": 5.0, "beta": -5.0, "delta": 0.3})


def test_the_error_for_an_unknown_model_lists_all_models() -> None:
    with pytest.raises(UnknownModelError, match="VarianceGamma") as refusal:
        models.from_mapping("Heston", {})
    assert refusal.value.code == "unknown-model"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("VG", "VarianceGamma"),
        ("vg", "VarianceGamma"),
        ("variance gamma", "VarianceGamma"),
        ("Variance-Gamma", "VarianceGamma"),
        ("BS", "BlackScholes"),
        ("black_scholes", "BlackScholes"),
        ("bg", "BilateralGamma"),
        ("cgmy", "CGMY"),
        ("nigsato", "NIGSato"),
        ("VG-CIR", "VarianceGammaCIR"),
    ],
)
def test_a_model_is_found_by_its_aliases_in_any_letter_case(label: str, name: str) -> None:
    assert models.get(label) is getattr(models, name)


def test_every_model_is_found_by_each_of_its_names() -> None:
    for name in models.names():
        model = models.get(name)
        assert all(models.get(label.lower()) is model for label in (name, *model.aliases))


@pytest.mark.parametrize(
    ("label", "suggestion"),
    [("VarianceGama", "VarianceGamma"), ("Meixnersato2", "MeixnerSato"), ("cgmi", "CGMY")],
)
def test_a_misspelt_model_is_suggested(label: str, suggestion: str) -> None:
    with pytest.raises(UnknownModelError, match=f"did you mean {suggestion}[?]"):
        models.get(label)


@pytest.mark.parametrize("label", ["Heston", "", "SABR"])
def test_no_model_is_suggested_for_an_unrelated_name(label: str) -> None:
    with pytest.raises(UnknownModelError, match=f"^unknown model '{label}'; choose one of"):
        models.get(label)


def test_two_models_cannot_have_one_name() -> None:
    other = type("Other", (models.NIG,), {"name": "Other", "aliases": ("vg",)})
    with pytest.raises(ValueError, match="'vg' is a name of VarianceGamma and of Other"):
        register(other)


def variance(model: Model) -> float:
    return float(model.cumulants(1.0)[1])


def third(model: Model) -> float:
    return float(model.cumulants(1.0)[2])


def excess_kurtosis(model: Model) -> float:
    _, k2, _, k4 = model.cumulants(1.0)
    return float(k4 / k2**2)


def lasting_kurtosis(model: Model) -> float:
    """Return the ratio of two years to a month."""
    (_, k2, _, k4), (_, s2, _, s4) = model.cumulants(2.0), model.cumulants(1 / 12)
    return float(k4 / k2**2 / (s4 / s2**2))


def left_tail(model: Model) -> float:
    """Return the log of the fraction of large downward jumps."""
    near, far = model.density(np.array([-0.5, -1.5]))  # type: ignore[attr-defined]
    return float(np.log(far / near))


def rises(quantity: Callable[[Model], float], sign: float) -> Callable[[Model, str], bool]:
    """Return whether an increase of the parameter moves the quantity in the direction of `sign`."""

    def holds(model: Model, name: str) -> bool:
        value = getattr(model, name)
        raised = type(model)(**{**model.as_mapping(), name: value + 1e-3 * abs(value)})
        return sign * (quantity(raised) - quantity(model)) > 0

    return holds


def skews_with_its_sign(model: Model, name: str) -> bool:
    value = getattr(model, name)
    mirrored = type(model)(**{**model.as_mapping(), name: -value})
    return bool(np.sign(third(model)) == np.sign(value) == -np.sign(third(mirrored)))


def scales_every_cumulant(model: Model, name: str) -> bool:
    doubled = type(model)(**{**model.as_mapping(), name: 2.0 * getattr(model, name)})
    ratios = np.divide(doubled.cumulants(1.0), model.cumulants(1.0))
    return bool(np.allclose(ratios, 2.0, rtol=1e-12))


CLAIMS: dict[str, Callable[[Model, str], bool]] = {
    "larger is heavier-tailed": rises(excess_kurtosis, 1.0),
    "smaller is heavier-tailed": rises(excess_kurtosis, -1.0),
    "larger is more volatile": rises(variance, 1.0),
    "larger skews to the right": rises(third, 1.0),
    "larger skews to the left": rises(third, -1.0),
    "smaller skews to the left": rises(third, 1.0),
    "smaller is a heavier left tail": rises(left_tail, -1.0),
    "negative skews to the left": skews_with_its_sign,
    "all cumulants scale linearly with": scales_every_cumulant,
    "larger values keep the smile at long maturities": rises(lasting_kurtosis, 1.0),
}
DIRECTION = re.compile("larger|smaller|negative|positive|linearly|heavier|thinner|skew")


@pytest.mark.parametrize(
    ("cls", "p"), OWN_PARAMETERS, ids=[f"{cls.name}.{p.name}" for cls, p in OWN_PARAMETERS]
)
def test_the_effect_that_a_meaning_describes_holds(cls: type[Model], p: Parameter) -> None:
    claimed = [claim for claim in CLAIMS if claim in p.meaning]
    assert bool(DIRECTION.search(p.meaning)) == bool(claimed), "a claim without a test"
    # The drift of the base is arbitrary; a clock makes it random.
    count = 20 if issubclass(cls, LevyModel) else 0
    for model in typical_members(cls, count, f"claims {p.name}"):
        for claim in claimed:
            assert CLAIMS[claim](model, p.name), (claim, model)
