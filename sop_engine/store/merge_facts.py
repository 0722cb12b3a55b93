"""Unites what is known of two users, one row for each name, and takes it apart again: attributes, tags, levels, refusals, arms."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, insert, literal, or_, select, update

from sop_engine.core.project import Project
from sop_engine.core.uniting import Told, united_attributes
from sop_engine.store.columns import Instant, table_of
from sop_engine.store.identity_tables import FormerUserRow, IdentityRow
from sop_engine.store.run_tables import AssignmentRow, OptOutRow
from sop_engine.store.tables import OverrideRow, PlacementRow, TagRow, UserRow
from sop_engine.store.users import ensure_users

users, former, identities = table_of(UserRow), table_of(FormerUserRow), table_of(IdentityRow)
NAMED: Mapping[Table, tuple[str, ...]] = {
    table_of(TagRow): ("tag",),
    table_of(OverrideRow): ("name",),
    table_of(OptOutRow): ("channel", "topic"),
    table_of(AssignmentRow): ("experiment",),
    table_of(PlacementRow): ("model",),
    identities: ("attribute", "value"),
}
"""Tables with one row for each user and name."""

Rows = dict[str, dict[str, Any]]
"""By name: a row as plain JSON."""


def snapshot(tx: Connection, user_id: int) -> dict[str, Any]:
    """Everything of a user that has one row for each name, and the user's own row, as plain JSON."""
    named = {table.name: _rows(tx, table, user_id) for table in NAMED}
    row = tx.execute(select(users).where(users.c.id == user_id)).one()
    return {"user": _plain(row._mapping), **named}


def _rows(tx: Connection, table: Table, user_id: int) -> Rows:
    found = tx.execute(select(table).where(table.c.user_id == user_id))
    return {"\n".join(str(row._mapping[k]) for k in NAMED[table]): _plain(row._mapping) for row in found}


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(k): v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}


