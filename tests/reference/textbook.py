"""Formulas and prices from the literature: one TOML file per model.

`exponent` is the source's formula, evaluated by mpmath, independent of the engine's. `set` contains
undiscounted prices of out-of-the-money options on a forward of one, which `remake` computed to 25
digits.
"""

import tomllib
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
        return compile(f"({self.content['exponent'].strip()})", self.path.name, "eval")

    def exponent(self, u: Any, parameters: dict[str, Any]) -> Any:
        """Return ψ(u) in mpmath's working precision."""
        names = {name: mp.mpf(value) for name, value in parameters.items()}
        return eval(self.formula, {**FUNCTIONS, **names, "u": mp.mpc(u)})


def logcosh(z: Any) -> Any:
    """Continuous in the plane cut along the imaginary axis beyond ±iπ/2."""
    z = -z if z.real < 0 else z
    return z + mp.log1p(mp.exp(-2 * z)) - mp.log(2)


FUNCTIONS = {
    "j": mp.mpc(0, 1),
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
