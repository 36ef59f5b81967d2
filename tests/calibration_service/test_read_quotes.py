"""`POST /quotes`: files of quotes are recognised, cleaned, and ready to be fitted."""

import base64
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from levy_schemas.quotes import MAX_UNPACKED_BYTES, QuotesRequest
from levy_schemas.wire import MAX_OPTIONS
from levy_surfaces.sample import SAMPLE_PARAMETERS, sample_chain

LAYOUTS = Path(__file__).parents[1] / "surfaces" / "layouts"


def read(client: TestClient, status: int = 200, **request: Any) -> dict[str, Any]:
    answer = client.post("/quotes", json=request)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.fixture(scope="module")
def chain() -> str:
    return sample_chain().to_csv(index=False)


@pytest.fixture(scope="module")
def example(client: TestClient) -> dict[str, Any]:
    return read(client, example="synthetic-index")


def surface_of(result: dict[str, Any]) -> dict[str, Any]:
    names = ("strike", "maturity", "option_type", "price", "bid", "ask")
    quotes = [{name: quote[name] for name in names} for quote in result["quotes"]]
    return {"quotes": quotes, "forwards": result["forwards"]}


def test_the_example_is_recognised_and_cleaned(example: dict[str, Any]) -> None:
    assert (example["underlying"], example["quote_date"]) == ("XYZ", "2026-03-16")
    assert (example["n_read"], example["n_kept"]) == (615, len(example["quotes"]))
    assert sum(example["dropped_counts"].values()) == 615 - example["n_kept"]
    assert {d["reason"] for d in example["dropped"]} == set(example["meanings"])
    assert len(example["expiries"]) == len(example["forwards"]) == 6
    columns = {column["name"]: column["source"] for column in example["columns"]}
    assert columns["bid"] == "bid"


def test_what_it_returns_is_fitted_to_the_parameters_of_the_example(
    client: TestClient, example: dict[str, Any]
) -> None:
    request = surface_of(example) | {"model_type": "NIGSato"}
    fit = client.post("/calibrate", json=request).json()
    assert fit["status"] == "converged"
    assert fit["dropped"] == []
    assert fit["parameters"]["gamma"] == pytest.approx(SAMPLE_PARAMETERS["gamma"], abs=0.02)


def test_volatilities_of_bid_price_and_ask_are_ordered(example: dict[str, Any]) -> None:
    names = ("bid_vol", "implied_vol", "ask_vol")
    vols = np.array([[q[name] or np.nan for name in names] for q in example["quotes"]])
    known = vols[~np.isnan(vols).any(axis=1)]
    assert len(known) > 250
    assert np.all(np.diff(known, axis=1) > 0)


@pytest.mark.parametrize("kind", ["text", "data", "gzip", "zip", "json", "excel"])
def test_every_kind_of_file_gives_the_same_quotes(
    client: TestClient, example: dict[str, Any], chain: str, kind: str
) -> None:
    packed, sheet = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("chain.csv", chain)
    sample_chain().to_excel(sheet, index=False)
    contents = {
        "data": chain.encode(),
        "gzip": gzip.compress(chain.encode()),
        "zip": packed.getvalue(),
        "json": sample_chain().to_json(orient="records").encode(),
        "excel": sheet.getvalue(),
    }
    request = {"text": chain} if kind == "text" else {"data": encoded(contents[kind])}
    assert read(client, **request)["quotes"] == example["quotes"]


@pytest.mark.parametrize("path", sorted(LAYOUTS.glob("*yahoo*")), ids=lambda path: path.name)
def test_layouts_of_vendors_are_recognised(client: TestClient, path: Path) -> None:
    result = read(client, text=path.read_text())
    assert "Yahoo" in result["format"]
    assert result["n_kept"] > 0


def test_settings_replace_what_the_file_lacks(client: TestClient, chain: str) -> None:
    frame = sample_chain().drop(columns=["quote_date"])
    problem = read(client, 422, text=frame.to_csv(index=False))
    assert problem["code"] == "invalid-input"
    dated = read(client, text=frame.to_csv(index=False), date="2026-03-16")
    assert dated["n_read"] == 615
    shorter = read(client, text=chain, max_maturity=0.3, max_moneyness=1.05)
    assert all(q["maturity"] <= 0.3 for q in shorter["quotes"])
    assert set(shorter["dropped_counts"]) >= {
        "outside_maturity_window",
        "outside_moneyness_window",
    }


def test_several_dates_are_a_problem_that_lists_them(client: TestClient) -> None:
    frame = sample_chain()
    text = pd.concat([frame, frame.assign(quote_date="2026-03-17")]).to_csv(index=False)
    problem = read(client, 422, text=text)
    assert problem["values"] == ["2026-03-16", "2026-03-17"]
    assert [error["pointer"] for error in problem["errors"]] == ["/date"]
    assert read(client, text=text, date="2026-03-17")["quote_date"] == "2026-03-17"


