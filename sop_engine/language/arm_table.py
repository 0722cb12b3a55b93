"""Reads a table with one row per user for a comparison: arm, whether they came back or when, money, stratum, guardrails."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from sop_engine.core.errors import BadInput
from sop_engine.language.report import did_you_mean
from sop_engine.language.rows import Cell, Row, Table
from sop_engine.language.tables import open_table

TRUE, FALSE = {"1", "true", "t", "yes", "y", "是"}, {"0", "false", "f", "no", "n", "否"}


@dataclass(frozen=True, slots=True)
class ArmColumns:
    """Which column holds what. Without `converted`, `start` and `returned` are dates."""

    arm: str
    converted: str = ""
    value: str = ""
    stratum: str = ""
    user: str = ""
    start: str = ""
    returned: str = ""
    guardrails: tuple[str, ...] = ()

    def named(self) -> list[str]:
        """Every column that is named."""
        single = [self.arm, self.converted, self.value, self.stratum, self.user, self.start, self.returned]
        return [name for name in (*single, *self.guardrails) if name]


@dataclass
class ArmRows:
    """The users, column by column, in the order of the file."""

    arms: list[str] = field(default_factory=list)  # in the order of their first row
    arm: list[int] = field(default_factory=list)
    back: list[bool] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    stratum: list[str] = field(default_factory=list)
    start: list[date] = field(default_factory=list)
    returned: list[date | None] = field(default_factory=list)
    guards: dict[str, list[bool]] = field(default_factory=dict)


def read_arms(path: Path, columns: ArmColumns) -> ArmRows:
    """All users of a file. Raises BadFile, or BadInput with file, line, column and what to do, for the first row that cannot be read."""
    table = open_table(path)
    _check_columns(path, table, columns)
    rows = ArmRows(guards={name: [] for name in columns.guardrails})
    known: dict[str, int] = {}
    seen: dict[str, int] = {}
    for row in table:
        if row.problem:
            raise BadInput(f"{path}:{row.line}: {row.problem}.")
        cells = _Cells(path, row)
        if columns.user:
            _new_user(cells, columns.user, seen)
        arm = cells.text(columns.arm)
        rows.arm.append(known.setdefault(arm, len(known)))
        _read_row(cells, columns, rows)
    if not known:
        raise BadInput(f"{path}: there are no rows below the names of the columns.")
    rows.arms = list(known)
    return rows


def _read_row(cells: "_Cells", columns: ArmColumns, rows: ArmRows) -> None:
    if columns.converted:
        rows.back.append(cells.flag(columns.converted))
    else:
        rows.start.append(cells.day(columns.start))
        rows.returned.append(cells.day_or_none(columns.returned))
    if columns.value:
        rows.value.append(cells.number(columns.value))
    if columns.stratum:
        rows.stratum.append(cells.text(columns.stratum))
    for name in columns.guardrails:
        rows.guards[name].append(cells.flag(name))


def _check_columns(path: Path, table: Table, columns: ArmColumns) -> None:
    for name in columns.named():
        if name not in table.columns:
            listed = ", ".join(table.columns)
            raise BadInput(f"{path}:1: there is no column '{name}'.{did_you_mean(name, table.columns)} The columns are: {listed}.")


def _new_user(cells: "_Cells", column: str, seen: dict[str, int]) -> None:
    user = cells.text(column)
    if user in seen:
        raise cells.error(column, f"the user '{user}' is in line {seen[user]} already. One row per user: keep the first")
    seen[user] = cells.row.line


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of one row, read by kind; what does not fit is an error with its place."""

    path: Path
    row: Row

    def error(self, column: str, sentence: str) -> BadInput:
        """What is wrong in a cell."""
        return BadInput(f"{self.path}:{self.row.line}: column '{column}': {sentence}.")

    def _cell(self, column: str) -> Cell:
        cell = self.row.values.get(column)
        return cell.strip() if isinstance(cell, str) else cell

    def text(self, column: str) -> str:
        """Any text; a blank is an error."""
        cell = self._cell(column)
        if cell is None or cell == "":
            raise self.error(column, "the cell is empty")
        return str(cell)

    def flag(self, column: str) -> bool:
        """Yes or no; a blank is an error, for nobody knows what it means."""
        cell = self._cell(column)
        word = str(int(cell) if isinstance(cell, bool | float) and cell == int(cell) else cell if cell is not None else "").casefold()
        if word in TRUE or word in FALSE:
            return word in TRUE
        raise self.error(column, f"'{word}' is neither yes nor no. Write 1 or 0, true or false, yes or no, 是 or 否")

    def number(self, column: str) -> float:
        """A number; a blank is 0."""
        cell = self._cell(column)
        if cell is None or cell == "":
            return 0.0
        try:
            value = float(str(cell))
        except ValueError:
            raise self.error(column, f"'{cell}' is not a number. Write it like 12.50") from None
        if value != value or value in (float("inf"), float("-inf")):
            raise self.error(column, f"'{cell}' is not a number. Leave it empty for 0")
        return value

    def day(self, column: str) -> date:
        """A date, or the date of a time."""
        found = self.day_or_none(column)
        if found is None:
            raise self.error(column, "the cell is empty. Write a date like 2025-03-01")
        return found

    def day_or_none(self, column: str) -> date | None:
        """A date; a blank is none."""
        cell = self._cell(column)
        if cell is None or cell == "":
            return None
        if isinstance(cell, datetime):
            return cell.date()
        if isinstance(cell, date):
            return cell
        try:
            return datetime.fromisoformat(str(cell)).date()
        except ValueError:
            raise self.error(column, f"'{cell}' is not a date. Write it like 2025-03-01") from None


def read_shares(text: str) -> dict[str, float]:
    """`a=0.1,b=0.9`, or with %; not yet scaled. Raises BadInput."""
    found = {}
    for name, value in _pairs(text):
        number = _fraction(value)
        if number is None or number <= 0:
            raise BadInput(f"--shares: '{value}' is not a share. Write them like holdout=0.1,A=0.9.")
        found[name] = number
    return found


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(","):
        name, sign, value = part.partition("=")
        if not sign or not name.strip():
            raise BadInput(f"--shares: '{part.strip()}' is not an arm and its share. Write them like holdout=0.1,A=0.9.")
        yield name.strip(), value.strip()


def _fraction(text: str) -> float | None:
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None


def read_guardrails(texts: tuple[str, ...]) -> tuple[tuple[str, ...], Mapping[str, float]]:
    """(columns, limits) of `COLUMN` or `COLUMN=2%`. Raises BadInput."""
    names, limits = [], {}
    for text in texts:
        name, sign, value = text.partition("=")
        names.append(name.strip())
        if sign:
            limit = _fraction(value.strip())
            if limit is None:
                raise BadInput(f"--guardrail: '{value}' is not a limit. Write it like complaint=2%.")
            limits[name.strip()] = limit
    return tuple(names), limits
