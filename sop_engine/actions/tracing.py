"""Marks spans for OpenTelemetry where it is installed and asked for; otherwise it does nothing and costs next to nothing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sop_engine.actions.log_lines import KEYS
from sop_engine.actions.telling import Value, tell

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_tracer: Any = None


def begin_tracing(kind: str, processor: Any = None) -> bool:
    """Begin to trace when an endpoint is set and the extra `otel` is installed; `kind` is worker, scheduler, run or web. Whether it does.

    `processor` takes the spans instead of an exporter to that endpoint.
    """
    global _tracer
    if processor is None and not any(os.environ.get(name) for name in ENDPOINTS):
        return False
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        processor = processor or _exporting()
    except ImportError:
        tell("tracing_not_installed", level="warning")
        return False
    provider = TracerProvider(resource=Resource.create({"service.name": "sop", "service.instance.kind": kind}))
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer("sop")
    return True


def end_tracing() -> None:
    """Trace no more."""
    global _tracer
    _tracer = None


def _exporting() -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())


@contextmanager
def span(name: str, **ids: Value) -> Iterator[None]:
    """One span around what is done here; its attributes are ids, keys of the logs alone. Of an error it keeps the type, not the text."""
    if _tracer is None:
        yield
        return
    attributes = {f"sop.{key}": value for key, value in ids.items() if key in KEYS and value is not None}
    with _tracer.start_as_current_span(name, attributes=attributes, record_exception=False, set_status_on_exception=False) as current:
        try:
            yield
        except BaseException as error:
            _mark(current, error)
            raise


def _mark(current: Any, error: BaseException) -> None:
    from opentelemetry.trace import Status, StatusCode

    current.set_status(Status(StatusCode.ERROR, type(error).__name__))
