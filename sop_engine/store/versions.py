"""Versions of flows, the releases that hold their text, and small marks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from sop_engine.core.ramp import Ramp
from sop_engine.store.columns import table_of
from sop_engine.store.dialect import dialect, run
from sop_engine.store.tables import MarkRow, ReleaseRow, VersionRow

versions = table_of(VersionRow)
releases = table_of(ReleaseRow)
marks = table_of(MarkRow)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a flow; `texts` is a later release with corrected wording, or empty."""

    flow: str
    number: int
    fingerprint: str
    release: str
    texts: str = ""
    ramp: int | None = None  # it opens slowly: the starts a day that were forecast


def get_mark(tx: Connection, name: str) -> str | None:
    """What was remembered under this name."""
    value: str | None = run(tx, f"SELECT value FROM marks WHERE name = {dialect(tx).param('name')}", {"name": name}).scalar()
    return value  # in plain SQL: every transaction asks for the release that is live


def get_marks(tx: Connection, prefix: str) -> dict[str, str]:
    """What was remembered under names that begin so, by what follows."""
    found = tx.execute(select(marks.c.name, marks.c.value).where(marks.c.name.startswith(prefix, autoescape=True)))
    return {row.name.removeprefix(prefix): row.value for row in found}


def set_mark(tx: Connection, name: str, value: str) -> None:
    """Remember something small."""
    if tx.execute(update(marks).where(marks.c.name == name).values(value=value)).rowcount == 0:
        tx.execute(insert(marks).values(name=name, value=value))


def forget_mark(tx: Connection, name: str) -> None:
    """Forget it."""
    tx.execute(delete(marks).where(marks.c.name == name))


def keep_marks(tx: Connection, prefix: str, names: Collection[str]) -> None:
    """Forget the marks that begin so, but for these names."""
    begin = marks.c.name.startswith(prefix, autoescape=True)
    gone = [m for m in tx.execute(select(marks.c.name).where(begin)).scalars() if m.removeprefix(prefix) not in names]
    tx.execute(delete(marks).where(marks.c.name.in_(gone)))


def add_release(tx: Connection, release: str, files: Mapping[str, str], now: datetime) -> None:
    """Store the text of a project, once."""
    if tx.execute(select(releases.c.hash).where(releases.c.hash == release)).first() is None:
        tx.execute(insert(releases).values(hash=release, files=dict(files), applied_at=now))


def get_release(tx: Connection, release: str) -> dict[str, str] | None:
    """The text of a project."""
    files: dict[str, str] | None = tx.execute(select(releases.c.files).where(releases.c.hash == release)).scalar()
    return files


def latest_versions(tx: Connection) -> dict[str, Version]:
    """The newest version of every flow ever applied."""
    newest = select(versions.c.flow, func.max(versions.c.number).label("number")).group_by(versions.c.flow).subquery()
    joined = select(versions).join(newest, (newest.c.flow == versions.c.flow) & (newest.c.number == versions.c.number))
    return {r.flow: Version(r.flow, r.number, r.fingerprint, r.release, r.texts) for r in tx.execute(joined)}


def all_versions(tx: Connection) -> list[Version]:
    """Every version of every flow, oldest first."""
    rows = tx.execute(select(versions).order_by(versions.c.flow, versions.c.number))
    return [Version(r.flow, r.number, r.fingerprint, r.release, r.texts) for r in rows]


def last_new_release(tx: Connection) -> datetime | None:
    """When a release that was not there before was last applied."""
    at: datetime | None = tx.execute(select(func.max(releases.c.applied_at))).scalar()
    return at


def get_version(tx: Connection, flow: str, number: int) -> Version | None:
    """One version of a flow."""
    row = tx.execute(select(versions).where(versions.c.flow == flow, versions.c.number == number)).first()
    return None if row is None else Version(row.flow, row.number, row.fingerprint, row.release, row.texts)


def opening(tx: Connection) -> dict[str, list[Ramp]]:
    """By flow: the versions that opened slowly, or still do."""
    c = versions.c
    found: dict[str, list[Ramp]] = {}
    for row in tx.execute(select(c.flow, c.number, c.created_at, c.ramp).where(c.ramp.is_not(None))):
        found.setdefault(row.flow, []).append(Ramp(row.number, row.created_at, row.ramp))
    return found


def add_version(tx: Connection, version: Version, now: datetime, *, approved_by: str = "") -> None:
    """Store a new version."""
    values = {f: getattr(version, f) for f in Version.__dataclass_fields__}
    tx.execute(insert(versions).values(**values, created_at=now, approved_by=approved_by))


def set_texts(tx: Connection, flow: str, release: str) -> None:
    """Give corrected wording to every version of a flow."""
    tx.execute(update(versions).where(versions.c.flow == flow).values(texts=release))
