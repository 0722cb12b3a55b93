"""Remembers which colleague and which customer of a corporation are connected, as the newest word about them says."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select, update

from sop_engine.core.wecom import Relation, WecomPair
from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.wechat_tables import RelationRow

relations = table_of(RelationRow)


def connect(tx: Connection, corp: str, pair: WecomPair, at: datetime, *, owner: bool = False) -> None:
    """The two are connected since then, unless something newer is known."""
    newer = {"state": "connected", "owner": owner, "since": at, "changed_at": at}
    row = {"corp": corp, "customer": pair.customer, "staff": pair.staff, **newer}
    put_rows(tx, relations, [row], key=["corp", "customer", "staff"], over=False)
    tx.execute(update(relations).where(*_mine(corp, pair), relations.c.changed_at < at).values(newer))


def end(tx: Connection, corp: str, pair: WecomPair, state: str, at: datetime) -> None:
    """They are not any more: removed, left or unfit; unless something newer is known."""
    row = {"corp": corp, "customer": pair.customer, "staff": pair.staff, "state": state, "owner": False, "since": at, "changed_at": at}
    put_rows(tx, relations, [row], key=["corp", "customer", "staff"], over=False)
    tx.execute(update(relations).where(*_mine(corp, pair), relations.c.changed_at <= at).values(state=state, changed_at=at))


def of_customer(tx: Connection, corp: str, customer: str) -> list[Relation]:
    """The colleagues a customer is connected to."""
    c = relations.c
    mine = c.corp == corp, c.customer == customer, c.state == "connected"
    return [Relation(r.staff, r.since, r.owner) for r in tx.execute(select(c.staff, c.since, c.owner).where(*mine))]


def _mine(corp: str, pair: WecomPair) -> tuple[ColumnElement[bool], ...]:
    return relations.c.corp == corp, relations.c.customer == pair.customer, relations.c.staff == pair.staff
