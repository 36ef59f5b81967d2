"""Exceptions of the numerical library, each with a stable code."""

from collections.abc import Sequence
from typing import Any, ClassVar


class LevyError(ValueError):
    """Base class of all errors that invalid input causes.

    Attributes
    ----------
    code : str
        Stable identifier for programs; HTTP responses contain it unchanged.
    message : str
        Text for users: the input, what is wrong, and the remedy.
    details : dict
        Further fields for programs.
    """

    code: ClassVar[str] = "invalid-input"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInputError(LevyError):
    """Invalid array: wrong shape, wrong sign, or not finite."""


class InvalidParameterError(LevyError):
    """Model parameter that is missing, unknown, or outside its domain.

    Parameters
    ----------
    parameter : str
        Its name, or several names separated by commas.
    value : object
        The value that was given.
    condition : str
        The condition on it.
    remedy : str
        What the user can do.
    message : str, optional
        Replaces the usual text, "`parameter` = `value` violates the condition `condition`".
    """

    code = "invalid-parameter"

    def __init__(
        self, parameter: str, value: Any, condition: str, remedy: str = "", message: str = ""
    ) -> None:
        text = f"{value:g}" if isinstance(value, float | int) else str(value)
        message = message or f"{parameter} = {text} violates the condition {condition}"
        super().__init__(
            f"{message}; {remedy}" if remedy else message,
            parameter=parameter,
            value=value,
            condition=condition,
        )


class OutsideStripError(LevyError):
    """Characteristic function evaluated where it does not exist, such as an infinite forward."""

    code = "outside-strip"


class UnknownModelError(LevyError):
    """Model name that is not registered.

    Parameters
    ----------
    name : str
        The name that was given.
    names : sequence of str
        The models.
    suggestion : str
        The one that may have been meant.
    """

    code = "unknown-model"

    def __init__(self, name: str, names: Sequence[str], suggestion: str = "") -> None:
        guess = f"did you mean {suggestion}? Otherwise " if suggestion else ""
        super().__init__(
            f"unknown model {name!r}; {guess}choose one of {', '.join(names)}", known=names
        )


class ArbitrageError(LevyError):
    """Prices outside their no-arbitrage interval, with their `indices`."""

    code = "arbitrage"

    def __init__(self, message: str, indices: Sequence[int]) -> None:
        super().__init__(message, indices=list(indices))
        self.indices = tuple(indices)


class UnsupportedError(LevyError):
    """Combination of options that the engine does not support."""

    code = "unsupported"