@pytest.mark.parametrize(
    ("request_", "pointer"),
    [
        ({"text": "nothing of the kind"}, "/text"),
        ({"text": "a,b\n1,2\n"}, "/text"),
        ({"data": "?"}, "/data"),
        ({"data": encoded(b"PAR1....")}, "/data"),
        ({"data": encoded(gzip.compress(b"strike")[:12])}, "/data"),
        ({"data": encoded(b"PK\x03\x04")}, "/data"),
        ({"example": "synthetic-index", "columns": {"nothing": "x"}}, "/columns"),
        ({"example": "synthetic-index", "exercise": "american"}, "/exercise"),
        ({"example": "synthetic-index", "rate": 2.5}, "/rate"),
        ({"example": "synthetic-index", "date": "yesterday"}, "/date"),
        ({"example": "synthetic-index", "expiry_time": "noon"}, "/expiry_time"),
        ({"example": "synthetic-index", "scale": {"strike": -1.0}}, "/scale"),
        ({"example": "synthetic-index", "spot": -1.0}, "/spot"),
        ({"text": "expiry,strike,option_type,mid\n2026-06-19,95,P,1.9\n"}, "/date"),
        ({"example": "synthetic-index", "text": "x"}, "/example"),
        ({"text": "x", "spot": "12"}, "/spot"),
    ],
)
def test_problems_are_located_at_the_field_to_change(
    client: TestClient, request_: dict[str, Any], pointer: str
) -> None:
    problem = read(client, 422, **request_)
    assert problem["code"] == "invalid-input"
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert "--" not in problem["detail"]


@pytest.mark.parametrize("kind", ["gzip", "members", "zip"])
def test_files_that_grow_too_large_are_refused(client: TestClient, kind: str) -> None:
    zeros = b"0" * (MAX_UNPACKED_BYTES + 1)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chain.csv", zeros)
    contents = {
        "gzip": gzip.compress(zeros),
        "members": gzip.compress(zeros[: len(zeros) // 2 + 1]) * 2,
        "zip": packed.getvalue(),
    }
    problem = read(client, 422, data=encoded(contents[kind]))
    assert "after decompression" in problem["detail"]


def test_of_too_many_quotes_each_expiry_keeps_its_share(client: TestClient) -> None:
    frame = sample_chain()
    strikes = np.linspace(frame.strike.min(), frame.strike.max(), 700)
    rows = [
        frame.iloc[:1].assign(expiry=expiry, strike=np.round(k, 2), option_type="C", forward=2943.0)
        for expiry in ("2026-06-19", "2026-12-18")
        for k in strikes
    ]
    many = pd.concat(rows)
    years = np.where(many.expiry == "2026-06-19", 0.26, 0.76)
    intrinsic = np.maximum(2943.0 - many.strike, 0.0)
    value = np.sqrt(intrinsic**2 / 4 + (0.08 * 2943.0) ** 2 * years) + intrinsic / 2
    many = many.assign(bid=value - 0.5, ask=value + 0.5, rate=0.0, dividend_yield=0.0)
    result = read(
        client, data=encoded(gzip.compress(many.to_csv(index=False).encode())), forwards="given"
    )
    assert result["n_kept"] > MAX_OPTIONS >= len(result["quotes"]) > 0.99 * MAX_OPTIONS
    assert any("evenly over the strikes" in warning for warning in result["warnings"])
    by_expiry = [e["n_quotes"] for e in result["expiries"]]
    counts = [
        sum(q["maturity"] == e["maturity"] for q in result["quotes"]) for e in result["expiries"]
    ]
    shares = np.array(counts) / np.array(by_expiry)
    assert np.ptp(shares) < 0.01


def test_examples_of_the_schema_are_read(client: TestClient) -> None:
    for request in QuotesRequest.model_config["json_schema_extra"]["examples"]:  # type: ignore[index,call-overload,union-attr]
        assert read(client, **request)["n_kept"] > 0


def test_two_roots_of_one_time_keep_their_forwards(client: TestClient) -> None:
    rows = ["quote_date,expiry,strike,option_type,root,bid,ask,mid"]
    for root, shift in (("SPX", 0.0), ("SPXW", 1.0)):
        for strike in range(80, 125, 5):
            for kind, sign in (("C", 1), ("P", -1)):
                forward = 100.0 + shift
                mid = 5.0 * np.exp(-(((strike - forward) / 15.0) ** 2)) + max(
                    sign * (forward - strike), 0.0
                )
                rows.append(
                    f"2026-03-16,2026-06-19,{strike},{kind},{root},{mid - 0.1:.4f},{mid + 0.1:.4f},"
                )
    result = read(client, text="\n".join(rows))
    years = [forward["maturity"] for forward in result["forwards"]]
    assert len(set(years)) == len(years) == 2
    assert {q["maturity"] for q in result["quotes"]} == set(years)
    assert any("another root" in warning for warning in result["warnings"])


def test_the_response_is_json_without_nan(example: dict[str, Any]) -> None:
    json.dumps(example, allow_nan=False)
