"""Decides the figures of measures from counts alone: rates with limits, two groups compared, shares, K, deviations."""

from collections.abc import Mapping
from dataclasses import replace

from sop_engine.core.measures.values import Found
from sop_engine.core.stats.intervals import lift, newcombe, wilson

FEW = 30  # below so many nothing is concluded
NORMAL = 1.959963984540054  # 95 %, two-sided


def rate(x: float, n: float, *, left_out: int = 0, label: str = "") -> Found:
    """x of n with Wilson's limits. Of nobody there is no rate: `young` where some were left out, else `nobody`."""
    if n <= 0:
        return Found(label, left_out=left_out, why="young" if left_out else "nobody")
    low, high = wilson(x / n, n, NORMAL)
    return Found(label, x, n, x / n, low=float(low), high=float(high), left_out=left_out, why=_few(n))


def _few(*sizes: float) -> str:
    return "few" if min(sizes) < FEW else ""


def quotient(x: float, n: float, *, left_out: int = 0, label: str = "", heads: float | None = None) -> Found:
    """x for each of n: money a head, tasks an hour. `heads` are those too few of which are said (None: n)."""
    if n <= 0:
        return Found(label, left_out=left_out, why="young" if left_out else "nobody")
    return Found(label, x, n, x / n, left_out=left_out, why=_few(n if heads is None else heads))


def share(x: float, whole: float, *, label: str = "") -> Found:
    """A part of a whole that is no sample: revenue, money spent, definitions. There are no limits."""
    return Found(label, x, whole, x / whole) if whole > 0 else Found(label, why="nobody")


def rates_compared(
    one: tuple[float, float], other: tuple[float, float], *, times: bool = False, left_out: int = 0, label: str = ""
) -> Found:
    """The rate of `one` (x, n) against that of `other`: relative change, or with `times` their quotient; points are in the notes."""
    (x1, n1), (x0, n0) = one, other
    if n1 <= 0 or n0 <= 0:
        return Found(label, left_out=left_out, why="young" if left_out else "nobody")
    p1, p0 = x1 / n1, x0 / n0
    change, low, high = lift(p1, n1, p0, n0, NORMAL)
    d_low, d_high = newcombe(p1, n1, p0, n0, NORMAL)
    more = 1.0 if times else 0.0
    notes = (("points", 100 * (p1 - p0)), ("points_from", 100 * float(d_low)), ("points_to", 100 * float(d_high)), ("base_n", n0))
    if change is None:
        return Found(label, x1, n1, None, p0, left_out=left_out, why="no_base", notes=notes)
    high = None if high is None else high + more
    return Found(label, x1, n1, change + more, p0, low + more, high, left_out, _few(n1, n0), "", notes)


def means_compared(
    one: tuple[float, float], other: tuple[float, float], *, times: bool = False, left_out: int = 0, label: str = ""
) -> Found:
    """Two quotients (sum, of how many) compared: relative change, or with `times` their quotient. No limits: money has long tails."""
    (x1, n1), (x0, n0) = one, other
    if n1 <= 0 or n0 <= 0:
        return Found(label, left_out=left_out, why="young" if left_out else "nobody")
    base, notes = x0 / n0, (("base_n", n0),)
    if base == 0:
        return Found(label, x1, n1, None, base, left_out=left_out, why="no_base", notes=notes)
    value = x1 / n1 / base - (0 if times else 1)
    return Found(label, x1, n1, value, base, left_out=left_out, why=_few(n1, n0), notes=notes)


def totals_compared(one: float, other: float) -> Found:
    """A count of the window against the count of the window before: relative change."""
    if other <= 0:
        return Found("", one, other, None, other, why="no_base")
    return Found("", one, other, one / other - 1, other, why=_few(one, other))


def k_factor(users: int, invites: int, joined: int) -> Found:
    """Invites a user × share of invites that join; at most 1 the growth does not feed itself, and `k_at_most_1` says so."""
    if not users or not invites:
        return Found("", joined, users, why="no_invites" if users else "nobody")
    value = joined / users  # (invites ÷ users) × (joined ÷ invites)
    verdict = "k_at_most_1" if value <= 1 else "k_above_1"
    return Found(
        "",
        joined,
        users,
        value,
        why=_few(users),
        notes=(("invites_a_user", invites / users), ("joined_share", joined / invites), (verdict, "")),
    )


def deviations(counts: Mapping[str, int], targets: Mapping[str, float]) -> list[Found]:
    """By level of the targets: its share in percent less the target in percent, in points."""
    whole = sum(counts.values())
    if not whole:
        return [Found(why="nobody")]
    found = []
    for level, wanted in targets.items():
        users = counts.get(level, 0)
        value = 100 * (users / whole - wanted)
        found.append(Found(level, users, whole, value, 100 * wanted, why=_few(whole), notes=(("share", users / whole),)))
    return found


def against_plan(spent: Mapping[str, float], plan: Mapping[str, float]) -> list[Found]:
    """By planned level: its share of what was spent less the planned share, in points."""
    whole = sum(spent.values())
    if not whole:
        return [Found(why="nothing_spent")]
    rows = [(level, spent.get(level, 0.0), wanted) for level, wanted in plan.items()]
    return [_planned(Found(n, x, whole, 100 * (x / whole - p), 100 * p, notes=(("share", x / whole),))) for n, x, p in rows]


def _planned(found: Found) -> Found:
    on_plan = found.value is not None and abs(found.value) < 0.05  # as it is printed: one decimal
    return replace(found, notes=(*found.notes, ("on_plan" if on_plan else "off_plan", "")))


def rewarded(top: tuple[float, int], others: tuple[float, int], label: str) -> Found:
    """Benefit cost a head of the top level as times that of all others, with the word `under_rewarded` below 1."""
    found = means_compared(top, others, times=True, label=label)
    if found.value is None:
        return found
    return replace(found, notes=(*found.notes, ("under_rewarded" if found.value < 1 else "not_under_rewarded", "")))