def _typed(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    times = {c.name for c in table.c if isinstance(c.type, Instant)}
    return {k: datetime.fromisoformat(v) if k in times and v is not None else v for k, v in row.items()}


def unite_facts(
    tx: Connection, older: Mapping[str, Any], younger: Mapping[str, Any], refusals: Mapping[str, bool], turn: int
) -> dict[str, Any]:
    """Write what the older user has from now on, out of two snapshots; returned as a snapshot. The younger user is none any more.

    `turn` is a turn later than any of both: refusals of either forbid from then on.
    """
    here, gone = older["user"]["id"], younger["user"]["id"]
    given: dict[str, Any] = {"user": _united_user(older["user"], younger["user"], refusals)}
    for table in NAMED:
        given[table.name] = _united(table.name, older[table.name], younger[table.name], here, turn)
        tx.execute(delete(table).where(table.c.user_id.in_((here, gone))))
        _write(tx, table, given[table.name])
    _write_user(tx, given["user"] | {"turn": turn})
    _bury(tx, here, gone)
    return given


def _united(name: str, older: Rows, younger: Rows, here: int, turn: int) -> Rows:
    if name == "placements":
        return older
    rows = dict(older)
    for key, row in younger.items():
        mine = rows.get(key)
        rows[key] = {**(row if mine is None else _one_of(name, mine, row)), "user_id": here}
        if name == "identities" and mine is None:
            rows[key]["kept"] = True
    return {key: {**row, "turn": turn} for key, row in rows.items()} if name == "opt_outs" else rows


def _one_of(name: str, mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Of two rows of one name: the first arm and refusal, the last tag and word of a colleague; a tag with the evidence of both."""
    if name in ("assignments", "identities"):
        return mine
    if name == "opt_outs":
        return min(mine, theirs, key=lambda r: r["at"])
    time = "set_at" if name == "user_tags" else "at"
    last, first = (theirs, mine) if theirs[time] >= mine[time] else (mine, theirs)
    if name == "user_tags" and (last["evidence"] or first["evidence"]):
        listed = list(last["evidence"] or [])
        return {**last, "evidence": [*listed, *(e for e in first["evidence"] or [] if e not in listed)]}
    return last


def _united_user(older: Mapping[str, Any], younger: Mapping[str, Any], refusals: Mapping[str, bool]) -> dict[str, Any]:
    values, times = united_attributes(_told(older), _told(younger), refusals)
    first = min(older, younger, key=lambda r: r["joined_at"])
    zones = {k: older[k] or younger[k] for k in ("timezone", "locale")}
    return {**older, **zones, "joined_at": first["joined_at"], "joined_day": first["joined_day"], "attributes": values, "known_at": times}


def _told(row: Mapping[str, Any]) -> Told:
    return Told(row["attributes"], row["known_at"] or {}, datetime.fromisoformat(row["joined_at"]))


def _write(tx: Connection, table: Table, rows: Rows) -> None:
    if rows:
        tx.execute(insert(table), [_typed(table, row) for row in rows.values()])


def _write_user(tx: Connection, row: Mapping[str, Any]) -> None:
    tx.execute(update(users).where(users.c.id == row["id"]).values(_typed(users, row)))


def _bury(tx: Connection, here: int, gone: int) -> None:
    """The row of the younger user becomes one of a former user; who was part of it is part of the older one."""
    columns = [c.name for c in users.c]
    tx.execute(update(former).where(former.c.now_id == gone).values(now_id=here))
    copied = select(*(users.c[c] for c in columns), literal(here)).where(users.c.id == gone)
    tx.execute(insert(former).from_select([*columns, "now_id"], copied))
    tx.execute(delete(users).where(users.c.id == gone))


def add_former(tx: Connection, project: Project, user_id: int, key: str, at: datetime) -> None:
    """From now on a key that nobody had is one of this user: as if a user of that key, seen at that time, had become part of it."""
    ids, _ = ensure_users(tx, project, [(key, at)])
    _bury(tx, user_id, ids[key])


def part_facts(tx: Connection, before: Mapping[str, Any], members: list[int]) -> None:
    """Two are two again: each has what it had, the older one also what came later. Refusals stay with both.

    `before` has the snapshots `older`, `younger` and `given`; `members` were part of the younger user.
    """
    older, younger, given = (before[k] for k in ("older", "younger", "given"))
    here, gone = older["user"]["id"], younger["user"]["id"]
    now = snapshot(tx, here)
    _raise(tx, now, younger, members)
    turn = now["user"]["turn"] + 1
    for table in NAMED:
        name = table.name
        mine = {} if name == "placements" else _parted(now[name], given[name], older[name])
        theirs = dict(younger[name])
        if name == "opt_outs":
            mine = {key: {**row, "turn": turn} for key, row in now[name].items()}
            theirs = {key: {**row, "user_id": gone} for key, row in mine.items()}
        stays = table.c.user_id == here
        tx.execute(delete(table).where(table.c.user_id == gone if name == "placements" else or_(stays, table.c.user_id == gone)))
        _write(tx, table, mine)
        _write(tx, table, theirs)
    _write_user(tx, _parted_user(now["user"], given["user"], older["user"]) | {"turn": turn})
    tx.execute(update(users).where(users.c.id == gone).values(turn=turn))


def _parted(now: Rows, given: Rows, before: Rows) -> Rows:
    """What is as the merge made it goes back; what came later stays."""
    later = {key: row for key, row in now.items() if row != given.get(key)}
    back = {key: row for key, row in before.items() if now.get(key) == given.get(key)}
    return back | later


def _parted_user(now: Mapping[str, Any], given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    row = dict(now)
    for name in ("timezone", "locale", "joined_at", "joined_day"):
        row[name] = before[name] if now[name] == given[name] else now[name]
    for name in ("attributes", "known_at"):
        mine, theirs, old = (r[name] or {} for r in (now, given, before))
        later = {k: v for k, v in mine.items() if k not in theirs or v != theirs[k]}
        row[name] = {k: v for k, v in old.items() if mine.get(k) == theirs.get(k)} | later
    return row


def _raise(tx: Connection, now: Mapping[str, Any], younger: Mapping[str, Any], members: list[int]) -> None:
    """The younger user is one again, and so are those who are part of it."""
    gone = younger["user"]["id"]
    tx.execute(delete(former).where(former.c.id == gone))
    tx.execute(insert(users).values(_typed(users, {**younger["user"], "known_at": younger["user"]["known_at"] or {}})))
    tx.execute(update(former).where(and_(former.c.id.in_(members), former.c.now_id == now["user"]["id"])).values(now_id=gone))
