"""American quotes of a request."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from levy_numerics.surface import Surface
from levy_schemas.surface import SurfaceRequest
from levy_surfaces.american import AmericanRows
from levy_surfaces.request_forwards import contracts_by_expiry, derives_forwards
from levy_surfaces.request_rows import RequestRows
from levy_surfaces.requested import surface_of
from levy_surfaces.screening import equal_strikes


@dataclass(frozen=True)
class RequestedAmericanQuotes:
    """American quotes of a request, in a form that `american.fit_american` fits.

    Attributes
    ----------
    request : SurfaceRequest
    rows : AmericanRows
    n_parameters : int
    model_type : str
        As in `surface_of`.
    """

    request: SurfaceRequest
    rows: AmericanRows
    n_parameters: int
    model_type: str

    @classmethod
    def of(cls, request: SurfaceRequest, *, n_parameters: int, model_type: str) -> Self:
        """Read the contracts of a request.

        Raises
        ------
        InvalidInputError
            One expiry has several forwards.
        """
        quotes = RequestRows.of(request)
        contracts, _ = contracts_by_expiry(request, quotes)
        _, series = contracts.by_maturity.maturity_groups
        assert request.spot_price is not None, "the schema requires it"
        rows = AmericanRows(
            spot=request.spot_price,
            strike=equal_strikes(quotes.strike),
            is_call=quotes.is_call,
            is_american=quotes.is_american,
            series=series,
            root=np.full(quotes.size, ""),
        )
        return cls(request, rows, n_parameters, model_type)

    @property
    def remedy(self) -> str:
        """Return the fields to state."""
        if derives_forwards(self.request):
            return "state dividend_yield, or forwards"
        return "check risk_free_rate, dividend_yield or forwards"

    def surface(self, premium: np.ndarray) -> Surface:
        """Return the cleaned European equivalents."""
        return surface_of(
            self.request,
            n_parameters=self.n_parameters,
            model_type=self.model_type,
            premium=premium,
        )

    def positions(self, surface: Surface) -> np.ndarray:
        """Return the place in the request of each quote of a surface."""
        return surface.row
