"""Remembers the identities of users, finds who shares one, and tells who a user is now."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select

from sop_engine.store.columns import table_of
from sop_engine.store.dialect import dialect, run
from sop_engine.store.identity_tables import FormerUserRow, IdentityRow
from sop_engine.store.tables import UserRow

identities = table_of(IdentityRow)
former = table_of(FormerUserRow)
users = table_of(UserRow)


def note_identities(tx: Connection, names: Sequence[str], user_ids: Iterable[int]) -> None:
    """Bring what is known of these users' identities in line with their attributes; what came with another user stays."""
    to = dialect(tx)
    ids = to.id_list(sorted(set(user_ids)))
    run(tx, f"DELETE FROM identities WHERE NOT kept AND user_id IN (SELECT s.user_id FROM {to.ids('ids')})", {"ids": ids})
    _insert(tx, names, f"{to.ids('ids')} JOIN users u ON u.id = s.user_id", {"ids": ids})


def note_everybody(tx: Connection, names: Sequence[str]) -> None:
    """The same for all users, when a project declares other identities than before."""
    listed = dialect(tx).one_of(names) if names else "('')"
    run(tx, f"DELETE FROM identities WHERE NOT kept OR attribute NOT IN {listed}")
    _insert(tx, names, "users u", {})


def _insert(tx: Connection, names: Sequence[str], source: str, params: Mapping[str, object]) -> None:
    to = dialect(tx)
    for name in names:
        value = to.field("u.attributes", name, "text")
        run(
            tx,
            f"INSERT INTO identities (attribute, value, user_id, kept) SELECT {to.quoted(name)}, {value}, u.id, FALSE FROM {source} "
            f"WHERE {value} IS NOT NULL ON CONFLICT DO NOTHING",
            params,
        )


def declared(tx: Connection) -> set[str]:
    """The attributes of which identities are noted."""
    return set(tx.execute(select(identities.c.attribute).distinct()).scalars())


def having(tx: Connection, attribute: str, value: str) -> list[int]:
    """The users who have this value of an identity, in order."""
    c = identities.c
    statement = select(c.user_id).where(c.attribute == attribute, c.value == value)
    return list(tx.execute(statement.order_by(c.user_id)).scalars())


def sharing(tx: Connection, user_id: int) -> set[int]:
    """The other users who have an identity of this one."""
    theirs = identities.alias("theirs")
    same = (theirs.c.attribute == identities.c.attribute) & (theirs.c.value == identities.c.value) & (theirs.c.user_id != user_id)
    statement = select(theirs.c.user_id).join(identities, same).where(identities.c.user_id == user_id).distinct()
    return set(tx.execute(statement).scalars())


def who_share(tx: Connection, user_ids: Iterable[int]) -> list[int]:
    """Those of these users who share an identity with anybody, in order."""
    to = dialect(tx)
    sql = (
        f"SELECT DISTINCT i.user_id FROM {to.ids('ids')} JOIN identities i ON i.user_id = s.user_id "
        "JOIN identities o ON o.attribute = i.attribute AND o.value = i.value AND o.user_id <> i.user_id ORDER BY i.user_id"
    )
    return [row[0] for row in run(tx, sql, {"ids": to.id_list(sorted(set(user_ids)))})]


def everybody_who_shares(tx: Connection) -> list[int]:
    """All users who share an identity with anybody, in order."""
    theirs = identities.alias("theirs")
    same = (theirs.c.attribute == identities.c.attribute) & (theirs.c.value == identities.c.value)
    statement = select(identities.c.user_id).join(theirs, same & (theirs.c.user_id != identities.c.user_id))
    return list(tx.execute(statement.distinct().order_by(identities.c.user_id)).scalars())


def identities_of(tx: Connection, user_ids: Iterable[int]) -> dict[int, dict[str, frozenset[str]]]:
    """By user and attribute: the values. Everybody who is asked about is there."""
    asked = list(user_ids)
    found: dict[int, dict[str, set[str]]] = {i: {} for i in asked}
    for row in tx.execute(select(identities).where(identities.c.user_id.in_(asked))):
        found[row.user_id].setdefault(row.attribute, set()).add(row.value)
    return {user: {name: frozenset(values) for name, values in of.items()} for user, of in found.items()}


def who_now(tx: Connection, user_ids: Iterable[int]) -> dict[int, int]:
    """By users who became part of another one: who they are now. Others are missing."""
    rows = tx.execute(select(former.c.id, former.c.now_id).where(former.c.id.in_(list(user_ids))))
    return {row.id: row.now_id for row in rows}


def former_id(tx: Connection, key: str) -> int | None:
    """The id a user had who became part of another one, by the shop's own id."""
    return tx.execute(select(former.c.id).where(former.c.key == key)).scalar()


def keys_of(tx: Connection, user_ids: Iterable[int]) -> list[str]:
    """The keys of these living users, and of all who became part of them."""
    ids = list(user_ids)
    own = tx.execute(select(users.c.key).where(users.c.id.in_(ids))).scalars()
    return [*own, *tx.execute(select(former.c.key).where(former.c.now_id.in_(ids))).scalars()]


def members_of(tx: Connection, user_ids: Iterable[int]) -> dict[int, set[int]]:
    """By living user: the user, and all who became part of it."""
    found = {i: {i} for i in user_ids}
    for row in tx.execute(select(former.c.id, former.c.now_id).where(former.c.now_id.in_(list(found)))):
        found[row.now_id].add(row.id)
    return found
