"""Counts the messages people have permitted an account to send them: each permission is used up by one message."""

from sqlalchemy import ColumnElement, Connection, case, select, update

from sop_engine.store.bulk import put_rows
from sop_engine.store.columns import table_of
from sop_engine.store.wechat_tables import PermissionRow

permissions = table_of(PermissionRow)


def left(tx: Connection, account: str, openid: str, template: str) -> int:
    """How many are left."""
    return tx.execute(select(permissions.c.remaining).where(*_mine(account, openid, template))).scalar() or 0


def add(tx: Connection, account: str, openid: str, template: str, more: int) -> None:
    """So many more are permitted; fewer, when negative, but never less than none."""
    _there(tx, account, openid, template)
    fewer = permissions.c.remaining + more
    tx.execute(update(permissions).where(*_mine(account, openid, template)).values(remaining=case((fewer < 0, 0), else_=fewer)))


def put(tx: Connection, account: str, openid: str, template: str, many: int) -> None:
    """Exactly so many are left, as the provider says."""
    _there(tx, account, openid, template)
    tx.execute(update(permissions).where(*_mine(account, openid, template)).values(remaining=many))


def _there(tx: Connection, account: str, openid: str, template: str) -> None:
    row = {"account": account, "openid": openid, "template": template, "remaining": 0}
    put_rows(tx, permissions, [row], key=["account", "openid", "template"], over=False)


def _mine(account: str, openid: str, template: str) -> tuple[ColumnElement[bool], ...]:
    return permissions.c.account == account, permissions.c.openid == openid, permissions.c.template == template
