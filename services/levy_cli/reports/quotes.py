"""The report that `levy inspect --plot` writes."""

from html import escape
from pathlib import Path

import plotly.graph_objects as go

from levy_cli.cleaned import CleanedQuotes
from levy_cli.reports.figures import axis_buttons, points, small_multiples, smiles_of
from levy_cli.reports.fit import dropped_table, expiries_table
from levy_cli.reports.html import html_figure, html_notes, html_table, write_page
from levy_surfaces.summary import market_vols


def write_quotes_report(quotes: CleanedQuotes, path: str | Path) -> None:
    """Write smiles, columns, dropped quotes and expiries as one self-contained page."""
    surface, reading = quotes.surface, quotes.recognition
    name = quotes.name or "Quotes"
    rows = [(c.name, c.source, c.unit) for c in reading.columns] if reading else []
    conventions = (
        f"{reading.format}; {reading.exercise}; prices in {reading.currency}; {reading.day_count}"
        if reading
        else ""
    )
    parts = {
        "title": escape(name),
        "heading": escape(name),
        "subtitle": escape(conventions),
        "notes": html_notes(surface.warnings),
        "with_sides": " from bid to ask" if surface.quotes.bid is not None else "",
        "smiles": html_figure(_smiles(quotes), with_library=True),
        "columns": html_table(("column", "read from", "unit"), rows, numbers=(), text={0, 1, 2}),
        "kept": f"{surface.size} of {surface.n_read} quotes are usable.",
        "dropped": dropped_table(quotes),
        "expiries": expiries_table(quotes),
    }
    write_page("quotes.html", path, parts)


def _smiles(quotes: CleanedQuotes) -> go.Figure:
    curves = smiles_of(quotes.surface, market_vols(quotes.surface))
    figure, positions = small_multiples([smile.label for smile in curves])
    for smile, position in zip(curves, positions, strict=True):
        figure.add_trace(points(smile), **position)
    strikes = [smile.strike for smile in curves]
    figure.update_layout(updatemenus=[axis_buttons(strikes, [smile.forward for smile in curves])])
    return figure
