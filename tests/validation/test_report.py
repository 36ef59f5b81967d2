import json

import pytest

from levy_numerics.errors import InvalidInputError
from levy_validation import Analysis, Section, Setting, Table, all_analyses, get, validate
from levy_validation.principles import PRINCIPLES
from levy_validation.setting import Progress


def constant(setting: Setting, progress: Progress) -> Section:
    progress(1, 2)
    figures = {"answer": 42, "none": float("nan")}
    return Section(figures, ("A finding.",), (Table.of("T", ("a", "b"), [(1, 2.5)]),))


def refused(setting: Setting, progress: Progress) -> Section:
    raise InvalidInputError("too few quotes")


def planned(name: str, run: object) -> Analysis:
    return Analysis(name, "Title", "Question?", "limitations", run)  # type: ignore[arg-type]


def test_every_analysis_has_a_question_and_a_principle() -> None:
    names = [analysis.name for analysis in all_analyses()]
    assert len(names) == len(set(names)) == 8
    for analysis in all_analyses():
        assert analysis.question.endswith("?")
        assert analysis.principle in PRINCIPLES
        assert get(analysis.name) is analysis


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"did you mean coverage\?"):
        get("covrage")
    with pytest.raises(InvalidInputError, match="available: out_of_sample, "):
        get("xyz")


def test_an_analysis_that_cannot_be_made_leaves_the_others(setting: Setting) -> None:
    steps: list[tuple[int, int, str]] = []
    report = validate(
        setting,
        [planned("first", refused), planned("second", constant)],
        lambda *step: steps.append(step),
    )
    assert [c.reason for c in report.completed] == ["too few quotes", ""]
    assert report.section("second").figures["answer"] == 42
    assert (1, 2, "second 1/2") in steps
    assert steps[-1] == (2, 2, "")


def test_the_document_is_json_without_numbers_that_are_not_finite(setting: Setting) -> None:
    document = validate(setting, [planned("only", constant)]).as_document()
    text = json.dumps(document, allow_nan=False)
    (only,) = json.loads(text)["analyses"]
    assert only["figures"] == {"answer": 42, "none": None}
    assert only["tables"] == [{"title": "T", "rows": [{"a": 1, "b": 2.5}]}]
    assert document["surfaces"][0] == {
        "name": "day 0",
        "n_quotes": setting.surfaces[0].quotes.size,
    }
