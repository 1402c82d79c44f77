"""Logging, set up in one place: ours by structlog, other libraries' through the same lines; always to stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

from descheduler.model.printable import printable
from descheduler.model.secrets import hidden

QUIET = ("matplotlib", "PIL", "tornado.general")
"""Libraries whose warnings are about themselves, or about what strangers send."""


def configure(verbose: int = 0, *, service: bool = False, as_json: bool | None = None) -> None:
    """`service`: a controller, which logs what it does (as JSON unless somebody watches, or as `as_json` says); a
    command only warns."""
    import structlog

    level = logging.DEBUG if verbose else logging.INFO if service else logging.WARNING
    watched = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if (service and not watched if as_json is None else as_json)
        else structlog.dev.ConsoleRenderer(colors=watched and not _no_colour())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _fit_to_be_read, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in ("urllib3", "kubernetes", "asyncio"):
        # What they warn of (each retry) ends in an error of ours, or passes.
        logging.getLogger(name).setLevel(logging.WARNING if verbose else logging.ERROR)


def _fit_to_be_read(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No secret, and nothing that drives a terminal, whoever logs it."""
    return {key: _fit(value) for key, value in event.items()}


def _fit(value: Any) -> Any:
    """The same of a value; what is no plain data is logged by its text."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {_fit(key): _fit(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_fit(inner) for inner in value]
        case _:
            return printable(hidden(str(value)))


def _no_colour() -> bool:
    import os

    return bool(os.environ.get("NO_COLOR"))
