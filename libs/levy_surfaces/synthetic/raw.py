"""Real quotes beside synthetic ones: cleaned by the same rules as any, kept under `data/raw`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from levy_numerics.surface import Surface
from levy_surfaces.surface import read_surface, write_surface

_UNKNOWN: Final = "unknown"


def keep_surface(surface: Surface, root: str | Path) -> Path:
    """Write a cleaned surface to `raw/underlying=…/date=….parquet`, in place of an earlier one."""
    underlying = quote(surface.underlying or _UNKNOWN, safe=" ")
    folder = Path(root, "raw", f"underlying={underlying}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"date={surface.quote_date or _UNKNOWN}.parquet"
    write_surface(surface, path)
    return path


def kept_surfaces(root: str | Path) -> Iterator[Surface]:
    """The surfaces under `raw`, by underlying and date.

    `PricedSurfaces.of_quotes([surface.quotes, …])` makes of them what networks read.
    """
    for path in sorted(Path(root, "raw").glob("underlying=*/date=*.parquet")):
        yield read_surface(path)
