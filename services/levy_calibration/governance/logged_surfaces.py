"""Surfaces of the log of calibrations, for comparisons and for retraining."""

from collections.abc import Iterable
from dataclasses import dataclass

from levy_calibration.audit_log import Entry
from levy_numerics import models
from levy_numerics.errors import InvalidInputError, LevyError
from levy_numerics.market import Quotes
from levy_numerics.models.base import Model
from levy_schemas.calibration import CalibrationRequest
from levy_surfaces.requested import surface_of


@dataclass(frozen=True)
class LoggedSurface:
    """A surface that was calibrated.

    Attributes
    ----------
    entry : Entry
    request : CalibrationRequest
    quotes : Quotes
        As they were fitted.
    """

    entry: Entry
    request: CalibrationRequest
    quotes: Quotes

    @property
    def fitted(self) -> Model | None:
        """Return the fitted model; None unless least squares converged inside its limits."""
        answer = self.entry.answer
        if answer["status"] != "converged" or answer["boundary_parameters"]:
            return None
        return models.get(self.entry.model_type).from_mapping(answer["parameters"])


def logged_surfaces(entries: Iterable[Entry], model_type: str) -> list[LoggedSurface]:
    """Return the different surfaces of a model that were fitted whole, in the order of time.

    Raises
    ------
    InvalidInputError
        There are none, or the log contains no requests.
    """
    by_hash: dict[str, Entry] = {}
    n_entries = 0
    for entry in entries:
        if entry.model_type == model_type:
            n_entries += 1
            request = entry.request
            # Networks read European quotes; American ones are fitted by their equivalents.
            if request is not None and not (request.per_maturity or request.has_american):
                by_hash.setdefault(entry.request_sha256, entry)
    surfaces = [
        LoggedSurface(entry, request, _quotes(entry, request))
        for entry in sorted(by_hash.values(), key=lambda each: each.when)
        if (request := entry.request) is not None
    ]
    if not surfaces:
        reason = "no calibration of" if not n_entries else "only hashes, not requests, of"
        raise InvalidInputError(f"the log contains {reason} {model_type} of whole surfaces")
    return surfaces


def _quotes(entry: Entry, request: CalibrationRequest) -> Quotes:
    model = models.get(entry.model_type)
    try:
        surface = surface_of(request, n_parameters=len(model.parameters()), model_type=model.name)
    except LevyError as error:
        raise InvalidInputError(
            f"the surface of {entry.id}, {entry.when} cannot be read any more: {error.message}"
        ) from None
    return surface.quotes
