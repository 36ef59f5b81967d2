"""Names of columns, compared without case, blanks and punctuation, and their synonyms."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

_DECORATION: Final = re.compile(r"[\W_]")

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "strike": (
        *("strike", "strikeprice", "k", "strikepx", "strk", "exerciseprice", "optionstrike"),
        *("striketraded", "strikes", "strkpx", "strikepr", "optstrikepx"),
        "detailsstrikeprice",
        *("basispreis", "ausubungspreis", "prixdexercice", "ejercicio", "precioejercicio"),
        "権利行使価格",
    ),
    "option_type": (
        *("optiontype", "cpflag", "callput", "putcall", "right", "cp", "pc", "type"),
        *("putorcall", "callorput", "cpindicator", "optionright", "optiontypecode", "kind"),
        *("contracttype", "optionside", "pcflag", "iscall", "callputflag", "putcallflag"),
        *("optiontyp", "optputcall", "detailscontracttype", "instrumentclass"),
        *("typ", "optionstyp", "tipo", "種類"),
    ),
    "expiry": (
        *("expiry", "expiration", "expirationdate", "expirydate", "exdate", "exp", "expdate"),
        *("expiredate", "expires", "maturitydate", "expir", "optionexpiry", "optionexpiration"),
        *("lasttradingday", "expirationtime", "expirytime", "expirydt", "matdt", "optexpiredt"),
        *("lasttradedateorcontractmonth", "detailsexpirationdate", "expirdate"),
        *("verfall", "verfallstag", "falligkeit", "echeance", "vencimiento", "満期日"),
    ),
    "maturity_years": (
        *("maturityyears", "maturity", "ttm", "tau", "t", "timetomaturity", "timetoexpiry"),
        *("timetoexpiration", "yearstomaturity", "yearstoexpiry", "yearstoexpiration", "texp"),
        *("yte", "years", "tenor", "yearfraction"),
    ),
    "days_to_expiry": (
        *("daystoexpiry", "dte", "daystoexpiration", "daystomaturity", "days", "maturitydays"),
        *("maturityindays", "calendardays", "dtm"),
    ),
    "quote_date": (
        *("quotedate", "date", "asof", "asofdate", "tradedate", "tradingdate", "valuationdate"),
        *("pricingdate", "datadate", "snapshotdate", "quotedatetime", "quotetime", "datetime"),
        *("quotereadtime", "snapshottime", "snapshot", "observationdate", "timestamp"),
        *("quotetimestamp", "valuedate", "businessdate", "bizdt", "tsevent", "updatedat"),
        *("quotetimeinlong", "handelstag", "datum", "fecha", "日付"),
    ),
    "bid": (
        *("bid", "bidprice", "bestbid", "bidpx", "bestbidprice", "pricebid", "bidclose"),
        *("bid1price", "bidpx00", "pxbid", "lastquotebid", "geld", "geldkurs", "買気配"),
    ),
    "ask": (
        *("ask", "offer", "askprice", "bestask", "bestoffer", "offerprice", "askpx"),
        *("bestaskprice", "priceask", "askclose", "bestofferprice"),
        *("ask1price", "askpx00", "pxask", "lastquoteask", "brief", "briefkurs", "売気配"),
    ),
    "mid": (
        *("mid", "midprice", "price", "optionprice", "midpoint", "mark", "markprice", "premium"),
        *("settle", "settlementprice", "settleprice", "marketprice", "midpx", "value"),
        *("midquote", "theoprice", "settlprice", "settlepr", "meanprice", "lastquotemidpoint"),
    ),
    "last": (
        *("last", "lastprice", "lastsale", "lasttraded", "close", "closeprice", "tradeprice"),
        "pxlast",
    ),
    "implied_vol": (
        *("impliedvol", "impliedvolatility", "iv", "implvolatility", "implvol", "impvol"),
        *("midiv", "markiv", "ivmid", "midvol", "blackvol", "bsvol", "volatility", "sigma"),
        *("marketvol", "marketiv", "bsiv", "vol", "smvvol", "markpriceiv", "ivolmid", "ivmean"),
        "greeksmidiv",
    ),
    "underlying": (
        *("underlying", "underlyingsymbol", "ticker", "underlier", "undsymbol", "asset"),
        *("stocksymbol", "underlyingname", "underlyingticker", "underlyingassetticker"),
        "chainsymbol",
    ),
    "symbol": (
        *("symbol", "contractsymbol", "optionsymbol", "occsymbol", "osi", "osisymbol"),
        *("instrumentname", "instrument", "contract", "localsymbol", "contractname"),
        *("optioncode", "contractid", "optionticker", "instid", "rawsymbol", "detailsticker"),
        "security",
    ),
    "root": ("root", "rootsymbol", "optionroot", "tradingclass", "class", "optionclass"),
    "spot": (
        *("spot", "spotprice", "underlyingprice", "underlyinglast", "s", "s0", "stockprice"),
        *("underlyingclose", "underlyingvalue", "undprice", "underlyingpx", "indexlevel"),
        *("indexprice", "activeunderlyingprice", "stkpx", "underlyingspot", "undlyspot"),
        *("optundlpx", "underlyingassetprice", "underlyinglastprice", "stockpriceclose"),
    ),
    "rate": (
        *("rate", "riskfreerate", "interestrate", "r", "rf", "riskfree", "zerorate", "irate"),
    ),
    "dividend_yield": (
        *("dividendyield", "divyield", "dividend", "q", "div", "dividendrate", "divrate"),
    ),
    "forward": (
        *("forward", "forwardprice", "fwd", "f", "fwdprice", "futureprice", "futuresprice"),
        *("future", "futures", "impliedforward", "underlyingforward"),
    ),
    "discount": ("discount", "discountfactor", "df", "zerobond"),
    "settlement": ("settlement", "amsettlement", "settlementtype", "settlementstyle", "ampm"),
    "exercise": (
        *("exercise", "exercisestyle", "optionstyle", "style", "exercisetype", "optexertyp"),
        "detailsexercisestyle",
    ),
    "currency": ("currency", "ccy", "quotecurrency", "pricecurrency", "premiumcurrency"),
    "last_trade": ("lasttradedate", "lasttradetime", "lasttradedatetime"),
}
"""Names in use for each column, the first of which is preferred where a table has several."""

SIDE_FIELDS: Final = ("bid", "ask", "mid", "last", "implied_vol", "symbol")
"""Columns that a wide table has for calls and for puts."""
_NOT_ON_A_SIDE: Final = frozenset({"vol", "value", "class"})
"""Names that mean something else beside the strike: `vol` is the volume."""
CALL_MARKS: Final = ("calls", "call", "c")
PUT_MARKS: Final = ("puts", "put", "p")


def squeezed(name: object) -> str:
    """Return a column's name without case, accents, blanks and punctuation.

    Examples
    --------
    >>> [squeezed(name) for name in ("[C_BID]", "Call Bid", "contractSymbol", "Échéance")]
    ['cbid', 'callbid', 'contractsymbol', 'echeance']
    """
    decomposed = unicodedata.normalize("NFKD", str(name).casefold())
    return _DECORATION.sub("", decomposed)


def field_of(name: str) -> str | None:
    """Return the column that a squeezed name is a synonym of, or None."""
    return _FIELD_OF.get(name)


def side_field_of(name: str, marks: tuple[str, ...]) -> str | None:
    """Return the column of a squeezed name with a mark of calls or puts, or None.

    Examples
    --------
    >>> side_field_of("callbid", CALL_MARKS), side_field_of("ivput", PUT_MARKS)
    ('bid', 'implied_vol')
    """
    for mark in marks:
        for rest in (name.removeprefix(mark), name.removesuffix(mark)):
            column = _FIELD_OF.get(rest) if rest != name else None
            if column in SIDE_FIELDS and rest not in _NOT_ON_A_SIDE:
                return column
    return None


_FIELD_OF: Final = {name: column for column, names in SYNONYMS.items() for name in names}
