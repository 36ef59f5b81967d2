"""The vendors' formats: every module of `levy_surfaces.formats.vendors` describes one."""

import pkgutil
from functools import cache
from importlib import import_module

from levy_surfaces.formats import vendors
from levy_surfaces.formats.base import QuoteFormat


@cache
def vendor_formats() -> tuple[QuoteFormat, ...]:
    """Return the `FORMATS` of all modules of `vendors`, those with the longest signature first."""
    modules = [
        import_module(f"{vendors.__name__}.{module.name}")
        for module in pkgutil.iter_modules(vendors.__path__)
    ]
    formats: list[QuoteFormat] = [entry for module in modules for entry in module.FORMATS]
    return tuple(sorted(formats, key=lambda entry: -len(entry.signature)))
