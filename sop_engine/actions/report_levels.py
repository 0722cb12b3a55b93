"""Makes the parts of a report about levels: shares, moves, named lists, the trend of churn."""

import re
from collections.abc import Iterator
from datetime import date

from sop_engine.actions.alerting import asked_in
from sop_engine.actions.asking import move_matrix, shares_of
from sop_engine.actions.measure_asked import Asked, Missing
from sop_engine.actions.watched import figure_of
from sop_engine.core.catalog import Alert
from sop_engine.core.catalog import Report as Declared
from sop_engine.core.reports.alarms import PERIODS, USUAL, judge
from sop_engine.core.reports.periods import Period, earlier
from sop_engine.core.reports.tables import Cell, Table, ratio, table
from sop_engine.core.tiers import Tier
from sop_engine.store import reporting, tallies

LEAST, TOP = 3, 0.10  # interactions of a promising user, or the share of everybody who is in the best levels
ENGAGED, ENGAGED_DAYS = 30, 30  # users in the list of those who interact most, and the days looked back
GROUPS = ("互动", "interaction")
SHORT = 40  # characters of what somebody said
CONTACT = re.compile(r"[\w.+-]+@[\w.-]+|\+?\d[\d -]{4,}\d")


def tiers_of(asked: Asked, declared: Declared) -> list[Tier]:
    """The tiers a report is of: the one it names, or those it names a level of; else the primary one, else all. Raises Missing."""
    project, name = asked.project, declared.of.partition("=")[0].strip()
    if name in project.tiers:
        return [project.tiers[name]]
    primary = project.tiers.get(project.settings.primary_tier)
    found = [primary] if primary is not None else list(project.tiers.values())
    if not found:
        raise Missing("no_tier", "tier")
    return found


def ladder_of(tier: Tier) -> tuple[str, ...]:
    """The levels, best first, or in the order they are asked."""
    return tier.ladder or tier.level_names


def shares(asked: Asked, declared: Declared) -> Iterator[Table]:
    """By level: users and shares before the period and at its end; and the shares of the periods before it."""
    period = Period(asked.since, asked.until)
    for tier in tiers_of(asked, declared):
        then, now = (_counts(asked, tier, day) for day in (period.first.toordinal() - 1, period.last.toordinal()))
        levels = [*dict.fromkeys([*ladder_of(tier), *then, *now])]
        rows: list[list[Cell]] = []
        percents = [[float(p) / 100 for p in shares_of([counts.get(n, 0) for n in levels])] for counts in (then, now)]
        for place, name in enumerate(levels):
            before, after = then.get(name, 0), now.get(name, 0)
            rows.append([tier.name, name, before, round(percents[0][place], 4), after, round(percents[1][place], 4), after - before])
        head = ("tier", "level", "before:count", "share_before:share", "after:count", "share:share", "change:count")
        yield table("shares", head, rows)
        trend: list[list[Cell]] = []
        for one in [*earlier(period, PERIODS), period]:
            counts = _counts(asked, tier, one.last.toordinal())
            whole = sum(counts.values())
            trend += [[one.last.isoformat(), n, counts.get(n, 0), ratio(counts.get(n, 0), whole)] for n in levels if whole]
        yield table("over_time", ("on", "level", "users:count", "share:share"), trend)


def _counts(asked: Asked, tier: Tier, day: int) -> dict[str, int]:
    return {name or "unscored": many for name, many in tallies.levels_on(asked.work.tx, tier.name, date.fromordinal(day)).items()}


def moves(asked: Asked, declared: Declared) -> Iterator[Table]:
    """Moves of the period from level to level, and by cause."""
    for tier in tiers_of(asked, declared):
        matrix = move_matrix(asked.work, tier, asked.since, asked.until)
        order = {name: place for place, name in enumerate((*ladder_of(tier), None))}
        listed = sorted(matrix.moves, key=lambda m: (order.get(m[0], len(order)), order.get(m[1], len(order)), m[0] or "", m[1] or ""))
        rows: list[list[Cell]] = [[old or "unscored", new or "unscored", many] for old, new, many in listed]
        yield table("moves", ("from", "to", "moves:count"), rows)
        causes = sorted(matrix.causes.items())
        yield table("by_cause", ("cause", "moves:count"), [[cause, many] for cause, many in causes])


