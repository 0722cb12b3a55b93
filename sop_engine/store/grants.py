"""Benefits promised to users: codes taken from pools, budgets counted from rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, func, insert, select, update

from sop_engine.core.grant_states import ACTS, COUNTED
from sop_engine.store.bulk import among
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import GrantRow, PoolCodeRow, PoolRow, TouchRow

grants = table_of(GrantRow)
pools = table_of(PoolRow)
pool_codes = table_of(PoolCodeRow)
touches = table_of(TouchRow)

GIVING = 0x736F70  # the number of the lock
OF_ONE = ("code", "external")  # kinds whose code belongs to one grant


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A benefit to be promised by one touch."""

    user_id: int
    run_id: int
    touch_id: int
    flow: str
    step: str
    benefit: str
    pool: str
    code: str
    cost: Decimal
    given_at: datetime
    given_day: int
    expires_at: datetime | None
    kind: str = "code"
    worth: Decimal | None = None
    sets: Mapping[str, Any] | None = None


def _may(act: str) -> ColumnElement[bool]:
    """Whether a grant is in a state in which this may happen; one state alone is compared by `=`, so that partial indexes serve."""
    first, *others = ACTS[act].before
    return grants.c.state.in_((first, *others)) if others else grants.c.state == first


def lock(tx: Connection) -> None:
    """Nobody else gives benefits until the end of the transaction: sums of money are read, compared and added to."""
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(GIVING)))


def spent(tx: Connection, *, since_day: int, benefit: str | None = None, flow: str | None = None) -> Decimal:
    """Money promised since a local day, by benefit or by flow."""
    statement = select(func.coalesce(func.sum(grants.c.cost), 0)).where(grants.c.given_day >= since_day, grants.c.state.in_(COUNTED))
    if benefit is not None:
        statement = statement.where(grants.c.benefit == benefit)
    if flow is not None:
        statement = statement.where(grants.c.flow == flow)
    return Decimal(tx.execute(statement).scalar_one())


def given(tx: Connection, user_ids: Sequence[int]) -> dict[int, dict[str, list[Any]]]:
    """Counted grants by user and benefit: for limits and stacking. Rows have given_at, given_day, state, expires_at, run_id, benefit."""
    c = grants.c
    statement = select(c.user_id, c.benefit, c.given_at, c.given_day, c.state, c.expires_at, c.run_id)
    found: dict[int, dict[str, list[Any]]] = {}
    for row in tx.execute(statement.where(among(c.user_id), c.state.in_(COUNTED)), {"ids": user_ids}):
        found.setdefault(row.user_id, {}).setdefault(row.benefit, []).append(row)
    return found


def pool_left(tx: Connection, pool: str) -> int | None:
    """Codes left in a pool; None without end (a pool nobody has limited generates its codes)."""
    row = tx.execute(select(pools).where(pools.c.name == pool)).first()
    if row is None or (row.kind == "generated" and row.size is None):
        return None
    return max(0, row.size - row.taken) if row.size is not None else None


def code_before(tx: Connection, touch_id: int, benefit: str) -> str | None:
    """The code an earlier try of this touch had, and gave back."""
    mine = (grants.c.touch_id == touch_id) & (grants.c.benefit == benefit) & (grants.c.state == "released")
    code: str | None = tx.execute(select(grants.c.code).where(mine)).scalar()
    return code


def take_code(tx: Connection, pool: str, generate: Callable[[], str], *, before: str | None = None) -> str | None:
    """One code of the pool, taken by one conditional UPDATE; None when the pool is empty. `before` is taken again if it is free."""
    row = tx.execute(select(pools.c.kind).where(pools.c.name == pool)).first()
    if row is None:
        return before or generate()
    room = and_(pools.c.name == pool, (pools.c.size.is_(None)) | (pools.c.taken < pools.c.size))
    if tx.execute(update(pools).where(room).values(taken=pools.c.taken + 1)).rowcount == 0:
        return None
    return (before or generate()) if row.kind == "generated" else _take_uploaded(tx, pool, before)


def _take_uploaded(tx: Connection, pool: str, before: str | None) -> str | None:
    c = pool_codes.c
    free = select(c.code).where(c.pool == pool, c.grant_id.is_(None)).order_by(c.code != before, c.code).limit(1).scalar_subquery()
    statement = update(pool_codes).where(c.pool == pool, c.code == free).values(grant_id=0).returning(c.code)
    code: str | None = tx.execute(statement).scalar()
    return code


