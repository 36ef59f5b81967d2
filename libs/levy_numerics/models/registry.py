"""Registry of models by name."""

from collections.abc import Mapping
from typing import Any, TypeVar

from levy_numerics.errors import UnknownModelError
from levy_numerics.models.base import Model

_M = TypeVar("_M", bound=type[Model])
_REGISTERED: dict[str, type[Model]] = {}


def register(cls: _M) -> _M:
    """Register a model class under its `name`; use it as a decorator."""
    _REGISTERED[cls.name] = cls
    return cls


def names() -> tuple[str, ...]:
    """Return the names of all models, in order of registration."""
    return tuple(_REGISTERED)


def get(name: str) -> type[Model]:
    """Return the model class of that name, or raise `UnknownModelError`."""
    try:
        return _REGISTERED[name]
    except KeyError:
        raise UnknownModelError(name, names()) from None


def from_mapping(name: str, values: Mapping[str, Any]) -> Model:
    """Build and check the model `name` from its parameters by name."""
    return get(name).from_mapping(values)
