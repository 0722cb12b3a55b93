"""Answers questions about everybody and about one user: levels and their shares, moves, what is known of a user."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from sop_engine.actions.why import masked
from sop_engine.app import Work
from sop_engine.core.conditions import Value
from sop_engine.core.interest import QUIET
from sop_engine.core.models import WATCH
from sop_engine.core.tiers import Tier
from sop_engine.store import facts as store_facts
from sop_engine.store import history, levels, people, runs, tallies
from sop_engine.store import users as store_users
from sop_engine.store.history import HeldTag
from sop_engine.store.scope import Scope

TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class LevelShare:
    """One level (None: unscored), its users, and their share of everybody in percent with one decimal."""

    level: str | None
    users: int
    percent: Decimal


@dataclass(frozen=True, slots=True)
class TierShares:
    """The levels of a model on a day; the shares add up to 100."""

    tier: str
    on: date
    users: int
    levels: tuple[LevelShare, ...]


@dataclass(frozen=True, slots=True)
class MoveMatrix:
    """Moves of a model between two local days, both included: by (from, to) and by cause."""

    tier: str
    since: date
    until: date
    moves: tuple[tuple[str | None, str | None, int], ...]
    causes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LevelHeld:
    """The level of a user in one model, and since when."""

    tier: str
    level: str | None
    before: str | None
    since: date


@dataclass(frozen=True, slots=True)
class RunBrief:
    """A run in one line."""

    flow: str
    version: int
    started_at: datetime
    state: str
    end_reason: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one user. Phone numbers, addresses and sensitive attributes are masked; unknown facts are left out."""

    user: str
    joined_at: datetime
    timezone: str | None
    locale: str | None
    attributes: Mapping[str, Value | None]
    levels: tuple[LevelHeld, ...]
    tags: tuple[HeldTag, ...]
    metrics: Mapping[str, Value | None]
    by_hand: Mapping[str, str | None]
    events: Mapping[str, tuple[int, datetime]]
    runs: tuple[RunBrief, ...]


def tier_shares(work: Work, tier: Tier, on: date | None = None) -> TierShares:
    """Users by level now, or at the end of a local day; every level of the model is there, and unscored last."""
    counts = tallies.levels_now(work.tx, tier.name) if on is None else tallies.levels_on(work.tx, tier.name, on)
    names: list[str | None] = [*(tier.ladder or tier.level_names)]
    gone = [name for name in counts if name is not None and name not in names]  # of an earlier release
    listed = [*names, *gone, None]
    percents = shares_of([counts.get(name, 0) for name in listed])
    told = tuple(LevelShare(name, counts.get(name, 0), share) for name, share in zip(listed, percents, strict=True))
    return TierShares(tier.name, on or date.fromordinal(work.day), sum(counts.values()), told)


def shares_of(counts: list[int]) -> list[Decimal]:
    """Shares in percent with one decimal that add up to exactly 100: what rounding leaves goes to the largest remainders."""
    total = sum(counts)
    if total == 0:
        return [Decimal("0.0") for _ in counts]
    exact = [Decimal(100 * n) / total for n in counts]
    down = [share.quantize(TENTH, rounding=ROUND_DOWN) for share in exact]
    missing = int((Decimal(100) - sum(down)) / TENTH)
    order = sorted(range(len(counts)), key=lambda i: (down[i] - exact[i], i))[:missing]
    return [share + TENTH if i in order else share for i, share in enumerate(down)]


def move_matrix(work: Work, tier: Tier, since: date | None = None, until: date | None = None) -> MoveMatrix:
    """Moves between two local days; the last 30 days if they are not said."""
    until = until or date.fromordinal(work.day)
    since = since or until - timedelta(days=29)
    pairs: dict[tuple[str | None, str | None], int] = {}
    causes: dict[str, int] = {}
    for old, new, cause, many in tallies.move_counts(work.tx, tier.name, since, until):
        pairs[old, new] = pairs.get((old, new), 0) + many
        causes[cause] = causes.get(cause, 0) + many
    return MoveMatrix(tier.name, since, until, tuple((old, new, many) for (old, new), many in pairs.items()), causes)


def profile(work: Work, key: str) -> Profile:
    """What is known of one user. Raises NotFound."""
    user = store_users.find_users(work.tx, work.project, ids=[people.get_id(work.tx, key)])[0]
    names = [name for name in (*work.project.metrics, *work.project.tags) if name != QUIET]
    facts = store_facts.read_facts(work.tx, work.project, names, Scope.of([user.id]), work.now).get(user.id, {})
    placed = levels.current_levels(work.tx, [user.id]).get(user.id, {})
    stored = {t.tag: t for t in history.list_tags(work.tx, user.id)}
    held = [stored.get(n) or HeldTag(n, work.now, None) for n in work.project.tags if facts.get(n) is True]
    return Profile(
        user.key,
        user.joined_at,
        user.timezone,
        user.locale,
        {name: masked(work.project, name, value) for name, value in user.attributes.items()},
        tuple(
            LevelHeld(p.model, p.level, p.before, date.fromordinal(p.since_day)) for p in placed.values() if not p.model.startswith(WATCH)
        ),
        tuple(held),
        {name: facts[name] for name in work.project.metrics if facts.get(name) is not None},
        levels.levels_by_hand(work.tx, [user.id], work.day).get(user.id, {}),
        history.event_counts(work.tx, user.id),
        tuple(RunBrief(r.flow, r.version, r.started_at, r.state, r.end_reason) for r in runs.list_runs(work.tx, user.id)),
    )
