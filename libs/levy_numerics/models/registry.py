"""Registry of models by name."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from levy_numerics.errors import UnknownModelError
from levy_numerics.models.base import Model

_M = TypeVar("_M", bound=type[Model])
_REGISTERED: dict[str, type[Model]] = {}
_BY_KEY: dict[str, type[Model]] = {}
"""Models by name and alias, in the form of `_key`."""
_SIMILAR: Final = 0.7
"""Least similarity (of `difflib`) of a suggestion: not Merton for Heston, which has 0.67."""
_SEPARATORS: Final = str.maketrans("", "", " -_")


def register(cls: _M) -> _M:
    """Register a model class under its `name` and `aliases`; use it as a decorator.

    Raises
    ------
    ValueError
        Another model has one of the names.
    """
    labels = (cls.name, *cls.aliases)
    for label in labels:
        other = _BY_KEY.get(_key(label), cls)
        if other.name != cls.name:
            raise ValueError(f"{label!r} is a name of {other.name} and of {cls.name}")
    _BY_KEY.update((_key(label), cls) for label in labels)
    _REGISTERED[cls.name] = cls
    return cls


def names() -> tuple[str, ...]:
    """Return the names of all models, in order of registration."""
    return tuple(_REGISTERED)


def get(name: str) -> type[Model]:
    """Return the model class of a name or alias; letter case, spaces and hyphens do not matter.

    Raises
    ------
    UnknownModelError
        The model does not exist.

    Examples
    --------
    >>> from levy_numerics import models
    >>> models.get("vg").name, models.get("variance-gamma").name
    ('VarianceGamma', 'VarianceGamma')
    """
    key = _key(name)
    try:
        return _BY_KEY[key]
    except KeyError:
        similar = get_close_matches(key, _BY_KEY, n=1, cutoff=_SIMILAR)
        suggestion = _BY_KEY[similar[0]].name if similar else ""
        raise UnknownModelError(name, names(), suggestion) from None


def from_mapping(name: str, values: Mapping[str, Any]) -> Model:
    """Build and check the model `name` from its parameters by name."""
    return get(name).from_mapping(values)


def _key(label: str) -> str:
    return label.translate(_SEPARATORS).casefold()
