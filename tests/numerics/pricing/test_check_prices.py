"""A reduced `make check-prices`, and the command itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.check_prices import __main__ as command
from tests.check_prices import comparison, domain
from tests.check_prices.comparison import Tally, check_case, check_cases
from tests.check_prices.domain import draw_case
from tests.check_prices.page import BEGIN, END, write_table
from tests.numerics.models.members import every_model

# Parameter sets per model, with 20 options each.
SETS = 10
SEED = 2024


@every_model
def test_no_reported_error_is_below_a_tenth_of_the_true_one(cls):
    tally = check_cases(cls.name, range(SETS), SEED)
    assert tally.options == 20 * SETS
    assert tally.priced > 0.5 * tally.options
    assert tally.undecided <= 0.1 * tally.options
    assert not tally.failed, json.dumps(tally.worst[:3], indent=1)


def test_a_model_without_a_draw_by_tails_is_drawn_from_its_search_box(monkeypatch):
    monkeypatch.delitem(domain._BY_TAILS, "NIG")
    drawn = [draw_case("NIG", index, SEED) for index in range(40)]
    boxed = [case.parameters for case in drawn if case.kind == "search box"]
    assert len(boxed) > 20
    assert np.ptp(np.log([p["delta"] for p in boxed])) > 5.0
    assert not check_case(next(case for case in drawn if case.kind == "search box")).failed


@pytest.mark.parametrize(
    ("miss", "stated", "violations", "silent"),
    [(0.0, 1e-12, 0, 0), (1e-6, 1e-12, 20, 0), (1e-6, 1e-6, 0, 0), (5e-9, 8e-10, 0, 20)],
)
def test_a_price_is_judged_by_its_stated_error(monkeypatch, miss, stated, violations, silent):
    case = draw_case("BlackScholes", 1, 5)
    right = comparison.referee_prices(case, second=False).value.astype(float)
    scale = case.forward * case.discount
    prices = comparison.pricing.Prices((right + miss) * scale, np.full(20, stated * scale))
    monkeypatch.setattr(comparison, "_engine_prices", lambda _: prices)
    tally = check_case(case)
    assert (tally.violations, tally.silent_only, tally.undecided) == (violations, silent, 0)
    assert tally.failed is (violations + silent > 0)


def test_any_exception_but_the_engines_own_is_a_failure(monkeypatch):
    def overflow(_: object) -> None:
        raise OverflowError("too large")

    monkeypatch.setattr(comparison, "_engine_prices", overflow)
    tally = check_case(draw_case("BlackScholes", 1, 5))
    assert tally.crashes == 1
    assert tally.failed


def test_the_table_is_written_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write_table(page, {"NIG": Tally(options=20, priced=20, violations=3)}, seed=7)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| NIG | 20 | 0 | 0.0e+00 | 0 | 0 | 3 | 0 |" in text


def test_the_command_writes_its_results(tmp_path: Path, monkeypatch) -> None:
    out = tmp_path / "out.json"
    options = ["--models", "BlackScholes", "--options", "40", "--workers", "1", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["check_prices", *options])
    status = command.main()
    actual = json.loads(out.read_text(encoding="utf-8"))["models"]["BlackScholes"]
    assert actual["options"] == 40
    assert status == int(actual["violations"] + actual["silent_only"] + actual["crashes"] > 0)
