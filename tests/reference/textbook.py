"""Formulas and prices from the literature: one TOML file per model.

`exponent` is the source's formula, evaluated by mpmath, independent of the engine's. `set` contains
undiscounted prices of out-of-the-money options on a forward of one, which `remake` computed to 25
digits.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import mpmath as mp

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Textbook:
    path: Path

    @cached_property
    def content(self) -> dict[str, Any]:
        return tomllib.loads(self.path.read_text())

    @property
    def model(self) -> str:
        return str(self.content["model"])

    @cached_property
    def formula(self) -> Any:
        return self._compiled("exponent")

    def exponent(self, u: Any, parameters: Mapping[str, Any]) -> Any:
        """Return ψ(u) in mpmath's working precision."""
        return eval(self.formula, _names(parameters) | {"u": mp.mpc(u)})

    def upper_tail(self, parameters: Mapping[str, Any]) -> Any:
        """Return λ₋: E[exp(sX)] is finite for s < λ₋. Infinite if the page has no formula."""
        if "upper_tail" not in self.content:
            return mp.inf
        return eval(self._compiled("upper_tail"), _names(parameters))

    def _compiled(self, key: str) -> Any:
        return compile(f"({self.content[key].strip()})", self.path.name, "eval")


def _names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return FUNCTIONS | {name: mp.mpf(value) for name, value in parameters.items()}


def logcosh(z: Any) -> Any:
    """Continuous in the plane cut along the imaginary axis beyond ±iπ/2."""
    z = -z if z.real < 0 else z
    return z + mp.log1p(mp.exp(-2 * z)) - mp.log(2)


FUNCTIONS = {
    "j": mp.mpc(0, 1),
    "pi": mp.pi,
    "log": mp.log,
    "exp": mp.exp,
    "sqrt": mp.sqrt,
    "gamma": mp.gamma,
    "cos": mp.cos,
    "logcosh": logcosh,
}


@cache
def textbooks() -> dict[str, Textbook]:
    """Return the textbooks by model name."""
    books = [Textbook(path) for path in sorted(HERE.glob("*.toml"))]
    return {book.model: book for book in books}
