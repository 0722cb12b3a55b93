"""Moves users between the levels of a model, inside the database, for any set of users in one statement; only movers come out."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection

from sop_engine.core.conditions import Condition, Ref, refs_of
from sop_engine.core.models import tier_conditions
from sop_engine.core.run import from_json
from sop_engine.core.tiers import Level, Tier
from sop_engine.store.derived import day_params
from sop_engine.store.dialect import dialect, run
from sop_engine.store.layers import Known, Layers
from sop_engine.store.levels import Moved
from sop_engine.store.scope import Scope


def place(  # noqa: PLR0913 - where, what, who, when and why; each a word of its own in every call
    tx: Connection, given: Known, tier: Tier, scope: Scope, now: datetime, *, cause: str, release: str, stream: bool = True
) -> list[Moved]:
    """Decide everybody's level anew, store the moves and where they lead; the moves, or none of them with `stream=False`.

    `given` is what holds on the local day of `now`; the moves are dated `now`, which may be a midnight that was missed.
    """
    to = dialect(tx)
    params = scope.params(to) | day_params(given.today)
    run(tx, f"CREATE TEMP TABLE IF NOT EXISTS movers (user_id BIGINT, old TEXT, new TEXT, up {to.types['flag']}, facts {to.types['json']})")
    run(tx, f"{to.empty} movers")
    if run(tx, f"INSERT INTO movers {_movers(given, scope.shape, tier)}", params).rowcount == 0:
        return []
    common = {
        "model": tier.name,
        "at": to.instant(now),
        "day": params["today"],
        "cause": cause,
        "release": release,
    }
    p = {name: to.param(name) for name in common}
    run(
        tx,
        "INSERT INTO moves (user_id, model, old, new, up, at, day, cause, facts, release) SELECT user_id, "
        f"{p['model']}, old, new, up, {p['at']}, {p['day']}, {p['cause']}, facts, {p['release']} "
        "FROM movers ORDER BY user_id",
        common,
    )
    kept = ", ".join(f"{c} = excluded.{c}" for c in ("level", "before", "since_at", "since_day", "cause"))
    run(
        tx,
        "INSERT INTO placements (model, user_id, level, before, since_at, since_day, cause) SELECT "
        f"{p['model']}, user_id, new, old, {p['at']}, {p['day']}, {p['cause']} FROM movers WHERE TRUE "
        f"ON CONFLICT (model, user_id) DO UPDATE SET {kept}",
        common,
    )
    return _moved(tx, tier, now, params["today"]) if stream else []


@lru_cache(maxsize=256)
def _movers(given: Known, shape: Scope, tier: Tier) -> str:
    """The SELECT of those whose level is another one now: user_id, old, new, up, facts."""
    layers, to = Layers(given, shape), given.to
    old = Ref("tier", tier.name, "level")
    conditions = tier_conditions(tier)
    layers.add([old])
    new, waits = _new_level(layers, tier, layers.read(old)), "FALSE"
    override = layers.override(tier.name)
    if override is not None:
        new = f"CASE WHEN {override[0]} THEN {override[1]} ELSE {new} END"
    up = _up(layers, tier, layers.read(old), "new")
    if tier.min_stay:
        days = Ref("tier_days", tier.name, "number")
        layers.add([days])
        waits = f"{layers.read(old)} IS NOT NULL AND new IS NOT NULL AND {up} IS NOT TRUE AND {layers.read(days)} < {tier.min_stay}"
        waits = f"COALESCE({waits}, FALSE)" if override is None else f"COALESCE({waits} AND NOT {override[0]}, FALSE)"
    facts = to.json_object([(r.key, layers.read(r), r.kind) for r in _read_by(conditions)])
    placed = f"(SELECT *, {new} AS new FROM {layers.query()} {to.barrier}) p"
    moved = f"{layers.read(old)} IS DISTINCT FROM new AND NOT {waits}"
    return f"SELECT user_id, {layers.read(old)}, new, {up}, {facts} FROM {placed} WHERE {moved}"


def _new_level(layers: Layers, tier: Tier, old: str) -> str:
    to = layers.to
    branches = [f"WHEN {_rule(layers, level, old)} THEN {to.quoted(level.name)}" for level in tier.levels]
    if tier.only is not None:
        branches.insert(0, f"WHEN NOT COALESCE({layers.condition(tier.only)}, FALSE) THEN NULL")
    return f"CASE {' '.join(branches)} END"


def _rule(layers: Layers, level: Level, old: str) -> str:
    rule = layers.condition(level.rule)
    if level.keep is None:
        return rule
    return f"({rule} OR ({old} = {layers.to.quoted(level.name)} AND {layers.condition(level.keep)}))"


def _up(layers: Layers, tier: Tier, old: str, new: str) -> str:
    """Whether a move goes up the ladder; NULL where that cannot be said."""
    if not tier.ladder:
        return f"CAST(NULL AS {layers.to.types['flag']})"
    places = " ".join(f"WHEN {layers.to.quoted(name)} THEN {i}" for i, name in enumerate(tier.ladder))
    return f"(CASE {new} {places} END < CASE {old} {places} END)"


def _read_by(conditions: Iterable[Condition]) -> list[Ref]:
    """What rules read, each once."""
    return list({r.key: r for c in conditions for r in refs_of(c)}.values())


def _moved(tx: Connection, tier: Tier, now: datetime, day: int) -> list[Moved]:
    to = dialect(tx)
    rows = run(tx, "SELECT user_id, old, new, up, facts FROM movers ORDER BY user_id")
    return [Moved(r[0], tier.name, r[1], r[2], None if r[3] is None else bool(r[3]), now, day, from_json(to.json_of(r[4]))) for r in rows]
