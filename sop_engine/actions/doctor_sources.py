"""Examines what comes in over HTTP: sources without ids of their messages, and items that were refused lately."""

from collections.abc import Iterator
from datetime import timedelta

from sop_engine.actions.doctor_settings import Check
from sop_engine.actions.sources import list_sources
from sop_engine.app import Work

LATELY = timedelta(days=1)


def ingestion_checks(work: Work) -> Iterator[Check]:
    """One check for each source that sends."""
    for source in list_sources(work, examples=0):
        if source.last_at is None:
            continue
        wrong = []
        if source.no_message_id:
            wrong.append(f"{source.no_message_id} items came without messageId: what is sent twice is stored twice")
        if source.differing:
            wrong.append(f"{source.differing} items had the messageId of another one, and were not stored")
        lately = [one for one in source.refused if work.now - one.last_at <= LATELY]
        if lately:
            wrong.append(f"items were refused within a day: {', '.join(one.reason for one in lately)}; see 'sop sources'")
        told = "; ".join(wrong) or f"{source.accepted} items stored, the last at {source.last_at:%Y-%m-%d %H:%M} UTC"
        yield Check(f"source {source.source}", "warning" if wrong else "good", told)
