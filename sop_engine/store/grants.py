"""Benefits promised to users: codes taken from pools, budgets counted from rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from sop_engine.store.bulk import among
from sop_engine.store.columns import table_of
from sop_engine.store.run_tables import GrantRow, PoolCodeRow, PoolRow

grants = table_of(GrantRow)
pools = table_of(PoolRow)
pool_codes = table_of(PoolCodeRow)

GIVING = 0x736F70  # the number of the lock
COUNTED = ("reserved", "issued", "redeemed", "expired")


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
    tx.execute(update(pool_codes).where(pool_codes.c.pool == new.pool, pool_codes.c.code == new.code).values(grant_id=grant_id))
    return grant_id


def settle(tx: Connection, touch_ids: Sequence[int], state: str) -> None:
    """`reserved` grants of these touches become issued, or released: then their codes are free again."""
    mine, ids = and_(among(grants.c.touch_id), grants.c.state == "reserved"), {"ids": touch_ids}
    if state == "released":
        for row in tx.execute(select(grants.c.pool, grants.c.code).where(mine), ids).all():
            give_back(tx, row.pool, row.code)
    tx.execute(update(grants).where(mine).values(state=state), ids)


def take_back(tx: Connection, touch_ids: Sequence[int]) -> None:
    """Issued grants of messages that reached nobody are released; one that was used meanwhile stays as it is."""
    mine, ids = and_(among(grants.c.touch_id), grants.c.state == "issued"), {"ids": touch_ids}
    tx.execute(update(grants).where(mine).values(state="reserved"), ids)
    settle(tx, touch_ids, "released")


def give_back(tx: Connection, pool: str, code: str) -> None:
    """Put a code back into its pool."""
    tx.execute(update(pools).where(pools.c.name == pool, pools.c.taken > 0).values(taken=pools.c.taken - 1))
    tx.execute(update(pool_codes).where(pool_codes.c.pool == pool, pool_codes.c.code == code).values(grant_id=None))


def void_unused(tx: Connection, run_ids: Sequence[int], benefit: str | None = None) -> int:
    """Void issued, unused benefits of these runs; how many."""
    statement = update(grants).where(grants.c.run_id.in_(run_ids), grants.c.state.in_(("reserved", "issued")))
    if benefit is not None:
        statement = statement.where(grants.c.benefit == benefit)
    return tx.execute(statement.values(state="voided")).rowcount


def list_over(tx: Connection, now: datetime) -> list[Row[Any]]:
    """Issued benefits whose time is over."""
    return list(tx.execute(select(grants).where(grants.c.state == "issued", grants.c.expires_at <= now).order_by(grants.c.id)))


def expire(tx: Connection, now: datetime) -> int:
    """Issued benefits whose time is over become expired; how many."""
    over = and_(grants.c.state == "issued", grants.c.expires_at <= now)
    return tx.execute(update(grants).where(over).values(state="expired")).rowcount


def redeem(tx: Connection, *, code: str, at: datetime) -> Row[Any] | None:
    """Mark an issued benefit as used; None when no such code is unused, or its time was over then."""
    in_time = grants.c.expires_at.is_(None) | (grants.c.expires_at > at)
    statement = update(grants).where(grants.c.code == code, grants.c.state.in_(("issued", "reserved")), in_time)
    return tx.execute(statement.values(state="redeemed", used_at=at).returning(grants)).first()


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
