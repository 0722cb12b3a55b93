"""Counts by arm what is described and never judged: due, sent, delivered, woke, won back after it, why not sent, and the cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sop_engine.actions.arm_lives import Person

WAKE = timedelta(days=7)
WIN = timedelta(days=14)


def funnels(people: Mapping[str, Sequence[Person]], now: datetime) -> dict[str, dict[str, Any]]:
    """By arm: users with something due, sent, delivered; of those delivered, who was active within 7 days, who won back within 14."""
    return {arm: _funnel(listed, now) for arm, listed in people.items()}


def _funnel(people: Sequence[Person], now: datetime) -> dict[str, Any]:
    not_sent: Counter[str] = Counter()
    due = sent = delivered = woke = won = messages = 0
    cost = 0.0
    for person in people:
        gone = [t for t in person.touches if t.state == "sent" and t.channel is not None]
        times = [t.delivered_at for t in person.touches if t.delivered_at is not None]
        due += any(t.due_at <= now for t in person.touches)
        sent += bool(gone)
        delivered += bool(times)
        woke += any(t < a <= t + WAKE for t in times for a in person.active)
        won += any(d.goal and t < d.at <= t + WIN for t in times for d in person.deeds)
        messages += len(gone)
        cost += cost_of(person)
        not_sent.update(t.reason for t in person.touches if t.state in ("skipped", "failed") and t.reason)
    return {
        "due": due,
        "sent": sent,
        "delivered": delivered,
        "woke": woke,
        "won_back": won,
        "not_sent": dict(sorted(not_sent.items())),
        "messages": messages,
        "cost": round(cost, 6),
    }


def cost_of(person: Person) -> float:
    """What messages and benefits to one user cost."""
    return float(sum((t.cost for t in person.touches if t.state == "sent"), person.benefit_cost))
