"""Characteristic functions: general properties, and agreement with the literature."""

from typing import Any

import mpmath as mp
import numpy as np
import pytest

from levy_numerics import models
from levy_numerics.models import LevyModel, Model
from tests.numerics.models.members import (
    every_levy_model,
    every_model,
    frequencies,
    horizons,
    typical_members,
    values,
)
from tests.reference.textbook import Textbook, textbooks

MATURITIES = np.array([1 / 365, 0.5, 5.0])
DIGITS = 60


def book_of(cls: type[Model]) -> Textbook:
    return textbooks()[cls.name]


@every_levy_model
def test_every_model_has_a_page_in_the_textbook(cls: type[Model]) -> None:
    assert cls.name in textbooks()


@every_model
def test_the_characteristic_function_is_one_at_zero(cls: type[Model]) -> None:
    for model in typical_members(cls, 20, "zero"):
        assert np.all(model.log_cf(np.asarray(0j), MATURITIES) == 0)


@every_model
def test_the_characteristic_function_is_hermitian(cls: type[Model]) -> None:
    for model in typical_members(cls, 20, "hermitian"):
        u = frequencies(model, 50, "hermitian")
        for t in MATURITIES:
            mirrored = model.log_cf(-np.conj(u), t)
            np.testing.assert_allclose(mirrored, np.conj(model.log_cf(u, t)), rtol=1e-13)


@every_model
def test_the_characteristic_function_is_bounded_by_one_on_the_real_line(cls: type[Model]) -> None:
    u = np.concatenate([-np.geomspace(1e-9, 1e9, 100), np.geomspace(1e-9, 1e9, 100)])
    for model in typical_members(cls, 20, "bounded"):
        for t in MATURITIES:
            log_cf = model.log_cf(u + 0j, t)
            assert np.all(np.real(log_cf) <= 1e-15 * (1.0 + np.abs(log_cf)))


@every_model
def test_the_forward_is_a_martingale(cls: type[Model]) -> None:
    for model in typical_members(cls, 20, "martingale"):
        years = np.array(horizons(model))
        growth = model.log_cf(np.asarray(-1j), years)
        assert np.all(np.abs(np.imag(growth)) <= 1e-15 * (1.0 + np.abs(growth)))
        np.testing.assert_array_equal(model.drift_correction(years), -np.real(growth))


@every_model
def test_the_exponent_neither_overflows_nor_loses_digits_at_a_billion(cls: type[Model]) -> None:
    for model in typical_members(cls, 20, "billion"):
        u = 1e9 * np.exp(1j * np.array([-np.pi / 8, 0.0, np.pi / 8, np.pi, 7 * np.pi / 8]))
        with np.errstate(over="raise", invalid="raise"):
            log_cf = model.log_cf(u, 1.0)
            gradient = model.log_cf_gradient(u, 1.0)
        assert np.all(np.isfinite(log_cf))
        assert np.all(np.isfinite(gradient))
        assert np.all(np.real(log_cf) < 0)


@every_levy_model
def test_the_exponent_agrees_with_the_published_formula(cls: type[LevyModel]) -> None:
    with mp.workdps(DIGITS):
        for model in typical_members(cls, 12, "literature"):
            u = frequencies(model, 12, "literature")
            expected = textbook_exponents(book_of(cls), model, u)
            # |ψ| ≤ |u||κ₁| + |u|²κ₂ near 0: rounding is relative to the terms of the sum.
            scale = np.abs(expected) + 1e-3 * parts(model, u)
            assert np.max(np.abs(model.exponent(u) - expected) / scale) < 2e-12


@every_levy_model
def test_the_exponent_follows_its_branch_on_tilted_contours(cls: type[LevyModel]) -> None:
    angles = np.pi / 8 * np.array([-1.0, 0.5, 1.0])
    u = np.outer([1e-3, 0.7, 30.0, 4e3], np.exp(1j * angles)).ravel()
    u = np.concatenate([u, -np.conj(u)])
    with mp.workdps(DIGITS):
        for model in typical_members(cls, 8, "branch"):
            points = u[np.abs(u) * float(np.sqrt(model.cumulants(1.0)[1])) < 50.0]
            expected = textbook_exponents(book_of(cls), model, points)
            scale = np.abs(expected) + 1e-3 * parts(model, points)
            assert np.max(np.abs(model.exponent(points) - expected) / scale) < 2e-12


