"""Remembers users: the shop's own id, when they joined, zone, language and attributes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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

_NEW = {"key": "text", "joined_at": "instant", "joined_day": "date", "timezone": "text", "locale": "text", "attributes": "json"}


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
    """The user with the shop's id. Raises NotFound."""
    found = find_users(tx, project, keys=[key])
    if not found:
        raise NotFound(f"there is no user '{key}'. Ids are written exactly as they were imported.")
    return found[0]


def find_users(tx: Connection, project: Project, *, ids: Iterable[int] = (), keys: Iterable[str] = ()) -> list[User]:
    """Users by id or by the shop's id, in order of id; who does not exist is missing."""
    asked = users.c.id.in_(list(ids)) | users.c.key.in_(list(keys))
    return [_user(row, project) for row in tx.execute(select(users).where(asked).order_by(users.c.id))]


def ids_by_key(tx: Connection, keys: Iterable[str]) -> dict[str, int]:
    """By the shop's id: ours."""
    return {key: user_id for key, (user_id, _) in _joined_at(tx, keys).items()}


def ensure_users(tx: Connection, project: Project, seen: Iterable[tuple[str, datetime]]) -> tuple[dict[str, int], set[str]]:
    """Users seen at these times: added where they are new, joined earlier where they were seen earlier. Ids by key, and the new keys."""
    first: dict[str, datetime] = {}
    for key, at in seen:
        first[key] = min(at, first.get(key, at))
    there = _joined_at(tx, first)
    # Most users are only seen again: then nothing is written. All are held first and in one order, or two workers block each other.
    early = [(UserRecord(key), at) for key, at in sorted(first.items()) if key not in there or at < there[key][1]]
    if early:
        lock_users(tx, [user_id for user_id, _ in there.values()])
        _upsert(tx, project, early)
    new = first.keys() - there.keys()
    return (ids_by_key(tx, first) if new else {key: user_id for key, (user_id, _) in there.items()}), new


def add_users(tx: Connection, project: Project, records: Sequence[UserRecord], now: datetime | None = None) -> dict[str, int]:
    """Add users or change those there are; their ids by key.

    What was not given stays, a None attribute is forgotten, the earlier joining counts; without one a user joins `now`.
    """
    merged: dict[str, UserRecord] = {}
    for r in records:
        merged[r.key] = _merged(merged[r.key], r) if r.key in merged else r
    if tx.dialect.name == "postgresql":
        lock_users(tx, ids_by_key(tx, merged).values())
    _upsert(tx, project, [(merged[key], _joined(merged[key], now)) for key in merged])
    return ids_by_key(tx, merged)


def set_attributes(tx: Connection, user_id: int, values: Mapping[str, Value | None]) -> None:
    """Set attributes of one user; None forgets one. Others stay."""
    to = dialect(tx)
    changed = to.merged("attributes", f"CAST({to.param('new')} AS {to.types['json']})")
    sql = f"UPDATE users SET attributes = {changed} WHERE id = {to.param('id')}"
    run(tx, sql, {"new": to.json_text(plain_json(values)), "id": user_id})


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


def _joined_at(tx: Connection, keys: Iterable[str]) -> dict[str, tuple[int, datetime]]:
    """By the shop's id: ours, and when the user joined."""
    to = dialect(tx)
    sql = f"SELECT u.key, u.id, u.joined_at FROM ({to.rows('keys', {'key': 'text'})}) r JOIN users u ON u.key = r.key"
    found = run(tx, sql, {"keys": to.row_list([{"key": k} for k in dict.fromkeys(keys)])})
    return {row[0]: (row[1], to.time_of(row[2])) for row in found}


def _upsert(tx: Connection, project: Project, records: Iterable[tuple[UserRecord, datetime]]) -> None:
    """Add or change users, each once, with the time each was there by."""
    to, zone = dialect(tx), project.zone
    rows = [
        {
            "key": r.key,
            "joined_at": to.instant(joined),
            "joined_day": local_day(joined, zone).toordinal(),
            "timezone": r.timezone,
            "locale": r.locale,
            "attributes": plain_json(r.attributes),
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
    run(tx, sql, {"new": to.row_list(rows)})


def _joined(record: UserRecord, now: datetime | None) -> datetime:
    at = record.joined_at or now
    if at is None:
        raise BadInput(f"user '{record.key}' has no joined_at, and it is not said when we first heard of the user.")
    return at


def _user(row: Row[Any], project: Project) -> User:
    kinds = {name: a.type for name, a in project.attributes.items()}
    return User(row.id, row.key, row.joined_at, row.timezone, row.locale, typed_values(row.attributes, kinds))