def add_grant(tx: Connection, new: NewGrant) -> int:
    """Reserve a benefit; the id of the grant. A repeated try of the touch takes up the grant it gave back."""
    values = {f: getattr(new, f) for f in NewGrant.__dataclass_fields__} | {"state": "reserved"}
    again = (grants.c.touch_id == new.touch_id) & (grants.c.benefit == new.benefit) & (grants.c.state == "released")
    taken = tx.execute(update(grants).where(again).values(values).returning(grants.c.id)).scalar()
    grant_id: int = taken or tx.execute(insert(grants).values(values).returning(grants.c.id)).scalar_one()
    if new.kind == "code":
        tx.execute(update(pool_codes).where(pool_codes.c.pool == new.pool, pool_codes.c.code == new.code).values(grant_id=grant_id))
    return grant_id


def issue(tx: Connection, touch_ids: Sequence[int], at: datetime) -> list[Row[Any]]:
    """Reserved grants of these touches become issued: their messages were accepted. The grants, whole rows."""
    mine = and_(among(grants.c.touch_id), _may("issue"))
    tied = case((grants.c.kind == "entitlement", "attribute"), (grants.c.kind == "external", "provider"), else_=None)
    values = {"state": ACTS["issue"].after, "issued_at": at, "tied": tied}
    return list(tx.execute(update(grants).where(mine).values(values).returning(grants), {"ids": touch_ids}))


def prolong(tx: Connection, until: Mapping[int, datetime]) -> None:
    """By grant: it is valid until then."""
    statement = update(grants).where(grants.c.id == bindparam("grant")).values(expires_at=bindparam("until"))
    if until:
        tx.execute(statement, [{"grant": grant, "until": at} for grant, at in until.items()])


def release(tx: Connection, touch_ids: Sequence[int]) -> None:
    """Reserved grants of these touches are given back: nothing was sent, and their codes are free again."""
    mine, ids = and_(among(grants.c.touch_id), _may("release")), {"ids": touch_ids}
    for row in tx.execute(select(grants.c.pool, grants.c.code).where(mine, grants.c.kind == "code"), ids).all():
        give_back(tx, row.pool, row.code)
    tx.execute(update(grants).where(mine).values(state=ACTS["release"].after), ids)


def take_back(tx: Connection, touch_ids: Sequence[int]) -> None:
    """Issued grants of messages that reached nobody are released; one that was used meanwhile stays as it is."""
    mine, ids = and_(among(grants.c.touch_id), grants.c.state == "issued"), {"ids": touch_ids}
    tx.execute(update(grants).where(mine).values(state="reserved"), ids)
    release(tx, touch_ids)


def give_back(tx: Connection, pool: str, code: str) -> None:
    """Put a code back into its pool."""
    tx.execute(update(pools).where(pools.c.name == pool, pools.c.taken > 0).values(taken=pools.c.taken - 1))
    tx.execute(update(pool_codes).where(pool_codes.c.pool == pool, pool_codes.c.code == code).values(grant_id=None))


def void_unused(tx: Connection, run_ids: Sequence[int], benefit: str | None = None) -> int:
    """Void issued, unused benefits of these runs; how many."""
    statement = update(grants).where(grants.c.run_id.in_(run_ids), _may("void"))
    if benefit is not None:
        statement = statement.where(grants.c.benefit == benefit)
    return tx.execute(statement.values(state=ACTS["void"].after)).rowcount


def void(tx: Connection, grant_id: int) -> bool:
    """Void one unused benefit; False when it is used, over or taken back already."""
    mine = grants.c.id == grant_id, _may("void")
    return bool(tx.execute(update(grants).where(*mine).values(state=ACTS["void"].after)).rowcount)


def list_over(tx: Connection, now: datetime) -> list[Row[Any]]:
    """Issued benefits whose time is over."""
    return list(tx.execute(select(grants).where(grants.c.state == "issued", grants.c.expires_at <= now).order_by(grants.c.id)))


def expire(tx: Connection, now: datetime) -> int:
    """Issued benefits whose time is over become expired; how many."""
    over = and_(_may("expire"), grants.c.expires_at <= now)
    return tx.execute(update(grants).where(over).values(state=ACTS["expire"].after)).rowcount


def of_code(tx: Connection, codes: Sequence[str]) -> list[Row[Any]]:
    """Grants that hold one of these spellings of a code, the one that can be used first. What was given back holds none."""
    c = grants.c
    usable = case((c.state.in_(("issued", "reserved")), 0), (c.state == "redeemed", 1), else_=2)
    mine = select(grants).where(c.code.in_([code for code in codes if code]), c.kind.in_(OF_ONE), c.state != "released")
    return list(tx.execute(mine.order_by(usable, c.id)))


