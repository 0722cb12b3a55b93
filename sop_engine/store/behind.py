"""Reads the events of one user that a metric counts now, by the very windows and conditions it is computed with."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from sop_engine.core.calendar import local_day
from sop_engine.core.metrics import Metric
from sop_engine.core.project import Project
from sop_engine.store.aggregates import parts_of
from sop_engine.store.columns import table_of
from sop_engine.store.derived import day_params
from sop_engine.store.dialect import dialect, run
from sop_engine.store.event_sql import EventSql, exact_param
from sop_engine.store.tables import EventRow, TagRow

MOST = 100  # the latest so many are told
events, tags = table_of(EventRow), table_of(TagRow)


@dataclass(frozen=True, slots=True)
class Behind:
    """An event behind something: for which metric or tag, and the word a tag by words was given for."""

    id: int
    kind: str
    at: datetime
    source: str
    by: str
    word: str = ""


def events_behind(tx: Connection, project: Project, user_id: int, metric: Metric, now: datetime) -> list[Behind]:
    """The events a metric reads, oldest first; of a first or last one that one alone, else the latest MOST."""
    parts, to = parts_of(metric, project), dialect(tx)
    if parts is None:
        return []
    sql, main = EventSql(to, project), parts.main
    where = " AND ".join(part for part in (sql.seen(main.kinds, by_anybody=main.by_anybody), sql.filter(main)) if part)
    if main.field is not None:
        where += f" AND {sql.value(main.kinds, main.field, main.field_kind)} IS NOT NULL"
    most = 1 if metric.verb in ("first", "last", "days_since") else MOST
    order = "ASC" if metric.verb == "first" else "DESC"
    params: dict[str, Any] = {**day_params(local_day(now, project.zone)), "now": to.instant(now), "user": user_id}
    if main.exact is not None:
        params[exact_param(main.exact)] = to.instant(now - main.exact)
    asked = f"SELECT e.id, e.kind, e.at, e.source FROM events e WHERE e.user_id = {to.param('user')} AND {where}"
    rows = run(tx, f"{asked} ORDER BY e.at {order}, e.id {order} LIMIT {most}", params).all()
    found = [Behind(int(row[0]), row[1], to.time_of(row[2]), row[3], metric.name) for row in rows]
    return sorted(found, key=lambda one: (one.at, one.id))


def stored_evidence(tx: Connection, user_id: int, tag: str) -> list[Behind]:
    """The events a tag by words was given for, oldest first; those of a tag that a colleague, a step or a system set are none."""
    row = tx.execute(select(tags.c.evidence).where(tags.c.user_id == user_id, tags.c.tag == tag)).first()
    words: Mapping[int, str] = {e["event"]: str(e.get("word", "")) for e in (row.evidence if row else None) or [] if "event" in e}
    c = events.c
    rows = tx.execute(select(c.id, c.kind, c.at, c.source).where(c.id.in_(list(words))).order_by(c.at, c.id))
    return [Behind(r.id, r.kind, r.at, r.source, tag, words[r.id]) for r in rows]
