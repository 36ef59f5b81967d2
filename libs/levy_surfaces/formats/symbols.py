"""Option symbols that contain expiry, side and strike.

Forms: OCC (OSI), Deribit, Bybit (with the settlement coin), OKX, Binance and Bloomberg.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from levy_surfaces.date_text import MONTHS

_OCC: Final = re.compile(
    r"(?:O:)?(?P<root>[A-Z.^/]{1,6}\d?)\s*(?P<y>\d\d)(?P<m>\d\d)(?P<d>\d\d)"
    r"(?P<side>[CP])(?P<strike>\d{8})"
)
_MONTHS: Final = [month.upper() for month in MONTHS]
_DERIBIT: Final = re.compile(
    rf"(?P<root>[A-Z0-9]+(?:_[A-Z]+)?)-(?P<d>\d{{1,2}})(?P<m>{'|'.join(_MONTHS)})(?P<y>\d\d)"
    r"-(?P<strike>\d+(?:[dD.]\d+)?)-(?P<side>[CP])(?:-USD[TC])?"
)
_OKX_BINANCE: Final = re.compile(
    r"(?P<root>[A-Z0-9]+(?:-USD[TC]?)?)-(?P<y>\d\d)(?P<m>\d\d)(?P<d>\d\d)"
    r"-(?P<strike>\d+(?:\.\d+)?)-(?P<side>[CP])"
)
_BLOOMBERG: Final = re.compile(
    r"(?P<root>[A-Z0-9/]+)(?: [A-Z]{2})? (?P<m>\d\d?)/(?P<d>\d\d?)/(?P<y>\d\d)"
    r" (?P<side>[CP])(?P<strike>\d+(?:\.\d+)?)(?: (?:INDEX|EQUITY))?"
)


class Symbol(NamedTuple):
    """Contents of an option symbol.

    Attributes
    ----------
    root : str
    expiry : str
        ISO date.
    option_type : str
        C or P.
    strike : float
    """

    root: str
    expiry: str
    option_type: str
    strike: float


@lru_cache(maxsize=200_000)
def parse_symbol(text: str) -> Symbol | None:
    """Return what a symbol contains; None if it has none of the forms.

    Examples
    --------
    >>> parse_symbol("SPXW  260417C02225000")
    Symbol(root='SPXW', expiry='2026-04-17', option_type='C', strike=2225.0)
    >>> parse_symbol("BTC-17APR26-24000-P").expiry
    '2026-04-17'
    >>> parse_symbol("XYZ US 04/17/26 C2225 Index").strike
    2225.0
    """
    upper = text.strip().upper()
    occ = _OCC.fullmatch(upper)
    others = (form.fullmatch(upper) for form in (_DERIBIT, _OKX_BINANCE, _BLOOMBERG))
    match = occ or next((other for other in others if other), None)
    if match is None:
        return None
    month = int(match["m"]) if match["m"].isdigit() else _MONTHS.index(match["m"]) + 1
    try:
        expiry = date(2000 + int(match["y"]), month, int(match["d"]))
    except ValueError:
        return None
    strike = int(match["strike"]) / 1000 if occ else float(match["strike"].replace("D", "."))
    return Symbol(match["root"], expiry.isoformat(), match["side"], strike)
