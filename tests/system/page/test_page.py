"""The web page, as people use it in Chromium."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from levy_gateway.keys import digest_of
from levy_surfaces.sample import SAMPLE_PARAMETERS
from tests.processes import Service
from tests.system.page.conftest import fit_example, rows_of, screenshot, violations

pytestmark = pytest.mark.system

Visit = Callable[..., Page]


def number(text: str) -> float:
    return float(text.replace("−", "-").removesuffix("%"))


def fitted_values(page: Page) -> dict[str, float]:
    """Return the fitted parameters that the page shows, by name."""
    return {row[0].split()[-1]: number(row[1]) for row in rows_of(page, "Parameters")}


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
    reasons = {row[0] for row in rows_of(page, "Quotes not used, by reason")}
    assert reasons == {"in the money", "zero bid"}
    screenshot(page, "recognised")
    assert violations(page) == []

    page.get_by_role("button", name="Fit", exact=True).click()
    expect(page.locator("#fitted")).to_be_focused()
    expect(page.locator("#smiles figure svg")).to_have_count(6)
    for row in rows_of(page, "Parameters"):
        low, high = map(number, row[2].split(" to "))
        assert low < number(row[1]) < high
    assert fitted_values(page) == pytest.approx(SAMPLE_PARAMETERS, rel=0.01)
    page.locator("#smiles figure").first.get_by_text("Table").click()
    rows = rows_of(page, "2026-04-17")
    assert len(rows) == 38
    errors = [number(row[-1]) for row in rows if row[-1] != "–"]
    assert max(map(abs, errors)) < 2.0
    page.get_by_text("Prices and Greeks by strike and expiry").click()
    page.get_by_role("region", name="delta by expiry and strike over forward").wait_for()
    screenshot(page, "fitted")
    assert violations(page) == []


def test_the_density_is_one_and_that_of_black_scholes_is_normal(visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="use the example").click()
    page.locator("#model-type").select_option("BlackScholes")
    page.locator("#fit").click()
    figure = page.locator("figure", has_text="Implied density")
    figure.get_by_text("Table").click()
    rows = rows_of(page, "Implied density, 2026-04-17")
    x, density = np.array([[number(cell) for cell in row[:2]] for row in rows]).T
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=1e-3)
    variance = fitted_values(page)["sigma"] ** 2 * 32 / 365
    normal = np.exp(-((x + variance / 2) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
    # The table has three decimals of x.
    slope = normal.max() / np.sqrt(variance)
    assert density == pytest.approx(normal, abs=0.0005 * slope + 0.01)


def test_a_link_a_command_and_files_reproduce_the_fit(visit: Visit, tmp_path: Path) -> None:
    page = visit()
    fit_example(page)
    values = fitted_values(page)
    linked = visit(page.evaluate("location.hash"))
    expect(linked.locator("#smiles figure svg")).to_have_count(6)
    assert fitted_values(linked) == values

    commands = page.locator("#command").inner_text()
    for command in commands.replace("levy ", f"{sys.executable} -m levy_cli.main ").splitlines():
        done = subprocess.run(
            f"{command}{'' if ' sample ' in command else ' --json'}",
            shell=True,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    assert json.loads(done.stdout)["parameters"] == pytest.approx(values, rel=1e-4)

    saved = {}
    for name in ("Result (JSON)", "Fit of each quote (CSV)", "Cleaned quotes (CSV)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        saved[name] = Path(download.value.path()).read_text()
    assert json.loads(saved["Result (JSON)"])["result"]["parameters"] == pytest.approx(
        values, rel=1e-4
    )
    assert len(saved["Fit of each quote (CSV)"].splitlines()) == 298
    again = visit()
    again.get_by_label("Table of quotes").fill(saved["Cleaned quotes (CSV)"])
    again.get_by_role("button", name="Read quotes").click()
    expect(again.locator("#quotes-status")).to_have_text("297 of 297 quotes can be used.")

    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save 2026-04-17 as {kind}").click()
        assert Path(download.value.path()).read_bytes().startswith(start)


def test_a_notebook_of_the_fit_finds_the_same_parameters(visit: Visit) -> None:
    page = visit()
    fit_example(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Notebook").click()
    notebook = nbformat.reads(Path(download.value.path()).read_text(), as_version=4)
    nbformat.validate(notebook)
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and ".plot()" not in cell.source:
            exec(cell.source, names)
    assert names["result"].parameters == pytest.approx(names["of_page"], rel=1e-4)
    assert names["of_page"] == pytest.approx(fitted_values(page), rel=1e-4)


def test_the_band_of_black_scholes_is_the_interval_of_its_volatility(visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="use the example").click()
    page.locator("#model-type").select_option("BlackScholes")
    page.locator("#fit").click()
    page.get_by_role("img", name="Implied density").wait_for()
    (sigma,) = rows_of(page, "Parameters")
    half = np.subtract(*map(number, reversed(sigma[2].split(" to ")))) / 2
    page.locator("#smiles figure").first.get_by_text("Table").click()
    # Far from the forward, prices of Black-Scholes do not determine a volatility.
    bands = [row[6] for row in rows_of(page, "2026-04-17") if row[6] != "–"]
    assert len(bands) > 20
    for band in bands:
        low, high = map(number, band.split(" to "))
        assert low == pytest.approx(100 * (number(sigma[1]) - half), abs=0.02)
        assert high == pytest.approx(100 * (number(sigma[1]) + half), abs=0.02)


def test_the_surface_has_the_volatilities_of_the_model(visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="use the example").click()
    page.locator("#model-type").select_option("BlackScholes")
    page.locator("#fit").click()
    page.get_by_text("Surface in three dimensions, and heat map").click()
    title = "BlackScholes: implied volatility surface"
    expect(page.get_by_role("img", name=title).locator("path.cell").nth(300)).to_be_visible()
    rows = rows_of(page, "BlackScholes: implied volatility by maturity and strike over forward")
    sigma = 100 * fitted_values(page)["sigma"]
    assert len(rows) == 16
    # Far from the forward, prices of Black-Scholes do not determine a volatility.
    vols = [number(cell) for row in rows for cell in row[1:] if cell != "–"]
    assert len(vols) > 100
    assert vols == pytest.approx([sigma] * len(vols), abs=0.051)
    before = page.locator(".surface").inner_html()
    page.get_by_role("slider", name="Turn").press("ArrowRight")
    assert page.locator(".surface").inner_html() != before
    screenshot(page, "surface")
    assert violations(page) == []


def test_a_problem_is_shown_at_the_field_that_mends_it(visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="Read quotes").click()
    expect(page.get_by_label("Table of quotes")).to_have_attribute("aria-invalid", "true")
    quoted = {95: (1.9, 7.6), 100: (3.7, 4.4), 105: (6.4, 2.2)}
    undated = "expiry,strike,option_type,bid,ask\n" + "".join(
        f"2026-06-19,{strike},{kind},{bid},{bid + 0.2}\n"
        for strike, bids in quoted.items()
        for kind, bid in zip("PC", bids, strict=True)
    )
    page.get_by_label("Table of quotes").fill(undated)
    page.get_by_role("button", name="Read quotes").click()
    date = page.get_by_label("Quote date")
    expect(date).to_be_focused()
    expect(date).to_have_attribute("aria-invalid", "true")
    screenshot(page, "problem")
    assert violations(page) == []
    date.fill("2026-03-16")
    date.press("Enter")
    expect(page.get_by_role("heading", name="Recognised: 2026-03-16")).to_be_visible()
    expect(page.locator("[aria-invalid]")).to_have_count(0)

    page.locator("#model-type").select_option("CGMYCIR")
    page.locator("#fit").click()
    expect(page.locator("#fit-problem")).to_contain_text("quotes")
    screenshot(page, "too-few-quotes")


def test_a_file_of_several_dates_offers_them(visit: Visit, chain: str, tmp_path: Path) -> None:
    header, *rows = chain.splitlines()
    later = [row.replace("2026-03-16", "2026-03-17") for row in rows]
    path = tmp_path / "two days.csv"
    path.write_text("\n".join([header, *rows, *later]))
    page = visit()
    page.get_by_label("choose one").set_input_files(path)
    expect(page.get_by_role("heading", name="Recognised: XYZ, 2026-03-17")).to_be_visible()
    page.locator("#choice-date").select_option("2026-03-16")
    expect(page.get_by_role("heading", name="Recognised: XYZ, 2026-03-16")).to_be_visible()
    page.get_by_role("button", name="Fit each date").click()
    expect(page.locator("#dates")).to_be_focused()
    fits = rows_of(page, "Parameters by date")
    assert [row[0] for row in fits] == ["2026-03-16", "2026-03-17"]
    first = list(SAMPLE_PARAMETERS.values())
    assert [number(cell) for cell in fits[0][1 : 1 + len(first)]] == pytest.approx(first, rel=0.01)
    screenshot(page, "dates")
    assert violations(page) == []


def test_models_are_compared_side_by_side(visit: Visit, chain: str) -> None:
    page = visit()
    header, *rows = chain.splitlines()
    short = [row for row in rows if ",2026-04-17," in row or ",2026-06-19," in row]
    page.get_by_label("Table of quotes").fill("\n".join([header, *short]))
    page.get_by_role("button", name="Read quotes").click()
    page.get_by_role("button", name="Compare models").click()
    expect(page.locator("#compared")).to_be_focused()
    ranked = [row[0] for row in rows_of(page, "Ranking of the models")]
    assert {"NIGSato", "VarianceGamma", "BlackScholes"} <= set(ranked)
    assert ranked[-1] == "BlackScholes"
    screenshot(page, "compared")
    assert violations(page) == []
    page.get_by_role("button", name="Fit NIG", exact=True).click()
    page.get_by_role("heading", name="NIG fitted").wait_for()


def test_a_job_is_followed_to_its_posterior(visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="use the example").click()
    page.get_by_role("button", name="Sample the posterior").click()
    expect(page.get_by_role("combobox", name="Engine")).to_have_value("laplace-psis")
    page.locator("#start-job").click()
    expect(page.get_by_role("list", name="Stages of the job")).to_be_visible()
    expect(page.locator("#job-progress")).to_contain_text(" ago")
    expect(page.locator("#job-status")).to_have_text("Job succeeded.", timeout=180_000)
    posterior = {row[0]: row for row in rows_of(page, "Posterior of the parameters")}
    for name, truth in SAMPLE_PARAMETERS.items():
        low, high = map(number, posterior[name][4].split(" to "))
        assert low < number(posterior[name][1]) < high
        assert number(posterior[name][1]) == pytest.approx(truth, rel=0.05)
    assert {row[0] for row in rows_of(page, "Correlations")} >= set(SAMPLE_PARAMETERS)
    expect(page.locator("#posterior-result figure svg")).to_have_count(len(posterior) + 1)
    bins = page.locator("#posterior-result figure", has_text="Posterior of alpha")
    bins.get_by_text("Table").click()
    assert sum(int(row[2]) for row in rows_of(page, "Posterior of alpha")) == 400
    with page.expect_download() as download:
        page.get_by_role("button", name="Draws (netCDF, for ArviZ)").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89HDF")
    screenshot(page, "posterior")
    assert violations(page) == []


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the quotes")).to_be_focused()
    page.keyboard.press("Enter")
    example = page.get_by_role("button", name="use the example")
    until_focused(page, example)
    page.keyboard.press("Enter")
    page.locator("#model-type").wait_for()
    until_focused(page, page.locator("#fit"))
    page.keyboard.press("Enter")
    expect(page.locator("#fitted")).to_be_focused()
    table = page.locator("#smiles figure").first.locator("summary")
    until_focused(page, table)
    page.keyboard.press("Enter")
    assert rows_of(page, "2026-04-17")


def until_focused(page: Page, locator: Any, most: int = 60) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if locator.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{most} presses of Tab do not reach {locator}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(visit: Visit, scheme: str) -> None:
    page = visit(viewport={"width": 420, "height": 860}, color_scheme=scheme)
    fit_example(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    screenshot(page, f"phone-{scheme}")
    assert violations(page) == []


@pytest.fixture(scope="module")
def guarded(running: Any) -> Iterator[Service]:
    """Return a gateway that requires a key, before the services of the running engine."""
    environment = Path(f"/proc/{running.children['gateway']}/environ").read_bytes().decode()
    addresses = dict(entry.split("=", 1) for entry in environment.split("\0") if "_URL=" in entry)
    settings = {
        name: addresses[f"LEVY_GATEWAY_{name}"] for name in ("PRICING_URL", "CALIBRATION_URL")
    }
    keys = json.dumps({"desk": digest_of("secret")})
    service = Service("gateway", settings=settings | {"API_KEYS": keys})
    yield service.wait_until_ready()
    service.kill()


def test_a_key_is_asked_for_where_it_is_required(visit: Visit, guarded: Service) -> None:
    page = visit(url=guarded.url)
    page.get_by_role("button", name="use the example").click()
    dialog = page.get_by_role("dialog", name="API key")
    for key in ("wrong", "secret"):
        dialog.get_by_label("Key").fill(key)
        assert violations(page) == []
        dialog.get_by_role("button", name="Use key").click()
    expect(page.get_by_role("heading", name="Recognised: XYZ, 2026-03-16")).to_be_visible()
    expect(dialog).to_be_hidden()
