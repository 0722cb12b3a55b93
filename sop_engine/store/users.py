"""Remembers users: the shop's own id, when they joined, zone, language and attributes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select

from sop_engine.core.calendar import local_day
from sop_engine.core.conditions import Value
from sop_engine.core.errors import BadInput, NotFound
from sop_engine.core.project import Project
from sop_engine.core.records import UserRecord
from sop_engine.store.columns import table_of
from sop_engine.store.dialect import dialect, run
from sop_engine.store.people import lock_users
from sop_engine.store.tables import UserRow

users = table_of(UserRow)

_NEW = {
    "key": "text", "joined_at": "instant", "joined_day": "date", "timezone": "text", "locale": "text", "attributes": "json",
    "known_at": "json",
}  # fmt: skip

_KNOWN_AT = "COALESCE(users.known_at, '{}')"


@dataclass(frozen=True, slots=True)
class User:
    """One user, as far as the store knows."""

    id: int
    key: str
    joined_at: datetime
    timezone: str | None
    locale: str | None
    attributes: Mapping[str, Value] = field(default_factory=dict, repr=False)


def get_user(tx: Connection, project: Project, key: str) -> User:
    """The user with the shop's id, or the one it became part of. Raises NotFound."""
    found = find_users(tx, project, ids=ids_by_key(tx, [key]).values())
    if not found:
        raise NotFound(f"there is no user '{key}'. Ids are written exactly as they were imported.")
    return found[0]


def find_users(tx: Connection, project: Project, *, ids: Iterable[int] = (), keys: Iterable[str] = ()) -> list[User]:
    """Users by id or by the shop's id, in order of id; who does not exist is missing."""
    asked = users.c.id.in_(list(ids)) | users.c.key.in_(list(keys))
    return [_user(row, project) for row in tx.execute(select(users).where(asked).order_by(users.c.id))]


def ids_by_key(tx: Connection, keys: Iterable[str]) -> dict[str, int]:
    """By the shop's id: ours; of a user who became part of another one, that one's."""
    return {key: one.id for key, one in _seen(tx, keys).items()}


def ensure_users(tx: Connection, project: Project, seen: Iterable[tuple[str, datetime]]) -> tuple[dict[str, int], set[str]]:
    """Users seen at these times: added where they are new, joined earlier where they were seen earlier. Ids by key, and the new keys."""
    first: dict[str, datetime] = {}
    for key, at in seen:
        first[key] = min(at, first.get(key, at))
    there = _seen(tx, first)
    # Most users are only seen again: then nothing is written. All are held first and in one order, or two workers block each other.
    early: dict[str, datetime] = {}
    for key, at in sorted(first.items()):
        if key not in there or at < there[key].joined_at:
            now_key = there[key].key if key in there else key
            early[now_key] = min(at, early.get(now_key, at))
    if early:
        if lock_users(tx, [one.id for one in there.values()]):  # some became part of another user meanwhile
            return ensure_users(tx, project, first.items())
        _upsert(tx, project, [(UserRecord(key), at) for key, at in sorted(early.items())])
    new = first.keys() - there.keys()
    return (ids_by_key(tx, first) if new else {key: one.id for key, one in there.items()}), new


def add_users(tx: Connection, project: Project, records: Sequence[UserRecord], now: datetime | None = None) -> dict[str, int]:
    """Add users or change those there are; their ids by key.

    What was not given stays, a None attribute is forgotten, the earlier joining counts; without one a user joins `now`.
    """
    merged: dict[str, UserRecord] = {}
    there = _seen(tx, [r.key for r in records])
    if lock_users(tx, [one.id for one in there.values()]):  # some became part of another user meanwhile
        there = _seen(tx, [r.key for r in records])
    for r in records:
        key = there[r.key].key if r.key in there else r.key
        one = replace(r, key=key)
        merged[key] = _merged(merged[key], one) if key in merged else one
    _upsert(tx, project, [(merged[key], _joined(merged[key], now)) for key in merged], now)
    return ids_by_key(tx, [r.key for r in records])


def set_attributes(tx: Connection, user_id: int, values: Mapping[str, Value | None], at: datetime | None = None) -> None:
    """Set attributes of one user; None forgets one. Others stay. With `at` it is remembered when they were said."""
    to = dialect(tx)
    changed = to.merged("attributes", f"CAST({to.param('new')} AS {to.types['json']})")
    params: dict[str, Any] = {"new": to.json_text(plain_json(values)), "id": user_id}
    said = ""
    if at is not None:
        times = f"CAST({to.param('times')} AS {to.types['json']})"
        said = f", known_at = {to.merged(_KNOWN_AT, times)}"
        params["times"] = to.json_text(dict.fromkeys(values, at.isoformat()))
    run(tx, f"UPDATE users SET attributes = {changed}{said} WHERE id = {to.param('id')}", params)


