"""Duplicate keys are rejected by name; other parsers silently keep the last value."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from levy_service import strict_json
from levy_service.body import _may_repeat_keys

REPEATED = [
    ('{"a": 1, "a": 2}', "/a"),
    ('{"a": 1, "b": {"c": [0, {"d": 1, "e": 2, "d": 1}]}}', "/b/c/1/d"),
    ('{"b": {"x": 1, "x": 2}, "b": {}}', "/b"),
    ('[{"/": 1, "/": 2}]', "/0/~1"),
    ('{"": 1, "": 2}', "/"),
    # The same key, written with escapes.
    ('{"a": 1, "\\u0061": 2}', "/a"),
    # Colons in strings, plain or escaped, must not replace the missing one.
    ('{"a": "\\u003a", "b": 1, "b": 2}', "/b"),
    ('{"a": "x:y\\u003A", "b:": ":", "b:": ":"}', "/b:"),
    ('{"a": "::", "a": ":"}', "/a"),
]


@pytest.mark.parametrize(("text", "pointer"), REPEATED)
def test_the_repeated_key_is_located_and_the_quick_check_never_misses_it(
    text: str, pointer: str
) -> None:
    with pytest.raises(strict_json.RepeatedKeyError) as raised:
        strict_json.loads(text)
    assert raised.value.pointer == pointer
    assert _may_repeat_keys(text.encode(), orjson.loads(text))


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=values, ascii_only=st.booleans())
def test_json_without_repeated_keys_is_accepted_and_unchanged(
    value: object, *, ascii_only: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert strict_json.loads(text) == json.loads(text)
    if not ascii_only:
        assert not _may_repeat_keys(text.encode(), orjson.loads(text))


@given(
    members=st.lists(st.tuples(st.sampled_from(["a", "b", ":", "", "é"]), values), max_size=4),
    ascii_only=st.booleans(),
)
def test_the_quick_check_finds_what_the_slow_one_finds(
    members: list[tuple[str, object]], *, ascii_only: bool
) -> None:
    text = ", ".join(
        f"{json.dumps(key, ensure_ascii=ascii_only)}: {json.dumps(value, ensure_ascii=ascii_only)}"
        for key, value in members
    ).join("{}")
    keys = [key for key, _ in members]
    if len(set(keys)) < len(keys):
        assert _may_repeat_keys(text.encode(), orjson.loads(text))
        with pytest.raises(strict_json.RepeatedKeyError):
            strict_json.loads(text)
    else:
        strict_json.loads(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "", b"\xff", '{"a": 1} x'])
def test_what_is_not_json_is_rejected_as_such(text: str | bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        strict_json.loads(text)
