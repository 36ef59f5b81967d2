"""Models that consist of a Lévy model and a time change."""

from collections.abc import Mapping
from dataclasses import make_dataclass
from typing import Any, ClassVar

from levy_numerics.models.base import LevyModel, Model
from levy_numerics.models.coordinates import TrainingRange
from levy_numerics.models.registry import register
from levy_numerics.parameters import redeclared


class Composition(Model):
    """Model whose first parameters are those of its base, a Lévy model."""

    base_type: ClassVar[type[LevyModel]]

    @property
    def base(self) -> LevyModel:
        """The Lévy model before the time change."""
        return self.base_type(
            **{p.name: getattr(self, p.name) for p in self.base_type.parameters()}
        )

    def check_jointly(self) -> None:
        self.base.check_jointly()
        super().check_jointly()


def compose(
    kind: type[Composition],
    base: type[LevyModel],
    fields: list[tuple[str, Any, Any]],
    *,
    suffix: str,
    title: str,
    source: str,
    training_range: TrainingRange | None = None,
    typical_ranges: Mapping[str, tuple[float, float]] | None = None,
    **class_variables: Any,
) -> type[Any]:
    """Create and register the model with the parameters of `base` and those in `fields`.

    Parameters
    ----------
    kind : type of Composition
    base : type of LevyModel
    fields : list of (name, type, field)
        Further parameters.
    suffix, title, source : str
        Ending of the name, and texts of the catalogue.
    training_range : TrainingRange, optional
    typical_ranges : mapping of str to (float, float), optional
        Of parameters of the base, where they differ.
    **class_variables
        Of the new class.
    """
    model = make_dataclass(
        f"{base.__name__}{suffix}",
        [*redeclared(base, typical_ranges), *fields],
        bases=(kind,),
        frozen=True,
        namespace={
            "__doc__": f"{title}: see `{kind.__name__}`.",
            "__module__": kind.__module__,
            "base_type": base,
            "name": f"{base.name}{suffix}",
            "aliases": tuple(f"{alias}{suffix}" for alias in base.aliases),
            "title": title,
            "source": source,
            "training_range": training_range,
            **class_variables,
        },
    )
    return register(model)