def get_grant(tx: Connection, grant_id: int) -> Row[Any] | None:
    """One grant, the whole row."""
    return tx.execute(select(grants).where(grants.c.id == grant_id)).first()


def redeem(tx: Connection, *, code: str, at: datetime, event: str | None = None) -> Row[Any] | None:
    """Mark a benefit as used, by its code; None when no such code is unused, or its time was over then.

    What ran out meanwhile counts, for it was used in time. The event that says so is told of the grant again if it comes back.
    """
    if event is not None and (known := used_by(tx, event)) is not None:
        return known
    found = [row for row in of_code(tx, [code]) if row.state in ACTS["redeem"].before and (row.expires_at is None or row.expires_at > at)]
    return use(tx, found[0].id, at, event=event) if found else None


def used_by(tx: Connection, event: str) -> Row[Any] | None:
    """The benefit that an event, by its message id, has marked as used."""
    return tx.execute(select(grants).where(grants.c.used_event == event)).first()


def use(
    tx: Connection, grant_id: int, at: datetime, *, event: str | None = None, order: str | None = None, arrived: bool = False
) -> Row[Any] | None:
    """Mark one benefit as used at a time; None when it was over then, or is used, or taken back. A use before it was given is one at once.

    With `arrived` only what was certainly sent counts.
    """
    c = grants.c
    before = [state for state in ACTS["redeem"].before if not (arrived and state == "reserved")]
    mine = c.id == grant_id, c.state.in_(before), c.expires_at.is_(None) | (c.expires_at > at)
    values = {"state": ACTS["redeem"].after, "used_at": case((c.given_at > at, c.given_at), else_=at), "used_event": event}
    return tx.execute(update(grants).where(*mine).values({**values, "used_order": order}).returning(grants)).first()


def reverse(tx: Connection, grant_id: int, order: str) -> Row[Any] | None:
    """The order in which a benefit was used is taken back: it may be used again; None when another order, or none, used it."""
    mine = grants.c.id == grant_id, _may("reverse"), grants.c.used_order == order
    values = {"state": ACTS["reverse"].after, "used_at": None, "used_event": None, "used_order": None}
    return tx.execute(update(grants).where(*mine).values(values).returning(grants)).first()


def tied_ended(tx: Connection) -> list[Row[Any]]:
    """Grants that are over, of which something outside still stands: an attribute of the user, or a coupon at a provider."""
    c, tied = grants.c, grants.c.tied.is_not(None)
    still = select(touches.c.id).where(touches.c.id == c.touch_id, touches.c.state.in_(("planned", "queued", "sending", "unknown")))
    over = select(grants).where(tied, c.state.in_(("expired", "voided")))
    given_back = select(grants).where(tied, c.state == "released", ~still.exists())  # one that may be taken up again is left
    return [*tx.execute(over.order_by(c.id).limit(1000)), *tx.execute(given_back.order_by(c.id).limit(1000))]


def untie(tx: Connection, grant_ids: Sequence[int]) -> None:
    """Nothing outside stands with these grants any more."""
    tx.execute(update(grants).where(among(grants.c.id)).values(tied=None), {"ids": grant_ids})


def holding(tx: Connection, user_ids: Sequence[int]) -> list[Row[Any]]:
    """Entitlements these users have now."""
    mine = among(grants.c.user_id), grants.c.kind == "entitlement", grants.c.state == "issued"
    return list(tx.execute(select(grants).where(*mine), {"ids": user_ids}))


def add_codes(tx: Connection, pool: str, codes: Sequence[str]) -> int:
    """Upload codes into a pool; how many were new."""
    known = {r.code for r in tx.execute(select(pool_codes.c.code).where(pool_codes.c.pool == pool))}
    fresh = [c for c in dict.fromkeys(codes) if c not in known]
    if fresh:
        tx.execute(insert(pool_codes), [{"pool": pool, "code": c} for c in fresh])
    exists = tx.execute(select(pools.c.name).where(pools.c.name == pool)).first()
    if exists is None:
        tx.execute(insert(pools).values(name=pool, kind="uploaded", size=len(fresh), taken=0))
    else:
        total = func.coalesce(pools.c.size, 0) + len(fresh)
        tx.execute(update(pools).where(pools.c.name == pool).values(kind="uploaded", size=total))
    return len(fresh)


def benefit_costs(tx: Connection) -> list[Mapping[str, Any]]:
    """Per flow, benefit and state: how many and what they cost."""
    c = grants.c
    statement = select(c.flow, c.benefit, c.state, func.count().label("many"), func.sum(c.cost).label("cost"))
    return [dict(r._mapping) for r in tx.execute(statement.group_by(c.flow, c.benefit, c.state).order_by(c.flow, c.benefit, c.state))]
