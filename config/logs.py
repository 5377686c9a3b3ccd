"""Logs: one line an event on standard error, with a name and fields; JSON, or readable on a terminal.

Ours come through `structlog.get_logger()`, the libraries' through `logging`; both pass the same
processors, the last of which before rendering takes out secrets and personal data. What an outage repeats
is told once a minute.
"""

import faulthandler
import logging
import sys
import threading
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor

from config.redaction import redact
from config.repeats import Repeats
from config.reports import reporter
from config.sections import AppSettings

QUIET: Final = ("httpx", "httpcore", "asyncio", "alembic.runtime.plugins")
"""Libraries that log each request or each start; only their warnings are of use."""
GRANIAN_LOGGING: Final[dict[str, Any]] = {
    "handlers": {},
    "loggers": {
        "_granian": {"handlers": [], "level": "WARNING", "propagate": True},
        "granian.access": {"handlers": [], "level": "WARNING", "propagate": True},
    },
}
"""For Granian's `log_dictconfig`: without it, it prints to standard output by itself."""


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is now, not to what it was when the process began."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute in the parent
        return sys.stderr


def configure(app: AppSettings, role: str, member: int | None = None) -> None:
    """Set up logging for this process; to be called once, by its entry.

    An exception that nobody catches becomes a line too, `process_crashed`, since a bare traceback of a
    database error would quote rows. A fault in a library's C code says, as text, where each thread was.

    Args:
        app: Level and format.
        role: What this process is; part of every line.
        member: Which of several such processes of one parent, likewise.

    Raises:
        SettingsError: `SENTRY_DSN` can't be used.
    """
    as_json = app.log_format == "json" or (app.log_format == "auto" and not sys.stderr.isatty())
    report = reporter(app, role)
    shared = _processors({"role": role} | ({} if member is None else {"member": member}))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[app.log_level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = _StandardError()
    handler.addFilter(Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                *([] if report is None else [report]),
                _renderer(as_json=as_json),
            ],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(app.log_level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    _log_crashes()


def _processors(process: dict[str, Any]) -> list[Processor]:
    def add_process(_logger: Any, _method: str, event: EventDict) -> EventDict:
        return {**process, **event}

    return [
        structlog.contextvars.merge_contextvars,
        add_process,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # text without local variables, which hold events
    ]


def _renderer(*, as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer()
    plain = structlog.dev.plain_traceback  # the rich one prints local variables
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)


def _log_crashes() -> None:
    log = structlog.get_logger()

    def crashed(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, traceback)
        else:
            log.critical("process_crashed", exc_info=(kind, error, traceback))

    def thread_crashed(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            crashed(args.exc_type, args.exc_value, args.exc_traceback)

    sys.excepthook = crashed
    if threading.excepthook is threading.__excepthook__:  # a test runner that watches threads keeps its own
        threading.excepthook = thread_crashed
    if not faulthandler.is_enabled():  # likewise
        faulthandler.enable()