@every_levy_model
def test_the_exponent_keeps_its_digits_near_zero(cls: type[LevyModel]) -> None:
    """To second order, ψ(u) = iuκ₁ − u²κ₂/2, which is all that matters to a pricer near 0."""
    for model in typical_members(cls, 20, "near zero"):
        k1, k2, k3, k4 = (float(k) for k in model.annual_cumulants())
        u = 1e-8 * np.array([1.0, -1.0, 1j, 0.6 - 0.8j]) / np.sqrt(k4 / k2 + k2)
        expected = 1j * u * k1 - u**2 * k2 / 2 - 1j * u**3 * k3 / 6
        error = np.abs(model.exponent(u) - expected)
        assert np.all(error < 1e-14 + 1e-12 * np.abs(expected))


@every_levy_model
def test_the_gradient_is_the_derivative_of_the_published_formula(cls: type[LevyModel]) -> None:
    book = book_of(cls)
    with mp.workdps(DIGITS):
        for model in typical_members(cls, 6, "gradient"):
            u = frequencies(model, 6, "gradient", reach=300.0)
            actual = model.exponent_gradient(u)
            expected = np.array([textbook_gradient(book, model, each) for each in u]).T
            # Per relative change of the parameter, as least squares uses it.
            size = np.abs(values(model))[:, None]
            error = size * np.abs(actual - expected)
            np.testing.assert_array_less(error, 1e-11 * (0.01 + size * np.abs(expected)))


@every_model
def test_the_gradient_agrees_with_central_differences(cls: type[Model]) -> None:
    model = cls.example()
    u = frequencies(model, 20, "differences", reach=30.0)
    actual = model.log_cf_gradient(u, 0.5)
    for row, p in zip(actual, cls.parameters(), strict=True):
        value = getattr(model, p.name)
        h = 1e-4 * abs(value)
        up, down = (cls(**{**model.as_mapping(), p.name: value + s}) for s in (h, -h))
        difference = (up.log_cf(u, 0.5) - down.log_cf(u, 0.5)) / (2 * h)
        np.testing.assert_allclose(row, difference, rtol=1e-5, atol=1e-10)


def textbook_exponents(book: Textbook, model: Model, u: np.ndarray) -> np.ndarray:
    return np.array([complex(book.exponent(mp.mpc(each), model.as_mapping())) for each in u])


def textbook_gradient(book: Textbook, model: Model, u: complex) -> list[complex]:
    """Return central differences at 60 digits, accurate to 1e-29."""
    h = mp.mpf(10) ** -15
    rows = []
    for name, value in model.as_mapping().items():

        def at(shift: Any, name: str = name, value: float = value) -> Any:
            return book.exponent(mp.mpc(u), {**model.as_mapping(), name: mp.mpf(value) + shift})

        rows.append(complex((at(h) - at(-h)) / (2 * h)))
    return rows


def parts(model: LevyModel, u: np.ndarray) -> np.ndarray:
    k1, k2, _, _ = (float(k) for k in model.annual_cumulants())
    return np.minimum(np.abs(u * k1) + np.abs(u) ** 2 * k2, 1e-3)


@pytest.mark.parametrize("name", sorted(textbooks()))
def test_a_model_close_to_black_scholes_has_its_exponent(name: str) -> None:
    limit = textbooks()[name].content["near_black_scholes"]
    model = models.from_mapping(name, limit["parameters"])
    u = np.linspace(0.5, 10.0, 20) + 0.3j
    drift = float(model.drift_correction(1.0))
    sigma = limit["sigma"]
    expected = -0.5 * sigma**2 * (u**2 + 1j * u)
    np.testing.assert_allclose(
        model.log_cf(u, 1.0) + 1j * u * drift, expected, rtol=limit["within"]
    )
