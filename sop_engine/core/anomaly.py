"""Decides whether sends, failures or benefits have left their bounds; every finding says in words what was seen and what was expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

TIMES, ROOM = Decimal("1.5"), 50  # a day's sends of a step: the ceiling is so many times the forecast, and this many more
SURGE, SURGE_FROM, HOURS_NEEDED = 3, 50, 7  # an hour's sends: so many times the median of the same hour, once so many hours are known
FAILING, FAILING_FROM, FAILURES = Decimal("0.01"), 20, 2  # a share of so many sends; one failure alone is chance
DRAIN, DRAIN_FROM = Decimal("0.2"), 20  # a share of a stock or budget within ten minutes, once more than so many were given


@dataclass(frozen=True, slots=True)
class Finding:
    """What left its bounds: `scope` is to be stopped, `key` is the same for the same finding, `why` has the figures."""

    scope: str
    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Failures:
    """Sends of one playbook over one channel within the last hour, and how many of them failed in one way."""

    playbook: str
    channel: str
    sends: int
    failed: int


def ceiling(forecast: int) -> int:
    """The most sends of a step on one day."""
    return int(TIMES * forecast) + ROOM


def over_ceiling(flow: str, step: str, sends: int, forecast: int, basis: str) -> Finding | None:
    """More sends of a step today than its ceiling."""
    most = ceiling(forecast)
    if sends <= most:
        return None
    why = f"'{step}' of '{flow}' was sent {sends:,} times today, and at most {most:,} were expected ({basis}: {forecast:,})"
    return Finding(f"playbook:{playbook_of(flow)}", f"volume:{flow}:{step}", why)


def over_people(playbook: str, users: int, a_day: int) -> Finding:
    """Users who would have got more messages today than anybody is ever sent on one day."""
    whom = "1 user" if users == 1 else f"{users:,} users"
    why = f"'{playbook}' would have sent {whom} more than {a_day} messages on one day, counting those of all playbooks"
    return Finding(f"playbook:{playbook}", f"people:{playbook}", why)


def surge(playbook: str, sends: int, same_hours: Sequence[int]) -> Finding | None:
    """Far more sends this hour than in the same hour of the days on which there were any."""
    known = [n for n in same_hours if n]
    if sends <= SURGE_FROM or len(known) < HOURS_NEEDED or sends <= SURGE * median(known):
        return None
    why = f"{sends:,} sends in this hour, more than {SURGE} times the {median(known):,.0f} usual at this time"
    return Finding(f"playbook:{playbook}", f"surge:{playbook}", why)


def failing(what: str, counted: Sequence[Failures]) -> list[Finding]:
    """Playbooks of which too many sends failed in this way (`what` in words); a channel that fails several playbooks is found instead."""
    bad = [f for f in counted if f.failed]
    by_channel: dict[str, list[Failures]] = {}
    for one in bad:
        by_channel.setdefault(one.channel, []).append(one)
    found = []
    for channel, mine in by_channel.items():
        all_sends = sum(f.sends for f in counted if f.channel == channel)
        failed = sum(f.failed for f in mine)
        if channel and len(mine) > 1 and _too_many(all_sends, failed):
            found.append(Finding(f"channel:{channel}", f"{what}:channel:{channel}", _share(what, all_sends, failed, f"over '{channel}'")))
            bad = [f for f in bad if f.channel != channel]
    return found + _playbooks(what, counted, {f.playbook for f in bad})


def _playbooks(what: str, counted: Sequence[Failures], playbooks: set[str]) -> list[Finding]:
    found = []
    for playbook in sorted(playbooks):
        mine = [f for f in counted if f.playbook == playbook]
        sends, failed = sum(f.sends for f in mine), sum(f.failed for f in mine)
        if _too_many(sends, failed):
            found.append(Finding(f"playbook:{playbook}", f"{what}:playbook:{playbook}", _share(what, sends, failed, f"of '{playbook}'")))
    return found


def _too_many(sends: int, failed: int) -> bool:
    return sends >= FAILING_FROM and failed >= FAILURES and failed > FAILING * sends


def _share(what: str, sends: int, failed: int, of: str) -> str:
    return f"{failed:,} of {sends:,} messages {of} within an hour {what}, more than {FAILING:.0%}"


def drain(stock: str, size: Decimal, taken: Decimal, given_by: Mapping[str, int]) -> Finding | None:
    """More of a stock or a budget given within ten minutes than its share; the playbook that gave most is stopped."""
    given = sum(given_by.values())
    if given <= DRAIN_FROM or taken <= DRAIN * size:
        return None
    most = max(sorted(given_by), key=lambda playbook: given_by[playbook])
    why = f"{given:,} benefits given within ten minutes took {taken / size:.0%} of {stock}, {given_by[most]:,} of them by '{most}'"
    return Finding(f"playbook:{most}", f"drain:{stock}", why)


def playbook_of(flow: str) -> str:
    """The playbook of a flow's id."""
    return flow.partition("/")[0]
