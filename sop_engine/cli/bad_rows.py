"""Writes the rows of an import that could not be read beside its file, with line, column and reason."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sop_engine.cli.output import many, warn
from sop_engine.core.errors import BadFile

if TYPE_CHECKING:
    from sop_engine.core.records import Rejected

SHOWN = 20


class BadRows:
    """Writes bad rows beside the file, as they come; keeps the first of them to be shown."""

    def __init__(self, file: Path) -> None:
        self.path = file.with_name(f"{file.name}.errors.csv")
        self.first: list[Rejected] = []
        self.count = 0
        self._file: Any = None
        self._rows: Any = None

    def __enter__(self) -> "BadRows":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            self._file.close()
        elif self.path.exists():
            self.path.unlink()  # of an earlier import, and true no more

    def add(self, bad: "Rejected") -> None:
        """One more bad row. Raises BadFile when the list cannot be written."""
        if self._file is None:
            try:
                self._file = self.path.open("w", encoding="utf-8-sig", newline="")
            except OSError as error:
                raise BadFile(f"the list of bad rows cannot be written to '{self.path}': {error.strerror}.") from error
            self._rows = csv.writer(self._file)
            self._rows.writerow(["line", "column", "reason"])
        self._rows.writerow([bad.line, bad.column, bad.reason])
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(bad)

    def tell(self) -> None:
        """The first bad rows, on stderr."""
        for bad in self.first:
            warn(f"  line {bad.line}: {bad.reason}")
        if self.count:
            warn(f"{many(self.count, 'row was', 'rows were')} left out; all of them are in {self.path}")
