"""Read and clean the quotes that a command selects, and report what was dropped."""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from levy_cli.output import EXPIRY_COLUMNS, expiry_cells, table
from levy_cli.quote_options import quote_file
from levy_numerics.calibration.result import CalibrationResult
from levy_numerics.surface import Surface
from levy_surfaces.american import AmericanFit, AmericanTable
from levy_surfaces.cleaning import CleaningRules, clean
from levy_surfaces.printable import printable
from levy_surfaces.quote_dates import copied_day_warning
from levy_surfaces.quote_files import QuoteFile
from levy_surfaces.reading import QuoteTable, read_file
from levy_surfaces.reasons import Reason
from levy_surfaces.recognition import Recognition
from levy_surfaces.summary import summary

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class CleanedQuotes:
    """Cleaned quotes of one underlying at one date.

    Attributes
    ----------
    surface : Surface
        Of American options: of their European equivalents.
    recognition : Recognition or None
    american : AmericanFit or None
        The premiums that were subtracted from American quotes.
    """

    surface: Surface
    recognition: Recognition | None = None
    american: AmericanFit[CalibrationResult] | None = None

    @classmethod
    def of(
        cls,
        options: argparse.Namespace,
        *,
        fewest_per_maturity: int = 1,
        file: QuoteFile | None = None,
        fit_quotes: Callable[[AmericanTable], AmericanFit[CalibrationResult]] | None = None,
    ) -> Self:
        """Read and clean what the command line selects.

        Parameters
        ----------
        options : argparse.Namespace
            Of a command that selects quotes.
        fewest_per_maturity : int
            Quotes that each maturity needs.
        file : QuoteFile, optional
            The file of the command line, if it is open already.
        fit_quotes : callable, optional
            Fits American quotes; without it they are refused.

        Raises
        ------
        LevyError
            The file cannot be used, or the model does not price American options.
        """
        file = quote_file(options) if file is None else file
        table, rules = cls._read(options, file, fewest_per_maturity)
        if table.is_american and fit_quotes is not None:
            result = fit_quotes(AmericanTable(table, rules))
            warnings = (*result.warnings, *_copied_day(file, table))
            return cls(_with_warnings(result.surface, warnings), table.recognition, result)
        surface = _with_warnings(clean(table, rules), _copied_day(file, table))
        return cls(surface, table.recognition)

    @staticmethod
    def _read(
        options: argparse.Namespace, file: QuoteFile, fewest_per_maturity: int
    ) -> tuple[QuoteTable, CleaningRules]:
        table = read_file(file, underlying=options.underlying, expiry_time=options.expiry_time)
        rules = CleaningRules(
            maturity_years=(options.min_maturity, options.max_maturity),
            moneyness=(options.min_moneyness, options.max_moneyness),
            sides=options.sides,
            forwards=options.forwards,
            fewest_per_maturity=fewest_per_maturity,
        )
        return table, rules

    @property
    def name(self) -> str:
        """Underlying and date, safe to print; empty where the file has neither."""
        parts = filter(None, (self.surface.underlying, self.surface.quote_date))
        return printable(" ".join(parts))

    def maturity_names(self) -> dict[float, str]:
        """Return a name for each maturity: its expiry, and roots where there are several."""
        names: dict[float, str] = {}
        series, years_of = self.surface.series, self.surface.quotes.contracts.maturity_years
        for line in summary(self.surface):
            years = float(years_of[np.argmax(series == line.forward.series)])
            names[years] = f"{names[years]}, {line.name}" if years in names else line.name
        return names

    def as_document(self) -> dict[str, Any]:
        """Return the part of the JSON document that describes quotes and forwards."""
        surface = self.surface
        american = self.american
        return {
            "early_exercise": None
            if american is None
            else {
                "method": "de-americanised with the premium of the fitted model",
                "n_fits": american.n_fits,
                "converged": american.converged,
                "change": american.change,
                "premiums": american.premium.tolist(),
                "premium_vols": [
                    vol if np.isfinite(vol) else None for vol in american.premium_vol.tolist()
                ],
            },
            "quote_date": surface.quote_date,
            "underlying": surface.underlying,
            "reading": None if self.recognition is None else asdict(self.recognition),
            "forwards": [
                {
                    "maturity": f.maturity_years,
                    "forward": f.forward,
                    "discount": f.discount,
                    "n_pairs": f.n_pairs,
                    "residual_scale": f.residual_scale,
                    "source": f.source,
                }
                for f in surface.forwards
            ],
            "cleaning": {
                "n_read": surface.n_read,
                "n_kept": surface.size,
                "counts": surface.dropped_by_reason,
            },
            "dropped": [
                {
                    "row": int(quote.pointer.removeprefix("/")),
                    "expiry": quote.expiry or None,
                    "maturity_years": quote.maturity,
                    "strike": quote.strike,
                    "option_type": "C" if quote.option_type == "call" else "P",
                    "reason": quote.reason,
                    "pointer": quote.pointer,
                    "message": quote.message,
                }
                for quote in surface.dropped
            ],
        }

    def show(self, out: "Console", *, columns: bool = False) -> None:
        """Print how quotes were read, what was dropped and what remains of each expiry.

        Parameters
        ----------
        out : Console
        columns : bool
            Whether to list the columns in a table, not in a line.
        """
        from rich.text import Text

        self._show_reading(out, columns=columns)

        name = (self.name or "Quotes", "bold")
        out.print(
            Text.assemble(name, f": using {self.surface.size} of {self.surface.n_read} quotes")
        )
        self._show_dropped(out)
        self._show_expiries(out)

    def _show_reading(self, out: "Console", *, columns: bool) -> None:
        reading = self.recognition
        if reading is None:
            return
        conventions = f"{reading.exercise}; prices in {reading.currency}; {reading.day_count}"
        out.print(f"Format: {printable(reading.format)}; {printable(conventions)}", soft_wrap=True)
        if not columns:
            names = [f"{c.name} = {c.source}" for c in reading.columns if c.name != c.source]
            if names:
                out.print(f"Columns: {printable(', '.join(names))}", soft_wrap=True)
            return
        listing = table(left=["column", "read from"], last=["unit"])
        for column in reading.columns:
            listing.add_row(printable(column.name), printable(column.source), column.unit)
        out.print(listing)

    def _show_dropped(self, out: "Console") -> None:
        counts = self.surface.dropped_by_reason
        if not counts:
            return
        listing = table(right=["dropped"], last=["reason", "meaning"])
        for reason, count in counts.items():
            listing.add_row(str(count), reason, Reason(reason).meaning)
        out.print(listing)

    def _show_expiries(self, out: "Console") -> None:
        listing = table(left=["expiry"], right=["years", *EXPIRY_COLUMNS])
        by_source: dict[str, list[str]] = {}
        for line in summary(self.surface):
            listing.add_row(line.name, f"{line.forward.maturity_years:.4f}", *expiry_cells(line))
            by_source.setdefault(line.forward.source, []).append(line.name)
        out.print(listing)
        common, *rare = sorted(by_source, key=lambda source: -len(by_source[source]))
        out.print(f"Forwards by {common}{'; but' if rare else '.'}")
        for source in rare:
            out.print(f"  by {source}: {', '.join(by_source[source])}")


def _copied_day(file: QuoteFile, table: QuoteTable) -> tuple[str, ...]:
    """Return a warning if the quotes of a chosen date repeat those of the date before."""
    return () if file.quote_date is None else copied_day_warning(file, table)


def _with_warnings(surface: Surface, warnings: tuple[str, ...]) -> Surface:
    return replace(surface, warnings=(*warnings, *surface.warnings))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as JSON objects, with null where there is no number or text."""
    columns = {
        name: [None if pd.isna(v) or v == "" else v for v in frame[name].tolist()]
        for name in frame.columns
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
