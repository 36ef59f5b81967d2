"""JSON without repeated keys, whose meaning RFC 8259 leaves open."""

import json
from collections.abc import Sequence
from typing import Any

from levy_schemas.problems import pointer


class RepeatedKeyError(json.JSONDecodeError):
    """A key occurs twice in one object.

    Attributes
    ----------
    pointer : str
        JSON pointer (RFC 6901) to the member that occurs twice.
    """

    def __init__(self, *steps: str | int) -> None:
        super().__init__(f"the key {json.dumps(steps[-1])} occurs twice in one object", "", 0)
        self.pointer = pointer(*steps)


class _Object(dict[str, Any]):
    """A JSON object and the key that occurred twice in it, if there is one."""

    repeated: str | None = None

    @classmethod
    def of(cls, members: Sequence[tuple[str, Any]]) -> "_Object":
        result = cls(members)
        if len(result) < len(members):
            keys = [key for key, _ in members]
            result.repeated = next(key for k, key in enumerate(keys) if key in keys[:k])
        return result


def loads(text: str | bytes) -> Any:
    """Return the value of a JSON text without repeated keys.

    Raises
    ------
    RepeatedKeyError
        An object has a key twice.
    json.JSONDecodeError
        The text is not JSON, or too deeply nested.
    """
    try:
        value = json.loads(text, object_pairs_hook=_Object.of)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None
    except UnicodeDecodeError:
        raise json.JSONDecodeError("the text is not valid UTF-8", "", 0) from None
    _raise_if_repeated(value)
    return value


def _raise_if_repeated(value: Any) -> None:
    """Raise `RepeatedKeyError` for the first object of `value` that has a key twice."""
    remaining: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while remaining:
        steps, item = remaining.pop()
        if isinstance(item, _Object):
            if item.repeated is not None:
                raise RepeatedKeyError(*steps, item.repeated)
            remaining += [((*steps, key), entry) for key, entry in item.items()]
        elif isinstance(item, list):
            remaining += [((*steps, k), entry) for k, entry in enumerate(item)]
