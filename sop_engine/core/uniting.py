"""Decides what becomes of the facts, runs, touches and coupons of two users who become one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sop_engine.core.conditions import And, Compare, Condition, Constant, Not, Or, Ref, Truth
from sop_engine.core.run import Run, Touch

WAITING = frozenset({"planned", "queued"})
PERHAPS_SENT = frozenset({"sent", "sending", "unknown"})


@dataclass(frozen=True, slots=True)
class Told:
    """What was said about one user: plain attributes, when each was (ISO; one that is missing: when the user joined), and since when."""

    attributes: Mapping[str, Any]
    known_at: Mapping[str, str]
    joined_at: datetime

    def since(self, name: str) -> datetime:
        """When this value was said."""
        at = self.known_at.get(name)
        return datetime.fromisoformat(at) if at else self.joined_at


def united_attributes(older: Told, younger: Told, refusals: Mapping[str, bool]) -> tuple[dict[str, Any], dict[str, str]]:
    """The attributes of both, and when each was said: the newer known value, of equally old ones the younger user's.

    `refusals` names flags by which a channel may speak or not, with the value that forbids it: of two known ones that value wins.
    """
    values, times = dict(older.attributes), dict(older.known_at)
    for name, value in younger.attributes.items():
        mine = values.get(name)
        newer = mine is None or younger.since(name) >= older.since(name)
        if name in refusals and isinstance(mine, bool) and isinstance(value, bool) and mine != value:
            newer = value is refusals[name]
        if newer and value is not None:
            values[name] = value
            times[name] = younger.since(name).isoformat()
    return values, times


def refusals_of(conditions: Iterable[Condition | None]) -> dict[str, bool]:
    """Flags that what a channel `needs` reads, with the value that forbids: `短信许可` forbids by no, `not 拒收` by yes."""
    found: dict[str, bool] = {}
    for condition in conditions:
        if condition is not None:
            _collect(condition, False, found)
    return found


def _collect(part: Condition, forbids: bool, found: dict[str, bool]) -> None:
    match part:
        case Truth(ref):
            found[ref.name] = forbids
        case Not(inner):
            _collect(inner, not forbids, found)
        case And(parts) | Or(parts):
            for one in parts:
                _collect(one, forbids, found)
        case Compare(op, Ref() as ref, Constant(bool() as value)) if op in ("=", "!="):
            wanted = value if op == "=" else not value
            found[ref.name] = (not wanted) if not forbids else wanted
        case _:
            return


@dataclass(frozen=True, slots=True)
class RunsPlan:
    """What becomes of the open runs and waiting touches of two users who become one.

    `end`: runs of the younger one that end `merged`. `drop`: touches of the older one's runs that the other run has sent already.
    `adopt`: touches of ended runs that go on in a run of the older one, by that run.
    """

    end: tuple[Run, ...] = ()
    drop: tuple[Touch, ...] = ()
    adopt: tuple[tuple[Run, Touch], ...] = field(default=())


def runs_plan(
    older: Sequence[Run], younger: Sequence[Run], touches: Mapping[int, Sequence[Touch]], taken_arms: frozenset[str], chained: Any
) -> RunsPlan:
    """One run of each flow: the older user's stays. A run of a flow in which only the younger one is goes on.

    `taken_arms`: flows of experiments in which the older user has another arm than the younger: such runs of the younger one end.
    `chained(run, step)` says whether a step waits for another one of its run, so that a run may lack its touch.
    """
    mine = {run.flow: run for run in older if run.open}
    ending = tuple(run for run in younger if run.open and (run.flow in mine or run.flow in taken_arms))
    drop: list[Touch] = []
    adopt: list[tuple[Run, Touch]] = []
    for run in ending:
        stays = mine.get(run.flow)
        if stays is None:
            continue
        there = {(t.step, t.occurrence): t for t in touches.get(stays.id, ())}
        steps = {t.step for t in there.values()}
        for touch in touches.get(run.id, ()):
            twin = there.get((touch.step, touch.occurrence))
            if touch.state in PERHAPS_SENT and twin is not None and twin.state in WAITING:
                drop.append(twin)
            elif touch.state in WAITING and touch.step not in steps and not touch.attempts and chained(stays, touch.step):
                adopt.append((stays, touch))
    return RunsPlan(ending, tuple(drop), tuple(adopt))


@dataclass(frozen=True, slots=True)
class Coupon:
    """A benefit that was given and is not used."""

    id: int
    user_id: int
    benefit: str
    expires_at: datetime | None


def coupons_to_void(older: int, coupons: Iterable[Coupon]) -> list[int]:
    """Of benefits both users hold, all but one: the one that is valid longest stays, of equal ones the older user's."""
    held: dict[str, list[Coupon]] = {}
    for coupon in coupons:
        held.setdefault(coupon.benefit, []).append(coupon)
    void: list[int] = []
    for group in held.values():
        if len({c.user_id for c in group}) > 1:
            for user in {c.user_id for c in group} - {_keeper(older, group).user_id}:
                void += [c.id for c in group if c.user_id == user]
    return sorted(void)


def _keeper(older: int, group: Sequence[Coupon]) -> Coupon:
    return max(group, key=lambda c: (c.expires_at is None, c.expires_at.timestamp() if c.expires_at else 0.0, c.user_id == older))
