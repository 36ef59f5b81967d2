"""The page that summarises validation reports."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.benchmarks.validation_reports import Summary, page


def document(**changes: Any) -> dict[str, Any]:
    analysis = {"title": "Coverage", "reason": None, "findings": ["Intervals are too narrow."]}
    content = {
        "model_type": "NIG",
        "network": "set-1 set-1",
        "suite": "quick",
        "surfaces": [{"name": "2026-03-16"}],
    }
    return content | {"analyses": [analysis, {"title": "Robustness", "reason": None}]} | changes


def test_the_page_states_each_finding_and_the_hash_of_the_document(tmp_path: Path) -> None:
    path = tmp_path / "validation.json"
    path.write_text(json.dumps(document()))
    text = page([Summary.read(path)])
    assert "## NIG\n" in text
    assert "- **Coverage.** Intervals are too narrow.\n" in text
    assert "quotes: 2026-03-16." in text
    assert hashlib.sha256(path.read_bytes()).hexdigest() in text
    assert max(map(len, text.splitlines())) <= 120


def test_an_analysis_that_was_not_made_is_listed_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "validation.json"
    failed = {"title": "Walking", "reason": "it needs eight days"}
    path.write_text(json.dumps(document(analyses=[failed], network=None)))
    text = page([Summary.read(path)])
    assert "No weakness was found.\n\nNot made:\n\n- **Walking.** it needs eight days\n" in text
    assert "Network `none`" in text
