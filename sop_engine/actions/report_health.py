"""Makes the part of a report that says how healthy reaching is: by level, with symptoms, and who was asked and given nothing."""

from collections.abc import Iterator, Mapping

from sop_engine.actions.measure_asked import Asked
from sop_engine.actions.report_levels import interactions, ladder_of, tiers_of
from sop_engine.actions.report_reach import day
from sop_engine.core.catalog import Report as Declared
from sop_engine.core.reports.tables import Cell, Table, ratio, table
from sop_engine.store import cohorts, measuring, measuring_orders, reporting, reporting_reach
from sop_engine.store.watching_rates import seen_channels

LOW_OPEN, CONCENTRATED, MOST_BLOCKS, FIFTH = 0.05, 0.8, 0.5, 0.2
BACK_DAYS = 30
SURVEYS = ("survey", "问卷", "调研")


def health(asked: Asked, declared: Declared) -> Iterator[Table]:
    """By level: messages, blocks, money and repurchase; by channel: openings; how few do most; and surveys without anything in return.

    Symptoms are named: openings below 5 %, a level with most of the blocks, activity of a few, repurchase below the period before.
    """
    yield _by_level(asked, declared)
    yield _by_channel(asked)
    yield _concentration(asked)
    kinds = [name for name in SURVEYS if name in asked.project.events]
    if kinds:
        days = asked.span.first_day - BACK_DAYS, asked.span.last_day - BACK_DAYS  # by the end of the period their days are over
        found = reporting_reach.not_given_back(asked.work.tx, kinds, days, BACK_DAYS)
        yield table("surveyed", ("user", "asked_on"), [[user, day(on)] for user, on in found])


def _by_level(asked: Asked, declared: Declared) -> Table:
    tx, span, tier = asked.work.tx, asked.span, tiers_of(asked, declared)[0]
    messages = _messages(measuring.deliveries(tx, span), 1)
    blocks = reporting_reach.blocks(tx, span, tier.name)
    rows: list[list[Cell]] = []
    notes: list[tuple[str, str]] = []
    for level in [*ladder_of(tier), ""]:
        delivered, opened, clicked = messages.get(level, (0, 0, 0)) if tier.name == asked.project.settings.primary_tier else (0, 0, 0)
        group = cohorts.at_level(tier.name, (level,), span.last_day) if level else None
        buyers, money, again = measuring_orders.buyers(tx, span, asked.purchase, group) if group is not None else (0, 0.0, 0)
        blocked, part = blocks.get(level, 0), ratio(blocks.get(level, 0), sum(blocks.values()))
        if part is not None and part >= MOST_BLOCKS:
            notes.append(("blocks", f"{level or 'unscored'} blocks {part:.0%}"))
        rows.append([level or "unscored", delivered, opened, clicked, blocked, part, round(money, 2), buyers, again, ratio(again, buyers)])
    head = (
        "level", "delivered:count", "opened:count", "clicked:count", "blocked:count", "blocked_share:share", "gmv:money", "buyers:count",
        "again:count", "repurchase:share",
    )  # fmt: skip
    return table("by_level", head, [row for row in rows if row[0] != "unscored" or any(row[1:])], *notes, *_falling(asked))


def _falling(asked: Asked) -> list[tuple[str, str]]:
    now, then = (measuring_orders.buyers(asked.work.tx, a.span, asked.purchase) for a in (asked, asked.before()))
    rates = ratio(now[2], now[0]), ratio(then[2], then[0])
    if rates[0] is None or rates[1] is None or rates[0] >= rates[1]:
        return []
    return [("falling", f"{rates[1]:.1%} → {rates[0]:.1%}")]


def _messages(rows: list[tuple[str, str, int, int, int]], by: int) -> Mapping[str, tuple[int, int, int]]:
    found: dict[str, tuple[int, int, int]] = {}
    for row in rows:
        label = str(row[by])
        had = found.get(label, (0, 0, 0))
        found[label] = had[0] + row[2], had[1] + row[3], had[2] + row[4]
    return found


def _by_channel(asked: Asked) -> Table:
    """Openings of a channel that never told of one are not known: they are no 0, and no symptom."""
    messages = _messages(measuring.deliveries(asked.work.tx, asked.span), 0)
    seen = seen_channels(asked.work.tx, asked.span.end)
    rows: list[list[Cell]] = []
    notes: list[tuple[str, str]] = []
    for channel, (delivered, opened, clicked) in messages.items():
        rate = ratio(opened, delivered) if channel in seen else None
        if channel not in seen:
            notes.append(("no_opens", channel))
        elif rate is not None and rate < LOW_OPEN:
            notes.append(("low_open_rate", f"{channel} {rate:.1%}"))
        rows.append([channel, delivered, opened if channel in seen else None, clicked, rate])
    return table("health", ("channel", "delivered:count", "opened:count", "clicked:count", "open_rate:share"), rows, *notes)


def _concentration(asked: Asked) -> Table:
    users, acts, top = reporting.concentration(asked.work.tx, asked.span, interactions(asked), FIFTH)
    part = ratio(top, acts)
    notes = [("concentrated", f"{part:.0%}")] if part is not None and part >= CONCENTRATED else []
    return table("concentration", ("active:count", "acts:count", "top_fifth:share"), [[users, acts, part]], *notes)
