"""Logs: an event and its fields; JSON in containers, colour on a terminal."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO

import orjson
import structlog

_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(service: str, *, level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logs of this process, the libraries' too, to one stream.

    Parameters
    ----------
    service : str
        Named in every line.
    level : {"debug", "info", "warning", "error"}
        The least that is shown.
    stream : TextIO, optional
        Standard error if absent; coloured if it is a terminal, else one JSON object per line.
    """
    target = sys.stderr if stream is None else stream
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        _naming(service),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering = _for_people() if target.isatty() else _for_machines()
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=True,
    )
    _adopt_libraries(target, shared, rendering, _LEVELS[level])


def _naming(service: str) -> structlog.typing.Processor:
    def add_service(
        _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    return add_service


def _for_people() -> list[structlog.typing.Processor]:
    return [
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]


def _for_machines() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def _adopt_libraries(
    target: TextIO,
    shared: list[structlog.typing.Processor],
    rendering: list[structlog.typing.Processor],
    level: int,
) -> None:
    """Libraries log through the standard library; show their lines in our form."""
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # One line for each call of a neighbour would double ours.
    for chatty in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
