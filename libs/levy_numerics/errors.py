"""What numerics raise when they are misused; each error carries a stable code."""

from collections.abc import Sequence
from typing import Any, ClassVar


class LevyError(ValueError):
    """A request that cannot be answered as put.

    Attributes
    ----------
    code : str
        Stable, for programs; the wire uses it unchanged.
    message : str
        The value, the condition it breaks and the remedy, for people.
    details : dict
        Whatever a program may want to know besides.
    """

    code: ClassVar[str] = "invalid-input"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInputError(LevyError):
    """Arrays of the wrong shape, negative maturities, numbers that are not finite."""


class InvalidParameterError(LevyError):
    """A model parameter outside its domain, missing, or unknown.

    Parameters
    ----------
    parameter : str
        Its name, or the names of several.
    value : object
        What was given.
    condition : str
        What must hold.
    remedy : str
        What to do.
    message : str, optional
        What is wrong, where it is not that `value` breaks `condition`.
    """

    code = "invalid-parameter"

    def __init__(
        self, parameter: str, value: Any, condition: str, remedy: str = "", message: str = ""
    ) -> None:
        shown = f"{value:g}" if isinstance(value, float | int) else str(value)
        message = message or f"{parameter} = {shown} breaks the condition {condition}"
        super().__init__(
            f"{message}; {remedy}" if remedy else message,
            parameter=parameter,
            value=value,
            condition=condition,
        )


class OutsideStripError(LevyError):
    """A transform was asked for where the characteristic function does not exist."""

    code = "outside-strip"


class UnknownModelError(LevyError):
    """No model of that name is registered."""

    code = "unknown-model"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"no model is called {name!r}; known are {', '.join(known)}", known=known)


class ArbitrageError(LevyError):
    """Prices outside their no-arbitrage interval; `indices` says which."""

    code = "arbitrage"

    def __init__(self, message: str, indices: Sequence[int]) -> None:
        super().__init__(message, indices=list(indices))
        self.indices = tuple(indices)


class UnsupportedError(LevyError):
    """A combination the engine does not offer."""

    code = "unsupported"
