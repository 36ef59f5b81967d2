"""The web page, as people use it in Chromium."""

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from levy_surfaces.sample import SAMPLE_PARAMETERS
from tests.system.page.conftest import fit_example, rows_of, screenshot, violations

pytestmark = pytest.mark.system

Visit = Callable[..., Page]


def number(text: str) -> float:
    return float(text.replace("−", "-").removesuffix("%"))


def test_pasted_quotes_are_recognised_and_fitted(visit: Visit, chain: str) -> None:
    page = visit()
    screenshot(page, "start")
    assert violations(page) == []
    page.get_by_label("Table of quotes").fill(chain)
    page.get_by_role("button", name="Read quotes").click()
    expect(page.get_by_role("heading", name="Recognised: XYZ, 2026-03-16")).to_be_visible()
    expect(page.locator("#quotes-status")).to_have_text("297 of 615 quotes can be used.")
    assert len(rows_of(page, "Expiries and forwards")) == 6
    page.get_by_text("Cleaning report: 318 quotes not used").click()
    assert {row[0] for row in rows_of(page, "Quotes not used, by reason")} == {
        "in the money",
        "zero bid",
    }
    screenshot(page, "recognised")
    assert violations(page) == []

    page.get_by_role("button", name="Fit", exact=True).click()
    expect(page.locator("#fitted")).to_be_focused()
    expect(page.locator("#smiles figure svg")).to_have_count(6)
    parameters = {row[0].split()[-1]: row for row in rows_of(page, "Parameters")}
    for name, truth in SAMPLE_PARAMETERS.items():
        low, high = map(number, parameters[name][2].split(" to "))
        assert low < number(parameters[name][1]) < high
        assert number(parameters[name][1]) == pytest.approx(truth, rel=0.01)
    page.locator("#smiles figure").first.get_by_text("Table").click()
    errors = [number(row[-1]) for row in rows_of(page, "2026-04-17") if row[-1] != "–"]
    assert len(errors) == 38
    assert max(map(abs, errors)) < 2.0
    screenshot(page, "fitted")
    assert violations(page) == []
