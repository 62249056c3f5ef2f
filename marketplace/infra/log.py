"""Structured logs on standard error: for people in development, JSON in production."""

import logging
import sys

import structlog


def configure(*, as_json: bool) -> None:
    """Set up structlog once per process."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        # The renderer's own tracebacks show every local variable, passwords too, and take seconds.
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if as_json:
        processors.append(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
