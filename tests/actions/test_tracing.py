"""Spans carry ids and error types, nothing else; without the package or an endpoint they are nothing."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from sop_engine.actions.tracing import begin_tracing, end_tracing, span


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    assert begin_tracing("worker", SimpleSpanProcessor(exporter))
    yield exporter
    end_tracing()


def test_a_span_has_the_ids_and_nothing_else(spans: InMemorySpanExporter) -> None:
    outside: dict[str, Any] = {"phone": "13800000000"}
    with span("deliver", count=20, channel="sms", version=None, **outside), span("call", run=1, touch=2):
        pass
    inner, outer = spans.get_finished_spans()
    assert (outer.name, dict(outer.attributes or {})) == ("deliver", {"sop.count": 20, "sop.channel": "sms"})
    assert (inner.name, dict(inner.attributes or {})) == ("call", {"sop.run": 1, "sop.touch": 2})
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    assert outer.resource.attributes["service.name"] == "sop"


def test_an_error_is_marked_by_its_type_without_its_text(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="138"), span("deliver"):
        raise ValueError("13800000000")
    [one] = spans.get_finished_spans()
    assert (one.status.is_ok, one.status.description, one.events) == (False, "ValueError", ())


def test_without_an_endpoint_or_without_the_package_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert not begin_tracing("worker")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    assert not begin_tracing("worker")
    with span("deliver", touch=1):
        pass