def plain_json(values: Mapping[str, Value | None]) -> dict[str, Any]:
    """Values as plain JSON: whole numbers as such, other numbers as floats, dates as ISO text."""
    return {name: _plain(value) for name, value in values.items()}


def typed_values(stored: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Value]:
    """Plain JSON as values of these kinds; what is not of its kind, or has none, is left out."""
    typed = {name: _typed(value, kinds[name]) for name, value in stored.items() if name in kinds}
    return {name: value for name, value in typed.items() if value is not None}


def _plain(value: Value | None) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value


def _typed(value: Any, kind: str) -> Value | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "number":
            return Decimal(str(value)) if is_number else None
        case "flag":
            return value if isinstance(value, bool) else None
        case "date":
            return _date(value)
    return str(value) if isinstance(value, str) or is_number else None


def _date(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _merged(old: UserRecord, new: UserRecord) -> UserRecord:
    joined = min((at for at in (old.joined_at, new.joined_at) if at is not None), default=None)
    return UserRecord(new.key, joined, {**old.attributes, **new.attributes}, new.timezone or old.timezone, new.locale or old.locale)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A user who is there under some key: the id, key and joining of who that is now."""

    id: int
    key: str
    joined_at: datetime


def _seen(tx: Connection, keys: Iterable[str]) -> dict[str, _Seen]:
    """By the shop's id. A key that is no user's may be that of one who became part of another."""
    to = dialect(tx)
    rows = to.rows("keys", {"key": "text"})
    sql = f"SELECT u.key, u.id, u.key, u.joined_at FROM ({rows}) r JOIN users u ON u.key = r.key"
    asked = dict.fromkeys(keys)
    found = {row[0]: _Seen(row[1], row[2], to.time_of(row[3])) for row in _of_keys(tx, sql, asked)}
    if len(found) < len(asked):
        gone = (
            f"SELECT f.key, u.id, u.key, u.joined_at FROM ({rows}) r JOIN former_users f ON f.key = r.key JOIN users u ON u.id = f.now_id"
        )
        rest = [key for key in asked if key not in found]
        found |= {row[0]: _Seen(row[1], row[2], to.time_of(row[3])) for row in _of_keys(tx, gone, rest)}
    return found


def _of_keys(tx: Connection, sql: str, keys: Iterable[str]) -> Iterable[Any]:
    return run(tx, sql, {"keys": dialect(tx).row_list([{"key": k} for k in keys])})


def _upsert(tx: Connection, project: Project, records: Iterable[tuple[UserRecord, datetime]], now: datetime | None = None) -> None:
    """Add or change users, each once, with the time each was there by; `now` is when their attributes are said."""
    to, zone = dialect(tx), project.zone
    rows = [
        {
            "key": r.key,
            "joined_at": to.instant(joined),
            "joined_day": local_day(joined, zone).toordinal(),
            "timezone": r.timezone,
            "locale": r.locale,
            "attributes": plain_json(r.attributes),
            "known_at": dict.fromkeys(r.attributes, now.isoformat()) if now is not None and project.identities else None,
        }
        for r, joined in records
    ]
    earlier = ", ".join(f"{c} = {to.least}(excluded.{c}, users.{c})" for c in ("joined_at", "joined_day"))
    kept = ", ".join(f"{c} = COALESCE(excluded.{c}, users.{c})" for c in ("timezone", "locale"))
    columns = ", ".join(_NEW)
    sql = (
        f"INSERT INTO users ({columns}, turn) SELECT {columns}, 0 FROM ({to.rows('new', _NEW)}) r WHERE TRUE "
        f"ON CONFLICT (key) DO UPDATE SET {earlier}, {kept}, attributes = {to.merged('users.attributes', 'excluded.attributes')}"
    )
    if project.identities:
        sql += f", known_at = {to.merged(_KNOWN_AT, _KNOWN_AT.replace('users', 'excluded'))}"
    run(tx, sql, {"new": to.row_list(rows)})


def _joined(record: UserRecord, now: datetime | None) -> datetime:
    at = record.joined_at or now
    if at is None:
        raise BadInput(f"user '{record.key}' has no joined_at, and it is not said when we first heard of the user.")
    return at


def _user(row: Row[Any], project: Project) -> User:
    kinds = {name: a.type for name, a in project.attributes.items()}
    return User(row.id, row.key, row.joined_at, row.timezone, row.locale, typed_values(row.attributes, kinds))
