"""QuantLib's two Variance Gamma engines on the surface."""

from collections.abc import Callable
from typing import Any

import numpy as np
import QuantLib as ql

from levy_numerics.models import Model
from tests.benchmarks import surface

Engine = Callable[[Any], Any]
ENGINES: dict[str, Engine] = {
    "QuantLib FFTVarianceGammaEngine": ql.FFTVarianceGammaEngine,
    "QuantLib VarianceGammaEngine": ql.VarianceGammaEngine,
}


class Surface:
    """Options and curves, created once; each call prices all options for one parameter set."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        today = ql.Date(2, 1, 2026)
        ql.Settings.instance().evaluationDate = today
        days = ql.Actual365Fixed()
        self._spot = ql.QuoteHandle(ql.SimpleQuote(surface.SPOT))
        self._rate, self._dividend = (
            ql.YieldTermStructureHandle(ql.FlatForward(today, rate, days))
            for rate in (surface.RATE, surface.DIVIDEND_YIELD)
        )
        self._options = [
            ql.VanillaOption(
                ql.PlainVanillaPayoff(ql.Option.Call, float(strike)),
                ql.EuropeanExercise(today + count),
            )
            for count in surface.MATURITY_DAYS
            for strike in surface.STRIKES
        ]

    def __call__(self, model: Model) -> np.ndarray:
        """Return present values, shape (200,)."""
        p = model.as_mapping()
        process = ql.VarianceGammaProcess(
            self._spot, self._dividend, self._rate, p["sigma"], p["nu"], p["theta"]
        )
        engine = self._engine(process)
        if hasattr(engine, "precalculate"):
            engine.precalculate(self._options)
        for option in self._options:
            option.setPricingEngine(engine)
        return np.array([option.NPV() for option in self._options])
