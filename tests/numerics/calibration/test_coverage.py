"""The coverage benchmark: its page states what was counted."""

from tests.benchmarks.coverage import page


def test_the_page_shows_shares_and_the_number_of_surfaces() -> None:
    cell = {
        "surfaces": [50, 0],
        "robust/parameters": [141, 150],
        "laplace_iid/parameters": [90, 150],
        "robust/variance": [48, 50],
    }
    lines = list(page({"tick/NIG/vega": cell, "tick/NIG/price": cell}))
    (row,) = (line for line in lines if line.startswith("| tick"))
    assert [part.strip() for part in row.strip("|").split("|")] == [
        *("tick", "NIG", "94%", "94%", "94%", "60%", "96%", "50"),
    ]
