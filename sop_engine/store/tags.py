"""Remembers tags: set by a rule, by words, by a step or by a colleague, with their evidence and their last day."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from sop_engine.core.calendar import local_day
from sop_engine.core.project import Project
from sop_engine.store.dialect import dialect, run
from sop_engine.store.layers import Layers, known
from sop_engine.store.scope import Scope


def set_tag(
    tx: Connection, user_id: int, tag: str, at: datetime, *, until_day: int | None = None, evidence: Sequence[object] | None = None
) -> None:
    """Set a tag, or set it again: it stands until the end of the local day `until_day` (an ordinal), or for ever."""
    to = dialect(tx)
    sql = (
        "INSERT INTO user_tags (user_id, tag, set_at, until_day, evidence) "
        f"VALUES ({', '.join(to.param(c) for c in ('user', 'tag', 'at', 'until'))}, CAST({to.param('evidence')} AS {to.types['json']})) "
        "ON CONFLICT (user_id, tag) DO UPDATE SET set_at = excluded.set_at, until_day = excluded.until_day, evidence = excluded.evidence"
    )
    found = to.json_text(list(evidence)) if evidence is not None else None
    run(tx, sql, {"user": user_id, "tag": tag, "at": to.instant(at), "until": until_day, "evidence": found})


def clear_tag(tx: Connection, user_id: int, tag: str) -> None:
    """Take a tag away."""
    to = dialect(tx)
    run(tx, f"DELETE FROM user_tags WHERE user_id = {to.param('user')} AND tag = {to.param('tag')}", {"user": user_id, "tag": tag})


def refresh_rule_tags(tx: Connection, project: Project, scope: Scope, now: datetime) -> None:
    """Set the tags by rule with `for` of those for whom the rule holds now. (Without `for` a rule tag is never stored.)"""
    today = local_day(now, project.zone).toordinal()
    for tag in project.tags.values():
        if tag.when is None or tag.keeps is None or scope.is_empty:
            continue
        layers = Layers(known(tx, project, now), scope)
        where = layers.condition(tag.when)
        to = layers.to
        sql = (
            "INSERT INTO user_tags (user_id, tag, set_at, until_day) "
            f"SELECT user_id, {to.quoted(tag.name)}, {to.param('at')}, {today + tag.keeps} FROM {layers.query()} WHERE {where} "
            "ON CONFLICT (user_id, tag) DO UPDATE SET set_at = excluded.set_at, until_day = excluded.until_day"
        )
        run(tx, sql, {**layers.params, "at": to.instant(now)})
