"""Tells what a replayed year of the demo showed: the ladder, the moves, the touches, the costs, and what a win-back must beat."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from sop_engine.cli.explaining import runs_told
from sop_engine.cli.output import table

if TYPE_CHECKING:
    from sop_engine.actions.tally import Tally
    from sop_engine.app import App, Work

MODEL = "RFM五档"
LAPSED = ((30, 14), (30, 30), (60, 30), (90, 30))  # days without an order, days to come back


def told(history: "App", replayed: "App", days: tuple[date, date, date], seconds: float) -> str:
    """The report, as text. `days`: when the data begins, and the first and last day that was lived through."""
    from sop_engine.actions.tally import tally

    begin, first, last = days
    ends = month_ends(begin, last)
    counted = tally(replayed, first, last)
    with replayed.work(_noon(last)) as work:
        parts = [
            _ladder(work, ends),
            _moves(work, days, ends),
            _touches(counted),
            _costs(counted, work.project.settings.currency),
        ]
    parts.append(_returns(history))
    with replayed.work(_noon(last)) as work:
        parts += list(_two_users(work))
    parts.append(_next(counted, seconds))
    return "\n\n".join(parts)


def _noon(day: date) -> datetime:
    from datetime import UTC

    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def month_ends(first: date, last: date) -> tuple[date, ...]:
    """The last day of each month of these days, and the last of all."""
    days = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    return tuple(d for d in days if (d + timedelta(days=1)).day == 1 or d == last)


def _ladder(work: "Work", ends: Sequence[date]) -> str:
    from sop_engine.store.tallies import levels_on

    levels = [*work.project.tiers[MODEL].level_names, None]
    rows = []
    for day in ends:
        counted = levels_on(work.tx, MODEL, day)
        everybody = sum(counted.values()) or 1
        rows.append([day.isoformat(), *(f"{counted.get(level, 0):,} ({counted.get(level, 0) / everybody:.0%})" for level in levels)])
    head = ["", *(level or "unscored" for level in levels)]
    return f"THE LADDER: households by level of {MODEL}, at each month's end\n" + table(rows, head=head, right=range(1, len(head)))


def _moves(work: "Work", days: tuple[date, date, date], ends: Sequence[date]) -> str:
    from sop_engine.store.tallies import move_counts

    ladder = work.project.tiers[MODEL].ladder
    rows, start = [], days[0]
    for end in ends:
        kinds: Counter[str] = Counter()
        for old, new, _, many in move_counts(work.tx, MODEL, start, end):
            kinds["new" if old is None else "gone" if new is None else "up" if ladder.index(new) < ladder.index(old) else "down"] += many
        rows.append([f"{start:%Y-%m}", kinds["new"], kinds["up"], kinds["down"]])
        start = end + timedelta(days=1)
    title = f"THE MOVES: first placed, up and down, month by month (before {days[1]} seen at month's end only)"
    return f"{title}\n" + table(rows, head=["", "first placed", "up", "down"], right=(1, 2, 3))


def _touches(counted: "Tally") -> str:
    flows = sorted({*counted.starts, *counted.sent, *(f for f, _ in counted.skipped)})
    rows = []
    for flow in flows:
        why = Counter({reason: many for (name, reason), many in counted.skipped.items() if name == flow})
        told_why = ", ".join(f"{reason} {many:,}" for reason, many in why.most_common(4))
        rows.append(
            [flow, f"{counted.starts.get(flow, 0):,}", f"{counted.sent.get(flow, 0):,}", f"{counted.goals.get(flow, 0):,}", told_why]
        )
    total = f"{sum(counted.starts.values()):,} runs, {sum(counted.sent.values()):,} sent; at most {counted.most_a_day} a day"
    return f"THE PLAYBOOKS: {total}\n" + table(rows, head=["flow", "runs", "sent", "goals", "not sent, because"], right=(1, 2, 3))


def _costs(counted: "Tally", currency: str) -> str:
    rows = [[flow, benefit, f"{many:,}", f"{cost:,.2f}"] for (flow, benefit), (many, cost) in counted.benefit_cost.items()]
    total = sum(cost for _, cost in counted.benefit_cost.values())
    sending = sum(counted.send_cost.values())
    title = f"THE COSTS: benefits {total:,.2f} {currency} at full use, messages and tasks {sending:,.2f} {currency}"
    return f"{title}\n" + table(rows, head=["flow", "benefit", "given", "cost"], right=(2, 3))


def _returns(history: "App") -> str:
    """Rates over all month ends of the year whose window is complete; nobody had contacted these households for it."""
    from sop_engine.store.counting import natural_returns

    rows, ends = [], month_ends(date(2017, 1, 1), date(2017, 12, 31))
    with history.transaction() as tx:
        for quiet, within in LAPSED:
            days = [d for d in ends if d + timedelta(days=within) <= ends[-1]]
            pairs = [natural_returns(tx, ["order"], d, quiet, within) for d in days]
            lapsed, back = sum(p[0] for p in pairs), sum(p[1] for p in pairs)
            rate = f"{back / lapsed:.1%}" if lapsed else "-"
            rows.append([f"{quiet} days without an order", f"within {within} days", f"{lapsed:,}", f"{back:,}", rate])
    title = "WHAT A WIN-BACK MUST BEAT: lapsed households that came back by themselves (counted at every month's end)"
    return f"{title}\n" + table(rows, head=["lapsed", "came back", "lapsed", "back", "rate"], right=(2, 3, 4))


def _two_users(work: "Work") -> Iterator[str]:
    from sop_engine.actions.why import why
    from sop_engine.store.examples import one_held_back, one_sent

    for title, found in (("sent something", one_sent(work.tx)), ("not sent anything", one_held_back(work.tx))):
        if found is not None:
            key, flow = found
            yield f"WHY ({title}): sop why {key} {flow} --project demo\n" + runs_told(why(work, key, flow), work.live.zone)


def _next(counted: "Tally", seconds: float) -> str:
    return f"""WHAT NEXT (this took {seconds:.0f} s)
  sop tiers {MODEL} --on 2017-12-10 --project demo     any past day's tiers
  sop moves {MODEL} --project demo                     who moved where, and why
  sop touches --reason cap --project demo              what was held back, and why
  sop outbox --project demo                            the messages themselves
  sop matrix {MODEL}                                   what each level gets
  Change a playbook in playbooks/, run 'sop test', then 'sop demo' again to see what it changes."""
