"""Counts what happened in a period: starts, touches by day, channel and level, what was skipped and why, costs, goals, overlap."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sop_engine.app import App
from sop_engine.store import counting


@dataclass(frozen=True, slots=True)
class Tally:
    """A period in numbers. Money is in the project's currency; `by_*` keys are tuples in the order of the name."""

    first: date
    last: date
    starts: dict[str, int]  # by flow
    refused: dict[tuple[str, str], int]  # by flow, reason
    ends: dict[tuple[str, str], int]  # by flow, reason
    goals: dict[str, int]  # runs whose goal was reached, by flow
    sent: dict[str, int]  # by flow
    skipped: dict[tuple[str, str], int]  # by flow, reason
    by_day: dict[str, int]  # sent, by local day
    by_channel: dict[str, int]
    by_level: dict[tuple[str, str], int]  # flow, level of the primary tier
    benefit_cost: dict[tuple[str, str], tuple[int, Decimal]]  # by flow, benefit: how many, what they cost
    send_cost: dict[str, Decimal]  # by flow
    overlap: dict[tuple[str, str], int]  # users who had open runs of both flows in the period
    most_a_day: int  # marketing messages one user got on one day at most


def tally(app: App, first: date, last: date) -> Tally:
    """Count the period, both days included, from what is stored."""
    with app.transaction() as tx:
        zone = app.live(tx).zone
        period = counting.Span.of_days(first, last, zone)
        return Tally(
            first=first,
            last=last,
            starts=counting.starts(tx, period),
            refused=counting.refused(tx, period),
            ends=counting.ends(tx, period),
            goals=counting.goals(tx, period),
            sent=counting.sent(tx, period),
            skipped=counting.skipped(tx, period),
            by_day=counting.sent_by_day(tx, period),
            by_channel=counting.sent_by_channel(tx, period),
            by_level=counting.sent_by_level(tx, period),
            benefit_cost=counting.benefit_costs(tx, period),
            send_cost=counting.send_costs(tx, period),
            overlap=counting.overlap(tx, period),
            most_a_day=counting.most_a_day(tx, period),
        )
