"""Hands on what a colleague has not done in time: one task for the role the channel names, once."""

from datetime import datetime
from typing import Any

from sop_engine.app import App, Work
from sop_engine.core.deadlines import escalation_text
from sop_engine.core.project import Project
from sop_engine.store import overdue
from sop_engine.store.outbox import ESCALATED, Task
from sop_engine.store.people import lock_users
from sop_engine.store.repeating import repeated

BATCH = 500


def roles(project: Project) -> dict[str, str]:
    """By channel: to whom its overdue tasks are escalated; those that say nobody are missing."""
    return {name: channel.escalate_to for name, channel in project.channels.items() if channel.escalate_to}


def next_deadline(work: Work) -> datetime | None:
    """When the next task is to be escalated, if nobody does it before."""
    return overdue.next_deadline(work.tx, roles(work.project))


def escalate_overdue(app: App, now: datetime) -> int:
    """Escalate every open task whose deadline has passed, a batch in a transaction; how many."""

    def once() -> int:
        with app.work(now) as work:
            return escalate_some(work)

    total = 0
    while found := repeated(once):
        total += found
    return total


def escalate_some(work: Work) -> int:
    """Escalate a batch of what is overdue; how many were looked at.

    The users are held first: whoever reports a task done comes before, or sees both tasks and closes them.
    """
    to = roles(work.project)
    listed = overdue.overdue(work.tx, to, work.now, BATCH)
    if not listed:
        return 0
    lock_users(work.tx, {user for _, user in listed})
    rows = overdue.mark_escalated(work.tx, [task for task, _ in listed], work.now)
    overdue.add_tasks(work.tx, [_handed_on(work, row, to[row.channel]) for row in rows], work.now)
    return len(listed)


def _handed_on(work: Work, row: Any, role: str) -> Task:
    """The task for the role; it has no channel, and so is escalated to nobody."""
    locale, zone = work.project.settings.locale, work.live.zone
    told = escalation_text(row.text, row.assignee, row.created_at, row.due_at, zone=zone, locale=locale)
    return Task(f"{ESCALATED}{row.key}", row.user_id, role, told, touch_id=row.touch_id)