def lists(asked: Asked, declared: Declared) -> Iterator[Table]:
    """Who fell from the best level, who rose to it, who is new and promising, and who interacts most; users by their id alone."""
    tier = tiers_of(asked, declared)[0]
    best, tx, span = ladder_of(tier)[0], asked.work.tx, asked.span
    for word in ("fell", "rose"):
        found = reporting.changed(tx, span, tier.name, best, fell=word == "fell")
        rows: list[list[Cell]] = [[c.user, c.before or "unscored", c.after or "unscored", _day(c.day)] for c in found]
        yield table(word, ("user", "from", "to", "on"), rows)
    kinds = interactions(asked)
    top = _top_levels(asked, tier)
    new = reporting.promising(tx, span, tier.name, kinds, top, LEAST)
    fresh: list[list[Cell]] = [[user, _day(joined), many, level or "unscored", _why(many, level, top)] for user, joined, many, level in new]
    yield table("promising", ("user", "joined", "interactions:count", "level", "why"), fresh)
    yield _engaged(asked, kinds)


def _why(many: int, level: str | None, top: tuple[str, ...]) -> str:
    return ", ".join([*([f"interactions >= {LEAST}"] if many >= LEAST else []), *([str(level)] if level in top else [])])


def _top_levels(asked: Asked, tier: Tier) -> tuple[str, ...]:
    """The best levels in which together no more than a tenth of everybody is."""
    counts = tallies.levels_on(asked.work.tx, tier.name, asked.until)
    whole, so_far, found = sum(counts.values()), 0, []
    for name in tier.ladder:
        so_far += counts.get(name, 0)
        if so_far > TOP * whole:
            break
        found.append(name)
    return tuple(found)


def interactions(asked: Asked) -> tuple[str, ...]:
    """The kinds of event that are interactions: the group called so, else what is activity. Raises Missing."""
    named = next((asked.project.groups[name] for name in GROUPS if name in asked.project.groups), None)
    return named or asked.active


def _engaged(asked: Asked, kinds: tuple[str, ...]) -> Table:
    last = asked.span.last_day
    days = last - ENGAGED_DAYS + 1, last
    found = reporting.engaged(asked.work.tx, days, kinds, ENGAGED)
    ids = [one.user_id for one in found]
    favourite = next((m for m in asked.project.metrics.values() if m.verb == "most_common" and m.field), None)
    liked = reporting.most_common(asked.work.tx, ids, favourite.events, favourite.field or "", days) if favourite else {}
    said = reporting.last_said(asked.work.tx, ids, [k for k in kinds if "text" in _fields(asked, k)], last)
    rows: list[list[Cell]] = []
    for one in found:
        rows.append([one.user, one.many, one.kinds, liked.get(one.user_id, ""), last - one.last_day, _short(said.get(one.user_id, ""))])
    return table("top_engaged", ("user", "interactions:count", "depth:count", "favourite", "quiet:count", "last_said"), rows)


def _short(text: str) -> str:
    """The beginning of what somebody said, without addresses and long numbers: whoever wrote a phone number is not read by it."""
    return CONTACT.sub("•••", " ".join(text.split()))[:SHORT]


def _fields(asked: Asked, kind: str) -> frozenset[str]:
    event = asked.project.events.get(kind)
    return frozenset(event.fields) if event is not None else frozenset()


def churn(asked: Asked, declared: Declared) -> Iterator[Table]:
    """The rate at which the best level (or the one the report names) is left downward, in this period and the eight before."""
    tier = tiers_of(asked, declared)[0]
    level = declared.of.partition("=")[2].strip() or ladder_of(tier)[0]
    alert = Alert("", "leave_rate", "", f"{tier.name} = {level}", None, "above", USUAL)
    period = Period(asked.since, asked.until)
    told = [(one, figure_of(asked_in(asked.work, one), alert)) for one in [*earlier(period, PERIODS), period]]
    judged = judge(told[-1][1], [figure for _, figure in told[:-1]], "above", USUAL)
    rows: list[list[Cell]] = []
    for one, figure in told:
        known = figure.value is not None
        last = one == period
        rows.append([
            one.first.isoformat(), one.last.isoformat(), int(figure.counted) if known else None, int(figure.whole) if known else None,
            None if figure.value is None else round(figure.value, 6), judged.before if last else None, "!" if last and judged.rings else "",
        ])  # fmt: skip
    yield table("churn", ("from", "to", "left:count", "began:count", "rate:share", "usual:share", "alarm"), rows)


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()
