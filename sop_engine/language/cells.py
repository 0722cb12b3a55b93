"""Reads one cell of a table as the catalogue's type, or says what it is not."""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from sop_engine.core.addresses import email_address, phone_e164
from sop_engine.core.conditions import Value
from sop_engine.core.errors import BadInput
from sop_engine.language.report import did_you_mean
from sop_engine.language.rows import Cell

FLAGS = {"是": True, "yes": True, "true": True, "1": True, "否": False, "no": False, "false": False, "0": False}
MOST_DIGITS = 38
MOST_CHARACTERS = 200  # of an id

_GUARD = re.compile(r"^'(?=[=+\-@\t\r＝＋－＠])")  # written so that a spreadsheet does not run the cell
_QUOTED = re.compile(r'="([^"]*)"')  # the other way to keep a spreadsheet from changing digits
_SPREADSHEET = re.compile(r"\d(?:\.\d+)?e\+?\d+", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_TIME = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)? *(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)


def is_empty(cell: Cell) -> bool:
    """Whether nothing was given."""
    return not cell.strip() if isinstance(cell, str) else cell is None


def text(cell: Cell) -> str:
    """The cell as text, numbers without exponent; what guards it from spreadsheets, and what no database takes, is taken away."""
    match cell:
        case str():
            return _cleaned(cell)
        case bool():
            return str(cell).lower()
        case float():
            return str(int(cell)) if cell.is_integer() else repr(cell)
        case Decimal():
            return f"{cell:f}"
        case datetime() | date():
            return cell.isoformat()
        case dict():
            return json.dumps(cell, ensure_ascii=False, default=str)
    return str(cell)


def name(cell: Cell) -> str:
    """The cell as a name of the language, NFKC-normalised."""
    return unicodedata.normalize("NFKC", text(cell))


def identifier(cell: Cell) -> str:
    """A text that identifies something: without the ' that keeps its zeros; raises BadInput if a spreadsheet has rounded it."""
    name = text(cell).removeprefix("'").strip()
    _unrounded(name)
    if not name or len(name) > MOST_CHARACTERS or not name.isprintable():
        raise BadInput(f"is not an id of 1 to {MOST_CHARACTERS} characters")
    return name


def number(cell: Cell) -> Decimal:
    """An exact number; full-width digits and commas between thousands are understood. Raises BadInput."""
    if isinstance(cell, (bool, date, dict)):
        raise BadInput("is not a number")
    if isinstance(cell, str):
        cell = unicodedata.normalize("NFKC", text(cell)).removeprefix("'")
        if not _NUMBER.fullmatch(cell):
            raise BadInput("is not a number")
        cell = cell.replace(",", "")
    try:
        found = Decimal(str(cell))
    except InvalidOperation as error:
        raise BadInput("is not a number") from error
    if not found.is_finite():
        raise BadInput("is not a number")
    if found.adjusted() >= MOST_DIGITS or len(found.as_tuple().digits) > MOST_DIGITS or found.adjusted() < -MOST_DIGITS:
        raise BadInput(f"has more than {MOST_DIGITS} digits")
    return found


def flag(cell: Cell) -> bool:
    """Yes or no. Raises BadInput."""
    found = FLAGS.get(unicodedata.normalize("NFKC", text(cell)).lower())
    if found is None:
        raise BadInput("is not yes or no. Write 是 or 否, yes or no, true or false, 1 or 0")
    return found


def moment(cell: Cell, zone: ZoneInfo) -> datetime:
    """A time in UTC; without an offset it is the zone's, a date alone is its local midnight. Raises BadInput."""
    found = _moment(cell)
    if not 1900 <= found.year <= 9998:
        raise BadInput("is not a time of our days")
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def day(cell: Cell, zone: ZoneInfo) -> date:
    """A date: of a time with an offset the zone's. Raises BadInput."""
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return cell
    found = _moment(cell)
    if not 1 < found.year < 9999:
        raise BadInput("is not a date of our days")
    return (found.astimezone(zone) if found.tzinfo else found).date()


def phone(cell: Cell) -> str:
    """A phone number in E.164. Raises BadInput."""
    written = unicodedata.normalize("NFKC", text(cell)).removeprefix("'").strip()
    _unrounded(written)
    found = phone_e164(written)
    if found is None:
        raise BadInput("is not a phone number. Write it like 13800001234 or +4917012345678")
    return found


def email(cell: Cell) -> str:
    """An e-mail address. Raises BadInput."""
    found = email_address(text(cell))
    if found is None:
        raise BadInput("is not an e-mail address")
    return found


def reader(kind: str, words: Sequence[str], zone: ZoneInfo) -> Callable[[Cell], Value]:
    """The function that reads cells of a type of the catalogue; it raises BadInput."""
    simple: Mapping[str, Callable[[Cell], Value]] = {
        "text": text,
        "number": number,
        "flag": flag,
        "phone": phone,
        "email": email,
        "date": lambda cell: day(cell, zone),
        "words": lambda cell: _word(cell, words),
    }
    return simple[kind]


def _word(cell: Cell, words: Sequence[str]) -> str:
    written = unicodedata.normalize("NFKC", text(cell))
    if written not in words:
        raise BadInput(f"is none of its words.{did_you_mean(written, words)}".rstrip("."))
    return written


def _moment(cell: Cell) -> datetime:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    if not isinstance(cell, str):
        raise BadInput("is not a date. Write it like 2025-01-02 or 2025-01-02 11:30")
    written = unicodedata.normalize("NFKC", _cleaned(cell))
    found = _TIME.fullmatch(written)
    try:
        return _built(found) if found else datetime.fromisoformat(written)
    except ValueError as error:
        raise BadInput("is not a date. Write it like 2025-01-02 or 2025-01-02 11:30") from error


def _built(found: re.Match[str]) -> datetime:
    year, month, day_, hour, minute, second = (int(found[n] or 0) for n in range(1, 7))
    fraction = int((found[7] or "0").ljust(6, "0")[:6])
    naive = datetime(year, month, day_, hour, minute, second, fraction)  # noqa: DTZ001  # the caller knows the zone
    return datetime.fromisoformat(f"{naive.isoformat()}{found[8].upper()}") if found[8] else naive


def _unrounded(written: str) -> None:
    if _SPREADSHEET.fullmatch(written):
        raise BadInput("was rounded by a spreadsheet. Format the column as text and export it again")


def _cleaned(written: str) -> str:
    written = written.strip()
    if written[:1] in ("'", "="):
        written = _unguarded(written)
    if written.isascii() and "\x00" not in written:
        return written
    return written.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _unguarded(written: str) -> str:
    quoted = _QUOTED.fullmatch(written)
    return quoted[1].strip() if quoted else _GUARD.sub("", written, count=1)
