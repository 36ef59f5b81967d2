"""The sampling engines that are installed beside this worker."""

from importlib.util import find_spec
from typing import get_args

from levy_numerics.errors import UnsupportedError
from levy_schemas.jobs import EXTRA_OF, Engine, engine_not_installed


def installed() -> tuple[Engine, ...]:
    """Return the names of the engines whose packages are installed, importing none."""
    names: tuple[Engine, ...] = get_args(Engine)
    return tuple(name for name in names if name not in EXTRA_OF or find_spec(EXTRA_OF[name]))


def require_installed(name: Engine) -> None:
    """Raise UnsupportedError unless the engine's packages are installed."""
    if name not in (names := installed()):
        raise UnsupportedError(engine_not_installed(name, names), pointer="/engine")
