"""The models the engine knows, by the name they have on the wire."""

from collections.abc import Mapping
from typing import Any, TypeVar

from levy_numerics.errors import UnknownModelError
from levy_numerics.models.base import Model

_M = TypeVar("_M", bound=type[Model])
_REGISTERED: dict[str, type[Model]] = {}


def register(cls: _M) -> _M:
    """Class decorator that makes a model known under its `name`."""
    _REGISTERED[cls.name] = cls
    return cls


def names() -> tuple[str, ...]:
    """Names on the wire, in order of registration."""
    return tuple(_REGISTERED)


def get(name: str) -> type[Model]:
    """Return the class of that name.

    Raises
    ------
    UnknownModelError
        Nothing is registered under `name`.
    """
    try:
        return _REGISTERED[name]
    except KeyError:
        raise UnknownModelError(name, names()) from None


def from_mapping(name: str, values: Mapping[str, Any]) -> Model:
    """Build and check the model `name` from its parameters by name."""
    return get(name).from_mapping(values)
